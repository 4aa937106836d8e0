"""Compare live databases with the other places for one: `python -m benchmarks.live`.

All run in this process, in turn, through the same connections of `sqlite3`; the quickest round
counts. The clock is the time that the thread spends on a processor, so that other processes count
as little as possible; beside a busy thread it is the wall clock. Ours are in a MemoryFileSystem,
with three journals. The peers are files on tmpfs, and SQLite's own databases in memory, which no
file system has and which are gone when they are closed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._report import Machine, describe_machine, number, short
from benchmarks.sqlite import busy_thread
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate, connect

RESULTS = Path(__file__).parent / "results"
MEGABYTE = 1_000_000
_ROW = 900
_COMMITS = 500
_READS = 2000
_CONNECTIONS = 50
_BUSY_SIZE = 20 * MEGABYTE
_numbers = itertools.count()

Open = Callable[..., sqlite3.Connection]


@dataclass(slots=True)
class Peer:
    """A place for databases.

    Attributes:
        name: the head of its column.
        open: opens the database of that name.
        remove: takes it away again.
        journal: what PRAGMA journal_mode is set to, None to leave it alone.
        keeps: whether a database is still there when its last connection is closed.
    """

    name: str
    open: Open
    remove: Callable[[str], None]
    journal: str | None = None
    keeps: bool = True

    def build(self, name: str, size: int) -> sqlite3.Connection:
        """Return a connection to a new database of about that many bytes, in one transaction."""
        connection = self.open(name)
        if self.journal is not None:
            connection.execute(f"PRAGMA journal_mode = {self.journal}").fetchall()
        connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
        connection.execute("CREATE TABLE small(a INTEGER PRIMARY KEY, b)")
        rows = size * 4 // (4096 - 100)
        filler = os.urandom(_ROW)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t(b) VALUES (?)", ((filler,) for _ in range(rows)))
        connection.execute("COMMIT")
        return connection


@dataclass(slots=True)
class Row:
    """One workload: the time of each round by peer, and the target.

    Attributes:
        title: what is done.
        unit: "ms" or "us", of one operation.
        seconds: of one operation, for each round.
        targets: highest ratios, by ours and by the peer that it is compared with.
    """

    title: str
    unit: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    targets: dict[tuple[str, str], float] = field(default_factory=dict)

    def best(self, peer: str) -> float | None:
        return min(self.seconds[peer]) if self.seconds.get(peer) else None

    def verdicts(self) -> list[str]:
        """Return each target with what was reached."""
        texts = []
        for (ours, other), target in self.targets.items():
            mine, its = self.best(ours), self.best(other)
            if mine is None or its is None:
                continue
            ratio = mine / its
            missed = " MISSED" if ratio > target * 1.005 else ""
            texts.append(f"{ours} / {other}: {ratio:.3g} (at most {short(target)}{missed})")
        return texts


def peers(directory: str) -> list[Peer]:
    """Return all of them; the files of tmpfs are in the directory."""
    fs = MemoryFileSystem(max_quota=None)

    def live(journal: Any) -> Open:
        return lambda name: connect(fs, f"/{name}", journal=journal, isolation_level=None)

    def on_disk(name: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{directory}/{name}", isolation_level=None)

    def by_uri(text: str) -> Open:
        return lambda name: sqlite3.connect(text.format(name), uri=True, isolation_level=None)

    def unlink(name: str) -> None:
        os.remove(f"{directory}/{name}")

    def nothing(_name: str) -> None:
        pass

    return [
        Peer("live delete", live("file"), lambda name: fs.remove(f"/{name}"), "delete"),
        Peer("live WAL", live("file"), lambda name: fs.remove(f"/{name}"), "wal"),
        Peer("live memory", live("memory"), lambda name: fs.remove(f"/{name}")),
        Peer("tmpfs delete", on_disk, unlink, "delete"),
        Peer("tmpfs WAL", on_disk, unlink, "wal"),
        Peer(":memory:", by_uri("file:{}?mode=memory"), nothing, keeps=False),
        Peer("shared", by_uri("file:{}?mode=memory&cache=shared"), nothing, keeps=False),
        Peer("memdb", by_uri("file:/{}?vfs=memdb"), nothing, keeps=False),
    ]


def measure(size: int, rounds: int, chosen: Sequence[Peer]) -> list[Row]:
    """Run all workloads with all peers."""
    bulk = Row("insert of all rows", "ms", targets=_of_tmpfs(1.1))
    commit = Row("commit of one row", "us", targets=_of_tmpfs(1.2))
    commit.targets["live memory", "tmpfs delete"] = 0.5
    warm = Row("point read, warm", "us", targets=_of_tmpfs(1.3))
    cold = Row("point read, cold", "us")
    scan = Row("full scan", "ms", targets=_of_tmpfs(1.1))
    opening = Row("connect and first query", "us", targets=_of_tmpfs(1.3))
    rows = [bulk, commit, warm, cold, scan, opening]
    for _ in range(rounds):
        for peer in chosen:
            name = f"bench-{next(_numbers)}.db"
            gc.collect()
            start = time.thread_time()
            connection = peer.build(name, size)
            _note(bulk, peer, start, 1)
            with closing(connection):
                _work(peer, name, connection, commit, warm, cold, scan, opening)
            peer.remove(name)
    return rows


def _work(
    peer: Peer,
    name: str,
    connection: sqlite3.Connection,
    commit: Row,
    warm: Row,
    cold: Row,
    scan: Row,
    opening: Row,
) -> None:
    start = time.thread_time()
    for turn in range(_COMMITS):
        connection.execute("INSERT INTO small(b) VALUES (?)", (turn,))
    _note(commit, peer, start, _COMMITS)
    point = "SELECT b FROM t WHERE a = ?"
    connection.execute(point, (7,)).fetchone()
    start = time.thread_time()
    for _ in range(_READS):
        connection.execute(point, (7,)).fetchone()
    _note(warm, peer, start, _READS)
    (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
    chance = random.Random(1)
    places = [chance.randrange(rows) + 1 for _ in range(_READS)]
    if not peer.keeps:
        start = time.thread_time()
        connection.execute("SELECT sum(length(b)) FROM t").fetchone()
        _note(scan, peer, start, 1)
        return
    with closing(peer.open(name)) as other:
        other.execute("PRAGMA cache_size = 10")
        start = time.thread_time()
        for place in places:
            other.execute(point, (place,)).fetchone()
        _note(cold, peer, start, _READS)
    with closing(peer.open(name)) as other:
        start = time.thread_time()
        other.execute("SELECT sum(length(b)) FROM t").fetchone()
        _note(scan, peer, start, 1)
    start = time.thread_time()
    for _ in range(_CONNECTIONS):
        with closing(peer.open(name)) as other:
            other.execute(point, (7,)).fetchone()
    _note(opening, peer, start, _CONNECTIONS)


def measure_beside_a_busy_thread(rounds: int, chosen: Sequence[Peer]) -> list[Row]:
    """Scan 20 MB cold while another thread never lets go of the interpreter by itself."""
    rows = []
    for page_size in (4096, 16384, 65536):
        row = Row(f"cold scan of 20 MB beside a busy thread, pages of {page_size:,}", "ms")
        row.targets = {("live delete", "tmpfs delete"): 5.0}
        stored = [peer for peer in chosen if peer.keeps and peer.journal == "delete"]

        def file_of(peer: Peer, page_size: int = page_size) -> str:
            return f"{peer.name.split()[0]}-{page_size}.db"

        for peer in stored:
            connection = peer.open(file_of(peer))
            connection.execute(f"PRAGMA page_size = {page_size}")
            connection.close()
            with closing(peer.open(file_of(peer))) as connection:
                connection.execute(f"PRAGMA page_size = {page_size}")
                connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
                connection.execute("BEGIN")
                connection.executemany(
                    "INSERT INTO t(b) VALUES (?)",
                    ((bytes(_ROW),) for _ in range(_BUSY_SIZE // (_ROW + 20))),
                )
                connection.execute("COMMIT")
        with busy_thread():
            for _, peer in itertools.product(range(rounds), stored):
                with closing(peer.open(file_of(peer))) as connection:
                    start = time.perf_counter()
                    connection.execute("SELECT sum(length(b)) FROM t").fetchone()
                    row.seconds.setdefault(peer.name, []).append(time.perf_counter() - start)
        for peer in stored:
            peer.remove(file_of(peer))
        rows.append(row)
    return rows


def measure_copies(sizes: Sequence[int], rounds: int) -> list[Row]:
    """Open a private copy, update 10 rows, read 100, close it; against deserialize()."""
    rows = []
    for size in sizes:
        row = Row(f"private copy of {size // MEGABYTE:,} MB", "ms")
        row.targets = {("template", "deserialize"): 1 / 60} if size >= 200 * MEGABYTE else {}
        fs = MemoryFileSystem(max_quota=None)
        peer = Peer("template", lambda name, fs=fs: connect(fs, name), fs.remove)
        with closing(peer.build("/source.db", size)) as source:
            source.commit()
        template = DatabaseTemplate.from_bytes(fs, fs.read_bytes("/source.db"))
        image = template.to_bytes()
        chance = random.Random(1)
        for _ in range(rounds):
            for name in ("template", "deserialize"):
                gc.collect()
                start = time.thread_time()
                if name == "template":
                    connection = template.connect(isolation_level=None)
                else:
                    connection = sqlite3.connect(":memory:", isolation_level=None)
                    connection.deserialize(image)
                with closing(connection):
                    connection.execute("BEGIN")
                    for _update in range(10):
                        place = chance.randrange(size // 1000)
                        connection.execute("UPDATE t SET b = 'x' WHERE a = ?", (place,))
                    connection.execute("COMMIT")
                    for _read in range(100):
                        place = chance.randrange(size // 1000)
                        connection.execute("SELECT b FROM t WHERE a = ?", (place,)).fetchone()
                row.seconds.setdefault(name, []).append(time.thread_time() - start)
        rows.append(row)
    return rows


def _note(row: Row, peer: Peer, start: float, operations: int) -> None:
    row.seconds.setdefault(peer.name, []).append((time.thread_time() - start) / operations)


def _of_tmpfs(ratio: float) -> dict[tuple[str, str], float]:
    return {("live delete", "tmpfs delete"): ratio}


# --- showing ---------------------------------------------------------------------------------


def cells(row: Row, names: Sequence[str]) -> list[str]:
    """Return one line of the table."""
    factor = {"ms": 1e3, "us": 1e6}[row.unit]
    best = [row.best(name) for name in names]
    return [
        f"{row.title}, {row.unit}",
        *("-" if seconds is None else number(seconds * factor) for seconds in best),
    ]


def as_markdown(command: str, machine: Machine, rows: Sequence[Row]) -> str:
    """Return the tables with the circumstances."""
    lines = [
        f"# `{command}`",
        "",
        f"- {machine.python}, SQLite {sqlite3.sqlite_version}, {machine.date}",
        f"- {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.kernel}",
        f"- load {machine.load}",
        "- quickest of the interleaved rounds, of one operation",
        "",
    ]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        copies = "template" in row.seconds
        groups.setdefault(("template", "deserialize") if copies else ("",), []).append(row)
    for group in groups.values():
        names = list(dict.fromkeys(name for row in group for name in row.seconds))
        lines += ["| | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 1)]
        lines += ["| " + " | ".join(cells(row, names)) + " |" for row in group]
        lines.append("")
    lines += ["## Targets", ""]
    lines += [f"- {row.title}: {text}" for row in rows for text in row.verdicts()]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; the status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live",
        description="Compare live databases with tmpfs and with SQLite's own in memory.",
    )
    parser.add_argument("--size", type=int, default=200, help="MB of the database (200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each (3)")
    parser.add_argument("--save", action="store_true", help="write the results to results/")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    size = options.size * MEGABYTE
    directory = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        chosen = peers(directory)
        rows = measure(size, options.rounds, chosen)
        rows += measure_beside_a_busy_thread(options.rounds, chosen)
        rows += measure_copies(
            sorted({max(1, options.size // 10) * MEGABYTE, size}), options.rounds
        )
    finally:
        shutil.rmtree(directory)
    command = f"python -m benchmarks.live --size {options.size} --rounds {options.rounds}"
    text = as_markdown(command, machine, rows)
    print(text)
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        version = ".".join(map(str, sys.version_info[:3]))
        stem = f"live-{time.strftime('%Y-%m-%d')}-{sys.implementation.name}-{version}"
        (RESULTS / f"{stem}.md").write_text(text)
        data = {
            "command": command,
            "machine": asdict(machine),
            "sqlite": sqlite3.sqlite_version,
            "rows": [
                {"title": row.title, "unit": row.unit, "seconds": row.seconds} for row in rows
            ],
        }
        (RESULTS / f"{stem}.json").write_text(json.dumps(data, indent=1) + "\n")
    return int(any("MISSED" in text for row in rows for text in row.verdicts()))


if __name__ == "__main__":
    sys.exit(main())
