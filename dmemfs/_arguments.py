"""What arguments may be, and what is said of one that is something else."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SIZE = re.compile(r"\s*(\d+)(?:\.(\d+))?\s*([KMGTP]?)(I?)(B?|BYTES?)\s*", re.ASCII | re.IGNORECASE)
_LETTERS = " KMGTP"


def parse_size(text: str) -> int:
    """Return the number of bytes that a size says.

    Args:
        text: such as "64 MiB" (of 1024), "64 MB" (of 1000), or "64M", which is MiB as for `mount`.

    Raises:
        ValueError: it says none.
    """
    match = _SIZE.fullmatch(text)
    if match is None or (match[4] and not (match[3] and match[5])):
        raise ValueError(text)
    whole, part = match[1], match[2] or ""
    power = _LETTERS.index(match[3].upper() or " ")
    unit = (1000 if match[5] and not match[4] else 1024) ** power
    return int(int(whole + part) * unit // 10 ** len(part))


def byte_count(value: Any, name: str, *, none: str = "no limit") -> Any:
    """Return a number of bytes; None is one too, for what it stands for.

    Args:
        value: a whole number, a size as `parse_size` knows them, or None.
        name: the parameter.
        none: what None means.

    Raises:
        TypeError, ValueError: it is something else, or negative.
    """
    if value is None:
        return None
    try:
        count = parse_size(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} must be a number of bytes, such as 64 << 20, or a size, such as '64 MiB'; "
            f"not {value!r}"
        ) from None
    if count < 0:
        raise ValueError(f"{name} must be None ({none}) or at least 0 bytes")
    return count


def whole_number(
    value: Any, name: str, *, least: int = 0, none: str = "no limit", because: str = ""
) -> Any:
    """Return a whole number that limits something; None is one too, for what it stands for.

    Args:
        value: the number, or None.
        name: the parameter.
        least: the smallest that it may be.
        none: what None means.
        because: why it may not be smaller.

    Raises:
        TypeError, ValueError: it is something else, or smaller.
    """
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number or None, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be None ({none}) or at least {least}{because}")
    return number


def seconds(value: Any, name: str = "timeout") -> float:
    """Return a number of seconds.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    return float(value)


def bytes_of(data: Any, path: Any, *, for_text: str = "encode it first") -> bytes:
    """Return the content that a file is to have.

    Args:
        data: the content.
        path: the file.
        for_text: what to do with text.

    Raises:
        TypeError: it is not bytes-like.
    """
    if type(data) is bytes:
        return data
    try:
        return bytes(memoryview(data))
    except TypeError:
        text = f"{path!r}: a bytes-like object is required, not {type(data).__name__!r}"
        raise TypeError(f"{text}; {for_text}" if isinstance(data, str) else text) from None


def several_paths(paths: Iterable[Any], name: str) -> tuple[Any, ...]:
    """Return paths as a tuple; one path alone is not taken for the letters that it has.

    Raises:
        TypeError: it is one path.
    """
    if isinstance(paths, str | bytes) or hasattr(paths, "__fspath__"):
        raise TypeError(f"{name} must be several paths; for one, write {name}=[{paths!r}]")
    return tuple(paths)


def by_name(function: _Function) -> _Function:
    """Say, of a positional argument too many, by which name it is to be given."""
    code = function.__code__
    most = code.co_argcount
    *others, last = code.co_varnames[most : most + code.co_kwonlyargcount]

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        if len(given) > most:
            name = call.__qualname__.removesuffix(".__init__")
            names = f"{', '.join(others)} and {last}" if others else last
            first = next((each for each in (*others, last) if each not in named), last)
            raise TypeError(f"{name}() takes {names} by name: write {first}={given[most]!r}")
        return function(*given, **named)

    return cast(_Function, call)
