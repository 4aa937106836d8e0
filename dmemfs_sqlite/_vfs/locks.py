"""The locks of database files: SQLite's ladder, and the shared memory of the WAL index.

All open files of one node share one `NodeLocks`. Everything here is called with the lock of the
file system held, and changes state by plain assignments that nothing can come between: a garbage
collection in the middle of a callback may close another connection, which unlocks.
"""

from __future__ import annotations

from typing import Protocol

from .abi import (
    BUSY,
    LOCK_EXCLUSIVE,
    LOCK_NONE,
    LOCK_PENDING,
    LOCK_RESERVED,
    LOCK_SHARED,
    OK,
    SHM_SLOTS,
)
from .commits import WRITER_SLOT, CommitWatch, Writer
from .memory import address_of

_FREE, _EXCLUSIVE = 0, -1
_ALL_FREE, _ALL_EXCLUSIVE = [_FREE] * SHM_SLOTS, [_EXCLUSIVE] * SHM_SLOTS
# Bytes: two copies of `WalIndexHdr`, which every reader compares.
_WAL_INDEX_HEADER = 96


class Lockable(Writer, Protocol):
    """An open file, and what it has locked.

    Attributes:
        level: the lock of the ladder that it holds.
        shared_slots, exclusive_slots: bits of the slots of the WAL index that it has locked.
        maps_index: whether it uses the WAL index.
    """

    level: int
    shared_slots: int
    exclusive_slots: int
    maps_index: bool


class NodeLocks:
    """What the open files of one node have locked.

    Attributes:
        files: the open files.
        readers: how many of them hold SHARED or more.
        writer: the one that holds RESERVED or more.
        slots: of the WAL index; 0 is free, n > 0 the number of readers, -1 exclusive.
        regions: the memory of the WAL index, which lasts while one of the files maps it.
        watch: who is told of commits; None where nobody is.
    """

    __slots__ = ("files", "readers", "regions", "slots", "watch", "writer")

    def __init__(self) -> None:
        self.files: set[Lockable] = set()
        self.readers = 0
        self.writer: Lockable | None = None
        self.slots = [_FREE] * SHM_SLOTS
        self.regions: list[tuple[int, bytearray]] = []
        self.watch: CommitWatch | None = None

    # The ladder

    def lock(self, file: Lockable, level: int) -> int:
        """Take the lock of that level, or answer BUSY."""
        if file.level >= level:
            return OK
        writer = self.writer
        if level == LOCK_SHARED:
            if writer is not None and writer.level >= LOCK_PENDING:
                return BUSY  # a writer waits for the readers to end: no new ones
            self.readers += 1
            file.level = LOCK_SHARED
            return OK
        if writer is not None and writer is not file:
            return BUSY
        if level == LOCK_RESERVED:
            self.writer = file
            file.level = LOCK_RESERVED
            if self.watch is not None:
                self.watch.begin(file)
            return OK
        if self.readers > 1:
            self.writer = file
            file.level = LOCK_PENDING
            return BUSY
        self.writer = file
        file.level = LOCK_EXCLUSIVE
        return OK

    def unlock(self, file: Lockable, level: int) -> None:
        """Go down to SHARED or NONE; this cannot fail."""
        if file.level <= level:
            return
        if self.writer is file:
            self.writer = None
        if level == LOCK_NONE:
            self.readers -= 1
        file.level = level

    @property
    def reserved(self) -> bool:
        return self.writer is not None

    # The WAL index

    def map_region(self, file: Lockable, index: int, size: int, extend: bool) -> int:
        """Return the address of a region, 0 where there is none and none is to be made."""
        if index >= len(self.regions):
            if not extend:
                file.maps_index = True
                return 0
            self._extend(index, size)
        file.maps_index = True
        return self.regions[index][0]

    def _extend(self, index: int, size: int) -> None:
        while len(self.regions) <= index:
            buffer = bytearray(size)
            self.regions.append((address_of(buffer), buffer))

    def lock_slots(self, file: Lockable, first: int, count: int, shared: bool) -> int:
        """Lock slots of the WAL index, all or none, or answer BUSY."""
        slots = self.slots
        mask = ((1 << count) - 1) << first
        if shared:
            if not file.shared_slots & mask:
                if slots[first] == _EXCLUSIVE:
                    return BUSY
                slots[first] += 1
                file.shared_slots |= mask
            return OK
        if file.exclusive_slots & mask == mask:
            return OK
        if slots[first] if count == 1 else any(slots[first : first + count]):
            return BUSY
        if count == 1:
            slots[first] = _EXCLUSIVE
        else:
            slots[first : first + count] = _ALL_EXCLUSIVE[:count]
        file.exclusive_slots |= mask
        if self.watch is not None and first == WRITER_SLOT and count == 1:
            self.watch.begin(file)
        return OK

    def unlock_slots(self, file: Lockable, first: int, count: int, shared: bool) -> None:
        slots = self.slots
        mask = ((1 << count) - 1) << first
        if shared:
            if file.shared_slots & mask:
                slots[first] -= 1
                file.shared_slots &= ~mask
        elif file.exclusive_slots & mask:
            if count == 1:
                slots[first] = _FREE
            else:
                slots[first : first + count] = _ALL_FREE[:count]
            file.exclusive_slots &= ~mask

    def unmap(self, file: Lockable) -> None:
        """Let go of the WAL index and of what the file has locked there."""
        for slot in range(SHM_SLOTS):
            self.unlock_slots(file, slot, 1, file.shared_slots >> slot & 1 == 1)
        file.maps_index = False
        if not any(other.maps_index for other in self.files):
            self.regions = []

    def forget_index(self) -> None:
        """Make the next reader build the WAL index anew, from the log as it is by then."""
        if self.regions:
            self.regions[0][1][:_WAL_INDEX_HEADER] = bytes(_WAL_INDEX_HEADER)

    # For what happens to all of them

    def in_transaction(self, file: Lockable) -> bool:
        """Tell whether a file is locked for a transaction, rather than just open.

        A connection in WAL mode holds SHARED for as long as it is open, and locks slots instead.
        """
        if file.maps_index and file.level <= LOCK_SHARED:
            return bool(file.shared_slots or file.exclusive_slots)
        return file.level > LOCK_NONE

    def abandon(self, file: Lockable) -> None:
        """Take away all that a file has locked."""
        if file.maps_index:
            self.unmap(file)
        self.unlock(file, LOCK_NONE)
