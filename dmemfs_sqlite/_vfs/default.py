"""A default VFS: plain paths of some directories are files of file systems, all others the disk's.

While it is installed, whoever opens SQLite without naming a VFS gets it. It asks a function where a
path leads. What leads nowhere special is passed on to the VFS that was the default before, with the
very arguments that SQLite gave: a file's name is followed by the parameters of its URI.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import sqlite3
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dmemfs import MemoryFileSystem
from dmemfs._mutex import Mutex

from .abi import CANTOPEN, IOERR_ACCESS, IOERR_DELETE, OK, VFS_METHODS, Vfs
from .failures import answer_failure, cold_callback, entered_uninterrupted, raise_held
from .memdb import FILE_SIZE
from .memory import INT32, INT64, text_at
from .open_file import KNOWN_NAMES
from .paths import Resolve, has_content
from .pending import ENTRY
from .registration import VfsLibrary, library_of, thunk_address
from .vfs_callbacks import (
    delete_in,
    forget,
    hand_over,
    is_there,
    open_in,
    open_journal,
    put_path,
)


@dataclass(slots=True)
class _Installed:
    """What a default VFS does.

    Attributes:
        resolve: the last one that was installed, which open connections go on with.
        base: the address of the VFS that was the default before.
        methods: those of that VFS.
    """

    library: VfsLibrary
    vfs: Vfs
    resolve: Resolve
    base: int
    methods: dict[str, Any]

    def find(self, name: int | None) -> tuple[MemoryFileSystem, str] | None:
        """Return where a name leads; None for the disk, and for temporary files."""
        return self.resolve(text_at(name)) if name else None


_by_address: dict[int, _Installed] = {}
_made: dict[tuple[ModuleType, int], _Installed] = {}
_current: dict[ModuleType, _Installed] = {}
_mutex = Mutex()


def install(resolve: Resolve, *, module: ModuleType = sqlite3) -> None:
    """Make plain paths of SQLite lead where `resolve` says.

    Args:
        resolve: Called with the whole path of every file that SQLite opens, looks for or deletes,
            from any thread; it must be quick, and must not use SQLite. What it answers for a
            database it also answers for "-journal" and "-wal" beside it.
        module: sqlite3, or one like it.

    Raises:
        LiveDatabaseUnavailable: The SQLite library of the module cannot be reached.
        RuntimeError: One is installed already: `remove` it first.
    """
    library = library_of(module)
    with _mutex:
        if module in _current:
            raise RuntimeError("a default VFS is installed already: remove() it first")
        before = library.default_vfs()
        address = ctypes.addressof(before)
        installed = _by_address.get(address)  # left there by an interrupt
        if installed is None:
            installed = _made.get((module, address))
        if installed is None:  # made once: what SQLite has seen must stay for ever
            installed = _made[module, address] = _make(library, before, resolve)
        installed.resolve = resolve
        _current[module] = installed
        library.register(installed.vfs, default=True)


def _make(library: VfsLibrary, before: Vfs, resolve: Resolve) -> _Installed:
    """Return a VFS that passes on to `before` what leads to the disk."""
    vfs = library.new_vfs(
        f"dmemfs-default-{secrets.token_hex(4)}",
        {name: thunk_address(VFS_METHODS[name], _CALLBACKS[name]) for name in _CALLBACKS},
        max(FILE_SIZE, before.szOsFile),
    )
    methods = {name: prototype(getattr(before, name)) for name, prototype in VFS_METHODS.items()}
    installed = _Installed(library, vfs, resolve, ctypes.addressof(before), methods)
    _by_address[ctypes.addressof(vfs)] = installed
    return installed


def remove(*, module: ModuleType = sqlite3) -> None:
    """Give new connections the VFS that was the default before; open ones go on as they are."""
    with _mutex:
        installed = _current.get(module)
        if installed is not None:  # each step may be done again after an interrupt
            before = Vfs.from_address(installed.base)
            installed.library.register(before, default=True)
            installed.library.unregister(installed.vfs)
            del _current[module]


@entered_uninterrupted
def _open(
    vfs: int, name: int | None, file: int, flags: int, opened: int | None, again: bool = False
) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        installed = _by_address[vfs]
        known = KNOWN_NAMES.get(name)
        found = installed.find(name) if known is None else known[:2]
        if found is None:
            return int(installed.methods["xOpen"](installed.base, name, file, flags, opened))
        INT64[(file >> 3) - 1] = 0
        if again:
            forget(file)
        try:
            if known is None or not open_journal(known, file, flags):
                fs, path = found
                registration = installed.library.registration(fs)
                flags = open_in(registration, fs, path, name, file, flags, again=again)
            if opened:
                INT32[(opened >> 2) - 1] = flags
            hand_over(installed.library, file)
        except BaseException:
            forget(file)
            raise
        return OK
    except BaseException as error:
        return answer_failure(
            error, CANTOPEN, again, False, _open, (vfs, name or 0, file, flags, opened or 0)
        )


@entered_uninterrupted
def _delete(vfs: int, name: int, sync: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        installed = _by_address[vfs]
        known = KNOWN_NAMES.get(name)
        found = installed.find(name) if known is None else known[:2]
        if found is None:
            return int(installed.methods["xDelete"](installed.base, name, sync))
        return delete_in(*found, again=again)
    except BaseException as error:
        return answer_failure(error, IOERR_DELETE, again, False, _delete, (vfs, name, sync))


@entered_uninterrupted
def _access(vfs: int, name: int, how: int, answer: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        known = KNOWN_NAMES.get(name)
        if known is not None:
            INT32[(answer >> 2) - 1] = is_there(known)
            return OK
        installed = _by_address[vfs]
        found = installed.find(name)
        if found is None:
            return int(installed.methods["xAccess"](installed.base, name, how, answer))
        INT32[(answer >> 2) - 1] = has_content(*found)
        return OK
    except BaseException as error:
        return answer_failure(error, IOERR_ACCESS, again, False, _access, (vfs, name, how, answer))


@cold_callback(CANTOPEN)
def _full_pathname(vfs: int, name: int, size: int, path: int) -> int:
    installed = _by_address[vfs]
    if installed.find(name) is None:
        return int(installed.methods["xFullPathname"](installed.base, name, size, path))
    # The path outside of the file system: it is resolved anew, and names the journals.
    return put_path(os.path.abspath(text_at(name)), size, path)


_CALLBACKS: dict[str, Any] = {
    "xOpen": _open,
    "xDelete": _delete,
    "xAccess": _access,
    "xFullPathname": _full_pathname,
}
