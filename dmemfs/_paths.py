"""The path grammar.

A path is text, components separated by slashes. `bytes` and `os.PathLike` are taken as `os` takes
them; bytes that are not UTF-8 are carried by surrogate escapes.

- A leading slash is optional: there is no current directory, every path starts at the root.
- Repeated slashes count as one; `.` is the directory itself; `..` is the one above, resolved after
  symbolic links as the kernel does; above the root is the root.
- A trailing slash asks for a directory.
- The empty path names nothing (ENOENT). A NUL character is a ValueError.
- A component has at most `NAME_MAX` bytes and a path at most `PATH_MAX` (ENAMETOOLONG); one
  resolution follows at most `MAX_LINKS` symbolic links (ELOOP).
"""

from __future__ import annotations

import os
from typing import TypeAlias

from . import _platform

StrPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

TextPath: TypeAlias = str | os.PathLike[str]
BytesPath: TypeAlias = bytes | os.PathLike[bytes]

NAME_MAX = 255
PATH_MAX = 4095
MAX_LINKS = 40

_LONGEST_UTF8_CHARACTER = 4
_SURELY_SHORT = NAME_MAX // _LONGEST_UTF8_CHARACTER

SPECIAL_NAMES = frozenset(("", ".", ".."))
"""What may stand where a name does, and is none: the root, the directory itself, the one above."""


def as_text(path: StrPath) -> str:
    """Return `path` as text.

    Two texts that stand for the same bytes become the same text.

    Raises:
        TypeError: it is neither str nor bytes nor os.PathLike.
        ValueError: it contains a NUL character, or separates its components as Windows does.
        UnicodeEncodeError: it contains surrogates that stand for no byte.
    """
    text = path if path.__class__ is str else fspath(path)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    elif not text.isascii():
        text = encode(text).decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise ValueError("embedded null byte")
    return str(text)  # not a subclass, with ideas of its own of what is equal


def fspath(path: StrPath) -> str | bytes:
    """Return what `os.fspath` does.

    Raises:
        TypeError: it is no path, or one that is bound to a file system.
        ValueError: it is a path object of Windows, whose backslashes would all be part of one name.
    """
    try:
        text = os.fspath(path)
    except TypeError as error:
        if not hasattr(path, "__vfspath__"):
            raise
        raise TypeError(f"{error}: use its own methods, or give its text, str(path)") from None
    if text is path or isinstance(text, bytes) or "\\" not in text:
        return text
    as_posix = getattr(path, "as_posix", None)
    if _platform.IS_WINDOWS if as_posix is None else as_posix() != text:
        raise ValueError(
            f"paths here have slashes, and {path!r} has backslashes: "
            "give its as_posix(), or use pathlib.PurePosixPath"
        )
    return text


def as_given(text: str, path: StrPath) -> str | bytes:
    """Return `text` as bytes if `path` is given in bytes, as `os` answers."""
    return encode(text) if isinstance(os.fspath(path), bytes) else text


def encode(text: str) -> bytes:
    """Return the bytes of a path or name."""
    return text.encode("utf-8", "surrogateescape")


def is_plain_name(name: str) -> bool:
    """Tell quickly whether `name` may be a new entry's: short, no NUL, not `.` or `..`.

    False means that `name` needs the long way, not that it is wrong.
    """
    return (
        type(name) is str
        and len(name) <= _SURELY_SHORT
        and name not in SPECIAL_NAMES
        and name.isascii()
        and "\0" not in name
    )


def too_long(text: str, limit: int) -> bool:
    """Tell whether `text` has more than `limit` bytes."""
    return len(text) * _LONGEST_UTF8_CHARACTER > limit and len(encode(text)) > limit


def join(directory: str, name: str) -> str:
    """Return the path of `name` in `directory`, as os.path.join does for a relative name."""
    return directory + name if directory.endswith("/") or not directory else f"{directory}/{name}"


def directory_above(path: str) -> str:
    """Return the path of the directory that holds the last component of `path`."""
    return path.rstrip("/").rpartition("/")[0].rstrip("/")
