"""Compare live databases with the other places for one: `python -m benchmarks.live`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import _live
from benchmarks._command import QUICKEST, THREAD_CLOCK, Suite
from benchmarks._databases import PEERS
from benchmarks._measure import QUICK, Workload

WORKLOADS = (
    Workload("insert", "insert of all rows, {database_bytes}", "ms", 1.1, _live.insert, 7),
    Workload(
        "commit", "commit of one row", "us", 1.2, _live.commit, also={"dmemfs memory": 0.5}
    ),
    Workload("read-warm", "point read, warm", "us", 1.3, _live.read_warm),
    Workload("read-cold", "point read, cold", "us", None, _live.read_cold),
    Workload("scan", "full scan, {database_bytes}", "ms", 1.1, _live.scan, 15),
    Workload("connect", "connect and first query", "us", 1.3, _live.connect),
    Workload(
        "scan-busy", "scan beside a busy thread, per MB", "ms", 5.0,
        _live.scan_beside_a_busy_thread(4096), 9, typical=True,
    ),
    Workload(
        "scan-busy-16k", "the same, pages of 16 KiB", "ms", 5.0,
        _live.scan_beside_a_busy_thread(16384), 9, typical=True,
    ),
    Workload(
        "scan-busy-64k", "the same, pages of 64 KiB", "ms", 5.0,
        _live.scan_beside_a_busy_thread(65536), 9, typical=True,
    ),
    Workload(
        "scan-busy-turns", "the same, 16 KiB, turns of .1 ms", "ms", 5.0,
        _live.scan_beside_a_busy_thread(16384, 0.0001), 9, typical=True,
    ),
    Workload(
        "copy-tenth", "private copy of {tenth}", "ms", None, _live.private_copy(10), 15,
        base=":memory:",
    ),
    Workload(
        "copy", "private copy of {database_bytes}", "ms", 1 / 60, _live.private_copy(), 9,
        base=":memory:",
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    return Suite(
        name="live",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PEERS,
        uses=("database_bytes", "commits", "point_reads", "connections", "busy_megabytes"),
        notes=(
            f"{THREAD_CLOCK} (wall clock beside a busy thread)",
            QUICKEST,
            "beside a busy thread: the median round",
        ),
        quick=QUICK,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
