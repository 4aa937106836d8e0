"""What SQLite calls to read, write and lock a file: the callbacks of `sqlite3_io_methods`.

Every callback is one `try`, entered uninterrupted; `again` tells that the call was interrupted and
is made a second time, which each of them allows. Those that run a dozen times for each transaction
are written out, and repeat themselves a little; `cold_callback` makes the others.
"""

from __future__ import annotations

import ctypes
from time import time_ns
from typing import Any

from . import programs
from .abi import (
    BUSY,
    BUSY_RECOVERY,
    FCNTL_HAS_MOVED,
    FCNTL_MMAP_SIZE,
    FCNTL_PRAGMA,
    IOCAP_POWERSAFE_OVERWRITE,
    IOCAP_SAFE_APPEND,
    IOCAP_SEQUENTIAL,
    IOERR_CHECKRESERVEDLOCK,
    IOERR_FSTAT,
    IOERR_LOCK,
    IOERR_READ,
    IOERR_SHMLOCK,
    IOERR_SHMMAP,
    IOERR_SHORT_READ,
    IOERR_TRUNCATE,
    IOERR_WRITE,
    LOCK_RESERVED,
    LOCK_SHARED,
    NOTFOUND,
    OK,
    OPEN_DELETEONCLOSE,
    SHM_LOCK,
    SHM_SHARED,
)
from .commits import WRITER_SLOT
from .failures import answer_failure, cold_callback, entered_uninterrupted, raise_held
from .memory import INT32, INT64, MEMORY, text_at
from .open_file import OPEN_FILES
from .pending import ENTRY

# Writes reach the file in their order and whole, and there is no power to fail: whoever looks at a
# file at any moment, by a copy or a snapshot, sees all writes up to then.
PROMISES = IOCAP_SAFE_APPEND | IOCAP_SEQUENTIAL | IOCAP_POWERSAFE_OVERWRITE
# Bytes: the least that SQLite takes for a sector, and so the header of a journal.
_SECTOR_SIZE = 512
# Bytes: what SQLite lets `PRAGMA mmap_size` have, as it is usually built.
_LARGEST_MAPPING = 0x7FFF0000


@entered_uninterrupted
def _atomic(file: int) -> bool:
    # Without a call, after which an interruption could leave the callback that answers a failure.
    return OPEN_FILES[file].atomic if file in OPEN_FILES else False


