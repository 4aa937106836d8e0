"""How the command line prints steps, times, sizes, tables and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO


class StepReport:
    """Numbered steps with their results and times, each printed when it has ended."""

    def __init__(self, write: Callable[[str], object], bar: ProgressBar | None = None) -> None:
        self._write = write
        self._number = 0
        self.bar = bar

    def line(self, text: str = "") -> None:
        self._write(text + "\n")

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Time a step; what is appended to the list is printed, one line each."""
        self._number += 1
        results: list[str] = []
        start = time.perf_counter()
        yield results
        elapsed = (time.perf_counter() - start) * 1000
        if self.bar is not None:
            self.bar.clear()
        self.line(f"{self._number:>2}  {title:<8} {elapsed:>9,.1f} ms   {results[0]}")
        for further in results[1:]:
            self.line(f"{'':<28}{further}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print columns: the first and last to the left, those between to the right."""
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in (heads, *rows):
            cells = [
                cell.rjust(width) if 0 < number < len(row) - 1 else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.line("    " + "   ".join(cells).rstrip())


class ProgressBar:
    """One line of a terminal that shows how far a copy is."""

    WIDTH = 40

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        filled = self.WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        self._show(f"    [{bar}] {format_size(done)} of {format_size(total)}")

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            self._show("")
            self._shown = False

    def _show(self, text: str) -> None:
        # Carriage return and "erase to the end of the line".
        self._stream.write(f"\r{text}\x1b[K" if text else "\r\x1b[K")
        self._stream.flush()
        self._shown = True


def format_size(count: int) -> str:
    """Return a number of bytes for people: "512 bytes", "9.8 MB", "1.2 GB"."""
    if count < 1000:
        return f"{count} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if count < 999.95 * factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e9:,.1f} GB"
