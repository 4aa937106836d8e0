"""Showing a tree to whoever looks for the reason of a failure: as text, and on the disk.

Both look at the nodes themselves. So no injected fault strikes, and no time of access moves.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator

from .._history.versions import sealed_content
from .._nodes.lazy import is_unloaded, is_unread
from .._nodes.nodes import Directory, File, Node, Symlink
from .._tree.tree import Tree

MOST_LINES = 200

# What is mounted replaces these in their modules, and the disk is meant here.
_open = io.open
_mkdir = os.mkdir
_symlink = os.symlink


def list_tree(fs: Tree, most: int = MOST_LINES) -> list[str]:
    """Return a line with mode, size and path for each node, `most` of them.

    Real directories and files that nobody has looked at are not loaded for it.

    Complexity: O(nodes).
    """
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        nodes = list(_nodes_below(fs._root))
        lines = [_describe(path, node) for path, node in nodes[:most]]
    finally:
        fs._unlock()
    left_out = len(nodes) - len(lines)
    if left_out > 0:
        lines.append(f"... and {left_out:,} more")
    return lines or ["(empty)"]


def write_tree(fs: Tree, directory: str) -> None:
    """Write all files, directories and symbolic links into a real directory, which is made.

    Content and names are what is written; modes, times and owners are those of new files.

    Raises:
        OSError: the disk refuses; what was written until then stays.
    """
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        nodes = [
            (path, node.target if isinstance(node, Symlink) else _content_of(node))
            for path, node in _nodes_below(fs._root)
        ]
    finally:
        fs._unlock()
    _mkdir(directory)
    links: list[tuple[str, str]] = []
    for path, content in nodes:
        real = directory + path
        if content is None:
            _mkdir(real)
        elif isinstance(content, str):
            links.append((content, real))
        else:
            with _open(real, "wb") as file:
                file.write(content)
    for target, real in links:  # at the end, so that nothing is written through one
        _symlink(target, real)


def _nodes_below(top: Directory) -> Iterator[tuple[str, Node]]:
    """Yield path and node of everything below, each directory before what is in it."""
    pending: list[tuple[str, Node]] = [("", top)]
    while pending:
        path, node = pending.pop()
        if path:
            yield path, node
        if isinstance(node, Directory) and not is_unloaded(node):
            pending.extend(
                (f"{path}/{name}", child) for name, child in reversed(node.children.items())
            )


def _describe(path: str, node: Node) -> str:
    size = f"{node.size:>12,}" if isinstance(node, File) else " " * 12
    line = f"{stat.filemode(node.mode)} {size} {printable(path)}"
    if isinstance(node, Symlink):
        return f"{line} -> {printable(node.target)}"
    if isinstance(node, Directory):
        return f"{line}/ (real, not looked into)" if is_unloaded(node) else f"{line}/"
    if isinstance(node, File) and is_unread(node.content):
        return f"{line} (real, not read)"
    return line


def printable(path: str) -> str:
    """Return a path as it is, or in quotes where it would not show."""
    return path if path.isprintable() else repr(path)


def _content_of(node: Node) -> bytes | None:
    if not isinstance(node, File):
        return None
    content = sealed_content(node)
    return content if isinstance(content, bytes) else content.read(0, node.size)
