"""The nodes of the tree: directories, files, symbolic links."""

from __future__ import annotations

from typing import Any, TypeAlias

from .accounts import Account, ByteAccount
from .content import BlockList, Content

LARGEST_FILE = (1 << 63) - 1
"""Bytes, as the kernel counts them."""

_TARGET_OF_ONE_NODE = 512
"""Characters."""

Owner: TypeAlias = tuple[int, int]
"""The user id and the group id of a node; one tuple serves all nodes of one owner."""


class Node:
    """What every node has: a mode, an owner, link count and times.

    Attributes:
        mode: file type and permission bits, as in `os.stat_result.st_mode`.
        nlink: the number of directory entries that lead to this node.
        mtime, ctime, atime: nanoseconds since the epoch.
        told: what `stat` told of it, and what that was made of; the `ctime` of then, if it was told
            once only; or None.
        account: where this node and its bytes are counted; of a directory, what is below it.
        counts_as: how many nodes it is for a limit of nodes.
    """

    __slots__ = (
        "__weakref__", "account", "atime", "ctime", "mode", "mtime", "nlink", "owner", "told",
    )  # fmt: skip

    mode: int
    owner: Owner
    nlink: int
    mtime: int
    ctime: int
    atime: int
    told: Any
    account: ByteAccount
    counts_as: int = 1

    @property
    def ino(self) -> int:
        """The inode number: unique among the nodes that exist, as POSIX asks."""
        return id(self)


class Directory(Node):
    """A directory.

    Attributes:
        children: its entries in the order in which they were made.
        parent: the directory above; the root is its own parent.
        removed: whether it was taken out of the tree: nothing can be made in it any more.
        remembered: whether it, or a directory below it, may be remembered by the text of a path.
    """

    __slots__ = ("children", "parent", "remembered", "removed")

    account: Account
    children: dict[str, Node]
    parent: Directory
    removed: bool
    remembered: bool


class MountPoint(Directory):
    """A directory at which another file system is shown.

    A directory becomes one, and goes back, by a change of its class: what asks for an ordinary
    directory on the way of a path meets it, and nothing else pays for it.
    """

    __slots__ = ()

    def __new__(cls) -> Any:
        """Return an ordinary directory: a copy is one."""
        return Directory()


class File(Node):
    """A regular file.

    Attributes:
        content: its bytes, in one of the forms of `dmemfs._nodes.content`.
        size: its length in bytes, always that of `content`.
        kernel_has_it: whether the kernel has it too, see `dmemfs._nodes.kernel_files`.
    """

    __slots__ = ("content", "size")

    content: Content
    size: int
    kernel_has_it = False

    def stored_bytes(self) -> int:
        """Return the bytes that the quota counts: all but holes."""
        content = self.content
        return content.counted if type(content) is BlockList else self.size


class Symlink(Node):
    """A symbolic link.

    Attributes:
        target: the path that it holds, unresolved. It takes memory that no limit of bytes counts,
            so that a long one counts as several nodes.
    """

    __slots__ = ("counts_as", "target")

    target: str
    counts_as: int

    def lead_to(self, target: str) -> None:
        """Hold a path, before the link is in the tree."""
        self.target = target
        self.counts_as = 1 + len(target) // _TARGET_OF_ONE_NODE
