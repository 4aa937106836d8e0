"""Real files and directories, shown in the tree."""

from __future__ import annotations

import errno
import os
import weakref
from time import time_ns
from typing import Any

from .._history.history import preserve_creation
from .._nodes.nodes import Directory, Node
from .._paths import StrPath
from .._tree.lookup import is_within
from .._tree.renaming import Made
from .._tree.tree import Tree
from .asking import Request, find_path, intercept, path_asked_for
from .loading import ALL_MODES, RealEntries
from .overlays import Overlay, place_shown

# What is mounted replaces these in their module, and the disk is meant here.
_stat = os.stat

_CHANGES_OF_NODES = frozenset(("chmod", "chown", "open", "truncate", "utime"))
_CHANGES_OF_ENTRIES = frozenset(
    ("copy_tree", "link", "mkdir", "remove", "rename", "rmdir", "rmtree", "symlink")
)
_MAKE_THE_LAST_PATH = frozenset(("copy_tree", "link", "mkdir", "symlink"))


class RealTrees(Tree):
    """Shows real files and directories in the tree."""

    _read_only: ReadOnly | None = None
    _writable_in_place: tuple[str, ...] = ()
    """What is shown at its own path, and may be changed: in isolation it hides the real one."""

    def add_real(
        self, path: StrPath, target: StrPath | None = None, *, writable: bool = False
    ) -> None:
        """Show a real file or directory in the tree. The disk is never written.

        A real directory is looked into when that is first asked for here, a real file read then:
        names, sizes, modes and times are those of the first look, and later changes on the disk do
        not show. What has been loaded is in memory, and counts against the quota: nodes when their
        directory is looked into, bytes when their file is read. The first look waits for the disk,
        and so does whoever else uses the file system meanwhile. Symbolic links are shown as they
        are; an absolute one leads to a path in this file system. Sockets, pipes and devices are
        left out.

        Args:
            path: the real file or directory; if it is a symbolic link, what that leads to.
            target: where to show it; directories missing above are made. By default, at the same
                absolute path.
            writable: let it be changed, in memory only. Otherwise every change of it or of what is
                below is refused; only its entry can be removed or renamed.

        Raises:
            FileNotFoundError: there is no such real file.
            FileExistsError: something is at `target`.
            QuotaExceededError: `max_nodes` is reached.
            ValueError: it is neither a file nor a directory.

        What is changed later where `writable` is false raises an OSError with errno EROFS. Reading
        a file that has got another size since raises one with ESTALE.

        Complexity: O(1); to look into a directory O(entries), to read a file O(bytes).
        """
        self._show_real(path, target, writable=writable)

    def _show_real(
        self,
        path: StrPath,
        target: StrPath | None,
        *,
        writable: bool,
        file_modes: int = ALL_MODES,
    ) -> None:
        """Show something real, of whose files `file_modes` is what they keep of their modes.

        See `add_real`.
        """
        real = os.path.abspath(os.fsdecode(path))  # nothing real is in a mounted directory
        shown = real if target is None else target
        status = _stat(real)
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                self._make_above(shown, made)
                directory, name = self._place_for_new(shown, is_directory=True)
                account = directory.account
                account.require(0, 1, shown)
                overlay = Overlay(real, place_shown(shown)) if writable else None
                entries = RealEntries(self, overlay, file_modes)
                node = entries.make_node(real, status, directory)
                if node is None:
                    raise ValueError(f"{path!r} is neither a file nor a directory")
                now = time_ns()
                is_directory = isinstance(node, Directory)
                if not writable:
                    _refuse_changes_of(self, node)
                if self._newest is not None:
                    preserve_creation(self, directory, name, node)
            except BaseException:
                self._unmake(made)
                raise
            account.nodes += 1
            directory.nlink += is_directory
            directory.mtime = directory.ctime = now
            directory.children[name] = node
            if overlay is not None:
                self._overlays = (*self._overlays, overlay)
            in_place = writable and os.fsdecode(shown) == real
            if in_place and real not in self._writable_in_place:
                self._writable_in_place = (*self._writable_in_place, real)
        finally:
            self._unlock()


def copy_read_only(source: RealTrees, copy: RealTrees) -> None:
    """Let the clone of a tree refuse to change what is read-only there, and that alone."""
    copy._writable_in_place = source._writable_in_place
    guard = source._read_only
    if guard is not None:
        try:
            if not source._try_lock(False):
                source._wait_for_lock()
            paths = [path for top in guard.tops if (path := find_path(source, top))]
        finally:
            source._unlock()
        own = ReadOnly(copy)
        own.tops.update(copy._find(path, follow=False) for path in paths)
        try:
            if not copy._try_lock(False):
                copy._wait_for_lock()
            intercept(copy, (own,))
        finally:
            copy._unlock()
        copy._read_only = own


def refuse_changes(tree: RealTrees) -> None:
    """Let a tree refuse to change anything that is in it, as what is shown read-only does."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        _refuse_changes_of(tree, tree._root)
    finally:
        tree._unlock()


def _refuse_changes_of(tree: RealTrees, node: Node) -> None:
    guard = tree._read_only or ReadOnly(tree)
    guard.tops.add(node)
    if guard not in tree._interceptors:
        intercept(tree, (guard, *tree._interceptors))
        tree._read_only = guard


class ReadOnly:
    """Refuses changes of directories and files, and below them.

    Attributes:
        tops: these directories and files.
    """

    operations = _CHANGES_OF_NODES | _CHANGES_OF_ENTRIES

    def __init__(self, fs: Tree) -> None:
        self._fs = weakref.ref(fs)  # which refers to this
        self.tops: set[Node] = set()

    def obstacle(self, request: Request) -> BaseException | None:
        """Return an error with EROFS for a change of something that is read-only."""
        if not request.changes:
            return None
        paths = request.places()
        if request.operation == "copy_tree":
            paths = paths[-1:]  # the other one is only read
        if any(self._is_read_only(path, request) for path in paths):
            return request.error(errno.EROFS)
        return None

    def _is_read_only(self, path: Any, request: Request) -> bool:
        operation = request.operation
        follow = operation in _CHANGES_OF_NODES
        fs = self._fs()
        assert fs is not None, "it asks"
        text = path_asked_for(fs, path, request.node)
        try:
            if text is None:
                return False
            # As it is given: what leads through a symbolic link is not where it seems to be.
            given = path if request.node is None else text
            directory, _, node, _ = fs._walk_path(given, follow=follow, follow_with_slash=True)
        except (OSError, ValueError):
            return False  # what is about to be done finds the same error
        if node is not None and operation in _MAKE_THE_LAST_PATH and path is request.paths[-1]:
            return False  # it is there already, which is the error to find
        if any(is_within(directory, top) for top in self.tops if isinstance(top, Directory)):
            return True
        if isinstance(node, Directory) and operation == "rmtree":
            return any(
                is_within(top, node)
                for top in self.tops
                if isinstance(top, Directory) and not top.removed
            )
        return node in self.tops and (follow or operation == "link")
