"""The bytes of one file.

Content takes one of three forms, and the node that holds it changes the form as it is written:

- `bytes`: written in one piece, or empty. Adopted and returned without a copy.
- `bytearray`: a small file written bit by bit.
- `BlockList`: a file beyond `SMALL_FILE_LIMIT`, or one with holes.

Nothing here takes a lock or counts a quota: the file system does both, around these calls.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TypeAlias

from .blocks import BLOCK_SHIFT, BLOCK_SIZE, Block, BlockPool
from .pieces import Piece
from .places import Place
from .tables import MOST_IN_A_DICTIONARY, BlockTables

SMALL_FILE_LIMIT = 1 << 20

_OFFSET = BLOCK_SIZE - 1
_FEW_BLOCKS = 16
_LEAST_ROOM = 256  # bytes
_ZEROS = memoryview(bytes(BLOCK_SIZE))


class BlockList:
    """Content in blocks of `BLOCK_SIZE` bytes, shared copy-on-write between copies.

    A block that is absent is a hole: it reads as zeros and occupies nothing. A block is written in
    place only while its owner is this list's token; every other one is replaced by a copy first.
    Bytes of a block beyond `size` are arbitrary. The last block of a list of few is no longer than
    it has to be, or nearly so: many small files with holes would take far more than is counted.

    Attributes:
        size: the length in bytes.
        counted: the bytes that the quota counts for this content: all but holes. Whoever changes
            the content brings it up to date, together with the account.
        place: where all of its blocks lie, one behind the other, if somebody reads it there by an
            address.
    """

    __slots__ = ("__weakref__", "_blocks", "_pool", "_token", "counted", "place", "size")

    def __init__(self, pool: BlockPool) -> None:
        self._blocks: dict[int, Block] = {}
        self._pool = pool
        self._token = object()
        self.size: int = 0
        self.counted: int = 0
        self.place: Place | None = None

    def __bool__(self) -> bool:
        return self.size > 0

    @classmethod
    def borrow(cls, content: bytes, pool: BlockPool) -> BlockList:
        """Return a list that refers to `content` without a copy.

        Complexity: O(blocks).
        """
        self = cls(pool)
        self.size = self.counted = len(content)
        self._blocks = Piece(content, pool).blocks(content)
        return self

    def share(self, pool: BlockPool | None = None) -> BlockList:
        """Return a copy that shares every block.

        Complexity: O(blocks), without their bytes; of more than `MOST_IN_A_DICTIONARY`, a 512th.
        """
        other = BlockList(self._pool if pool is None else pool)
        other._blocks = self._blocks.copy()
        other.size = self.size
        other.counted = self.counted
        self._token = object()  # what was ours to write is now everybody's to read
        return other

    def stored_bytes(self, size: int | None = None) -> int:
        """Return the bytes that are not in holes, now or if the list were extended to `size`."""
        return self._stored(len(self._blocks), self.size if size is None else size, range(0))

    def growth_of_write(self, position: int, count: int) -> int:
        """Return by how much `counted` grows if `count` > 0 bytes are written at `position`.

        Complexity: O(blocks written).
        """
        blocks, size = self._blocks, self.size
        end = position + count
        first = position // BLOCK_SIZE
        if end <= size and first in blocks and end <= (first + 1) * BLOCK_SIZE:
            return 0
        if position == size and (first in blocks or not position % BLOCK_SIZE):
            return count
        touched = range(first, (end - 1) // BLOCK_SIZE + 1)
        missing = sum(index not in blocks for index in touched)
        return self._stored(len(blocks) + missing, max(size, end), touched) - self.counted

    def _stored(self, blocks: int, size: int, touched: range) -> int:
        last, used = divmod(size - 1, BLOCK_SIZE)
        unused = BLOCK_SIZE - used - 1 if last in self._blocks or last in touched else 0
        return blocks * BLOCK_SIZE - unused

    def equals(self, other: Content) -> bool:
        """Tell whether `other`, of the same size, has the same bytes. Complexity: O(bytes)."""
        for start in range(0, self.size, BLOCK_SIZE):
            if isinstance(other, BlockList):
                index = start >> BLOCK_SHIFT
                if self._blocks.get(index) is other._blocks.get(index):
                    continue
                piece: bytes | memoryview = other.read(start, BLOCK_SIZE)
            else:
                piece = memoryview(other)[start : start + BLOCK_SIZE]
            if self.read(start, BLOCK_SIZE) != piece:
                return False
        return True

    def bytes_apart(self, other: BlockList) -> int:
        """Return the bytes stored here that `other` does not share. Complexity: O(blocks)."""
        return self.counted - sum(_shared(self, other, index) for index in self._blocks)

    def unshared_by_write(self, other: BlockList, position: int, count: int) -> int:
        """Return how many bytes shared with `other` a write of `count` > 0 bytes replaces.

        Complexity: O(blocks written).
        """
        first, last = position >> BLOCK_SHIFT, (position + count - 1) >> BLOCK_SHIFT
        indexes: Iterable[int] = range(first, last + 1)
        if last - first > len(self._blocks):
            indexes = [index for index in self._blocks if first <= index <= last]
        unshared = sum(_shared(self, other, index) for index in indexes)
        if position > self.size and first != self.size >> BLOCK_SHIFT:
            unshared += self.unshared_by_extension(other)
        return unshared

    def unshared_by_extension(self, other: BlockList) -> int:
        """Return how many bytes shared with `other` are replaced if the last block is extended."""
        return _shared(self, other, self.size >> BLOCK_SHIFT) if self.size & _OFFSET else 0

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes from `position`; fewer at the end, none beyond it."""
        first = position >> BLOCK_SHIFT
        offset = position & _OFFSET
        left = self.size - position
        if count > left:
            if left <= 0:
                return b""
            count = left
        if offset + count <= BLOCK_SIZE:
            block = self._blocks.get(first)
            if block is None:
                return bytes(count)
            while True:
                view = block.view
                data = view[offset : offset + count].tobytes()
                if block.view is view:
                    return data
        end = position + count
        last = (end - 1) // BLOCK_SIZE
        if last - first > 2 * len(self._blocks):
            return self._read_sparse(position, end)
        # The blocks, not only their views, are held until all is read: a block in use by nobody
        # goes back to the pool.
        blocks = [self._blocks.get(index) for index in range(first, last + 1)]
        while True:
            found = [_ZEROS if block is None else block.view for block in blocks]
            views = [found[0][offset:], *found[1:-1], found[-1][: end - last * BLOCK_SIZE]]
            data = b"".join(views)
            if not _have_moved(blocks, found):
                return data

    def _read_sparse(self, position: int, end: int) -> bytes:
        """Read what is mostly holes: memory is had first, all at once, and then the data copied."""
        target = bytearray(end - position)
        for index, block in self._blocks.items():
            start = max(position, index * BLOCK_SIZE)
            stop = min(end, (index + 1) * BLOCK_SIZE)
            if start < stop:
                offset = start - index * BLOCK_SIZE
                block.copy(offset, memoryview(target)[start - position : stop - position])
        return bytes(target)

    def read_into(self, position: int, target: memoryview) -> int:
        """Fill `target` from `position` and return the number of bytes filled."""
        end = min(position + len(target), self.size)
        at = position
        while at < end:
            index, offset = divmod(at, BLOCK_SIZE)
            step = min(BLOCK_SIZE - offset, end - at)
            done = at - position
            block = self._blocks.get(index)
            while True:
                view = _ZEROS if block is None else block.view
                target[done : done + step] = view[offset : offset + step]
                if block is None or block.view is view:
                    break
            at += step
        return max(0, end - position)

    def overwrite(self, position: int, data: bytes | memoryview, count: int) -> bool:
        """Write in place, if that is within one block of our own; tell whether it was."""
        block = self._blocks.get(position >> BLOCK_SHIFT)
        offset = position & _OFFSET
        if (
            block is None
            or block.owner is not self._token
            or offset + count > BLOCK_SIZE
            or not 0 < count <= self.size - position
        ):
            return False
        block.view[offset : offset + count] = data
        return True

    def write(self, position: int, data: bytes | memoryview, count: int) -> None:
        """Write all of `data`, `count` > 0 bytes, at `position`, past the end if need be.

        Raises:
            MemoryError: no block could be had; the content is as it was.
        """
        index = position // BLOCK_SIZE
        offset = position - index * BLOCK_SIZE
        size = self.size
        end = position + count
        if self.place is not None and end > size:
            self._extend_place(end)
        if offset + count <= BLOCK_SIZE:
            if position > size:
                self._zero_tail(size, position)
            block = self._make_writable(index, offset, offset + count)
            block.view[offset : offset + count] = data
            self._blocks[index] = block
        else:
            self._write_across(index, offset, position, data, end)
        if end > size:
            self.size = end
        blocks = self._blocks
        if blocks.__class__ is dict:
            if len(blocks) < _FEW_BLOCKS:
                self._shorten_tail(of_others=False)
            elif len(blocks) > MOST_IN_A_DICTIONARY and self.place is None:
                self._blocks = BlockTables(blocks.items())

    def truncate(self, size: int, shorten: bool = True) -> None:
        """Cut the content to `size` bytes, or extend it by a hole.

        Args:
            size: bytes.
            shorten: whether the last block may be replaced by a shorter one; not where another
                list is to share it still.

        Raises:
            MemoryError: no block could be had; the content is as it was.
        """
        if size > self.size:
            if self.place is not None:
                self._extend_place(size)
            self._zero_tail(self.size, size)
        else:
            keep = -(-size // BLOCK_SIZE)
            if self._blocks:
                self._blocks = {at: block for at, block in self._blocks.items() if at < keep}
            if self.place is not None:
                self.place.give_back()
        self.size = size
        if shorten and len(self._blocks) < _FEW_BLOCKS:
            self._shorten_tail(of_others=True)

    def settle(self, place: Place) -> None:
        """Lie in a place, and nowhere else, until `leave`; a content that lies there leaves.

        Raises:
            MemoryError: what others have of the place could not move; the content is as it was.

        Complexity: O(blocks), and O(bytes) of those that lie elsewhere.
        """
        former = place.holder and place.holder()
        if former is not None:
            place.on_leave(place)
            former.place = None
        place.holder = weakref.ref(self)
        if self._blocks.__class__ is BlockTables:
            self._blocks = dict(self._blocks.items())
        blocks, left = self._blocks, []
        for index in list(blocks):
            was = place.bring(blocks, index, self._token)
            if was is not None:
                left.append(was)
        place.clear(blocks, 0, place.capacity >> BLOCK_SHIFT)
        self.place = place
        for home, view, offset in left:
            if home is not None:
                home.take_back(view, offset)

    def leave(self) -> int:
        """Lie anywhere from now on; whoever reads in the place is told before.

        Returns:
            The bytes counted.
        """
        place = self.place
        if place is not None:
            place.on_leave(place)
            self.place = place.holder = None
        return self.counted

    def unshared_by_settling(self, place: Place, other: BlockList) -> int:
        """Return how many bytes shared with `other` are copied if the content settles in a place.

        Complexity: O(blocks).
        """
        return sum(
            _shared(self, other, index)
            for index, block in self._blocks.items()
            if not place.can_have(block)
        )

    def _extend_place(self, size: int) -> None:
        """See to it that what becomes part of the content is zeros there, or leave a small place.

        Raises:
            MemoryError: what others have of the place could not move.
        """
        assert self.place is not None
        if size > self.place.capacity:
            self.leave()
        else:
            first, last = self.size >> BLOCK_SHIFT, (size - 1) >> BLOCK_SHIFT
            self.place.clear(self._blocks, first, last)

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or after `offset`; None where none follows.

        Complexity: O(blocks) in a hole, else O(1).
        """
        index = offset >> BLOCK_SHIFT
        if index in self._blocks:
            return offset
        following = min((found for found in self._blocks if found > index), default=None)
        return None if following is None else following << BLOCK_SHIFT

    def next_hole(self, offset: int) -> int:
        """Return where a hole begins at or after `offset`; the end of all is one.

        Complexity: O(blocks up to there).
        """
        index = offset >> BLOCK_SHIFT
        if index not in self._blocks:
            return offset
        while index in self._blocks:
            index += 1
        return min(index << BLOCK_SHIFT, self.size)

    def segments(self) -> list[tuple[int, int]]:
        """Return where data lies between holes, as pairs of position and length.

        Complexity: O(blocks log blocks).
        """
        found: list[tuple[int, int]] = []
        start = stop = 0
        for index in sorted(self._blocks):
            if index != stop:
                if stop > start:
                    found.append((start << BLOCK_SHIFT, (stop - start) << BLOCK_SHIFT))
                start = index
            stop = index + 1
        if stop > start:
            position = start << BLOCK_SHIFT
            found.append((position, min(stop << BLOCK_SHIFT, self.size) - position))
        return found

    def check(self) -> None:
        """Raise AssertionError where an invariant does not hold."""
        assert self.counted == self.stored_bytes(), "the bytes counted are not those stored"
        for index, block in self._blocks.items():
            assert 0 <= index * BLOCK_SIZE < self.size, f"block {index} lies beyond {self.size}"
            needed = min(BLOCK_SIZE, self.size - index * BLOCK_SIZE)
            assert len(block.view) >= needed, f"block {index} is too short"
            assert (
                block.owner is not self._token
                or len(block.view) == BLOCK_SIZE
                or (index + 1) * BLOCK_SIZE >= self.size
            ), f"block {index} is short, and not the last"
            assert block.lies_where_it_says(), f"block {index} begins elsewhere"
        if self.place is not None:
            self.place.check(self._blocks, self._token)

    def _make_writable(self, index: int, start: int, stop: int) -> Block:
        """Return a block of our own for `index`, valid outside of [start, stop) of it."""
        old = self._blocks.get(index)
        if old is not None and old.owner is self._token and stop <= len(old.view):
            return old
        place = self.place
        if place is None:
            new = self._pool.take(self._token)
        elif old is None:
            new = place.take(index, self._token)
        else:
            del old  # whether anybody else has it is about to be asked
            return place.own(self._blocks, index, self._token)
        if start == 0 and stop == BLOCK_SIZE:
            return new
        view = new.view
        if old is not None:
            old.copy(0, view[: len(old.view)])
        elif index * BLOCK_SIZE < self.size:  # a hole inside the file: all of it must read as zeros
            view[:] = _ZEROS
        elif start:
            view[:start] = _ZEROS[:start]
        return new

    def _shorten_tail(self, of_others: bool) -> None:
        """Replace the last block by a shorter one if most of it is of no use.

        The new one has some room, so that what is written bit by bit is not copied each time.

        Args:
            of_others: also a block that is not this list's alone.
        """
        index, used = divmod(self.size, BLOCK_SIZE)
        block = self._blocks.get(index)
        if block is None or self.place is not None or not (of_others or block.owner is self._token):
            return
        room = used + max(_LEAST_ROOM, used >> 4)
        if len(block.view) <= room + _LEAST_ROOM:
            return
        view = memoryview(bytearray(room))
        view[:used] = block.view[:used]
        self._blocks[index] = Block(view, self._token, None)

    def _write_across(
        self, index: int, offset: int, position: int, data: bytes | memoryview, end: int
    ) -> None:
        """Write over a block boundary: all blocks are had first, so that nothing is half done."""
        if position > self.size:
            self._zero_tail(self.size, position)
        pieces: list[tuple[int, Block, int, int]] = []
        at = position
        while at < end:
            step = min(BLOCK_SIZE - offset, end - at)
            pieces.append((index, self._make_writable(index, offset, offset + step), offset, step))
            at += step
            index += 1
            offset = 0
        source = memoryview(data)
        done = 0
        for _, block, offset, step in pieces:
            block.view[offset : offset + step] = source[done : done + step]
            done += step
        self._blocks.update([(index, block) for index, block, _, _ in pieces])

    def _zero_tail(self, size: int, until: int) -> None:
        """Zero what lies behind `size` in its block, up to `until`: it is about to show."""
        index, offset = divmod(size, BLOCK_SIZE)
        if offset and index in self._blocks:
            stop = min(BLOCK_SIZE, offset + until - size)
            block = self._make_writable(index, offset, stop)
            block.view[offset:stop] = _ZEROS[: stop - offset]
            self._blocks[index] = block


def _have_moved(blocks: list[Block | None], views: list[memoryview]) -> bool:
    return any(
        block is not None and block.view is not view
        for block, view in zip(blocks, views, strict=True)
    )


def _shared(one: BlockList, other: BlockList, index: int) -> int:
    """Return the bytes of a block that two contents share."""
    block = one._blocks.get(index)
    if block is None or other._blocks.get(index) is not block:
        return 0
    return min(BLOCK_SIZE, one.size - index * BLOCK_SIZE, other.size - index * BLOCK_SIZE)


Content: TypeAlias = bytes | bytearray | BlockList


def content_size(content: Content) -> tuple[int, int]:
    """Return the length of `content`, and the bytes of it that the quota counts."""
    if type(content) is BlockList:
        return content.size, content.counted
    return len(content), len(content)  # type: ignore[arg-type]


def kept_of(image: bytes | BlockList, following: Content | None) -> int:
    """Return the bytes of `image` that `following`, the file's next content, does not share.

    Content of one piece is shared whole or not at all. Complexity: O(blocks).
    """
    if image is following:
        return 0
    if type(image) is BlockList and type(following) is BlockList:
        return image.bytes_apart(following)
    return content_size(image)[1]
