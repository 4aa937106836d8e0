"""The command line that all benchmarks share."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks._measure import BASE, FULL, OURS, QUICK, Sizes, Workload, measure
from benchmarks._peers import DMEMFS_PEER_VARIABLE, DMemFS, Peer, shared_memory_directory
from benchmarks._report import Comparison, Report, cells, describe_machine, heading, line, missed
from benchmarks._results import save

THREAD_CLOCK = "times: of the thread on the processor"
QUICKEST = "the quickest of several rounds, the peers taking turns"


@dataclass(frozen=True, slots=True)
class Suite:
    """Workloads that are measured together, and the peers that take part.

    Args:
        name: of the module in `benchmarks`, and of the files with the results.
        description: what is compared, in one sentence.
        workloads: rows of the table, in their order.
        peers: columns of the table by name, in their order.
        uses: names of the sizes that the workloads depend on.
        comparisons: rows that are made of others.
        notes: what a reader must know of how all of it is measured.
        base: what most rows are compared with.
        not_quick: peers that --quick leaves out unless --peers names them.
        full: the sizes without --quick.
        quick: the sizes for --quick.
    """

    name: str
    description: str
    workloads: Sequence[Workload]
    peers: Mapping[str, type[Peer]]
    uses: Sequence[str]
    comparisons: Sequence[Comparison] = ()
    notes: Sequence[str] = (THREAD_CLOCK, QUICKEST)
    base: str = BASE
    not_quick: frozenset[str] = frozenset()
    full: Sizes = FULL
    quick: Sizes = QUICK

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the workloads asked for; return 1 when dmemfs or its base failed in one of them."""
        options = self._parse(arguments)
        sizes = self.quick if options.quick else self.full
        if options.list:
            for workload in self.workloads:
                print(f"{workload.name:<18} {sizes.in_title(workload.title)}")
            return 0
        if options.dmemfs_peer:
            os.environ[DMEMFS_PEER_VARIABLE] = os.path.abspath(options.dmemfs_peer)
        peers, absent = present_peers(self.peers, options.peers)
        report = Report(
            benchmark=self.name,
            command=self._command_line(options),
            base=self.base,
            machine=describe_machine(),
            sizes={name: getattr(sizes, name) for name in self.uses},
            notes=self.notes,
            peers={kind.name: kind.version() for kind in peers},
            absent=absent,
            rows={},
            comparisons=self.comparisons,
        )
        started = time.perf_counter()
        self._run(options, peers, sizes, report)
        misses = [name for name, row in report.rows.items() if missed(row)]
        seconds = time.perf_counter() - started
        print(f"{seconds:.0f} s; targets missed: {', '.join(misses) or 'none'}")
        if options.output is not None:
            for path in save(options.output, report):
                print(f"wrote {path}")
        return int(any({OURS, self.base} & row.failures.keys() for row in report.rows.values()))

    def _parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.description
        )
        parser.add_argument(
            "--only",
            action="append",
            metavar="NAME",
            help="a workload, or several separated by commas; may be repeated",
        )
        parser.add_argument(
            "--peers", metavar="A,B", help=f"of {', '.join(self.peers)}; default: all"
        )
        parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each workload")
        parser.add_argument("--list", action="store_true", help="list the workloads and end")
        excepted = f", and no {', '.join(self.not_quick)} unless --peers names it"
        add_common_options(parser, excepted if self.not_quick else "")
        if DMemFS.name in self.peers:
            add_dmemfs_peer_option(parser)
        else:
            parser.set_defaults(dmemfs_peer=None)
        options = parser.parse_args(arguments)
        workloads = [item.name for item in self.workloads]
        options.only = chosen(parser, options.only or [], workloads)
        if options.peers is None and options.quick:
            options.peers = ",".join(name for name in self.peers if name not in self.not_quick)
        options.peers = chosen(parser, [options.peers] if options.peers else [], list(self.peers))
        if options.rounds is not None and options.rounds < 1:
            parser.error("--rounds must be at least 1")
        return options

    def _command_line(self, options: argparse.Namespace) -> str:
        """Return the command that measures the same, without folders of this machine."""
        parts = [f"python -m benchmarks.{self.name}"]
        if options.quick:
            parts.append("--quick")
        if options.rounds is not None:
            parts.append(f"--rounds {options.rounds}")
        if len(options.only) < len(self.workloads):
            parts.append(f"--only {','.join(options.only)}")
        if len(options.peers) < len(self.peers):
            parts.append(f"--peers {','.join(options.peers)}")
        return " ".join(parts)

    def _run(
        self,
        options: argparse.Namespace,
        peers: Sequence[type[Peer]],
        sizes: Sizes,
        report: Report,
    ) -> None:
        """Measure the workloads asked for, adding each to the report and showing it when done."""
        machine = report.machine
        print(f"{machine.python}, {machine.cpu}, {machine.cores} cores, load {machine.load}")
        if shared_memory_directory() is None:
            print("There is no /dev/shm here: tmpfs stands for a temporary directory on a disk.")
        print(line(heading(options.peers, self.base)), flush=True)
        for workload in self.workloads:
            if workload.name not in options.only:
                continue
            row = measure(
                replace(workload, title=sizes.in_title(workload.title)),
                peers,
                sizes,
                rounds=options.rounds or (11 if options.quick else 25),
                budget=1.0 if options.quick else 12.0,
                least_rounds=2 if options.quick else 3,
            )
            report.rows[workload.name] = row
            print(line(cells(row, options.peers, self.base)), flush=True)
        for texts in report.comparison_lines(options.peers):
            print(line(texts))
        for note in report.footnotes():
            print(note)


def add_common_options(parser: argparse.ArgumentParser, excepted: str = "") -> None:
    """Add the options that one benchmark has as well as the command that runs all of them.

    Args:
        excepted: what --quick leaves out.
    """
    parser.add_argument(
        "--quick", action="store_true", help=f"smaller sizes, fewer rounds{excepted}"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write Markdown and JSON into this folder"
    )


def add_dmemfs_peer_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where D-MemFS is."""
    parser.add_argument(
        "--dmemfs-peer",
        metavar="DIR",
        help=f"target folder with D-MemFS (default: the environment's {DMEMFS_PEER_VARIABLE})",
    )


def chosen(parser: argparse.ArgumentParser, given: list[str], known: list[str]) -> list[str]:
    """Return which of the known names were given, in their order; all of them for none."""
    wanted = [name for part in given for name in part.split(",") if name]
    for name in wanted:
        if name not in known:
            parser.error(f"no {name!r}; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def present_peers(
    peers: Mapping[str, type[Peer]], names: Sequence[str]
) -> tuple[list[type[Peer]], dict[str, str]]:
    """Return the peers that can take part, and why the others cannot."""
    absent = {name: reason for name in names if (reason := peers[name].missing())}
    return [peers[name] for name in names if name not in absent], absent
