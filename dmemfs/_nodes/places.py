"""Content in one piece of address space, so that functions in C can read it by an address.

The blocks of such a content lie one behind the other in a mapping of its own, its place, which is
reserved large and backed only where something is written. What others hold of the content is kept
as ever, turned round: where a block is about to be written that somebody else has too, that one
moves, with the bytes that were, into memory of the pool, and the place is written. Two blocks lie
at one position at the same time only while they have the same bytes and neither is written.

Everything here is called with the lock of the file system held, but for `take_back`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

from .._platform import ReservedMemory
from .blocks import BLOCK_SHIFT, BLOCK_SIZE, Block, BlockPool, Home, drained, give_back_blocks
from .pieces import Piece

LEAST_CAPACITY = 1 << 30
"""Bytes of address space that are reserved for any content, however small."""
MOST_PLACES = 8192
"""How many there may be in the process: an eighth of the mappings that Linux allows by default."""

_HUGE_PAGES_FROM = (4 << 20) >> BLOCK_SHIFT
_ZEROS = bytes(BLOCK_SIZE)

Former: TypeAlias = tuple[Home | None, memoryview, int]
"""Where a block lay: its home, its view and its offset."""

_places: weakref.WeakSet[Place] = weakref.WeakSet()


class Place:
    """Where a content lies.

    Args:
        size: the bytes of the content; it may grow to `LEAST_CAPACITY`, or to twice its size.
        pool: that of the file system.

    Raises:
        OSError: there is no more address space, or there are too many places.

    Attributes:
        memory: what its bytes are the first of.
        capacity: the bytes of that.
        holder: the content; None, or gone, once it lies elsewhere. There is no other one then.
        on_leave: called with the place when the content is about to lie elsewhere.
        notes: what those who read by the address remember here.
    """

    __slots__ = (
        *("__weakref__", "_at_home", "_borrowed", "_dirty", "_dropped", "_pool"),
        *("_prefers_huge_pages", "_whole", "capacity", "holder", "memory", "notes", "on_leave"),
    )

    def __init__(self, size: int, pool: BlockPool) -> None:
        if len(_places) >= MOST_PLACES:
            raise OSError("too many contents have a place of their own")
        self.capacity: int = max(LEAST_CAPACITY, 2 * size + BLOCK_SIZE - 1 & -BLOCK_SIZE)
        self.memory: ReservedMemory
        # How many positions may have something in them; of these, how many when it began.
        self.memory, self._dirty = pool.take_spare(self.capacity) or (
            ReservedMemory.of_size(self.capacity),
            0,
        )
        self._borrowed = self._dirty
        self._whole = memoryview(self.memory)
        self._pool = pool
        self._at_home: dict[int, list[weakref.ref[Block]]] = {}
        self._dropped: list[int] = []
        self._prefers_huge_pages = False
        self.holder: Callable[[], Any] | None = None
        self.on_leave: Callable[[Place], None] = _nobody_minds
        self.notes: dict[Any, Any] = {}
        _places.add(self)
        if self._borrowed:
            pool.borrower = weakref.ref(self)

    def __del__(self) -> None:
        try:
            memory, dirty, pool = self.memory, self._dirty, self._pool
        except AttributeError:  # it was not made
            return
        pool.keep_spare(memory, dirty)

    def has_use_for_what_it_took(self) -> bool:
        """Tell whether it has grown over most of the memory of another place that it began with."""
        return 2 * len(self._at_home) >= self._borrowed

    @property
    def is_retired(self) -> bool:
        """Whether nothing will ever be written here again."""
        return self.holder is None or self.holder() is None

    def is_home_of(self, block: Block, index: int) -> bool:
        """Tell whether a block lies at its position here."""
        return block._pool is self and block.offset == index << BLOCK_SHIFT

    def can_have(self, block: Block) -> bool:
        """Tell whether a block may move here, for all who have it.

        Not if another content needs it where it lies, nor if another file system might have it
        move at the same time.
        """
        home = block._pool
        if type(home) is Place:
            return home is self or (home._pool is self._pool and home.is_retired)
        return (home._pool if type(home) is Piece else home) is self._pool

    # Blocks that are written

    def take(self, index: int, owner: object) -> Block:
        """Return a block for `owner` to write at a position where the content has none.

        Its bytes are arbitrary, as in `BlockPool.take`.

        Raises:
            MemoryError: somebody else's block was there, and the OS gives no memory for it.
        """
        if index in self._at_home:
            self._free(index)
        return self._settle(index, owner)

    def own(self, blocks: dict[int, Block], index: int, owner: object) -> Block:
        """Put a block of the same bytes there, for `owner` alone to write; return it.

        Raises:
            MemoryError: somebody else has the former one, and the OS gives no memory for it;
                nothing has changed.
        """
        former = weakref.ref(blocks[index])
        new = self._settle(index, None)
        blocks[index] = new
        try:
            self._free(index, new)
        except BaseException:
            blocks[index] = former() or new
            raise
        new.owner = owner
        return new

    def clear(self, blocks: dict[int, Block], first: int, last: int) -> None:
        """Have zeros in these positions where the content has no block."""
        for index in range(first, min(last + 1, self._dirty)):
            if index not in blocks:
                self._free(index)
                self._view(index)[:] = _ZEROS

    def _settle(self, index: int, owner: object) -> Block:
        if index >= _HUGE_PAGES_FROM and not self._prefers_huge_pages:
            self._prefers_huge_pages = True
            self.memory.prefer_huge_pages()
        block = Block(self._view(index), owner, self, index << BLOCK_SHIFT)
        self._note(index, block)
        return block

    def _note(self, index: int, block: Block) -> None:
        self._dirty = max(self._dirty, index + 1)
        self._at_home.setdefault(index, []).append(weakref.ref(block))

    def _free(self, index: int, but: Block | None = None) -> None:
        """Let the blocks move that lie at a position, all but one."""
        for block in self._residents(index):
            if block is not but:
                block.leave(self._pool)
        block = None  # type: ignore[assignment]  # its memory may be of use to others by now
        self._at_home.pop(index, None)
        if but is not None:
            self._at_home[index] = [weakref.ref(but)]

    def _residents(self, index: int) -> list[Block]:
        found = [reference() for reference in self._at_home.get(index, ())]
        return [block for block in found if block is not None and self.is_home_of(block, index)]

    def _view(self, index: int) -> memoryview:
        return self._whole[index << BLOCK_SHIFT : (index + 1) << BLOCK_SHIFT]

    # Contents that come

    def bring(self, blocks: dict[int, Block], index: int, owner: object) -> Former | None:
        """Have the block of a content lie here, for all who have it if that can be.

        Else it is replaced by one of the content's own.

        Returns:
            What is to be told that nothing of it is used any more: where it lay before.

        Raises:
            MemoryError: as `take`.
        """
        block = blocks[index]
        if self.is_home_of(block, index):
            return None
        self._free(index)
        if not self.can_have(block):
            new = self._settle(index, owner)
            block.copy(0, new.view[: len(block.view)])
            blocks[index] = new
            return None
        new = self._settle(index, None)
        view, former = new.view, (block._pool, block.view, block.offset)
        view[: len(block.view)] = block.view
        self._note(index, block)
        new._pool = None  # so that its end, which is near, frees nothing
        block.view, block.offset, block._pool = view, index << BLOCK_SHIFT, self
        return former

    # Memory that is not used any more

    def take_back(self, _view: memoryview, offset: int) -> None:
        """Note that a block is gone. Any thread may call this, at any time."""
        self._dropped.append(offset >> BLOCK_SHIFT)
        if len(self._dropped) > self._pool.most_kept and self.is_retired:
            self.give_back()  # nobody takes anything here meanwhile

    def give_back(self) -> None:
        """Let the OS have the memory of the blocks that are gone."""
        indexes = [index for index in set(drained(self._dropped)) if not self._residents(index)]
        for index in indexes:
            self._at_home.pop(index, None)
        give_back_blocks(self.memory, [index << BLOCK_SHIFT for index in indexes])

    def check(self, blocks: dict[int, Block], owner: object) -> None:
        """Raise AssertionError where the blocks of its content do not lie as they should."""
        for index, block in blocks.items():
            assert self.is_home_of(block, index), f"block {index} lies elsewhere"
            others = [other for other in self._residents(index) if other is not block]
            assert not others or block.owner is not owner, f"others have block {index}, written"
            assert all(other.view == block.view for other in others), f"block {index} is two"


def _nobody_minds(_place: Place) -> None:
    pass
