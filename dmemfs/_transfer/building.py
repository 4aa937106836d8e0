"""Building a tree from entries, in a file system that nobody else has yet."""

from __future__ import annotations

import stat
from collections.abc import Callable

from .. import _paths
from .._errors import QuotaExceededError
from .._nodes.nodes import Node, Owner
from .._tree.cursors import FixedCursor
from .._tree.tree import Tree
from .entries import Entry, Metadata
from .progress import Meter

Refusal = Callable[[str, str], Exception]
"""Makes the exception for a path and the reason why there can be no such entry."""


class TreeBuilder:
    """Puts entries into an empty file system that no other thread knows.

    Args:
        fs: the file system.
        meter: told of what is done.
        refuse: makes the exception for an entry that cannot be.
    """

    def __init__(self, fs: Tree, meter: Meter, refuse: Refusal) -> None:
        self._fs = fs
        self._meter = meter
        self._refuse = refuse
        self._directories = {""}
        self._unfinished: list[tuple[Node, Metadata]] = []
        self._limits: list[tuple[str, int | None, int | None]] = []
        self._owners: dict[Owner, Owner] = {}

    def add(self, entry: Entry) -> None:
        """Make what an entry says.

        Raises:
            QuotaExceededError: it does not fit.
        """
        path = "/" + entry.path
        self._check(entry)
        self._meter.begin(entry.path)
        try:
            if entry.kind == "directory":
                self._directories.add(entry.path)
                if entry.quota is not None and entry.path:
                    self._limits.append((path, *entry.quota))
                if entry.path:
                    self._fs.mkdir(path)
            elif entry.kind == "symlink":
                self._fs.symlink(entry.target, path)
            elif entry.kind == "link":
                self._link("/" + entry.target, path)
            else:
                file = self._fs._file_to_open(path, create=True, exclusive=True)
        except QuotaExceededError:
            raise
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise self._refuse(entry.path, reason or str(error)) from error
        if entry.kind == "file":
            cursor = FixedCursor(file, 0, path)
            for position, piece in entry.read():
                cursor._position = position
                self._fs._write(cursor, piece, len(piece))
                self._meter.add(len(piece))
            if file.size != entry.size:
                self._fs._truncate(file, entry.size, path)
        if entry.metadata is not None:
            node = self._fs._find(path, follow=False)
            if entry.kind == "directory":  # its times change while it is filled
                self._unfinished.append((node, entry.metadata))
            else:
                self._set(node, entry.metadata)

    def finish(self) -> None:
        """Give the directories their attributes and their limits.

        Raises:
            QuotaExceededError: what is in a directory does not fit into its own limits.
        """
        # Files of several names are counted around a directory that gets a limit now. So what
        # another directory had counted for them cannot make a limit too small.
        for path, max_bytes, max_nodes in self._limits:
            self._fs.set_quota(path, max_bytes, max_nodes=max_nodes)
        for node, metadata in self._unfinished:
            self._set(node, metadata)

    def _link(self, first: str, path: str) -> None:
        node = self._fs._find(first, follow=False)
        ctime = node.ctime
        self._fs.link(first, path)
        node.ctime = ctime  # as it was given already

    def _check(self, entry: Entry) -> None:
        above, _, name = entry.path.rpartition("/")
        if entry.path and (name in _paths.SPECIAL_NAMES or above not in self._directories):
            raise self._refuse(entry.path, "it is in no directory")
        if entry.path in self._directories and (entry.path or entry.kind != "directory"):
            raise self._refuse(entry.path, "it is there twice")
        if entry.kind == "link" and (
            entry.target in self._directories
            or entry.target.rpartition("/")[0] not in self._directories
        ):
            raise self._refuse(entry.path, "it is another name of what is no file")

    def _set(self, node: Node, metadata: Metadata) -> None:
        node.mode = stat.S_IFMT(node.mode) | metadata.mode & 0o7777
        node.owner = self._owners.setdefault(metadata.owner, metadata.owner)
        node.atime, node.mtime, node.ctime = metadata.atime, metadata.mtime, metadata.ctime
