"""Showing a version of a file system as a file system of its own."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from .._history.history import hold, release_dropped
from .._history.versions import Hold, Version
from .._nodes.accounts import Account
from .._nodes.content import BlockList, Content
from .._nodes.lazy import Unloaded, UnreadBlocks, is_unread, unread_like
from .._nodes.nodes import Directory, File, Node, Symlink
from .._platform import shared_dict
from .._tree.tree import Tree


def show_past(fs: Tree, version: Version) -> Tree:
    """Return a tree that shows a version of another one, whose lock is held and becomes its own.

    Each directory is prepared when it is first looked into. Nothing may be written there.
    """
    past = Tree(None, None, fs._lock)
    past._device = fs._device
    view = _View(fs, version, past._account)
    view.show_directory(fs._root, past._root, past._root)
    view.hold = hold(fs, version, past)
    weakref.finalize(past, view.forget).atexit = False
    return past


class _View:
    """Makes nodes that show what others were in a version."""

    def __init__(self, fs: Tree, version: Version, account: Account) -> None:
        self._fs = fs
        self._version = version
        self._account = account
        self.hold: Hold | None = None
        self._shown: dict[Node, Node] = {}
        self._entries: dict[Directory, dict[str, Node]] = {}

    def show_directory(self, source: Directory, node: Directory, parent: Directory) -> None:
        (
            node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink, *_,
        ) = self._version.state_of_directory(source)  # fmt: skip
        node.account = self._account
        node.parent = parent
        node.removed = False
        node.remembered = parent is node
        node.children = Unloaded(partial(self._load, source, node))

    def forget(self) -> None:
        """Let go of all that is shown, and of the version.

        Directories refer to each other in circles: what they show must not wait for the collector.
        """
        for node in list(self._shown.values()):
            if isinstance(node, Directory):
                node.children = {}
        self._entries.clear()
        self._shown.clear()
        if self.hold is not None:
            self._fs._let_go(self.hold)
            release_dropped(self._fs, wait=False)

    def _load(self, source: Directory, node: Directory) -> dict[str, Node]:
        try:
            if not self._fs._try_lock(False):
                self._fs._wait_for_lock()
            if node not in self._entries:
                self._entries[node] = self._show_all(self._version.entries_of(source), node)
                node.children = self._entries[node]
            return self._entries[node]
        finally:
            self._fs._unlock()

    def _show_all(self, entries: dict[str, Node], parent: Directory) -> dict[str, Node]:
        return shared_dict((name, self._show(child, parent)) for name, child in entries.items())

    def _show(self, source: Node, parent: Directory) -> Node:
        known = self._shown.get(source)
        if known is not None:
            return known
        node: Any = type(source)()
        node.told = None
        if isinstance(source, File):
            (
                content, node.size, node.mode, node.mtime, node.ctime, node.atime,
                node.owner, node.nlink, _,
            ) = self._version.state_of_file(source)  # fmt: skip
            node.content = self._show_content(source, node, content)
        elif isinstance(source, Symlink):
            (
                node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink, _
            ) = self._version.state_of_link(source)  # fmt: skip
            node.lead_to(source.target)
        elif isinstance(source, Directory):
            self.show_directory(source, node, parent)
        node.account = self._account
        self._shown[source] = node
        return node  # type: ignore[no-any-return]

    def _show_content(self, source: File, node: File, content: Content) -> Content:
        if not isinstance(content, BlockList):
            return content
        if is_unread(content):
            return unread_like(
                content, UnreadBlocks(partial(self._read, source, weakref.ref(node)))
            )
        return content.share()

    def _read(self, source: File, shown: weakref.ref[File], blocks: UnreadBlocks) -> None:
        try:
            if not self._fs._try_lock(False):
                self._fs._wait_for_lock()
            content, *_ = self._version.state_of_file(source)
            assert isinstance(content, BlockList)
            blocks.fill(content.share(), shown())
        finally:
            self._fs._unlock()
