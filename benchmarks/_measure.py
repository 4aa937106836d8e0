"""Time workloads on several peers in turn, and keep every round's figure."""

from __future__ import annotations

import gc
import itertools
import statistics
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from time import get_clock_info, perf_counter, thread_time

from benchmarks._peers import NotOfferedError, Peer

# What a thread spent on a processor is what it did: nothing here waits for a device, and other
# processes do not count. Not every system has a clock for it that ticks often enough.
now = thread_time if get_clock_info("thread_time").resolution <= 1e-6 else perf_counter


OURS = "dmemfs"
BASE = "tmpfs"
MEGABYTE = 1_000_000


class WorkNotDoneError(Exception):
    """Raised when a peer's result shows that it did not do the work that was timed."""


Rounds = Generator[float, None, None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Set how much work one round of each workload does.

    Milliseconds where possible: of many short rounds, some escape what else the machine does.

    Args:
        files: Small files, paths or directories handled in one block.
        entries: Entries of the directory that is listed.
        tree_directories: Directories, each of 99 files, of the large tree.
        renamed_directories: Directories, each of 100 files, below the one that is renamed.
        stream_bytes: Bytes of a large file.
        random_bytes: Bytes of the file that is read and overwritten at random places.
        operations: Random reads or writes in one block.
        lines: Lines of the file that is iterated.
        tiny_calls: Calls of read(16) and write(16) in one block.
        database_bytes: Bytes of a database.
        large_database_bytes: Bytes of a large one.
        commits: Transactions of one row in one block.
        point_reads: Rows that are looked up in one block.
        connections: Connections that are opened in one block.
        busy_megabytes: Megabytes of the database that is read beside a busy thread.
    """

    files: int = 1_000
    entries: int = 10_000
    tree_directories: int = 1_000
    renamed_directories: int = 100
    stream_bytes: int = 512 << 20
    random_bytes: int = 64 << 20
    operations: int = 5_000
    lines: int = 100_000
    tiny_calls: int = 50_000
    database_bytes: int = 200 * MEGABYTE
    large_database_bytes: int = 1000 * MEGABYTE
    commits: int = 500
    point_reads: int = 2_000
    connections: int = 50
    busy_megabytes: int = 20

    def divided(self, divisor: int) -> Sizes:
        """Return these counts divided by `divisor`, none below 1; lengths in bytes stay."""
        counts = [item.name for item in fields(self) if not item.name.endswith("_bytes")]
        parts = {name: max(1, getattr(self, name) // divisor) for name in counts}
        return replace(self, **parts)

    def in_title(self, title: str) -> str:
        """Return a title with its `{name}` replaced by that size, in MB where it is bytes."""
        texts = {
            item.name: f"{getattr(self, item.name) / MEGABYTE:,.4g} MB"
            if item.name.endswith("_bytes")
            else f"{getattr(self, item.name):,}"
            for item in fields(self)
        }
        return title.format(**texts, tenth=f"{self.database_bytes / MEGABYTE / 10:,.4g} MB")


FULL = Sizes()
QUICK = Sizes(
    files=500,
    tree_directories=100,
    stream_bytes=128 << 20,
    operations=2_500,
    lines=30_000,
    tiny_calls=20_000,
    database_bytes=20 * MEGABYTE,
    large_database_bytes=100 * MEGABYTE,
)
TINY = Sizes(
    files=3,
    entries=7,
    tree_directories=2,
    renamed_directories=2,
    stream_bytes=3 << 20,
    random_bytes=1 << 18,
    operations=5,
    lines=20,
    tiny_calls=10,
    database_bytes=200_000,
    large_database_bytes=400_000,
    commits=3,
    point_reads=5,
    connections=2,
    busy_megabytes=1,
)


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the table.

    Args:
        name: Short name, for the command line.
        title: What one operation is; `{size}` stands for a size of that name.
        unit: "us", "ns" or "ms" for seconds, "bytes" or "copies" for memory.
        target: Highest ratio of ours to the base that is aimed at; None where there is no aim.
        run: Generator that does one round of work each time it is resumed and yields the
            seconds (or bytes) that one operation took.
        most_rounds: Rounds after which more tell nothing new.
        limit: Highest figure, in `unit`, that is aimed at.
        alone: Whether a peer does all its rounds before the next one begins, because a tree of
            one peer would slow the others' garbage collection and empty their caches, or because
            all of them at once would need too much memory.
        base: Peer that the others are compared with.
        also: Highest ratios to the base that other columns of ours are to have, by their name.
        typical: Whether the middle round counts, and not the quickest: where other processes may
            also make it quicker, as when they keep a thread from running that one waits for.
    """

    name: str
    title: str
    unit: str
    target: float | None
    run: Callable[[Peer, Sizes], Rounds]
    most_rounds: int = 50
    limit: float | None = None
    alone: bool = False
    base: str = BASE
    also: Mapping[str, float] = field(default_factory=dict)
    typical: bool = False

    @property
    def is_memory(self) -> bool:
        """Whether it is memory that is measured, and not time."""
        return self.unit in ("bytes", "copies")


@dataclass(frozen=True, slots=True)
class Figure:
    """What one peer needed for one operation of a workload, round by round."""

    rounds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The quickest round: the one that other processes disturbed least."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """How far the median lies above the minimum, as a fraction of the minimum."""
        return self.median / self.minimum - 1 if self.minimum > 0 else 0.0


@dataclass(slots=True)
class Row:
    """A workload and what was measured for it."""

    workload: Workload
    figures: dict[str, Figure] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    divisors: dict[str, int] = field(default_factory=dict)

    def ratio(self, peer: str) -> float | None:
        """Return the figure of `peer` divided by that of the base; None where one is missing."""
        base = self.workload.base
        if peer not in self.figures or base not in self.figures:
            return None
        divisor = self.best(base)
        return self.best(peer) / divisor if divisor > 0 else None

    def best(self, peer: str) -> float:
        """Return the figure that counts: the quickest round, or the middle one."""
        figure = self.figures[peer]
        # Memory has no disturbance that only ever adds: another process may also free some.
        middle = self.workload.is_memory or self.workload.typical
        return figure.median if middle else figure.minimum


def begin() -> float:
    """Collect garbage, so that nobody pays for another's, and return the time of `now`."""
    gc.collect()
    return now()


def expect(condition: bool, what: str) -> None:
    """Raise WorkNotDoneError unless `condition` holds."""
    if not condition:
        raise WorkNotDoneError(what)


def quickest(passes: int, rounds: Rounds) -> Rounds:
    """Make one round of several passes, of which the quickest counts.

    The host of a virtual machine may take back memory that has been free for seconds; using it
    again costs seconds for each GiB. Only passes that follow each other closely find it there.
    """
    while True:
        yield min(itertools.islice(rounds, passes))


def measure(
    workload: Workload,
    peers: Sequence[type[Peer]],
    sizes: Sizes,
    *,
    rounds: int,
    budget: float,
    least_rounds: int = 3,
) -> Row:
    """Run rounds of `workload` on every peer in turn, so that all meet the same disturbances.

    Args:
        rounds: Rounds per peer.
        budget: Seconds after which no further round begins.
        least_rounds: Rounds that are done whatever they cost.

    Returns:
        The row. A peer that lacks an operation has no figure; one that fails has a reason.
    """
    row = Row(workload)
    able = [kind for kind in peers if workload.name not in kind.skipped]
    rounds = min(rounds, workload.most_rounds)
    if not workload.alone:
        _take_turns(row, able, sizes, rounds, budget, least_rounds)
        return row
    for kind in able:
        _take_turns(row, [kind], sizes, rounds, budget / len(able), least_rounds)
    return row


def _take_turns(
    row: Row,
    peers: Sequence[type[Peer]],
    sizes: Sizes,
    rounds: int,
    budget: float,
    least_rounds: int,
) -> None:
    workload = row.workload
    opened: list[Peer] = []
    running: dict[str, Rounds] = {}
    measured: dict[str, list[float]] = {}

    def attempt(name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except NotOfferedError:
            running.pop(name, None)
        except Exception as error:
            # A peer that breaks must not take the figures of the others with it.
            row.failures[name] = f"{type(error).__name__}: {error}"
            measured.pop(name, None)
            running.pop(name, None)

    def start(kind: type[Peer]) -> None:
        opened.append(kind())
        divisor = kind.divisors.get(workload.name, 1)
        if divisor != 1:
            row.divisors[kind.name] = divisor
        running[kind.name] = workload.run(opened[-1], sizes.divided(divisor))

    def continue_with(name: str) -> None:
        figure = next(running[name])
        measured.setdefault(name, []).append(figure)

    started = perf_counter()
    try:
        for kind in peers:
            attempt(kind.name, partial(start, kind))
        for number in range(rounds):
            if number >= least_rounds and perf_counter() - started > budget:
                break
            for name in list(running):
                attempt(name, partial(continue_with, name))
    finally:
        for generator in running.values():
            generator.close()
        for peer in opened:
            peer.close()
    row.figures.update((name, Figure(tuple(values))) for name, values in measured.items())
