"""Taking a tree out of the file system as of one moment, and putting one in at one moment.

What comes from outside is first built in a file system of its own, without the lock of this one:
reading a stream, or telling somebody of the progress, may take for ever. Only when all of it is
there, it becomes part of this file system, in one operation, all of it or nothing.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Collection, Sequence
from functools import partial

from .. import _paths
from .._errors import os_error
from .._history.history import do_all_or_nothing
from .._history.versions import shared_content
from .._nodes.accounts import limit_or_none
from .._nodes.content import content_size
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath
from .._tree.tree import Tree
from .building import Refusal, TreeBuilder
from .entries import Entry, Metadata, segments_of
from .progress import Meter, Progress


def capture(tree: Tree, path: StrPath) -> list[Entry]:
    """Return the entries of a directory as they are now; contents are shared, not copied.

    Raises:
        OSError: ENAMETOOLONG, something lies deeper than a path can tell.

    Complexity: O(nodes and blocks), without their bytes.
    """
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        return entries_below(tree._find_directory(path))
    finally:
        tree._unlock()


def entries_below(top: Node) -> list[Entry]:
    """Return the entries of a node and all below it, with the lock held."""
    entries: list[Entry] = []
    first: dict[Node, str] = {}
    pending: list[tuple[Node, str]] = [(top, "")]
    while pending:
        node, path = pending.pop()
        if _paths.too_long(path, _paths.PATH_MAX - 1):
            raise os_error(errno.ENAMETOOLONG, "/" + path)
        if isinstance(node, Directory):
            below = path + "/" if path else ""
            limits = _own_limits(node)
            entries.append(Entry(path, "directory", _metadata_of(node), quota=limits))
            pending.extend((child, below + name) for name, child in reversed(node.children.items()))
        elif node in first:
            entries.append(Entry(path, "link", None, first[node]))
        else:
            if node.nlink > 1:
                first[node] = path
            entries.append(_entry_of(node, path))
    return entries


def _entry_of(node: Node, path: str) -> Entry:
    metadata = _metadata_of(node)
    if isinstance(node, Symlink):
        return Entry(path, "symlink", metadata, node.target)
    assert isinstance(node, File)
    content = shared_content(node)
    segments = segments_of(content)
    size, _ = content_size(content)
    return Entry(path, "file", metadata, "", size, segments, content=content)


def bring_in(
    tree: Tree,
    entries: Sequence[Entry],
    path: StrPath,
    refuse: Refusal,
    progress: Progress | None,
) -> None:
    """Make entries part of the tree: all of them, or none.

    A directory that is there already keeps what is in it, and gets the attributes of the entry,
    if that has any. Anything else that is there already is replaced.

    Args:
        entries: the entries; their data is read now.
        path: the directory that the top becomes; missing ones above it are made.
        refuse: makes the exception for an entry that cannot be.
        progress: told how far it is.

    Raises:
        QuotaExceededError: they do not fit beside what they replace; nothing has changed.
        IsADirectoryError: a directory is where a file should be.
        FileExistsError: something else is where a directory should be.
    """
    stored = sum(entry.stored for entry in entries)
    nodes = sum(entry.kind != "link" for entry in entries)
    free = require_room(tree, stored, path, nodes)
    staged = Tree(free, tree.statvfs().f_files)
    staged._pool = tree._pool
    staged._account.guard_memory(tree._account.min_free_memory)
    builder = TreeBuilder(staged, Meter(progress, stored), refuse)
    for entry in entries:
        builder.add(entry)
    builder.finish()
    unknown = {entry.path for entry in entries if entry.metadata is None}
    # Not with our own lock held: a fork takes the locks of all file systems, in any order.
    ready = capture(staged, "/")
    do_all_or_nothing(tree, partial(_graft, tree, ready, unknown, path))


def require_room(tree: Tree, stored: int, path: StrPath, nodes: int = 0) -> int:
    """Return how many bytes are free, or raise QuotaExceededError if these do not fit.

    Nodes may replace others, which only the end shows: here they must only not be too many
    even for an empty file system.
    """
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        tree._account.require(stored, 0, path)
        status = tree.statvfs()
        if nodes > status.f_files:
            tree._account.require(0, nodes, path)
        return status.f_bavail
    finally:
        tree._unlock()


def _graft(tree: Tree, entries: Sequence[Entry], unknown: Collection[str], path: StrPath) -> None:
    """Make entries part of the tree, with the lock held.

    Args:
        entries: whose contents are in memory.
        unknown: the paths of those that have no attributes of their own.
        path: the directory that the top becomes.
    """
    base = _paths.as_text(path)
    tree.makedirs(base, exist_ok=True)
    directories = []
    for entry in entries:
        place = _paths.join(base, entry.path) if entry.path else base
        metadata = None if entry.path in unknown else entry.metadata
        if entry.kind == "directory":
            if entry.path:
                _graft_directory(tree, place)
            directories.append((place, metadata))
            continue
        if tree._peek(place, follow=False) is not None:
            tree.remove(place)
        if entry.kind == "link":
            tree.link(_paths.join(base, entry.target), place)
        elif entry.kind == "symlink":
            tree.symlink(entry.target, place)
            _set_attributes(tree, place, metadata, is_link=True)
        else:
            assert entry.content is not None
            tree._put(place, entry.content)
            _set_attributes(tree, place, metadata)
    for place, metadata in reversed(directories):
        _set_attributes(tree, place, metadata)


def _graft_directory(tree: Tree, place: str) -> None:
    there = tree._peek(place, follow=False)
    if there is None:
        tree.mkdir(place)
    elif not isinstance(there, Directory):
        del there  # see UnlinkedRecord
        raise os_error(errno.EEXIST, place)


def _set_attributes(
    tree: Tree, place: str, metadata: Metadata | None, *, is_link: bool = False
) -> None:
    if metadata is None:
        return
    tree.chown(place, *metadata.owner, follow_symlinks=not is_link)
    if not is_link:
        tree.chmod(place, metadata.mode)
    times = (metadata.atime, metadata.mtime)
    tree.utime(place, ns=times, follow_symlinks=not is_link)


def _own_limits(directory: Directory) -> tuple[int | None, int | None] | None:
    """Return the limits of bytes and nodes that a directory has of its own, but for the root."""
    account = directory.account
    if account is directory.parent.account:
        return None
    return (limit_or_none(account.byte_limit), limit_or_none(account.node_limit))


def _metadata_of(node: Node) -> Metadata:
    return Metadata(stat.S_IMODE(node.mode), node.owner, node.atime, node.mtime, node.ctime)
