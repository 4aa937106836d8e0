"""The nodes that the kernel knows by number, and how to come from one to its path."""

from __future__ import annotations

import errno
import weakref

from .. import _paths
from .._errors import os_error
from .._mutex import Mutex
from .._nodes.nodes import Directory, Node
from .protocol import ROOT


class Inode:
    """A node that the kernel knows.

    It does not keep the node: the kernel remembers for long what nobody needs any more, and a file
    without a name takes room as long as something refers to it.

    Attributes:
        number: by which the kernel knows it.
        node: returns the node, None if it is gone.
        identity: that of the node.
        lookups: how often the kernel was told of it, and has not forgotten that.
        directory: returns the directory in which it was found last.
        name: under which name.
    """

    __slots__ = ("directory", "identity", "lookups", "name", "node", "number")

    def __init__(self, number: int, node: Node) -> None:
        self.number = number
        self.node = weakref.ref(node)
        self.identity = id(node)
        self.lookups = 0
        self.directory: weakref.ref[Directory] | None = None
        self.name = ""


class Inodes:
    """What the kernel knows of one file system.

    Args:
        root: the directory that is shown.
    """

    def __init__(self, root: Directory) -> None:
        self._mutex = Mutex()
        self._root = root
        inode = Inode(ROOT, root)
        self._by_number = {ROOT: inode}
        self._by_identity = {id(root): inode}
        self._next = ROOT + 1

    def __len__(self) -> int:
        return len(self._by_number)

    def node(self, number: int) -> Node:
        """Return the node that the kernel knows by a number.

        Raises:
            OSError: ESTALE, it is gone.
        """
        try:
            node = self._by_number[number].node()
        except KeyError:
            node = None
        if node is None:
            raise os_error(errno.ESTALE)
        return node

    def directory(self, number: int) -> Directory:
        """Return the directory of a number, in which something is to be looked for or made.

        Raises:
            OSError: ESTALE; ENOTDIR; ENOENT, it was removed.
        """
        node = self.node(number)
        if not isinstance(node, Directory):
            raise os_error(errno.ENOTDIR)
        if node.removed:
            raise os_error(errno.ENOENT)
        return node

    def met(self, node: Node, directory: Directory, name: str) -> int:
        """Return the number of a node, of which the kernel is told that it is at this name."""
        with self._mutex:
            inode = self._by_identity.get(id(node))
            if inode is None or inode.node() is not node:  # one that is gone was there
                inode = Inode(self._next, node)
                self._next += 1
                self._by_number[inode.number] = self._by_identity[id(node)] = inode
            inode.lookups += 1
            inode.directory = weakref.ref(directory)
            inode.name = name
            return inode.number

    def forget(self, number: int, count: int) -> None:
        """Know that the kernel has forgotten what it was told of a node, so many times."""
        with self._mutex:
            inode = self._by_number.get(number)
            if inode is None or number == ROOT:
                return
            inode.lookups -= count
            if inode.lookups <= 0:
                del self._by_number[number]
                if self._by_identity.get(inode.identity) is inode:
                    del self._by_identity[inode.identity]

    def path_of(self, node: Node) -> str | None:
        """Return a path of a node, None where none is known.

        Complexity: O(depth); and O(entries) of each directory above that was renamed since.
        """
        if isinstance(node, Directory):
            return self.path_of_directory(node)
        inode = self._by_identity.get(id(node))
        above = None if inode is None or inode.directory is None else inode.directory()
        if inode is None or above is None or above.children.get(inode.name) is not node:
            return None
        try:
            return _paths.join(self.path_of_directory(above), inode.name)
        except OSError:
            return None

    def path_of_directory(self, directory: Directory) -> str:
        """Return the path of a directory.

        Raises:
            OSError: ENOENT, it was removed.
        """
        names = []
        while directory is not self._root:
            above = directory.parent
            if directory.removed or above is directory:
                raise os_error(errno.ENOENT)
            names.append(self._name_in(above, directory))
            directory = above
        return "/" + "/".join(reversed(names))

    def _name_in(self, above: Directory, directory: Directory) -> str:
        inode = self._by_identity.get(id(directory))
        if inode is not None and above.children.get(inode.name) is directory:
            return inode.name
        for name in list(above.children.keys()):
            if above.children.get(name) is directory:
                return name
        raise os_error(errno.ENOENT)
