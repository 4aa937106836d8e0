"""What was changed of real files and directories that are shown writable, in memory only."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from .. import _paths
from .._nodes.content import BlockList
from .._nodes.lazy import is_unloaded
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath
from .._transfer.differing import Differing, Side
from .._tree.tree import Tree

# What is mounted replaces these in their modules, and the disk is meant here.
_lstat = os.lstat
_readlink = os.readlink
_open = open

Mark: TypeAlias = tuple[int, ...]
"""What tells whether a real file is still the one that was looked at."""


class Seen(NamedTuple):
    """What was at a real path when it was looked at.

    Attributes:
        node: a weak reference to the node that shows it.
        changed: the time of change of that node, in nanoseconds; later it says another one.
        mode, owner, size: of the real one.
        target: what it says, if it is a symbolic link.
        mark: what tells whether it is still that one.
    """

    node: weakref.ref[Node]
    changed: int
    mode: int
    owner: tuple[int, int]
    size: int
    target: str
    mark: Mark

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    def is_shown_by(self, node: Node) -> bool:
        """Tell whether a node shows it, and nothing that the node says was changed since."""
        return self.node() is node and node.ctime == self.changed


class Overlay:
    """A real directory or file that is shown and may be changed.

    Attributes:
        real: its absolute path on the disk.
        point: where it is shown.
        seen: what was looked at of it, by its real path.
    """

    def __init__(self, real: str, point: str) -> None:
        self.real = real
        self.point = point
        self.seen: dict[str, Seen] = {}

    def see(self, path: str, status: os.stat_result, node: Node) -> None:
        """Remember what is at a real path, and which node shows it."""
        self.seen[path] = seen_as(status, node)

    def twin_in(self, fs: Tree) -> Overlay:
        """Return what this one is in a clone."""
        for one in fs._overlays:
            if (one.real, one.point) == (self.real, self.point):
                return one  # type: ignore[no-any-return]
        twin = Overlay(self.real, self.point)
        fs._overlays = (*fs._overlays, twin)
        return twin


def place_shown(path: StrPath) -> str:
    """Return the path at which something is shown, in one spelling."""
    return posixpath.normpath("/" + _paths.as_text(path).lstrip("/"))


def seen_as(status: os.stat_result, node: Node) -> Seen:
    """Return what is to be remembered of something real, and the node that shows it."""
    return Seen(
        weakref.ref(node),
        node.ctime,
        status.st_mode,
        (status.st_uid, status.st_gid),
        status.st_size if stat.S_ISREG(status.st_mode) else 0,
        node.target if isinstance(node, Symlink) else "",
        mark_of(status),
    )


def mark_of(status: os.stat_result) -> Mark:
    """Return what tells whether something real is still the same."""
    node = (stat.S_IFMT(status.st_mode), status.st_dev, status.st_ino)
    if stat.S_ISDIR(status.st_mode):  # its times tell of its entries
        return node
    return (*node, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def moved_on(path: str) -> OSError:
    """Return the error for what is otherwise on the disk than when it was looked at."""
    text = (
        f"{os.strerror(errno.ESTALE)}: it has changed on the disk since it was looked at; "
        "discard() what was changed in memory, or add it anew"
    )
    return OSError(errno.ESTALE, text, path)


class Change(NamedTuple):
    """A path at which the overlay differs from what was looked at.

    Attributes:
        real: the path on the disk.
        differing: what is different.
        node: what is there in memory; None for nothing.
    """

    real: str
    differing: Differing
    node: Node | None


def changes_of(tree: Tree, overlay: Overlay, *, with_data: bool) -> list[Change]:
    """Return what was changed, with the lock held.

    Directories that nobody has looked into are as they were. Of files whose times say that they may
    have been changed, the content is compared with that on the disk.

    Raises:
        OSError: ESTALE, data is wanted of what has changed on the disk.

    Complexity: O(nodes looked at), and O(bytes) of the files that may have been changed.
    """
    found: list[Change] = []
    there = tree._peek(overlay.point, follow=False)
    visited: set[str] = set()
    for path, real, node in _everything(overlay, there):
        visited.add(real)
        change = _change_at(path, overlay.seen.get(real), real, node, with_data)
        if change is not None:
            found.append(Change(real, change, node))
    for real, seen in overlay.seen.items():
        if real not in visited:
            path = overlay.point + real[len(overlay.real) :]
            found.append(
                Change(real, Differing(path, _real_side(seen, real, with_data), None), None)
            )
    return found


def _everything(overlay: Overlay, top: Node | None) -> Iterator[tuple[str, str, Node]]:
    """Yield path, real path and node of all that is there, but for what nobody has looked into."""
    pending = [] if top is None else [(overlay.point, overlay.real, top)]
    while pending:
        path, real, node = pending.pop()
        yield path, real, node
        if isinstance(node, Directory):
            seen = overlay.seen.get(real)
            if is_unloaded(node) and seen is not None and seen.node() is node:
                continue
            pending += [
                (_paths.join(path, name), os.path.join(real, _native(name)), child)
                for name, child in node.children.items()
            ]


def _change_at(
    path: str, seen: Seen | None, real: str, node: Node, with_data: bool
) -> Differing | None:
    if seen is None:
        return Differing(path, None, _side_of(node, with_data))
    if not isinstance(node, Directory) and seen.is_shown_by(node):
        return None
    same = _has_same_content(seen, real, node)
    before = _real_side(seen, real, with_data and not same)
    after = _side_of(node, with_data and not same)
    if same and before.attributes == after.attributes:
        return None
    return Differing(path, before, after, same)


def _has_same_content(seen: Seen, real: str, node: Node) -> bool:
    if isinstance(node, Directory):
        return stat.S_ISDIR(seen.mode)
    if isinstance(node, Symlink):
        return stat.S_ISLNK(seen.mode) and node.target == seen.target
    assert isinstance(node, File)
    if not stat.S_ISREG(seen.mode) or node.size != seen.size or not is_still(seen, real):
        return False
    return content_of(node) == _read(real)


def is_still(seen: Seen, real: str) -> bool:
    """Tell whether what is at a real path is what was looked at."""
    try:
        return mark_of(_lstat(real)) == seen.mark
    except OSError:
        return False


def content_of(node: File) -> bytes:
    """Return all bytes of a file."""
    content: Any = node.content
    return content.read(0, node.size) if isinstance(content, BlockList) else bytes(content)


def _real_side(seen: Seen, real: str, with_data: bool) -> Side:
    data: bytes | str = seen.target
    if with_data and stat.S_ISREG(seen.mode):
        if not is_still(seen, real):
            raise moved_on(real)
        data = _read(real)
    size = len(_paths.encode(seen.target)) if stat.S_ISLNK(seen.mode) else seen.size
    return Side(seen.mode, seen.owner, size, data)


def _side_of(node: Node, with_data: bool) -> Side:
    if isinstance(node, Symlink):
        return Side(node.mode, node.owner, len(_paths.encode(node.target)), node.target)
    if isinstance(node, File):
        return Side(node.mode, node.owner, node.size, content_of(node) if with_data else b"")
    return Side(node.mode, node.owner, 0)


def _read(real: str) -> bytes:
    with _open(real, "rb") as file:
        return file.read()


def _native(name: str) -> str:
    """Return a name as the disk has it, in the form of `os.fsdecode`."""
    return os.fsdecode(_paths.encode(name))


def copy_overlays(source: Tree, copy: Tree) -> None:
    """Let the clone of a tree know what it shows of the disk, and what of that was changed."""
    try:
        if not source._try_lock(False):
            source._wait_for_lock()
        known = [_seen_in_place(source, overlay) for overlay in source._overlays]
    finally:
        source._unlock()
    for overlay, seen in known:
        own = overlay.twin_in(copy)
        for real, (one, path, is_in_place) in seen.items():
            node = copy._peek(path, follow=False) if is_in_place else None
            own.seen[real] = one._replace(node=_NOBODY if node is None else weakref.ref(node))


def _seen_in_place(
    tree: Tree, overlay: Overlay
) -> tuple[Overlay, dict[str, tuple[Seen, str, bool]]]:
    found = {}
    for real, seen in overlay.seen.items():
        path = overlay.point + real[len(overlay.real) :]
        node = tree._peek(path, follow=False)
        found[real] = (seen, path, node is not None and node is seen.node())
    return overlay, found


_NOBODY: Any = weakref.ref(Overlay("", ""))
"""A reference to what is gone."""
