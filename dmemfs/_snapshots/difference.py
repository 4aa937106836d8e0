"""What is different between two states of a tree."""

from __future__ import annotations

from typing import NamedTuple

from .. import _paths
from .._history.versions import Version
from .._nodes.content import BlockList, Content
from .._nodes.lazy import is_unloaded
from .._nodes.nodes import Directory, File, Node, Symlink


class Difference(NamedTuple):
    """What is different in a second state of a tree; all paths sorted.

    A directory has the size 0, a symbolic link that of its target. Times alone are no difference.

    Attributes:
        added: the size in bytes of what only the second state has, by path.
        removed: the size in bytes of what only the first state has, by path.
        changed: both sizes of what is of another kind, content, mode or owner, or leads elsewhere.
    """

    added: dict[str, int]
    removed: dict[str, int]
    changed: dict[str, tuple[int, int]]


def compare(root: Directory, one: Version, other: Version | None) -> Difference:
    """Return what is different in `other`, or at present if that is None."""
    added: dict[str, int] = {}
    removed: dict[str, int] = {}
    changed: dict[str, tuple[int, int]] = {}
    present = Version() if other is None else other
    pending: list[tuple[str, Node | None, Node | None]] = [("/", root, root)]
    while pending:
        path, before, after = pending.pop()
        if before is None and after is not None:
            added[path] = _size(after, present)
        elif after is None and before is not None:
            removed[path] = _size(before, one)
        elif before is not None and after is not None and _differ(before, one, after, present):
            changed[path] = _size(before, one), _size(after, present)
        if before is after and isinstance(before, Directory) and is_unloaded(before):
            continue
        old = one.entries_of(before) if isinstance(before, Directory) else {}
        new = present.entries_of(after) if isinstance(after, Directory) else {}
        pending.extend(
            (_paths.join(path, name), old.get(name), new.get(name)) for name in {**old, **new}
        )
    return Difference(
        dict(sorted(added.items())), dict(sorted(removed.items())), dict(sorted(changed.items()))
    )


def _size(node: Node, version: Version) -> int:
    if isinstance(node, File):
        return version.state_of_file(node)[1]
    return len(_paths.encode(node.target)) if isinstance(node, Symlink) else 0


def _differ(one: Node, version: Version, other: Node, other_version: Version) -> bool:
    if isinstance(one, File) and isinstance(other, File):
        content, size, mode, *_, owner, _, _ = version.state_of_file(one)
        content2, size2, mode2, *_, owner2, _, _ = other_version.state_of_file(other)
        return (size, mode, owner) != (size2, mode2, owner2) or not _same(content, content2)
    if isinstance(one, Symlink) and isinstance(other, Symlink):
        old, new = version.state_of_link(one), other_version.state_of_link(other)
        return (one.target, old[0], old[4]) != (other.target, new[0], new[4])
    if isinstance(one, Directory) and isinstance(other, Directory):
        before, after = version.state_of_directory(one), other_version.state_of_directory(other)
        return (before[0], before[4]) != (after[0], after[4])
    return True


def _same(one: Content, other: Content) -> bool:
    """Tell whether two contents of the same size have the same bytes."""
    if one is other:
        return True
    if isinstance(one, BlockList):
        return one.equals(other)
    return other.equals(one) if isinstance(other, BlockList) else one == other
