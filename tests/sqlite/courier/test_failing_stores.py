"""Saves to stores that fail at every single call: the former snapshot is whole, nothing is left."""

from __future__ import annotations

import gc
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dmemfs_sqlite import SnapshotStore, load_db, save_db
from tests.support.failing_stores import STORES, Calls, failures
from tests.support.sqlite_databases import (
    connect,
    no_database_on_disk,  # noqa: F401
)

DIRECTORY_NAMES = ("plain", "what?", "st*r", "a[1]", "**", "deep/down")
# Files that are dropped open are what this is about.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'former' AS x, randomblob(20000) AS filler")
        yield connection


def state_of(fs: Any, path: str) -> str:
    """Return what the snapshot says, having let go of all files that were dropped."""
    gc.collect()
    with closing(load_db(fs, path, ":memory:", check="full")) as copy:
        return str(copy.execute("SELECT x FROM t").fetchone()[0])


def made(kind: str, tmp_path: Path) -> tuple[Calls, Any, str]:
    if "fsspec" in kind:
        pytest.importorskip("fsspec", reason="fsspec is not installed")
    calls = Calls()
    root = str(tmp_path / "root")
    return calls, STORES[kind](calls, root), root


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("directory", DIRECTORY_NAMES)
def test_names_of_directories_are_no_patterns(
    kind: str, directory: str, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    _, fs, root = made(kind, tmp_path)
    for name in ("a.db", "b*.db", "[c].db"):
        path = f"{root}/{directory}/{name}"
        for text in ("former", "latter"):
            connection.execute("UPDATE t SET x = ?", (text,))
            save_db(fs, path, connection)
            assert state_of(fs, path) == text
    assert sum(".db" in name for name in fs.names()) == 3
    assert not [name for name in fs.names() if "saving" in name]


@pytest.mark.parametrize("kind", STORES)
def test_a_failure_at_every_call(kind: str, connection: sqlite3.Connection, tmp_path: Path) -> None:
    calls, fs, root = made(kind, tmp_path)
    path = f"{root}/what?/a.db"
    failed = 0
    for at, after, error in failures(calls):
        connection.execute("UPDATE t SET x = 'former'")
        save_db(fs, path, connection)
        names = fs.names()
        connection.execute("UPDATE t SET x = 'latter'")
        calls.begin(at, after, error)
        try:
            save_db(fs, path, connection)
            raised = False
        except error:
            raised = True
        tried = calls.made
        calls.end()
        found = state_of(fs, path)
        assert fs.names() == names, (at, after, error)
        if raised:
            failed += 1
            # Where a file is renamed by copying it, only the removal of the former one may fail.
            done = after or calls.failed == "rm_file"
            assert found == "former" or done, (at, after, error)
        else:
            assert found == "latter"
        if tried < at:
            break
    assert failed >= 12


@pytest.mark.parametrize("kind", STORES)
def test_a_failure_at_every_call_of_the_first_save(
    kind: str, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """Directories that were made for it go with it."""
    calls, fs, root = made(kind, tmp_path)
    with suppress(AttributeError):
        fs.makedirs(root, exist_ok=True)
    path = f"{root}/what?/deep/a.db"
    names = fs.names()
    for at, after, error in failures(calls):
        calls.begin(at, after, error)
        try:
            save_db(fs, path, connection)
            raised = False
        except error:
            raised = True
        tried = calls.made
        calls.end()
        gc.collect()
        if path in fs.names():
            assert not raised or after or calls.failed == "rm_file"
            assert state_of(fs, path) == "former"
            _, fs, _ = made(kind, tmp_path / f"{at}-{after}-{error.__name__}")
            calls, fs, root = made(kind, tmp_path / f"{at}-{after}-{error.__name__}")
            with suppress(AttributeError):
                fs.makedirs(root, exist_ok=True)
            path = f"{root}/what?/deep/a.db"
            names = fs.names()
        else:
            assert raised
            assert fs.names() == names, (at, after, error)
        if tried < at:
            break


@pytest.mark.parametrize("kind", [kind for kind in STORES if "open" not in kind])
def test_a_failure_at_every_call_of_a_snapshot_store(
    kind: str, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    calls, fs, root = made(kind, tmp_path)
    store = SnapshotStore(fs, f"{root}/st*r", keep=2)
    store.save(connection, "first")
    for at, after, error in failures(calls):
        connection.execute("UPDATE t SET x = 'former'")
        former = store.save(connection, "former")
        connection.execute("UPDATE t SET x = 'latter'")
        calls.begin(at, after, error)
        try:
            store.save(connection, "latter")
        except error:
            pass
        tried = calls.made
        calls.end()
        gc.collect()
        versions = store.versions()
        assert former in versions
        assert not [name for name in fs.names() if "saving" in name], (at, after, error)
        for version in versions[-2:]:
            with closing(store.load(version, ":memory:", check="full")) as copy:
                text = copy.execute("SELECT x FROM t").fetchone()[0]
                assert text == version.label or version.label == "first"
        if tried < at:
            break
    assert tried > 3


@pytest.mark.parametrize("kind", ["fsspec memory", "fsspec file", "fsspec parts"])
def test_within_a_transaction(kind: str, connection: sqlite3.Connection, tmp_path: Path) -> None:
    """The file appears at the end of the transaction; one that failed does not, nor ever."""
    calls, fs, root = made(kind, tmp_path)
    path = f"{root}/a.db"
    fs.makedirs(root, exist_ok=True)
    save_db(fs, path, connection)
    for at, after, error in failures(calls):
        connection.execute("UPDATE t SET x = 'former'")
        save_db(fs, path, connection)
        names = fs.names()
        connection.execute("UPDATE t SET x = 'latter'")
        with fs.transaction:
            calls.begin(at, after, error)
            try:
                save_db(fs, path, connection)
                raised = False
            except error:
                raised = True
            tried = calls.made
            calls.end()
            assert state_of(fs, path) == "former"
        assert state_of(fs, path) == ("former" if raised else "latter"), (at, after, error)
        assert fs.names() == names
        if tried < at:
            break
    assert tried >= 2


def test_files_of_the_operating_system_are_closed(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """Written in place, what could be closed would publish nothing, and would stay open."""
    opened: list[Any] = []

    class Disk:
        def open(self, path: str, mode: str = "r", /) -> Any:
            opened.append(open(path, mode))
            if mode == "wb":
                opened[-1].write(b"")
                opened[-1].raw.close()
            return opened[-1]

    with warnings.catch_warnings(), pytest.raises(ValueError, match="closed"):
        warnings.simplefilter("error")
        save_db(Disk(), str(tmp_path / "a"), connection)
    assert opened[-1].closed
