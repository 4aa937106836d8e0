"""The end of things: processes, forks, subinterpreters and garbage, with live databases open."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.live_databases import JOURNALS, check_integrity, connect, count, opened, value
from tests.support.reads_by_calls import read_by_calls
from tests.support.sqlite_databases import fill
from tests.support.sqlite_modules import HAS_BLOBS
from tests.tree.test_forking import exit_code_of_child

PROJECT = Path(__file__).resolve().parents[3]

START = """
import gc, sqlite3, sys, threading, time
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import connect, live_uri
fs = MemoryFileSystem()
c = connect(fs, "/a.db", isolation_level=None, check_same_thread=False)
c.execute("PRAGMA journal_mode = JOURNAL").fetchall()
c.execute("CREATE TABLE t(a, b)")
c.execute("INSERT INTO t VALUES (1, zeroblob(100000))")
"""

SCENARIOS = {
    "an open connection": "",
    "an open transaction": "c.execute('BEGIN'); c.execute('DELETE FROM t')",
    "a transaction that has spilled": (
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN')\n"
        "c.execute('INSERT INTO t VALUES (2, zeroblob(300000))')"
    ),
    "an open cursor": (
        "c.execute('INSERT INTO t SELECT * FROM t')\nk = c.execute('SELECT * FROM t'); k.fetchone()"
    ),
    "the file system dropped": "del fs; gc.collect()",
    "a connection in a cycle": "l = [c]; l.append(l); del c, l",
    "connections in a module": "sys.modules['keeper'] = c; del c",
    "a daemon thread that works": (
        "def work():\n"
        "    d = connect(fs, '/b.db', isolation_level=None)\n"
        "    d.execute('CREATE TABLE t(a)')\n"
        "    while True: d.execute('INSERT INTO t VALUES (1)')\n"
        "threading.Thread(target=work, daemon=True).start(); time.sleep(0.1)"
    ),
    "sys.exit": "sys.exit(0)",
    "an exit function": "import atexit; atexit.register(lambda: c.execute('DELETE FROM t'))",
    "a backup": "d = connect(fs, '/b.db'); c.backup(d, pages=1, progress=lambda *a: None)",
}
if HAS_BLOBS:
    SCENARIOS["a blob"] = "b = c.blobopen('t', 'b', 1)"


@pytest.mark.parametrize("journal", ["delete", "wal", "memory"])
def test_processes_end_with_all_of_it_open(journal: str) -> None:
    """All scenarios at once, each in a process of its own."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-B", "-X", "faulthandler", "-c", program],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, scenario in SCENARIOS.items()
        for program in [START.replace("JOURNAL", journal) + scenario]
    }
    results = {}
    for name, process in processes.items():
        _, errors = process.communicate(timeout=50)
        # An unclosed connection is a warning of sqlite3's own, from 3.13 on.
        lines = [line for line in errors.splitlines() if "ResourceWarning" not in line]
        results[name] = (process.returncode, lines)
    assert results == dict.fromkeys(SCENARIOS, (0, []))


def test_a_connection_that_is_dropped_rolls_back(memory: MemoryFileSystem) -> None:
    with opened(memory) as other:
        fill(other)

        def drop() -> None:
            connection = connect(memory)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM t")

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of sqlite3's own, from 3.13 on
            drop()
            gc.collect()
        assert count(other) == 100
        other.execute("DELETE FROM t")


def test_an_isolated_subinterpreter_is_refused() -> None:
    interpreters: Any = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters",
        reason="this Python has no subinterpreters",
    )
    interpreter = interpreters.create()
    program = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
try:
    import sqlite3, ctypes
except ImportError:
    # Extension modules may refuse to be loaded there, which is as good.
    result = "refused"
else:
    from dmemfs import MemoryFileSystem
    from dmemfs_sqlite import LiveDatabaseUnavailable, connect
    try:
        connect(MemoryFileSystem(), "/a.db")
    except LiveDatabaseUnavailable as error:
        assert "subinterpreter" in str(error), error
    else:
        raise AssertionError("it was not refused")
