"""Requests that are about the entries of directories."""

from __future__ import annotations

import errno
import stat
from functools import partial
from typing import Any

from .. import _paths
from .._errors import os_error
from .._nodes.nodes import Node, Symlink
from .protocol import (
    BATCH_FORGET_IN,
    FORGET_IN,
    FORGET_ONE,
    LINK_IN,
    MKDIR_IN,
    MKNOD_IN,
    RENAME2_IN,
    RENAME_IN,
    Op,
    Request,
    entry_out,
)
from .served import Answer, Served

_NO_REPLACE = 1
_EXCHANGE = 2
_OWN_BITS = 0o7777


def _lookup(served: Served, request: Request) -> bytes:
    (name,) = request.names(0)
    return entry_of(served, request.node, name)


def entry_of(served: Served, number: int, name: str) -> bytes:
    """Return the answer that tells what is at a name in a directory.

    Raises:
        OSError: ENOENT, and what the directory has against it.
    """
    directory = served.inodes.directory(number)
    node = directory.children.get(name)
    if node is None:
        code = errno.ENAMETOOLONG if _paths.too_long(name, _paths.NAME_MAX) else errno.ENOENT
        raise os_error(code, name)
    return entry_out(served.inodes.met(node, directory, name), node)


def _forget(served: Served, request: Request) -> None:
    served.inodes.forget(request.node, *FORGET_IN.unpack_from(request.body))


def _forget_many(served: Served, request: Request) -> None:
    count, _ = BATCH_FORGET_IN.unpack_from(request.body)
    start = BATCH_FORGET_IN.size
    many = request.body[start : start + count * FORGET_ONE.size]
    for number, lookups in FORGET_ONE.iter_unpack(many):
        served.inodes.forget(number, lookups)


def _readlink(served: Served, request: Request) -> bytes:
    node = served.inodes.node(request.node)
    if not isinstance(node, Symlink):
        raise os_error(errno.EINVAL)
    served.ask("readlink", node)
    return _paths.encode(node.target)


def _symlink(served: Served, request: Request) -> bytes:
    name, target = request.names(0)
    make = partial(served.fs.symlink, target)
    return _made(served, request, name, make, None)


def _mknod(served: Served, request: Request) -> bytes:
    mode, *_ = MKNOD_IN.unpack_from(request.body)
    (name,) = request.names(MKNOD_IN.size)
    if stat.S_IFMT(mode) != stat.S_IFREG:
        raise os_error(errno.EPERM, name)  # there are no special files here
    served.ask("open", served.inodes.directory(request.node), changes=True)
    make = partial(served.fs._file_to_open, create=True, exclusive=True)
    return _made(served, request, name, make, mode)


def _mkdir(served: Served, request: Request) -> bytes:
    mode, _ = MKDIR_IN.unpack_from(request.body)
    (name,) = request.names(MKDIR_IN.size)
    return _made(served, request, name, served.fs.mkdir, mode)


def _made(served: Served, request: Request, name: str, make: Any, mode: int | None) -> bytes:
    """Make an entry, and return the answer that tells what is there."""
    path = served.path_in(request.node, name)
    make(path)
    directory = served.inodes.directory(request.node)
    node = directory.children.get(name)
    if node is None:  # somebody has removed it since
        raise os_error(errno.ENOENT, path)
    settle(served, node, request.owner, mode)
    return entry_out(served.inodes.met(node, directory, name), node)


def settle(served: Served, node: Node, owner: tuple[int, int], mode: int | None) -> None:
    """Give what was made the owner and the mode that the program wants.

    Args:
        served: where.
        node: what was made.
        owner: of the program; a directory may have handed on its group.
        mode: permission bits, from which the umask was taken; None leaves them.
    """
    if node.owner[0] != owner[0] or (node.owner[1] != owner[1] and node.owner == served.fs._owner):
        handed_on = node.owner[1] != served.fs._owner[1]
        served.fs._set_owner(node, owner[0], -1 if handed_on else owner[1])
    if mode is not None:
        wanted = mode & _OWN_BITS | node.mode & stat.S_ISGID
        if wanted != node.mode & _OWN_BITS:
            served.fs._set_mode(node, wanted)


def _unlink(served: Served, request: Request) -> bytes:
    (name,) = request.names(0)
    served.fs.remove(served.path_in(request.node, name))
    return b""


def _rmdir(served: Served, request: Request) -> bytes:
    (name,) = request.names(0)
    served.fs.rmdir(served.path_in(request.node, name))
    return b""


def _rename(served: Served, request: Request) -> bytes:
    (new,) = RENAME_IN.unpack_from(request.body)
    return _renamed(served, request, new, RENAME_IN.size, 0)


def _rename_by_flags(served: Served, request: Request) -> bytes:
    new, flags, _ = RENAME2_IN.unpack_from(request.body)
    return _renamed(served, request, new, RENAME2_IN.size, flags)


def _renamed(served: Served, request: Request, new: int, start: int, flags: int) -> bytes:
    old_name, new_name = request.names(start)
    src, dst = served.path_in(request.node, old_name), served.path_in(new, new_name)
    fs = served.fs
    if not flags:
        fs.rename(src, dst)
    elif flags == _NO_REPLACE:
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if fs._peek(dst, follow=False) is not None:
                raise os_error(errno.EEXIST, src, dst)
            fs.rename(src, dst)
        finally:
            fs._unlock()
    elif flags == _EXCHANGE:
        fs._do_all_or_nothing(partial(_exchange, fs, src, dst))
    else:
        raise os_error(errno.EINVAL, src, dst)
    return b""


def _exchange(fs: Any, src: str, dst: str) -> None:
    """Let two entries have each other's name, with the lock held."""
    if fs._peek(dst, follow=False) is None:
        raise os_error(errno.ENOENT, src, dst)
    number = 0
    while fs._peek(aside := f"{src.rpartition('/')[0]}/.exchanged-{number}", follow=False):
        number += 1
    fs.rename(src, aside)
    fs.rename(dst, src)
    fs.rename(aside, dst)


def _link(served: Served, request: Request) -> bytes:
    (number,) = LINK_IN.unpack_from(request.body)
    (name,) = request.names(LINK_IN.size)
    src = served.inodes.path_of(served.inodes.node(number))
    dst = served.path_in(request.node, name)
    if src is None:
        raise os_error(errno.ENOENT, dst)
    served.fs.link(src, dst)
    return entry_of(served, request.node, name)


ANSWERS: dict[int, Answer] = {
    Op.LOOKUP: _lookup,
    Op.FORGET: _forget,
    Op.BATCH_FORGET: _forget_many,
    Op.READLINK: _readlink,
    Op.SYMLINK: _symlink,
    Op.MKNOD: _mknod,
    Op.MKDIR: _mkdir,
    Op.UNLINK: _unlink,
    Op.RMDIR: _rmdir,
    Op.RENAME: _rename,
    Op.RENAME2: _rename_by_flags,
    Op.LINK: _link,
}
