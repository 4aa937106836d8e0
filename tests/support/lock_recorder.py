"""Recording in which order locks are taken, to find deadlocks that no thread has met yet.

Two threads can wait for each other for ever only if locks are taken in a circle: one after another
here, the other way round there. That shows in a graph of which lock was asked for while which other
one was held, whichever thread did it and when: one thread alone is enough.

A node of the graph is a kind of lock, named after the attribute that holds it, and not one lock: an
order that holds between two file systems has to hold between any two. Two locks of one kind at the
same time are a circle already.

Advisory locks are the exception: in which order to take several is for their users to say, and each
wait for one has an end.

Recorded are all locks that `dmemfs` and `dmemfs_sqlite` make while this is in place, those that
they have made on import, the lock inside of each buffer of `io`, and advisory locks. As a plugin it
does so in every test:

    python -m pytest -p tests.support.lock_recorder \
        -k "not interrupt and not lock_order and not complexity"

Tests that interrupt an operation at each of its steps would interrupt the recorder, others count
its steps.
"""

from __future__ import annotations

import importlib
import linecache
import pkgutil
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import FrameType, ModuleType
from typing import Any

import pytest

import dmemfs
import dmemfs_sqlite
from dmemfs._files import binary
from dmemfs._files import locks as locks_module
from dmemfs._mount import mount as mount_module
from dmemfs._mutex import Mutex
from dmemfs_sqlite._vfs import locks as vfs_locks

FILE_SYSTEM = "dmemfs._tree.storage._lock"
BUFFER = "a buffer of io"
ADVISORY = "an advisory lock"
CONNECTION = "a connection"

# They try for the lock first, and wait for it if that fails: see `Storage`. Not so this one.
_TRIED_BEFORE_WAITING = {FILE_SYSTEM}
_ONLY_TRIES = {"release_dropped"}
# Not held by anybody: one thread waits with it until another one releases it; or taken once only.
_SIGNALS = {"dmemfs._files.locks.bell", "dmemfs._nodes.pieces._is_given_up"}
# This one waits for a moment, and lets go of all others before it waits for longer.
_GIVES_UP = {"_take"}

_OPTIONAL = {"dmemfs_sqlite.django", "dmemfs_sqlite.sqlalchemy"}
_LOCK_TYPES = (type(threading.Lock()), type(threading.RLock()))
_BUFFER_CALLS = (
    *("read", "read1", "readinto", "readinto1", "readline", "readlines", "peek", "__next__"),
    *("write", "flush", "seek", "truncate", "close", "detach"),
)


class LockOrder:
    """The graph.

    Attributes:
        edges: where a kind of lock was asked for the first time while another was held.
        taken: the kinds that were taken at all.
        on_taken: called with the kind of each lock as soon as it is taken.
        only_packages: leave out what tests lock themselves, to see what happens then.
        finalising: whether this thread is in `finalisers`.
    """

    def __init__(self, *, only_packages: bool = False) -> None:
        self.only_packages = only_packages
        self.edges: dict[tuple[str, str], str] = {}
        self.taken: set[str] = set()
        self.on_taken: Callable[[str], object] | None = None
        self._problems: list[str] = []
        self._threads = threading.local()

    @property
    def _held(self) -> list[tuple[str, object]]:
        """What this thread holds, the latest last, once for each time it was taken."""
        found: list[tuple[str, object]] = self._threads.__dict__.setdefault("held", [])
        return found

    @property
    def finalising(self) -> bool:
        return getattr(self._threads, "finalising", False)

    @contextmanager
    def finalisers(self) -> Iterator[None]:
        """Tell that nobody else can reach what is closed here, so that nobody holds its buffer."""
        self._threads.finalising = True
        try:
            yield
        finally:
            self._threads.finalising = False

    def ask(self, kind: str, lock: object) -> None:
        """Note that this thread is going to wait for a lock, if it is not free."""
        held = self._held
        if any(one is lock for _, one in held):
            return  # reentrant, or `refuse_again` is told
        for other, _ in held:
            if other == kind == ADVISORY:
                continue
            if (other, kind) not in self.edges:
                stack = traceback.extract_stack(limit=12)[:-2]
                self.edges[other, kind] = "".join(traceback.format_list(stack))

    def refuse_again(self, kind: str, lock: object) -> None:
        """Fail where a thread would wait for itself."""
        if any(one is lock for _, one in self._held):
            self.complain(f"{kind} is not reentrant, and its owner waits for it")
            raise AssertionError(self._problems[-1])

    def take(self, kind: str, lock: object) -> None:
        self._held.append((kind, lock))
        self.taken.add(kind)
        if self.on_taken is not None:
            self.on_taken(kind)

    def release(self, lock: object) -> None:
        held = self._held
        for position in range(len(held) - 1, -1, -1):
            if held[position][1] is lock:
                del held[position]
                return

    def holds(self, kind: str) -> bool:
        """Tell whether this thread holds a lock of a kind."""
        return any(name == kind for name, _ in self._held)

    def complain(self, problem: str) -> None:
        self._problems.append(f"{problem}\n{''.join(traceback.format_stack(limit=12)[:-2])}")

    def circles(self) -> list[list[str]]:
        """Return the kinds of lock that are taken in a circle, each circle once."""
        after: dict[str, set[str]] = {}
        for first, second in list(self.edges):
            after.setdefault(first, set()).add(second)
        found: list[list[str]] = []
        for start in sorted(after):
            circle = _way_back(after, start)
            if circle and not any(set(circle) == set(other) for other in found):
                found.append(circle)
        return found

    def check(self) -> None:
        """Raise AssertionError if locks were ever taken in an order that can end in a deadlock."""
        assert not self._problems, "\n".join(self._problems)
        for circle in self.circles():
            raise AssertionError(self.describe(circle))

    def describe(self, circle: list[str]) -> str:
        """Return where each lock of a circle is taken."""
        return "locks are taken in a circle:\n" + "\n".join(
            f"{second}\n  while {first} is held, at\n{self.edges[first, second]}"
            for first, second in zip(circle, [*circle[1:], circle[0]], strict=True)
        )


