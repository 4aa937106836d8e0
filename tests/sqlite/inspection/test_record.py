"""Recording commits: each of them, nothing else, within bounds, and found by bisection."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import Recording, connect, live_uri, record
from tests.support.live_databases import JOURNALS, PATH, imported, modules


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem(max_quota=64 << 20)


def opened(fs: MemoryFileSystem, journal: str = "delete", **options: Any) -> sqlite3.Connection:
    connection = connect(fs, PATH, isolation_level=None, **options)
    connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    return connection


@pytest.fixture(params=[*JOURNALS, "memory"])
def connection(
    request: pytest.FixtureRequest, fs: MemoryFileSystem
) -> Iterator[sqlite3.Connection]:
    with closing(opened(fs, request.param)) as connection:
        connection.execute("CREATE TABLE t (x)")
        yield connection


def sums(recording: Recording) -> list[int | None]:
    found = []
    for commit in recording.commits:
        with closing(commit.connect()) as past:
            found.append(past.execute("SELECT sum(x) FROM t").fetchone()[0])
    return found


def test_each_commit_is_kept(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    with record(fs, PATH) as recording:
        for number in range(1, 6):
            connection.execute("BEGIN")
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            connection.execute("COMMIT")
        assert [commit.number for commit in recording.commits] == [0, 1, 2, 3, 4, 5]
        assert sums(recording) == [None, 2, 6, 12, 20, 30]
        assert recording.commits[2].changes().tables["t"].added == [
            {"rowid": 3, "x": 2},
            {"rowid": 4, "x": 2},
        ]
        times = [commit.time for commit in recording.commits]
        assert times == sorted(times)
        assert recording.missed == 0
    assert len(recording.commits) == 0


def test_nothing_else_is_kept(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    with record(fs, PATH) as recording:
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("SELECT * FROM t").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")  # of nothing
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (zeroblob(900))", [()] * 100)
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert [commit.number for commit in recording.commits] == [0]
        connection.execute("INSERT INTO t VALUES (1)")
        assert sums(recording) == [None, 1]


def test_a_database_that_is_yet_to_be_made(fs: MemoryFileSystem) -> None:
    with record(fs, PATH) as recording:
        assert sums(recording) == []
        with closing(opened(fs)) as connection:
            connection.execute("CREATE TABLE t (x)")
            connection.execute("INSERT INTO t VALUES (1)")
        first, second = recording.commits
        assert (first.number, second.number) == (1, 2)
        assert [*first.changes().schema.added] == [("table", "t")]
        assert not second.changes().schema


def test_a_log_that_was_left_is_no_commit(fs: MemoryFileSystem) -> None:
    with closing(opened(fs, "wal")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        left = fs.clone()  # as after a crash
    with record(left, PATH) as recording, closing(opened(left, "wal")) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]
        connection.execute("INSERT INTO t VALUES (2)")
        assert sums(recording) == [1, 3]


def test_a_journal_that_was_left_is_no_commit(fs: MemoryFileSystem) -> None:
    with closing(opened(fs)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (zeroblob(900))", [()] * 100)
        left = fs.clone()
    with record(left, PATH) as recording, closing(opened(left)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == []
        assert [commit.number for commit in recording.commits] == [0]


@modules
def test_whoever_commits(fs: MemoryFileSystem, module: Any) -> None:
    with record(fs, PATH) as recording:
        other = imported(module).connect(live_uri(fs, PATH, module=imported(module)), uri=True)
        with closing(other), other:
            other.execute("CREATE TABLE t (x)")
        with closing(connect(fs, "/x.db", isolation_level=None)) as attaching:
            attaching.execute("ATTACH ? AS app", (PATH,))
            attaching.execute("INSERT INTO app.t VALUES (1)")
            attaching.execute("CREATE TABLE main.u (x)")
        assert [commit.number for commit in recording.commits] == [1, 2]


def test_threads_that_commit_at_once(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    def insert() -> None:
        with closing(connect(fs, PATH, isolation_level=None, timeout=40)) as other:
            for _ in range(10):
                other.execute("INSERT INTO t VALUES (1)")

    with record(fs, PATH) as recording:
        threads = [threading.Thread(target=insert) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        assert sums(recording) == [None, *range(1, 41)]


def test_after_a_restore_each_commit_is_seen(
    fs: MemoryFileSystem, connection: sqlite3.Connection
) -> None:
    with record(fs, PATH) as recording:
        connection.execute("INSERT INTO t VALUES (1)")
        fs.restore(recording.commits[0].snapshot)
        connection.execute("INSERT INTO t VALUES (2)")
        assert sums(recording) == [None, 1, 2]


def test_a_database_in_the_place_of_another(fs: MemoryFileSystem) -> None:
    with record(fs, PATH) as recording:
        for number in (1, 2):
            with closing(opened(fs)) as connection:
                connection.execute("CREATE TABLE t (x)")
                connection.execute("INSERT INTO t VALUES (?)", (number,))
            fs.rename(PATH, f"/former{number}.db")
        with closing(connect(fs, "/former1.db", isolation_level=None)) as connection:
            connection.execute("INSERT INTO t VALUES (100)")  # that is another path
        assert sums(recording) == [None, 1, None, 2]


# --- bounds ---------------------------------------------------------------------------------------


def test_a_bound_on_their_number(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    with record(fs, PATH, max_commits=3) as recording:
        first = recording.commits[0]
        for number in range(10):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        assert [commit.number for commit in recording.commits] == [8, 9, 10]
        assert first.snapshot.closed
        with pytest.raises(ValueError, match="closed"):
            first.connect()
        with pytest.raises(ValueError, match="closed"):
            recording.commits[0].changes()
        assert recording.commits[1].changes()


def test_a_bound_on_their_bytes(fs: MemoryFileSystem) -> None:
    with closing(opened(fs)) as connection, record(fs, PATH, max_bytes="4 MiB") as recording:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        for number in range(30):
            connection.execute("UPDATE t SET x = randomblob(1000000)")
            assert fs.usage("/").snapshot_bytes <= 4 << 20, number
        assert 1 < len(recording.commits) < 10
        assert recording.commits[-1].number == 32


def test_a_quota_leaves_room_for_the_database() -> None:
    fs = MemoryFileSystem(max_quota=8 << 20)
    with closing(opened(fs)) as connection, record(fs, PATH) as recording:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        for _ in range(30):
            connection.execute("UPDATE t SET x = randomblob(1000000)")
        assert recording.commits
        assert recording.missed == 0


@pytest.mark.parametrize("bounds", [{"max_commits": 0}, {"max_bytes": -2}, {"max_commits": "x"}])
def test_bounds_that_are_none(fs: MemoryFileSystem, bounds: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match="max_"):
        record(fs, PATH, **bounds)


# --- its end --------------------------------------------------------------------------------------


def test_what_is_closed_records_nothing_and_keeps_nothing(fs: MemoryFileSystem) -> None:
    with closing(opened(fs)) as connection:
        connection.execute("CREATE TABLE t (x)")
        with record(fs, PATH) as recording, record(fs, PATH) as other:
            connection.execute("INSERT INTO t VALUES (1)")
            recording.close()
            connection.execute("INSERT INTO t VALUES (2)")
            assert len(other.commits) == 3
        assert len(recording.commits) == len(other.commits) == 0
        connection.execute("INSERT INTO t VALUES (3)")
        assert len(recording.commits) == 0
        assert fs.usage("/").snapshot_bytes == 0
        recording.close()


def test_what_is_dropped_ends(fs: MemoryFileSystem) -> None:
    with closing(opened(fs)) as connection:
        recording = record(fs, PATH)
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        gone = weakref.ref(recording)
        del recording
        gc.collect()
        assert gone() is None
        connection.execute("INSERT INTO t VALUES (2)")
        assert fs.usage("/").snapshot_bytes == 0


def test_a_file_system_that_was_recorded_is_freed() -> None:
    fs = MemoryFileSystem()
    recording = record(fs, PATH)
    with closing(opened(fs)) as connection:
        connection.execute("CREATE TABLE t (x)")
    gone = weakref.ref(fs)
    del fs, recording, connection
    gc.collect()
    assert gone() is None


def test_what_cannot_be_kept_is_counted_and_the_commit_stands(
    fs: MemoryFileSystem, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with record(fs, PATH) as recording:

        def refuse() -> None:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(fs, "snapshot", refuse)
            connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("INSERT INTO t VALUES (2)")
        assert recording.missed == 1
        assert [commit.number for commit in recording.commits] == [0, 2]
        assert sums(recording) == [None, 3]


# --- bisection ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [1, 2, 7, 19, 20])
def test_the_commit_after_which_a_check_fails(fs: MemoryFileSystem, bad: int) -> None:
    with closing(opened(fs)) as connection:
        connection.execute("CREATE TABLE t (x)")
        with record(fs, PATH) as recording:
            for number in range(1, 21):
                connection.execute("INSERT INTO t VALUES (?)", (-1 if number == bad else 1,))
            calls = 0

            def no_negatives(past: sqlite3.Connection) -> bool:
                nonlocal calls
                calls += 1
                ((negatives,),) = past.execute("SELECT count(*) FROM t WHERE x < 0")
                return bool(negatives == 0)

            def asserts(past: sqlite3.Connection) -> None:
                assert no_negatives(past)

            found = recording.first_failing(no_negatives)
            assert found is not None
            assert found.number == bad
            assert calls <= 6
            assert found.changes().tables["t"].added == [{"rowid": bad, "x": -1}]
            assert recording.first_failing(asserts) is found
            assert recording.first_failing(lambda past: None) is None
            assert recording.first_failing(lambda past: False) is recording.commits[0]


def test_where_nothing_was_recorded_nothing_fails(fs: MemoryFileSystem) -> None:
    with record(fs, PATH) as recording:
        assert recording.first_failing(lambda past: False) is None
