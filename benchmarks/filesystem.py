"""Compare the memory file systems of Python with tmpfs: `python -m benchmarks.filesystem`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import _content, _tree
from benchmarks._command import QUICKEST, THREAD_CLOCK, Suite
from benchmarks._measure import QUICK, Workload
from benchmarks._peers import PEERS
from benchmarks._report import Quotient

WORKLOADS = (
    Workload("create", "create + write 4 KiB + close", "us", 0.20, _content.create),
    Workload("overwrite", "overwrite 4 KiB", "us", 0.17, _content.overwrite),
    Workload("read", "open + read 4 KiB", "us", 0.15, _content.read),
    Workload("text-create", "text create 4 KiB", "us", 0.35, _content.text_create),
    Workload("text-read", "text read 4 KiB", "us", 0.35, _content.text_read),
    Workload("stat", "stat at depth 2", "us", 0.20, _tree.stat),
    Workload("stat-deep", "stat at depth 20", "us", 0.20, _tree.stat_deep),
    Workload("stat-changed", "stat, written since", "us", 0.45, _tree.stat_changed),
    Workload("exists-hit", "exists, hit", "us", 0.20, _tree.exists_hit),
    Workload("exists-miss", "exists, miss", "us", 0.20, _tree.exists_miss),
    Workload("listdir", "listdir of 10,000, per entry", "ns", 0.03, _tree.listdir),
    Workload("mkdir-rmdir", "mkdir + rmdir", "us", 0.45, _tree.mkdir_rmdir),
    Workload("rename-small", "rename, 101 descendants", "us", 0.55, _tree.rename_small, 20),
    Workload("rename-large", "rename, 10,100 descendants", "us", 0.55, _tree.rename_large, 20),
    Workload("walk", "walk a large tree, per node", "ns", 0.10, _tree.walk, 7, alone=True),
    Workload(
        "create-large-tree", "create in a large tree", "us", 0.30, _tree.create_in_tree, alone=True
    ),
    Workload("write-64k", "write, 64 KiB chunks, warm", "ms", 0.75, _content.write_64k, 7),
    Workload("write-1m", "write, 1 MiB chunks, warm", "ms", 0.75, _content.write_1m, 7),
    Workload("write-64k-cold", "write, 64 KiB chunks, cold", "ms", 0.75, _tree.cold_64k, 5),
    Workload("write-1m-cold", "write, 1 MiB chunks, cold", "ms", 0.75, _tree.cold_1m, 5),
    Workload("read-1m", "read, 1 MiB chunks", "ms", 0.60, _content.read_1m, 7),
    Workload("read-once-chunks", "one read() of chunks", "ms", 0.75, _content.read_once_chunks, 7),
    Workload("read-once-whole", "one read() of one piece", "ms", 0.01, _content.read_once_whole, 7),
    Workload("random-read", "random read 4 KiB", "ns", 0.45, _content.random_read),
    Workload("random-overwrite", "random overwrite 4 KiB", "ns", 0.45, _content.random_overwrite),
    Workload("lines-binary", "for line, binary", "ns", 0.85, _content.lines_binary),
    Workload("lines-text", "for line, text", "ns", 1.0, _content.lines_text),
    Workload("read-16", "read(16)", "ns", 1.0, _content.read_16),
    Workload("write-16", "write(16)", "ns", 1.0, _content.write_16),
    Workload("memory-empty", "empty file", "bytes", None, _tree.memory_empty, 3, limit=180),
    Workload("memory-100", "file of 100 bytes", "bytes", None, _tree.memory_100, 3, limit=330),
    Workload("collect", "gc.collect(), large tree", "ms", None, _tree.collect, 7, 6, alone=True),
    Workload("threads-write", "8 threads, create 4 KiB", "us", 0.25, _content.threads_write, 20),
    Workload("threads-read", "8 threads, read 4 KiB", "us", 0.15, _content.threads_read, 20),
    Workload(
        "copy-tree", "copy a large tree, per node", "ns", None, _tree.copy_tree, 3, alone=True
    ),
    Workload("import", "import, new process", "ms", None, _tree.import_time, 5),
)

COMPARISONS = (
    Quotient("depth", "stat, depth 20 / depth 2", "stat-deep", "stat", 1.1),
    Quotient("descendants", "rename, 10,100 / 101", "rename-large", "rename-small", 1.5),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    return Suite(
        name="filesystem",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PEERS,
        uses=(
            "files", "entries", "tree_directories", "renamed_directories", "stream_bytes",
            "random_bytes", "operations", "lines", "tiny_calls",
        ),
        comparisons=COMPARISONS,
        notes=(
            f"{THREAD_CLOCK} (wall clock with threads, copying and import)",
            QUICKEST,
            "memory: the median round",
        ),
        # It alone would take as long as all the others.
        not_quick=frozenset({"pyfakefs"}),
        quick=QUICK,
    ).main(arguments)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
