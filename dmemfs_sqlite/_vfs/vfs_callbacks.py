"""What SQLite calls to open, find and delete files: the callbacks of `sqlite3_vfs`."""

from __future__ import annotations

import errno
import secrets
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from dmemfs import MemoryFileSystem

from .abi import (
    CANTOPEN,
    IOERR_ACCESS,
    IOERR_DELETE,
    IOERR_DELETE_NOENT,
    OK,
    OPEN_CREATE,
    OPEN_DELETEONCLOSE,
    OPEN_EXCLUSIVE,
    OPEN_MAIN_DB,
    OPEN_MEMORY,
    OPEN_READONLY,
    OPEN_READWRITE,
)
from .failures import answer_failure, cold_callback, entered_uninterrupted, raise_held
from .memory import INT32, INT64, MEMORY, text_at
from .open_file import KNOWN_NAMES, OPEN_FILES, KnownName, OpenFile, Volume
from .paths import canonical_path, has_content
from .pending import ENTRY
from .private import PARAMETER, WAITING, PrivateMethods
from .reading import ReadsInC

# Behind a path, "vfs", its value, and the empty text at the end.
_MOST_NULS_OF_VFS = 4
# Characters: a name that has no more of them has no more bytes than a name may have.
_SURELY_SHORT = 63


class NameFunctions(NamedTuple):
    """What SQLite tells of the name of a database, whose address each of them is called with.

    Attributes:
        uri_parameter: the value of the parameter of that key.
        journal, log: the addresses of the names of the rollback journal and of the write-ahead log;
            None before SQLite 3.31.
    """

    uri_parameter: Callable[[int, bytes], bytes | None]
    journal: Callable[[int], int] | None
    log: Callable[[int], int] | None


@dataclass(slots=True)
class Registration:
    """A file system under the name by which one SQLite library knows it.

    Attributes:
        fs: weak, so that a registration, which has no end, does not keep it alive.
        file_methods: the address of the `sqlite3_io_methods` of its files.
        reads: what lets its databases be read in C; None where that cannot be.
        private: what opens private copies; None likewise.
        names: the functions of SQLite that know more of a name than what it says.
        volume: the locks of the file system.
    """

    fs: weakref.ref[MemoryFileSystem]
    file_methods: int
    reads: ReadsInC | None
    private: PrivateMethods | None
    names: NameFunctions
    volume: Volume

    def file_system(self) -> MemoryFileSystem:
        fs = self.fs()
        if fs is None:
            raise FileNotFoundError(errno.ENOENT, "the file system is gone")
        return fs


REGISTRATIONS: dict[int, Registration] = {}
"""By the address of their `sqlite3_vfs`."""


def open_in(
    registration: Registration,
    fs: MemoryFileSystem,
    path: str | None,
    name: int | None,
    file: int,
    flags: int,
    *,
    again: bool = False,
) -> int:
    """Open a file for SQLite, and return the flags that it was opened with.

    Args:
        registration: has the methods of the file.
        fs: where the file is.
        path: the path in it, None for a temporary file.
        name: the address of SQLite's own name of the file, which knows the URI's parameters.
        file: the address of the `sqlite3_file`.
        flags: how to open it.
        again: whether what is to be made may be there, from an attempt that was interrupted.
    """
    node: Any
    if flags & OPEN_MAIN_DB and WAITING and name and registration.private is not None:
        copy = WAITING.get(registration.names.uri_parameter(name, PARAMETER) or b"")
        if copy is not None:
            registration.private.open(copy, file)
            return flags | OPEN_MEMORY
    if path is None:
        # As the kernel's own temporary files: made, and removed while it is open.
        path = f"/.sqlite-{secrets.token_hex(8)}"
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            node = fs._file_to_open(path, create=True)
            fs.remove(path)
        finally:
            fs._unlock()
        flags &= ~OPEN_DELETEONCLOSE
    else:
        if fs._interceptors:
            flags = _ask_to_open(fs, path, flags)
        create = flags & OPEN_CREATE != 0
        exclusive = create and flags & OPEN_EXCLUSIVE != 0 and not again
        head, _, tail = path.rpartition("/")
        node = None if exclusive else _usual_file(fs, head, tail, path, create)
        if node is None:
            node = fs._file_to_open(path, create=create, exclusive=exclusive)
    if not flags & OPEN_MAIN_DB:
        OPEN_FILES[file] = OpenFile(fs, node, path, flags, None)
        return flags
    opened = OPEN_FILES[file] = OpenFile(fs, node, path, flags, registration.volume)
    opened.join()
    parameters = _meet_name(opened, name, registration.names) if name else {}
    if parameters.get(b"delete_on_close") == b"1":
        opened.flags |= OPEN_DELETEONCLOSE
    if parameters.get(b"journal") == b"memory":
        opened.atomic = True
        # SQLite then keeps the rollback journal in memory, unless it is told otherwise.
        return flags | OPEN_MEMORY
    return flags


def _meet_name(opened: OpenFile, name: int, names: NameFunctions) -> dict[bytes, bytes | None]:
    """Return the parameters of a database's URI, and remember the names of its journals.

    In memory they follow its own name, and the names of the journals follow them: key by value, and
    an empty key at the end.
    """
    if names.journal is None or names.log is None:
        keys = (b"delete_on_close", b"journal")
        return {key: names.uri_parameter(name, key) for key in keys}
    journal, log = names.journal(name), names.log(name)
    texts = MEMORY[name - 1 : journal - 1].tobytes()
    end = texts.index(b"\0")
    if log - journal == end + len(b"-journal\0"):  # else SQLite has shortened the suffixes
        opened.know_names(journal, log)
    if texts.count(b"\0") <= _MOST_NULS_OF_VFS and texts.startswith(b"\0vfs\0", end):
        return {}
    _, *parameters = texts.split(b"\0")
    pairs = list(zip(parameters[::2], parameters[1::2], strict=False))
    return dict(reversed(pairs))  # the first of a key counts


