"""Compare save_db and load_db with other couriers: `python -m benchmarks.sqlite`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks import _courier
from benchmarks._command import QUICKEST, Suite
from benchmarks._courier import PEERS
from benchmarks._measure import QUICK, Workload
from benchmarks._report import Comparison, Difference, Quotient
from dmemfs_sqlite._engine.uri import Engine

ENGINES: tuple[tuple[Engine, str], ...] = (("shared-cache", ""), ("memdb", "-memdb"))

# Highest ratios to the naive courier, and to the quiet time.
SAVE_TARGET, LOAD_TARGET, BUSY_TARGET = 0.90, 0.55, 3.0
# Copies of the database more than the naive courier needs. Not a plain "at most one": what memdb
# lets go of while it grows, the allocator gives back to the system only later.
COPIES_LIMIT = -0.9


def _workloads(engine: Engine, suffix: str) -> Iterator[Workload]:
    row = partial(Workload, base="naive")
    small, large = f"{{database_bytes}}, {engine}", f"{{large_database_bytes}}, {engine}"
    yield row(f"save{suffix}", f"save {small}", "ms", SAVE_TARGET, _courier.saves(engine), 9)
    yield row(f"load{suffix}", f"load {small}", "ms", LOAD_TARGET, _courier.loads(engine), 9)
    yield row(
        f"load-checked{suffix}",
        f"load, quick_check {small}",
        "ms",
        None,
        _courier.loads(engine, checked=True),
        9,
    )
    yield row(
        f"save-busy{suffix}",
        f"save, busy {small}",
        "ms",
        None,
        _courier.saves(engine, busy=True),
        7,
    )
    yield row(
        f"load-busy{suffix}",
        f"load, busy {small}",
        "ms",
        None,
        _courier.loads(engine, busy=True),
        7,
    )
    yield row(
        f"save-copies{suffix}",
        f"save, copies at once, {engine}",
        "copies",
        None,
        _courier.peak_of_saving(engine),
        3,
    )
    yield row(
        f"load-copies{suffix}",
        f"load, copies at once, {engine}",
        "copies",
        None,
        _courier.peak_of_loading(engine),
        3,
    )
    yield row(
        f"save-large{suffix}",
        f"save {large}",
        "ms",
        SAVE_TARGET,
        _courier.saves(engine, "large_database_bytes"),
        3,
        alone=True,
    )
    yield row(
        f"load-large{suffix}", f"load {large}", "ms", LOAD_TARGET,
        _courier.loads(engine, "large_database_bytes"), 3, alone=True,
    )  # fmt: skip


def _comparisons(engine: Engine, suffix: str) -> Iterator[Comparison]:
    for way in ("save", "load"):
        yield Quotient(
            f"{way}-busy-quiet{suffix}",
            f"{way}, busy / quiet, {engine}",
            f"{way}-busy{suffix}",
            f"{way}{suffix}",
            BUSY_TARGET,
        )
        yield Difference(
            f"{way}-copies-more{suffix}", f"{way}, copies more, {engine}",
            f"{way}-copies{suffix}", COPIES_LIMIT,
        )  # fmt: skip


WORKLOADS = tuple(row for names in ENGINES for row in _workloads(*names))
COMPARISONS = tuple(row for names in ENGINES for row in _comparisons(*names))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when ours or the naive courier failed in one."""
    return Suite(
        name="sqlite",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PEERS,
        uses=("database_bytes", "large_database_bytes"),
        comparisons=COMPARISONS,
        notes=(
            "times: on the wall",
            QUICKEST,
            "memory: the median round",
            "copies: the peak of memory, the result included, by the size of the database",
        ),
        base="naive",
        quick=QUICK,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
