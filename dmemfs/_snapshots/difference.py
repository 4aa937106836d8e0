"""What is different between two states of a tree."""

from __future__ import annotations

from .. import _paths
from .._history.versions import Version
from .._nodes.content import BlockList, Content
from .._nodes.lazy import is_unloaded
from .._nodes.nodes import Directory, File, Node, Symlink
from .._transfer.differing import Differing, Side


def compare(
    root: Directory, one: Version, other: Version | None, *, with_data: bool = False
) -> list[Differing]:
    """Return what is different in `other`, or at present if that is None.

    Args:
        root: the root of the tree.
        one, other: two states of it.
        with_data: whether contents are wanted that differ; they are shared.
    """
    found: list[Differing] = []
    present = Version() if other is None else other
    pending: list[tuple[str, Node | None, Node | None]] = [("/", root, root)]
    while pending:
        path, before, after = pending.pop()
        same = before is not None and after is not None and _same(before, one, after, present)
        old = None if before is None else _side(before, one, with_data and not same)
        new = None if after is None else _side(after, present, with_data and not same)
        if not same or (old and new and old.attributes != new.attributes):
            found.append(Differing(path, old, new, same))
        if before is after and isinstance(before, Directory) and is_unloaded(before):
            continue
        former = one.entries_of(before) if isinstance(before, Directory) else {}
        latter = present.entries_of(after) if isinstance(after, Directory) else {}
        pending.extend(
            (_paths.join(path, name), former.get(name), latter.get(name))
            for name in {**former, **latter}
        )
    return found


def _side(node: Node, version: Version, with_data: bool) -> Side:
    if isinstance(node, File):
        content, size, mode, *_, owner, _, _ = version.state_of_file(node)
        if not with_data:
            return Side(mode, owner, size)
        return Side(mode, owner, size, _shared(content))
    if isinstance(node, Symlink):
        state = version.state_of_link(node)
        return Side(state[0], state[4], len(_paths.encode(node.target)), node.target)
    assert isinstance(node, Directory)
    attributes = version.state_of_directory(node)
    return Side(attributes[0], attributes[4], 0)


def _shared(content: Content) -> Content:
    return content.share() if isinstance(content, BlockList) else content


def _same(one: Node, version: Version, other: Node, other_version: Version) -> bool:
    """Tell whether two nodes are of the same kind and content."""
    if isinstance(one, File) and isinstance(other, File):
        content, size, *_ = version.state_of_file(one)
        content2, size2, *_ = other_version.state_of_file(other)
        return size == size2 and _same_content(content, content2)
    if isinstance(one, Symlink) and isinstance(other, Symlink):
        return one.target == other.target
    return isinstance(one, Directory) and isinstance(other, Directory)


def _same_content(one: Content, other: Content) -> bool:
    """Tell whether two contents of the same size have the same bytes."""
    if one is other:
        return True
    if isinstance(one, BlockList):
        return one.equals(other)
    return other.equals(one) if isinstance(other, BlockList) else one == other
