"""Telling how far a long transfer is."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TextIO, TypeAlias

Progress: TypeAlias = Callable[[int, int, str], object]
"""Called with the bytes done, the bytes in all, and the path of what is being moved."""


class Meter:
    """Counts what was moved, and tells it.

    Args:
        progress: whom to tell; None tells nobody.
        total: bytes of content in all, without holes.

    Attributes:
        done: bytes moved so far.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._path = ""
        self.done = 0

    def begin(self, path: str) -> None:
        """Say that `path` is next."""
        self._path = path
        self.add(0)

    def add(self, count: int) -> None:
        """Say that `count` bytes more are done."""
        self.done += count
        if self._progress is not None:
            self._progress(self.done, self._total, self._path)


class ProgressBar:
    """One line of a terminal that shows how far a transfer is.

    Args:
        stream: the terminal.
        title: what is being done.
    """

    WIDTH = 30
    _SECONDS_BETWEEN = 0.05

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream = stream
        self._title = title
        self._shown = 0.0

    def __call__(self, done: int, total: int, path: str) -> None:
        """Show it, unless it was shown a moment ago."""
        now = monotonic()
        if self._shown and now - self._shown < self._SECONDS_BETWEEN and done < total:
            return
        self._shown = now
        filled = self.WIDTH * min(done, total) // max(total, 1)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        self._write(f"{self._title} [{bar}] {format_size(done)} of {format_size(total)}")

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            self._write("")
            self._shown = 0.0

    def _write(self, text: str) -> None:
        # Carriage return, then "erase to the end of the line".
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()


def format_size(count: int) -> str:
    """Return a number of bytes for people: "512 bytes", "9.8 MB", "1.2 GB"."""
    if count < 1000:
        return f"{count} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if count < 999.95 * factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e9:,.1f} GB"
