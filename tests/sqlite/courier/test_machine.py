"""Random transactions, saving and loading of a database in memory, against a dictionary."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dmemfs import MemoryFileSystem, Snapshot
from dmemfs_sqlite import (
    BusyError,
    OpenTransactionError,
    SnapshotError,
    explain_uri,
    load_db,
    memory_uri,
    save_db,
)
from tests.support.comparison import outcome
from tests.support.machines import machine_test, run_machine
from tests.support.sqlite_databases import unique_name
from tests.support.sqlite_machine import CONNECTIONS, CREATE, ConnectionsMachine, rows_of
from tests.support.sqlite_model import Rows

PATHS = st.sampled_from(["/saved/one.db", "/saved/two.db"])

needs_memdb = pytest.mark.skipif(
    explain_uri(memory_uri("probe")).engine != "memdb",
    reason="before SQLite 3.40.1, databases of memdb are not shared as the model says",
)


class CourierMachine(ConnectionsMachine):
    """A shared database in memory, which is saved to files, loaded again, lost and brought back."""

    def __init__(self) -> None:
        super().__init__()
        self.uri = memory_uri(unique_name("machine"))
        self.fs = MemoryFileSystem(max_quota=None)
        # None stands for a file that is damaged.
        self.saved: dict[str, Rows | None] = {}
        self.kept: list[tuple[Snapshot, dict[str, Rows | None]]] = []

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.uri, uri=True, isolation_level=None, timeout=0)

    @initialize()
    def begin_empty(self) -> None:
        self.start("memdb")

    # -- the courier -----------------------------------------------------------------------------

    @rule(number=CONNECTIONS, path=PATHS)
    def save(self, number: int, path: str) -> None:
        session = self.session(number)
        before = outcome(self.fs.read_bytes, path)
        try:
            size = save_db(self.fs, path, self.connections[number], timeout=0)
        except OpenTransactionError:
            assert session.writes
        except BusyError:
            assert any(one.writes for one in self.model.others(session))
        else:
            assert not session.dirty
            assert size == self.fs.get_size(path)
            self.saved[path] = dict(self.model.committed)
            return
        assert outcome(self.fs.read_bytes, path) == before

    @rule(path=PATHS)
    def load(self, path: str) -> None:
        try:
            load_db(self.fs, path, self.uri, timeout=0).close()
        except FileNotFoundError:
            assert path not in self.saved
        except SnapshotError:
            assert self.saved[path] is None
        except BusyError:
            assert not self.model.at_rest
        else:
            rows = self.saved[path]
            assert rows is not None
            assert self.model.at_rest
            self.model.become(rows)

    @rule(path=PATHS)
    def load_elsewhere(self, path: str) -> None:
        if self.saved.get(path) is not None:
            other = load_db(self.fs, path, ":memory:", check="full")
            assert rows_of(other) == self.saved[path]
            other.close()

    @rule()
    def lose(self) -> None:
        """Close all connections, with which the database is gone."""
        for connection in self.connections:
            connection.close()
        for number, session in enumerate(self.model.sessions):
            session.end()
            self.connections[number] = self.connect()
        self.connections[0].execute(CREATE)
        self.model.become({})

    # -- the files -------------------------------------------------------------------------------

    @rule(path=PATHS)
    def damage(self, path: str) -> None:
        if path in self.saved:
            self.fs.truncate(path, self.fs.get_size(path) // 2)
            self.saved[path] = None

    @rule(src=PATHS, dst=PATHS)
    def rename(self, src: str, dst: str) -> None:
        if src in self.saved and src != dst:
            self.fs.rename(src, dst)
            self.saved[dst] = self.saved.pop(src)

    @precondition(lambda self: len(self.kept) < 3)
    @rule()
    def snapshot(self) -> None:
        self.kept.append((self.fs.snapshot(), dict(self.saved)))

    @precondition(lambda self: self.kept)
    @rule(number=st.integers(0, 2), drop=st.booleans())
    def restore(self, number: int, drop: bool) -> None:
        snap, saved = self.kept[number % len(self.kept)]
        self.fs.restore(snap)
        self.saved = dict(saved)
        if drop:
            self.kept.remove((snap, saved))
            snap.close()

    @invariant()
    def files_are_whole(self) -> None:
        self.fs._check()
        names = self.fs.listdir("/saved") if self.fs.exists("/saved") else []
        assert {f"/saved/{name}" for name in names} == self.saved.keys()

    def teardown(self) -> None:
        super().teardown()
        for snap, _ in self.kept:
            snap.close()


@needs_memdb
@machine_test
def test_saving_and_loading(part: int) -> None:
    run_machine(CourierMachine, cases=6)
