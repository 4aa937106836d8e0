"""Requests that are about the attributes of nodes, and about the whole file system."""

from __future__ import annotations

import errno
from time import time_ns

from .._errors import os_error
from .._nodes.nodes import File, Symlink
from .protocol import (
    GETATTR_IN,
    GETATTR_OF_HANDLE,
    SETATTR_IN,
    Change,
    Op,
    Request,
    attributes_out,
    statfs_out,
)
from .served import Answer, Served

_NANO = 1_000_000_000
_SECTOR = 512
"""Bytes: in which the free space is told, as finely as programs expect it."""


def _getattr(served: Served, request: Request) -> bytes:
    flags, _, _ = GETATTR_IN.unpack_from(request.body)
    node = served.inodes.node(request.node)
    if not flags & GETATTR_OF_HANDLE:  # which the kernel asks for before each read too
        served.ask("stat", node)
    return attributes_out(node)


def _setattr(served: Served, request: Request) -> bytes:
    (
        valid, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid, _,
    ) = SETATTR_IN.unpack_from(request.body)  # fmt: skip
    change = Change(valid & _KNOWN)
    node = served.inodes.node(request.node)
    fs = served.fs
    if Change.SIZE in change:
        if not isinstance(node, File):
            raise os_error(errno.EISDIR)
        fs._truncate(node, size, served.inodes.path_of(node))
    if change & (Change.UID | Change.GID):
        served.ask("chown", node)
        fs._set_owner(
            node, uid if Change.UID in change else -1, gid if Change.GID in change else -1
        )
    if Change.MODE in change:
        if isinstance(node, Symlink):
            raise os_error(errno.EOPNOTSUPP)
        served.ask("chmod", node)
        fs._set_mode(node, mode)
    if change & (Change.ATIME | Change.MTIME):
        served.ask("utime", node)
        now = time_ns()
        new_atime, new_mtime = node.atime, node.mtime
        if Change.ATIME in change:
            new_atime = now if Change.ATIME_NOW in change else _time(atime, atime_ns)
        if Change.MTIME in change:
            new_mtime = now if Change.MTIME_NOW in change else _time(mtime, mtime_ns)
        if Change.SIZE not in change or Change.MTIME_NOW not in change:
            fs._set_times(node, new_atime, new_mtime)
    return attributes_out(node)


_KNOWN = sum(Change)


def _time(seconds: int, nanoseconds: int) -> int:
    """Return a time in nanoseconds; the seconds come without their sign."""
    if seconds >> 63:
        seconds -= 1 << 64
    return seconds * _NANO + nanoseconds


def _statfs(served: Served, request: Request) -> bytes:
    usage = served.fs.statvfs("/")
    return statfs_out(
        usage.f_blocks // _SECTOR,
        max(usage.f_bfree, 0) // _SECTOR,
        usage.f_files,
        max(usage.f_ffree, 0),
        _SECTOR,
    )


ANSWERS: dict[int, Answer] = {
    Op.GETATTR: _getattr,
    Op.SETATTR: _setattr,
    Op.STATFS: _statfs,
}
