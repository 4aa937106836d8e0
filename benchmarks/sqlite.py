"""Compare save_db and load_db with the naive courier: `python -m benchmarks.sqlite`.

The naive courier is what everybody writes first: serialize() and write, read and deserialize()
into a temporary connection and backup() into the shared one. Both run in this process, in turn,
on a MemoryFileSystem. Times are wall-clock, the quickest round counts; peak memory is what the
process needed beyond what it held before, the result of the operation included.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._report import Machine, describe_machine, number, short
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import load_db, memory_uri, save_db
from dmemfs_sqlite._library import native_library
from dmemfs_sqlite._uri import Engine

RESULTS = Path(__file__).parent / "results"
PATH = "/snapshot.db"
MEGABYTE = 1_000_000
_ROW = 900

# Highest ratio of the times: to the naive courier, and to the quiet time.
LOAD_TARGET, SAVE_TARGET = 0.55, 0.90
# Copies of the database fewer than the naive courier needs. Not a plain "at most one": what
# memdb lets go of while it grows, the allocator gives back to the system only later.
FEWER_COPIES_TARGET = 0.9
BUSY_TARGET = 3.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One way of doing one thing.

    Args:
        seconds: Of every round.
        peak: Bytes beyond what was held before, or None where the system does not tell.
    """

    seconds: tuple[float, ...]
    peak: int | None

    @property
    def best(self) -> float:
        return min(self.seconds)


@dataclass(frozen=True, slots=True)
class Row:
    """The naive courier and ours, doing the same."""

    title: str
    size: int
    naive: Measurement
    ours: Measurement
    target: float | None
    """Highest ratio of the times."""
    fewer_copies: bool
    """Whether the peak must be lower by one copy of the database."""

    @property
    def ratio(self) -> float:
        return self.ours.best / self.naive.best

    @property
    def missed(self) -> bool:
        slow = self.target is not None and round(self.ratio, 2) > self.target
        return slow or (self.fewer_copies and not self._has_fewer_copies)

    @property
    def _has_fewer_copies(self) -> bool:
        if self.naive.peak is None or self.ours.peak is None:
            return True
        return self.naive.peak - self.ours.peak >= FEWER_COPIES_TARGET * self.size


# --- the two couriers -------------------------------------------------------------


