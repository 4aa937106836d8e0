"""What the functions of `os` do that take a descriptor and do little, by their names."""

from __future__ import annotations

import errno
import os
import posix
from collections.abc import Callable
from typing import Any

from ..._errors import os_error
from ..descriptors import DescriptorTable, OpenDescription, Position
from ..lending import Lending
from .attributes import limit, with_identity

_posix_fallocate = posix.posix_fallocate
_real_dup = posix.dup

_PIECE = 1 << 20

Simple = Callable[..., Any]


# What functions that take a descriptor first do with a virtual one.


def _fstat(descriptors: DescriptorTable, fd: int) -> os.stat_result:
    return descriptors.find(fd).status()


def _known(descriptors: DescriptorTable, fd: int, *_: Any) -> None:
    descriptors.find(fd)


def _ftruncate(descriptors: DescriptorTable, fd: int, length: int) -> None:
    descriptors.find(fd).truncate(length)


def _fallocate(descriptors: DescriptorTable, fd: int, offset: int, length: int) -> None:
    description = descriptors.find(fd)
    description.require(writing=True)
    if offset < 0 or length <= 0:
        raise os_error(errno.EINVAL)
    end = offset + length
    for position in range(offset, end, _PIECE):
        count = min(_PIECE, end - position)
        here = OpenDescription(
            description.mount,
            description.node,
            Position(description.mount.fs, description.node, description.cursor.name, position),
            os.O_RDWR,
            description.opened_by,
        )
        data = here.read(count)
        here.cursor._position = position
        here.write(data.ljust(count, b"\0"))  # what was a hole is none any more


def _fstatvfs(descriptors: DescriptorTable, fd: int) -> os.statvfs_result:
    return with_identity(descriptors.find(fd).mount.fs)


def _fpathconf(descriptors: DescriptorTable, fd: int, name: Any) -> int:
    descriptors.find(fd)
    return limit(name)


def _false(descriptors: DescriptorTable, fd: int) -> bool:
    descriptors.find(fd)
    return False


def _true(descriptors: DescriptorTable, fd: int) -> bool:
    descriptors.find(fd)
    return True


def _isatty(descriptors: DescriptorTable, fd: int) -> bool:
    return False


def _dup(descriptors: DescriptorTable, fd: int) -> int:
    return descriptors.add(descriptors.find(fd))


# What they do with a real one that leads to a mounted file.


def _fstat_of_lent(lending: Lending, fd: int) -> Any:
    return lending.numbers[fd].status()


def _fallocate_lent(lending: Lending, fd: int, offset: int, length: int) -> None:
    lending.grow(fd, length, offset, lambda: _posix_fallocate(fd, offset, length))


def _fstatvfs_of_lent(lending: Lending, fd: int) -> os.statvfs_result:
    return with_identity(lending.numbers[fd].mount.fs)


def _fpathconf_of_lent(lending: Lending, fd: int, name: Any) -> int:
    return limit(name)


def _dup_lent(lending: Lending, fd: int) -> int:
    copy = _real_dup(fd)
    lending.duplicated(fd, copy)
    return copy


OF_LENT: dict[str, Simple] = {
    "fstat": _fstat_of_lent,
    "ftruncate": Lending.truncate,
    "posix_fallocate": _fallocate_lent,
    "fstatvfs": _fstatvfs_of_lent,
    "fpathconf": _fpathconf_of_lent,
    "dup": _dup_lent,
}

OF_VIRTUAL: dict[str, Simple] = {
    "fstat": _fstat,
    "fsync": _known,
    "fdatasync": _known,
    "ftruncate": _ftruncate,
    "posix_fallocate": _fallocate,
    "posix_fadvise": _known,
    "fstatvfs": _fstatvfs,
    "fpathconf": _fpathconf,
    "isatty": _isatty,
    "device_encoding": _known,
    "dup": _dup,
    "get_blocking": _true,
    "set_blocking": _known,
    "get_inheritable": DescriptorTable.is_inheritable,
    "set_inheritable": DescriptorTable.set_inheritable,
    "lockf": _known,
}
