"""SnapshotStore: versions in order, pruned with care, sharing what did not change."""

from __future__ import annotations

import gc
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs_sqlite import SnapshotError, SnapshotStore
from tests.support.sqlite_databases import (
    connect,
    content,
    everything,
    fill,
    marks,
    running,
    unique_uri,
)

DIRECTORY = "/versions/of it"


@pytest.fixture(params=["MemoryFileSystem", "fsspec memory", "fsspec local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, str]:
    """Return a file system and a directory in it, for each kind of file system."""
    if request.param == "MemoryFileSystem":
        return MemoryFileSystem(), DIRECTORY
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    protocol = "memory" if request.param == "fsspec memory" else "file"
    return fsspec.filesystem(protocol), str(tmp_path / "versions")


@pytest.fixture
def connection() -> Any:
    with closing(connect(":memory:")) as connection:
        fill(connection)
        yield connection


def set_mark(connection: sqlite3.Connection, mark: str) -> None:
    connection.execute("UPDATE t SET b = ?", (f"{mark} row",))


def loaded_marks(store: SnapshotStore, version: Any) -> set[str]:
    with closing(store.load(version, ":memory:", check="full")) as copy:
        return marks(copy)


def test_versions_are_listed_in_order_and_loaded(
    place: tuple[Any, str], connection: sqlite3.Connection
) -> None:
    store = SnapshotStore(*place)
    assert store.versions() == []
    start = datetime.now(UTC)
    saved = []
    for number in range(5):
        set_mark(connection, f"v{number}")
        saved.append(store.save(connection, f"label {number}/%é"))
    assert store.versions() == saved
    assert [version.label for version in saved] == [f"label {n}/%é" for n in range(5)]
    assert start <= saved[0].time <= saved[-1].time <= datetime.now(UTC)
    for number, version in enumerate(saved):
        assert loaded_marks(store, version) == {f"v{number}"}
        assert loaded_marks(store, version.name) == {f"v{number}"}
        assert loaded_marks(store, f"label {number}/%é") == {f"v{number}"}
    # Another store on the same directory knows them, too, and continues.
    assert SnapshotStore(*place).save(connection).number == 6


def test_a_version_is_loaded_into_a_shared_database(connection: sqlite3.Connection) -> None:
    store = SnapshotStore(MemoryFileSystem(), DIRECTORY)
    version = store.save(connection)
    uri = unique_uri()
    with closing(store.load(version, uri)), closing(connect(uri)) as other:
        assert marks(other) == {"row"}


def test_of_equal_labels_the_newest_counts(connection: sqlite3.Connection) -> None:
    store = SnapshotStore(MemoryFileSystem(), DIRECTORY)
    for mark in ("old", "new"):
        set_mark(connection, mark)
        store.save(connection, "same")
    assert loaded_marks(store, "same") == {"new"}


def test_pruning_keeps_the_newest(place: tuple[Any, str], connection: sqlite3.Connection) -> None:
    store = SnapshotStore(*place, keep=3)
    saved = [store.save(connection, str(number)) for number in range(7)]
    assert store.versions() == saved[-3:]
    store.remove(saved[-1])
    store.remove(saved[-1])
    assert store.versions() == saved[-3:-1]


def test_pruning_never_removes_the_newest_sound_version(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = MemoryFileSystem()
    store = SnapshotStore(fs, DIRECTORY, keep=1)
    sound = store.save(connection, "sound")

    def publish_damaged(fs: Any, path: str, image: bytes) -> None:
        fs.write_bytes(path, image[:-1])

    monkeypatch.setattr("dmemfs_sqlite._courier.store.publish_file", publish_damaged)
    monkeypatch.setattr(SnapshotStore, "_store_changes", lambda *_: False)
    for _ in range(3):
        store.save(connection, "damaged")
    kept = store.versions()
    assert [version.label for version in kept] == ["sound", "damaged"]
    assert loaded_marks(store, sound) == {"row"}
    with pytest.raises(SnapshotError):
        store.load(kept[-1], ":memory:")


def test_other_files_in_the_directory_are_left_alone(connection: sqlite3.Connection) -> None:
    fs = MemoryFileSystem()
    store = SnapshotStore(fs, DIRECTORY, keep=1)
    fs.makedirs(DIRECTORY)
    others = ["notes.txt", "00000009.db", "00000009-20261399T000000000000Z-00000000.db"]
    for name in others:
        fs.write_bytes(f"{DIRECTORY}/{name}", b"mine")
    for _ in range(3):
        version = store.save(connection)
    assert store.versions() == [version]
    assert set(fs.listdir(DIRECTORY)) == {*others, version.name}


def test_a_version_that_does_not_exist_is_not_found(connection: sqlite3.Connection) -> None:
    store = SnapshotStore(MemoryFileSystem(), DIRECTORY)
    with pytest.raises(FileNotFoundError):
        store.load("nobody", ":memory:")
    version = store.save(connection)
    store.remove(version)
    with pytest.raises(FileNotFoundError):
        store.load(version, ":memory:")


@pytest.mark.parametrize("label", ["", "x" * 300, "é" * 100])
def test_impossible_labels_are_refused(label: str, connection: sqlite3.Connection) -> None:
    fs = MemoryFileSystem()
    with pytest.raises(ValueError, match="label"):
        SnapshotStore(fs, DIRECTORY).save(connection, label)
    assert fs.listdir("/") == []


def test_impossible_stores_are_refused() -> None:
    with pytest.raises(ValueError, match="keep"):
        SnapshotStore(MemoryFileSystem(), DIRECTORY, keep=0)
    with pytest.raises(TypeError, match="listdir"):
        SnapshotStore(object(), DIRECTORY)  # type: ignore[arg-type]


def test_many_threads_save_at_once() -> None:
    fs = MemoryFileSystem()

    def save(number: int) -> None:
        with closing(connect(":memory:")) as own:
            fill(own, mark=f"thread{number}")
            # Stores of their own, as programs of their own would have.
            for _ in range(5):
                SnapshotStore(fs, DIRECTORY).save(own, f"thread{number}")

    with running(*(lambda n=n: save(n) for n in range(6))):
        pass
    store = SnapshotStore(fs, DIRECTORY)
    assert len(store.versions()) == 30
    for version in store.versions():
        assert loaded_marks(store, version) == {version.label}


# --- sharing ----------------------------------------------------------------------


def test_shared_blocks_are_no_difference_to_the_reader() -> None:
    store = SnapshotStore(MemoryFileSystem(), DIRECTORY)
    expected = []
    with closing(connect(":memory:")) as connection:
        everything(connection)
        connection.execute("CREATE TABLE filler(id INTEGER PRIMARY KEY, b)")
        connection.executemany("INSERT INTO filler(b) VALUES (?)", [(b"x" * 1000,)] * 2000)
        changes = [
            "UPDATE filler SET b = 'small' WHERE id = 1000",
            "INSERT INTO filler(b) SELECT randomblob(1000) FROM filler LIMIT 500",
            "DELETE FROM filler WHERE id > 1500",
            "VACUUM",
            "DELETE FROM filler",
            "VACUUM",
            "INSERT INTO filler(b) SELECT randomblob(1000) FROM plain",
        ]
        for change in changes:
            connection.execute(change)
            expected.append(content(connection))
            store.save(connection)
    found = []
    for version in store.versions():
        with closing(store.load(version, ":memory:", check="full", isolation_level=None)) as copy:
            found.append(content(copy))
    assert found == expected


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_unchanged_blocks_of_versions_are_stored_once() -> None:
    size, versions = 16 << 20, 20
    fs = MemoryFileSystem(max_quota=None)
    store = SnapshotStore(fs, DIRECTORY)
    with closing(connect(":memory:")) as connection:
        fill(connection)
        connection.execute("CREATE TABLE large AS SELECT randomblob(?) AS b", (size,))
        store.save(connection)
        gc.collect()
        before = resident_bytes()
        for number in range(versions):
            set_mark(connection, f"v{number}")
            store.save(connection)
        gc.collect()
        grown = resident_bytes() - before
    assert fs.usage().bytes > versions * size
    # Without sharing it would have grown by all of the versions.
    assert grown < versions * size / 4


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_quota_that_is_too_small_leaves_the_versions_as_they_are() -> None:
    fs = MemoryFileSystem(max_quota=5 << 20)
    store = SnapshotStore(fs, DIRECTORY, keep=10)
    with closing(connect(":memory:")) as connection:
        fill(connection)
        connection.execute("CREATE TABLE large AS SELECT randomblob(2 << 20) AS b")
        saved = [store.save(connection), store.save(connection)]
        with pytest.raises(QuotaExceededError):
            store.save(connection)
        assert store.versions() == saved
        assert len(fs.listdir(DIRECTORY)) == 2
        fs._check()
    assert loaded_marks(store, saved[-1]) == {"row"}
