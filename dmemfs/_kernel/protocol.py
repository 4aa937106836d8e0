"""The messages between the kernel and a file system, as `linux/fuse.h` lays them out."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag

from .. import _paths
from .._nodes.blocks import BLOCK_SIZE
from .._nodes.nodes import File, Node, Symlink

MAJOR, MINOR = 7, 31
"""What is spoken here; a later kernel speaks it too."""

LARGEST_WRITE = 1 << 20
"""Bytes that one request reads or writes at the most, as far as the kernel goes."""

_PAGE = 4096
BUFFER_SIZE = LARGEST_WRITE + 2 * _PAGE
"""Bytes of the largest request, its head included."""

ROOT = 1
"""The number by which the kernel knows the root."""

_NANO = 1_000_000_000
_ALL_BITS = (1 << 64) - 1


class Op(IntEnum):
    """What the kernel asks for."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    GETLK = 31
    SETLK = 32
    SETLKW = 33
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    FALLOCATE = 43
    RENAME2 = 45
    LSEEK = 46


class Ability(IntFlag):
    """What both sides may say at the beginning that they can do."""

    ASYNC_READ = 1 << 0
    POSIX_LOCKS = 1 << 1
    ATOMIC_O_TRUNC = 1 << 3
    BIG_WRITES = 1 << 5
    FLOCK_LOCKS = 1 << 10
    AUTO_INVAL_DATA = 1 << 12
    PARALLEL_DIROPS = 1 << 18
    MAX_PAGES = 1 << 22


class Change(IntFlag):
    """Which fields of SETATTR are meant."""

    MODE = 1 << 0
    UID = 1 << 1
    GID = 1 << 2
    SIZE = 1 << 3
    ATIME = 1 << 4
    MTIME = 1 << 5
    ATIME_NOW = 1 << 7
    MTIME_NOW = 1 << 8


GETATTR_OF_HANDLE = 1
WRITE_OF_MAPPING = 1
RELEASE_OF_FLOCK = 2
LOCK_IS_FLOCK = 1

IN_HEAD = struct.Struct("<IIQQIIII")
_OUT_HEAD = struct.Struct("<IiQ")

_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("<QQQQII")
_ATTRIBUTES_OUT = struct.Struct("<QII")
_INIT_OUT = struct.Struct("<IIIIHHIIHHI7I")
_STATFS_OUT = struct.Struct("<QQQQQIIII6I")
_DIRECTORY_ENTRY = struct.Struct("<QQII")

FORGET_IN = struct.Struct("<Q")
BATCH_FORGET_IN = struct.Struct("<II")
FORGET_ONE = struct.Struct("<QQ")
GETATTR_IN = struct.Struct("<IIQ")
SETATTR_IN = struct.Struct("<IIQQQQQQIIIIIIII")
MKNOD_IN = struct.Struct("<IIII")
MKDIR_IN = struct.Struct("<II")
RENAME_IN = struct.Struct("<Q")
RENAME2_IN = struct.Struct("<QII")
LINK_IN = struct.Struct("<Q")
OPEN_IN = struct.Struct("<II")
OPEN_OUT = struct.Struct("<QII")
CREATE_IN = struct.Struct("<IIII")
READ_IN = struct.Struct("<QQIIQII")
WRITE_IN = struct.Struct("<QQIIQII")
WRITE_OUT = struct.Struct("<II")
RELEASE_IN = struct.Struct("<QIIQ")
FLUSH_IN = struct.Struct("<QIIQ")
INIT_IN = struct.Struct("<IIII")
LOCK_IN = struct.Struct("<QQQQIIII")
LOCK_OUT = struct.Struct("<QQII")
INTERRUPT_IN = struct.Struct("<Q")
FALLOCATE_IN = struct.Struct("<QQQII")
LSEEK_IN = struct.Struct("<QQII")
LSEEK_OUT = struct.Struct("<Q")


