"""Making something happen at each moment of an operation, one after the other."""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from typing import Any

import dmemfs
from dmemfs import MemoryFileSystem

TIMEOUT = 20.0
PACKAGE = dmemfs.__path__[0]


def do_with_incident(
    operation: Callable[[], object], moment: int, incident: Callable[[], object]
) -> bool:
    """Do ``operation`` and let ``incident`` happen at one moment of it.

    Moments are those at which the interpreter looks for signals and, in its recent versions, for
    garbage to collect: when a Python function begins and when a C function has returned.

    Returns:
        Whether there was such a moment, or the operation was over before.
    """
    moments = 0
    happened = False

    def profile(frame: Any, event: str, argument: object) -> None:
        nonlocal moments, happened
        if event not in ("call", "c_return") or happened:
            return
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return
        moments += 1
        if moments == moment:
            happened = True
            sys.setprofile(None)
            incident()

    sys.setprofile(profile)
    try:
        operation()
    finally:
        sys.setprofile(None)
    return happened


def interrupt_at_line(
    operation: Callable[[], object], number: int, is_of: Callable[[str], bool]
) -> bool:
    """Do ``operation``, and raise KeyboardInterrupt at the beginning of one of its lines.

    Args:
        operation: what is interrupted.
        number: which of the lines that are run, from 1.
        is_of: tells of the path of a source file whether its lines count.

    Returns:
        Whether there was such a line, or the operation was over before.
    """
    lines = 0
    happened = False
    left: set[tuple[Any, int]] = set()

    def trace(frame: Any, event: str, _argument: object) -> Any:
        nonlocal lines, happened
        if not is_of(frame.f_code.co_filename):
            return None
        if event == "line" and not happened and not _is_never_interrupted(frame, left):
            lines += 1
            if lines == number:
                happened = True
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    former = sys.gettrace()
    try:
        sys.settrace(trace)
        operation()
    except KeyboardInterrupt:
        assert happened
    except RuntimeError as error:  # of a lock that was not taken yet: see `Storage`
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
    finally:
        sys.settrace(former)
    return happened


def _is_never_interrupted(frame: Any, seen: set[tuple[Any, int]]) -> bool:
    """Tell whether a line is one at which the interpreter looks for no signals.

    There is no call between the end of a `with` block, or of a `try`, and what gives back a lock.
    """
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    place = (frame, frame.f_lineno)
    if text.startswith("with ") and place in seen:
        return True
    seen.add(place)
    return text.endswith(("._unlock()", "._try_lock(False):"))


def assert_no_lock_is_held(filesystem: MemoryFileSystem) -> None:
    """Check from another thread that everything is free and works."""
    done = threading.Event()

    def work() -> None:
        filesystem.exists("/file")
        filesystem.mkdir("/probe")
        filesystem.rmdir("/probe")
        if filesystem.exists("/file"):
            with filesystem.lock("/file", timeout=0):
                done.set()
        else:
            done.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    assert done.is_set(), "a lock is still held"
