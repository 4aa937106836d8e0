"""load_db: proven first, put in as one change, and everything comes back."""

from __future__ import annotations

import _thread
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import (
    BusyError,
    IncompatibleTargetError,
    SnapshotError,
    load_db,
    memory_uri,
    save_db,
)
from dmemfs_sqlite._courier.load import _TargetState
from dmemfs_sqlite._engine.library import native_library
from dmemfs_sqlite._engine.waiting import retry_while_locked
from tests.support.sqlite_databases import (
    check_alive,
    check_integrity,
    connect,
    content,
    everything,
    fill,
    marks,
    running,
    unique_name,
    unique_uri,
)
from tests.support.sqlite_modules import needs_autocommit, needs_serialize

PATH = "/a.db"


@pytest.fixture(params=["memdb", "shared-cache"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def uri(engine: Any) -> Iterator[str]:
    """Return the URI of a live database whose table t is marked "old"."""
    uri = unique_uri(engine)
    with closing(connect(uri)) as keeper:
        fill(keeper, mark="old")
        yield uri


def stored(
    build: Callable[[sqlite3.Connection], None], *pragmas: str, fs: MemoryFileSystem | None = None
) -> MemoryFileSystem:
    """Return a file system with a database of this content under PATH."""
    fs = fs or MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        build(connection)
        save_db(fs, PATH, connection)
    return fs


def new_rows(connection: sqlite3.Connection) -> None:
    fill(connection, rows=300, mark="new")


def large(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE large AS SELECT zeroblob(2 << 20)")


# --- what comes back --------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("auto_vacuum", ["NONE", "FULL", "INCREMENTAL"])
def test_everything_comes_back(
    engine: Any, way: str, encoding: str, page_size: int, auto_vacuum: str
) -> None:
    fs = MemoryFileSystem()
    with closing(connect(":memory:")) as original:
        original.execute(f"PRAGMA encoding = '{encoding}'")
        original.execute(f"PRAGMA page_size = {page_size}")
        original.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        everything(original)
        save_db(fs, PATH, original)
        expected = content(original)
    uri = unique_uri(engine)
    with (
        closing(load_db(fs, PATH, uri, check="full", isolation_level=None)) as copy,
        closing(connect(uri)) as other,
    ):
        assert content(copy) == content(other) == expected
        save_db(fs, "/again.db", other)
        check_alive(copy, engine=engine)
        check_alive_again(other, engine)
    # The change counter and the version that wrote last are the only bytes that may differ.
    first, again = bytearray(fs.read_bytes(PATH)), bytearray(fs.read_bytes("/again.db"))
    for counter in (slice(24, 28), slice(40, 44), slice(92, 100)):
        first[counter] = again[counter] = bytes(counter.stop - counter.start)
    assert first == again


def check_alive_again(connection: sqlite3.Connection, engine: str) -> None:
    connection.execute("INSERT INTO keyed VALUES ('second', 1)")
    check_integrity(connection, engine=engine)


def test_an_image_of_a_wal_database_loads_and_can_be_written(
    engine: Any, way: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        everything(connection)
        expected = content(connection)
    image = file.read_bytes()
    assert image[18:20] == b"\x02\x02"
    fs = MemoryFileSystem()
    fs.write_bytes(PATH, image)
    with closing(load_db(fs, PATH, unique_uri(engine), isolation_level=None)) as copy:
        assert content(copy) == expected
        check_alive(copy)
    assert fs.read_bytes(PATH) == image


def test_bytes_after_the_last_page_are_no_part_of_the_database(way: str) -> None:
    fs = stored(new_rows)
    fs.write_bytes(PATH, fs.read_bytes(PATH) + bytes(10_000))
    with closing(load_db(fs, PATH, ":memory:", check="full")) as copy:
        assert marks(copy) == {"new"}


def test_options_of_connect_are_passed_on(engine: Any) -> None:
    class Owner(sqlite3.Connection):
        """A factory of the application."""

    fs = stored(new_rows)
    uri = unique_uri(engine)
    with closing(
        load_db(fs, PATH, uri, factory=Owner, isolation_level="IMMEDIATE", timeout=1.5)
    ) as connection:
        assert isinstance(connection, Owner)
        assert connection.isolation_level == "IMMEDIATE"
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (1500,)


@needs_autocommit
def test_a_connection_without_autocommit_is_loaded(uri: str) -> None:
    fs = stored(new_rows)
    with closing(load_db(fs, PATH, uri, autocommit=False)) as connection:
        assert connection.in_transaction
        assert marks(connection) == {"new"}


def test_progress_is_told_in_bytes(way: str, small_steps: None) -> None:
    fs = stored(large)
    calls: list[tuple[int, int]] = []
    load_db(fs, PATH, ":memory:", progress=lambda *call: calls.append(call)).close()
    done = [call[0] for call in calls]
    assert len(calls) > 1
    assert done == sorted(done)
    assert done[-1] == calls[-1][1] == fs.stat(PATH).st_size


def test_an_exception_from_progress_leaves_the_old_content(
    uri: str, way: str, small_steps: None
) -> None:
    fs = stored(large)

    def cancel(_done: int, _total: int) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        load_db(fs, PATH, uri, progress=cancel)
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}


# --- bad snapshots ----------------------------------------------------------------

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda image: b"",
    "garbage": lambda image: b"garbage " * 1000,
    "half a header": lambda image: image[:50],
    "one page": lambda image: image[:1024],
    "one byte short": lambda image: image[:-1],
    "one page short": lambda image: image[:-1024],
    "page size": lambda image: image[:16] + b"\x04\x01" + image[18:],
    "encoding": lambda image: image[:56] + b"\x00\x00\x00\x09" + image[60:],
    "schema": lambda image: image[:100] + bytes(924) + image[1024:],
    "zeroed page": lambda image: image[:2048] + bytes(1024) + image[3072:],
    "page of ones": lambda image: image[:2048] + b"\xff" * 1024 + image[3072:],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_snapshots_are_named_and_the_target_keeps_its_content(
    kind: str, uri: str, way: str
) -> None:
    fs = stored(new_rows, "page_size = 1024")
    fs.write_bytes(PATH, DAMAGE[kind](fs.read_bytes(PATH)))
    with pytest.raises(SnapshotError, match=PATH) as caught:
        load_db(fs, PATH, uri)
    assert isinstance(caught.value, sqlite3.DatabaseError)
    assert caught.value.path == PATH
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}


@pytest.mark.parametrize("check", ["quick", "full", None])
def test_names_that_are_no_text_are_damage(check: Any, uri: str, way: str) -> None:
    fs = stored(new_rows)
    image = fs.read_bytes(PATH)
    assert image.count(b"CREATE TABLE t(") == 1
    fs.write_bytes(PATH, image.replace(b"CREATE TABLE t(", b"CREATE TABLX \xff("))
    with pytest.raises(SnapshotError, match=PATH):
        load_db(fs, PATH, uri, check=check)
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}


@settings(max_examples=150)
@given(data=st.data())
def test_any_flipped_bits_are_refused_or_harmless(data: st.DataObject) -> None:
    fs = stored(everything, "page_size = 512")
    image = bytearray(fs.read_bytes(PATH))
    for _ in range(data.draw(st.integers(1, 4))):
        # Half of them in the header and the schema, where most harm can be done.
        end = data.draw(st.sampled_from([512, len(image)]))
        image[data.draw(st.integers(0, end - 1))] ^= data.draw(st.integers(1, 255))
    fs.write_bytes(PATH, bytes(image))
    uri = unique_uri()
    with closing(connect(uri)) as keeper:
        fill(keeper, mark="old")
        try:
            load_db(fs, PATH, uri, check="full").close()
        except (SnapshotError, IncompatibleTargetError):
            assert marks(keeper) == {"old"}
        else:
            assert keeper.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_full_check_finds_what_the_quick_one_does_not(way: str) -> None:
    def indexed(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
        connection.execute("CREATE INDEX i ON t(b)")
        connection.execute("INSERT INTO t(b) VALUES ('needle row')")

    fs = stored(indexed)
    image = fs.read_bytes(PATH)
    assert image.count(b"needle") == 2
    fs.write_bytes(
        PATH, image[: image.rindex(b"needle")] + b"beetle" + image[image.rindex(b"needle") + 6 :]
    )
    load_db(fs, PATH, ":memory:", check="quick").close()
    load_db(fs, PATH, ":memory:", check=None).close()
    with pytest.raises(SnapshotError, match="index"):
        load_db(fs, PATH, ":memory:", check="full")


def test_an_unknown_check_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match="check"):
        load_db(MemoryFileSystem(), "/missing", ":memory:", check="slow")  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_is_the_error_of_its_file_system() -> None:
    fs = MemoryFileSystem()
    fs.mkdir("/directory")
    with pytest.raises(FileNotFoundError) as caught:
        load_db(fs, "/missing.db", ":memory:")
    assert caught.value.filename == "/missing.db"
    with pytest.raises(IsADirectoryError):
        load_db(fs, "/directory", ":memory:")


# --- a live target ----------------------------------------------------------------


def test_other_connections_see_the_new_content_without_reconnecting(
    engine: str, uri: str, way: str
) -> None:
    fs = stored(everything)
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}
        with closing(load_db(fs, PATH, uri, isolation_level=None)) as connection:
            assert content(other) == content(connection)
            check_alive(other, engine=engine)


