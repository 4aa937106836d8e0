"""The text of a path: its parts, its names, what it is relative to. Nothing here asks for files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from .. import _paths
from .matching import full_match, match_from_the_right

if TYPE_CHECKING:
    import dmemfs  # for the type alone: at run time a path knows the methods of what it is given

Segment: TypeAlias = "str | os.PathLike[str] | LexicalPath"
"""What paths are joined of."""


class LexicalPath:
    """What `pathlib.PurePosixPath` of Python 3.14 does, bound to a file system.

    It is no `os.PathLike`: what would open it by its text would open a file of the disk.
    """

    __slots__ = ("__weakref__", "_fs", "_text")

    parser: ClassVar[Any] = posixpath

    def __init__(self, fs: dmemfs.MemoryFileSystem, *segments: Segment) -> None:
        if isinstance(fs, str):
            raise TypeError(f"fs must be a MemoryFileSystem: fs.path({fs!r}) is a path of one")
        text: Any = segments[0] if len(segments) == 1 else None
        if text.__class__ is not str:
            text = posixpath.join("", *(_text_of(segment, fs) for segment in segments))
        if "//" in text or "/." in text or text[:1] in (".", "") or text[-1] == "/":
            text = _normalised(text)
        self._fs: Any = fs
        self._text: str = text

    @property
    def fs(self) -> dmemfs.MemoryFileSystem:
        """The file system that it belongs to."""
        fs: dmemfs.MemoryFileSystem = self._fs
        return fs

    def with_segments(self, *segments: Segment) -> Self:
        """Return a path of the same file system, joined of these."""
        return type(self)(self._fs, *segments)

    # --- as text ----------------------------------------------------------------------------------

    def __str__(self) -> str:
        return self._text

    def __vfspath__(self) -> str:
        return self._text

    def __bytes__(self) -> bytes:
        return _paths.encode(self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def as_posix(self) -> str:
        """Return its text, in which slashes separate the names."""
        return self._text

    def as_uri(self) -> str:
        """Return its text as a URI of the scheme `file`.

        Raises:
            ValueError: it is relative.
        """
        if not self.is_absolute():
            raise ValueError("relative paths can't be expressed as file URIs")
        from urllib.parse import quote_from_bytes

        return "file://" + quote_from_bytes(bytes(self))

    # --- compared ---------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LexicalPath):
            return NotImplemented
        return self._text == other._text and self._fs is other._fs

    def __hash__(self) -> int:
        return hash((id(self._fs), self._text))

    def _order(self, other: object) -> list[str] | None:
        """Return what another path is sorted by; None where it is of another file system."""
        if not isinstance(other, LexicalPath) or other._fs is not self._fs:
            return None
        return other._text.split("/")

    def __lt__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else self._text.split("/") < order

    def __le__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else self._text.split("/") <= order

    def __gt__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else self._text.split("/") > order

    def __ge__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else self._text.split("/") >= order

    # --- joined -----------------------------------------------------------------------------------

    def joinpath(self, *segments: Segment) -> Self:
        """Return this path with others below it; an absolute one begins anew."""
        return self.with_segments(self._text, *segments)

    def __truediv__(self, key: Segment) -> Self:
        try:
            return self.with_segments(self._text, key)
        except TypeError:
            return NotImplemented

    def __rtruediv__(self, key: str) -> Self:
        # A path of the disk before this one would lead to memory, where the disk was meant.
        if not isinstance(key, str):
            return NotImplemented
        return self.with_segments(key, self._text)

    # --- its parts --------------------------------------------------------------------------------

    @property
    def drive(self) -> str:
        """The drive, which only a path of Windows has; so it is empty."""
        return ""

    @property
    def root(self) -> str:
        """The slash that an absolute path begins with, or nothing."""
        text = self._text
        return "" if text[0] != "/" else "//" if text[:2] == "//" else "/"

    @property
    def anchor(self) -> str:
        """The same as `root`."""
        return self.root

    @property
    def _names(self) -> list[str]:
        below = self._text[len(self.root) :]
        return below.split("/") if below and below != "." else []

    @property
    def parts(self) -> tuple[str, ...]:
        """The root, if there is one, and the names."""
        root = self.root
        return (root, *self._names) if root else tuple(self._names)

    @property
    def name(self) -> str:
        """The last name; empty where there is none."""
        names = self._names
        return names[-1] if names else ""

    @property
    def suffix(self) -> str:
        """The last suffix of the name, with its dot, or nothing."""
        name = self.name.lstrip(".")
        _, dot, suffix = name.rpartition(".")
        return dot + suffix if len(name) > len(suffix) else ""

    @property
    def suffixes(self) -> list[str]:
        """All suffixes of the name, with their dots."""
        return ["." + suffix for suffix in self.name.lstrip(".").split(".")[1:]]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        name = self.name
        stem, dot, _ = name.rpartition(".")
        return stem if dot and stem.strip(".") else name

    @property
    def parent(self) -> Self:
        """The path above; of the root, and of the empty path, itself."""
        names = self._names
        return self._of_names(self.root, names[:-1]) if names else self

    @property
    def parents(self) -> Sequence[Self]:
        """The paths above, the nearest first."""
        return Parents(self)

    def _of_names(self, root: str, names: Sequence[str]) -> Self:
        return self.with_segments(root + "/".join(names))

    # --- changed ----------------------------------------------------------------------------------

    def with_name(self, name: str) -> Self:
        """Return the path with another last name.

        Raises:
            ValueError: it has none, or this is none.
        """
        if not name or "/" in name or name == ".":
            raise ValueError(f"Invalid name {name!r}")
        names = self._names
        if not names:
            raise ValueError(f"{self!r} has an empty name")
        return self._of_names(self.root, [*names[:-1], name])

    def with_stem(self, stem: str) -> Self:
        """Return the path with another stem, and the same suffix.

        Raises:
            ValueError: there would be nothing but the suffix, or no name.
        """
        suffix = self.suffix
        if suffix and not stem:
            raise ValueError(f"{self!r} has a non-empty suffix")
        return self.with_name(stem + suffix)

    def with_suffix(self, suffix: str) -> Self:
        """Return the path with another suffix, which an empty one takes away.

        Raises:
            ValueError: there is no name, or the suffix does not begin with a dot.
        """
        stem = self.stem
        if not stem:
            raise ValueError(f"{self!r} has an empty name")
        if suffix and not suffix.startswith("."):
            raise ValueError(f"Invalid suffix {suffix!r}")
        return self.with_name(stem + suffix)

    # --- relative to others -----------------------------------------------------------------------

    def is_absolute(self) -> bool:
        """Tell whether it begins with a slash."""
        return self._text[0] == "/"

    def is_reserved(self) -> bool:
        """Tell whether the system keeps the name for itself, which only Windows does."""
        return False

    def relative_to(self, other: Segment, *, walk_up: bool = False) -> Self:
        """Return what leads from another path to this one.

        Args:
            other: a path above this one.
            walk_up: let it be any path; the result may begin with `..`.

        Raises:
            ValueError: there is no such path.
        """
        start = self._of(other)
        ways = (self, *self.parents)
        steps: list[str] = []
        for above in (start, *start.parents):
            if any(above == way for way in ways):
                return self.with_segments("/".join([*steps, *self._names[len(above._names) :]]))
            if not walk_up:
                raise ValueError(f"{str(self)!r} is not in the subpath of {str(start)!r}")
            if above.name == "..":
                raise ValueError(f"'..' segment in {str(start)!r} cannot be walked")
            steps.append("..")
        raise ValueError(f"{str(self)!r} and {str(start)!r} have different anchors")

    def is_relative_to(self, other: Segment) -> bool:
        """Tell whether another path is this one, or above it."""
        start = self._of(other)
        return start == self or start in self.parents

    def _of(self, other: Segment) -> LexicalPath:
        return other if isinstance(other, LexicalPath) else self.with_segments(other)

    # --- matched ----------------------------------------------------------------------------------

    def full_match(self, pattern: Segment, *, case_sensitive: bool | None = None) -> bool:
        """Tell whether the whole path matches a pattern.

        Args:
            pattern: `*`, `?` and `[...]` match within a name, `**` any number of them.
            case_sensitive: false lets `A` stand for `a`.
        """
        text, wanted = ("" if one._text == "." else one._text for one in (self, self._of(pattern)))
        return full_match(text, wanted, case_sensitive)

    def match(self, path_pattern: Segment, *, case_sensitive: bool | None = None) -> bool:
        """Tell whether the last names match a relative pattern, or all an absolute one.

        Args:
            path_pattern: as of `full_match`; but `**` is the same as `*`.
            case_sensitive: false lets `A` stand for `a`.

        Raises:
            ValueError: the pattern is empty.
        """
        pattern = self._of(path_pattern)
        if not pattern.parts:
            raise ValueError("empty pattern")
        if pattern.root and (pattern.root != self.root or len(pattern.parts) != len(self.parts)):
            return False
        return match_from_the_right(self._names, pattern._names, case_sensitive)


class Parents(Sequence[Any]):
    """The paths above a path, made when they are asked for."""

    __slots__ = ("_path",)

    def __init__(self, path: LexicalPath) -> None:
        self._path = path

    def __len__(self) -> int:
        return len(self._path._names)

    def __getitem__(self, index: Any) -> Any:
        count = len(self)
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(count)))
        if not -count <= index < count:
            raise IndexError(index)
        path = self._path
        return path._of_names(path.root, path._names[: count - 1 - index % count])

    def __repr__(self) -> str:
        return f"<{type(self._path).__name__}.parents>"


def _text_of(segment: Any, fs: object) -> str:
    """Return the text of something to join, or raise as `pathlib` does."""
    if isinstance(segment, LexicalPath):
        if segment._fs is not fs and segment.is_absolute():
            raise ValueError(
                f"{segment!r} belongs to another file system: copy it, or give its text"
            )
        return segment._text
    try:
        text = _paths.fspath(segment)
    except TypeError:
        text = segment
    if not isinstance(text, str):
        raise TypeError(
            "argument should be a str or an os.PathLike object where __fspath__ returns a str, "
            f"not {type(text).__name__!r}"
        )
    return str(text)


def _normalised(text: str) -> str:
    # Two slashes may mean something of their own, says POSIX; three are as one.
    root = "" if text[:1] != "/" else "//" if text[:2] == "//" and text[2:3] != "/" else "/"
    return root + "/".join(_names_in(text)) or "."


def _names_in(text: str) -> Iterator[str]:
    return (name for name in text.split("/") if name and name != ".")
