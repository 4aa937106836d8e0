"""`posix_spawn`, past Python's own: that one keeps the interpreter until the program has begun.

The kernel may have to ask for the program itself, and who answers needs the interpreter.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from typing import Any

_libc: Any = ctypes.CDLL(None, use_errno=True)

_LARGER_THAN_ANY = 1024
"""Bytes: so large are neither attributes nor file actions anywhere."""

_RESET_IDS, _SET_GROUP, _SET_SIGDEF, _SET_SIGMASK = 1, 2, 4, 8
_SET_PARAMETERS, _SET_SCHEDULER, _SET_SID = 16, 32, 128
_CLOSE_FROM = 3
"""`os.POSIX_SPAWN_CLOSEFROM`, which has that name from Python 3.13 on."""


def spawn(
    path: Any,
    argv: Iterable[Any],
    env: Any,
    *,
    is_searched: bool = False,
    file_actions: Iterable[tuple[Any, ...]] | None = None,
    setpgroup: int | None = None,
    resetids: bool = False,
    setsid: bool = False,
    setsigmask: Iterable[int] = (),
    setsigdef: Iterable[int] = (),
    scheduler: tuple[int | None, Any] | None = None,
    closed: Iterable[int] = (),
) -> int:
    """Start a program as `os.posix_spawn` does, or `posix_spawnp` if it is searched for.

    The descriptors in `closed` it has not even until it has begun.

    Raises:
        OSError: as those.
    """
    arguments = [os.fsencode(each) for each in argv]
    if not arguments:
        raise ValueError("posix_spawn: argv must not be empty")
    if not arguments[0]:
        raise ValueError("posix_spawn: argv first element cannot be empty")
    env = os.environ if env is None else env
    variables = [os.fsencode(key) + b"=" + os.fsencode(env[key]) for key in env]
    actions = ctypes.create_string_buffer(_LARGER_THAN_ANY)
    attributes = ctypes.create_string_buffer(_LARGER_THAN_ANY)
    _require(_libc.posix_spawn_file_actions_init(actions), path)
    _require(_libc.posix_spawnattr_init(attributes), path)
    try:
        for kind, *rest in file_actions or ():
            _add_action(actions, kind, rest)
        for descriptor in closed:
            _add_action(actions, os.POSIX_SPAWN_CLOSE, [descriptor])
        flags = (_RESET_IDS if resetids else 0) | (_SET_SID if setsid else 0)
        if setpgroup is not None:
            _require(_libc.posix_spawnattr_setpgroup(attributes, setpgroup), path)
            flags |= _SET_GROUP
        flags |= _set_signals(
            attributes, setsigmask, _libc.posix_spawnattr_setsigmask, _SET_SIGMASK
        )
        flags |= _set_signals(
            attributes, setsigdef, _libc.posix_spawnattr_setsigdefault, _SET_SIGDEF
        )
        if scheduler is not None:
            flags |= _set_scheduler(attributes, *scheduler)
        _require(_libc.posix_spawnattr_setflags(attributes, ctypes.c_short(flags)), path)
        number = ctypes.c_int(0)
        function = _libc.posix_spawnp if is_searched else _libc.posix_spawn
        code = function(
            ctypes.byref(number), os.fsencode(path), actions, attributes,
            _strings(arguments), _strings(variables),
        )  # fmt: skip
        _require(code, path)
        return number.value
    finally:
        _libc.posix_spawn_file_actions_destroy(actions)
        _libc.posix_spawnattr_destroy(attributes)


def _require(code: int, path: Any) -> None:
    if code:
        raise OSError(code, os.strerror(code), path)


def _strings(texts: list[bytes]) -> Any:
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


def _add_action(actions: Any, kind: int, rest: list[Any]) -> None:
    if kind == os.POSIX_SPAWN_OPEN:
        number, path, flags, mode = rest
        code = _libc.posix_spawn_file_actions_addopen(
            actions, number, os.fsencode(path), flags, ctypes.c_uint(mode)
        )
    elif kind == os.POSIX_SPAWN_CLOSE:
        code = _libc.posix_spawn_file_actions_addclose(actions, *rest)
    elif kind == os.POSIX_SPAWN_DUP2:
        code = _libc.posix_spawn_file_actions_adddup2(actions, *rest)
    elif kind == _CLOSE_FROM:
        code = _libc.posix_spawn_file_actions_addclosefrom_np(actions, *rest)
    else:
        raise TypeError("Unknown file_actions identifier")
    _require(code, None)


def _set_signals(
    attributes: Any, signals: Iterable[int], function: Callable[[Any, Any], int], flag: int
) -> int:
    """Set a set of signals, and return the flag for it; 0 where there are none."""
    numbers = list(signals)
    if not numbers:
        return 0
    several = ctypes.create_string_buffer(_LARGER_THAN_ANY)
    _libc.sigemptyset(several)
    for number in numbers:
        if _libc.sigaddset(several, number):
            raise ValueError(f"signal number {number} out of range")
    _require(function(attributes, several), None)
    return flag


def _set_scheduler(attributes: Any, policy: int | None, parameters: Any) -> int:
    priority = ctypes.c_int(parameters.sched_priority)
    _require(_libc.posix_spawnattr_setschedparam(attributes, ctypes.byref(priority)), None)
    if policy is None:
        return _SET_PARAMETERS
    _require(_libc.posix_spawnattr_setschedpolicy(attributes, policy), None)
    return _SET_PARAMETERS | _SET_SCHEDULER