def _way_back(after: dict[str, set[str]], start: str) -> list[str]:
    """Return the shortest way from `start` to itself, empty if there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for following in sorted(after.get(way[-1], ())):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


class RecordedLock:
    """A lock that tells what is done with it."""

    def __init__(self, order: LockOrder, lock: Any, kind: str) -> None:
        self._order = order
        self._lock = lock
        self._kind = kind
        self._reentrant = isinstance(lock, _LOCK_TYPES[1])

    def acquire(
        self, blocking: bool = True, timeout: float = -1, *, caller: FrameType | None = None
    ) -> bool:
        caller = caller or sys._getframe(1)
        if self._order.only_packages and "dmemfs" not in caller.f_globals["__name__"]:
            taken: bool = self._lock.acquire(blocking, timeout)
            return taken
        if caller.f_code.co_name in _GIVES_UP:
            pass
        elif blocking or (
            self._kind in _TRIED_BEFORE_WAITING and caller.f_code.co_name not in _ONLY_TRIES
        ):
            self._order.ask(self._kind, self)
        if blocking and not self._reentrant and self._kind not in _SIGNALS:
            self._order.refuse_again(self._kind, self)
        taken = self._lock.acquire(blocking, timeout)
        if taken and self._kind not in _SIGNALS:
            self._order.take(self._kind, self)
        return taken

    def release(self) -> None:
        self._order.release(self)
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire(caller=sys._getframe(1))

    def __exit__(self, *_exception: object) -> None:
        self.release()

    def locked(self) -> Any:
        return self._lock.locked()

    def _is_owned(self) -> Any:
        return self._lock._is_owned()


class _Threading:
    """Stands in for the module `threading` in a module whose locks are to be recorded."""

    def __init__(self, order: LockOrder) -> None:
        self._order = order

    def Lock(self) -> RecordedLock:  # noqa: N802 - it has to have this name
        return RecordedLock(self._order, threading.Lock(), _kind_made_at(sys._getframe(1)))

    def RLock(self) -> RecordedLock:  # noqa: N802
        return RecordedLock(self._order, threading.RLock(), _kind_made_at(sys._getframe(1)))

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def _record_mutex(order: LockOrder, kind: type[Mutex]) -> RecordedLock:
    frame: FrameType | None = sys._getframe(1)
    if frame is not None and frame.f_code.co_name == "work_mutex":
        frame = frame.f_back  # where it is assigned
    return RecordedLock(order, kind(), _kind_made_at(frame))


def _kind_made_at(frame: Any) -> str:
    return _kind_at(frame.f_globals["__name__"], frame.f_code.co_filename, frame.f_lineno)


@cache
def _kind_at(module: str, filename: str, line: int) -> str:
    """Return module and attribute of what is assigned in a line."""
    target = linecache.getline(filename, line).partition("=")[0]
    return f"{module}.{target.partition(':')[0].strip().rpartition('.')[2]}"


@cache
def _modules() -> list[ModuleType]:
    """Return all modules of both packages, but those for a package that is not installed."""
    names = [
        info.name
        for package in (dmemfs, dmemfs_sqlite)
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not info.name.endswith("__main__") and info.name not in _OPTIONAL
    ]
    return [module for name in names if (module := _imported(name)) is not None]


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith("dmemfs"):
            raise
        return None


@contextmanager
def recorded_locks(order: LockOrder) -> Iterator[LockOrder]:
    """Record locks for the length of a `with` block."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _modules():
            if hasattr(module, "threading"):
                patch.setattr(module, "threading", _Threading(order))
            for name, kind in list(vars(module).items()):
                if isinstance(kind, type) and issubclass(kind, Mutex):
                    patch.setattr(module, name, partial(_record_mutex, order, kind))
            _record_what_is_there(order, patch, module, module.__name__)
        for made_on_import in (mount_module.process, mount_module.process.descriptors):
            _record_what_is_there(order, patch, made_on_import, type(made_on_import).__module__)
        for kind in (binary.ReadFile, binary.WriteFile, binary.UpdateFile):
            patch.setattr(kind, "_buffer_class", _recorded_buffer(order, kind._buffer_class))
        _record_advisory_locks(order, patch)
        _guard_the_locks_of_databases(order, patch)
        yield order


