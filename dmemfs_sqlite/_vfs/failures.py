"""What a callback answers when Python raised: no exception may get back into SQLite.

An exception that leaves a callback makes ctypes return whatever stands in a register, which SQLite
may take for success. Two kinds are told apart. A failure of the file system becomes the result code
that SQLite knows how to handle. An interruption (Ctrl-C, or whatever a signal handler raises) has
nothing to do with the call: the call is made again, and the interruption raised as soon as the
thread is back in Python, which is when `sqlite3` would raise it on any other file.

Neither is an exception that was on its way already when SQLite called: see `pending`.
"""

from __future__ import annotations

import ctypes
import dis
import errno
import threading
import weakref
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

from .abi import CANTOPEN_ISDIR, FULL, IOERR_NOMEM, NOMEM, OK
from .pending import ENTRY, HELD, met_at_entry, setting_again

_Function = TypeVar("_Function", bound=Callable[..., Any])

_CODES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.ENOMEM: IOERR_NOMEM,
    errno.EISDIR: CANTOPEN_ISDIR,
}
_PRIMARY = 0xFF
_RESUMES_IN_AN_AWAIT = 3

_last = threading.local()


def entered_uninterrupted(function: _Function) -> _Function:
    """Let no signal handler run in a function before its `try` begins.

    CPython looks for signals in the instruction RESUME, which every function begins with and which
    no `try` can cover. It does not where that instruction says that a function goes on after an
    `await`; nothing else depends on it. Where there is no such instruction, nothing is changed.
    """
    resume = dis.opmap.get("RESUME")
    code = function.__code__
    instructions = bytearray(code.co_code)
    for at in range(0, len(instructions), 2):
        if instructions[at] == resume and instructions[at + 1] == 0:
            instructions[at + 1] = _RESUMES_IN_AN_AWAIT
            function.__code__ = code.replace(co_code=bytes(instructions))
            break
    return function


@entered_uninterrupted
def answer_failure(
    error: BaseException,
    code: int,
    again: bool,
    atomic: bool,
    callback: Callable[..., int],
    arguments: tuple[int, ...],
) -> int:
    """Return what a callback answers that has met an error.

    Args:
        error: what was raised.
        code: the result code of a failure without one of its own. OK is that of a callback that
            gives something back, for which SQLite has no use for failures: it is called again.
        again: whether this is the second attempt already.
        atomic: whether every failure has to be answered by NOMEM. The pager throws a journal in
            memory away for FULL or an IOERR, and with it what undoes the pages written so far.
        callback: what to call again, with a last argument True, after an interruption.
        arguments: its arguments.
    """
    failure = NOMEM if atomic else code
    try:
        if met_at_entry(error):
            return setting_again(error, callback(*arguments))
        failed = isinstance(error, MemoryError) or (
            isinstance(error, OSError) and error.errno is not None
        )
        if failed and code != OK:
            own = _CODES.get(getattr(error, "errno", errno.ENOMEM), code)
            answer = NOMEM if atomic else own
            # Kept until somebody asks, and without the frames: they refer to the file system.
            error.__traceback__ = error.__context__ = None
            _last.failure = error, answer
            return answer
        answer = failure if again else callback(*arguments, True)
        if not failed:
            _raise_later(error)
        return answer
    except BaseException:
        return failure


def take_failure(raised: BaseException) -> BaseException | None:
    """Return what the file system raised that made SQLite fail; None where it did not, and later.

    Args:
        raised: what the module raised for it, in this thread.
    """
    error, answer = vars(_last).pop("failure", (None, OK))
    if isinstance(raised, MemoryError):
        same = answer in (NOMEM, IOERR_NOMEM)
    else:
        # A module of an older shape gives no code.
        same = getattr(raised, "sqlite_errorcode", answer) & _PRIMARY == answer & _PRIMARY
    return error if same else None


@entered_uninterrupted
def _never(_file: int) -> bool:
    return False


def cold_callback(
    code: int, atomic: Callable[[int], bool] = _never
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a callback of a function that SQLite calls rarely, and that may be called again.

    The others are written out: this costs them a second call in Python.

    Args:
        code: See `answer_failure`.
        atomic: Tells of the file, which is the first argument, whether failures are atomic; it is
            entered uninterrupted, and calls nothing.
    """

    def decorate(work: Callable[..., int]) -> Callable[..., int]:
        count = work.__code__.co_argcount

        @wraps(work)
        @entered_uninterrupted
        def callback(*arguments: int) -> int:
            try:
                if ENTRY[-1] and not arguments[count:]:
                    raise_held()
                return work(*arguments[:count])
            except BaseException as error:
                # Nothing in C is called here, after which an interruption could leave.
                again = arguments[count:] != ()
                return answer_failure(
                    error, code, again, atomic(arguments[0]), callback, arguments[:count]
                )

        return callback

    return decorate


# The third argument is the weak reference that calls it; the C function knows of two.
_set_async_exception = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_ulong, ctypes.py_object, ctypes.py_object
)(("PyThreadState_SetAsyncExc", ctypes.pythonapi))
_NOTHING: Any = ctypes.py_object()
_marks: dict[int, weakref.ref[_Mark]] = {}


class _Mark:
    """Dies with the frame that made it."""

    __slots__ = ("__weakref__",)


def raise_held() -> None:
    """Raise the interruption that is on its way in this thread, if any.

    Callbacks do so first. So it is met there, and not at any place in the middle, which may be a
    finaliser that swallows it.
    """
    thread = threading.get_ident()
    error = HELD.pop(thread, None)
    try:
        if error is not None:
            _set_async_exception(thread, _NOTHING, None)
            raise error
    finally:
        del error  # refers to this frame, and so to whatever the callers refer to


def _raise_later(error: BaseException) -> None:
    """Have `error` raised in this thread, by the first instruction that can be interrupted.

    That must be none of the callback under way. So the request is made by a C function that is
    called when this frame is gone, and between there and SQLite no instruction looks for one.
    """
    thread = threading.get_ident()

    class Again(type(error)):  # type: ignore[misc]
        # Not interrupted, without a call: it is made at any time from when this is pending.
        @entered_uninterrupted
        def __new__(cls, *_arguments: object) -> BaseException:  # type: ignore[misc]
            if thread in HELD:
                del HELD[thread]
            return error

    mark = _Mark()
    _marks[thread] = weakref.ref(mark, partial(_set_async_exception, thread, Again))
    HELD[thread] = error