class Request:
    """What the kernel asks.

    Attributes:
        op: for what, as of `Op`.
        unique: the number by which it is answered.
        node: the number of what it is about.
        owner: the user id and the group id of the program.
        body: what follows; of the buffer, so only until the request is answered.
    """

    __slots__ = ("body", "node", "op", "owner", "unique")

    def __init__(self, op: int, unique: int, node: int, owner: tuple[int, int], body: memoryview):
        self.op = op
        self.unique = unique
        self.node = node
        self.owner = owner
        self.body = body

    def names(self, start: int) -> Iterator[str]:
        """Yield the names that the body has from `start` on, each with a zero behind it."""
        for name in bytes(self.body[start:]).split(b"\0")[:-1]:
            yield name.decode("utf-8", "surrogateescape")


def requested(message: memoryview) -> Request:
    """Return the request that a message of the kernel is."""
    _, op, unique, node, uid, gid, _, _ = IN_HEAD.unpack_from(message)
    return Request(op, unique, node, (uid, gid), message[IN_HEAD.size :])


def head_of_answer(unique: int, size: int) -> bytes:
    """Return what stands before `size` bytes of an answer."""
    return _OUT_HEAD.pack(_OUT_HEAD.size + size, 0, unique)


def error_answer(unique: int, code: int) -> bytes:
    """Return the answer that says no, by an errno."""
    if not 0 < code < 512:  # the kernel takes no others
        code = errno.EIO
    return _OUT_HEAD.pack(_OUT_HEAD.size, -code, unique)


def init_out(kernel_minor: int, read_ahead: int, abilities: int) -> bytes:
    """Return the answer to INIT."""
    pages = LARGEST_WRITE // _PAGE
    background = 64
    return _INIT_OUT.pack(
        MAJOR, min(MINOR, kernel_minor), read_ahead, abilities,
        background, background * 3 // 4, LARGEST_WRITE, 1, pages, 0, 0, *([0] * 7),
    )  # fmt: skip


def attributes(node: Node) -> bytes:
    """Return the attributes of a node."""
    size = stored = 0
    if isinstance(node, File):
        size, stored = node.size, node.stored_bytes()
    elif isinstance(node, Symlink):
        size = len(_paths.encode(node.target))
    user, group = node.owner
    atime, atime_ns = divmod(node.atime, _NANO)
    mtime, mtime_ns = divmod(node.mtime, _NANO)
    ctime, ctime_ns = divmod(node.ctime, _NANO)
    return _ATTRIBUTES.pack(
        id(node), size, (stored + 511) >> 9,
        atime & _ALL_BITS, mtime & _ALL_BITS, ctime & _ALL_BITS, atime_ns, mtime_ns, ctime_ns,
        node.mode, node.nlink, user & 0xFFFFFFFF, group & 0xFFFFFFFF, 0, BLOCK_SIZE, 0,
    )  # fmt: skip


# What this process changes, the kernel is not told of. So it is let believe nothing for any time,
# and asks again: for the attributes before each read too, and reads anew what has another time.

_UNTIL_ASKED_AGAIN = _ATTRIBUTES_OUT.pack(0, 0, 0)


def attributes_out(node: Node) -> bytes:
    """Return the answer that tells the attributes of a node."""
    return _UNTIL_ASKED_AGAIN + attributes(node)


def entry_out(number: int, node: Node) -> bytes:
    """Return the answer that tells what is at a name, and the number by which it is known."""
    return _ENTRY.pack(number, 0, 0, 0, 0, 0) + attributes(node)


def statfs_out(blocks: int, free: int, files: int, free_files: int, block_size: int) -> bytes:
    """Return the answer to STATFS, in blocks of `block_size` bytes."""
    return _STATFS_OUT.pack(
        blocks,
        free,
        free,
        files,
        free_files,
        block_size,
        _paths.NAME_MAX,
        block_size,
        0,
        *([0] * 6),
    )


def directory_entry(ino: int, position: int, name: bytes, mode: int) -> bytes:
    """Return one entry of a directory.

    Args:
        ino: its inode number.
        position: where the next one is.
        name: its name.
        mode: of the node.
    """
    padding = b"\0" * (-len(name) & 7)
    return _DIRECTORY_ENTRY.pack(ino, position, len(name), mode >> 12 & 15) + name + padding
