"""Counting nodes in another account: after a move, or where a quota begins or ends."""

from __future__ import annotations

from typing import Any

from .._nodes.accounts import Account
from .._nodes.nodes import Directory, File, Node


class Crossing:
    """What is to be counted elsewhere: a node, and all below it.

    A file that has several names, or was counted elsewhere before, stays counted where it is.

    Args:
        top: what moves.
        origin: the account of the directory that it leaves.
        target: that of the directory into which it comes.
        itself: whether `top` is to be counted there too, or only what is below it.

    Attributes:
        nodes: all nodes whose account changes.
        begun: whether the move has taken place, so that `complete` has to.
    """

    def __init__(self, top: Node, origin: Account, target: Account, *, itself: bool = True) -> None:
        self.nodes: list[Node] = []
        self.begun = False
        self._origin, self._target = origin, target
        self._inner: list[Account] = []
        self._stored = 0
        self._count = 0 if itself else -1
        pending = [top]
        while pending:
            node = pending.pop()
            if isinstance(node, Directory):
                self._count += 1
                if node.account is not origin:
                    self._inner.append(node.account)
                    continue
                pending.extend(node.children.values())
            elif node.account is not origin or node.nlink > 1:
                continue
            else:
                self._count += node.counts_as
            self.nodes.append(node)

    def require(self, path: Any) -> None:
        """Raise QuotaExceededError unless all of it fits where it comes.

        To be called when the nodes have been preserved, which may read files and so count more.
        """
        try:
            self._stored = sum(node.stored_bytes() for node in self.nodes if isinstance(node, File))
            totals = [account.total() for account in self._inner]
            self._target.require_move(
                self._stored + sum(used for used, _ in totals),
                self._count + sum(count for _, count in totals),
                self._origin,
                path,
            )
        except BaseException:
            del self  # see UnlinkedRecord
            raise

    def complete(self) -> None:
        """Count it where it has come, if it has; what was begun is done to its end."""
        try:
            self._complete()
        except BaseException:
            self._complete()
            raise

    def _complete(self) -> None:
        if not self.begun:
            return
        origin, target, stored, count = self._origin, self._target, self._stored, self._count
        self._stored = self._count = 0
        origin.used -= stored
        origin.max_bytes -= stored
        target.used += stored
        target.max_bytes += stored
        origin.nodes -= count
        origin.max_nodes -= count
        target.nodes += count
        target.max_nodes += count
        for account in self._inner:
            account.parent = target
        for node in self.nodes:
            node.account = target
