"""Compare the memory file systems of Python with tmpfs: `python -m benchmarks.filesystem`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _content, _tree
from benchmarks._measure import FULL, QUICK, Workload, measure
from benchmarks._peers import DMEMFS_PEER_VARIABLE, PEERS, Peer, shared_memory_directory
from benchmarks._report import (
    BASE,
    OURS,
    Comparison,
    Report,
    cells,
    describe_machine,
    heading,
    line,
    missed,
    save,
)

RESULTS = Path(__file__).parent / "results"

WORKLOADS = (
    Workload("create", "create + write 4 KiB + close", "us", 0.25, _content.create),
    Workload("overwrite", "overwrite 4 KiB", "us", 0.20, _content.overwrite),
    Workload("read", "open + read 4 KiB", "us", 0.15, _content.read),
    Workload("text-create", "text create 4 KiB", "us", 0.45, _content.text_create),
    Workload("text-read", "text read 4 KiB", "us", 0.45, _content.text_read),
    Workload("stat", "stat at depth 2", "us", 0.40, _tree.stat),
    Workload("stat-deep", "stat at depth 20", "us", 0.40, _tree.stat_deep),
    Workload("exists-hit", "exists, hit", "us", 0.20, _tree.exists_hit),
    Workload("exists-miss", "exists, miss", "us", 0.20, _tree.exists_miss),
    Workload("listdir", "listdir of 10,000, per entry", "ns", 0.03, _tree.listdir),
    Workload("mkdir-rmdir", "mkdir + rmdir", "us", 0.50, _tree.mkdir_rmdir),
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
    Workload("read-once-chunks", "one read() of chunks", "ms", 1.0, _content.read_once_chunks, 7),
    Workload("read-once-whole", "one read() of one piece", "ms", 0.0, _content.read_once_whole, 7),
    Workload("random-read", "random read 4 KiB", "ns", 0.60, _content.random_read),
    Workload("random-overwrite", "random overwrite 4 KiB", "ns", 0.60, _content.random_overwrite),
    Workload("lines-binary", "for line, binary", "ns", 1.0, _content.lines_binary),
    Workload("lines-text", "for line, text", "ns", 1.1, _content.lines_text),
    Workload("read-16", "read(16)", "ns", 1.3, _content.read_16),
    Workload("write-16", "write(16)", "ns", 1.2, _content.write_16),
    Workload("memory-empty", "empty file", "bytes", None, _tree.memory_empty, 3, limit=275),
    Workload("memory-100", "file of 100 bytes", "bytes", None, _tree.memory_100, 3, limit=420),
    Workload("threads-write", "8 threads, create 4 KiB", "us", 0.25, _content.threads_write, 20),
    Workload("threads-read", "8 threads, read 4 KiB", "us", 0.15, _content.threads_read, 20),
    Workload(
        "copy-tree", "copy a large tree, per node", "ns", None, _tree.copy_tree, 3, alone=True
    ),
    Workload("import", "import, new process", "ms", None, _tree.import_time, 5),
)

COMPARISONS = (
    Comparison("depth", "stat, depth 20 / depth 2", "stat-deep", "stat", 1.1),
    Comparison("descendants", "rename, 10,100 / 101", "rename-large", "rename-small", 1.5),
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.filesystem", description=__doc__.partition(":")[0] + "."
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="a workload, or several separated by commas; may be repeated",
    )
    parser.add_argument("--peers", metavar="A,B", help=f"of {', '.join(PEERS)}; default: all")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="smaller sizes, fewer rounds, and no pyfakefs unless --peers names it",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each workload")
    parser.add_argument(
        "--save", action="store_true", help="write Markdown and JSON to benchmarks/results"
    )
    parser.add_argument(
        "--dmemfs-peer",
        metavar="DIR",
        help=f"target folder with D-MemFS (default: the environment's {DMEMFS_PEER_VARIABLE})",
    )
    parser.add_argument("--list", action="store_true", help="list the workloads and end")
    options = parser.parse_args(arguments)
    options.only = _names(parser, options.only or [], [item.name for item in WORKLOADS])
    if options.peers is None and options.quick:
        # It alone would take as long as all the others.
        options.peers = ",".join(name for name in PEERS if name != "pyfakefs")
    options.peers = _names(parser, [options.peers] if options.peers else [], list(PEERS))
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def _names(parser: argparse.ArgumentParser, given: list[str], known: list[str]) -> list[str]:
    wanted = [name for part in given for name in part.split(",") if name]
    for name in wanted:
        if name not in known:
            parser.error(f"no {name!r}; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def present_peers(names: Sequence[str]) -> tuple[list[type[Peer]], dict[str, str]]:
    """Return the peers that can take part, and why the others cannot."""
    absent = {name: reason for name in names if (reason := PEERS[name].missing())}
    return [PEERS[name] for name in names if name not in absent], absent


def command_line(options: argparse.Namespace) -> str:
    """Return the command that measures the same, without folders of this machine."""
    parts = ["python -m benchmarks.filesystem"]
    if options.quick:
        parts.append("--quick")
    if options.rounds is not None:
        parts.append(f"--rounds {options.rounds}")
    if len(options.only) < len(WORKLOADS):
        parts.append(f"--only {','.join(options.only)}")
    if len(options.peers) < len(PEERS):
        parts.append(f"--peers {','.join(options.peers)}")
    return " ".join(parts)


def run(options: argparse.Namespace, peers: Sequence[type[Peer]], report: Report) -> None:
    """Measure the workloads asked for, adding each to the report and showing it when it is done."""
    machine = report.machine
    print(f"{machine.python}, {machine.cpu}, {machine.cores} cores, load {machine.load}")
    if shared_memory_directory() is None:
        print("There is no /dev/shm here: tmpfs stands for a temporary directory on a disk.")
    print(line(heading(options.peers)), flush=True)
    for workload in WORKLOADS:
        if workload.name not in options.only:
            continue
        report.rows[workload.name] = row = measure(
            workload,
            peers,
            report.sizes,
            rounds=options.rounds or (11 if options.quick else 25),
            budget=1.0 if options.quick else 12.0,
            least_rounds=2 if options.quick else 3,
        )
        print(line(cells(row, options.peers)), flush=True)
    for texts in report.comparison_lines(options.peers):
        print(line(texts))
    for note in report.footnotes():
        print(note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    options = parse(arguments)
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:<18} {workload.title}")
        return 0
    if options.dmemfs_peer:
        os.environ[DMEMFS_PEER_VARIABLE] = os.path.abspath(options.dmemfs_peer)
    peers, absent = present_peers(options.peers)
    report = Report(
        command=command_line(options),
        machine=describe_machine(),
        sizes=QUICK if options.quick else FULL,
        peers={kind.name: kind.version() for kind in peers},
        absent=absent,
        rows={},
        comparisons=COMPARISONS,
    )
    started = time.perf_counter()
    run(options, peers, report)
    misses = [name for name, row in report.rows.items() if missed(row)]
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s; targets missed: {', '.join(misses) or 'none'}")
    if options.save:
        stem = f"filesystem-{report.machine.date[:10]}-{report.machine.python}"
        for path in save(RESULTS, stem.replace(" ", "-").lower(), report):
            print(f"wrote {path}")
    return int(any({OURS, BASE} & row.failures.keys() for row in report.rows.values()))


if __name__ == "__main__":
    sys.exit(main())
