"""A file system as the kernel sees it: what it knows, has open and has locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._nodes.nodes import Node
from .handles import Handles
from .inodes import Inodes
from .locking import FileLocks
from .protocol import Request


class Served:
    """A file system, and what the kernel knows of it.

    Args:
        fs: the file system.
        answer: answers a request that was not answered at once: by its number, with an errno, or 0.

    Attributes:
        fs, answer: as given.
        inodes, handles, locks: see there.
        at_work: the requests that are being answered and cannot be interrupted.
    """

    def __init__(self, fs: Any, answer: Callable[[int, int], None]) -> None:
        self.fs = fs
        self.answer = answer
        self.inodes = Inodes(fs._root)
        self.handles = Handles()
        self.locks = FileLocks(fs, answer)
        self.at_work: set[int] = set()

    def ask(self, operation: str, node: Node, *, changes: bool | None = None) -> None:
        """Raise what somebody has against an operation, see `Tree._ask`."""
        if self.fs._interceptors:
            path = self.inodes.path_of(node)
            paths = () if path is None else (path,)
            self.fs._ask(operation, *paths, node=node, changes=changes)

    def path_in(self, number: int, name: str) -> str:
        """Return the path of a name in the directory of a number. Raises OSError."""
        above = self.inodes.path_of_directory(self.inodes.directory(number))
        return f"{above}/{name}" if above != "/" else f"/{name}"

    def close(self) -> None:
        """Give back all that programs have open and have locked."""
        self.locks.release_all()
        self.handles.close_all()


Answer: TypeAlias = Callable[[Served, Request], bytes | None]
"""Does what is asked for and returns what is to be answered, None if nothing is, or not yet."""
