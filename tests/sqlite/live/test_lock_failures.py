"""Failures within the callbacks of live databases: whatever they call fails, one call at a time.

`test_live_failures.py` has a file system that fails. Here it is what a callback itself does: it
locks and unlocks, maps the WAL index, looks for files and forgets them. Every call that one of them
makes, of Python or of C, raises in turn, with errors that stand for a failure and with such as a
signal handler raises. Afterwards all connections go on, the change is made or not made, and nothing
is left behind.

xSync and xShmBarrier are functions in C, in which nothing of Python's can fail. The interpreter's
own locks, which the callbacks take and give back, do not fail either.
"""

from __future__ import annotations

import errno
import gc
import inspect
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from types import CodeType, FrameType
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite._vfs import failures as vfs_failures
from dmemfs_sqlite._vfs import file_callbacks, open_file, pending, reading, vfs_callbacks
from dmemfs_sqlite._vfs import locks as vfs_locks
from dmemfs_sqlite._vfs.open_file import OPEN_FILES, open_files, volume_of
from tests.sqlite.live.test_failures import change, check_all, prepare
from tests.support.live_databases import JOURNALS, PATH, connect, imported, modules, value
from tests.support.soak import SOAK
from tests.support.sqlite_databases import fill

CALLBACKS: dict[CodeType, str] = {
    inspect.unwrap(callback).__code__: name
    for module in (file_callbacks, vfs_callbacks)
    for name, callback in module.CALLBACKS.items()
}
# Where the calls are made that fail, and where not: these answer the failures.
_FAILING = {
    module.__file__
    for module in (
        *(file_callbacks, vfs_callbacks, open_file, vfs_locks),
        reading,
    )
}
_ANSWERING = {vfs_failures.__file__, pending.__file__}
_LOCKS = {"__enter__", "__exit__", "acquire", "release"}

# Callbacks whose failure SQLite has no use for: what they were called for is done all the same.
SURE = {"xUnlock", "xClose", "xShmUnmap"}
USUAL = {"xFullPathname", "xOpen", "xLock", "xUnlock", "xClose", "xFileControl"}
OF_THE_LOG = {"xShmMap", "xShmLock", "xShmUnmap"}

ERRORS: dict[str, Callable[[], BaseException]] = {
    "io": lambda: OSError(errno.EIO, "injected"),
    "memory": MemoryError,
    "interrupt": KeyboardInterrupt,
    "handler": lambda: RuntimeError("injected"),
}
INTERRUPTIONS = (KeyboardInterrupt, RuntimeError)


