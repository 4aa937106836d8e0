"""Databases that other programs have open too, where the kernel shows them the file system.

They lock bytes of the file, as SQLite does in any real directory. So what connections of this
process have locked is told in these bytes, and what programs have is asked for by them. A write-
ahead log has an index in memory that both sides would have to share, and they cannot: while a
connection of one side uses it, those of the other are kept out of the database.

Everything here is called with the lock of the file system held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .abi import LOCK_EXCLUSIVE, LOCK_PENDING, LOCK_RESERVED, LOCK_SHARED
from .locks import NodeLocks

_PENDING = 1 << 30
_RESERVED = _PENDING + 1
_SHARED, _SHARED_END = _PENDING + 2, _PENDING + 511


def may_not_lock(records: Any, node: Any, level: int) -> bool:
    """Tell whether programs keep a connection from locking a file up to that level.

    Args:
        records: what they have locked, see `Tree._record_locks`.
        node: the file.
        level: of SQLite's ladder.
    """
    if level == LOCK_SHARED:
        return _excludes(records, node, _PENDING, _PENDING, exclusive=False) or _excludes(
            records, node, _SHARED, _SHARED_END, exclusive=False
        )
    if level == LOCK_RESERVED:
        return has_reserved(records, node)
    return _excludes(records, node, _PENDING, _SHARED_END, exclusive=True)


def has_reserved(records: Any, node: Any) -> bool:
    """Tell whether a program is about to write."""
    return _excludes(records, node, _RESERVED, _RESERVED, exclusive=True)


def use(records: Any, node: Any) -> bool:
    """Tell whether a program has any lock of a database."""
    return _excludes(records, node, _PENDING, _SHARED_END, exclusive=True)


def _excludes(records: Any, node: Any, start: int, end: int, *, exclusive: bool) -> bool:
    found: bool = records.excludes(node, start, end, exclusive=exclusive)
    return found


def locked_here(locks: dict[int, NodeLocks], node: Any) -> Iterator[tuple[int, int, bool]]:
    """Yield what connections of this process have locked of a file: see `Tree._record_keepers`.

    Args:
        locks: those of a file system, by the identity of the node.
        node: the file.
    """
    found = locks.get(id(node))
    if found is not None:
        yield from _of_all(found)


def _of_all(locks: NodeLocks) -> Iterator[tuple[int, int, bool]]:
    if any(file.maps_index for file in locks.files):
        yield _PENDING, _SHARED_END, True
        return
    if locks.readers:
        yield _SHARED, _SHARED_END, False
    writer = locks.writer
    if writer is not None:
        yield _RESERVED, _RESERVED, True
        if writer.level >= LOCK_PENDING:
            yield _PENDING, _PENDING, True
        if writer.level == LOCK_EXCLUSIVE:
            yield _SHARED, _SHARED_END, True
