"""The SQLite library of a module, proven to be the one, and file systems registered with it."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import secrets
import sqlite3
import sys
import weakref
from types import ModuleType
from typing import Any

from dmemfs import MemoryFileSystem
from dmemfs._mutex import Mutex

from .._engine.library import candidates, extension_module
from .._errors import LiveDatabaseUnavailable
from . import file_callbacks, private, vfs_callbacks
from .abi import (
    CANTOPEN,
    FILE_METHODS,
    FILE_METHODS_VERSION,
    IOCAP_ATOMIC,
    OK,
    VFS_METHODS,
    FileMethods,
    Vfs,
)
from .memdb import FILE_SIZE, Memdb
from .memory import INT64, immortal
from .open_file import volume_of
from .private import PrivateMethods
from .reading import ReadsInC
from .vfs_callbacks import REGISTRATIONS, NameFunctions, Registration

# The VFSs that SQLite is built with. What is taken over from one ignores the structure that it is
# called with; that of any other VFS need not.
_PLATFORMS = (b"unix", b"win32")
_VFS_VERSION = 2
_LONGEST_PATH = 4096
# Bytes: that of the last of all file systems has two numbers of 64 bits, and says the module.
_LONGEST_NAME = 128
_LONGEST_MODULE = 40
_numbers = itertools.count(1)
_mutex = Mutex()


class VfsLibrary:
    """A SQLite library with which VFSs can be registered.

    Attributes:
        module: the name of the module whose connections run in it.
    """

    def __init__(self, library: ctypes.CDLL, module: str) -> None:
        self.module = module[:_LONGEST_MODULE]
        library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        library.sqlite3_vfs_register.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.sqlite3_vfs_unregister.argtypes = [ctypes.c_void_p]
        self._library = library
        self._name_functions = _name_functions(library)
        self.platform = self._platform()
        self._names: weakref.WeakKeyDictionary[MemoryFileSystem, str] = weakref.WeakKeyDictionary()
        self._spare: list[Vfs] = []

    def _platform(self) -> Any:
        for name in _PLATFORMS:
            found = self._library.sqlite3_vfs_find(name)
            if found:
                return found.contents
        raise AttributeError("none of the VFSs of SQLite itself is registered")

    def default_vfs(self) -> Any:
        """Return the VFS of those who name none."""
        return self._library.sqlite3_vfs_find(None).contents

    def name_of(self, fs: MemoryFileSystem) -> str:
        """Return the name of the VFS of a file system; registered when it is first asked for.

        It needs no quoting in a URI.
        """
        known = self._names.get(fs)
        if known is not None:
            return known
        registration = self.registration(fs)
        with _mutex:
            name = self._names.get(fs)
            if name is None:
                # "no such vfs" is all that another library says of it.
                name = f"dmemfs-{os.getpid()}-{next(_numbers)}-of-live_uri(module={self.module})"
                vfs = self._renamed(name) or self.new_vfs(name, vfs_methods())
                # First, so that an interrupt leaves nothing registered for ever. Open connections
                # hold the file system; so it is new ones that find none.
                finalizer = weakref.finalize(fs, self._forget, vfs)
                finalizer.atexit = False
                REGISTRATIONS[ctypes.addressof(vfs)] = registration
                self.register(vfs)
                self._names[fs] = name
            return name

    def registration(self, fs: MemoryFileSystem) -> Registration:
        return Registration(
            weakref.ref(fs),
            self.file_methods,
            self.reads,
            self.private,
            self._name_functions,
            volume_of(fs),
        )

    def _renamed(self, name: str) -> Vfs | None:
        """Return a VFS that was of a file system that is gone, under a new name; None without one.

        It is never freed, because a connection that is just being closed may look at it once more.
        """
        if not self._spare:
            return None
        vfs = self._spare.pop()
        text = name.encode() + b"\0"
        ctypes.memmove(vfs.pAppData, text, len(text))
        return vfs

    def new_vfs(self, name: str, methods: dict[str, int], file_size: int = FILE_SIZE) -> Vfs:
        """Return a VFS; what it does not do itself the platform's own does."""
        platform = self.platform
        text = immortal(ctypes.create_string_buffer(name.encode(), _LONGEST_NAME))
        vfs = Vfs(
            iVersion=min(_VFS_VERSION, platform.iVersion),
            szOsFile=file_size,
            mxPathname=max(_LONGEST_PATH, platform.mxPathname),
            zName=ctypes.addressof(text),
            pAppData=ctypes.addressof(text),
            **{
                member: getattr(platform, member)
                for member in (
                    *("xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep"),
                    *("xCurrentTime", "xGetLastError", "xCurrentTimeInt64"),
                )
            },
            **methods,
        )
        return immortal(vfs)

    def register(self, vfs: Vfs, *, default: bool = False) -> None:
        status = self._library.sqlite3_vfs_register(ctypes.addressof(vfs), int(default))
        if status != OK:
            raise LiveDatabaseUnavailable(f"sqlite3_vfs_register() failed with status {status}")

    def unregister(self, vfs: Vfs) -> None:
        self._library.sqlite3_vfs_unregister(ctypes.addressof(vfs))

    def _forget(self, vfs: Vfs) -> None:
        """Take back the VFS of a file system that is gone."""
        self.unregister(vfs)
        registration = REGISTRATIONS.pop(ctypes.addressof(vfs), None)
        if registration is not None and not registration.volume.was_abandoned:
            self._spare.append(vfs)

    @functools.cached_property
    def file_methods(self) -> int:
        """The address of the `sqlite3_io_methods` of all files, which is never freed."""
        members = {
            name: thunk_address(FILE_METHODS[name], callback)
            for name, callback in file_callbacks.CALLBACKS.items()
        }
        members |= self._without_callbacks()
        return ctypes.addressof(immortal(FileMethods(iVersion=FILE_METHODS_VERSION, **members)))

    def _without_callbacks(self) -> dict[str, int]:
        """Return functions in C, which need no GIL, for what needs no Python.

        To sync is to return SQLITE_OK, as sqlite3_initialize() does once SQLite is initialised; it
        takes no arguments, and C lets the caller pass some. A memory barrier is to take a mutex and
        let it go, as sqlite3_memory_used() does.
        """
        found = {
            "xSync": address_in_c(self._library.sqlite3_initialize),
            "xShmBarrier": address_in_c(self._library.sqlite3_memory_used),
        }
        memdb = self._memdb
        if memdb is not None and memdb.promises & ~IOCAP_ATOMIC == file_callbacks.PROMISES:
            # It looks at no file, for it has but one answer.
            found["xDeviceCharacteristics"] = memdb.methods.xDeviceCharacteristics
        return found

    @functools.cached_property
    def _memdb(self) -> Memdb | None:
        found = self._library.sqlite3_vfs_find(b"memdb")
        try:
            version = self._library.sqlite3_libversion_number()
            return Memdb(found.contents, version) if found else None
        except OSError:
            return None

    @functools.cached_property
    def private(self) -> PrivateMethods | None:
        """What lets private copies be opened; None where that cannot be proven to work."""
        memdb = self._memdb
        if memdb is None or memdb.store is None:
            return None
        members = {
            name: thunk_address(FILE_METHODS[name], callback)
            for name, callback in private.CALLBACKS.items()
        }
        return PrivateMethods(memdb, members | self._without_callbacks())

    @functools.cached_property
    def reads(self) -> ReadsInC | None:
        """What lets databases be read in C; None where that cannot be proven to work."""
        memdb = self._memdb
        return ReadsInC(memdb, self.file_methods) if memdb and memdb.store else None


