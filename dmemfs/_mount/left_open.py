"""What was left open in a mount at its end, and where it was opened."""

from __future__ import annotations

from types import CodeType

from .descriptors import DescriptorTable
from .table import Mounted


def left_open(mounted: Mounted, descriptors: DescriptorTable) -> list[tuple[str, CodeType, int]]:
    """Return what is open in a mount, with what opened it; its descriptors are closed."""
    left = []
    for file in mounted.open_files():
        _, _, code, instruction = file._origin
        left.append((f"unclosed file {file!r} in a mount", code, instruction))
    for number, lent in descriptors.lent.of_mount(mounted):
        if not lent.is_owned:
            code, instruction = lent.opened_by
            left.append(
                (f"unclosed descriptor {number} of {lent.name!r} in a mount", code, instruction)
            )
    for number, description in descriptors.take_away(mounted):
        cursor = description.cursor
        if cursor is None or not hasattr(cursor, "_origin"):
            code, instruction = description.opened_by
            name = mounted.point if cursor is None else cursor.name
            left.append((f"unclosed descriptor {number} of {name!r} in a mount", code, instruction))
    return left


def line_of(code: CodeType, instruction: int) -> int:
    """Return the line of an instruction."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return line