def naive_save(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    """Save as everybody does it first."""
    image = connection.serialize()
    with fs.open(PATH, "wb") as file:
        file.write(image)


def naive_load(fs: MemoryFileSystem, uri: str) -> sqlite3.Connection:
    """Load as everybody does it first."""
    with fs.open(PATH, "rb") as file:
        image = file.read()
    target = sqlite3.connect(uri, uri=True)
    with closing(sqlite3.connect(":memory:")) as temporary:
        temporary.deserialize(image)
        temporary.backup(target)
    return target


def build(uri: str, size: int) -> sqlite3.Connection:
    """Return a shared database of about that many bytes."""
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    library = native_library(connection)
    if library is not None:
        library.raise_size_limit(connection, 1 << 47)
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
    connection.execute("BEGIN")
    filler = os.urandom(_ROW)
    rows = size * 4 // (4096 - 100)
    connection.executemany("INSERT INTO t(b) VALUES (?)", ((filler,) for _ in range(rows)))
    connection.execute("COMMIT")
    return connection


# --- measuring --------------------------------------------------------------------


def measure(
    ways: dict[str, Callable[[], Any]],
    rounds: int,
    *,
    prepare: Callable[[], Any] = int,
    memory: bool = True,
) -> dict[str, Measurement]:
    """Run the ways in turn, so that all meet the same disturbances.

    Args:
        prepare: Called before each of them, and not measured.
        memory: Whether peaks are measured, too.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, list[int]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            prepare()
            _settle()
            before = _resident("VmRSS") if memory and _reset_peak() else None
            start = time.perf_counter()
            result = way()
            seconds[name].append(time.perf_counter() - start)
            if before is not None:
                peaks[name].append(_resident("VmHWM") - before)
            if isinstance(result, sqlite3.Connection):
                result.close()
            del result
    return {
        name: Measurement(tuple(seconds[name]), max(peaks[name]) if peaks[name] else None)
        for name in ways
    }


def _settle() -> None:
    """Give back memory that is free, so that it does not hide what the next round needs."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _reset_peak() -> bool:
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _resident(name: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    raise LookupError(name)


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
        thread.join(60)


def compare(size: int, engine: Engine, rounds: int) -> list[Row]:
    """Measure saving and loading of one database, quiet and beside a busy thread."""
    fs = MemoryFileSystem(max_quota=None)
    target = memory_uri("target", engine=engine)
    rows = []
    with closing(build(memory_uri("source", engine=engine), size)) as source:
        stored = save_db(fs, PATH, source)

        def remove_snapshot() -> None:
            # It would otherwise be freed while the new one is made.
            fs.write_bytes(PATH, b"")

        saves = {
            "naive": lambda: naive_save(fs, source),
            "ours": lambda: save_db(fs, PATH, source),
        }
        loads: dict[str, Callable[[], Any]] = {
            "naive": lambda: naive_load(fs, target),
            "ours": lambda: load_db(fs, PATH, target, check=None, timeout=60),
            "checked": lambda: load_db(fs, PATH, target, timeout=60),
        }
        if engine == "memdb" and stored > 1 << 30:
            # SQLite ends such a database at 1 GiB; only ours can raise the limit.
            del loads["naive"]
        quiet_saves = measure(saves, rounds, prepare=remove_snapshot)
        quiet_loads = measure(loads, rounds)
        with busy_thread():
            busy_saves = measure(
                {"ours": saves["ours"]}, rounds, prepare=remove_snapshot, memory=False
            )
            busy_loads = measure({"ours": loads["ours"]}, rounds, memory=False)
    label = f"{stored / MEGABYTE:,.0f} MB, {engine}"
    rows.append(Row(f"save, {label}", stored, **quiet_saves, target=SAVE_TARGET, fewer_copies=True))
    if "naive" in quiet_loads:
        naive, ours, checked = (quiet_loads[name] for name in ("naive", "ours", "checked"))
        rows.append(Row(f"load, {label}", stored, naive, ours, LOAD_TARGET, True))
        rows.append(Row(f"load, quick check, {label}", stored, naive, checked, None, True))
    for title, quiet, busy in (
        ("save", quiet_saves["ours"], busy_saves["ours"]),
        ("load", quiet_loads["ours"], busy_loads["ours"]),
    ):
        rows.append(Row(f"{title}, busy/quiet, {label}", stored, quiet, busy, BUSY_TARGET, False))
    return rows


# --- showing ----------------------------------------------------------------------

HEADS = ("", "naive ms", "ours ms", "ratio", "target", "naive peak", "ours peak", "copies of it")


def cells(row: Row) -> list[str]:
    """Return one line of the table; peaks in MB, copies of the database in memory at once."""
    peaks = [
        "-" if peak is None else f"{peak / MEGABYTE:,.0f}"
        for peak in (row.naive.peak, row.ours.peak)
    ]
    copies = [
        "-" if peak is None else f"{peak / row.size:.2f}"
        for peak in (row.naive.peak, row.ours.peak)
    ]
    target = "-" if row.target is None else short(row.target)
    return [
        row.title,
        number(row.naive.best * 1000),
        number(row.ours.best * 1000),
        short(row.ratio),
        target + (" MISSED" if row.missed else ""),
        *peaks,
        "/".join(copies),
    ]


def show(texts: Sequence[str]) -> None:
    """Print one line of the table."""
    title, *rest = texts
    print(f"{title:<38}" + "".join(f" {text:>11}" for text in rest), flush=True)


def as_markdown(command: str, machine: Machine, rows: Sequence[Row]) -> str:
    """Return the table with the circumstances, and the spread of the rounds."""
    circumstances = f"""\
- {machine.python}, SQLite {sqlite3.sqlite_version}, {machine.date}
- {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.kernel}, \
load {machine.load}
- quickest of {len(rows[0].ours.seconds)} interleaved rounds; peaks in MB, the result of the \
operation included; copies: both peaks divided by the size of the database
- in the rows "busy/quiet" the first time is ours alone, the second beside a Python thread that \
never waits
"""
    lines = [f"# `{command}`", "", circumstances]
    lines.append("| " + " | ".join(HEADS) + " |")
    lines.append("|" + " --- |" * len(HEADS))
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    lines += ["", "## Medians", "", "| | first ms | second ms |", "| --- | --- | --- |"]
    for row in rows:
        medians = [number(statistics.median(m.seconds) * 1000) for m in (row.naive, row.ours)]
        lines.append(f"| {row.title} | {medians[0]} | {medians[1]} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; the status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sqlite",
        description="Compare save_db and load_db with the naive courier.",
    )
    parser.add_argument(
        "--sizes", default="200,1000", metavar="MB,MB", help="sizes of the database (200,1000)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (5)")
    parser.add_argument("--save", action="store_true", help="write the results to results/")
    options = parser.parse_args(arguments)
    sizes = [int(text) * MEGABYTE for text in options.sizes.split(",")]
    machine = describe_machine()
    command = f"python -m benchmarks.sqlite --sizes {options.sizes} --rounds {options.rounds}"
    print(f"{machine.python}, SQLite {sqlite3.sqlite_version}, {machine.cpu}, load {machine.load}")
    show(HEADS)
    rows: list[Row] = []
    engines: tuple[Engine, ...] = ("shared-cache", "memdb")
    for size in sizes:
        for engine in engines:
            found = compare(size, engine, options.rounds)
            for row in found:
                show(cells(row))
            rows += found
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "sqlite.md").write_text(as_markdown(command, machine, rows))
        data = {
            "command": command,
            "machine": asdict(machine),
            "sqlite": sqlite3.sqlite_version,
            "rows": [asdict(row) for row in rows],
        }
        (RESULTS / "sqlite.json").write_text(json.dumps(data, indent=1) + "\n")
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
