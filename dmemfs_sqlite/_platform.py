"""What the standard library has on some systems, or in some Pythons, only.

Nothing else in this package names any of it, but for what calls C and is called back:
`_engine/library.py`, and the VFS, which is loaded where `callback_obstacle()` finds none.
"""

from __future__ import annotations

import functools
import sys

try:
    import ctypes as ctypes
except ImportError:
    ctypes = None  # type: ignore[assignment]


@functools.cache
def callback_obstacle() -> str | None:
    """Return why C cannot be called by ctypes, and call back; None if it can."""
    if sys.implementation.name != "cpython":
        return f"need CPython, and this is {sys.implementation.name}"
    if ctypes is None or not hasattr(ctypes, "pythonapi"):
        return "need ctypes.pythonapi, which this Python has not got"
    if not _in_main_interpreter():
        return "need the main interpreter: a subinterpreter cannot be called back"
    return None


def _in_main_interpreter() -> bool:
    """Tell whether ctypes may be called back here: in subinterpreters that aborts."""
    get, identify = (
        ctypes.pythonapi.PyInterpreterState_Get,
        ctypes.pythonapi.PyInterpreterState_GetID,
    )
    get.restype, get.argtypes = ctypes.c_void_p, []
    identify.restype, identify.argtypes = ctypes.c_int64, [ctypes.c_void_p]
    return bool(identify(get()) == 0)