@entered_uninterrupted
def _close(file: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES.get(file)
        if opened is not None:
            if opened.volume is not None:
                opened.forget_names()
                opened.leave()
            if opened.flags & OPEN_DELETEONCLOSE and opened._node.nlink:
                opened.fs.remove(opened.name)
            opened.close()
            del OPEN_FILES[file]
            if opened.reads is not None:
                opened.reads.forget(file)
        return OK
    except BaseException as error:
        if again and file in OPEN_FILES:
            del OPEN_FILES[file]  # its address may be another file's soon
        return answer_failure(error, OK, again, False, _close, (file,))


@entered_uninterrupted
def _read(file: int, buffer: int, count: int, offset: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        if opened.restored:
            opened.find_again()
        start = buffer - 1
        found = opened.fs._read_page(opened._node, offset, count, MEMORY, start)
        if found < count:
            MEMORY[start + found : start + count] = bytes(count - found)
            return IOERR_SHORT_READ
        opened.bytes_read += count
        if opened.stale_cache:
            opened.distort(start, count, offset)
        return OK
    except BaseException as error:
        return answer_failure(
            error, IOERR_READ, again, _atomic(file), _read, (file, buffer, count, offset)
        )


@entered_uninterrupted
def _write(file: int, buffer: int, count: int, offset: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        if opened.restored:
            opened.find_again()
        opened.fs._write_page(opened, offset, count, MEMORY, buffer - 1)
        INT64[opened.size_at] = opened._node.size
        return OK
    except BaseException as error:
        return answer_failure(
            error, IOERR_WRITE, again, _atomic(file), _write, (file, buffer, count, offset)
        )


@cold_callback(IOERR_TRUNCATE, _atomic)
def _truncate(file: int, size: int) -> int:
    opened = OPEN_FILES[file]
    if opened.restored:
        opened.find_again()
    opened.fs._truncate(opened._node, size, opened.name)
    INT64[opened.size_at] = opened._node.size
    return OK


@entered_uninterrupted
def _file_size(file: int, size: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        if opened.restored:
            opened.find_again()
        INT64[(size >> 3) - 1] = opened._node.size
        return OK
    except BaseException as error:
        return answer_failure(error, IOERR_FSTAT, again, _atomic(file), _file_size, (file, size))


@entered_uninterrupted
def _lock(file: int, level: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        fs = opened.fs
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if opened.restored:
                opened.find_again()
            if level == LOCK_SHARED:
                if opened.by_calls:
                    opened.read_in_c()
                node = opened._node
                INT64[opened.size_at] = node.size
                if node.atime <= node.ctime:  # nobody sees what is read from now on
                    node.atime = time_ns()
            records = fs._record_locks
            if records is not None and programs.may_not_lock(records, opened._node, level):
                return BUSY
            return opened.locks.lock(opened, level)
        finally:
            fs._unlock()
    except BaseException as error:
        return answer_failure(error, IOERR_LOCK, again, _atomic(file), _lock, (file, level))


@entered_uninterrupted
def _unlock(file: int, level: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        if opened.level > level:
            if opened.locks.watch is not None and opened.level >= LOCK_RESERVED:
                opened.locks.watch.end(opened)
            fs = opened.fs
            try:
                if not fs._try_lock(False):
                    fs._wait_for_lock()
                opened.locks.unlock(opened, level)
            finally:
                fs._unlock()
        return OK
    except BaseException as error:
        return answer_failure(error, OK, again, False, _unlock, (file, level))


@cold_callback(IOERR_CHECKRESERVEDLOCK, _atomic)
def _check_reserved_lock(file: int, answer: int) -> int:
    opened = OPEN_FILES[file]
    records = opened.fs._record_locks
    INT32[(answer >> 2) - 1] = opened.locks.reserved or (
        records is not None and programs.has_reserved(records, opened._node)
    )
    return OK


@entered_uninterrupted
def _file_control(file: int, operation: int, argument: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        if operation == FCNTL_HAS_MOVED:
            INT32[(argument >> 2) - 1] = OPEN_FILES[file].has_moved()
            return OK
        if operation == FCNTL_PRAGMA:
            _notice_pragma(file, argument)
        elif operation == FCNTL_MMAP_SIZE:
            INT64[(argument >> 3) - 1] = OPEN_FILES[file].mapping_limit
            return OK
        return NOTFOUND
    except BaseException as error:
        return answer_failure(
            error, NOTFOUND, again, _atomic(file), _file_control, (file, operation, argument)
        )


def _notice_pragma(file: int, argument: int) -> None:
    """Learn of a journal in memory, for which failures have other codes, and of other settings."""
    _, name, value = (ctypes.c_void_p * 3).from_address(argument)
    if not (name and value):
        return
    pragma = text_at(name).lower()
    if pragma == "journal_mode":
        OPEN_FILES[file].atomic = text_at(value).lower() in ("memory", "off")
    elif pragma == "mmap_size":
        OPEN_FILES[file].mapping_limit = _mapping_limit(text_at(value))


def _mapping_limit(text: str) -> int:
    """Return the limit that SQLite takes a value of `PRAGMA mmap_size` for."""
    try:
        return max(0, min(int(text, 0), _LARGEST_MAPPING))
    except ValueError:
        return 0


@cold_callback(_SECTOR_SIZE)
def _sector_size(file: int) -> int:
    return _SECTOR_SIZE


@cold_callback(PROMISES)
def _device_characteristics(file: int) -> int:
    return PROMISES


@cold_callback(IOERR_SHMMAP, _atomic)
def _shm_map(file: int, region: int, size: int, extend: int, address: int) -> int:
    opened = OPEN_FILES[file]
    try:
        if not opened.fs._try_lock(False):
            opened.fs._wait_for_lock()
        records = opened.fs._record_locks
        if records is not None and programs.use(records, opened._node):
            return BUSY_RECOVERY  # for plain BUSY it would try again for ten seconds
        where = opened.locks.map_region(opened, region, size, bool(extend))
    finally:
        opened.fs._unlock()
    INT64[(address >> 3) - 1] = where
    return OK


@entered_uninterrupted
def _shm_lock(file: int, first: int, count: int, flags: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        opened = OPEN_FILES[file]
        if first == WRITER_SLOT and opened.locks.watch is not None and not flags & SHM_LOCK:
            opened.locks.watch.end(opened)
        fs = opened.fs
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if flags & SHM_LOCK:
                if opened.restored:
                    opened.find_again()
                if opened.by_calls:
                    opened.read_in_c()
                INT64[opened.size_at] = opened._node.size
                return opened.locks.lock_slots(opened, first, count, flags & SHM_SHARED != 0)
            opened.locks.unlock_slots(opened, first, count, flags & SHM_SHARED != 0)
            return OK
        finally:
            fs._unlock()
    except BaseException as error:
        code = IOERR_SHMLOCK if flags & SHM_LOCK else OK
        atomic = code != OK and _atomic(file)
        return answer_failure(error, code, again, atomic, _shm_lock, (file, first, count, flags))


@cold_callback(OK)
def _shm_unmap(file: int, delete: int) -> int:
    opened = OPEN_FILES.get(file)
    if opened is not None:
        try:
            if not opened.fs._try_lock(False):
                opened.fs._wait_for_lock()
            opened.locks.unmap(opened)
        finally:
            opened.fs._unlock()
    return OK


CALLBACKS: dict[str, Any] = {
    "xClose": _close,
    "xRead": _read,
    "xWrite": _write,
    "xTruncate": _truncate,
    "xFileSize": _file_size,
    "xLock": _lock,
    "xUnlock": _unlock,
    "xCheckReservedLock": _check_reserved_lock,
    "xFileControl": _file_control,
    "xSectorSize": _sector_size,
    "xDeviceCharacteristics": _device_characteristics,
    "xShmMap": _shm_map,
    "xShmLock": _shm_lock,
    "xShmUnmap": _shm_unmap,
}
"""Each callback by the name of its member; xSync and xShmBarrier are functions in C."""