def _name_functions(library: ctypes.CDLL) -> NameFunctions:
    # They keep the GIL: they are called from callbacks, and only read what those were given.
    functions = ctypes.PyDLL(library._name)
    uri_parameter = functions.sqlite3_uri_parameter
    uri_parameter.restype = ctypes.c_char_p
    uri_parameter.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    journal, log = (
        getattr(functions, f"sqlite3_filename_{kind}", None) for kind in ("journal", "wal")
    )
    for function in (journal, log):
        if function is not None:
            function.restype = ctypes.c_void_p
            function.argtypes = [ctypes.c_void_p]
    return NameFunctions(uri_parameter, journal, log)


def address_in_c(function: Any) -> int:
    """Return where a C function, or the entry of a callback, lies."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


@functools.cache
def thunk_address(prototype: Any, callback: Any) -> int:
    """Return the C entry of a callback, which is never freed: SQLite may call it at any time."""
    return address_in_c(immortal(prototype(callback)))


def vfs_methods() -> dict[str, int]:
    return {
        name: thunk_address(VFS_METHODS[name], callback)
        for name, callback in vfs_callbacks.CALLBACKS.items()
    }


def library_of(module: ModuleType = sqlite3) -> VfsLibrary:
    """Return the library that a module's connections run in.

    Raises:
        LiveDatabaseUnavailable: It cannot be reached, or not proven to be the one.
    """
    found = _library_of(module)
    if isinstance(found, str):
        raise LiveDatabaseUnavailable(
            f"{module.__name__}: {found}; use save_db() and load_db(), which need no callbacks"
        )
    return found


@functools.cache
def _library_of(module: ModuleType) -> VfsLibrary | str:
    """Return the library, or why there is none."""
    if sys.maxsize < 1 << 32:
        return "live databases need a 64-bit Python"
    compiled = extension_module(module.Connection)
    if compiled is None:
        return "the compiled module behind its connections was not found"
    reasons = []
    for candidate in candidates(compiled):
        try:
            library = VfsLibrary(ctypes.CDLL(candidate), module.__name__)
        except (OSError, AttributeError, TypeError) as error:
            reasons.append(str(error))
            continue
        if _is_library_of(library, module):
            return library
        reasons.append(f"{candidate} is another instance of SQLite")
    return "its SQLite library cannot be reached: " + "; ".join(reasons)


def _is_library_of(library: VfsLibrary, module: ModuleType) -> bool:
    """Prove it: what is registered with the library is found by the module's connect()."""
    called = []

    def open_nothing(_vfs: int, _name: int, file: int, _flags: int, _opened: int) -> int:
        called.append(file)
        INT64[(file >> 3) - 1] = 0
        return CANTOPEN

    name = f"dmemfs-proof-{secrets.token_hex(8)}"
    entry = address_in_c(immortal(VFS_METHODS["xOpen"](open_nothing)))
    same_path = thunk_address(VFS_METHODS["xFullPathname"], _same_path)
    vfs = library.new_vfs(name, vfs_methods() | {"xOpen": entry, "xFullPathname": same_path})
    library.register(vfs)
    try:
        module.connect(f"file:/proof?vfs={name}", uri=True).close()
    except module.Error:
        pass
    finally:
        library.unregister(vfs)
    return bool(called)


def _same_path(_vfs: int, _name: int, size: int, path: int) -> int:
    return vfs_callbacks.put_path("/proof", size, path)