def test_readers_see_the_old_content_or_the_new_and_never_a_mixture(
    engine: Any, way: str, small_steps: None
) -> None:
    fs = MemoryFileSystem()
    for mark in ("old", "new"):
        with closing(connect(":memory:")) as connection:
            connection.execute(f"CREATE TABLE {mark}_only(a)")
            fill(connection, rows=3000 if mark == "old" else 9000, mark=mark)
            connection.execute("CREATE TABLE last AS SELECT 'row' AS b")
            connection.execute("UPDATE last SET b = ?", (mark,))
            save_db(fs, f"/{mark}.db", connection)
    uri = unique_uri(engine)
    stop = threading.Event()
    seen: list[str] = []

    def read() -> None:
        with closing(connect(uri, timeout=30)) as reader:
            # Prepared once: a shared cache whose schema is being written refuses to prepare
            # anything at all, and ROLLBACK has to work always.
            for statement in ("BEGIN", "ROLLBACK"):
                retry_while_locked(partial(reader.execute, statement), 30)
            while not (stop.is_set() and seen):
                try:
                    reader.execute("BEGIN")
                    found = marks(reader), reader.execute("SELECT b FROM last").fetchone()[0]
                except sqlite3.OperationalError as error:
                    # A shared cache does not wait.
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_LOCKED:
                        raise
                    continue
                finally:
                    if reader.in_transaction:
                        reader.execute("ROLLBACK")
                if found[0] != {found[1]}:
                    raise AssertionError(f"a mixture: {found}")
                seen.append(found[1])
                stop.wait(0.001)

    with closing(load_db(fs, "/old.db", uri)), running(read, read):
        try:
            for turn in range(20):
                load_db(fs, ("/new.db", "/old.db")[turn % 2], uri, timeout=30).close()
        finally:
            stop.set()
    assert seen


