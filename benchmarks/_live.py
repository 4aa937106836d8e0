"""Workloads on databases: rows in and out, transactions, connections, private copies.

Each is a generator that does one round whenever it is resumed, and yields the seconds that one
operation took.
"""

from __future__ import annotations

import gc
import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import perf_counter
from typing import Any

from benchmarks._databases import BYTES_OF_A_ROW, DatabasePeer, fill, image
from benchmarks._measure import MEGABYTE, Rounds, Sizes, begin, expect, now
from benchmarks._peers import NotOfferedError, Peer

UPDATES, READS = 10, 100
JOIN_TIMEOUT = 60.0
_POINT = "SELECT b FROM t WHERE a = ?"
_SUM = "SELECT sum(length(b)) FROM t"


def insert(peer: Any, sizes: Sizes) -> Rounds:
    """Make a database and insert all rows, in one transaction."""
    for turn in itertools.count():
        start = begin()
        connection = peer.create(f"insert-{turn}.db")
        with closing(connection):
            rows = fill(connection, sizes.database_bytes)
            elapsed = now() - start
            _expect_rows(connection, rows)
        peer.drop(f"insert-{turn}.db")
        yield elapsed


def commit(peer: Any, sizes: Sizes) -> Rounds:
    """Insert a row in a transaction of its own."""
    with closing(_filled(peer, "commit.db", sizes.database_bytes)) as connection:
        execute = connection.execute
        for turn in itertools.count(1):
            start = begin()
            for number in range(sizes.commits):
                execute("INSERT INTO small(b) VALUES (?)", (number,))
            elapsed = now() - start
            (rows,) = execute("SELECT count(*) FROM small").fetchone()
            expect(rows == turn * sizes.commits, f"{rows} rows are there")
            yield elapsed / sizes.commits


def read_warm(peer: Any, sizes: Sizes) -> Rounds:
    """Read the same row again and again."""
    with closing(_filled(peer, "warm.db", sizes.database_bytes)) as connection:
        yield from _reads(connection, [7] * sizes.point_reads)


def read_cold(peer: Any, sizes: Sizes) -> Rounds:
    """Read rows at random places with a cache of 10 pages."""
    _filled(peer, "cold.db", sizes.database_bytes).close()
    with closing(peer.connect("cold.db")) as connection:
        connection.execute("PRAGMA cache_size = 10")
        (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
        chance = random.Random(1)
        places = [chance.randrange(rows) + 1 for _ in range(sizes.point_reads)]
        yield from _reads(connection, places)


def _reads(connection: Any, places: list[int]) -> Rounds:
    execute = connection.execute
    while True:
        start = begin()
        for place in places:
            execute(_POINT, (place,)).fetchone()
        elapsed = now() - start
        (content,) = execute(_POINT, (places[-1],)).fetchone()
        expect(len(content) == BYTES_OF_A_ROW, "the row has other content")
        yield elapsed / len(places)


def scan(peer: Any, sizes: Sizes) -> Rounds:
    """Read all rows through a new connection, or through the only one."""
    with closing(_filled(peer, "scan.db", sizes.database_bytes)) as first:
        (rows,) = first.execute("SELECT count(*) FROM t").fetchone()
        while True:
            connection = _second_connection(peer, "scan.db") or first
            start = begin()
            (total,) = connection.execute(_SUM).fetchone()
            elapsed = now() - start
            if connection is not first:
                connection.close()
            expect(total == rows * BYTES_OF_A_ROW, "it did not read all rows")
            yield elapsed


def connect(peer: Any, sizes: Sizes) -> Rounds:
    """Open a connection, read a row and close it."""
    _filled(peer, "connect.db", sizes.database_bytes).close()
    connect = peer.connect
    while True:
        start = begin()
        for _ in range(sizes.connections):
            with closing(connect("connect.db")) as connection:
                row = connection.execute(_POINT, (7,)).fetchone()
        elapsed = now() - start
        expect(len(row[0]) == BYTES_OF_A_ROW, "the row has other content")
        yield elapsed / sizes.connections


def scan_beside_a_busy_thread(
    page_size: int, turn: float = 0.005
) -> Callable[[Peer, Sizes], Rounds]:
    """Return a scan, per MB, while another thread never lets go of the interpreter by itself.

    The clock is that on the wall: to wait for the interpreter is what it is about.

    Args:
        page_size: bytes.
        turn: the seconds that a thread may keep the interpreter while others wait for it; as
            Python has it unless a program sets it.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        name = f"busy-{page_size}-{turn}.db"
        with closing(peer.connect(name)) as connection:
            connection.execute(f"PRAGMA page_size = {page_size}")
            rows = fill(connection, sizes.busy_megabytes * MEGABYTE)
        while True:
            with turns_of(turn), busy_thread(), closing(peer.connect(name)) as connection:
                gc.collect()
                start = perf_counter()
                (total,) = connection.execute(_SUM).fetchone()
                elapsed = perf_counter() - start
            expect(total == rows * BYTES_OF_A_ROW, "it did not read all rows")
            yield elapsed / sizes.busy_megabytes

    return run


def private_copy(part: int = 1) -> Callable[[Peer, Sizes], Rounds]:
    """Return: open a private copy of a database, update 10 rows, read 100, close and drop it.

    Args:
        part: how many times smaller than `Sizes.database_bytes` the database is.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        size = sizes.database_bytes // part
        peer.use_template(image(size))
        chance = random.Random(1)
        former = 1
        for turn in itertools.count():
            places = [chance.randrange(2, size // 1000) for _ in range(UPDATES + READS)]
            start = begin()
            with closing(peer.copy()) as connection:
                execute = connection.execute
                execute("BEGIN")
                for place in places[:UPDATES]:
                    execute("UPDATE t SET b = ? WHERE a = ?", (turn, place))
                execute("COMMIT")
                for place in places[UPDATES:]:
                    execute(_POINT, (place,)).fetchone()
                elapsed = now() - start
                (changed,) = execute(_POINT, (places[0],)).fetchone()
                expect(changed == turn, "an update is missing")
                if former not in places[:UPDATES]:
                    (content,) = execute(_POINT, (former,)).fetchone()
                    expect(content not in range(turn), "it shows what was done to another copy")
                start = now()
            peer.drop_copy()
            yield elapsed + now() - start
            former = places[0]

    return run


@contextmanager
def turns_of(seconds: float) -> Iterator[None]:
    """Let a thread keep the interpreter for so long while others wait for it."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(former)


@contextmanager
def busy_thread() -> Iterator[None]:
    """Run a thread that never lets go of the interpreter of its own will."""
    stop = threading.Event()

    def spin() -> None:
        count = 0
        while not stop.is_set():
            for _ in range(1000):
                count += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(JOIN_TIMEOUT)


def _filled(peer: DatabasePeer, name: str, size: int) -> Any:
    """Return a connection to a new database of about that many bytes."""
    connection = peer.create(name)
    fill(connection, size)
    return connection


def _second_connection(peer: DatabasePeer, name: str) -> Any:
    """Return another connection; None where databases cannot be opened again by their name."""
    try:
        return peer.connect(name)
    except NotOfferedError:
        return None


def _expect_rows(connection: Any, rows: int) -> None:
    (found,) = connection.execute("SELECT count(*) FROM t").fetchone()
    expect(found == rows, f"{found} of {rows} rows are there")
