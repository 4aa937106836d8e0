"""Opening live databases: paths, options, and what is in the files then."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import LiveDatabaseUnavailable, live_uri
from dmemfs_sqlite._vfs import registration
from dmemfs_sqlite._vfs.registration import library_of
from tests.support.live_databases import (
    PATH,
    check_integrity,
    connect,
    count,
    imported,
    modules,
    opened,
    value,
)
from tests.support.sqlite_databases import check_alive, content, everything, fill
from tests.support.sqlite_modules import needs_blobs, needs_standard_module, needs_temporary_files

ODD_PATHS = [
    "/plain.db",
    "relative.db",
    "/with space.db",
    "/question?mode=memory.db",
    "/hash#fragment.db",
    "/percent%20.db",
    "/amp&vfs=unix.db",
    "/ä/€/😀.db",
    "/semi;colon'quote\".db",
    "//double//slash.db",
    "/a/./b/../c.db",
    "/new\nline.db",
    "/" + "n" * 240,
    "/not-utf8-\udcff.db",
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_any_path_is_that_file(memory: MemoryFileSystem, path: str) -> None:
    memory.makedirs("/a/b")
    memory.makedirs("/ä/€")
    memory.mkdir("/double")
    with closing(dmemfs_sqlite.connect(memory, path)) as connection, connection:
        connection.execute("CREATE TABLE t(a)")
    assert memory.read_bytes(path).startswith(b"SQLite format 3\0")
    with closing(dmemfs_sqlite.connect(memory, path.encode("utf-8", "surrogateescape"))) as other:
        assert count(other) == 0


def test_a_path_object(memory: MemoryFileSystem) -> None:
    with closing(dmemfs_sqlite.connect(memory, Path("/x.db"))) as connection, connection:
        connection.execute("CREATE TABLE t(a)")
    assert memory.is_file("/x.db")


@pytest.mark.parametrize("path", ["", "/nul\0.db", b""])
def test_paths_that_name_nothing(memory: MemoryFileSystem, path: Any) -> None:
    with pytest.raises(ValueError, match="path"):
        dmemfs_sqlite.connect(memory, path)


@pytest.mark.parametrize("path", ["/missing/x.db", "/directory", "/file/x.db", "/" + "n" * 256])
def test_what_cannot_be_opened(memory: MemoryFileSystem, path: str) -> None:
    memory.mkdir("/directory")
    memory.write_bytes("/file", b"text")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        dmemfs_sqlite.connect(memory, path)
    assert sorted(memory.listdir("/")) == ["directory", "file"]


def test_a_file_that_is_no_database(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/x", b"this is text " * 100)
    with opened(memory, "/x") as connection, pytest.raises(sqlite3.DatabaseError, match="not a d"):
        count(connection)


def test_arguments_that_make_no_sense(memory: MemoryFileSystem) -> None:
    with pytest.raises(ValueError, match="journal"):
        dmemfs_sqlite.connect(memory, PATH, journal="wal")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="MemoryFileSystem"):
        dmemfs_sqlite.connect("/tmp", PATH)  # type: ignore[arg-type]


def test_connect_passes_arguments_on(memory: MemoryFileSystem) -> None:
    class Mine(sqlite3.Connection):
        pass

    with opened(memory, factory=Mine, timeout=1.5, isolation_level="EXCLUSIVE") as connection:
        assert type(connection) is Mine
        assert connection.isolation_level == "EXCLUSIVE"
        assert value(connection, "PRAGMA busy_timeout") == 1500


def test_a_database_outlives_its_connections(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
    with opened(memory) as connection:
        assert count(connection) == 100
    assert memory.listdir("/") == ["app.db"]


def test_two_file_systems_have_different_databases(memory: MemoryFileSystem) -> None:
    other = MemoryFileSystem()
    with opened(memory) as one, opened(other) as two:
        fill(one, 1)
        fill(two, 2)
        assert (count(one), count(two)) == (1, 2)


def test_symbolic_links_lead_to_one_database(memory: MemoryFileSystem) -> None:
    memory.mkdir("/data")
    memory.symlink("/data", "/link")
    memory.symlink("../link/app.db", "/data/other.db")
    with opened(memory, "/data/app.db") as connection, opened(memory, "/data/other.db") as other:
        fill(connection)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM t")
        assert memory.exists("/data/app.db-journal")
        assert count(other) == 100
        with (
            opened(memory, "/link/app.db", timeout=0) as third,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            third.execute("BEGIN IMMEDIATE")


def test_a_loop_of_links(memory: MemoryFileSystem) -> None:
    memory.symlink("/loop", "/loop")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        dmemfs_sqlite.connect(memory, "/loop/x.db")


def test_read_only(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
    with closing(sqlite3.connect(live_uri(memory, PATH, mode="ro"), uri=True)) as connection:
        assert count(connection) == 100
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite3.connect(live_uri(memory, "/missing", mode="ro"), uri=True)
    assert memory.listdir("/") == ["app.db"]


def test_immutable(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        connection.execute("BEGIN EXCLUSIVE")
        uri = live_uri(memory, PATH, immutable="1")
        with closing(sqlite3.connect(uri, uri=True)) as reader:
            assert count(reader) == 100


def test_an_immutable_wal_image_opens(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as connection:
        fill(connection)
    with closing(sqlite3.connect(live_uri(memory, PATH, immutable="1"), uri=True)) as reader:
        assert count(reader) == 100


def test_the_uri_of_a_dropped_file_system_says_so() -> None:
    fs = MemoryFileSystem()
    uri = live_uri(fs, PATH)
    del fs
    gc.collect()
    with pytest.raises(sqlite3.OperationalError, match="no such vfs: dmemfs-"):
        sqlite3.connect(uri, uri=True)


def test_an_open_connection_keeps_its_file_system() -> None:
    fs = MemoryFileSystem()
    connection = connect(fs)
    del fs
    gc.collect()
    fill(connection)
    assert count(connection) == 100
    connection.close()


def test_uris_are_equal_for_one_file_system(memory: MemoryFileSystem) -> None:
    assert live_uri(memory, PATH) == live_uri(memory, PATH)
    assert live_uri(memory, PATH) != live_uri(MemoryFileSystem(), PATH)


def test_importing_registers_nothing() -> None:
    program = (
        "import sqlite3, dmemfs_sqlite\n"
        "from dmemfs_sqlite._vfs.vfs_callbacks import REGISTRATIONS\n"
        "from dmemfs_sqlite._vfs.open_file import OPEN_FILES\n"
        "assert not REGISTRATIONS and not OPEN_FILES\n"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-B", "-c", program], cwd=root, check=True, timeout=50)


# --- the same bytes as any SQLite ------------------------------------------------------------


@modules
def test_everything_that_sqlite_stores(memory: MemoryFileSystem, module: Any) -> None:
    with closing(connect(memory, module=imported(module))) as connection:
        everything(connection)
        check_alive(connection)
        check_integrity(connection)


@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
def test_files_are_byte_for_byte_those_of_the_disk(
    memory: MemoryFileSystem, tmp_path: Path, page_size: int
) -> None:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA page_size = {page_size}")
        fill(connection, 3000)
        connection.execute("DELETE FROM t WHERE a % 3 = 0")
        connection.execute("CREATE INDEX i ON t(b)")

    with opened(memory) as connection:
        build(connection)
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as connection:
        build(connection)
    assert memory.read_bytes(PATH) == (tmp_path / "app.db").read_bytes()


def test_a_file_of_the_disk_opens_and_the_reverse(memory: MemoryFileSystem, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "disk.db", isolation_level=None)) as connection:
        everything(connection)
        expected = content(connection)
    memory.write_bytes(PATH, (tmp_path / "disk.db").read_bytes())
    with opened(memory) as connection:
        assert content(connection) == expected
        check_alive(connection)
        expected = content(connection)
    (tmp_path / "back.db").write_bytes(memory.read_bytes(PATH))
    with closing(sqlite3.connect(tmp_path / "back.db")) as connection:
        assert content(connection) == expected


def test_what_sqlite_writes_is_what_open_reads(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection, memory.open(PATH, "rb") as file:
        fill(connection)
        content = file.read()
        assert content[:16] == b"SQLite format 3\0"
        assert len(content) == memory.stat(PATH).st_size
        assert b"row 99" in content


def test_pages_change_the_time_of_the_file(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        memory.utime(PATH, (0, 0))
        fill(connection)
        assert memory.stat(PATH).st_mtime > 0


def test_a_database_beyond_4_gib(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection, 10)
    page, pages = 65536, 70_000
    with opened(memory, "/large.db") as connection:
        connection.execute(f"PRAGMA page_size = {page}")
        connection.execute("CREATE TABLE t(a)")
    # The header's count of pages is all that SQLite asks for; the rest may be a hole.
    with memory.open("/large.db", "r+b") as file:
        file.seek(28)
        file.write(pages.to_bytes(4, "big"))
        file.truncate(page * pages)
    with opened(memory, "/large.db") as connection:
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        assert value(connection, "PRAGMA page_count") > pages
        assert value(connection, "SELECT length(a) FROM t") == 1_000_000
    assert memory.stat("/large.db").st_size > 4 << 30


# --- what else opens files -------------------------------------------------------------------


def test_attach_within_and_beyond(memory: MemoryFileSystem, tmp_path: Path) -> None:
    with opened(memory) as connection:
        connection.execute("ATTACH '/other.db' AS other")
        connection.execute("ATTACH ? AS uri", (live_uri(memory, "/third.db"),))
        connection.execute("ATTACH ? AS disk", (f"file:{tmp_path}/disk.db?vfs=unix",))
        for name in ("main", "other", "uri", "disk"):
            connection.execute(f"CREATE TABLE {name}.{name}_table(a)")
        connection.execute("BEGIN")
        for name in ("main", "other", "uri", "disk"):
            connection.execute(f"INSERT INTO {name}_table VALUES (1)")
        connection.execute("COMMIT")
    assert sorted(memory.listdir("/")) == ["app.db", "other.db", "third.db"]
    with closing(sqlite3.connect(tmp_path / "disk.db")) as connection:
        assert value(connection, "SELECT a FROM disk_table") == 1


def test_vacuum_and_vacuum_into(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection, 1000)
        connection.execute("DELETE FROM t WHERE a > 10")
        before = memory.stat(PATH).st_size
        connection.execute("VACUUM")
        assert memory.stat(PATH).st_size < before
        connection.execute("VACUUM INTO '/copy.db'")
    with opened(memory, "/copy.db") as connection:
        assert count(connection) == 10
        check_integrity(connection)


def test_backup_to_and_from(memory: MemoryFileSystem) -> None:
    with opened(memory) as live, closing(sqlite3.connect(":memory:")) as plain:
        fill(live)
        live.backup(plain)
        assert count(plain) == 100
        with opened(memory, "/back.db") as back:
            plain.backup(back, pages=1)
            assert count(back) == 100


@needs_blobs
def test_blobs(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        connection.execute("CREATE TABLE t(b)")
        connection.execute("INSERT INTO t VALUES (zeroblob(300000))")
        with connection.blobopen("t", "b", 1) as blob:
            blob.seek(200_000)
            blob.write(b"in the middle")
        assert value(connection, "SELECT substr(b, 200001, 13) FROM t") == b"in the middle"


@needs_temporary_files
@pytest.mark.parametrize("sql", ["SELECT b FROM t ORDER BY b DESC", "SELECT DISTINCT b FROM t"])
def test_temporary_files_leave_nothing(memory: MemoryFileSystem, sql: str) -> None:
    with opened(memory) as connection:
        fill(connection, 20_000, "x" * 100)
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute("PRAGMA cache_size = 10")
        assert len(connection.execute(sql).fetchall()) == 20_000
        connection.execute("CREATE TEMP TABLE s AS SELECT * FROM t")
        connection.execute("CREATE INDEX temp.i ON s(b)")
        assert memory.listdir("/") == ["app.db"]
        assert memory.usage().bytes > memory.stat(PATH).st_size
    memory._check()
    assert memory.usage().bytes == memory.stat(PATH).st_size


def test_a_memory_journal_leaves_no_file(memory: MemoryFileSystem) -> None:
    with opened(memory, journal="memory") as connection:
        assert value(connection, "PRAGMA journal_mode") == "memory"
        fill(connection)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM t")
        assert memory.listdir("/") == ["app.db"]
        connection.execute("ROLLBACK")
        assert count(connection) == 100


def test_a_database_that_was_removed_is_not_written(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        memory.remove(PATH)
        assert count(connection) == 100
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")
        memory.write_bytes(PATH, b"another")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")


# --- where it is not to be had -----------------------------------------------------------------


def test_a_module_whose_library_is_out_of_reach(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration._library_of.cache_clear()
    monkeypatch.setattr(registration, "candidates", lambda module: ["/no/such/library.so"])
    try:
        with pytest.raises(LiveDatabaseUnavailable, match="load_db"):
            dmemfs_sqlite.connect(memory, PATH)
    finally:
        registration._library_of.cache_clear()


@needs_standard_module
def test_another_instance_of_sqlite_is_not_mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """pysqlite3 brings a library of its own, and the interpreter's is not that."""
    import _sqlite3

    pysqlite3 = pytest.importorskip("pysqlite3", reason="there is one SQLite only")
    registration._library_of.cache_clear()
    monkeypatch.setattr(registration, "candidates", lambda module: [_sqlite3.__file__])
    try:
        with pytest.raises(LiveDatabaseUnavailable, match="another instance"):
            live_uri(MemoryFileSystem(), PATH, module=pysqlite3)
        live_uri(MemoryFileSystem(), PATH)
    finally:
        registration._library_of.cache_clear()


def test_a_new_file_system_takes_the_registration_of_one_that_is_gone() -> None:
    """Its name is gone with it; what SQLite may look at once more stays, and is used again."""
    library = library_of()
    with closing(connect(MemoryFileSystem(), "/a.db")):
        pass
    gc.collect()
    spare, names = len(library._spare), set()
    assert spare > 0
    for number in range(50):
        fs = MemoryFileSystem()
        uri = live_uri(fs, "/a.db")
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("CREATE TABLE t AS SELECT ? AS x", (number,))
            assert connection.execute("SELECT x FROM t").fetchall() == [(number,)]
        names.add(uri)
        del fs
        gc.collect()
        with pytest.raises(sqlite3.OperationalError, match="no such vfs"):
            sqlite3.connect(uri, uri=True)
        assert len(library._spare) == spare
    assert len(names) == 50
