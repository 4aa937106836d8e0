"""Requests that list directories."""

from __future__ import annotations

import errno

from .. import _paths
from .._errors import os_error
from .._nodes.nodes import Directory
from .handles import OpenDirectory
from .protocol import (
    OPEN_OUT,
    READ_IN,
    RELEASE_IN,
    Op,
    Request,
    directory_entry,
)
from .served import Answer, Served


def _opendir(served: Served, request: Request) -> bytes:
    node = served.inodes.node(request.node)
    if not isinstance(node, Directory):
        raise os_error(errno.ENOTDIR)
    served.ask("listdir", node)
    return OPEN_OUT.pack(served.handles.add(OpenDirectory(node)), 0, 0)


def _readdir(served: Served, request: Request) -> bytes:
    number, position, size, *_ = READ_IN.unpack_from(request.body)
    handle: OpenDirectory = served.handles.find(number)
    if position == 0:  # at first, or rewound
        handle.begin()
    entries: list[bytes] = []
    for at in range(position, len(handle.names) + 2):
        entry = _entry(handle, at)
        size -= len(entry)
        if size < 0:
            break
        entries.append(entry)
    return b"".join(entries)


def _entry(handle: OpenDirectory, at: int) -> bytes:
    """Return the entry at a position, the first two of which are `.` and `..`."""
    directory = handle.node
    if at < 2:
        node = directory if at == 0 else directory.parent
        return directory_entry(id(node), at + 1, b"." * (at + 1), node.mode)
    name = handle.names[at - 2]
    found = directory.children.get(name)
    if found is None:  # removed since
        return b""
    return directory_entry(id(found), at + 1, _paths.encode(name), found.mode)


def _releasedir(served: Served, request: Request) -> bytes:
    number, *_ = RELEASE_IN.unpack_from(request.body)
    served.handles.close(number)
    return b""


ANSWERS: dict[int, Answer] = {
    Op.OPENDIR: _opendir,
    Op.READDIR: _readdir,
    Op.RELEASEDIR: _releasedir,
}
