"""Memory for large files: 64 KiB blocks cut from 4 MiB anonymous mappings, and recycled.

A page fault costs more than the copy that it is for, so that a growing bytearray streams at two
thirds of tmpfs's speed. Mappings that the kernel may back with huge pages, reused while they are
warm, are what beats it.
"""

from __future__ import annotations

import contextlib
import mmap
import sys

BLOCK_SHIFT = 16
BLOCK_SIZE = 1 << BLOCK_SHIFT
_SEGMENT_SIZE = 4 << 20
_LOST = memoryview(bytes(BLOCK_SIZE))  # what a block shows whose memory was taken back


class Block:
    """One block of a file's content.

    Several block lists may refer to a block. Its memory goes back to the pool when the last
    reference goes, so that no list can ever see memory that serves another file.

    Attributes:
        view: the bytes; `BLOCK_SIZE` of them, fewer in a borrowed block.
        owner: the token of the only block list that may write the block in place.
    """

    __slots__ = ("_pool", "owner", "view")

    view: memoryview
    owner: object

    def __init__(self, view: memoryview, owner: object, pool: BlockPool | None) -> None:
        self.view = view
        self.owner = owner
        self._pool = pool

    def __del__(self) -> None:
        try:
            pool = self._pool
        except AttributeError:  # an interrupt came before it was made
            return
        if pool is not None:
            # The collector finalises a whole garbage cycle before it frees any of it: a later
            # finaliser may still write through this block, and must not meet the new owner.
            view, self.view, self.owner = self.view, _LOST, None
            pool.take_back(view)


class BlockPool:
    """Hands out blocks, and keeps some of those that are returned for reuse.

    The contents of a block handed out are arbitrary: whoever takes it zeroes what it does not
    write. Memory beyond what is kept goes back to the OS segment by segment, as the last block
    of each is dropped.

    Args:
        keep: the most bytes of returned blocks to keep.
    """

    __slots__ = ("_free", "_most_free")

    def __init__(self, keep: int) -> None:
        self._free: list[memoryview] = []
        self._most_free = keep // BLOCK_SIZE

    def take(self, owner: object) -> Block:
        """Return a block for `owner` to write.

        Raises:
            MemoryError: the OS gives no more memory.
        """
        try:
            view = self._free.pop()
        except IndexError:
            view = self._map_segment()
        return Block(view, owner, self)

    def take_back(self, view: memoryview) -> None:
        """Keep the memory of a block that nobody refers to any more, or let it go."""
        if len(self._free) < self._most_free:
            self._free.append(view)

    def _map_segment(self) -> memoryview:
        try:
            # Private where the OS can: a forked child must not write into its parent's files.
            segment = (
                mmap.mmap(-1, _SEGMENT_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                if sys.platform != "win32"
                else mmap.mmap(-1, _SEGMENT_SIZE)
            )
        except OSError as error:
            raise MemoryError(f"cannot map {_SEGMENT_SIZE:,} bytes: {error}") from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel built without huge pages
                segment.madvise(mmap.MADV_HUGEPAGE)
        whole = memoryview(segment)
        views = [whole[at : at + BLOCK_SIZE] for at in range(0, _SEGMENT_SIZE, BLOCK_SIZE)]
        first = views[0]
        # Last in, first out: the next blocks taken are the neighbours of this one.
        self._free.extend(reversed(views[1:]))
        return first
