"""The files of results: one form for all benchmarks, written here and read to be drawn."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks._measure import OURS, Row
from benchmarks._report import Report, missed

RESULTS = Path(__file__).parent / "results"
FORMAT = 1


def interpreter() -> str:
    """Return what distinguishes the results of this interpreter: `cpython-3.11`, `-3.13t`."""
    lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    version = f"{sys.version_info.major}.{sys.version_info.minor}{'' if lock else 't'}"
    return f"{platform.python_implementation().lower()}-{version}"


def save(folder: Path, report: Report) -> list[Path]:
    """Write the report as Markdown and JSON into `folder` and return their paths.

    There is one of each for a benchmark and an interpreter: what stood there is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in ((".md", report.as_markdown()), (".json", as_json(report))):
        path = folder / f"{report.benchmark}-{interpreter()}{suffix}"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def load(folder: Path, benchmark: str, version: str) -> dict[str, Any] | None:
    """Return the results of a benchmark by that version, such as "3.11"; None where none are."""
    path = folder / f"{benchmark}-cpython-{version}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if content.get("format") != FORMAT:
        raise ValueError(f"{path}: the form is not {FORMAT}; measure it again")
    return content


def stored(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield benchmark and version of all results by CPython."""
    for path in sorted(folder.glob("*-cpython-*.json")):
        benchmark, _, version = path.stem.partition("-cpython-")
        yield benchmark, version


def as_json(report: Report) -> str:
    """Return every round of every figure, in seconds, bytes or copies, and its circumstances."""
    comparisons = {
        comparison.name: {
            name: figure
            for name in report.peers
            if (figure := comparison.figure(report.rows, name)) is not None
        }
        for comparison in report.comparisons
    }
    content = {
        "format": FORMAT,
        "benchmark": report.benchmark,
        "command": report.command,
        "machine": asdict(report.machine),
        "sizes": dict(report.sizes),
        "notes": list(report.notes),
        "peers": dict(report.peers),
        "absent": dict(report.absent),
        "rows": [_row_as_json(row) for row in report.rows.values()],
        "comparisons": comparisons,
    }
    text = json.dumps(content, indent=1)
    # A line for each list of rounds, not one for each round.
    return re.sub(r"\[([^][{}\"]*)\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _digits(value: float) -> float:
    """Return the digits that may say something."""
    return float(f"{value:.6g}")


def _row_as_json(row: Row) -> dict[str, object]:
    workload = row.workload
    figures = {
        name: {
            "best": _digits(row.best(name)),
            "minimum": _digits(it.minimum),
            "median": _digits(it.median),
            "spread": _digits(it.spread),
            "rounds": [_digits(value) for value in it.rounds],
        }
        for name, it in row.figures.items()
    }
    return {
        "name": workload.name,
        "title": workload.title,
        "unit": workload.unit if workload.is_memory else "seconds",
        "shown": workload.unit,
        "base": workload.base,
        "target": workload.target,
        "limit": workload.limit,
        "also": dict(workload.also),
        "ratio": row.ratio(OURS),
        "missed": missed(row),
        "divisors": row.divisors,
        "failures": row.failures,
        "figures": figures,
    }
