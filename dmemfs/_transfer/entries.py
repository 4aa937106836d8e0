"""What is moved in or out of a file system: entries, one after the other.

Every way in and out speaks of a tree as a sequence of entries: a directory before what is in it,
the first name of a file before its further ones. A source makes them, a target takes them, and
neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from .._nodes.content import BlockList
from .._nodes.nodes import Owner

CHUNK_SIZE = 1 << 20
"""The most bytes of content that are moved, and held, at a time."""

Kind: TypeAlias = Literal["directory", "file", "symlink", "link"]
"""What an entry is; "link" is a further name of a file or symbolic link that came before."""

Segment: TypeAlias = tuple[int, int]
"""Position and length, in bytes, of data in a file; what lies between two of them is a hole."""

Pieces: TypeAlias = Iterator[tuple[int, bytes]]
"""The data of a file, in order: where each piece lies, and up to `CHUNK_SIZE` bytes."""


class Metadata(NamedTuple):
    """The attributes of a node.

    Attributes:
        mode: permission bits.
        owner: user and group id.
        atime, mtime, ctime: nanoseconds since the epoch.
    """

    mode: int
    owner: Owner
    atime: int
    mtime: int
    ctime: int


def no_pieces() -> Pieces:
    """Return the data of a file that has none."""
    return iter(())


class Entry(NamedTuple):
    """One name in a tree.

    Attributes:
        path: names joined by slashes, from the top of the tree; empty for the top itself.
        kind: what it is.
        metadata: its attributes; None where the source knows none, and for a "link".
        target: what a symbolic link says; for a "link", the path of the first name.
        size: the length of a file in bytes.
        segments: where the data of a file lies, in order.
        pieces: gives the data. A source that is a stream gives it only while this entry is the
            last that was asked for, and once.
        content: the content of a file where it is in memory already, instead of `pieces`.
        quota: the limits of bytes and nodes that a directory has of its own; None for no limits.
    """

    path: str
    kind: Kind
    metadata: Metadata | None = None
    target: str = ""
    size: int = 0
    segments: Sequence[Segment] = ()
    pieces: Callable[[], Pieces] = no_pieces
    content: bytes | BlockList | None = None
    quota: tuple[int | None, int | None] | None = None

    @property
    def stored(self) -> int:
        """The bytes of its data, without holes."""
        return sum(count for _, count in self.segments)

    def read(self) -> Pieces:
        """Yield the data of the file."""
        return self.pieces() if self.content is None else _pieces_of(self.content, self.segments)


def segments_of(content: bytes | BlockList) -> list[Segment]:
    """Return where the data of `content` lies."""
    if isinstance(content, BlockList):
        return content.segments()
    return [(0, len(content))] if content else []


def _pieces_of(content: bytes | BlockList, segments: Sequence[Segment]) -> Pieces:
    for start, length in segments:
        for position in range(start, start + length, CHUNK_SIZE):
            count = min(CHUNK_SIZE, start + length - position)
            if isinstance(content, BlockList):
                yield position, content.read(position, count)
            else:
                yield position, content[position : position + count]


def check_segments(segments: Sequence[Segment], size: int) -> bool:
    """Tell whether segments lie in order, apart from each other, within `size` bytes."""
    end = 0
    for position, count in segments:
        if position < end or count < 0:
            return False
        end = position + count
    return end <= size
