"""save_db: committed data only, from any database, published at once or not at all."""

from __future__ import annotations

import _thread
import errno
import io
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs_sqlite import BusyError, OpenTransactionError, load_db, save_db
from dmemfs_sqlite._courier.copy import Database
from dmemfs_sqlite._engine.image import read_header
from dmemfs_sqlite._engine.memory_database import connect_memory
from tests.support.sqlite_databases import (
    check_alive,
    connect,
    content,
    everything,
    fill,
    marks,
    running,
    uncommitted_row,
    unique_uri,
)
from tests.support.sqlite_modules import HAS_AUTOCOMMIT, IS_STANDARD

PATH = "/deep/down/a.db"


@pytest.fixture(params=["memdb", "shared-cache"])
def uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URI of a shared database with a table t of 100 rows."""
    uri = unique_uri(request.param)
    with closing(connect(uri)) as keeper:
        fill(keeper)
        yield uri


def loaded(fs: Any, path: str = PATH) -> sqlite3.Connection:
    return load_db(fs, path, ":memory:", check="full", isolation_level=None)


# --- committed data only ----------------------------------------------------------


def test_the_own_open_write_is_an_error(uri: str, way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(uri)) as connection:
        former = save_db(fs, PATH, connection)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t(b) VALUES ('uncommitted')")
        with pytest.raises(OpenTransactionError, match="commit or roll back"):
            save_db(fs, PATH, connection, timeout=0.05)
        assert connection.in_transaction
        assert fs.stat(PATH).st_size == former
        connection.execute("COMMIT")
        save_db(fs, PATH, connection)
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row", "uncommitted"}


@pytest.mark.parametrize("options", [{"isolation_level": ""}, {"autocommit": False}])
def test_a_transaction_that_wrote_nothing_is_saved_and_left_alone(
    options: dict[str, Any], uri: str, way: str
) -> None:
    if "autocommit" in options and not HAS_AUTOCOMMIT:
        options = {"isolation_level": None}
    fs = MemoryFileSystem()
    with closing(sqlite3.connect(uri, uri=True, **options)) as connection:
        if not connection.in_transaction:
            connection.execute("BEGIN")
        save_db(fs, PATH, connection)
        assert connection.in_transaction
        # No lock was left behind in the caller's transaction.
        with closing(connect(uri, timeout=0)) as other:
            other.execute("INSERT INTO t(b) VALUES ('other row')")
        connection.execute("SELECT * FROM t").fetchall()
        save_db(fs, PATH, connection)
        assert connection.in_transaction
        connection.rollback()
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row", "other"}


def test_uncommitted_rows_of_others_are_waited_for_until_the_timeout(uri: str, way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(uri)) as connection, uncommitted_row(uri):
        with pytest.raises(BusyError, match=r"0\.05 s") as caught:
            save_db(fs, PATH, connection, timeout=0.05)
        assert isinstance(caught.value, sqlite3.OperationalError)
        assert not fs.exists(PATH)


def test_the_wait_ends_when_the_other_commits(uri: str, way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(uri)) as connection, uncommitted_row(uri) as writer:
        timer = threading.Timer(0.1, writer.execute, ["COMMIT"])
        timer.start()
        save_db(fs, PATH, connection, timeout=30)
        timer.join(30)
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row", "uncommitted"}


def test_the_timeout_is_not_that_of_the_connection(uri: str, way: str) -> None:
    with closing(connect(uri, timeout=3600)) as connection, uncommitted_row(uri):
        with pytest.raises(BusyError):
            save_db(MemoryFileSystem(), PATH, connection, timeout=0.05)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (3_600_000,)


def test_an_interrupt_ends_the_wait(uri: str, way: str) -> None:
    with closing(connect(uri, timeout=3600)) as connection, uncommitted_row(uri):
        timer = threading.Timer(0.2, _thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            save_db(MemoryFileSystem(), PATH, connection, timeout=3600)
        timer.join(30)


def test_every_save_beside_writers_is_one_committed_state(
    uri: str, way: str, small_steps: None
) -> None:
    fs = MemoryFileSystem()
    stop = threading.Event()

    def write() -> None:
        with closing(connect_memory(uri, timeout=30, isolation_level=None)) as writer:
            turn = 0
            while not stop.is_set():
                turn += 1
                # Two changes in one transaction, far apart in the file.
                writer.execute("BEGIN IMMEDIATE")
                writer.execute(f"UPDATE t SET b = 'turn{turn} x'")
                writer.execute("UPDATE log SET turn = ?", (turn,))
                writer.execute("COMMIT")
                time.sleep(0.001)

    with closing(connect(uri)) as connection:
        connection.execute("CREATE TABLE filler AS SELECT zeroblob(200000)")
        connection.execute("CREATE TABLE log AS SELECT 0 AS turn")
        connection.execute("UPDATE t SET b = 'turn0 x'")
        with running(write):
            try:
                for _ in range(20):
                    save_db(fs, PATH, connection, timeout=30)
                    with closing(loaded(fs)) as copy:
                        (turn,) = copy.execute("SELECT turn FROM log").fetchone()
                        assert marks(copy) == {f"turn{turn}"}
            finally:
                stop.set()


# --- every kind of database -------------------------------------------------------


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_an_empty_database_is_saved(page_size: int, way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        assert save_db(fs, PATH, connection) == page_size
    with closing(loaded(fs)) as copy:
        assert copy.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        copy.execute("CREATE TABLE t(a)")


@pytest.mark.parametrize("journal_mode", ["DELETE", "WAL", "PERSIST", "OFF"])
def test_a_file_database_is_saved_as_one_that_opens_in_memory(
    journal_mode: str, way: str, tmp_path: Path
) -> None:
    fs = MemoryFileSystem()
    with closing(connect(str(tmp_path / "a.db"))) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        everything(connection)
        size = save_db(fs, PATH, connection)
        expected = content(connection)
    image = fs.read_bytes(PATH)
    assert size == len(image) == read_header(image).size
    assert image[18:20] == b"\x01\x01"
    with closing(loaded(fs)) as copy:
        assert content(copy) == expected
        check_alive(copy)


def test_read_only_connections_are_saved(tmp_path: Path, way: str) -> None:
    fs = MemoryFileSystem()
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        fill(connection)
    before = file.read_bytes()
    with closing(connect(f"file:{file}?mode=ro")) as connection:
        save_db(fs, PATH, connection)
    with closing(connect(str(file))) as connection:
        connection.execute("PRAGMA query_only = ON")
        save_db(fs, PATH, connection)
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db"]
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row"}


def test_an_attached_database_is_saved_by_its_name(way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        connection.execute('ATTACH \':memory:\' AS "odd ""name"')
        connection.execute('CREATE TABLE "odd ""name".t(b)')
        connection.execute("INSERT INTO t VALUES ('attached row')")
        save_db(fs, PATH, connection, name='odd "name')
        # The other modules ask the wrong connection what was wrong.
        message = "unknown database" if IS_STANDARD else "SQL logic error"
        with pytest.raises(sqlite3.OperationalError, match=message):
            save_db(fs, PATH, connection, name="nobody")
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"attached"}


def test_the_settings_of_the_connection_do_not_matter(way: str) -> None:
    class Owner(sqlite3.Connection):
        """What applications do: a subclass with settings of its own."""

    fs = MemoryFileSystem()
    with closing(sqlite3.connect(":memory:", factory=Owner)) as connection:
        fill_in_legacy_mode(connection)
        connection.row_factory = lambda cursor, row: {"first": row[0]}
        connection.text_factory = bytes
        save_db(fs, PATH, connection)
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row"}


def fill_in_legacy_mode(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(b)")
    connection.execute("INSERT INTO t VALUES ('row 1')")
    connection.commit()


def test_pages_that_appear_between_measuring_and_copying_are_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fs = MemoryFileSystem()
    measured: list[int] = []

    def measure_too_little(*arguments: Any) -> tuple[int, int]:
        pages, page_size = size_of(*arguments)
        measured.append(pages)
        return max(1, pages // 3), page_size

    size_of = Database._size
    monkeypatch.setattr(Database, "_size", measure_too_little)
    with closing(connect(":memory:")) as connection:
        everything(connection)
        save_db(fs, PATH, connection)
        expected = content(connection)
    assert len(measured) > 1
    with closing(loaded(fs)) as copy:
        assert content(copy) == expected


def test_a_module_of_the_same_shape_is_saved() -> None:
    pysqlite3 = pytest.importorskip("pysqlite3", reason="pysqlite3 is not installed")
    fs = MemoryFileSystem()
    with closing(pysqlite3.connect(":memory:", isolation_level=None)) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t(b) VALUES ('uncommitted')")
        with pytest.raises(OpenTransactionError):
            save_db(fs, PATH, connection, timeout=0.05)
    with closing(loaded(fs)) as copy:
        assert marks(copy) == {"row"}


def test_progress_is_told_in_bytes(way: str, small_steps: None) -> None:
    calls: list[tuple[int, int]] = []
    with closing(connect(":memory:")) as connection:
        fill(connection)
        connection.execute("CREATE TABLE large AS SELECT zeroblob(2 << 20)")
        size = save_db(
            MemoryFileSystem(), PATH, connection, progress=lambda *call: calls.append(call)
        )
    done = [call[0] for call in calls]
    assert len(calls) > 1
    assert done == sorted(done)
    assert {call[1] for call in calls} == {size}
    assert done[-1] == size


# --- atomic -----------------------------------------------------------------------


def test_a_quota_that_is_too_small_leaves_the_former_snapshot(way: str) -> None:
    fs = MemoryFileSystem(max_quota=100_000)
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
        former = fs.read_bytes(PATH)
        connection.execute("CREATE TABLE large AS SELECT randomblob(200000)")
        with pytest.raises(QuotaExceededError) as caught:
            save_db(fs, PATH, connection)
        assert caught.value.errno == errno.ENOSPC
        assert fs.read_bytes(PATH) == former
        assert fs.listdir("/deep/down") == ["a.db"]
        fs._check()


class Failing(MemoryFileSystem):
    """A file system in which one operation fails."""

    operation = ""

    def replace(self, *arguments: Any, **options: Any) -> None:
        if self.operation == "replace":
            raise OSError(errno.EIO, "Input/output error")
        super().replace(*arguments, **options)

    def open(self, path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if self.operation == "open" and "w" in mode:
            raise OSError(errno.EIO, "Input/output error")
        return super().open(path, mode, *arguments, **options)


@pytest.mark.parametrize("operation", ["open", "replace"])
def test_a_failing_file_system_keeps_the_former_snapshot(operation: str) -> None:
    fs = Failing()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
        former = fs.read_bytes(PATH)
        connection.execute("DELETE FROM t")
        fs.operation = operation
        with pytest.raises(OSError) as caught:
            save_db(fs, PATH, connection)
        assert caught.value.errno == errno.EIO
    assert fs.read_bytes(PATH) == former
    assert fs.listdir("/deep/down") == ["a.db"]


def test_readers_of_the_old_snapshot_keep_it() -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
        former = fs.read_bytes(PATH)
        with fs.open(PATH, "rb") as reader:
            start = reader.read(100)
            connection.execute("DROP TABLE t")
            save_db(fs, PATH, connection)
            assert start + reader.read() == former
    assert fs.read_bytes(PATH) != former


def test_the_target_of_a_symbolic_link_is_replaced_and_not_the_link() -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, "/versions/1.db", connection)
        fs.symlink("versions/1.db", "/current.db")
        connection.execute("DELETE FROM t")
        save_db(fs, "/current.db", connection)
    assert fs.readlink("/current.db") == "versions/1.db"
    with closing(loaded(fs, "/versions/1.db")) as copy:
        assert marks(copy) == set()


def test_a_name_of_the_greatest_length_is_saved() -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        save_db(fs, "/" + "n" * 255, connection)
    assert fs.listdir("/") == ["n" * 255]


def test_a_directory_is_not_replaced() -> None:
    fs = MemoryFileSystem()
    fs.mkdir("/a.db")
    with closing(connect(":memory:")) as connection, pytest.raises(IsADirectoryError):
        save_db(fs, "/a.db", connection)
    assert fs.listdir("/") == ["a.db"]


@pytest.mark.parametrize("path", ["a.db", b"/a.db", Path("/a.db")])
def test_every_kind_of_path_is_taken(path: Any) -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, path, connection)
    with closing(load_db(fs, path, ":memory:")) as copy:
        assert marks(copy) == {"row"}


# --- other file systems -----------------------------------------------------------


class OnlyOpen:
    """The least that can be a file system: open() for reading and writing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def open(self, path: str, mode: str = "r", /) -> io.BytesIO:
        if mode == "rb":
            return io.BytesIO(self.files[path])
        files = self.files

        class Writer(io.BytesIO):
            def close(self) -> None:
                if not self.closed:
                    files[path] = self.getvalue()
                super().close()

        return Writer()


