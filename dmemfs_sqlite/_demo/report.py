"""How the command line prints steps, sizes and tables."""

from __future__ import annotations

import time
from collections.abc import Callable


class StepReport:
    """Numbered steps with their results, and the time since the one before.

    Args:
        write: gets the report.
        heading: what comes before the first step, once that is done.
    """

    def __init__(self, write: Callable[[str], object], heading: str) -> None:
        self._write = write
        self._heading = heading
        self._number = 0
        self._since = time.perf_counter()

    def step(self, title: str, result: str, *further: str) -> None:
        elapsed = (time.perf_counter() - self._since) * 1000
        self._number += 1
        if self._number == 1:
            self._write(self._heading)
        self._write(f"{self._number:>2}  {title:<8} {elapsed:>9,.1f} ms   {result}\n")
        for line in further:
            self._write(f"{'':<28}{line}\n")
        self._since = time.perf_counter()


def write_table(write: Callable[[str], object], *rows: tuple[str, ...]) -> None:
    """Print columns; the second one, of numbers, to the right."""
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, number, *rest in rows:
        write("   ".join(["", f" {name:<{first}}", f"{number:>{second}}", *rest]).rstrip() + "\n")


def format_size(count: int) -> str:
    """Return a number of bytes for people: "512 bytes", "9.8 MB", "1.2 GB"."""
    if count < 1000:
        return f"{count} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if count < 999.95 * factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e9:,.1f} GB"
