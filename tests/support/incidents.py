"""Making something happen at each moment of an operation, one after the other."""

from __future__ import annotations

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
