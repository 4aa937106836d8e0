"""Show rows on the terminal as they come, and write them as Markdown and JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._measure import Row, Sizes
from benchmarks._peers import kernel_version

OURS = "dmemfs"
BASE = "tmpfs"
ABSENT = "-"
_PER_SECOND = {"us": 1e6, "ns": 1e9, "ms": 1e3, "bytes": 1.0}
_TITLE_WIDTH = 35
_CELL_WIDTH = 9


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row made of two others of the same peer: the first divided by the second."""

    name: str
    title: str
    dividend: str
    divisor: str
    target: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures depend on besides the code."""

    date: str
    python: str
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


def missed(row: Row) -> bool:
    """Tell whether the row misses its target; False where it has none or was not measured."""
    ratio = row.ratio(OURS)
    target, limit = row.workload.target, row.workload.limit
    over = target is not None and ratio is not None and round(ratio, 2) > target
    if limit is None or OURS not in row.figures:
        return over
    return over or row.best(OURS) * _PER_SECOND[row.workload.unit] > limit


def cells(row: Row, peers: Sequence[str]) -> list[str]:
    """Return the title of a row, the figure of each peer, the ratio and the target."""
    workload = row.workload
    scale = _PER_SECOND[workload.unit]
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
    found.append(ABSENT if ratio is None else short(ratio))
    target = ABSENT if workload.target is None else short(workload.target)
    if workload.limit is not None:
        target = f"{number(workload.limit)} {workload.unit}"
    found.append(target + (" MISSED" if missed(row) else ""))
    return found


def compared(comparison: Comparison, rows: Mapping[str, Row], peer: str) -> float | None:
    """Return the first row's figure divided by the second's; None where one is missing."""
    above, below = rows.get(comparison.dividend), rows.get(comparison.divisor)
    if above is None or below is None or not {peer} <= above.figures.keys() & below.figures.keys():
        return None
    return above.best(peer) / below.best(peer)


def comparison_cells(
    comparison: Comparison, rows: Mapping[str, Row], peers: Sequence[str]
) -> list[str]:
    """Return the same cells for a row that compares two others."""
    ratios = [compared(comparison, rows, peer) for peer in [*peers, OURS]]
    over = ratios[-1] is not None and round(ratios[-1], 2) > comparison.target
    target = short(comparison.target) + (" MISSED" if over else "")
    return [comparison.title, *(ABSENT if it is None else short(it) for it in ratios), target]


def heading(peers: Sequence[str]) -> list[str]:
    """Return the titles of the columns."""
    return ["us per operation unless stated", *peers, f"/{BASE}", "target"]


def line(texts: Sequence[str]) -> str:
    """Return cells as one line of the terminal's table."""
    title, *figures, target = texts
    columns = "".join(f" {text:>{_CELL_WIDTH}}" for text in figures)
    return f"{title:<{_TITLE_WIDTH}}{columns}  {target}"


@dataclass(frozen=True, slots=True)
class Report:
    """One run: what was measured, of which peers, how and where.

    Args:
        peers: Name -> version of the peers that took part.
        absent: Name -> reason of those that did not.
        command: The command line that measures the same again.
    """

    command: str
    machine: Machine
    sizes: Sizes
    peers: Mapping[str, str]
    absent: Mapping[str, str]
    rows: dict[str, Row]
    comparisons: Sequence[Comparison]

    def comparison_lines(self, peers: Sequence[str]) -> list[list[str]]:
        """Return the cells of the comparisons whose two rows were measured."""
        return [
            comparison_cells(comparison, self.rows, peers)
            for comparison in self.comparisons
            if {comparison.dividend, comparison.divisor} <= self.rows.keys()
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
        lines = [
            f"# `{self.command}`",
            "",
            *self._circumstances(),
            "",
            _markdown_line(heading(names)),
            _markdown_line(["---"] * (len(names) + 3)),
            *(_markdown_line(cells(row, names)) for row in self.rows.values()),
            *(_markdown_line(texts) for texts in self.comparison_lines(names)),
            "",
            *(f"- {note.replace('*', '`*`', 1)}" for note in self.footnotes()),
            "",
            "## Medians",
            "",
            "Median, and how far it lies above the quickest round.",
            "",
            _markdown_line(["workload", *names]),
            _markdown_line(["---"] * (len(names) + 1)),
            *(_markdown_line(_median_cells(row, names)) for row in self.rows.values()),
        ]
        return "\n".join(lines) + "\n"

    def _circumstances(self) -> list[str]:
        machine = self.machine
        versions = ", ".join(f"{name} {version}".strip() for name, version in self.peers.items())
        sizes = ", ".join(f"{name} {value:,}" for name, value in asdict(self.sizes).items())
        hardware = f"{machine.cpu}, {machine.machine}, {machine.cores} cores, {machine.memory_gib}"
        return [
            f"- {machine.date}, {machine.python}, {machine.kernel}",
            f"- {hardware} GiB of memory, load {machine.load}",
            f"- peers: {versions}",
            f"- sizes: {sizes}",
            "- times: of the thread on the processor (wall clock with threads, copying and import)",
            "- the quickest of several rounds, the peers taking turns",
            "- memory: the median round",
            f"- /{BASE}: {OURS} divided by {BASE}",
        ]

    def as_json(self) -> str:
        """Return every round of every figure, in seconds or bytes, with what they depend on."""
        ratios = {
            comparison.name: {name: compared(comparison, self.rows, name) for name in self.peers}
            for comparison in self.comparisons
        }
        content = {
            "command": self.command,
            "machine": asdict(self.machine),
            "sizes": asdict(self.sizes),
            "peers": dict(self.peers),
            "absent": dict(self.absent),
            "rows": [_row_as_json(row) for row in self.rows.values()],
            "comparisons": ratios,
        }
        return json.dumps(content, indent=1) + "\n"


def _markdown_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('*', '`*`') for text in texts)} |"


def _median_cells(row: Row, peers: Sequence[str]) -> list[str]:
    scale = _PER_SECOND[row.workload.unit]
    texts = [row.workload.name]
    for name in peers:
        figure = row.figures.get(name)
        texts.append(f"{number(figure.median * scale)} +{figure.spread:.0%}" if figure else ABSENT)
    return texts


def _row_as_json(row: Row) -> dict[str, object]:
    workload = row.workload
    figures = {
        name: {"minimum": it.minimum, "median": it.median, "rounds": list(it.rounds)}
        for name, it in row.figures.items()
    }
    return {
        "name": workload.name,
        "title": workload.title,
        "unit": "bytes" if workload.unit == "bytes" else "seconds",
        "target": workload.target,
        "limit": workload.limit,
        "ratio": row.ratio(OURS),
        "missed": missed(row),
        "divisors": row.divisors,
        "failures": row.failures,
        "figures": figures,
    }


def save(folder: Path, name: str, report: Report) -> list[Path]:
    """Write the report as Markdown and JSON into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in ((".md", report.as_markdown()), (".json", report.as_json())):
        path = folder / f"{name}{suffix}"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