@pytest.mark.parametrize("page_size", [512, 1024, 65536])
def test_another_page_size_is_converted(engine: str, page_size: int, uri: str, way: str) -> None:
    fs = stored(everything, f"page_size = {page_size}")
    with closing(load_db(fs, PATH, ":memory:", isolation_level=None)) as original:
        expected = content(original)
    with (
        closing(connect(uri)) as other,
        closing(load_db(fs, PATH, uri, isolation_level=None)) as connection,
    ):
        assert connection.execute("PRAGMA page_size").fetchone() == (4096,)
        found = content(other)
        # What ANALYZE and the search index count in pages may differ, their tables not.
        assert found == expected
        check_alive(connection, engine=engine)


def test_what_cannot_be_converted_is_said_before_anything_changes(uri: str, way: str) -> None:
    def needs_its_application(connection: sqlite3.Connection) -> None:
        connection.create_function("twice", 1, lambda x: 2 * x, deterministic=True)
        connection.execute("CREATE TABLE t(a, b AS (twice(a)) STORED)")
        connection.execute("INSERT INTO t(a) VALUES (21)")

    fs = stored(needs_its_application, "page_size = 512")
    with pytest.raises(IncompatibleTargetError, match="512"):
        load_db(fs, PATH, uri)
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}
    # A fresh target takes the page size over, so that nothing has to be converted.
    with closing(load_db(fs, PATH, unique_uri())) as connection:
        assert connection.execute("SELECT a, b FROM t").fetchall() == [(21, 42)]


def test_another_text_encoding_is_an_error_before_anything_changes(uri: str, way: str) -> None:
    fs = stored(new_rows, "encoding = 'UTF-16le'")
    with pytest.raises(IncompatibleTargetError, match=r"UTF-16le.*UTF-8"):
        load_db(fs, PATH, uri)
    with closing(connect(uri)) as other:
        assert marks(other) == {"old"}


