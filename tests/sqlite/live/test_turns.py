"""Threads that share one connection take turns, and none waits for ever."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import BusyError
from dmemfs_sqlite._engine import waiting
from tests.support.live_databases import connect, count, imported, modules, opened, value
from tests.support.sqlite_databases import fill, running

PROJECT = Path(__file__).resolve().parents[3]
LONGEST_WAIT = 40

# In a process of its own: a hang would be one of the whole interpreter.
SHARED = """
import importlib, sys, threading
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import connect
module = importlib.import_module(sys.argv[1])
sys.setswitchinterval(1e-5)
fs = MemoryFileSystem()
c = connect(fs, "/a.db", module=module, check_same_thread=False, isolation_level=None)
c.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
c.execute("PRAGMA cache_size = 5")
c.executemany("INSERT INTO t VALUES (?, ?)", [(n, bytes(500)) for n in range(1000)])
class Own(module.Cursor):
    pass
def work(thread):
    for turn in range(60):
        n = (turn * 37 + thread * 11) % 1000
        c.execute("UPDATE t SET b = randomblob(500) WHERE a = ?", (n,))
        assert c.execute("SELECT a FROM t WHERE a = ?", (n,)).fetchone() == (n,)
        cursor = c.cursor(Own) if turn % 2 else c.cursor()
        assert len([row for row in cursor.execute("SELECT a FROM t WHERE a < 40")]) == 40
        assert len(cursor.execute("SELECT b FROM t WHERE a < 20").fetchmany(15)) == 15
        cursor.close()
        c.commit()
    done.append(thread)
done = []
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(done), c.execute("PRAGMA integrity_check").fetchall())
"""


@modules
def test_two_threads_in_one_connection_do_not_hang(module: Any) -> None:
    module = imported(module)
    done = subprocess.run(
        [sys.executable, "-B", "-c", SHARED, module.__name__],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=LONGEST_WAIT,
    )
    assert done.stdout == "[0, 1, 2, 3] [('ok',)]\n", done.stderr


def test_who_waits_too_long_is_told(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_LONGEST_WORK", 0.01)
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> int:
        inside.set()
        return int(go_on.wait(LONGEST_WAIT))

    def statement() -> None:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute("SELECT wait()").fetchall()

    with opened(memory, check_same_thread=False) as connection:
        fill(connection, 3)
        connection.create_function("wait", 0, wait)
        cursor = connection.execute("SELECT a FROM t")
        with running(statement):
            assert inside.wait(LONGEST_WAIT)
            for use in (
                lambda: connection.execute("SELECT 1"),
                lambda: connection.commit(),
                lambda: connection.create_function("f", 0, wait),
                cursor.fetchone,
                lambda: next(cursor),
                lambda: connection.in_transaction,
                lambda: connection.total_changes,
                connection.close,
            ):
                with pytest.raises(BusyError, match="another thread was using this connection"):
                    use()
            connection.interrupt()  # which is for other threads
            go_on.set()
        cursor.close()  # with the last statement that is under way the interrupt is over
        assert count(connection) == 3


def test_what_a_shared_connection_tells_and_is_told(memory: MemoryFileSystem) -> None:
    with opened(memory, check_same_thread=False) as connection:
        fill(connection, 3)
        assert (connection.total_changes, connection.in_transaction) == (3, False)
        connection.isolation_level = "IMMEDIATE"
        assert connection.isolation_level == "IMMEDIATE"
        connection.execute("DELETE FROM t")
        assert connection.in_transaction
        connection.isolation_level = None  # which commits
        assert not connection.in_transaction
        connection.row_factory = sqlite3.Row
        assert connection.execute("SELECT 1 AS x").fetchone()["x"] == 1


def test_one_thread_may_come_back_within_a_statement(memory: MemoryFileSystem) -> None:
    with opened(memory, check_same_thread=False) as connection:
        fill(connection, 3)
        connection.create_function("rows", 0, lambda: count(connection))
        assert value(connection, "SELECT rows()") == 3


def test_a_connection_of_one_thread_has_no_turns(memory: MemoryFileSystem) -> None:
    with closing(connect(memory)) as connection:
        assert not hasattr(connection, "turn")
        errors = []

        def intrude() -> None:
            with pytest.raises(sqlite3.ProgrammingError) as caught:
                connection.execute("SELECT 1")
            errors.append(str(caught.value))

        with running(intrude):
            pass
        assert ["same thread" in error for error in errors] == [True]
