"""Which pictures there are, and what of the results each of them shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks._chart import Chart, Line, Value, draw_bars, draw_marks

# Names that are too long for the columns of a table.
_NAMES = {"PyFS": "PyFilesystem2"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of a part of the results of one benchmark.

    Args:
        name: of the file.
        benchmark: whose results it shows.
        title: what is measured.
        draw: how it is drawn.
        base: the peer that the others are divided by; None to show times.
        rows: names of the rows, in their order; empty for all that can be shown.
        peers: in their order; empty for all.
        note: what else the small print has to say.
    """

    name: str
    benchmark: str
    title: str
    draw: Callable[[Chart], str]
    base: str | None = "tmpfs"
    rows: Sequence[str] = ()
    peers: Sequence[str] = ()
    note: str = ""

    def chart(self, results: Mapping[str, Any]) -> Chart:
        """Return what the picture shows of these results."""
        lines = {row["name"]: _line(row) for row in results["rows"]}
        chosen = [lines[name] for name in self.rows or lines if name in lines]
        peers = [name for name in self.peers or results["peers"] if name in results["peers"]]
        return Chart(
            title=self.title,
            base=self.base,
            peers=[_NAMES.get(name, name) for name in peers],
            lines=[line for line in chosen if self._can_show(line)],
            notes=self._notes(results, peers),
        )

    def _can_show(self, line: Line) -> bool:
        if self.base is None:
            return line.unit == "seconds"
        # One that nobody else did shows nothing, and one that took nothing divides nothing.
        base = line.values.get(self.base)
        return base is not None and base.best > 0 and len(line.values) > 1

    def _notes(self, results: Mapping[str, Any], peers: Sequence[str]) -> list[str]:
        machine = results["machine"]
        names: dict[str, list[str]] = {}
        for name in peers:
            names.setdefault(results["peers"][name], []).append(_NAMES.get(name, name))
        versions = [f"{', '.join(names[version])} ({version})" for version in names if version]
        way = "A bar ends at the quickest round, the peers taking turns; the tick is the median."
        if self.draw is draw_marks:
            way = (
                "A mark is the quickest round, the peers taking turns, and of memory the median; "
                "at the edge: beyond it."
            )
        software = f"{machine['python']}, SQLite {machine['sqlite']}, {machine['kernel']}"
        hardware = f"{machine['cpu']}, {machine['cores']} cores"
        return [
            *([self.note] if self.note else []),
            *_wrapped("; ".join(versions)),
            way,
            f"{software}, {hardware}, {machine['date'][:10]}. All figures: benchmarks/results",
        ]


def _line(row: Mapping[str, Any]) -> Line:
    values = {
        _NAMES.get(name, name): Value(figure["best"], figure["median"])
        for name, figure in row["figures"].items()
    }
    return Line(row["title"], row["unit"], values)


def _wrapped(text: str, width: int = 135) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


FIGURES = (
    Figure(
        "small-files",
        "filesystem",
        "Small files: time for each operation beside the kernel's tmpfs",
        draw_bars,
        rows=("create", "read", "text-create", "stat", "listdir", "random-read"),
        peers=("tmpfs", "dmemfs", "D-MemFS", "fsspec", "PyFS", "pyfakefs"),
        note="fsspec is quicker at many small calls on one open file: all its handles share "
        "one buffer and one position.",
    ),
    Figure(
        "mount",
        "mount",
        "Mounted: what open() and os cost a program, beside a bare tmpfs",
        draw_bars,
        note='"Real path" is a directory on tmpfs while something is mounted elsewhere.',
    ),
    Figure(
        "databases",
        "live",
        "SQLite: time for each operation beside a file on tmpfs",
        draw_bars,
        rows=("copy", "connect", "read-warm", "commit", "scan", "insert"),
        peers=("tmpfs", "dmemfs", "apsw VFS", ":memory:"),
        note="A private copy is opened, 10 rows of it updated, 100 read, and dropped: by a "
        "template, a copy of bytes or of a file, deserialize().",
    ),
    Figure("filesystem", "filesystem", "The file system beside tmpfs and its peers", draw_marks),
    Figure(
        "live",
        "live",
        "SQLite databases in RAM beside a file on tmpfs",
        draw_marks,
        note="Beside a busy thread, which keeps the interpreter, it is the median that counts.",
    ),
    Figure(
        "snapshots",
        "snapshots",
        "Keeping an old state: snapshots and clones, and copies instead of them",
        draw_bars,
        base=None,
        peers=("dmemfs", "tmpfs", "copytree", "D-MemFS", "deepcopy"),
        note="Without snapshots an old state has to be copied. tmpfs: by cp -a; copytree: by "
        "shutil; deepcopy: dictionaries.",
    ),
    Figure(
        "sqlite",
        "sqlite",
        "Saving and loading a database, beside serialize() and deserialize()",
        draw_marks,
        base="naive",
        note="naive: serialize() and deserialize(); tmpfs: backup() to a file there and from it. "
        "Copies: of the database, in memory at once.",
    ),
)
