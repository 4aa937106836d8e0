"""Random transactions in a live database, snapshots and restores, against a dictionary."""

from __future__ import annotations

import errno
import sqlite3

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dmemfs import MemoryFileSystem, Snapshot
from dmemfs_sqlite import OpenTransactionError, copy_db, load_db, save_db
from tests.support import live_databases
from tests.support.comparison import outcome
from tests.support.live_databases import JOURNALS, PATH, opened
from tests.support.machines import machine_test, run_machine
from tests.support.sqlite_machine import CONNECTIONS, ConnectionsMachine, rows_of
from tests.support.sqlite_model import Rows

NUMBERS = st.integers(0, 3)


class LiveDatabaseMachine(ConnectionsMachine):
    """A database in the file system, which goes back to snapshots under its connections."""

    def __init__(self) -> None:
        super().__init__()
        self.fs = MemoryFileSystem(max_quota=None)
        self.journal: str | None = None
        self.kept: list[tuple[Snapshot, Rows]] = []
        self.amid: set[Snapshot] = set()

    def connect(self) -> sqlite3.Connection:
        return live_databases.connect(self.fs, PATH, journal_mode=self.journal, timeout=0)

    @initialize(journal=st.sampled_from(JOURNALS))
    def begin_empty(self, journal: str) -> None:
        self.journal = journal
        self.start(journal)

    # -- snapshots -------------------------------------------------------------------------------

    @precondition(lambda self: len(self.kept) < 4)
    @rule()
    def snapshot(self) -> None:
        snap = self.fs.snapshot()
        self.kept.append((snap, dict(self.model.committed)))
        if not self.model.at_rest:
            self.amid.add(snap)

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS)
    def restore(self, number: int) -> None:
        snap, rows = self.kept[number % len(self.kept)]
        if snap in self.amid and not self.model.at_rest:
            return  # Its journal would have to be played back first, which a reader may forbid.
        ended = outcome(self.fs.restore, snap)
        if ended[0] == "ok":
            assert self.model.at_rest or rows == self.model.committed
            self.model.become(rows)
        else:
            assert ended == ("OSError", errno.EBUSY, PATH, None)
            assert not self.model.at_rest

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS)
    def drop(self, number: int) -> None:
        self.kept.pop(number % len(self.kept))[0].close()

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS)
    def look_at_the_past(self, number: int) -> None:
        """Open what a snapshot holds, in a file system of its own."""
        snap, rows = self.kept[number % len(self.kept)]
        other = MemoryFileSystem(max_quota=None)
        for name in snap.listdir("/"):
            other.write_bytes(f"/{name}", snap.read_bytes(f"/{name}"))
        with opened(other) as connection:
            assert rows_of(connection) == rows

    # -- copies ----------------------------------------------------------------------------------

    @rule()
    def clone(self) -> None:
        other = self.fs.clone()
        with opened(other) as connection:
            assert rows_of(connection) == self.model.committed
            connection.execute("DELETE FROM t")
        other._check()

    @rule()
    def copy(self) -> None:
        copy_db(self.fs, PATH, "/copy.db")
        with opened(self.fs, "/copy.db") as connection:
            assert rows_of(connection) == self.model.committed
        for name in self.fs.listdir("/"):
            if name.startswith("copy.db"):
                self.fs.remove(f"/{name}")

    @rule(number=CONNECTIONS)
    def save(self, number: int) -> None:
        disk = MemoryFileSystem(max_quota=None)
        try:
            save_db(disk, "/saved.db", self.connections[number], timeout=0)
        except OpenTransactionError:
            assert self.session(number).writes
        else:
            assert not self.session(number).dirty
            loaded = load_db(disk, "/saved.db", ":memory:")
            assert rows_of(loaded) == self.model.committed
            loaded.close()

    @precondition(lambda self: self.journal == "wal")
    @rule(number=CONNECTIONS, kind=st.sampled_from(["PASSIVE", "TRUNCATE"]))
    def checkpoint(self, number: int, kind: str) -> None:
        # One that begins a new log makes those that are reading unable to write.
        if (kind == "PASSIVE" or self.model.at_rest) and not self.session(number).begun:
            self.connections[number].execute(f"PRAGMA wal_checkpoint({kind})").fetchall()

    @invariant()
    def the_file_system_is_whole(self) -> None:
        self.fs._check()

    def teardown(self) -> None:
        super().teardown()
        for snap, _ in self.kept:
            snap.close()
        self.fs._check()


@machine_test
def test_a_live_database(part: int) -> None:
    run_machine(LiveDatabaseMachine, cases=6)
