"""Private copies of templates: mappings of their own, in which SQLite does everything in C."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, _platform
from dmemfs_sqlite import DatabaseTemplate
from dmemfs_sqlite import connect as connect_live
from dmemfs_sqlite._live import copies
from dmemfs_sqlite._vfs import frozen, private
from dmemfs_sqlite._vfs.registration import library_of
from tests.sqlite.live.test_shutdown import marked
from tests.support.live_databases import check_integrity, imported, modules, value
from tests.tree.test_forking import exit_code_of_child

ROWS = 2000
LENGTH = 300
SUM = "SELECT sum(length(b)) FROM t"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or library_of().private is None,
    reason="this SQLite, or this system, has not got what private copies need",
)


def build(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * LENGTH) for n in range(ROWS)))


@pytest.fixture
def template(memory: MemoryFileSystem) -> Iterator[DatabaseTemplate]:
    with DatabaseTemplate(memory, build) as template:
        yield template
    assert not private.WAITING
    gc.collect()
    assert not private._OPEN


def is_private() -> bool:
    return bool(private._OPEN)


@modules
def test_it_is_a_copy_of_its_own(template: DatabaseTemplate, module: Any) -> None:
    module = imported(module)
    before = template.to_bytes()
    with closing(template.connect(module=module)) as one, closing(template.connect()) as two:
        assert len(private._OPEN) == 2
        assert isinstance(one, module.Connection)
        one.execute("UPDATE t SET b = 'y' WHERE a % 2")
        one.execute("INSERT INTO t SELECT a + 10000, b FROM t")
        one.commit()
        assert value(one, SUM) == (LENGTH + 1) * ROWS
        assert value(two, SUM) == LENGTH * ROWS
        two.execute("DELETE FROM t")
        two.rollback()
        assert value(two, SUM) == LENGTH * ROWS
        check_integrity(one)
        check_integrity(two)
    assert template.to_bytes() == before
    with closing(template.connect()) as third:
        assert value(third, SUM) == LENGTH * ROWS


def test_statements_make_no_calls_into_python(template: DatabaseTemplate) -> None:
    called: list[str] = []

    def profile(frame: Any, event: str, _argument: object) -> None:
        if event == "call" and "_vfs" in frame.f_code.co_filename:
            called.append(frame.f_code.co_name)

    with closing(template.connect()) as connection:
        connection.execute("PRAGMA cache_size = 5")
        sys.setprofile(profile)
        try:
            connection.execute("UPDATE t SET b = b || 'y'")
            connection.commit()
            assert value(connection, SUM) == (LENGTH + 1) * ROWS
            connection.execute("DELETE FROM t WHERE a % 3")
            connection.rollback()
        finally:
            sys.setprofile(None)
    assert called == []


# --- room and quota -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page_size", "room"), [(512, 50_000), (4096, 0), (4096, 1_000_000), (65536, 1_000_000)]
)
def test_a_copy_that_is_full_is_whole(memory: MemoryFileSystem, room: int, page_size: int) -> None:
    def build_so(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA page_size = {page_size}")
        build(connection)

    with DatabaseTemplate(memory, build_so) as template:
        with closing(template.connect(room=room, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_size = 5")
            for _ in range(2):
                connection.execute("BEGIN")
                connection.execute("UPDATE t SET b = 'z'")
                with pytest.raises(sqlite3.OperationalError, match="full"):
                    for _ in range(50):
                        connection.execute("INSERT INTO t(b) SELECT zeroblob(100000) FROM t")
                with suppress(sqlite3.OperationalError):
                    connection.execute("ROLLBACK")
                assert value(connection, SUM) == LENGTH * ROWS
                check_integrity(connection)
            connection.execute("UPDATE t SET b = 'short'")
            assert value(connection, SUM) == 5 * ROWS
            check_integrity(connection)
        with closing(template.connect()) as connection:
            assert value(connection, SUM) == LENGTH * ROWS


@modules
@pytest.mark.parametrize("shared", [False, True])
def test_a_copy_that_is_full_names_its_sizes(
    template: DatabaseTemplate, module: Any, shared: bool
) -> None:
    module = imported(module)
    size = len(template.to_bytes())
    room = 64 << 10

    def by_cursor(sql: str) -> Any:
        return connection.cursor().execute(sql)

    def by_many(sql: str) -> Any:
        return connection.executemany(f"{sql} WHERE ?", [(1,)])

    def by_script(sql: str) -> Any:
        return connection.cursor().executescript(f"{sql};")

    with closing(
        template.connect(room=room, module=module, check_same_thread=not shared)
    ) as connection:
        connection.row_factory = lambda cursor, row: dict(
            zip((column[0] for column in cursor.description), row, strict=True)
        )
        for write in (connection.execute, by_cursor, by_many, by_script):
            with pytest.raises(module.OperationalError) as caught:
                write(f"INSERT INTO t(b) SELECT zeroblob({2 * room})")
            cause = caught.value.__cause__
            assert isinstance(cause, QuotaExceededError)
            assert (cause.requested, cause.available, cause.limit) == (4096, 0, size + room)
            assert str(caught.value) == f"database or disk is full: {cause}"
            assert f" 0 of {size + room:,} available; give it more room, by connect(room=" in str(
                cause
            )
            connection.rollback()
        assert connection.execute("SELECT count(*) AS n FROM t").fetchone() == {"n": ROWS}


def test_a_limit_of_somebody_else_has_no_explanation(template: DatabaseTemplate) -> None:
    with closing(template.connect(isolation_level=None)) as connection:
        pages = value(connection, "PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t(b) VALUES (zeroblob(100000))")
        assert str(caught.value) == "database or disk is full"
        assert caught.value.__cause__ is None
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            connection.execute("SELECT 1")


def test_larger_pages_after_a_vacuum_have_their_place(template: DatabaseTemplate) -> None:
    with closing(template.connect(room=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 65536")
        connection.execute("VACUUM")
        if value(connection, "PRAGMA page_size") == 65536:
            connection.execute("UPDATE t SET b = b || b")
        assert value(connection, SUM) >= LENGTH * ROWS
        check_integrity(connection)


def test_size_and_room_count_until_it_is_closed(
    memory: MemoryFileSystem, template: DatabaseTemplate
) -> None:
    size = len(template.to_bytes())
    template.connect().close()
    before = memory.usage("/").bytes
    assert size <= before < 2 * size  # the template counts once
    with closing(template.connect(room=1 << 20)):
        assert memory.usage("/").bytes == before + size + (1 << 20)
        assert len(memory.listdir("/.templates")) == 1
        memory._check()
    assert memory.usage("/").bytes == before
    memory.set_quota("/", before + size + (1 << 20))
    template.connect(room=1 << 20).close()
    with pytest.raises(QuotaExceededError):
        template.connect(room=(1 << 20) + 1)
    with closing(template.connect()) as connection:
        free = memory.quota("/").max_bytes - memory.usage("/").bytes  # type: ignore[operator]
        assert free >= (1 << 20) * 15 // 16
        connection.execute("DELETE FROM t")
    assert memory.usage("/").bytes == before
    memory._check()


# --- what else may be done with it ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal", "off", "memory"])
def test_any_journal(memory: MemoryFileSystem, template: DatabaseTemplate, mode: str) -> None:
    for locking in ("exclusive", "normal"):
        with closing(template.connect(isolation_level=None)) as connection:
            connection.execute(f"PRAGMA locking_mode = {locking}").fetchall()
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchall()
            for turn in range(3):
                connection.execute("BEGIN")
                connection.execute("UPDATE t SET b = ?", ("y" * turn,))
                connection.execute("COMMIT")
                assert value(connection, SUM) == turn * ROWS
            if mode != "off":
                connection.execute("BEGIN")
                connection.execute("DELETE FROM t")
                connection.execute("ROLLBACK")
            assert value(connection, SUM) == 2 * ROWS
            check_integrity(connection)
        assert len(memory.listdir("/.templates")) == 1
    memory._check()


def test_other_databases_beside_it(memory: MemoryFileSystem, template: DatabaseTemplate) -> None:
    with closing(template.connect(isolation_level=None)) as connection:
        connection.execute("PRAGMA temp_store = file")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("CREATE TEMP TABLE u AS SELECT * FROM t ORDER BY b, a DESC")
        assert value(connection, "SELECT count(*) FROM u") == ROWS
        connection.execute("ATTACH '/other.db' AS other")
        connection.execute("CREATE TABLE other.t AS SELECT * FROM main.t")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM main.t")
        connection.execute("DELETE FROM other.t WHERE a >= 10")
        connection.execute("COMMIT")
        connection.execute("VACUUM INTO '/into.db'")
    with closing(connect_live(memory, "/other.db")) as other:
        assert value(other, "SELECT count(*) FROM t") == 10
    with closing(connect_live(memory, "/into.db")) as into:
        assert value(into, "SELECT count(*) FROM t") == 0
    memory._check()


def test_it_goes_when_sqlite_lets_go_of_it(template: DatabaseTemplate) -> None:
    connection = template.connect()
    cursor = connection.execute("SELECT * FROM t")
    cursor.fetchone()
    connection.close()  # which SQLite puts off until the statement ends
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.fetchone()
    del cursor
    gc.collect()
    assert not is_private()
    connection = template.connect()
    if hasattr(connection, "deserialize"):
        connection.deserialize(template.to_bytes())  # takes its place
        assert not is_private()
        assert value(connection, SUM) == LENGTH * ROWS
    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", lambda _event: None)  # an unclosed connection
        dropped: list[Any] = [template.connect()]
        dropped.append(dropped)
        del dropped
        gc.collect()
    assert not is_private()


def test_backups_and_the_courier_read_it(template: DatabaseTemplate) -> None:
    with closing(template.connect()) as connection, closing(sqlite3.connect(":memory:")) as other:
        connection.execute("UPDATE t SET b = 'mine'")
        connection.commit()
        connection.backup(other)
        assert value(other, SUM) == 4 * ROWS


def test_a_connection_that_fails_leaves_nothing(
    memory: MemoryFileSystem, template: DatabaseTemplate
) -> None:
    template.connect().close()
    before = memory.usage("/").bytes
    with pytest.raises(TypeError):
        template.connect(nonsense=True)
    image = template.to_bytes()
    broken = DatabaseTemplate.from_bytes(memory, image[:100] + b"\xff" * (len(image) - 100))
    with pytest.raises(sqlite3.DatabaseError):
        broken.connect().execute("SELECT * FROM t")
    broken.close()
    gc.collect()
    assert not is_private()
    assert memory.usage("/").bytes == before


# --- where it is a file ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["shared", "journal", "no image", "no library", "no memory"])
def test_where_it_is_a_file(
    memory: MemoryFileSystem,
    template: DatabaseTemplate,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    def refuse(*_arguments: Any) -> Any:
        raise OSError("none")

    options: dict[str, Any] = {}
    if way == "shared":
        template.connect().close()  # whose file has to be made again
        options["shared"] = True
    elif way == "journal":
        options["journal"] = "file"
    elif way == "no image":
        monkeypatch.setattr(copies, "Image", refuse)
    elif way == "no library":
        monkeypatch.setitem(library_of().__dict__, "private", None)
    else:
        monkeypatch.setattr(frozen.Image, "map", refuse)
    with closing(template.connect(**options, isolation_level=None)) as one:
        assert not is_private()
        path = one.execute("PRAGMA database_list").fetchone()[2]
        with closing(connect_live(memory, path, isolation_level=None)) as two:
            two.execute("DELETE FROM t WHERE a >= 10")
            assert value(one, "SELECT count(*) FROM t") == 10
    with closing(template.connect()) as connection:
        assert value(connection, SUM) == LENGTH * ROWS
    memory._check()


def test_an_image_is_frozen() -> None:
    image = frozen.Image(bytes(8192))
    with pytest.raises(OSError, match=r"not permitted"):
        os.write(image._descriptor, b"x")
    with pytest.raises(OSError, match=r"not permitted"):
        os.truncate(image._descriptor, 4096)
    assert image.read() == bytes(8192)


@pytest.mark.parametrize("missing", ["memfd_create", "seals", "address space"])
def test_where_nothing_can_be_frozen(
    template: DatabaseTemplate, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "memfd_create":
        monkeypatch.setattr(_platform, "memfd_create", None)
    elif missing == "seals":
        monkeypatch.delattr(_platform.fcntl, "F_ADD_SEALS")
    else:
        monkeypatch.setattr(_platform, "counts_address_space", lambda: True)
    with pytest.raises(OSError, match="address space"):
        frozen.Image(bytes(8192))
    with closing(template.connect()) as connection:
        assert not is_private()
        assert value(connection, SUM) == LENGTH * ROWS


# --- threads and processes ------------------------------------------------------------------------


def test_threads_have_copies_of_their_own(template: DatabaseTemplate) -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        for _ in range(20):
            with closing(template.connect()) as connection:
                connection.execute("UPDATE t SET b = ?", (number,))
                connection.commit()
                found = connection.execute("SELECT DISTINCT b FROM t").fetchall()
                if found != [(number,)]:
                    wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


@marked
def test_a_child_has_a_copy_of_the_copy(template: DatabaseTemplate) -> None:
    with closing(template.connect()) as connection:
        connection.execute("UPDATE t SET b = 'y'")

        def use() -> None:
            with closing(template.connect()) as mine:
                assert value(mine, SUM) == LENGTH * ROWS

        assert exit_code_of_child(use) == 0
        connection.commit()
        assert value(connection, SUM) == ROWS


def test_a_process_ends_with_open_copies() -> None:
    script = """
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate
def build(connection):
    connection.execute("CREATE TABLE t(b)")
    connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
template = DatabaseTemplate(MemoryFileSystem(), build)
kept = [template.connect() for _ in range(3)]
kept[0].execute("DELETE FROM t")
cursor = kept[1].execute("SELECT * FROM t")
template.itself = template
print("ready")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
