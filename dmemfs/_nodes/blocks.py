"""Memory for large files: 64 KiB blocks cut from 4 MiB anonymous mappings, and recycled.

A page fault costs more than the copy that it is for, so that a growing bytearray streams at two
thirds of tmpfs's speed. Mappings that the kernel may back with huge pages, reused while they are
warm, are what beats it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Protocol, TypeVar

from .._platform import AnonymousMemory, ReservedMemory

BLOCK_SHIFT = 16
BLOCK_SIZE = 1 << 16  # a constant: what is computed, free threads count the references to
_SEGMENT_SIZE = 4 << 20
_MOST_DIRTY = (16 << 20) >> BLOCK_SHIFT
_LOST = memoryview(bytes(BLOCK_SIZE))  # what a block shows whose memory was taken back


_Item = TypeVar("_Item")


class Home(Protocol):
    """Where the memory of a block comes from, and goes to in the end."""

    def take_back(self, view: memoryview, offset: int) -> None: ...


class Borrower(Protocol):
    """A place in memory of another one that is gone."""

    def has_use_for_what_it_took(self) -> bool: ...


class Block:
    """One block of a file's content.

    Several block lists may refer to a block. Its memory goes back to the pool when the last
    reference goes, so that no list can ever see memory that serves another file.

    A block may move: its bytes are in other memory then, and what it had is written by somebody
    else. Whoever reads one that he does not hold the lock for asks, after he has read, whether
    `view` is still the same, and reads again if not.

    Attributes:
        view: the bytes; `BLOCK_SIZE` of them, fewer in a block of a piece and in a short one at the
            end of a file.
        offset: where `view` begins in what it is a view of.
        owner: the token of the only block list that may write the block in place.
    """

    __slots__ = ("__weakref__", "_pool", "offset", "owner", "view")

    view: memoryview
    offset: int
    owner: object

    def __init__(self, view: memoryview, owner: object, pool: Home | None, offset: int = 0) -> None:
        self.view = view
        self.offset = offset
        self.owner = owner
        self._pool: Home | None = pool

    def copy(self, offset: int, target: memoryview) -> None:
        """Fill `target` from the bytes at `offset`, whether the block moves meanwhile or not."""
        view = None
        while self.view is not view:
            view = self.view
            target[:] = view[offset : offset + len(target)]

    def lies_where_it_says(self) -> bool:
        """Tell whether the first bytes of `view` are those at `offset` of what it is a view of."""
        first = self.view[:64]
        return memoryview(self.view.obj)[self.offset : self.offset + len(first)] == first

    def leave(self, pool: BlockPool) -> None:
        """Have the bytes in memory of the pool from now on; the former memory is somebody else's.

        Raises:
            MemoryError: the OS gives no more memory; nothing has changed.
        """
        new = pool.take(None)
        new.view[:] = self.view
        view, offset, new._pool = new.view, new.offset, None
        former = self.view  # freed at the end: other threads may run meanwhile
        self.view, self.offset, self._pool = view, offset, pool
        del former

    def __del__(self) -> None:
        try:
            pool = self._pool
        except AttributeError:  # an interrupt came before it was made
            return
        if pool is not None:
            # The collector finalises a whole garbage cycle before it frees any of it: a later
            # finaliser may still write through this block, and must not meet the new owner.
            view, self.view, self.owner = self.view, _LOST, None
            pool.take_back(view, self.offset)


class _Segment(AnonymousMemory):
    """A mapping from which blocks are cut. It lives as long as one of them is in use or kept.

    Attributes:
        dirty: the offsets of blocks that are neither, and still take memory.
        clean: those of blocks that take none, since it was given back to the OS.
        is_listed: whether the pool knows that there are any.
    """

    dirty: list[int]
    clean: list[int]
    is_listed: bool

    def clear(self) -> None:
        """Give back the memory of the blocks that are not in use."""
        # Each step takes an offset from a list or puts it there: who has it, has the block alone.
        offsets = drained(self.dirty)
        give_back_blocks(self, offsets)
        self.clean.extend(offsets)


def _nobody() -> None:
    return None


def give_back_blocks(memory: AnonymousMemory, offsets: list[int]) -> None:
    """Let the OS have the memory of blocks in as few pieces as can be."""
    offsets.sort()
    start = 0
    for position, offset in enumerate(offsets, 1):
        if position == len(offsets) or offsets[position] != offset + BLOCK_SIZE:
            memory.give_back(offsets[start], offset + BLOCK_SIZE - offsets[start])
            start = position


def drained(items: list[_Item]) -> list[_Item]:
    """Take all out of a list that other threads, or finalisers, may change meanwhile."""
    found = []
    with contextlib.suppress(IndexError):
        while items:
            found.append(items.pop())
    return found


class BlockPool:
    """Hands out blocks, and keeps some of those that are returned for reuse.

    The contents of a block handed out are arbitrary: whoever takes it zeroes what it does not
    write. Memory beyond what is kept goes back to the OS segment by segment, as the last block
    of each is dropped; and where a segment has to stay because some of its blocks are in use, that
    of the others is given back, and they are used before a new segment is.

    Args:
        keep: the most bytes of returned blocks to keep.

    Attributes:
        borrower: who has what the latest place has left; see `keep_spare`.
        most_kept: as `keep`, in blocks.
    """

    __slots__ = (*("_dirty", "_free", "_in_spare", "_segments", "_spare", "borrower", "most_kept"),)

    def __init__(self, keep: int) -> None:
        self._free: list[tuple[memoryview, int]] = []  # with the offset in the segment
        self.most_kept: int = keep // BLOCK_SIZE
        self._segments: list[weakref.ref[_Segment]] = []  # those with blocks that are not in use
        self._dirty = 0  # how many such blocks may still take memory
        self._spare: list[tuple[ReservedMemory, int]] = []  # one, and its blocks
        self._in_spare = 0
        self.borrower: Callable[[], Borrower | None] = _nobody

    def take(self, owner: object) -> Block:
        """Return a block for `owner` to write.

        Raises:
            MemoryError: the OS gives no more memory.
        """
        while True:
            try:
                view, offset = self._free.pop()
                return Block(view, owner, self, offset)
            except IndexError:
                if not self._reuse():
                    self._map_segment()

    def take_back(self, view: memoryview, offset: int) -> None:
        """Keep the memory of a block that nobody refers to any more, or let it go."""
        if len(self._free) < self.most_kept - self._in_spare:
            self._free.append((view, offset))
            return
        segment: _Segment = view.obj  # type: ignore[assignment]
        segment.dirty.append(offset)
        if not segment.is_listed:
            segment.is_listed = True
            self._segments.append(weakref.ref(segment))
        self._dirty += 1
        if self._dirty > _MOST_DIRTY:
            self._clear()

    def take_spare(self, size: int) -> tuple[ReservedMemory, int] | None:
        """Return reserved memory of a place that is gone, and in how many blocks something was.

        None where there is none of `size` bytes. What is in it is arbitrary.
        """
        self._in_spare = 0
        spares = drained(self._spare)
        return spares[0] if spares and len(spares[0][0]) >= size else None

    def keep_spare(self, memory: ReservedMemory, blocks: int) -> None:
        """Keep the memory of a place that nobody refers to any more, or let it go.

        One that holds less than a segment is not worth it. Nor is another one kept while the
        latest is with somebody who has no use for it.
        """
        borrower = self.borrower()
        if self._spare or not (borrower is None or borrower.has_use_for_what_it_took()):
            return
        most = min(blocks, self.most_kept - len(self._free))
        if most << BLOCK_SHIFT < _SEGMENT_SIZE or not memory.GIVES_BACK:
            return
        if most < blocks:
            memory.give_back(most << BLOCK_SHIFT, (blocks - most) << BLOCK_SHIFT)
        self._in_spare = most
        self._spare.append((memory, blocks))

    def _clear(self) -> None:
        """Give back what segments hold that are gone by now, or only hold for other blocks."""
        self._dirty = 0
        for reference in drained(self._segments):
            segment = reference()
            if segment is not None:
                self._segments.append(reference)
                if segment.GIVES_BACK:
                    segment.clear()

    def _reuse(self) -> bool:
        """Make the unused blocks of one segment free; tell whether there was any."""
        with contextlib.suppress(IndexError):
            while segments := self._segments:
                segment = segments.pop()()
                if segment is None:
                    continue
                segment.is_listed = False
                offsets = drained(segment.clean) + drained(segment.dirty)
                whole = memoryview(segment)
                self._free += [(whole[at : at + BLOCK_SIZE], at) for at in offsets]
                if offsets:
                    return True
        return False

    def _map_segment(self) -> None:
        try:
            segment = _Segment.of_size(_SEGMENT_SIZE)
        except OSError as error:
            raise MemoryError(f"cannot map {_SEGMENT_SIZE:,} bytes: {error}") from error
        segment.prefer_huge_pages()
        segment.dirty, segment.clean, segment.is_listed = [], [], False
        whole = memoryview(segment)
        # Last in, first out: the next blocks taken are the neighbours of this one.
        self._free += [
            (whole[at : at + BLOCK_SIZE], at)
            for at in reversed(range(0, _SEGMENT_SIZE, BLOCK_SIZE))
        ]
