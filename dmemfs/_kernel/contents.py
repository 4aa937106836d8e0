"""Requests that are about what is in files."""

from __future__ import annotations

import errno
import os
from typing import Any

from .._errors import os_error
from .._nodes.nodes import File
from .handles import OpenFile, may_change
from .names import entry_of, settle
from .protocol import (
    CREATE_IN,
    FALLOCATE_IN,
    FLUSH_IN,
    LSEEK_IN,
    LSEEK_OUT,
    OPEN_IN,
    OPEN_OUT,
    READ_IN,
    RELEASE_IN,
    RELEASE_OF_FLOCK,
    WRITE_IN,
    WRITE_OF_MAPPING,
    WRITE_OUT,
    Op,
    Request,
)
from .served import Answer, Served

_PIECE = 1 << 20


def _open(served: Served, request: Request) -> bytes:
    flags, _ = OPEN_IN.unpack_from(request.body)
    node = served.inodes.node(request.node)
    if not isinstance(node, File):
        raise os_error(errno.EISDIR)
    served.ask("open", node, changes=may_change(flags))
    return _opened(served, node, flags)


def _opened(served: Served, node: File, flags: int) -> bytes:
    name = served.inodes.path_of(node)
    handle = OpenFile(node, name, served.fs._hold_open(node, name))
    try:
        if flags & os.O_TRUNC:
            served.fs._empty(node)
        return OPEN_OUT.pack(served.handles.add(handle), 0, 0)
    except BaseException:
        handle.close()
        raise


def _create(served: Served, request: Request) -> bytes:
    flags, mode, _, _ = CREATE_IN.unpack_from(request.body)
    (name,) = request.names(CREATE_IN.size)
    path = served.path_in(request.node, name)
    fs: Any = served.fs
    if fs._interceptors:
        fs._ask("open", path, changes=True)
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        is_new = fs._peek(path, follow=False) is None
        node = fs._file_to_open(path, create=True, exclusive=bool(flags & os.O_EXCL))
        if is_new:
            settle(served, node, request.owner, mode)
    finally:
        fs._unlock()
    entry = entry_of(served, request.node, name)
    return entry + _opened(served, node, flags & ~os.O_TRUNC if is_new else flags)


def _read(served: Served, request: Request) -> bytes:
    handle, offset, size, *_ = READ_IN.unpack_from(request.body)
    file: OpenFile = served.handles.find(handle)
    cursor = file.at(offset)
    data: bytes = served.fs._read(cursor, size)
    if len(data) < size and data and cursor._position < file.node.size:
        # A fault lets it come short, and the kernel would take that for the end.
        pieces = [data]
        while data and cursor._position < file.node.size and cursor._position < offset + size:
            data = served.fs._read(cursor, offset + size - cursor._position)
            pieces.append(data)
        return b"".join(pieces)
    return data


def _write(served: Served, request: Request) -> bytes:
    handle, offset, size, write_flags, _, flags, _ = WRITE_IN.unpack_from(request.body)
    file: OpenFile = served.handles.find(handle)
    data = request.body[WRITE_IN.size : WRITE_IN.size + size]
    at_end = bool(flags & os.O_APPEND) and not write_flags & WRITE_OF_MAPPING
    return WRITE_OUT.pack(served.fs._write(file.at(offset), data, size, at_end), 0)


def _flush(served: Served, request: Request) -> bytes:
    _, _, _, owner = FLUSH_IN.unpack_from(request.body)
    served.locks.close(served.inodes.node(request.node), owner)
    return b""


def _fsync(served: Served, request: Request) -> bytes:
    return b""


def _release(served: Served, request: Request) -> bytes:
    handle, _, release_flags, owner = RELEASE_IN.unpack_from(request.body)
    if release_flags & RELEASE_OF_FLOCK:
        served.locks.release_flock(owner)
    served.handles.close(handle)
    return b""


def _fallocate(served: Served, request: Request) -> bytes:
    handle, offset, length, mode, _ = FALLOCATE_IN.unpack_from(request.body)
    file: OpenFile = served.handles.find(handle)
    if mode:  # to keep the size, to make holes: nothing here can
        raise os_error(errno.EOPNOTSUPP, file.name)
    _fill(served.fs, file, offset, offset + length)
    return b""


def _fill(fs: Any, file: OpenFile, start: int, end: int) -> None:
    """Let nothing from `start` to `end` be a hole."""
    for position in range(start, end, _PIECE):
        count = min(_PIECE, end - position)
        data = fs._read(file.at(position), count)
        fs._write(file.at(position), data.ljust(count, b"\0"), count)


def _lseek(served: Served, request: Request) -> bytes:
    handle, offset, whence, _ = LSEEK_IN.unpack_from(request.body)
    file: OpenFile = served.handles.find(handle)
    if whence not in (os.SEEK_DATA, os.SEEK_HOLE):
        raise os_error(errno.EINVAL, file.name)
    return LSEEK_OUT.pack(served.fs._find_data(file.node, offset, whence))


ANSWERS: dict[int, Answer] = {
    Op.OPEN: _open,
    Op.CREATE: _create,
    Op.READ: _read,
    Op.WRITE: _write,
    Op.FLUSH: _flush,
    Op.FSYNC: _fsync,
    Op.FSYNCDIR: _fsync,
    Op.RELEASE: _release,
    Op.FALLOCATE: _fallocate,
    Op.LSEEK: _lseek,
}
