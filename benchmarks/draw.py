"""Draw the stored results, measuring nothing: `python -m benchmarks.draw`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._figures import FIGURES as ALL
from benchmarks._results import RESULTS, load, stored

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "figures"
#: The oldest Python that is supported: whoever has a newer one has at least that.
PREFERRED = "3.11"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw all pictures; return 1 where there are no results to draw."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.draw", description="Draw the stored results."
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results"
    )
    parser.add_argument(
        "--output", type=Path, default=FIGURES, metavar="DIR", help="default: docs/figures"
    )
    parser.add_argument(
        "--python", metavar="3.N", help=f"default: {PREFERRED}, or the newest that has results"
    )
    options = parser.parse_args(arguments)
    drawn = draw_all(options.results, options.output, options.python)
    for path in drawn:
        print(f"drew {path}")
    if not drawn:
        print(f"{options.results} has no results to draw: run `python -m benchmarks` first")
    return int(not drawn)


def draw_all(results: Path, output: Path, version: str | None = None) -> list[Path]:
    """Draw every picture whose results are there, and return the paths of the files.

    Args:
        version: of the Python whose results are drawn; by default PREFERRED, or for a benchmark
            that has no results of it, the newest.
    """
    output.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, text in pictures(results, version):
        path = output / f"{name}.svg"
        path.write_text(text, encoding="utf-8")
        drawn.append(path)
    return drawn


def pictures(results: Path, version: str | None = None) -> list[tuple[str, str]]:
    """Return names and texts of the pictures; what they say depends on the results alone."""
    found = []
    for figure in ALL:
        chosen = version or _version(results, figure.benchmark)
        content = load(results, figure.benchmark, chosen) if chosen else None
        chart = figure.chart(content) if content is not None else None
        if chart is not None and chart.lines:
            found.append((figure.name, figure.draw(chart)))
    return found


def _version(results: Path, benchmark: str) -> str | None:
    versions = [version for name, version in stored(results) if name == benchmark]
    if PREFERRED in versions:
        return PREFERRED
    return max(versions, key=_order, default=None)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part.rstrip("t")) for part in version.split("."))


if __name__ == "__main__":
    sys.exit(main())
