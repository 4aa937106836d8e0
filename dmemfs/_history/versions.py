"""Versions: what nodes and entries were, as the difference to what followed."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from .._mutex import Lock
from .._nodes.accounts import Account, ByteAccount
from .._nodes.blocks import BlockPool
from .._nodes.content import BlockList, content_size
from .._nodes.kernel_files import KernelContent, KernelFile
from .._nodes.nodes import Directory, File, Node, Owner, Symlink

FileState: TypeAlias = tuple[bytes | BlockList, int, int, int, int, int, Owner, int, ByteAccount]
"""content, size, mode, mtime, ctime, atime, owner, nlink, account"""

LinkState: TypeAlias = tuple[int, int, int, int, Owner, int, ByteAccount]
"""mode, mtime, ctime, atime, owner, nlink, account"""

DirectoryAttributes: TypeAlias = tuple[int, int, int, int, Owner, int, Account, Directory, bool]
"""mode, mtime, ctime, atime, owner, nlink, account, parent, removed"""

AccountState: TypeAlias = tuple[Account, Account, int, int, bool, int, int]
"""account, parent, byte_limit, node_limit, in_use, and the used bytes and nodes of what was in the
tree"""

FILE_NLINK, LINK_NLINK, REMOVED = 7, 5, 8
"""Where these states tell whether there is such a node at all."""

MOST_ORDERED = 4096
"""The most entries of a directory whose order a restore brings back."""


class DirectoryState:
    """What a directory was.

    Attributes:
        attributes: all but its entries.
        entries: the nodes that names led to, None for nothing, of those names only that changed.
        order: the names there were, and perhaps later ones, in their order; None if none of them
            was taken away since, or if there are more than `MOST_ORDERED`.
    """

    __slots__ = ("attributes", "entries", "order")

    def __init__(
        self,
        attributes: DirectoryAttributes,
        entries: dict[str, Node | None],
        order: list[str] | None,
    ) -> None:
        self.attributes = attributes
        self.entries = entries
        self.order = order

    def entries_before(self, entries: dict[str, Node]) -> dict[str, Node]:
        """Return all entries that there were, from those that followed. Complexity: O(entries)."""
        before = dict(entries)
        for name, child in list(self.entries.items()):
            if child is not None:
                before[name] = child
            else:
                before.pop(name, None)
        if self.order is not None:
            before = {**{name: before[name] for name in self.order if name in before}, **before}
        return before


class Version:
    """A state of the file system, as the difference to the next one.

    Attributes:
        following: the next version on the way to the present; None for the present itself.
        preceding: the versions that say what is different from this one.
        created: the nodes that did not exist yet.
        files, links, directories: what the nodes were that are different.
        held: the bytes of `files` that are not shared with what followed.
        accounts: what the accounts were.
        holders: how many snapshots, and file systems that show it, need this version.
    """

    __slots__ = (
        "accounts",
        "created",
        "directories",
        "files",
        "following",
        "held",
        "holders",
        "links",
        "preceding",
    )

    def __init__(
        self, accounts: Sequence[AccountState] = (), preceding: tuple[Version, ...] = ()
    ) -> None:
        self.following: Version | None = None
        self.preceding: tuple[Version, ...] = preceding
        self.accounts: Sequence[AccountState] = accounts
        self.holders: int = 0
        self.created: dict[Node, None] = {}
        self.files: dict[File, FileState] = {}
        self.links: dict[Symlink, LinkState] = {}
        self.directories: dict[Directory, DirectoryState] = {}
        self.held: int = 0

    def forget_differences(self) -> None:
        """Be no different from what follows."""
        self.created, self.files, self.links, self.directories = {}, {}, {}, {}
        self.held = 0

    def on_the_way(self) -> Iterator[Version]:
        """Yield this version and all that follow, up to the present."""
        version: Version | None = self
        while version is not None:
            yield version
            version = version.following

    def latest(self) -> Version:
        """Return the version next to the present."""
        version = self
        while version.following is not None:
            version = version.following
        return version

    def state_of_file(self, node: File) -> FileState:
        """Return what a file was in this version."""
        for version in self.on_the_way():
            if node in version.files:
                return version.files[node]
        return file_state(node, sealed_content(node))

    def state_of_link(self, node: Symlink) -> LinkState:
        """Return what a symbolic link was in this version."""
        for version in self.on_the_way():
            if node in version.links:
                return version.links[node]
        return link_state(node)

    def state_of_directory(self, node: Directory) -> DirectoryAttributes:
        """Return what a directory was in this version, its entries aside."""
        for version in self.on_the_way():
            if node in version.directories:
                return version.directories[node].attributes
        return directory_attributes(node)

    def has_directory(self, directory: Directory) -> bool:
        """Tell whether a directory was in the tree in this version."""
        for version in self.on_the_way():
            if directory in version.created:
                return False
            if directory in version.directories:
                return not version.directories[directory].attributes[REMOVED]
        return not directory.removed

    def entries_of(self, directory: Directory) -> dict[str, Node]:
        """Return the entries of a directory in this version. Complexity: O(entries)."""
        entries = dict(directory.children)
        for version in reversed(list(self.on_the_way())):
            state = version.directories.get(directory)
            if state is not None:
                entries = state.entries_before(entries)
        return entries


class Hold(weakref.ref[object]):
    """Notices when somebody who needs a version is gone; the callback is a method in C.

    Attributes:
        version: the version; None if it was let go of before.
    """

    __slots__ = ("version",)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    version: Version | None


class Unfinished(Protocol):
    """Something that is begun and has to be done to its end."""

    def complete(self) -> None: ...


class Remembering(Protocol):
    """A tree, as far as its past goes.

    Attributes:
        _newest: the version next to the present; None if there is no snapshot.
        _restoration: what is being restored at this moment; a change that comes in between, from a
            signal handler, has it completed first.
        _restore_guards: called before that, with the lock held and the nodes that will change; one
            that raises prevents it.
        _holds: what keeps versions.
        _dropped, _let_go: the holds to be let go of; notes one more.
        _in_kernel: the files that the kernel has too, by the key of their content.
        _some_are_astray: whether there may be versions that nobody holds.
    """

    _lock: Lock
    _try_lock: Any
    _unlock: Any
    _account: Account
    _root: Directory
    _directories: dict[str, Directory]
    _in_kernel: dict[Any, KernelFile]
    _newest: Version | None
    _restoration: Unfinished | None
    _restore_guards: list[Callable[[Collection[Node]], None]]
    _holds: set[Hold]
    _dropped: deque[Hold]
    _let_go: Callable[[Hold], None]
    _some_are_astray: bool

    def _wait_for_lock(self) -> None: ...


def all_versions(newest: Version) -> list[Version]:
    """Return a version, and all those whose way to the present leads over it."""
    found = [newest]
    for version in found:
        found.extend(version.preceding)
    return found


def do_to_the_end(assign: Callable[[], None]) -> None:
    """Do what can be done again; an interrupt is raised when it is complete."""
    try:
        assign()
    except BaseException:
        assign()
        raise


def account_state(account: Account) -> AccountState:
    """Return what an account is."""
    return (
        account, account.parent, account.byte_limit, account.node_limit, account.in_use,
        account.used - account.aside, account.nodes - account.aside_nodes,
    )  # fmt: skip


def sealed_content(node: File) -> bytes | BlockList:
    """Return the content of a file in a form that nobody writes in place, blocks aside."""
    while isinstance(content := node.content, bytearray):
        sealed = bytes(content)
        if node.content is content and sealed == content:  # no signal handler has written
            node.content = sealed
    if isinstance(node, KernelFile):
        kernel: KernelContent = node.content
        return kernel.plain()
    return content


def shared_content(node: File, pool: BlockPool | None = None) -> bytes | BlockList:
    """Return the content of a file for another to hold, copy-on-write.

    Args:
        node: the file.
        pool: where blocks of the other one come from, if not from where those of this one do.

    Complexity: O(blocks), without their bytes.
    """
    content = sealed_content(node)
    return content.share(pool) if isinstance(content, BlockList) else content


def file_state(node: File, content: bytes | BlockList) -> FileState:
    """Return what a file is, with `content` for its content."""
    size = content_size(content)[0] if node.__class__ is KernelFile else node.size
    return (
        content, size, node.mode, node.mtime, node.ctime, node.atime,
        node.owner, node.nlink, node.account,
    )  # fmt: skip


def link_state(node: Symlink) -> LinkState:
    """Return what a symbolic link is."""
    return (
        node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink, node.account
    )  # fmt: skip


def directory_attributes(node: Directory) -> DirectoryAttributes:
    """Return what a directory is, its entries aside."""
    return (
        node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink, node.account,
        node.parent, node.removed,
    )  # fmt: skip
