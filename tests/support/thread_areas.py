"""What threads do at random, each in an area of its own, and what must come of it."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dmemfs_sqlite
from dmemfs import MemoryFileSystem, QuotaExceededError

BLOCK = 65536
_SIZES = (0, 1, 100, 5000, BLOCK, BLOCK + 9)
_NAMES = "abcdef"


class Area:
    """A directory that one thread alone uses, beside a model of plain dictionaries.

    Whatever the other threads do, elsewhere in the same file system, everything here has to be as
    if there were none: contents, entries, the count of the quota, and what snapshots hold.
    """

    def __init__(self, fs: MemoryFileSystem, number: int, quota: int) -> None:
        self.fs = fs
        self.top = f"/area{number}"
        self.quota = quota
        self.choose = random.Random(number)
        self.files: dict[str, bytes] = {}
        self.handles: dict[str, Any] = {}
        self.accounts = [100] * 5
        self.refusals: list[QuotaExceededError] = []
        fs.mkdir(self.top)
        fs.set_quota(self.top, quota)
        self.database = f"{self.top}/database"
        self.connection = self._open_database()

    def _open_database(self) -> sqlite3.Connection:
        fresh = not self.fs.exists(self.database)
        made = dmemfs_sqlite.connect(self.fs, self.database, check_same_thread=False)
        if fresh:
            with made:
                made.execute("CREATE TABLE accounts(number INTEGER PRIMARY KEY, amount INTEGER)")
                made.executemany("INSERT INTO accounts VALUES (?, ?)", enumerate(self.accounts))
        return made

    def work(self, turns: int) -> None:
        """Do so many things, and compare."""
        steps: list[Callable[[], object]] = [
            self.write, self.write, self.append, self.overwrite, self.truncate, self.read,
            self.remove, self.rename, self.copy, self.look, self.use_handle, self.transfer,
            self.snapshot, self.go_through_the_mount, self.import_many, self.clone, self.lock,
        ]  # fmt: skip
        for _ in range(turns):
            try:
                self.choose.choice(steps)()
            except QuotaExceededError as error:
                self.refusals.append(error)
        self.compare()

    def close(self) -> None:
        for handle in self.handles.values():
            handle.close()
        self.connection.close()

    def path(self, name: str) -> str:
        return f"{self.top}/{name}"

    def data(self) -> bytes:
        return self.choose.randbytes(4) * (self.choose.choice(_SIZES) // 4)

    def some_file(self) -> str | None:
        names = [name for name in self.files if name not in self.handles]
        return self.choose.choice(names) if names else None

    # Steps

    def write(self) -> None:
        name, data = self.choose.choice(_NAMES), self.data()
        if name not in self.handles:
            self.fs.write_bytes(self.path(name), data)
            self.files[name] = data

    def append(self) -> None:
        name = self.some_file()
        if name is not None:
            with self.fs.open(self.path(name), "ab", buffering=0) as file:
                data = self.data()
                file.write(data)
                self.files[name] += data

    def overwrite(self) -> None:
        name = self.some_file()
        if name is not None:
            data = self.data()
            old = self.files[name]
            at = self.choose.randrange(len(old) + 1)
            with self.fs.open(self.path(name), "r+b", buffering=0) as file:
                file.seek(at)
                file.write(data)
            self.files[name] = old[:at] + data + old[at + len(data) :]

    def truncate(self) -> None:
        name = self.some_file()
        if name is not None:
            size = self.choose.randrange(len(self.files[name]) + 1)
            self.fs.truncate(self.path(name), size)
            self.files[name] = self.files[name][:size]

    def read(self) -> None:
        name = self.some_file()
        if name is not None:
            with self.fs.open(self.path(name), "rb") as file:
                file.read(1)
                file.seek(0)
                assert file.read() == self.files[name]

    def remove(self) -> None:
        name = self.some_file()
        if name is not None:
            self.fs.remove(self.path(name))
            del self.files[name]

    def rename(self) -> None:
        name, other = self.some_file(), self.choose.choice(_NAMES)
        if name is not None and other not in self.handles and name != other:
            self.fs.rename(self.path(name), self.path(other))
            self.files[other] = self.files.pop(name)

    def copy(self) -> None:
        name, other = self.some_file(), self.choose.choice(_NAMES)
        if name is not None and other not in self.handles and name != other:
            self.fs.copy(self.path(name), self.path(other))
            self.files[other] = self.files[name]

    def import_many(self) -> None:
        new = {name: self.data() for name in _NAMES[:3] if name not in self.handles}
        self.fs.import_tree({self.path(name): data for name, data in new.items()})
        self.files.update(new)

    def use_handle(self) -> None:
        """Open a file and keep it open, or read on in one; some lose their name meanwhile."""
        name = self.choose.choice(_NAMES)
        handle = self.handles.pop(name, None)
        if handle is not None:
            with handle:
                handle.seek(0)
                assert handle.read() == self.files[name]
        elif name in self.files:
            self.handles[name] = self.fs.open(self.path(name), "rb")

    def look(self) -> None:
        self.compare()

    def transfer(self) -> None:
        one, other = self.choose.sample(range(len(self.accounts)), 2)
        try:
            with self.connection as connection:
                change = "UPDATE accounts SET amount = amount + ? WHERE number = ?"
                connection.execute(change, (7, one))
                connection.execute(change, (-7, other))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            return
        self.accounts[one] += 7
        self.accounts[other] -= 7

    def snapshot(self) -> None:
        """Nobody else writes here: a snapshot holds exactly what is here now."""
        with self.fs.snapshot() as snapshot:
            expected = dict(self.files)
            try:
                self.write()
            except QuotaExceededError as error:
                self.refusals.append(error)
            for name, data in expected.items():
                assert snapshot.read_bytes(self.path(name)) == data

    def clone(self) -> None:
        clone = self.fs.clone()
        for name, data in self.files.items():
            assert clone.read_bytes(self.path(name)) == data
        clone.rmtree(self.top)
        with closing(dmemfs_sqlite.connect(clone, "/own", timeout=0)) as connection:
            connection.execute("CREATE TABLE t(a)")

    def go_through_the_mount(self) -> None:
        if os.path.isdir("/threads-mem"):
            for name, data in self.files.items():
                with open(f"/threads-mem{self.path(name)}", "rb") as file:
                    assert file.read() == data

    def lock(self) -> None:
        with self.fs.lock(self.top, timeout=0):
            self.write()

    # Checks

    def compare(self, *, alone: bool = False) -> None:
        """Compare with the model; the count too, if no snapshot of another thread is open.

        What was changed after a snapshot and then removed counts until that is closed.
        """
        names = {name for name in self.fs.listdir(self.top) if not name.startswith("database")}
        assert names == set(self.files)
        for name, data in self.files.items():
            assert self.fs.read_bytes(self.path(name)) == data
        rows = self.connection.execute("SELECT amount FROM accounts ORDER BY number").fetchall()
        assert [amount for (amount,) in rows] == self.accounts
        stored = sum(map(len, self.files.values())) + self.fs.stat(self.database).st_size
        used = self.fs.quota(self.top).used_bytes
        assert stored <= used <= self.quota
        assert used == stored or not alone
        # Nobody else takes from it: what was refused was really too much.
        assert all(error.requested > error.available for error in self.refusals)