def begin_read(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM t").fetchone()


def begin_write(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t(b) VALUES ('uncommitted row')")


def open_cursor(connection: sqlite3.Connection) -> None:
    cursor = connection.execute("SELECT * FROM t")
    cursor.fetchone()
    # The connection does not keep its cursors alive.
    holders.append(cursor)


holders: list[sqlite3.Cursor] = []


@pytest.mark.parametrize("block", [begin_read, begin_write, open_cursor])
def test_open_readers_and_writers_are_waited_for_until_the_timeout(
    block: Callable[[sqlite3.Connection], None], uri: str, way: str
) -> None:
    fs = stored(new_rows)
    with closing(connect(uri, check_same_thread=False)) as other:
        block(other)
        with pytest.raises(BusyError, match=r"0\.05 s") as caught:
            load_db(fs, PATH, uri, timeout=0.05)
        assert isinstance(caught.value, sqlite3.OperationalError)
        assert marks(other) >= {"old"}

        def let_go() -> None:
            while holders:
                holders.pop().close()
            if other.in_transaction:
                retry_while_locked(partial(other.execute, "ROLLBACK"), 30)

        timer = threading.Timer(0.1, let_go)
        timer.start()
        load_db(fs, PATH, uri, timeout=30).close()
        timer.join(30)
        assert marks(other) == {"new"}


def test_an_interrupt_ends_the_wait(uri: str, way: str) -> None:
    fs = stored(new_rows)
    with closing(connect(uri)) as other:
        begin_write(other)
        timer = threading.Timer(0.2, _thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            load_db(fs, PATH, uri, timeout=3600)
        timer.join(30)


def test_a_target_that_turns_out_to_be_a_file_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stand in for a SQLite that understands a URI in another way than we do."""
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        fill(connection, mark="old")
    before = file.read_bytes()
    monkeypatch.setattr(
        "dmemfs_sqlite._courier.load.connect_memory", lambda uri, **options: sqlite3.connect(file)
    )
    for uri in (unique_uri("memdb"), unique_uri("shared-cache"), ":memory:"):
        with pytest.raises(sqlite3.OperationalError, match="not memory"):
            load_db(stored(new_rows), PATH, uri)
    assert file.read_bytes() == before


# --- limits -----------------------------------------------------------------------


def test_a_memdb_target_may_grow_beyond_its_default_limit() -> None:
    fs = stored(large)
    uri = unique_uri("memdb")
    with closing(connect(uri)) as other:
        library = native_library(other)
        if library is None:
            pytest.skip("the SQLite library of this Python cannot be reached by ctypes")
        other.execute("CREATE TABLE t(a)")
        library.raise_size_limit(other, 200_000)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            other.execute("INSERT INTO t VALUES (zeroblob(300000))")
        with closing(load_db(fs, PATH, uri, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE more AS SELECT zeroblob(1 << 20)")
            other.execute("CREATE TABLE still_more AS SELECT zeroblob(1 << 20)")


@needs_serialize
def test_a_snapshot_over_the_limit_of_memdb_is_refused_where_it_cannot_be_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dmemfs_sqlite._courier.copy.native_library", lambda connection: None)
    monkeypatch.setattr("dmemfs_sqlite._courier.load._MEMDB_SIZE_LIMIT", 100_000)
    fs = stored(large)
    name = unique_name()
    with pytest.raises(IncompatibleTargetError, match="mode=memory&cache=shared"):
        load_db(fs, PATH, memory_uri(name, engine="memdb"))
    load_db(fs, PATH, memory_uri(name, engine="shared-cache")).close()


@pytest.mark.parametrize("engine", ["memdb", "shared-cache"])
def test_memory_is_known_by_both_names_that_sqlite_gives_it(engine: Any) -> None:
    """Since 3.42 `PRAGMA database_list` names no file for memdb; before, it named the database."""
    uri = memory_uri("orders", engine=engine)
    names = {"memdb": ["", "/orders"], "shared-cache": [""]}[engine]
    for file in names:
        _TargetState(file, 0, 4096, "UTF-8").require_memory(uri)
    for file in {"/orders", "/tmp/orders", "orders"} - set(names):
        with pytest.raises(sqlite3.OperationalError, match="and not memory"):
            _TargetState(file, 0, 4096, "UTF-8").require_memory(uri)
