"""Counting bytes and nodes against their limits."""

from __future__ import annotations

from threading import RLock
from typing import Any

from ._errors import QuotaExceededError

UNLIMITED = 1 << 63


class Account:
    """Bytes and nodes in use, and how many there may be.

    Whoever changes a count holds the lock. Between reading a count and storing it again stands no
    call, so that neither a signal handler nor a finaliser can come between.

    Attributes:
        lock: the lock of the file system that this account belongs to.
        used: bytes of content in use, holes excluded.
        max_bytes: the limit of `used`; `UNLIMITED` for none.
        nodes: files, directories and links in use.
        max_nodes: the limit of `nodes`; `UNLIMITED` for none.
    """

    __slots__ = ("lock", "max_bytes", "max_nodes", "nodes", "used")

    def __init__(self, lock: RLock, max_bytes: int | None, max_nodes: int | None) -> None:  # type: ignore[valid-type]
        self.lock = lock
        self.used = 0
        self.max_bytes = UNLIMITED if max_bytes is None else max_bytes
        self.nodes = 0
        self.max_nodes = UNLIMITED if max_nodes is None else max_nodes

    def require(self, growth: int, nodes: int, path: Any = None) -> None:
        """Raise QuotaExceededError unless so many bytes and nodes more would fit."""
        if self.used + growth > self.max_bytes:
            raise QuotaExceededError(growth, self.max_bytes - self.used, self.max_bytes, path=path)
        if self.nodes + nodes > self.max_nodes:
            raise QuotaExceededError(
                nodes, self.max_nodes - self.nodes, self.max_nodes, unit="nodes", path=path
            )

    def release(self, stored: int, nodes: int) -> None:
        """Give back bytes and nodes."""
        with self.lock:
            self.used -= stored
            self.nodes -= nodes