"""
    try:
        failure = interpreters.run_string(interpreter, program)
        assert failure is None, failure
    finally:
        interpreters.destroy(interpreter)


# --- forks ---------------------------------------------------------------------------------------

forks = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork()"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def marked(test: Any) -> Any:
    for mark in forks:
        test = mark(test)
    return test


@marked
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_child_has_a_copy_of_its_own(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as connection:
        fill(connection)

        def use() -> None:
            with opened(memory) as mine:
                mine.execute("DELETE FROM t WHERE a > 10")
                assert count(mine) == 10
                check_integrity(mine)

        assert exit_code_of_child(use) == 0
        assert count(connection) == 100


@marked
@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("statement", ["DELETE FROM t", "SELECT * FROM t"])
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_fork_in_the_middle_of_the_own_transaction(
    memory: MemoryFileSystem, journal: str, statement: str, closes: bool
) -> None:
    """Nobody can end it in the child: it is undone there, and goes on in the parent."""
    with opened(memory, journal_mode=journal) as connection:
        fill(connection)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        cursor = connection.execute(statement)
        cursor.fetchone()
        connection.execute("INSERT INTO t(b) VALUES (zeroblob(100000))")

        def use() -> None:
            with opened(memory, timeout=0) as mine:
                assert count(mine) == 100
                mine.execute("INSERT INTO t(b) VALUES ('child')")
                check_integrity(mine)
            if closes:
                with suppress(sqlite3.Error):
                    connection.close()
            other = MemoryFileSystem()
            for fs in (memory, other):
                with opened(fs, timeout=0) as mine:
                    mine.execute("CREATE TABLE u (x)")
                    assert count(mine) == 101 if fs is memory else True
                    check_integrity(mine)

        assert exit_code_of_child(use) == 0
        expected = 1 if statement.startswith("DELETE") else 101
        assert count(connection) == expected
        cursor.close()
        connection.execute("COMMIT")
        assert count(connection) == expected
        check_integrity(connection)


@marked
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_fork_in_the_middle_of_anothers_transaction(
    memory: MemoryFileSystem, journal: str
) -> None:
    """The child finds the database unlocked, and what was not committed is undone."""
    with opened(memory, journal_mode=journal) as connection:
        fill(connection)
    written, done = threading.Event(), threading.Event()

    def write() -> None:
        with opened(memory) as mine:
            mine.execute("PRAGMA cache_size = 1")
            mine.execute("BEGIN IMMEDIATE")
            mine.execute("DELETE FROM t")
            mine.execute("INSERT INTO t(b) VALUES (zeroblob(300000))")
            written.set()
            assert done.wait(30)
            mine.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(30)

        def use() -> None:
            with opened(memory, timeout=0) as mine:
                assert count(mine) == 100
                mine.execute("INSERT INTO t(b) VALUES ('child')")
                check_integrity(mine)

        assert exit_code_of_child(use) == 0
    finally:
        done.set()
        thread.join(30)
    with opened(memory) as connection:
        assert count(connection) == 1


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no such timer")
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
def test_an_interrupt_during_a_statement(
    memory: MemoryFileSystem, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement comes to its end, the interrupt is raised, and the connection works on."""
    in_finalisers: list[Any] = []  # where Python reports an interrupt, and goes on
    monkeypatch.setattr(sys, "unraisablehook", in_finalisers.append)
    with opened(memory, journal_mode=journal) as connection:
        connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        connection.execute("PRAGMA cache_size = 2")
        former = signal.signal(signal.SIGALRM, signal.default_int_handler)
        interrupts = 0

        def work_on(seen: int) -> None:
            # CPython 3.13.0 leaves the end of a loop out of the `try` around it: so it is here.
            while len(in_finalisers) == seen:
                connection.execute("BEGIN")
                connection.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 100) INSERT INTO t(b) SELECT randomblob(500) FROM n"
                )
                connection.execute("COMMIT")

        try:
            for turn in range(30):
                seen = len(in_finalisers)
                try:
                    # On a busy machine it rings before this very call has returned.
                    signal.setitimer(signal.ITIMER_REAL, 0.0005 + turn * 0.0001)
                    work_on(seen)
                except KeyboardInterrupt:
                    interrupts += 1
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                assert count(connection) % 100 == 0
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
        kinds = [event.exc_type for event in in_finalisers]
        assert interrupts <= 30 <= interrupts + kinds.count(KeyboardInterrupt)
        assert not any("ctypes" in str(event.err_msg) for event in in_finalisers)
        check_integrity(connection)
        with opened(memory) as other:
            assert count(other) == count(connection)
            assert value(other, "SELECT count(*) FROM t WHERE length(b) = 500") == count(other)


def test_an_error_of_a_handler_is_raised_as_it_is(memory: MemoryFileSystem) -> None:
    class HandlerError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(one, two)

    from dmemfs_sqlite._vfs import failures, pending

    with opened(memory) as connection:
        fill(connection)
        with pytest.raises(HandlerError) as caught:
            failures._raise_later(HandlerError(1, 2))
            connection.execute("DELETE FROM t")
            for _ in range(10):
                str(caught)
        assert caught.value.args == (1, 2)
        assert not pending.HELD
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        assert count(connection) in (0, 100)


def test_under_a_tracer_and_a_profiler(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debuggers and coverage see the callbacks, whose entry is a special one."""
    read_by_calls(monkeypatch)
    seen: set[str] = set()

    def trace(frame: Any, _event: str, _argument: object) -> Any:
        seen.add(frame.f_code.co_name)
        return trace

    former = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(lambda *_arguments: None)
    try:
        with opened(memory) as connection:
            fill(connection, 50)
    finally:
        sys.settrace(former[0])
        sys.setprofile(former[1])
    assert {"_read", "_write", "_lock", "_open"} <= seen
    with opened(memory) as connection:
        assert count(connection) == 50
