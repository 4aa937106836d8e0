"""Places in files from which to read or write on."""

from __future__ import annotations

from typing import Any, Protocol

from .._nodes.nodes import File


class Cursor(Protocol):
    """A place in a file from which to read or write on.

    Attributes:
        _node: the file.
        _position: bytes from the start.
        name: the path, for the message of an error.
    """

    _node: File
    _position: int
    name: Any


class FixedCursor:
    """A cursor of its own, for whoever is no file object."""

    __slots__ = ("_node", "_position", "name")

    def __init__(self, node: File, position: int, name: Any) -> None:
        self._node = node
        self._position = position
        self.name = name
