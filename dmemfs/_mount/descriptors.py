"""Virtual descriptors: of directories, and of files where the kernel has none for them.

They are numbers that the kernel never gives out, so that one that is used where nothing is replaced
fails with EBADF, and never reaches somebody else's file. As in the kernel, a number leads to an
open file description, which has the position and the flags, and which several numbers may share.
"""

from __future__ import annotations

import errno
import operator
import os
from typing import Any

from .. import _platform
from .._errors import os_error
from .._files.raw import PositionedFile, as_bytes_like
from .._mutex import Mutex
from .._nodes.nodes import File
from .described import Described
from .lending import Lending
from .table import DirectoryPlace, Mounted

FIRST_DESCRIPTOR = 1 << 30
"""No kernel counts so far: Linux allows at most this many descriptors, numbered from 0."""

LARGEST_DESCRIPTOR = (1 << 31) - 1
"""A descriptor is a C int."""

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_SETTABLE = os.O_APPEND | _platform.O_NONBLOCK | _platform.O_NOATIME


class Position(PositionedFile):
    """A place in a file from which to read or write on, for a description without a file object."""

    __slots__ = ("_fs", "_node", "_position", "closed", "name")

    _seek_overflow = OverflowError

    def __init__(self, fs: Any, node: File, name: Any, position: int = 0) -> None:
        self._fs = fs
        self._node = node
        self._position = position
        self.name = name
        self.closed = False

    def _bad_whence(self, whence: int) -> Exception:
        return os_error(errno.EINVAL)


class OpenDescription(Described):
    """What a descriptor leads to: a file with a position, or a directory.

    Attributes:
        mount: where it was opened.
        node: the file or directory.
        cursor: the position in a file.
        directory: the place of a directory.
        flags: as given to `os.open`, or as set by `fcntl.fcntl`.
        numbers: how many descriptors lead here.
        opened_by: the code that opened it, and the instruction in it.
        grant: the lock that `fcntl.flock` holds.
        opening: what holds a file open, see `Tree._hold_open`.
    """

    __slots__ = (
        "cursor", "directory", "flags", "grant", "numbers", "opened_by", "opening",
    )  # fmt: skip

    def __init__(
        self, mount: Mounted, node: Any, cursor: Any, flags: int, opened_by: tuple[Any, int]
    ) -> None:
        self.mount = mount
        self.node = node
        self.cursor = cursor
        self.directory = DirectoryPlace(mount, node) if cursor is None else None
        self.flags = flags
        self.numbers = 0
        self.opened_by = opened_by
        self.grant: Any = None
        self.opening: Any = None

    def set_flags(self, flags: int) -> None:
        """Set what `fcntl(F_SETFL)` may set."""
        self.flags = (self.flags & ~_SETTABLE) | (flags & _SETTABLE)

    def require(self, writing: bool) -> Any:
        """Return the position, if the description is open for reading or for writing."""
        access = self.flags & _ACCESS
        if access == (os.O_RDONLY if writing else os.O_WRONLY):
            raise os_error(errno.EBADF)
        if self.cursor is None:
            raise os_error(errno.EBADF if writing else errno.EISDIR)
        return self.cursor

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        cursor = self.require(writing=False)
        if count < 0:
            raise os_error(errno.EINVAL)
        return self.mount.fs._read(cursor, count)

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        cursor = self.require(writing=True)
        plain = data if data.__class__ is bytes else as_bytes_like(data)
        return self.mount.fs._write(cursor, plain, len(plain), bool(self.flags & os.O_APPEND))

    def truncate(self, length: int) -> None:
        """Cut or extend the file to `length` bytes."""
        if self.flags & _ACCESS == os.O_RDONLY or self.cursor is None or length < 0:
            raise os_error(errno.EINVAL)
        self.mount.fs._truncate(self.node, operator.index(length), self.cursor.name)

    def at(self, position: int, *, writing: bool) -> OpenDescription:
        """Return a description of the same file with a position of its own."""
        cursor = self.require(writing)
        if operator.index(position) < 0:
            raise os_error(errno.EINVAL)
        own = Position(self.mount.fs, self.node, cursor.name, position)
        return OpenDescription(self.mount, self.node, own, self.flags, self.opened_by)

    def seek(self, position: int, whence: int) -> int:
        """Move the position as `os.lseek` does."""
        if self.cursor is None:
            if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
                raise os_error(errno.EINVAL)
            return 0
        return int(self.cursor._seek_to(position, whence))

    def release_lock(self) -> None:
        """Give back the lock of `fcntl.flock`."""
        grant, self.grant = self.grant, None
        if grant is not None:
            grant.release()

    def close(self) -> None:
        """Give back all that is held for the descriptors, of which none leads here any more."""
        self.release_lock()
        opening, self.opening = self.opening, None
        if opening is not None:
            opening.release()


