"""Crashes at random points: every journal that promises recovery keeps its promise."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.live_crashes import check_recovery, files_after_crash, record_transfers
from tests.support.live_databases import FILE_JOURNALS, JOURNALS, PATH, connect, opened, value
from tests.support.soak import SOAK

POINTS = 2000 if SOAK else 60


@pytest.mark.parametrize("as_disk", [True, False], ids=["disk", "memory"])
@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.timeout(600)
def test_a_crash_at_any_point_is_recovered_from(journal: str, as_disk: bool) -> None:
    """Half of the promises of dmemfs are that its writes keep their order: without, and with."""
    events = record_transfers(journal, as_disk=as_disk, turns=40)
    chance = random.Random(f"{journal} {as_disk}")
    assert any(event.kind == "write" and event.path == PATH for event in events)
    for _ in range(POINTS):
        at = chance.randrange(len(events))
        files = files_after_crash(events, at, chance, as_disk=as_disk)
        check_recovery(files, events, at, durable=True)


def test_the_crashes_are_such_that_they_could_damage() -> None:
    """Without a journal that is synced, the very same crashes damage databases."""
    events = [
        event
        for event in record_transfers("delete", as_disk=True, turns=40)
        if event.path == PATH or event.kind == "commit"
    ]
    chance = random.Random(1)
    damaged = 0
    for _ in range(60):
        at = chance.randrange(len(events) // 2, len(events))
        files = files_after_crash(events, at, chance, as_disk=True)
        try:
            check_recovery(files, events, at, durable=False)
        except (AssertionError, sqlite3.DatabaseError):
            damaged += 1
    assert damaged


@pytest.mark.parametrize("journal", FILE_JOURNALS)
def test_a_hot_journal_is_rolled_back(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as connection:
        connection.execute("CREATE TABLE t(a, b)")
        connection.execute("INSERT INTO t VALUES (1, zeroblob(100000))")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET a = 2, b = randomblob(100000)")
        for name in (PATH, f"{PATH}-journal"):
            memory.copy(name, f"/crashed{name[4:]}")
        connection.execute("ROLLBACK")
    with opened(memory, "/crashed.db") as connection:
        assert value(connection, "SELECT a FROM t") == 1
        assert value(connection, "SELECT b = zeroblob(100000) FROM t") == 1
    if journal == "delete":
        assert not memory.exists("/crashed.db-journal")


def test_a_transaction_over_two_files_is_all_or_nothing(memory: MemoryFileSystem) -> None:
    """At each moment of a commit over attached databases, both are old or both are new."""

    class Watching(MemoryFileSystem):
        copies: list[MemoryFileSystem]

        def remove(self, path: Any) -> None:
            self.note()
            super().remove(path)
            self.note()

        def note(self) -> None:
            copy = MemoryFileSystem()
            for name in self.listdir("/"):
                copy.write_bytes(f"/{name}", self.read_bytes(f"/{name}"))
            self.copies.append(copy)

    fs = Watching()
    fs.copies = []
    with closing(connect(fs, "/a.db")) as connection:
        connection.execute("ATTACH '/b.db' AS b")
        connection.execute("CREATE TABLE main.t(a)")
        connection.execute("CREATE TABLE b.t(a)")
        for name in ("main", "b"):
            connection.execute(f"INSERT INTO {name}.t VALUES ('old')")
        fs.copies.clear()
        connection.execute("BEGIN")
        for name in ("main", "b"):
            connection.execute(f"UPDATE {name}.t SET a = 'new'")
        connection.execute("COMMIT")
    states = []
    for copy in fs.copies:
        with opened(copy, "/a.db") as one, opened(copy, "/b.db") as two:
            states.append({value(one, "SELECT a FROM t"), value(two, "SELECT a FROM t")})
    assert len(states) >= 6  # the super-journal, and one journal for each database
    assert states[0] == {"old"}
    assert states[-1] == {"new"}
    assert all(len(state) == 1 for state in states)
