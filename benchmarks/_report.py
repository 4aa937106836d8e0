"""Show rows on the terminal as they come, and as Markdown when all are there."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from benchmarks._measure import OURS, Row
from benchmarks._peers import kernel_version

ABSENT = "-"
PER_SECOND = {"us": 1e6, "ns": 1e9, "ms": 1e3, "bytes": 1.0, "copies": 1.0}
_TITLE_WIDTH = 35
_CELL_WIDTH = 9


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures depend on besides the code."""

    date: str
    python: str
    sqlite: str
    machine: str
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    load: float


def describe_machine() -> Machine:
    """Return a description of this machine, without its name."""
    memory = _from_proc("/proc/meminfo", "MemTotal").split()
    lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        python=f"{platform.python_implementation()} {platform.python_version()}"
        + ("" if lock else " free-threaded"),
        sqlite=sqlite3.sqlite_version,
        machine=platform.machine(),
        cpu=_from_proc("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        cores=os.cpu_count() or 1,
        memory_gib=round(int(memory[0]) / 2**20, 1) if memory else 0.0,
        kernel=kernel_version(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
    )


def _from_proc(path: str, key: str) -> str:
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def short(ratio: float) -> str:
    """Return a ratio with two decimals and without a leading zero."""
    text = f"{ratio:.2f}"
    return text[1:] if text.startswith("0.") else text


# Comparisons


class Comparison(Protocol):
    """A row that is made of others."""

    @property
    def name(self) -> str:
        """Short name, for the file of results."""

    def is_measured(self, rows: Mapping[str, Row]) -> bool:
        """Tell whether the rows are there that it is made of."""

    def figure(self, rows: Mapping[str, Row], peer: str) -> float | None:
        """Return the figure of one peer; None where it has none."""

    def cells(self, rows: Mapping[str, Row], peers: Sequence[str]) -> list[str]:
        """Return the same cells as a row that was measured."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """A row made of two others of the same peer: the first divided by the second.

    Args:
        target: Highest quotient of ours that is aimed at.
    """

    name: str
    title: str
    dividend: str
    divisor: str
    target: float

    def is_measured(self, rows: Mapping[str, Row]) -> bool:
        """Tell whether the rows are there that it is made of."""
        return {self.dividend, self.divisor} <= rows.keys()

    def figure(self, rows: Mapping[str, Row], peer: str) -> float | None:
        """Return the figure of one peer; None where it has none."""
        above, below = rows.get(self.dividend), rows.get(self.divisor)
        if above is None or below is None:
            return None
        if not {peer} <= above.figures.keys() & below.figures.keys():
            return None
        return above.best(peer) / below.best(peer)

    def cells(self, rows: Mapping[str, Row], peers: Sequence[str]) -> list[str]:
        """Return the same cells as a row that was measured."""
        quotients = [self.figure(rows, peer) for peer in [*peers, OURS]]
        over = quotients[-1] is not None and quotients[-1] > self.target
        texts = [ABSENT if it is None else short(it) for it in quotients]
        return [self.title, *texts, short(self.target) + (" MISSED" if over else "")]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more than the base ours needs in one row.

    Args:
        row: Its name.
        limit: Highest difference that is aimed at, in the unit of the row; may be negative.
    """

    name: str
    title: str
    row: str
    limit: float

    def is_measured(self, rows: Mapping[str, Row]) -> bool:
        """Tell whether the row is there that it is made of, with both figures."""
        return self.figure(rows, OURS) is not None

    def figure(self, rows: Mapping[str, Row], peer: str) -> float | None:
        """Return the figure of one peer; None where it has none."""
        row = rows.get(self.row)
        if peer != OURS or row is None or not {OURS, row.workload.base} <= row.figures.keys():
            return None
        return row.best(OURS) - row.best(row.workload.base)

    def cells(self, rows: Mapping[str, Row], peers: Sequence[str]) -> list[str]:
        """Return the same cells as a row that was measured."""
        unit = rows[self.row].workload.unit
        added = (self.figure(rows, OURS) or 0.0) * PER_SECOND[unit]
        texts = [number(added) if peer == OURS else ABSENT for peer in peers]
        target = f"{self.limit} {unit}" + (" MISSED" if round(added, 2) > self.limit else "")
        return [self.title, *texts, ABSENT, target]


# Cells


def missed(row: Row) -> bool:
    """Tell whether the row misses a target; False where it has none or was not measured."""
    workload = row.workload
    targets = {**({} if workload.target is None else {OURS: workload.target}), **workload.also}
    for name, target in targets.items():
        ratio = row.ratio(name)
        if ratio is not None and ratio > target:
            return True
    if workload.limit is None or OURS not in row.figures:
        return False
    return row.best(OURS) * PER_SECOND[workload.unit] > workload.limit


def cells(row: Row, peers: Sequence[str], base: str = "") -> list[str]:
    """Return the title of a row, the figure of each peer, the ratio and the target.

    Args:
        base: what the column of ratios divides by, as its heading says.
    """
    workload = row.workload
    scale = PER_SECOND[workload.unit]
    unit = "" if workload.unit == "us" else f", {workload.unit}"
    found = [f"{workload.title}{unit}"]
    for peer in peers:
        if peer in row.failures:
            found.append("failed")
        elif peer in row.figures:
            mark = "*" if peer in row.divisors else ""
            found.append(number(row.best(peer) * scale) + mark)
        else:
            found.append(ABSENT)
    ratio = row.ratio(OURS)
    other = "" if workload.base == (base or workload.base) else f" of {workload.base}"
    found.append(ABSENT if ratio is None else short(ratio) + other)
    found.append(_target(row))
    return found


def _target(row: Row) -> str:
    workload = row.workload
    targets = [] if workload.target is None else [short(workload.target)]
    if workload.limit is not None:
        targets.append(f"{number(workload.limit)} {workload.unit}")
    targets += [f"{name} {short(target)}" for name, target in workload.also.items()]
    return ("; ".join(targets) or ABSENT) + (" MISSED" if missed(row) else "")


def heading(peers: Sequence[str], base: str) -> list[str]:
    """Return the titles of the columns."""
    return ["us per operation unless stated", *peers, f"/{base}", "target"]


def line(texts: Sequence[str]) -> str:
    """Return cells as one line of the terminal's table."""
    title, *figures, target = texts
    columns = "".join(f" {text:>{_CELL_WIDTH}}" for text in figures)
    return f"{title:<{_TITLE_WIDTH}}{columns}  {target}"


# The report


@dataclass(frozen=True, slots=True)
class Report:
    """One run: what was measured, of which peers, how and where.

    Args:
        benchmark: Its name.
        command: The command line that measures the same again.
        base: What most rows are compared with.
        sizes: Name -> value of those that the workloads depend on.
        notes: What a reader must know of how all of it was measured.
        peers: Name -> version of the peers that took part.
        absent: Name -> reason of those that did not.
    """

    benchmark: str
    command: str
    base: str
    machine: Machine
    sizes: Mapping[str, int]
    notes: Sequence[str]
    peers: Mapping[str, str]
    absent: Mapping[str, str]
    rows: dict[str, Row]
    comparisons: Sequence[Comparison]

    def comparison_lines(self, peers: Sequence[str]) -> list[list[str]]:
        """Return the cells of the comparisons whose rows were measured."""
        return [
            comparison.cells(self.rows, peers)
            for comparison in self.comparisons
            if comparison.is_measured(self.rows)
        ]

    def footnotes(self) -> list[str]:
        """Return what a reader must know of single cells."""
        notes = [f"{name} is absent: {reason}" for name, reason in self.absent.items()]
        reduced: dict[str, list[str]] = {}
        for row in self.rows.values():
            notes += [
                f"{name} failed {row.workload.name}: {row.failures[name]}" for name in row.failures
            ]
            for name, divisor in row.divisors.items():
                reduced.setdefault(name, []).append(f"{row.workload.name} 1/{divisor}")
        return notes + [
            f"* {name}, part of the work: {', '.join(reduced[name])}" for name in reduced
        ]

    def as_markdown(self) -> str:
        """Return figures, ratios, medians with their spread, machine and versions."""
        names = list(self.peers)
        footnotes = [f"- {note.replace('*', '`*`', 1)}" for note in self.footnotes()]
        lines = [
            f"# `{self.command}`",
            "",
            *(f"- {text}" for text in self._circumstances()),
            "",
            _markdown_line(heading(names, self.base)),
            _markdown_line(["---"] * (len(names) + 3)),
            *(_markdown_line(cells(row, names, self.base)) for row in self.rows.values()),
            *(_markdown_line(texts) for texts in self.comparison_lines(names)),
            "",
            *([*footnotes, ""] if footnotes else []),
            "## Medians",
            "",
            "Median, and how far it lies above the quickest round.",
            "",
            _markdown_line(["", *names]),
            _markdown_line(["---"] * (len(names) + 1)),
            *(_markdown_line(_median_cells(row, names)) for row in self.rows.values()),
        ]
        return "\n".join(lines) + "\n"

    def _circumstances(self) -> list[str]:
        machine = self.machine
        versions = ", ".join(f"{name} {version}".strip() for name, version in self.peers.items())
        sizes = ", ".join(f"{name} {value:,}" for name, value in self.sizes.items())
        hardware = f"{machine.cpu}, {machine.machine}, {machine.cores} cores, {machine.memory_gib}"
        return [
            f"{machine.date}, {machine.python}, SQLite {machine.sqlite}, {machine.kernel}",
            f"{hardware} GiB of memory, load {machine.load}",
            f"peers: {versions}",
            f"sizes: {sizes}",
            *self.notes,
            f"/{self.base}: {OURS} divided by {self.base}",
        ]


def _markdown_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('*', '`*`') for text in texts)} |"


def _median_cells(row: Row, peers: Sequence[str]) -> list[str]:
    scale = PER_SECOND[row.workload.unit]
    unit = "" if row.workload.unit == "us" else f", {row.workload.unit}"
    texts = [f"{row.workload.title}{unit}"]
    for name in peers:
        figure = row.figures.get(name)
        texts.append(f"{number(figure.median * scale)} +{figure.spread:.0%}" if figure else ABSENT)
    return texts
