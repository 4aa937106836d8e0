"""SharedDatabase: loaded by the first connection, saved by the last, lost by none."""

from __future__ import annotations

import gc
import re
import sqlite3
import threading
import weakref
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs_sqlite import (
    BusyError,
    SharedDatabase,
    SnapshotError,
    UnsavedError,
    load_db,
    save_db,
)
from tests.support.sqlite_databases import (
    WAIT,
    connect,
    fill,
    marks,
    running,
    wait_until,
)

PATH = "/data/a.db"


@pytest.fixture(params=["memdb", "shared cache"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every test on both engines."""
    if request.param == "shared cache":
        monkeypatch.setattr("dmemfs_sqlite._engine.uri.memdb_is_sound", lambda: False)
    return str(request.param)


@pytest.fixture
def fs() -> MemoryFileSystem:
    """Return a file system with a database of 100 rows under PATH."""
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
    return fs


def insert(connection: sqlite3.Connection, mark: str) -> None:
    connection.execute("INSERT INTO t(b) VALUES (?)", (f"{mark} row",))
    connection.commit()


def stored(fs: Any) -> sqlite3.Connection:
    return load_db(fs, PATH, ":memory:", check="full")


def stored_marks(fs: Any) -> set[str]:
    with closing(stored(fs)) as copy:
        return marks(copy)


def test_the_first_loads_all_join_and_the_last_saves(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        assert not shared.in_memory
        first, second = shared.connect(), shared.connect()
        assert shared.connections == 2
        insert(first, "first")
        assert marks(second) == {"row", "first"}
        first.close()
        assert stored_marks(fs) == {"row"}
        insert(second, "second")
        second.close()
        assert not shared.in_memory
        assert stored_marks(fs) == {"row", "first", "second"}
        # The volatility rule is gone: what was written is there again.
        with closing(shared.connect()) as third:
            assert marks(third) == {"row", "first", "second"}


def test_a_missing_file_is_an_empty_database() -> None:
    fs = MemoryFileSystem()
    with SharedDatabase(fs, PATH) as shared, closing(shared.connect()) as connection:
        fill(connection)
    assert stored_marks(fs) == {"row"}


def test_what_only_reads_does_not_write(fs: MemoryFileSystem) -> None:
    before = fs.stat(PATH)
    with SharedDatabase(fs, PATH) as shared, closing(shared.connect()) as connection:
        assert marks(connection) == {"row"}
    assert fs.stat(PATH) == before


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM t", "CREATE TABLE u(a)", "PRAGMA user_version = 3", "VACUUM", "REINDEX"],
)
def test_every_kind_of_change_is_saved(change: str, fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        with closing(shared.connect(isolation_level=None)) as connection:
            connection.execute(change)
        with closing(stored(fs)) as copy, closing(shared.connect()) as connection:
            for sql in ("SELECT * FROM t", "SELECT * FROM sqlite_master", "PRAGMA user_version"):
                assert copy.execute(sql).fetchall() == connection.execute(sql).fetchall()


def test_uncommitted_changes_are_rolled_back_by_close(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        connection = shared.connect()
        insert(connection, "kept")
        connection.execute("INSERT INTO t(b) VALUES ('lost row')")
        connection.close()
    assert stored_marks(fs) == {"row", "kept"}


def test_closing_twice_counts_once(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        first, second = shared.connect(), shared.connect()
        for _ in range(3):
            first.close()
        assert shared.connections == 1
        second.close()
        assert shared.connections == 0


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_a_dropped_connection_counts_as_closed(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        kept, dropped = shared.connect(), shared.connect()
        insert(dropped, "dropped")
        dropped.execute("INSERT INTO t(b) VALUES ('uncommitted row')")
        del dropped
        gc.collect()
        wait_until(lambda: shared.connections == 1)
        kept.close()
        assert stored_marks(fs) == {"row", "dropped"}


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_the_last_connection_may_be_dropped_too(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        connection = shared.connect()
        insert(connection, "dropped")
        # In a cycle, where only the garbage collector finds it.
        connection.cycle = connection  # type: ignore[attr-defined]
        del connection
        gc.collect()
        wait_until(lambda: not shared.in_memory)
    assert stored_marks(fs) == {"row", "dropped"}


def test_counts_are_exact_under_threads(fs: MemoryFileSystem) -> None:
    turns = 25

    def work(number: int) -> None:
        for turn in range(turns):
            with closing(shared.connect(timeout=WAIT)) as connection:
                insert(connection, f"w{number}.{turn}")

    with SharedDatabase(fs, PATH, timeout=WAIT) as shared:
        with running(*(lambda n=n: work(n) for n in range(8))):
            pass
        assert shared.connections == 0
        assert not shared.in_memory
    assert stored_marks(fs) == {"row"} | {f"w{n}.{turn}" for n in range(8) for turn in range(turns)}


def test_save_at_any_time(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH, timeout=0.05) as shared:
        assert shared.save() == 0
        with closing(shared.connect()) as connection:
            insert(connection, "first")
            assert shared.save() == fs.stat(PATH).st_size
            assert stored_marks(fs) == {"row", "first"}
            connection.execute("INSERT INTO t(b) VALUES ('uncommitted row')")
            with pytest.raises(BusyError):
                shared.save()
            connection.rollback()


def test_discard_gives_up_what_was_not_saved(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        with closing(shared.connect()) as connection:
            insert(connection, "saved")
            shared.save()
            insert(connection, "discarded")
            shared.discard()
        assert not shared.in_memory
        assert stored_marks(fs) == {"row", "saved"}
        # Later changes are saved again.
        with closing(shared.connect()) as connection:
            assert marks(connection) == {"row", "saved"}
            insert(connection, "later")
    assert stored_marks(fs) == {"row", "saved", "later"}


def test_a_failed_save_keeps_the_content_in_memory() -> None:
    fs = MemoryFileSystem(max_quota=100_000)
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
    fs.write_bytes("/filler", bytes(50_000))
    shared = SharedDatabase(fs, PATH)
    connection = shared.connect()
    insert(connection, "precious")
    connection.execute("CREATE TABLE large AS SELECT randomblob(60000)")
    with pytest.raises(UnsavedError, match="still in memory") as caught:
        connection.close()
    assert isinstance(caught.value.__cause__, QuotaExceededError)
    assert PATH in str(caught.value)
    assert shared.in_memory
    assert shared.connections == 0
    assert stored_marks(fs) == {"row"}
    with pytest.raises(UnsavedError):
        shared.close()
    # Still usable, and complete.
    with pytest.raises(UnsavedError), closing(shared.connect()) as connection:
        assert marks(connection) == {"row", "precious"}
    fs.remove("/filler")
    shared.close()
    assert not shared.in_memory
    assert stored_marks(fs) == {"row", "precious"}


def test_a_connection_that_fails_to_open_leaves_unsaved_content_alone() -> None:
    fs = MemoryFileSystem(max_quota=5_000)
    shared = SharedDatabase(fs, PATH)
    connection = shared.connect()
    fill(connection)
    with pytest.raises(UnsavedError):
        connection.close()
    with pytest.raises(TypeError):
        shared.connect(no_such_option=True)
    with pytest.raises(UnsavedError), closing(shared.connect()) as connection:
        assert marks(connection) == {"row"}
    shared.discard()


def test_unsaved_content_may_be_discarded() -> None:
    fs = MemoryFileSystem(max_quota=5_000)
    shared = SharedDatabase(fs, PATH)
    connection = shared.connect()
    fill(connection)
    with pytest.raises(UnsavedError):
        connection.close()
    shared.discard()
    assert not shared.in_memory
    shared.close()
    assert not fs.exists(PATH)


def test_a_damaged_file_is_refused_and_may_be_repaired(fs: MemoryFileSystem) -> None:
    image = fs.read_bytes(PATH)
    fs.write_bytes(PATH, image[:-1])
    with SharedDatabase(fs, PATH) as shared:
        with pytest.raises(SnapshotError, match=PATH):
            shared.connect()
        assert shared.connections == 0
        fs.write_bytes(PATH, image)
        with closing(shared.connect()) as connection:
            assert marks(connection) == {"row"}


def test_a_connection_that_fails_to_open_is_not_counted(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH) as shared:
        with pytest.raises(TypeError):
            shared.connect(no_such_option=True)
        assert shared.connections == 0
        assert not shared.in_memory


def test_a_closed_shared_database_refuses_connections(fs: MemoryFileSystem) -> None:
    shared = SharedDatabase(fs, PATH)
    connection = shared.connect()
    insert(connection, "before")
    shared.close()
    assert stored_marks(fs) == {"row", "before"}
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        shared.connect()
    # What is still open goes on, and its last change is saved.
    insert(connection, "after")
    connection.close()
    assert stored_marks(fs) == {"row", "before", "after"}
    shared.close()


def test_a_factory_of_the_application_is_kept(fs: MemoryFileSystem) -> None:
    class Owner(sqlite3.Connection):
        """A factory of the application."""

        def count(self) -> int:
            return int(self.execute("SELECT count(*) FROM t").fetchone()[0])

    with (
        SharedDatabase(fs, PATH) as shared,
        closing(shared.connect(factory=Owner, isolation_level="IMMEDIATE")) as connection,
    ):
        assert isinstance(connection, Owner)
        assert connection.count() == 100
        assert connection.isolation_level == "IMMEDIATE"


def test_two_shared_databases_never_collide(fs: MemoryFileSystem) -> None:
    other_fs = MemoryFileSystem()
    with (
        SharedDatabase(fs, PATH) as one,
        SharedDatabase(other_fs, PATH) as two,
        closing(one.connect()) as first,
        closing(two.connect()) as second,
    ):
        fill(second, mark="two")
        insert(first, "one")
        assert marks(first) == {"row", "one"}
        assert marks(second) == {"two"}
    assert stored_marks(fs) == {"row", "one"}
    assert stored_marks(other_fs) == {"two"}


def test_dropping_unsaved_content_is_a_resource_warning() -> None:
    fs = MemoryFileSystem(max_quota=5_000)
    shared = SharedDatabase(fs, PATH)
    connection = shared.connect()
    fill(connection)
    with pytest.raises(UnsavedError):
        connection.close()
    gone = weakref.ref(shared)
    with pytest.warns(ResourceWarning, match="unsaved shared database"):
        del shared, connection
        gc.collect()
    assert gone() is None


def test_a_blocked_writer_delays_nobody_who_connects(fs: MemoryFileSystem) -> None:
    with SharedDatabase(fs, PATH, timeout=WAIT) as shared:
        writer = shared.connect(check_same_thread=False)
        writer.execute("INSERT INTO t(b) VALUES ('open row')")
        saved = threading.Event()

        def save() -> None:
            shared.save()
            saved.set()

        with running(save):
            for _ in range(5):
                shared.connect().close()
            assert not saved.is_set()
            writer.commit()
            assert saved.wait(WAIT)
        writer.close()
    assert stored_marks(fs) == {"row", "open"}


def test_connections_are_of_a_class_with_a_name_of_its_own(fs: MemoryFileSystem) -> None:
    with closing(SharedDatabase(fs, PATH).connect()) as connection:
        assert re.match(r"<dmemfs_sqlite\.Shared(Waiting)?Connection object", repr(connection))
        with pytest.raises(TypeError, match=r"^SharedConnection\.close\(\) takes"):
            connection.close(1)  # type: ignore[call-arg]