def test_open_alone_is_enough() -> None:
    fs = OnlyOpen()
    with closing(connect(":memory:")) as connection:
        everything(connection)
        save_db(fs, PATH, connection)
        expected = content(connection)
    assert list(fs.files) == [PATH]
    with closing(loaded(fs)) as copy:
        assert content(copy) == expected


def test_a_path_with_a_protocol_is_taken() -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    fs = fsspec.filesystem("memory", skip_instance_cache=True)
    path = "memory://with-protocol.db"
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, path, connection)
    assert [name for name in fs.ls("/", detail=False) if name.endswith(("saving", ".db"))] == [
        "/with-protocol.db"
    ]
    with closing(loaded(fs, path)) as copy:
        assert marks(copy) == {"row"}
    fs.rm(path)


@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_fsspec_file_systems_are_served(protocol: str, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    fs = fsspec.filesystem(protocol, skip_instance_cache=True)
    path = str(tmp_path / "deep" / "down" / "a.db")
    with closing(connect(":memory:")) as connection:
        everything(connection)
        save_db(fs, path, connection)
        save_db(fs, path, connection)
        expected = content(connection)
        with pytest.raises(IsADirectoryError):
            save_db(fs, str(tmp_path / "deep"), connection)
    assert [name.rpartition("/")[2] for name in fs.ls(path.rpartition("/")[0], detail=False)] == [
        "a.db"
    ]
    with closing(loaded(fs, path)) as copy:
        assert content(copy) == expected
        check_alive(copy)


# --- bad input --------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [math.inf, 1e10, 0, -1])
def test_any_number_is_a_timeout(timeout: float, uri: str, way: str) -> None:
    fs = MemoryFileSystem()
    with closing(connect(uri)) as connection:
        before = connection.execute("PRAGMA busy_timeout").fetchone()
        save_db(fs, PATH, connection, timeout=timeout)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == before


def test_unusable_connections_are_refused(way: str) -> None:
    fs = MemoryFileSystem()
    connection = connect(":memory:")
    errors: list[BaseException] = []

    def use_in_another_thread() -> None:
        try:
            save_db(fs, PATH, connection)
        except sqlite3.ProgrammingError as error:
            errors.append(error)

    with running(use_in_another_thread):
        pass
    assert len(errors) == 1
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError):
        save_db(fs, PATH, connection)
    with pytest.raises(TypeError):
        save_db(fs, PATH, None)  # type: ignore[arg-type]
    assert fs.listdir("/") == []


def test_a_refused_save_names_the_path_that_was_given() -> None:
    filesystem = MemoryFileSystem(max_quota=1000)
    connection = sqlite3.connect(":memory:")
    with closing(connection):
        connection.execute("CREATE TABLE t (a)")
        with pytest.raises(OSError) as caught:
            save_db(filesystem, "/small.db", connection)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == "/small.db"
    assert filesystem.listdir("/") == []
