"""A tree as a drawing in text: names, sizes and links, a line for each node.

It looks at the nodes themselves, as `showing` does: no injected fault strikes, no time of access
moves, and real directories that nobody has looked into are not loaded.
"""

from __future__ import annotations

from typing import TypeAlias

from .._nodes.lazy import is_unloaded, is_unread
from .._nodes.nodes import Directory, File, MountPoint, Node, Symlink
from .._paths import StrPath, as_text
from .._tree.tree import Tree
from .showing import printable

MOST_LINES = 200
_WIDTH_OF_NAMES = 48

_Pending: TypeAlias = "list[tuple[str, str, Node, int]]"
"""What is to be drawn yet: what stands before the name, that, the node, and how deep it lies."""


class Drawing(str):
    """A text that shows itself, in notebooks too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html("pre", self)


def as_html(element: str, text: str) -> str:
    """Return a text as an element of HTML."""
    from html import escape  # late: few ask for it

    return f"<{element}>{escape(text)}</{element}>"


def draw(fs: Tree, path: StrPath, depth: int | None, most: int) -> Drawing:
    """Return the drawing of what is at a path; see `MemoryFileSystem.tree`."""
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        top = fs._find(path)
        lines = [_line("", printable(as_text(path)), top)]
        counts = _draw_below(top, lines, depth, most)
    finally:
        fs._unlock()
    return Drawing("\n".join([*lines, *_summary(counts, len(lines) - 1)]))


def _draw_below(top: Node, lines: list[str], depth: int | None, most: int) -> list[int]:
    """Add a line for each node below, `most` of them; return the counts of what there is.

    Returns:
        How many files, directories and symbolic links there are, and the bytes of the files.
    """
    counts = [0, 0, 0, 0]
    pending: _Pending = []
    _push(pending, "", top, 0)
    while pending:
        branch, name, node, level = pending.pop()
        is_shown = depth is None or level <= depth
        if is_shown and len(lines) <= most:
            lines.append(_line(branch, name, node))
        _count(node, counts)
        _push(pending, branch.replace("├── ", "│   ").replace("└── ", "    "), node, level)
    return counts


def _push(pending: _Pending, stem: str, node: Node, level: int) -> None:
    if not isinstance(node, Directory) or is_unloaded(node):
        return
    children = node.children.copy().items()
    for number, (name, child) in enumerate(reversed(children)):
        fork = "├── " if number else "└── "
        pending.append((stem + fork, printable(name), child, level + 1))


def _count(node: Node, counts: list[int]) -> None:
    if isinstance(node, File):
        counts[0] += 1
        counts[3] += node.size
    else:
        counts[1 if isinstance(node, Directory) else 2] += 1


def _line(branch: str, name: str, node: Node) -> str:
    start = branch + name
    if isinstance(node, Symlink):
        return f"{start} -> {printable(node.target)}"
    if isinstance(node, File):
        notes = [f"{node.nlink} names"] * (node.nlink > 1)
        notes += ["real, not read"] * is_unread(node.content)
        return f"{start:<{_WIDTH_OF_NAMES}} {node.size:>11,}" + _noted(notes)
    slash = "" if name.endswith("/") else "/"
    notes = ["another file system"] * isinstance(node, MountPoint)
    notes += ["real, not looked into"] * (isinstance(node, Directory) and is_unloaded(node))
    return start + slash + _noted(notes)


def _noted(notes: list[str]) -> str:
    return f"  ({', '.join(notes)})" if notes else ""


def _summary(counts: list[int], shown: int) -> list[str]:
    files, directories, links, size = counts
    total = files + directories + links
    left_out = [f"... and {total - shown:,} more"] if total > shown else []
    parts = [
        f"{count:,} {noun if count == 1 else plural}"
        for count, noun, plural in (
            (directories, "directory", "directories"),
            (files, "file", "files"),
            (links, "link", "links"),
        )
        if count or noun == "file"
    ]
    return [*left_out, f"{', '.join(parts)}, {size:,} bytes"]
