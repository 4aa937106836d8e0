"""Compare snapshots and clones with copying everything: `python -m benchmarks.snapshots`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import _snapshots
from benchmarks._command import QUICKEST, THREAD_CLOCK, Suite
from benchmarks._measure import QUICK, Workload
from benchmarks._snapshots import PEERS

WORKLOADS = (
    Workload("snapshot", "snapshot()", "us", None, _snapshots.snapshot, limit=1),
    Workload(
        "first-snapshot", "first snapshot()", "us", None, _snapshots.first_snapshot, limit=2
    ),
    Workload(
        "snapshot-close", "snapshot + close()", "us", None, _snapshots.snapshot_and_close, 25
    ),
    Workload(
        "first-create", "first create, large directory", "us", None, _snapshots.first_create, 25,
        limit=50,
    ),
    Workload(
        "first-overwrite", "first overwrite", "us", None, _snapshots.first_overwrite, 25, limit=50
    ),
    Workload("first-remove", "first remove", "us", None, _snapshots.first_remove, 25, limit=50),
    Workload("restore", "restore, all rewritten", "ms", None, _snapshots.restore, 10, limit=15),
    Workload("rollback-empty", "rollback, nothing done", "us", None, _snapshots.rollback_empty),
    Workload(
        "rollback-changes", "rollback, 10 overwrites", "us", None, _snapshots.rollback_changes
    ),
    Workload("changes", "10 overwrites alone", "us", None, _snapshots.changes_alone),
    Workload(
        "copy-all", "clone a large tree", "ms", None, _snapshots.copy_all, 5,
        limit=30, alone=True,
    ),
    Workload(
        "clone-file", "clone of one large file", "us", None, _snapshots.clone_of_a_large_file, 25,
        limit=100, alone=True,
    ),
    Workload(
        "copy-file", "copy of one large file", "us", None, _snapshots.copy_of_a_large_file, 25,
        limit=100, alone=True,
    ),
    Workload(
        "copy-write", "first write after it", "us", None, _snapshots.write_after_copy, 25,
        limit=1_000, alone=True,
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    return Suite(
        name="snapshots",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PEERS,
        uses=("files", "tree_directories", "stream_bytes"),
        notes=(f"{THREAD_CLOCK} (wall clock for cloning a tree)", QUICKEST),
        quick=QUICK,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
