"""Draw tables of figures: bars from the base to each peer, or a line of marks for each row.

Both have a logarithmic axis: twice as fast is as far to the left as twice as slow is to the right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks._svg import Canvas, width_of

WIDTH = 860.0
_MARGIN = 20.0
_HEADING, _PITCH, _BAR, _GAP = 18.0, 15.0, 11.0, 9.0
_LINE = 23.0
_NUMBER = 66.0
# Beyond it a mark stands at the edge: a few extremes would press all the others together.
_FASTEST, _SLOWEST = 1 / 100, 1000.0

_TIMES = ((1e9, "ns"), (1e6, "µs"), (1e3, "ms"))

# Shape and colour of the marks, by the names of the peers.
_MARKS = {
    "dmemfs": ("circle", "ours"),
    "dmemfs memory": ("ring", "ours"),
    "dmemfs WAL": ("frame", "ours"),
    "D-MemFS": ("square", "orange"),
    "fsspec": ("diamond", "green"),
    "PyFilesystem2": ("up", "purple"),
    "pyfakefs": ("down", "pink"),
    "floor": ("bar", "muted"),
    "tmpfs": ("cross", "text"),
    "tmpfs WAL": ("frame", "text"),
    "naive": ("square", "orange"),
    "apsw VFS": ("up", "purple"),
    "apsw tmpfs": ("cross", "brown"),
    ":memory:": ("diamond", "green"),
    "shared": ("plus", "pink"),
    "memdb": ("down", "orange"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """What one peer needed: the figure that counts, and the median of the rounds."""

    best: float
    median: float


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its title, the unit ("seconds", "bytes", "copies") and who needed what."""

    title: str
    unit: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Chart:
    """What a picture shows.

    Args:
        title: what is measured.
        base: the peer that the others are divided by; None to show the figures themselves.
        peers: in the order in which they are drawn.
        lines: rows of the table.
        notes: small print.
    """

    title: str
    base: str | None
    peers: Sequence[str]
    lines: Sequence[Line]
    notes: Sequence[str]

    def shown(self, line: Line) -> Iterator[tuple[str, Value, float, float]]:
        """Yield name, value, and where its best and its median are on the axis."""
        by = 1.0 if self.base is None else line.values[self.base].best
        for name in self.peers:
            value = line.values.get(name)
            # Memory that could not be told from none has no place on a logarithmic axis.
            if value is not None and name != self.base and value.best > 0 < value.median:
                yield name, value, value.best / by, value.median / by

    def extent(self) -> tuple[float, float]:
        """Return the lowest and the highest place on the axis, which are never the same."""
        places = [at for line in self.lines for _, _, *both in self.shown(line) for at in both]
        if self.base is not None:
            places.append(1.0)
        return min(places), max(*places, 2 * min(places))


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from `low` at the pixel `left` to `high` at `right`."""

    low: float
    high: float
    left: float
    right: float

    def at(self, value: float) -> float:
        """Return the pixel of a value, the nearest end for one beyond."""
        value = min(max(value, self.low), self.high)
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.left + part * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Return the powers of ten, and for a short axis 2 and 5 of each as well."""
        decades = math.log10(self.high / self.low)
        steps = (1,) if decades > 2.2 else (1, 3) if decades > 1.2 else (1, 2, 5)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]


def amount(value: float, unit: str) -> str:
    """Return a figure as people read it: seconds in the unit that fits."""
    if unit != "seconds":
        return f"{value:,.0f} B" if unit == "bytes" else f"{value:.2f}"
    scale, name = next((it for it in _TIMES if value * it[0] < 999.5), (1.0, "s"))
    scaled = value * scale
    digits = 0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2
    return f"{scaled:.{digits}f} {name}"


def ratio(value: float) -> str:
    """Return a place on the axis as a factor, below one as a fraction."""
    return f"{value:.0f}" if value >= 0.999 else f"1/{1 / value:.0f}"


# Bars


def draw_bars(chart: Chart) -> str:
    """Draw a group of bars for each row: to the left faster than the base, to the right slower."""
    canvas = Canvas(WIDTH, chart.title, _described(chart))
    names = [name for name in chart.peers if name != chart.base]
    left = _MARGIN + max(width_of(name) for name in names) + 10
    low, high = chart.extent()
    faster = _NUMBER if chart.base is not None and low < 1 else 0.0
    if chart.base is None:
        low = 10.0 ** math.floor(math.log10(low))
    axis = Axis(low, high, left + faster, WIDTH - _MARGIN - _NUMBER)
    top = _head(canvas, chart, axis, "Bars")
    heights = [_HEADING + _PITCH * len(list(chart.shown(line))) + _GAP for line in chart.lines]
    bottom = top + 8 + sum(heights) - _GAP / 2
    _grid(canvas, chart, axis, top, bottom)
    y = top + 8
    for line in chart.lines:
        canvas.text(_MARGIN, y + 12, line.title, "text row")
        if chart.base is not None:
            base = f"{chart.base} {amount(line.values[chart.base].best, line.unit)}"
            canvas.text(WIDTH - _MARGIN, y + 12, base, "muted small end")
        y += _HEADING
        for name, value, best, median in chart.shown(line):
            _bar(canvas, axis, y, name, (best, median), amount(value.best, line.unit), chart.base)
            y += _PITCH
        y += _GAP
    return _foot(canvas, chart, bottom + 6)


