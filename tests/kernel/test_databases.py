"""The `sqlite3` program and live connections of this process, on the same databases."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

import dmemfs_sqlite
from tests.support.kernel import POINT, TIMEOUT, Shown

BUSY = 5
TABLE = "CREATE TABLE t(x INTEGER); INSERT INTO t VALUES(1)"

pytestmark = pytest.mark.skipif(
    shutil.which("sqlite3") is None, reason="the program sqlite3 is not installed"
)


@pytest.fixture
def database(shown: Shown) -> Iterator[sqlite3.Connection]:
    """A connection of this process, that waits for nobody."""
    with closing(dmemfs_sqlite.connect(shown.fs, "/app.db", timeout=0)) as connection:
        connection.executescript(TABLE)
        yield connection


def sql(shown: Shown, text: str, status: int = 0) -> str:
    """Run some SQL by the program, on the database; the status is SQLite's, of an error."""
    program = shown.start("sqlite3", "-batch", "-bail", "app.db", text)
    output, errors = program.communicate(timeout=TIMEOUT)
    assert bool(program.returncode) == bool(status), errors
    assert not status or "locked" in errors
    return output.strip()


def test_each_sees_what_the_other_commits(shown: Shown, database: sqlite3.Connection) -> None:
    for number in range(2, 6):
        assert sql(shown, f"INSERT INTO t VALUES({number}); SELECT count(*) FROM t") == str(number)
        assert database.execute("SELECT max(x) FROM t").fetchone() == (number,)
    with database:
        database.execute("INSERT INTO t SELECT x + 100 FROM t")
    assert sql(shown, "SELECT count(*) FROM t; PRAGMA integrity_check") == "10\nok"


def test_a_transaction_here_keeps_the_program_out(
    shown: Shown, database: sqlite3.Connection
) -> None:
    database.execute("BEGIN IMMEDIATE")
    assert sql(shown, "SELECT count(*) FROM t") == "1"
    sql(shown, "BEGIN IMMEDIATE", BUSY)
    database.execute("INSERT INTO t VALUES(2)")
    database.commit()
    database.execute("BEGIN EXCLUSIVE")
    sql(shown, "SELECT count(*) FROM t", BUSY)
    database.rollback()
    assert (
        sql(shown, "BEGIN IMMEDIATE; INSERT INTO t VALUES(3); COMMIT; SELECT sum(x) FROM t") == "6"
    )


def test_a_reader_here_lets_the_program_read_and_not_commit(
    shown: Shown, database: sqlite3.Connection
) -> None:
    database.execute("BEGIN")
    assert database.execute("SELECT count(*) FROM t").fetchone() == (1,)
    assert sql(shown, "SELECT count(*) FROM t") == "1"
    sql(shown, "INSERT INTO t VALUES(2)", BUSY)
    database.rollback()
    sql(shown, "INSERT INTO t VALUES(2)")
    assert database.execute("SELECT count(*) FROM t").fetchone() == (2,)


def held(shown: Shown, text: str, end: str = "COMMIT;\n") -> Iterator[subprocess.Popen[str]]:
    """Let the program be in a transaction meanwhile, and then end it."""
    program = shown.start("sqlite3", "-batch", "app.db")
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{text};\nSELECT 'ready';\n")
    program.stdin.flush()
    while program.stdout.readline().strip() != "ready":
        assert program.poll() is None
    yield program
    program.communicate(end, timeout=TIMEOUT)
    assert bool(program.returncode) == (not end)


def test_a_transaction_of_the_program_keeps_this_process_out(
    shown: Shown, database: sqlite3.Connection
) -> None:
    for _ in held(shown, "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)"):
        assert database.execute("SELECT count(*) FROM t").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.execute("BEGIN IMMEDIATE")
    assert database.execute("SELECT count(*) FROM t").fetchone() == (2,)
    for _ in held(shown, "BEGIN EXCLUSIVE; INSERT INTO t VALUES(3)"):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.execute("SELECT count(*) FROM t").fetchone()
    for _ in held(shown, "BEGIN; SELECT * FROM t"):
        with pytest.raises(sqlite3.OperationalError, match="locked"), database:
            database.execute("INSERT INTO t VALUES(4)")
    with database:
        database.execute("INSERT INTO t VALUES(4)")
    assert sql(shown, "SELECT count(*) FROM t; PRAGMA integrity_check") == "4\nok"


def test_a_killed_program_leaves_a_journal_that_is_rolled_back(
    shown: Shown, database: sqlite3.Connection
) -> None:
    database.executescript(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5000) "
        "INSERT INTO t SELECT x FROM n"
    )
    before = database.execute("SELECT count(*), sum(x) FROM t").fetchone()
    text = "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; UPDATE t SET x = x + 1"
    for program in held(shown, text, end=""):
        program.kill()
    deadline = time.monotonic() + TIMEOUT
    while shown.namespace.server(POINT).served.handles:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert shown.fs.exists("/app.db-journal")
    assert database.execute("SELECT count(*), sum(x) FROM t").fetchone() == before
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_write_ahead_log_belongs_to_one_side_at_a_time(
    shown: Shown, database: sqlite3.Connection
) -> None:
    assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    with database:
        database.execute("INSERT INTO t VALUES(2)")
    sql(shown, "SELECT count(*) FROM t", BUSY)
    database.close()
    assert sql(shown, "INSERT INTO t VALUES(3); SELECT count(*) FROM t") == "3"
    for _ in held(shown, "BEGIN; INSERT INTO t VALUES(4)"):
        with (
            pytest.raises(sqlite3.OperationalError, match="locked"),
            closing(dmemfs_sqlite.connect(shown.fs, "/app.db", timeout=0)) as other,
        ):
            other.execute("SELECT count(*) FROM t").fetchone()
    with closing(dmemfs_sqlite.connect(shown.fs, "/app.db", timeout=0)) as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (4,)


def test_both_count_at_once(shown: Shown, database: sqlite3.Connection) -> None:
    """Each adds to the same number, in transactions of its own: none is lost."""
    database.execute("PRAGMA busy_timeout=20000")
    text = ".timeout 20000\n" + "BEGIN IMMEDIATE; UPDATE t SET x = x + 1; COMMIT;\n" * 40
    programs = [shown.start("sqlite3", "-batch", "-bail", "app.db") for _ in range(2)]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write(text)
        program.stdin.close()
        program.stdin = None
    for _ in range(40):
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE t SET x = x + 1")
        database.commit()
    for program in programs:
        _, errors = program.communicate(timeout=TIMEOUT)
        assert program.returncode == 0, errors
    assert database.execute("SELECT x FROM t").fetchone() == (121,)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
