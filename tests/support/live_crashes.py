"""A recorder of what SQLite does to its files, and what a crash would leave of it.

The recorder is a VFS of its own, which passes every call on to the callbacks of dmemfs_sqlite and
notes what changes files. A crash is then made up at any point of the record: with the writes that
were not synced lost or torn, as a disk may lose them, or with all of them there, as in memory.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from dmemfs import MemoryFileSystem
from dmemfs_sqlite._vfs import file_callbacks, vfs_callbacks
from dmemfs_sqlite._vfs.abi import (
    FILE_METHODS,
    FILE_METHODS_VERSION,
    OK,
    OPEN_CREATE,
    VFS_METHODS,
    FileMethods,
)
from dmemfs_sqlite._vfs.memory import MEMORY, immortal, text_at
from dmemfs_sqlite._vfs.open_file import OPEN_FILES
from dmemfs_sqlite._vfs.registration import address_in_c, library_of
from dmemfs_sqlite._vfs.vfs_callbacks import REGISTRATIONS
from tests.support.live_databases import PATH, check_integrity, opened, value

ACCOUNTS = 12
TOTAL = 100 * ACCOUNTS
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that SQLite has done to a file.

    Attributes:
        kind: "write", "truncate", "sync", "create", "delete", or "commit" for what the test says.
        path: the file.
        offset: of a write; the new size of a truncation; the number of a commit.
        data: what was written.
    """

    kind: str
    path: str = ""
    offset: int = 0
    data: bytes = b""


class Recorder:
    """A VFS that records.

    Args:
        fs: where the files are.
        as_disk: promise nothing to SQLite, as a disk has to; it then syncs as for one.
    """

    def __init__(self, fs: MemoryFileSystem, *, as_disk: bool) -> None:
        self.events: list[Event] = []
        self.fs = fs
        library = library_of()
        files = file_callbacks.CALLBACKS | {
            "xSync": lambda file, flags: OK,
            "xShmBarrier": lambda file: None,
        }
        vfs = dict(vfs_callbacks.CALLBACKS)
        for name, record in (
            ("xWrite", self._write),
            ("xTruncate", self._truncate),
            ("xSync", self._sync),
        ):
            files[name] = self._recording(files[name], record)
        vfs["xOpen"] = self._recording(vfs["xOpen"], None, self._open)
        vfs["xDelete"] = self._recording(vfs["xDelete"], self._delete)
        if as_disk:
            files["xDeviceCharacteristics"] = lambda file: 0
        methods = immortal(
            FileMethods(iVersion=FILE_METHODS_VERSION, **_entries(FILE_METHODS, files))
        )
        self.name = f"recorder-{os.getpid()}-{next(_numbers)}"
        self._vfs = library.new_vfs(self.name, _entries(VFS_METHODS, vfs))
        registration = library.registration(fs)
        registration.file_methods = ctypes.addressof(methods)
        registration.reads = None  # it would exchange the methods
        REGISTRATIONS[ctypes.addressof(self._vfs)] = registration
        library.register(self._vfs)

    def connect(self) -> sqlite3.Connection:
        uri = f"file:{PATH}?vfs={self.name}"
        return sqlite3.connect(uri, uri=True, isolation_level=None)

    def commit(self, number: int) -> None:
        self.events.append(Event("commit", offset=number))

    @staticmethod
    def _recording(
        callback: Callable[..., int],
        record: Callable[..., None] | None,
        before: Callable[..., Callable[[], None]] | None = None,
    ) -> Callable[..., int]:
        def recording(*arguments: Any) -> int:
            after = before(*arguments) if before is not None else None
            status = callback(*arguments)
            if status == OK and record is not None:
                record(*arguments)
            if status == OK and after is not None:
                after()
            return status

        return recording

    def _write(self, file: int, buffer: int, count: int, offset: int) -> None:
        data = bytes(MEMORY[buffer - 1 : buffer - 1 + count])
        self.events.append(Event("write", OPEN_FILES[file].name, offset, data))

    def _truncate(self, file: int, size: int) -> None:
        self.events.append(Event("truncate", OPEN_FILES[file].name, size))

    def _sync(self, file: int, _flags: int) -> None:
        self.events.append(Event("sync", OPEN_FILES[file].name))

    def _delete(self, _vfs: int, name: int, _sync: int) -> None:
        self.events.append(Event("delete", text_at(name)))

    def _open(
        self, _vfs: int, name: int | None, _file: int, flags: int, _opened: int | None
    ) -> Callable[[], None]:
        path = text_at(name) if name else ""
        is_new = bool(path and flags & OPEN_CREATE and not self.fs.exists(path))
        return lambda: self.events.append(Event("create", path)) if is_new else None


