"""What nodes were before they changed, as far as a snapshot still needs it.

A snapshot keeps a `Version`. A version says only what is different from the next one on the way to
the present, which the tree itself is. So taking a snapshot costs nothing; a change has what was
before it remembered once, in the version next to the present; and to go back to a version, only
what differs on the way there is exchanged, in both directions (Henry G. Baker, "Shallow binding
makes functional arrays fast", 1991). Versions may form a tree, since after going back to one the
present moves on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from .._nodes.accounts import Account, ByteAccount, UnlinkedAccount
from .._nodes.content import BlockList, Content, kept_of
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

    def entries_of(self, directory: Directory) -> dict[str, Node]:
        """Return the entries of a directory in this version. Complexity: O(entries)."""
        entries = dict(directory.children)
        for version in reversed(list(self.on_the_way())):
            state = version.directories.get(directory)
            if state is not None:
                entries = state.entries_before(entries)
        return entries


class History:
    """Remembers what nodes are before they change.

    Whoever changes a node or an entry calls `_preserve` or `_preserve_entry` before, as the last
    call that may be answered by other code (a signal handler, a finaliser), or before everything
    else: no snapshot is taken or restored by code that interrupts an operation.

    Attributes:
        _newest: the version next to the present; None if there is no snapshot.
        _restoration: what is being restored at this moment; a change that comes in between, from a
            signal handler, has it completed first.
    """

    _account: Account
    _newest: Version | None
    _restoration: Unfinished | None

    def __init__(self) -> None:
        self._newest = None
        self._restoration = None

    def _preserve(self, node: Node) -> None:
        """Keep what `node` is by now, entries of a directory aside, unless that was done before.

        Complexity: O(blocks) of a large file, O(bytes) of a small one that was written bit by bit.
        """
        # What a signal handler preserves in between stays: it is older than what it writes.
        if self._restoration is not None:
            self._restoration.complete()
        newest = self._newest
        if newest is None or node in newest.created:
            return
        if isinstance(node, File):
            if node not in newest.files and self._can_come_back(node):
                newest.files.setdefault(node, file_state(node, shared_content(node)))
        elif isinstance(node, Directory):
            if node not in newest.directories:
                state = DirectoryState(directory_attributes(node), {}, None)
                newest.directories.setdefault(node, state)
        elif isinstance(node, Symlink) and node not in newest.links:
            newest.links.setdefault(node, link_state(node))

    def _preserve_all(self, nodes: list[Node]) -> None:
        """Keep what all of them are. Complexity: as `_preserve` for each."""
        if self._newest is not None:
            for node in nodes:
                self._preserve(node)

    def _can_come_back(self, node: File) -> bool:
        """Tell whether `node` is in the tree, or in what a snapshot keeps.

        Complexity: O(versions) for a file without a name; else O(1).
        """
        account = node.account
        if type(account) is not UnlinkedAccount:
            return True
        return account.kept and any(node in version.files for version in self._versions())

    def _preserve_entry(self, directory: Directory, name: str) -> None:
        """Keep what `name` leads to by now, and what the directory is.

        Complexity: O(1), and O(entries) once in a directory of up to `MOST_ORDERED` entries.
        """
        self._preserve(directory)
        newest = self._newest
        if newest is None:
            return
        state = newest.directories.get(directory)
        if state is None:  # a directory that is newer than the snapshot
            return
        children = directory.children
        node = children.get(name)
        if node is not None and state.order is None and len(children) <= MOST_ORDERED:
            state.order = list(children)
        state.entries.setdefault(name, node)

    def _preserve_all_entries(self, directory: Directory) -> None:
        """Keep what all names lead to, before the directory loses them. Complexity: O(entries)."""
        self._preserve(directory)
        newest = self._newest
        if newest is None:
            return
        state = newest.directories.get(directory)
        if state is not None:
            children = directory.children
            order = list(children) if len(children) <= MOST_ORDERED else None
            entries = {**children, **state.entries}
            if state.order is None:
                state.order = order
            state.entries = entries

    def _preserve_creation(self, directory: Directory, name: str, node: Node) -> None:
        """Note that the name leads elsewhere by now, and that `node`, which it will get, is new."""
        self._preserve_entry(directory, name)
        if self._newest is not None:
            self._newest.created[node] = None

    def _forget_creation(self, node: Node) -> None:
        """Let go of a node that is gone, and that no snapshot knows."""
        if self._newest is not None:
            self._newest.created.pop(node, None)

    def _is_kept(self, node: Node) -> bool:
        """Tell whether a snapshot knows `node`, so that it lives on when its last name is gone."""
        return self._newest is not None and node not in self._newest.created

    def _shared_blocks(self, node: File) -> BlockList | None:
        """Return the blocks of `node` that the version next to the present keeps, if any."""
        image = self._image_of(node)
        return image if isinstance(image, BlockList) else None

    def _image_of(self, node: File) -> bytes | BlockList | None:
        """Return the content of `node` that the version next to the present keeps."""
        newest = self._newest
        state = None if newest is None else newest.files.get(node)
        return None if state is None else state[0]

    def _newly_kept(self, node: File, content: Content | None) -> int:
        """Return how many bytes more only a snapshot keeps if `content` replaces that of `node`.

        Fewer are a negative number; None stands for a content that shares nothing.

        Complexity: O(blocks).
        """
        image = self._image_of(node)
        return 0 if image is None else kept_of(image, content) - kept_of(image, node.content)

    def _keep_in_blocks(self, node: File, content: Content, blocks: BlockList) -> None:
        """Let `blocks` be the content of `node`, and a copy of them its image.

        A part of it is going to change, and only that is to be kept twice.
        """
        images = [
            (version, (blocks.share(), *state[1:]))
            for version in self._versions()
            if (state := version.files.get(node)) is not None and state[0] is content
        ]
        node.content = blocks
        for version, state in images:
            version.files[node] = state

    def _settle_kept(self) -> None:
        """Count anew what the version next to the present keeps, after an interrupted change."""
        newest = self._newest
        if newest is not None:
            held = sum(kept_of(state[0], node.content) for node, state in newest.files.items())
            account = self._account
            account.used += held - newest.held
            account.aside += held - newest.held
            newest.held = held

    def _snapshot_bytes(self) -> int:
        """Return the bytes that only snapshots keep. Complexity: O(changes remembered)."""
        versions = self._versions()
        removed = {
            node
            for version in versions
            for node in version.files
            if type(node.account) is UnlinkedAccount
        }
        held = sum(version.held for version in versions)
        return held + sum(node.stored_bytes() for node in removed)

    def _versions(self) -> list[Version]:
        """Return all versions that are kept."""
        return [] if self._newest is None else all_versions(self._newest)


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


class Unfinished(Protocol):
    """Something that is begun and has to be done to its end."""

    def complete(self) -> None: ...


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
    return content


def shared_content(node: File) -> bytes | BlockList:
    """Return the content of a file for another to hold, copy-on-write.

    Complexity: O(blocks), without their bytes.
    """
    content = sealed_content(node)
    return content.share() if isinstance(content, BlockList) else content


def file_state(node: File, content: bytes | BlockList) -> FileState:
    """Return what a file is, with `content` for its content."""
    return (
        content, node.size, node.mode, node.mtime, node.ctime, node.atime,
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
