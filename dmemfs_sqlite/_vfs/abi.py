"""The C interface between SQLite and a VFS: codes, flags, and the layout of its two structures.

Names and values are those of https://www.sqlite.org/c3ref/intro.html; the structures are
`sqlite3_vfs` (https://www.sqlite.org/c3ref/vfs.html) and `sqlite3_io_methods`
(https://www.sqlite.org/c3ref/io_methods.html).
"""

from __future__ import annotations

import ctypes
from typing import Any

# Result codes.
OK = 0
BUSY = 5
BUSY_RECOVERY = 5 | 1 << 8
NOMEM = 7
IOERR = 10
NOTFOUND = 12
FULL = 13
CANTOPEN = 14
CANTOPEN_ISDIR = CANTOPEN | 2 << 8
IOERR_READ = IOERR | 1 << 8
IOERR_SHORT_READ = IOERR | 2 << 8
IOERR_WRITE = IOERR | 3 << 8
IOERR_TRUNCATE = IOERR | 6 << 8
IOERR_FSTAT = IOERR | 7 << 8
IOERR_DELETE = IOERR | 10 << 8
IOERR_NOMEM = IOERR | 12 << 8
IOERR_ACCESS = IOERR | 13 << 8
IOERR_CHECKRESERVEDLOCK = IOERR | 14 << 8
IOERR_LOCK = IOERR | 15 << 8
IOERR_SHMLOCK = IOERR | 20 << 8
IOERR_SHMMAP = IOERR | 21 << 8
IOERR_DELETE_NOENT = IOERR | 23 << 8

# How a file is to be opened.
OPEN_READONLY = 0x1
OPEN_READWRITE = 0x2
OPEN_CREATE = 0x4
OPEN_DELETEONCLOSE = 0x8
OPEN_EXCLUSIVE = 0x10
OPEN_MEMORY = 0x80
OPEN_MAIN_DB = 0x100
OPEN_WAL = 0x80000

# The lock ladder of a database file.
LOCK_NONE, LOCK_SHARED, LOCK_RESERVED, LOCK_PENDING, LOCK_EXCLUSIVE = range(5)

# Locks on the slots of the WAL index.
SHM_LOCK, SHM_SHARED = 2, 4
SHM_SLOTS = 8

# What a file promises to survive.
IOCAP_ATOMIC = 0x1
IOCAP_SAFE_APPEND = 0x200
IOCAP_SEQUENTIAL = 0x400
IOCAP_POWERSAFE_OVERWRITE = 0x1000

FCNTL_PRAGMA = 14
FCNTL_MMAP_SIZE = 18
FCNTL_HAS_MOVED = 20
FCNTL_SIZE_LIMIT = 36

_Int, _Int64, _Pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p

FILE_METHODS: dict[str, Any] = {
    "xClose": ctypes.CFUNCTYPE(_Int, _Pointer),
    "xRead": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Int64),
    "xWrite": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Int64),
    "xTruncate": ctypes.CFUNCTYPE(_Int, _Pointer, _Int64),
    "xSync": ctypes.CFUNCTYPE(_Int, _Pointer, _Int),
    "xFileSize": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer),
    "xLock": ctypes.CFUNCTYPE(_Int, _Pointer, _Int),
    "xUnlock": ctypes.CFUNCTYPE(_Int, _Pointer, _Int),
    "xCheckReservedLock": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer),
    "xFileControl": ctypes.CFUNCTYPE(_Int, _Pointer, _Int, _Pointer),
    "xSectorSize": ctypes.CFUNCTYPE(_Int, _Pointer),
    "xDeviceCharacteristics": ctypes.CFUNCTYPE(_Int, _Pointer),
    "xShmMap": ctypes.CFUNCTYPE(_Int, _Pointer, _Int, _Int, _Int, _Pointer),
    "xShmLock": ctypes.CFUNCTYPE(_Int, _Pointer, _Int, _Int, _Int),
    "xShmBarrier": ctypes.CFUNCTYPE(None, _Pointer),
    "xShmUnmap": ctypes.CFUNCTYPE(_Int, _Pointer, _Int),
}
VFS_METHODS: dict[str, Any] = {
    "xOpen": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Pointer, _Int, _Pointer),
    "xDelete": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int),
    "xAccess": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Pointer),
    "xFullPathname": ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Pointer),
}
# Version 2: with the WAL index, without memory-mapped pages.
FILE_METHODS_VERSION = 2


class FileMethods(ctypes.Structure):
    """`sqlite3_io_methods`, up to the members of version 2."""

    _fields_ = [("iVersion", _Int), *((name, _Pointer) for name in FILE_METHODS)]


class Vfs(ctypes.Structure):
    """`sqlite3_vfs`, with the members of all versions."""

    _fields_ = [
        ("iVersion", _Int),
        ("szOsFile", _Int),
        ("mxPathname", _Int),
        ("pNext", _Pointer),
        ("zName", ctypes.c_char_p),
        ("pAppData", _Pointer),
        *((name, _Pointer) for name in VFS_METHODS),
        ("xDlOpen", _Pointer),
        ("xDlError", _Pointer),
        ("xDlSym", _Pointer),
        ("xDlClose", _Pointer),
        ("xRandomness", _Pointer),
        ("xSleep", _Pointer),
        ("xCurrentTime", _Pointer),
        ("xGetLastError", _Pointer),
        ("xCurrentTimeInt64", _Pointer),
        ("xSetSystemCall", _Pointer),
        ("xGetSystemCall", _Pointer),
        ("xNextSystemCall", _Pointer),
    ]
