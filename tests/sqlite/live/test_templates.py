"""Templates, copies of live databases, and the courier between them and memory."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs_sqlite import (
    BusyError,
    DatabaseTemplate,
    OpenTransactionError,
    copy_db,
    load_db,
    save_db,
)
from tests.support.live_databases import (
    JOURNALS,
    PATH,
    check_integrity,
    connect,
    count,
    opened,
    value,
)
from tests.support.soak import SOAK
from tests.support.sqlite_databases import fill, running


@pytest.mark.parametrize("shared", [True, False])
def test_every_connection_has_a_copy_of_its_own(memory: MemoryFileSystem, shared: bool) -> None:
    built = []

    def build(connection: sqlite3.Connection) -> None:
        built.append(1)
        fill(connection)

    with DatabaseTemplate(memory, build) as template:
        with (
            closing(template.connect(shared=shared)) as one,
            closing(template.connect(shared=shared)) as two,
        ):
            one.execute("DELETE FROM t")
            assert (count(one), count(two)) == (0, 100)
            if shared:
                assert len(memory.listdir("/.templates")) == 3
        assert len(memory.listdir("/.templates")) == 1
    assert memory.listdir("/.templates") == []
    assert built == [1]


def test_what_build_leaves_open_is_committed(memory: MemoryFileSystem) -> None:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t(a)")
        connection.execute("INSERT INTO t VALUES (1)")

    with closing(DatabaseTemplate(memory, build).connect()) as connection:
        assert count(connection) == 1


def test_a_copy_in_wal_mode_leaves_nothing(memory: MemoryFileSystem) -> None:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = wal").fetchall()
        fill(connection)

    with DatabaseTemplate(memory, build) as template:
        with closing(template.connect(isolation_level=None)) as connection:
            connection.execute("DELETE FROM t")
            assert value(connection, "PRAGMA journal_mode") == "wal"
        assert len(memory.listdir("/.templates")) == 1


def test_a_copy_is_as_cheap_for_a_large_template(memory: MemoryFileSystem) -> None:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t(b)")
        connection.execute("INSERT INTO t VALUES (zeroblob(20000000))")

    with DatabaseTemplate(memory, build) as template:
        template.connect().close()
        before = sys.getallocatedblocks()
        with closing(template.connect()) as connection:
            assert value(connection, "SELECT length(b) FROM t") == 20_000_000
        assert sys.getallocatedblocks() - before < 10_000


def test_another_key_builds_anew(memory: MemoryFileSystem) -> None:
    key = "one"
    built: list[str] = []

    def build(connection: sqlite3.Connection) -> None:
        built.append(key)
        fill(connection, len(built))

    template = DatabaseTemplate(memory, build, key=lambda: key)
    for key in ("one", "one", "two", "two", "one"):  # noqa: B007 - `build` sees it
        template.connect().close()
    assert built == ["one", "two", "one"]
    with closing(template.connect()) as connection:
        assert count(connection) == 3


def test_a_build_that_fails_leaves_nothing_and_is_tried_again(memory: MemoryFileSystem) -> None:
    attempts = []

    def build(connection: sqlite3.Connection) -> None:
        fill(connection)
        attempts.append(1)
        if len(attempts) == 1:
            raise LookupError("not yet")

    template = DatabaseTemplate(memory, build)
    with pytest.raises(LookupError):
        template.connect()
    assert memory.listdir("/.templates") == []
    template.connect().close()


def test_threads_share_one_build(memory: MemoryFileSystem) -> None:
    built = []

    def build(connection: sqlite3.Connection) -> None:
        built.append(1)
        fill(connection)

    template = DatabaseTemplate(memory, build)

    def work() -> None:
        for _ in range(10):
            with closing(template.connect(isolation_level=None)) as connection:
                connection.execute("DELETE FROM t WHERE a = 1")
                assert count(connection) == 99

    with running(*[work] * 4):
        pass
    assert built == [1]


def test_a_template_travels_to_another_process(memory: MemoryFileSystem) -> None:
    image = DatabaseTemplate(memory, fill).to_bytes()
    program = (
        "import sys\n"
        "from dmemfs import MemoryFileSystem\n"
        "from dmemfs_sqlite import DatabaseTemplate\n"
        "template = DatabaseTemplate.from_bytes(MemoryFileSystem(), sys.stdin.buffer.read())\n"
        "for _ in range(2):\n"
        "    with template.connect() as c:\n"
        "        print(c.execute('DELETE FROM t').rowcount)\n"
        "    c.close()\n"
        "assert template.to_bytes()[:6] == b'SQLite'\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        input=image,
        capture_output=True,
        cwd=root,
        timeout=50,
        check=True,
    )
    assert done.stdout.split() == [b"100", b"100"]


# --- copies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.timeout(300)
def test_copies_at_random_moments(memory: MemoryFileSystem, journal: str) -> None:
    stop = threading.Event()
    with opened(memory, journal_mode=journal) as connection:
        connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount, note)")
        connection.executemany("INSERT INTO account VALUES (?, 100, '')", [(n,) for n in range(20)])

    def work() -> None:
        chance = random.Random(1)
        with closing(connect(memory, timeout=30)) as mine:
            mine.execute(f"PRAGMA journal_mode = {journal}").fetchall()
            mine.execute("PRAGMA cache_size = 2")
            while not stop.is_set():
                mine.execute("BEGIN IMMEDIATE")
                for change in (7, -7):
                    mine.execute(
                        "UPDATE account SET amount = amount + ?, note = randomblob(5000) "
                        "WHERE id = ?",
                        (change, chance.randrange(20)),
                    )
                mine.execute("ROLLBACK" if chance.random() < 0.2 else "COMMIT")

    with running(work):
        try:
            for turn in range(400 if SOAK else 40):
                copy_db(memory, PATH, "/copy.db", timeout=30)
                if turn % 2:
                    with opened(memory, "/copy.db") as copy:
                        assert value(copy, "SELECT sum(amount) FROM account") == 2000
                        check_integrity(copy)
                else:
                    with closing(load_db(memory, PATH, ":memory:", timeout=30)) as loaded:
                        assert value(loaded, "SELECT sum(amount) FROM account") == 2000
        finally:
            stop.set()


def test_a_copy_replaces_what_is_there_with_its_journals(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
    memory.write_bytes("/copy.db", b"former")
    memory.write_bytes("/copy.db-journal", b"stale")
    memory.write_bytes("/copy.db-wal", b"stale")
    copy_db(memory, PATH, "/copy.db")
    assert sorted(memory.listdir("/")) == ["app.db", "copy.db"]
    with opened(memory, "/copy.db") as copy:
        with pytest.raises(OSError, match="live connections") as caught:
            copy_db(memory, PATH, "/copy.db")
        assert caught.value.filename == "/copy.db"
        assert count(copy) == 100


def test_a_copy_that_does_not_fit_changes_nothing() -> None:
    fs = MemoryFileSystem(max_nodes=4)
    with opened(fs) as connection:
        fill(connection, 1000)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET b = randomblob(100)")
        assert fs.exists("/app.db-journal")
        fs.set_quota("/", None, max_nodes=4)
        with pytest.raises(QuotaExceededError):
            copy_db(fs, PATH, "/copy.db")
        assert sorted(fs.listdir("/")) == ["app.db", "app.db-journal"]
        connection.execute("ROLLBACK")


def test_a_memory_journal_is_waited_for(memory: MemoryFileSystem) -> None:
    with opened(memory, journal="memory") as connection:
        fill(connection)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("DELETE FROM t")
        for attempt in (
            lambda: copy_db(memory, PATH, "/copy.db", timeout=0.05),
            lambda: load_db(memory, PATH, ":memory:", timeout=0.05),
        ):
            with pytest.raises(BusyError, match="journal in memory"):
                attempt()
        connection.execute("COMMIT")
        copy_db(memory, PATH, "/copy.db", timeout=0)


# --- the courier -------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", JOURNALS)
def test_saving_a_live_database_takes_what_is_committed(
    memory: MemoryFileSystem, journal: str
) -> None:
    target = MemoryFileSystem()
    with opened(memory, journal_mode=journal) as connection, opened(memory) as other:
        fill(connection)
        other.execute("PRAGMA cache_size = 1")
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE t SET b = randomblob(1000)")
        size = save_db(target, "/saved.db", connection)  # without waiting for the other
        assert size == target.stat("/saved.db").st_size
        with pytest.raises(OpenTransactionError):
            save_db(target, "/saved.db", other)
        other.execute("ROLLBACK")
    with closing(load_db(target, "/saved.db", ":memory:")) as loaded:
        assert value(loaded, "SELECT count(*) FROM t WHERE b LIKE 'row%'") == 100


def test_the_courier_makes_no_callbacks(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(MemoryFileSystem):
        pages = 0

        def _read_page(self, *arguments: object) -> int:
            self.pages += 1
            return super()._read_page(*arguments)  # type: ignore[arg-type]

    fs = Counting()
    with opened(fs) as connection:
        fill(connection, 5000)
        fs.pages = 0
        save_db(memory, "/saved.db", connection)
        load_db(fs, PATH, ":memory:").close()
        assert fs.pages <= 2  # a pragma of the courier may ask whether the file has changed


def test_saving_an_empty_live_database(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        assert save_db(memory, "/saved.db", connection) > 0


def test_saving_over_a_database_that_is_open(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        with pytest.raises(OSError, match="live connections"):
            save_db(memory, PATH, connection)
        assert count(connection) == 100
    memory.write_bytes("/app.db-wal", b"stale")
    with closing(sqlite3.connect(":memory:")) as plain:
        fill(plain, 3)
        save_db(memory, PATH, plain)
    assert memory.listdir("/") == ["app.db"]
    with opened(memory) as connection:
        assert count(connection) == 3