class Fault:
    """Raises an error instead of one call that a callback makes.

    It is a profiler: what one raises is raised by the call that it was told of, which is not made.

    Attributes:
        calls: how many were made, by callback.
        failed: the name of the function whose call failed.
    """

    def __init__(self, callback: str = "", at: int = 0, kind: str = "io") -> None:
        self.callback = callback
        self.at = at
        self.error = ERRORS[kind]
        self.calls: Counter[str] = Counter()
        self.failed = ""

    def __enter__(self) -> Fault:
        sys.setprofile(self)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.setprofile(None)

    def __call__(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            caller, name = frame.f_back, frame.f_code.co_name
            if frame.f_code in CALLBACKS or frame.f_code.co_filename in _ANSWERING:
                return
            if frame.f_code.co_flags & inspect.CO_GENERATOR:
                return  # that it goes on, or ends, is no call
        elif event == "c_call":
            caller, name = frame, function.__name__
        else:
            return
        if caller is None or caller.f_code.co_filename not in _FAILING or name in _LOCKS:
            return
        callback = caller_among_callbacks(caller)
        if not callback:
            return
        self.calls[callback] += 1
        if callback == self.callback and self.calls[callback] == self.at:
            self.failed = name
            raise self.error()


def caller_among_callbacks(frame: FrameType | None) -> str:
    while frame is not None and frame.f_code not in CALLBACKS:
        frame = frame.f_back
    return "" if frame is None else CALLBACKS[frame.f_code]


class Work:
    """What two connections do, and a third one of whose file nothing stays.

    Attributes:
        errors: what was raised, in order.
    """

    def __init__(self, fs: MemoryFileSystem, journal: str, module: Any) -> None:
        self.fs = fs
        self.module = module
        self.errors: list[BaseException] = []
        one = self.attempt(connect, fs, module=module)
        other = self.attempt(connect, fs, module=module, timeout=0)
        if one is not None:
            self.attempt(one.execute, f"PRAGMA journal_mode = {journal}")
            if other is not None:
                self.attempt(one.execute, "BEGIN IMMEDIATE")
                self.attempt(value, other, "SELECT count(*) FROM t")
                if one.in_transaction:
                    self.attempt(one.execute, "COMMIT")
            self.attempt(change, one)
        if other is not None:
            self.attempt(value, other, "SELECT count(*) FROM t")
            self.attempt(other.close)
        private = self.attempt(connect, fs, "/private.db", module=module, delete_on_close=True)
        if private is not None:
            self.attempt(fill, private, 3)
            self.attempt(private.close)
        self.connection = one

    def attempt(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except (self.module.Error, MemoryError, *INTERRUPTIONS) as error:
            self.errors.append(error.with_traceback(None))
            return None

    def check(self) -> None:
        """What was open goes on, and leaves nothing behind."""
        connection = self.connection or connect(self.fs, module=self.module)
        with closing(connection):
            check_all(self.fs, connection, self.module)
        gc.collect()  # connections whose connect() was interrupted
        assert open_files(self.fs) == []
        assert volume_of(self.fs)._locks == {}


@modules
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.usefixtures("uncollected")
@pytest.mark.timeout(900)
def test_every_call_of_a_callback_fails_once(journal: str, module: Any, escaped: list[Any]) -> None:
    module = imported(module)
    made = MemoryFileSystem()
    prepare(made, journal, module)
    with Fault() as fault:
        work = Work(made.clone(), journal, module)
    assert work.errors == []
    work.connection.close()
    assert fault.calls.keys() >= USUAL | (OF_THE_LOG if journal == "wal" else set())
    # A share of the places, each with one of the errors; the soak takes all of them, with two.
    kinds = list(ERRORS)
    for number, (callback, calls) in enumerate(sorted(fault.calls.items())):
        share = 1 if SOAK else max(1, calls // 4)
        for at in range(1 + (number + len(journal)) % share, calls + 1, share):
            turn = (at // share + number) % len(kinds)
            for kind in (kinds[turn], kinds[turn - 2])[: 2 if SOAK else 1]:
                try_once(made.clone(), journal, module, callback, at, kind, escaped)


def try_once(
    fs: MemoryFileSystem,
    journal: str,
    module: Any,
    callback: str,
    at: int,
    kind: str,
    escaped: list[Any],
) -> None:
    with Fault(callback, at, kind) as fault:
        work = Work(fs, journal, module)
    assert fault.failed, (callback, at)
    case = (callback, at, fault.failed, kind, work.errors)
    assert escaped == [], case
    if kind in ("interrupt", "handler"):
        first, *others = work.errors
        assert isinstance(first, INTERRUPTIONS), case
        # A transaction that was interrupted is still open, and has its locks.
        assert all("locked" in str(error) for error in others), case
    elif callback in SURE:
        assert work.errors == [], case
    if callback != "xOpen":
        assert not fs.exists("/private.db"), case
    try:
        work.check()
    except BaseException as error:
        error.add_note(str(case))
        raise


@pytest.mark.parametrize("callback", ["xUnlock", "xClose"])
def test_what_is_given_back_twice_in_vain_is_not_reported(
    memory: MemoryFileSystem, callback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has committed is one, whoever cannot be told."""
    prepare(memory, "delete")
    name = {"xUnlock": "unlock", "xClose": "abandon"}[callback]
    unlocking = getattr(vfs_locks.NodeLocks, name)
    left = 2

    def failing(*arguments: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise MemoryError
        return unlocking(*arguments)

    with closing(connect(memory)) as other:
        with closing(connect(memory)) as connection:
            if callback == "xUnlock":
                monkeypatch.setattr(vfs_locks.NodeLocks, name, failing)
            connection.execute("DELETE FROM t")
            if callback == "xClose":
                monkeypatch.setattr(vfs_locks.NodeLocks, name, failing)
        assert left == 0
        assert value(other, "SELECT count(*) FROM t") == 0
    assert [file for file in OPEN_FILES.values() if file.fs is memory] == []


def test_a_file_that_cannot_be_removed_is_closed(memory: MemoryFileSystem) -> None:
    with memory.fail("remove", PATH, errno.EACCES) as fault:
        connection = connect(memory, delete_on_close=True)
        fill(connection)
        connection.close()
        assert fault.failures
    assert memory.exists(PATH)
    assert open_files(memory) == []
    with closing(connect(memory)) as connection:
        connection.execute("DELETE FROM t")
    memory.remove(PATH)


def test_a_database_that_failed_to_open_is_not_open(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(open_file.OpenFile, "join", failing)
    with pytest.raises((sqlite3.Error, MemoryError)):
        connect(memory)
    monkeypatch.undo()
    assert open_files(memory) == []
