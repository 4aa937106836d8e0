"""Loading real directories and files when somebody first looks at them.

What is loaded was there all the time, as far as anybody can tell: so every version of the tree that
has a directory gets to know its entries when they are loaded, and every one that has a file counts
its bytes when they are read.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

from .. import _paths
from .._history.history import versions_of
from .._history.versions import AccountState, Version, do_to_the_end
from .._nodes.content import BlockList
from .._nodes.lazy import Unloaded, UnreadBlocks, unread_content
from .._nodes.nodes import Directory, File, Node, Symlink
from .._platform import shared_dict
from .._tree.tree import Tree
from .overlays import Overlay

# What is mounted replaces these in their modules, and real files are meant here.
_open = io.open
_scandir = os.scandir
_readlink = os.readlink

ALL_MODES = 0o7777
_LINKS_WITHOUT_ENTRIES = 2


class RealEntries:
    """Loads real directories and files into one file system.

    All of it happens with the lock of the file system held, since it may come in the middle of an
    operation.

    Args:
        fs: the file system.
        overlay: what remembers what was looked at, if it may be changed.
        file_modes: what files keep of their permission bits.
    """

    def __init__(
        self, fs: Tree, overlay: Overlay | None = None, file_modes: int = ALL_MODES
    ) -> None:
        self._reference = weakref.ref(fs)  # what is not loaded refers to this
        self._overlay = overlay
        self._file_modes = file_modes

    def _in(self, fs: Tree) -> RealEntries:
        """Return what loads the same into another file system."""
        overlay = None if self._overlay is None else self._overlay.twin_in(fs)
        return RealEntries(fs, overlay, self._file_modes)

    @property
    def _fs(self) -> Tree:
        fs = self._reference()
        assert fs is not None, "whoever looks into it refers to it"
        return fs

    def make_node(self, path: str, status: os.stat_result, parent: Directory) -> Node | None:
        """Return a node, not in the tree yet, for what is at a real path.

        None for what is neither a file nor a directory nor a symbolic link.
        """
        mode = status.st_mode
        kind = stat.S_IFMT(mode)
        node: Node
        if kind == stat.S_IFDIR:
            node = directory = Directory()
            directory.parent = parent
            directory.removed = directory.remembered = False
            directory.nlink = _LINKS_WITHOUT_ENTRIES
            self.show_directory(path, directory)
        elif kind == stat.S_IFREG:
            node = file = File()
            file.nlink = 1
            mode &= self._file_modes | ~ALL_MODES
            file.size = status.st_size
            file.content = self._unread(path, file, parent) if status.st_size else b""
        elif kind == stat.S_IFLNK:
            node = link = Symlink()
            link.nlink = 1
            link.lead_to(_as_text(_readlink(path)))
        else:
            return None
        node.told = None
        node.mode = mode
        node.owner = (status.st_uid, status.st_gid)
        node.atime, node.mtime, node.ctime = (
            status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns,
        )  # fmt: skip
        node.account = parent.account
        if self._overlay is not None:
            self._overlay.see(path, status, node)
        return node

    def show_directory(self, path: str, directory: Directory) -> None:
        """Let a directory have the entries of a real one, as soon as somebody asks."""
        entries: list[dict[str, Node]] = []

        def load() -> dict[str, Node]:
            if not entries:
                fs = self._fs
                try:
                    if not fs._try_lock(False):
                        fs._wait_for_lock()
                    if not entries:
                        self._load_entries(path, directory, entries)
                finally:
                    fs._unlock()
            return entries[0]

        def load_again(fs: Tree, copy: Directory) -> None:
            self._in(fs).show_directory(path, copy)

        directory.children = Unloaded(load, load_again)

    def _load_entries(self, path: str, directory: Directory, loaded: list[dict[str, Node]]) -> None:
        account = directory.account
        children = self._read_directory(path, directory)
        count = sum(child.counts_as for child in children.values())
        links = sum(isinstance(child, Directory) for child in children.values())
        account.require(0, count, path)
        versions = versions_of(self._fs)
        knowing = [one for one in versions if one.has_directory(directory)]
        nodes = dict.fromkeys(children.values())
        counts = _counted(knowing, account, 0, count)
        created = [one for one in versions if directory in one.created]
        states = [
            (state, _with_links(state.attributes, links))
            for one in versions
            if (state := one.directories.get(directory)) is not None
        ]

        def tell_versions() -> None:
            for version, accounts in counts:
                version.accounts = accounts
            for version in created:
                version.created.update(nodes)
            for state, attributes in states:
                state.attributes = attributes

        try:
            do_to_the_end(tell_versions)
        finally:
            if not directory.removed:
                account.nodes += count
                directory.nlink += links
            directory.children = children
            loaded += (children,)

    def _read_directory(self, path: str, directory: Directory) -> dict[str, Node]:
        children: dict[str, Node] = shared_dict()
        with _scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                try:
                    status = entry.stat(follow_symlinks=False)
                    node = self.make_node(entry.path, status, directory)
                except FileNotFoundError:  # removed since
                    continue
                if node is not None:
                    children[_as_text(entry.name)] = node
        return children

    def _unread(self, path: str, file: File, parent: Directory) -> BlockList:
        blocks = UnreadBlocks(
            partial(self._read_file, path, weakref.ref(file), file.size, parent),
            lambda fs, copy, its_parent: self._in(fs)._unread(path, copy, its_parent),
        )
        return unread_content(self._fs._pool, file.size, blocks)

    def _read_file(
        self,
        path: str,
        found: weakref.ref[File],
        size: int,
        parent: Directory,
        blocks: UnreadBlocks,
    ) -> None:
        fs = self._fs
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            with _open(path, "rb") as real:
                data = real.read()
            if len(data) != size:
                raise OSError(
                    errno.ESTALE,
                    f"{os.strerror(errno.ESTALE)}: it had {size:,} bytes when its directory was "
                    f"looked into and has {len(data):,} now; add it anew",
                    path,
                )
            read = BlockList.borrow(data, fs._pool)
            file = found()
            try:
                if file is None or not blocks.are_of(file):
                    blocks.fill(read, None)
                else:
                    self._count_and_fill(path, file, parent, blocks, read)
            finally:
                del file  # see UnlinkedRecord
        finally:
            fs._unlock()

    def _count_and_fill(
        self, path: str, file: File, parent: Directory, blocks: UnreadBlocks, read: BlockList
    ) -> None:
        account = file.account
        stored = read.counted
        is_there = not (parent.removed and file in parent.children.values())
        try:
            if is_there:
                account.require(stored, 0, path)
        except BaseException:
            del file  # see UnlinkedRecord
            raise
        knowing = [
            one
            for one in versions_of(self._fs)
            if _is_unchanged(one, file) and (is_there or one.has_directory(parent))
        ]
        counts = _counted(knowing, account, stored, 0)

        def tell_versions() -> None:
            for version, accounts in counts:
                version.accounts = accounts

        try:
            do_to_the_end(tell_versions)
        finally:
            if is_there:
                account.used += stored
            blocks.fill(read, file)


def _counted(
    versions: Iterable[Version], account: Any, stored: int, nodes: int
) -> list[tuple[Version, list[AccountState]]]:
    """Return for each version what its accounts are when so much more is counted in one of them."""

    def more(state: AccountState) -> AccountState:
        one, parent, byte_limit, node_limit, in_use, used, count = state
        if one is account:
            return (one, parent, byte_limit, node_limit, in_use, used + stored, count + nodes)
        return state

    return [(version, [more(state) for state in version.accounts]) for version in versions]


def _is_unchanged(version: Version, file: File) -> bool:
    """Tell whether a file existed in a version with the content that it has at present."""
    return not any(file in one.created or file in one.files for one in version.on_the_way())


def _with_links(attributes: Any, links: int) -> Any:
    """Return attributes of a directory with so many more directories in it."""
    *before, nlink, account, parent, removed = attributes
    return (*before, nlink + links, account, parent, removed)


def _as_text(name: str) -> str:
    """Return a real name or path in the form of those in memory."""
    return _paths.as_text(os.fsencode(name))
