"""Write pictures as SVG that can be read on light and on dark pages.

A picture is a card with a background of its own, dark where the reader's browser asks for dark. All
of it is text and a few shapes: no script, no font, nothing that is loaded from elsewhere.
"""

from __future__ import annotations

from html import escape

# Class -> what it draws with on light cards, and on dark ones.
_COLOURS = {
    "paper": ("#ffffff", "#0d1117"),
    "frame": ("#d0d7de", "#30363d"),
    "text": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "grid": ("#d8dee4", "#262c36"),
    "ours": ("#0969da", "#58a6ff"),
    "peer": ("#8c959f", "#6e7681"),
    "orange": ("#bc4c00", "#f0883e"),
    "green": ("#1a7f37", "#3fb950"),
    "purple": ("#8250df", "#bc8cff"),
    "pink": ("#bf3989", "#f778ba"),
    "brown": ("#7d4e00", "#d29922"),
}
_STROKED = ("frame", "grid")
_RULES = """\
text { font-family: system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif;
 font-size: 12px; font-variant-numeric: tabular-nums }
.title { font-size: 17px; font-weight: 600 }
.row { font-weight: 600 }
.small { font-size: 10.5px }
.also { opacity: 0.55 }
.base { stroke-width: 1.5 }
.middle { text-anchor: middle }
.end { text-anchor: end }"""


def _colour_rules(theme: int) -> str:
    rules = []
    for name, colours in _COLOURS.items():
        colour = colours[theme]
        if name in _STROKED:
            rules.append(f".{name} {{ stroke: {colour} }}")
        else:
            rules.append(f".{name} {{ fill: {colour} }} .{name}-line {{ stroke: {colour} }}")
    return "\n".join(rules)


STYLE = (
    f"{_RULES}\n{_colour_rules(0)}\n@media (prefers-color-scheme: dark) {{\n{_colour_rules(1)}\n}}"
)


class Canvas:
    """A card that shapes and text are put on, in pixels from its upper left corner.

    Args:
        width: of the card.
        title: what a reader who cannot see it is told.
        description: the same, at more length.
    """

    def __init__(self, width: float, title: str, description: str) -> None:
        self.width = width
        self._title = title
        self._description = description
        self._parts: list[str] = []

    def text(self, x: float, y: float, content: str, style: str = "text") -> None:
        """Write a line of text; `style` names classes."""
        self._parts.append(
            f'<text x="{_short(x)}" y="{_short(y)}" class="{style}">{escape(content)}</text>'
        )

    def bar(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Draw a filled rectangle."""
        self._parts.append(
            f'<rect x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" '
            f'height="{_short(height)}" rx="1.5" class="{style}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a straight line."""
        self._parts.append(
            f'<line x1="{_short(x1)}" y1="{_short(y1)}" x2="{_short(x2)}" y2="{_short(y2)}" '
            f'class="{style}"/>'
        )

    def mark(self, x: float, y: float, shape: str, style: str) -> None:
        """Draw a small shape around a point; SHAPES has their names."""
        if shape == "circle":
            self._parts.append(
                f'<circle cx="{_short(x)}" cy="{_short(y)}" r="5" class="{style} paper-line"/>'
            )
            return
        self._parts.append(
            f'<path transform="translate({_short(x)} {_short(y)})" d="{SHAPES[shape]}" '
            f'class="{style} paper-line"/>'
        )

    def render(self, height: float) -> str:
        """Return the picture as the text of a file."""
        width, bottom = _short(self.width), _short(height)
        size = f'width="{width}" height="{bottom}" viewBox="0 0 {width} {bottom}"'
        card = f'width="{_short(self.width - 1)}" height="{_short(height - 1)}" rx="6"'
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(self._title)}</title>",
            f"<desc>{escape(self._description)}</desc>",
            f"<style>\n{STYLE}\n</style>",
            f'<rect x="0.5" y="0.5" {card} class="paper frame"/>',
        ]
        return "\n".join([*head, *self._parts, "</svg>"]) + "\n"


#: Shapes that are told apart without their colours, each about 9 pixels wide.
SHAPES = {
    "circle": "",
    "square": "M-4 -4H4V4H-4Z",
    "diamond": "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
    "up": "M0 -5L5 4H-5Z",
    "down": "M0 5L5 -4H-5Z",
    "cross": "M-4.5 -3L-3 -4.5L0 -1.5L3 -4.5L4.5 -3L1.5 0L4.5 3L3 4.5L0 1.5L-3 4.5L-4.5 3L-1.5 0Z",
    "plus": "M-1.2 -5H1.2V-1.2H5V1.2H1.2V5H-1.2V1.2H-5V-1.2H-1.2Z",
    "ring": "M0 -5A5 5 0 1 1 0 5A5 5 0 1 1 0 -5ZM0 -3A3 3 0 1 0 0 3A3 3 0 1 0 0 -3Z",
    "frame": "M-4.5 -4.5H4.5V4.5H-4.5ZM-2.7 -2.7V2.7H2.7V-2.7Z",
    "bar": "M-1.3 -5.5H1.3V5.5H-1.3Z",
}


def width_of(content: str, size: float = 12.0) -> float:
    """Return about how wide a text is, in pixels, for a font of that size."""
    return 0.6 * size * len(content)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