def _bar(
    canvas: Canvas,
    axis: Axis,
    y: float,
    name: str,
    places: tuple[float, float],
    label: str,
    base: str | None,
) -> None:
    best, median = (axis.at(place) for place in places)
    start = axis.left if base is None else axis.at(1.0)
    style = "ours" if name == "dmemfs" else "ours also" if name.startswith("dmemfs ") else "peer"
    bold = " row" if style == "ours" else ""
    canvas.text(_MARGIN, y + 9.5, name, f"text{bold}")
    # A bar of no length still has to be seen.
    canvas.bar(min(start, best) - 0.75, y, max(abs(best - start), 0.0) + 1.5, _BAR, style)
    canvas.line(median, y - 1, median, y + _BAR + 1, "text-line")
    if best < start:
        canvas.text(best - 6, y + 9.5, label, f"text end{bold}")
    else:
        canvas.text(max(best, median) + 6, y + 9.5, label, f"text{bold}")


# Marks


def draw_marks(chart: Chart) -> str:
    """Draw one line for each row, with a mark for each peer: those to the left are faster."""
    if chart.base is None:
        raise ValueError("marks show ratios: name a base")
    canvas = Canvas(WIDTH, chart.title, _described(chart))
    left = _MARGIN + max(width_of(line.title) for line in chart.lines) + 16
    low, high = chart.extent()
    numbers = WIDTH - _MARGIN - 2 * _NUMBER
    axis = Axis(max(low, _FASTEST), min(high, _SLOWEST), left, numbers - 16)
    top = _head(canvas, chart, axis, "Marks", _legend(canvas, chart))
    canvas.text(numbers + _NUMBER, top - 6, chart.base, "muted small end")
    canvas.text(numbers + 2 * _NUMBER, top - 6, "dmemfs", "ours small end")
    bottom = top + 8 + _LINE * len(chart.lines)
    _grid(canvas, chart, axis, top, bottom)
    for index, line in enumerate(chart.lines):
        y = top + 8 + _LINE * (index + 0.5)
        canvas.text(_MARGIN, y + 4, line.title)
        shown = list(chart.shown(line))
        for name, _, best, _ in reversed(shown):
            shape, colour = _MARKS.get(name, ("circle", "muted"))
            if name == "dmemfs":
                ends = sorted((axis.at(1.0), axis.at(best)))
                canvas.bar(ends[0], y - 1, ends[1] - ends[0], 2, colour)
            canvas.mark(axis.at(best), y, shape, colour)
        for place, name in enumerate((chart.base, "dmemfs"), start=1):
            if name in line.values:
                text = amount(line.values[name].best, line.unit)
                style = "text end" if name == chart.base else "text row end"
                canvas.text(numbers + place * _NUMBER, y + 4, text, style)
    return _foot(canvas, chart, bottom + 4)


def _legend(canvas: Canvas, chart: Chart) -> float:
    """Name the marks below the title; return where the legend ends."""
    x, y = _MARGIN + 5, 76.0
    seen = {name for line in chart.lines for name in line.values}
    for name in chart.peers:
        if name == chart.base or name not in seen:
            continue
        step = 12 + width_of(name) + 20
        if x + step > WIDTH - _MARGIN:
            x, y = _MARGIN + 5, y + 18
        shape, colour = _MARKS.get(name, ("circle", "muted"))
        canvas.mark(x, y - 4, shape, colour)
        canvas.text(x + 12, y, name, "text row" if name == "dmemfs" else "text")
        x += step
    return y


# What both have


def _head(canvas: Canvas, chart: Chart, axis: Axis, things: str, below: float = 52.0) -> float:
    """Write the title and which side is better; return where the rows begin.

    Args:
        things: what the reader sees to the left and to the right.
        below: what the axis has to stay below.
    """
    canvas.text(_MARGIN, 32, chart.title, "text title")
    better = (
        "The shorter, the faster; the axis is logarithmic."
        if chart.base is None
        else f"Divided by {chart.base}, on a logarithmic axis. {things} to the left are better."
    )
    canvas.text(_MARGIN, 52, better, "muted")
    y = below + 24
    if chart.base is not None:
        one = axis.at(1.0)
        canvas.text(one - 8, y, "◀ better", "muted small end")
        canvas.text(one + 8, y, "worse ▶", "muted small")
    return y + (22 if chart.base is not None else 8)


def _grid(canvas: Canvas, chart: Chart, axis: Axis, top: float, bottom: float) -> None:
    for tick in axis.ticks():
        x = axis.at(tick)
        is_base = chart.base is not None and abs(tick - 1) < 1e-9
        canvas.line(x, top, x, bottom, "text-line base" if is_base else "grid")
        if chart.base is None:
            label = amount(tick, "seconds").replace(".00", "").replace(".0", "")
        else:
            label = f"{chart.base} = 1" if is_base else ratio(tick)
        canvas.text(x, top - 6, label, "text small middle" if is_base else "muted small middle")


def _foot(canvas: Canvas, chart: Chart, y: float) -> str:
    for note in chart.notes:
        y += 14
        canvas.text(_MARGIN, y, note, "muted small")
    return canvas.render(y + 14)


def _described(chart: Chart) -> str:
    """Return the figures as text, for those who cannot see the picture."""
    texts = []
    for line in chart.lines:
        values = [
            f"{name} {amount(line.values[name].best, line.unit)}"
            for name in dict.fromkeys([chart.base or "", *chart.peers])
            if name in line.values
        ]
        texts.append(f"{line.title}: {', '.join(values)}.")
    return " ".join(texts)
