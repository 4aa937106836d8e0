"""Requests that lock files."""

from __future__ import annotations

import errno
import fcntl

from .._errors import os_error
from .._nodes.nodes import File
from .protocol import INTERRUPT_IN, LOCK_IN, LOCK_IS_FLOCK, LOCK_OUT, Op, Request
from .served import Answer, Served


def _getlk(served: Served, request: Request) -> bytes:
    _, owner, start, end, kind, pid, _, _ = LOCK_IN.unpack_from(request.body)
    locks = served.locks
    wanted = locks.record(start, end, kind, owner, pid)
    obstacle = locks.records.obstacle(_file(served, request), wanted)
    if obstacle is None:
        return LOCK_OUT.pack(start, end, fcntl.F_UNLCK, 0)
    return LOCK_OUT.pack(obstacle.start, obstacle.end, obstacle.kind, obstacle.pid)


def _setlk(served: Served, request: Request) -> bytes | None:
    _, owner, start, end, kind, pid, flags, _ = LOCK_IN.unpack_from(request.body)
    locks = served.locks
    unique = None
    if request.op == Op.SETLKW:
        unique = request.unique
        served.at_work.discard(unique)  # from here on it may be interrupted
    if flags & LOCK_IS_FLOCK:
        is_done = locks.flock(served.inodes.node(request.node), kind, owner, unique)
    else:
        wanted = locks.record(start, end, kind, owner, pid)
        is_done = locks.lock(_file(served, request), wanted, unique)
    return b"" if is_done else None


def _file(served: Served, request: Request) -> File:
    node = served.inodes.node(request.node)
    if not isinstance(node, File):
        raise os_error(errno.EBADF)
    return node


def _interrupt(served: Served, request: Request) -> None:
    (unique,) = INTERRUPT_IN.unpack_from(request.body)
    if served.locks.interrupt(unique):
        served.answer(unique, errno.EINTR)
    elif unique not in served.at_work:  # the kernel is to say so again: it has just come
        raise os_error(errno.EAGAIN)


ANSWERS: dict[int, Answer] = {
    Op.GETLK: _getlk,
    Op.SETLK: _setlk,
    Op.SETLKW: _setlk,
    Op.INTERRUPT: _interrupt,
}
