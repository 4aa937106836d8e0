"""What is reported of a file system that is checked."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_LONGEST_REPR = 100


class Misbehaviour(NamedTuple):
    """One thing that a file system did otherwise than it should.

    Attributes:
        check: the name of the check that found it, a key of `CHECKS`.
        call: what was called with what, or what was looked at.
        expected: what should have come of it.
        got: what came of it.
    """

    check: str
    call: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.call}: expected {self.expected}, got {self.got}"


class ConformanceError(AssertionError):
    """List every misbehaviour of a file system, by the checks that found them.

    Attributes:
        misbehaviours: all of them, in the order in which they were found.
    """

    def __init__(self, misbehaviours: Sequence[Misbehaviour]) -> None:
        self.misbehaviours: tuple[Misbehaviour, ...] = tuple(misbehaviours)
        by_check: dict[str, list[Misbehaviour]] = {}
        for found in self.misbehaviours:
            by_check.setdefault(found.check, []).append(found)
        lines = [f"misbehaviours: {len(self.misbehaviours)}, found by checks: {len(by_check)}"]
        for name, group in by_check.items():
            lines.append(f"{name}:")
            lines += [f"    {found}" for found in group]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return (ConformanceError, (self.misbehaviours,))


def shown(value: object) -> str:
    """Return `repr` of a value, cut short where it is long."""
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    if len(text) > _LONGEST_REPR:
        half = _LONGEST_REPR // 2
        return f"{text[:half]} ... {text[-half:]} ({len(text)} characters)"
    return text


def shown_error(error: BaseException) -> str:
    """Return type and message of an exception; of an OSError, errno and the files it names."""
    code = getattr(error, "errno", None)
    if not isinstance(error, OSError) or code is None:
        text = str(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    paths = [shown(name) for name in (error.filename, error.filename2) if name is not None]
    name = errno.errorcode.get(code, str(code))
    return f"{type(error).__name__} ({name}) naming {' and '.join(paths) or 'no file'}"


def shown_call(call: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """Return a call as it would be written; `call` is what is called, or its name."""
    name = call if isinstance(call, str) else getattr(call, "name", None)
    name = name or getattr(call, "__name__", None) or repr(call)
    owner = getattr(call, "__self__", None)
    if isinstance(owner, io.IOBase):
        name = f"{_name_of(owner)}.{name}"
    elif isinstance(owner, os.PathLike):
        name = f"entry {shown(os.fspath(owner))}.{name}"
    inside = [shown(value) for value in arguments]
    inside += [f"{key}={shown(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(inside)})"


def _name_of(file: io.IOBase) -> str:
    try:
        return f"file {shown(file.name)}"  # type: ignore[attr-defined]
    except Exception:  # a detached one, or one without a name
        return "file"
