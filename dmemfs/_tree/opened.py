"""What has a file open, noted where that has to be known, see `Openings`."""

from __future__ import annotations

from typing import Any, Protocol

from .._nodes.nodes import File
from .._nodes.openings import Openings


class CountedTree(Protocol):
    """A tree, as far as its account goes: one with openings."""

    _account: Any
    _try_lock: Any
    _unlock: Any

    def _wait_for_lock(self) -> None: ...


class Opening:
    """What has a file open.

    It has no `__init__`: `hold_open` sets its attributes, since a call counts on the path of every
    `open`.
    """

    __slots__ = ("_grant", "_node", "_openings")

    _openings: Openings
    _node: File | None
    _grant: Any

    def release(self) -> None:
        """Note that it is closed, and release what goes with it."""
        node = self._node
        if node is not None:
            self._openings.nodes.pop(id(self), None)
            self._node = None
            if not node.nlink:
                self._openings.in_question.append(node.account)
        if self._grant is not None:
            self._grant.release()


def hold_open(
    tree: CountedTree, openings: Openings, node: File, path: Any, grant: Any = None
) -> Opening:
    """Note that a file is open, and return what is to be released when it is closed.

    Args:
        tree: the file system.
        openings: of that.
        node: the file.
        path: what an error names.
        grant: what is to be released with it.

    Raises:
        QuotaExceededError: the file was removed since it was found, and others have its room.
    """
    opening = Opening()
    opening._openings = openings
    opening._node = node
    opening._grant = grant
    openings.nodes[id(opening)] = id(node)
    if not node.nlink:
        try:
            bring_back(tree, node, path)
        except BaseException:
            opening.release()
            raise
    return opening


def bring_back(tree: CountedTree, node: File, path: Any) -> None:
    """Count a file again that may be let go of, see `AccountWithOpenings`."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        tree._account.bring_back(node, path)
    finally:
        tree._unlock()