def _record_what_is_there(
    order: LockOrder, patch: pytest.MonkeyPatch, owner: Any, module: str
) -> None:
    """Record the locks that a module, or an object in it, has made on import."""
    for name, value in list(vars(owner).items()):
        if isinstance(value, _LOCK_TYPES):
            patch.setattr(owner, name, RecordedLock(order, value, f"{module}.{name}"))


@cache
def _recorded_buffer(order: LockOrder, base: Any) -> Any:
    """Return a class of buffers whose own lock is recorded."""

    def recorded(name: str) -> Any:
        original = getattr(base, name)

        def call(self: Any, *args: Any) -> Any:
            # Nobody else knows it at its first call: `open` with `buffering=0` makes no other.
            if not order.finalising and self.__dict__.setdefault("is_new", True):
                self.is_new = False
            elif not order.finalising:
                order.ask(BUFFER, self)
            order.take(BUFFER, self)
            try:
                return original(self, *args)
            finally:
                order.release(self)

        return call

    calls = {name: recorded(name) for name in _BUFFER_CALLS if hasattr(base, name)}
    return type(base.__name__, (base,), calls)


def _record_advisory_locks(order: LockOrder, patch: pytest.MonkeyPatch) -> None:
    """Record what is held between `LockTable.acquire` and the release, by whichever thread."""
    acquire, release = locks_module.LockTable.acquire, locks_module.LockGrant.release
    dropped = weakref.finalize

    def recorded_acquire(table: Any, key: Any, **options: Any) -> Any:
        place = object()
        if options["timeout"] != 0:
            order.ask(ADVISORY, place)
        grant = acquire(table, key, **options)
        order.take(ADVISORY, place)
        held = order._held
        _places[grant] = dropped(grant, _forget, held, place)
        return grant

    def recorded_release(grant: Any) -> None:
        forget = _places.pop(grant, None)
        if forget is not None:
            forget()
        release(grant)

    patch.setattr(locks_module.LockTable, "acquire", recorded_acquire)
    patch.setattr(locks_module.LockGrant, "release", recorded_release)


_places: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def _forget(held: list[tuple[str, object]], place: object) -> None:
    held[:] = [entry for entry in held if entry[1] is not place]


def _guard_the_locks_of_databases(order: LockOrder, patch: pytest.MonkeyPatch) -> None:
    """Those of SQLite never wait; they are only safe while the file system's lock is held."""

    def guarded(name: str) -> Any:
        original = getattr(vfs_locks.NodeLocks, name)

        def call(self: Any, *args: Any) -> Any:
            if not order.holds(FILE_SYSTEM) and isinstance(args[0].fs._lock, RecordedLock):
                order.complain(f"NodeLocks.{name} without the lock of the file system")
            return original(self, *args)

        return call

    for name in ("lock", "unlock", "map_region", "lock_slots", "unlock_slots", "unmap", "abandon"):
        patch.setattr(vfs_locks.NodeLocks, name, guarded(name))


def recorded_connection(order: LockOrder, base: Any) -> Any:
    """Return a class of connections whose mutex, which SQLite holds in each call, is recorded."""

    def recorded(name: str) -> Any:
        original = getattr(base, name)

        def call(self: Any, *args: Any) -> Any:
            order.ask(CONNECTION, self)
            order.take(CONNECTION, self)
            try:
                return original(self, *args)
            finally:
                order.release(self)

        return call

    calls = ("execute", "executemany", "executescript", "commit", "rollback", "close", "backup")
    return type(f"Recorded{base.__name__}", (base,), {name: recorded(name) for name in calls})


_everything = LockOrder(only_packages=True)
_known: list[set[str]] = []


@pytest.fixture(autouse=True)
def record_every_lock() -> Iterator[None]:
    """Record in all tests, where this module is loaded as a plugin; one graph for all of them."""
    with recorded_locks(_everything):
        yield
    new = [circle for circle in _everything.circles() if set(circle) not in _known]
    _known.extend(map(set, new))
    problems, _everything._problems = _everything._problems, []
    problems += map(_everything.describe, new)
    assert not problems, "\n".join(problems)


__all__ = [
    "ADVISORY",
    "BUFFER",
    "CONNECTION",
    "FILE_SYSTEM",
    "LockOrder",
    "RecordedLock",
    "recorded_connection",
    "recorded_locks",
]
