"""What programs have open."""

from __future__ import annotations

import errno
import itertools
import os
from typing import Any

from .._errors import os_error
from .._nodes.nodes import Directory, File
from .._tree.cursors import FixedCursor

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


class OpenFile:
    """A file that is open.

    Attributes:
        node: the file.
        name: the path by which it was found, None where it is not known.
    """

    __slots__ = ("_opening", "name", "node")

    def __init__(self, node: File, name: str | None, opening: Any) -> None:
        self.node = node
        self.name = name
        self._opening = opening

    def at(self, position: int) -> FixedCursor:
        """Return a cursor in the file."""
        return FixedCursor(self.node, position, self.name)

    def close(self) -> None:
        """Give back what is held for it."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.release()


class OpenDirectory:
    """A directory that is being listed.

    Attributes:
        node: the directory.
        names: of its entries, as they were when the listing began.
    """

    __slots__ = ("names", "node")

    def __init__(self, node: Directory) -> None:
        self.node = node
        self.names: list[str] = []

    def begin(self) -> None:
        """Look at what is there now."""
        self.names = list(self.node.children.keys())

    def close(self) -> None:
        """Do nothing: nothing is held for it."""


class Handles:
    """All of them, by the numbers that the kernel has got. Every operation is atomic."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, handle: OpenFile | OpenDirectory) -> int:
        """Return the number by which the kernel is to name it."""
        number = next(self._numbers)
        self._open[number] = handle
        return number

    def find(self, number: int) -> Any:
        """Return what has a number. Raises OSError (EBADF)."""
        try:
            return self._open[number]
        except KeyError:
            raise os_error(errno.EBADF) from None

    def close(self, number: int) -> None:
        """Close what has a number, if there is something."""
        handle = self._open.pop(number, None)
        if handle is not None:
            handle.close()

    def close_all(self) -> None:
        """Close everything."""
        for number in list(self._open):
            self.close(number)


def may_change(flags: int) -> bool:
    """Tell whether a file is opened, by such flags, to be changed."""
    return bool(flags & (os.O_TRUNC | os.O_CREAT)) or flags & _ACCESS != os.O_RDONLY