class DescriptorTable:
    """The virtual descriptors of the process. Every operation is atomic to every other.

    Attributes:
        lent: the kernel's, which lead to files.
    """

    def __init__(self) -> None:
        self.lent = Lending()
        self._descriptions: dict[int, OpenDescription] = {}
        self._first = FIRST_DESCRIPTOR
        self._inheritable: set[int] = set()
        self._mutex = Mutex()

    def add(self, description: OpenDescription, least: int = FIRST_DESCRIPTOR) -> int:
        """Return the lowest free number from `least` on, leading to `description` from now on."""
        with self._mutex:
            number = max(least, self._first)
            if number in self._descriptions:
                number = self._free_number(number)
            self._descriptions[number] = description
            description.numbers += 1
            return number

    def renew_lock(self) -> None:
        """Forget who held the lock: that thread is not in a forked process."""
        self._mutex = Mutex()

    def _free_number(self, number: int) -> int:
        while number in self._descriptions:
            number += 1
        return number

    def find(self, number: Any) -> OpenDescription:
        """Return what a descriptor leads to.

        Raises:
            OSError: EBADF.
        """
        try:
            return self._descriptions[number]
        except KeyError:
            raise os_error(errno.EBADF) from None

    def directory(self, number: Any) -> DirectoryPlace | None:
        """Return the directory of a descriptor, None for a real one.

        Raises:
            OSError: EBADF, ENOTDIR.
        """
        description = self._descriptions.get(number) if number.__class__ is int else None
        if description is not None and description.directory is not None:
            return description.directory
        if (
            not hasattr(number, "__index__")
            or not FIRST_DESCRIPTOR <= operator.index(number) <= LARGEST_DESCRIPTOR
        ):
            return None  # real, or wrong, and the real function has the words for it
        directory = self.find(number).directory
        if directory is None:
            raise os_error(errno.ENOTDIR)
        return directory

    def put(self, number: int, description: OpenDescription) -> None:
        """Let a number lead to `description`, wherever it led before."""
        with self._mutex:
            former = self._descriptions.get(number)
            if former is description:
                return
            if former is not None:
                self.close(number)
            self._descriptions[number] = description
            description.numbers += 1

    def close(self, number: int) -> None:
        """Let a number lead nowhere.

        Raises:
            OSError: EBADF.
        """
        with self._mutex:
            self.find(number)
            description = self._descriptions.pop(number)
            self._inheritable.discard(number)
            description.numbers -= 1
        if not description.numbers:
            description.close()

    def set_inheritable(self, number: int, inheritable: bool) -> None:
        """Keep what no child process will ever see, to be asked for it again."""
        self.find(number)
        (self._inheritable.add if inheritable else self._inheritable.discard)(number)

    def is_inheritable(self, number: int) -> bool:
        """Tell what `set_inheritable` was told."""
        self.find(number)
        return number in self._inheritable

    def numbers_between(self, low: int, high: int) -> list[int]:
        """Return the numbers in use from `low` to below `high`."""
        with self._mutex:
            return [number for number in self._descriptions if low <= number < high]

    def take_away(self, mount: Mounted) -> list[tuple[int, OpenDescription]]:
        """Close what is open in `mount`, and return it.

        Its numbers are not used again: a file object may still hold one.
        """
        with self._mutex:
            left = [
                (number, description)
                for number, description in self._descriptions.items()
                if description.mount is mount
            ]
            self._drop(left)
        return left

    def _drop(self, left: list[tuple[int, OpenDescription]]) -> None:
        for number, description in left:
            del self._descriptions[number]
            self._inheritable.discard(number)
            description.numbers -= 1
            description.close()
            self._first = max(self._first, number + 1)
