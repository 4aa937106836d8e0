"""Bytes that were adopted whole, and that are in blocks by now.

A file that was written in one piece keeps the very bytes that it was given. As soon as a part of it
changes, it becomes a list of blocks that refer to the piece, and the piece stays in memory as long
as one of them does. So that no more is kept than is counted, what is left of a piece is copied out
as soon as a sixteenth of it serves nobody.
"""

from __future__ import annotations

import contextlib
import threading
import weakref

from .blocks import BLOCK_SIZE, Block, BlockPool

_MOST_UNUSED = 16
"""Which part of a piece may serve nobody: one of so many."""


class Piece:
    """One piece of bytes, and the blocks that refer to it.

    Args:
        content: what nobody changes.
        pool: where memory comes from when the piece is given up.
    """

    __slots__ = ("_in_use", "_is_given_up", "_least", "_pool", "_references")

    def __init__(self, content: bytes, pool: BlockPool) -> None:
        self._pool = pool
        self._in_use = len(content)  # bytes
        self._least = self._in_use - self._in_use // _MOST_UNUSED
        self._is_given_up = threading.Lock()
        self._references: list[weakref.ref[Block]] = []

    def blocks(self, content: bytes) -> dict[int, Block]:
        """Return blocks that refer to all of `content`, by their index. Complexity: O(blocks)."""
        whole = memoryview(content)
        blocks: dict[int, Block] = {}
        for start in range(0, len(content), BLOCK_SIZE):
            block = Block(whole[start : start + BLOCK_SIZE], None, self, start)
            self._references.append(weakref.ref(block))
            blocks[len(blocks)] = block
        return blocks

    def take_back(self, view: memoryview, _offset: int) -> None:
        """Note that nobody refers to a block any more. Complexity: O(1), O(bytes) once."""
        self._in_use -= len(view)
        # Taken once, and never given back: what comes in the middle, from a finaliser or from
        # another thread, finds that it is being done.
        if 0 < self._in_use < self._least and self._is_given_up.acquire(False):
            self._give_up()

    def _give_up(self) -> None:
        """Let every block that is left have memory of its own.

        A block of a piece is written by nobody, so it makes no difference to those who read it, and
        it does not matter where this ends if there is no memory.
        """
        with contextlib.suppress(MemoryError):
            for reference in self._references:
                block = reference()
                if block is not None and block._pool is self:
                    _leave(block, self._pool)
        self._references = []


def _leave(block: Block, pool: BlockPool) -> None:
    """Let a block refer to a copy in memory of the pool, or, of less than a block, of its own."""
    if len(block.view) < BLOCK_SIZE:
        former = block.view  # freed at the end: as in `leave`
        block.view, block.offset, block._pool = memoryview(bytes(former)), 0, None
    else:
        block.leave(pool)