def _ask_to_open(fs: MemoryFileSystem, path: str, flags: int) -> int:
    """Ask whether a file may be opened; return the flags, those for reading if it is read-only."""
    try:
        fs._ask("open", path, changes=flags & OPEN_READWRITE != 0)
        return flags
    except OSError as error:
        if error.errno != errno.EROFS or flags & OPEN_EXCLUSIVE:
            raise
    fs._ask("open", path, changes=False)
    return flags & ~(OPEN_READWRITE | OPEN_CREATE) | OPEN_READONLY


def _usual_file(fs: MemoryFileSystem, head: str, name: str, path: str, create: bool) -> Any:
    """Find, or make, a file whose directory was met before; None where it takes longer."""
    directory = fs._directories.get(head)
    if directory is None:
        return None
    found = directory.children.get(name)
    if found is not None:
        return found if hasattr(found, "content") else None
    if create and 0 < len(name) <= _SURELY_SHORT:  # the root has no name
        return fs._create_file(directory, name, path)
    return None


def open_journal(known: KnownName, file: int, flags: int) -> bool:
    """Open a journal by its known name, and tell whether it was as quick as that.

    SQLite makes one for each transaction.
    """
    fs, path, head, name = known
    if fs._interceptors or flags & OPEN_EXCLUSIVE:
        return False
    node = _usual_file(fs, head, name, path, flags & OPEN_CREATE != 0)
    if node is None:
        return False
    OPEN_FILES[file] = OpenFile(fs, node, path, flags, None)
    return True


class Methods(Protocol):
    """See `Registration`."""

    @property
    def file_methods(self) -> int: ...
    @property
    def reads(self) -> ReadsInC | None: ...


def hand_over(methods: Methods, file: int) -> None:
    """Let SQLite use a file that was opened."""
    opened = OPEN_FILES.get(file)
    if opened is not None:  # else it is a private copy, and has its methods
        INT64[(file >> 3) - 1] = methods.file_methods
        if opened.flags & OPEN_MAIN_DB and methods.reads is not None:
            opened.begin_to_read(methods.reads, file)


def forget(file: int) -> None:
    """Forget a file that failed to open: SQLite will not close it."""
    opened = OPEN_FILES.pop(file, None)
    if opened is not None:
        opened.forget_names()
        opened.leave()
        opened.close()
        if opened.reads is not None:
            opened.reads.forget(file)


@entered_uninterrupted
def _open(
    vfs: int, name: int | None, file: int, flags: int, opened: int | None, again: bool = False
) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        INT64[(file >> 3) - 1] = 0  # so that nothing is closed if this fails
        registration = REGISTRATIONS[vfs]
        known = KNOWN_NAMES.get(name)
        if again:
            forget(file)
        try:
            if known is None or not open_journal(known, file, flags):
                path = text_at(name) if name else None
                fs = registration.file_system()
                flags = open_in(registration, fs, path, name, file, flags, again=again)
            if opened:
                INT32[(opened >> 2) - 1] = flags
            hand_over(registration, file)
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
        known = KNOWN_NAMES.get(name)
        if known is None:
            return delete_in(REGISTRATIONS[vfs].file_system(), text_at(name), again=again)
        return delete_in(known[0], known[1], again=again)
    except BaseException as error:
        return answer_failure(error, IOERR_DELETE, again, False, _delete, (vfs, name, sync))


def delete_in(fs: MemoryFileSystem, path: str, *, again: bool = False) -> int:
    """Remove a file, and return what SQLite wants to hear."""
    try:
        fs.remove(path)
    except FileNotFoundError:
        return OK if again else IOERR_DELETE_NOENT
    return OK


@entered_uninterrupted
def _access(vfs: int, name: int, how: int, answer: int, again: bool = False) -> int:
    try:
        if ENTRY[-1] and not again:
            raise_held()
        known = KNOWN_NAMES.get(name)
        if known is None:
            there = has_content(REGISTRATIONS[vfs].file_system(), text_at(name))
        else:
            there = is_there(known)
        INT32[(answer >> 2) - 1] = there
        return OK
    except BaseException as error:
        return answer_failure(error, IOERR_ACCESS, again, False, _access, (vfs, name, how, answer))


def is_there(known: KnownName) -> bool:
    """Do as `has_content` for a known name."""
    fs, path, head, name = known
    directory = fs._directories.get(head)
    if directory is not None and name not in directory.children and not directory.removed:
        return False
    return has_content(fs, path)


@cold_callback(CANTOPEN)
def _full_pathname(vfs: int, name: int, size: int, path: int) -> int:
    full = canonical_path(REGISTRATIONS[vfs].file_system(), text_at(name))
    return put_path(full, size, path)


def put_path(path: str, size: int, address: int) -> int:
    """Store a path in SQLite's buffer of `size` bytes."""
    text = path.encode("utf-8", "surrogateescape") + b"\0"
    if len(text) > size:
        return CANTOPEN
    MEMORY[address - 1 : address - 1 + len(text)] = text
    return OK


CALLBACKS: dict[str, Any] = {
    "xOpen": _open,
    "xDelete": _delete,
    "xAccess": _access,
    "xFullPathname": _full_pathname,
}
"""Each callback by the name of its member."""