def _entries(prototypes: dict[str, Any], callbacks: dict[str, Any]) -> dict[str, int]:
    return {
        name: address_in_c(immortal(prototypes[name](callback)))
        for name, callback in callbacks.items()
    }


def record_transfers(journal: str, *, as_disk: bool, turns: int) -> list[Event]:
    """Record transactions that move money between accounts, some of which spill or roll back."""
    recorder = Recorder(MemoryFileSystem(), as_disk=as_disk)
    chance = random.Random(journal)
    with closing(recorder.connect()) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = 4")
        connection.execute("PRAGMA wal_autocheckpoint = 20")
        connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount, note)")
        connection.execute("CREATE TABLE turn(number)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO account VALUES (?, 100, randomblob(300))",
            [(n,) for n in range(ACCOUNTS)],
        )
        connection.execute("INSERT INTO turn VALUES (0)")
        connection.execute("COMMIT")
        recorder.commit(0)
        for number in range(1, turns + 1):
            connection.execute("BEGIN")
            for _ in range(chance.randrange(1, 8)):
                move = "UPDATE account SET amount = amount + ?, note = randomblob(?) WHERE id = ?"
                amount = chance.randrange(50)
                for change in (amount, -amount):
                    size, account = chance.randrange(100, 900), chance.randrange(ACCOUNTS)
                    connection.execute(move, (change, size, account))
            if number % 4 == 3:
                connection.execute("ROLLBACK")
                continue
            connection.execute("UPDATE turn SET number = ?", (number,))
            connection.execute("COMMIT")
            recorder.commit(number)
    return recorder.events


def files_after_crash(
    events: list[Event], at: int, chance: random.Random, *, as_disk: bool
) -> dict[str, bytes]:
    """Return the files that a crash before event `at` leaves.

    On a disk, what was not synced is there, or torn, or not there, each by chance. In memory
    everything is there but the last write, which may be half done.
    """
    files: dict[str, bytearray] = {}
    pending: dict[str, list[Event]] = {}
    for number, event in enumerate(events[:at]):
        path = event.path
        if event.kind == "create":
            files[path], pending[path] = bytearray(), []
        elif event.kind == "delete":
            del files[path], pending[path]
        elif event.kind in ("write", "truncate"):
            if as_disk:
                pending[path].append(event)
            else:
                torn = number == at - 1
                _apply(files[path], event, chance.randrange(len(event.data) + 1) if torn else None)
        elif event.kind == "sync":
            for done in pending.pop(path):
                _apply(files[path], done)
            pending[path] = []
    for path, events_of_file in pending.items():
        for event in events_of_file:
            fate = chance.random()
            if fate < 0.4:
                _apply(files[path], event)
            elif fate < 0.6:
                _apply(files[path], event, chance.randrange(len(event.data) + 1))
    return {path: bytes(content) for path, content in files.items()}


def _apply(content: bytearray, event: Event, keep: int | None = None) -> None:
    """Do what an event did; of a write, only the first `keep` bytes."""
    if event.kind == "truncate":
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))
        return
    data = event.data[:keep]
    if data:
        content.extend(bytes(max(0, event.offset - len(content))))
        content[event.offset : event.offset + len(data)] = data


def check_recovery(files: dict[str, bytes], events: list[Event], at: int, *, durable: bool) -> None:
    """Open what a crash has left: it is whole, and as one of the transactions left it."""
    committed = [event.offset for event in events[:at] if event.kind == "commit"]
    following = [event.offset for event in events[at:] if event.kind == "commit"]
    fs = MemoryFileSystem()
    for path, content in files.items():
        fs.write_bytes(path, content)
    with opened(fs) as connection:
        if not value(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'turn'"):
            assert not committed
            return
        check_integrity(connection)
        number = connection.execute("SELECT number FROM turn").fetchone()
        if number is None:
            assert not committed
            return
        assert value(connection, "SELECT count(*) FROM account") == ACCOUNTS
        assert value(connection, "SELECT sum(amount) FROM account") == TOTAL
        least = committed[-1] if committed and durable else 0
        most = following[0] if following else committed[-1]
        assert least <= number[0] <= most
