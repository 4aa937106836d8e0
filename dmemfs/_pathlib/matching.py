"""Patterns, as `pathlib` of Python 3.14 understands them.

`*`, `?` and `[...]` stand for what is in one name, which may begin with a dot; `**` alone stands
for any number of names.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

_MAGIC = re.compile(r"[*?\[]")
_SET = re.compile(r"\[!?\]?[^\]]*\]")
_BEFORE, _AFTER = fnmatch.translate("x").split("x")
_SPECIAL_PARTS = ("", "..")


def _expression_of_name(pattern: str) -> str:
    """Return the regular expression of a pattern for one name."""
    if pattern == "*":
        return "[^/]+"
    found: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            if found[-1:] != ["[^/]*"]:
                found.append("[^/]*")
        elif character == "?":
            found.append("[^/]")
        elif character == "[" and (whole := _SET.match(pattern, position - 1)):
            expression = fnmatch.translate(whole[0])[len(_BEFORE) : -len(_AFTER)]
            found.append(f"(?!/){expression}")
            position = whole.end()
        else:
            found.append(re.escape(character))
    return "".join(found)


def _expression_of_path(pattern: str) -> str:
    """Return the regular expression of a pattern for a whole path."""
    parts = pattern.split("/")
    found = []
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part != "**":
            found.append(_expression_of_name(part) + ("" if is_last else "/"))
        elif is_last:
            found.append(".*")
        elif parts[number + 1] != "**":
            found.append("(?:.+/)?")
    return "".join(found)


@lru_cache(maxsize=256)
def _compiled(expression: str, case_sensitive: bool) -> Callable[[str], object]:
    flags = re.DOTALL if case_sensitive else re.DOTALL | re.IGNORECASE
    return re.compile(expression, flags).fullmatch


def matcher_of_name(pattern: str, case_sensitive: bool | None) -> Callable[[str], object]:
    """Return what tells whether a name matches."""
    return _compiled(_expression_of_name(pattern), case_sensitive is not False)


def full_match(path: str, pattern: str, case_sensitive: bool | None) -> bool:
    """Tell whether a whole path matches."""
    matches = _compiled(_expression_of_path(pattern), case_sensitive is not False)
    return matches(path) is not None


def match_from_the_right(
    names: Sequence[str], patterns: Sequence[str], case_sensitive: bool | None
) -> bool:
    """Tell whether the last names match as many patterns."""
    return len(names) >= len(patterns) and all(
        matcher_of_name(pattern, case_sensitive)(name)
        for name, pattern in zip(reversed(names), reversed(patterns), strict=False)
    )


def parts_of(pattern: str) -> list[str]:
    """Return the parts of a pattern for what is below a directory.

    A slash at its end, which asks for directories, is an empty part.

    Raises:
        NotImplementedError: it is absolute.
        ValueError: it is empty.
    """
    if pattern.startswith("/"):
        raise NotImplementedError("Non-relative patterns are unsupported")
    parts = [part for part in pattern.split("/") if part and part != "."]
    if not parts:
        raise ValueError(f"Unacceptable pattern: {pattern!r}")
    return [*parts, ""] if pattern.endswith("/") else parts


def leads_to_directory(entry: Any, *, follow_symlinks: bool = True) -> bool:
    """Tell whether an entry is a directory; a link that leads in circles is none."""
    try:
        return bool(entry.is_dir(follow_symlinks=follow_symlinks))
    except OSError:
        return False


class Expansion:
    """Finds what matches a pattern below a directory.

    Args:
        fs: the file system.
        case_sensitive: None where a part without `*`, `?` and `[` need not be searched for.
        follow_symlinks: whether `**` goes through links to directories.
    """

    def __init__(self, fs: Any, case_sensitive: bool | None, follow_symlinks: bool) -> None:
        self._fs = fs
        self._case_sensitive = case_sensitive
        self._follow_symlinks = follow_symlinks

    def below(self, top: str, parts: Sequence[str]) -> Iterator[str]:
        """Yield the paths that match, each once.

        Complexity: O(entries of the directories that are looked into).
        """
        base = "" if top == "." else top if top.endswith("/") else f"{top}/"
        found = self._select(base, parts, False)
        # Only beside another one "**" finds something in several ways.
        return iter(dict.fromkeys(found)) if parts.count("**") > 1 else found

    def _select(self, base: str, parts: Sequence[str], is_there: bool) -> Iterator[str]:
        """Yield what matches below `base`, which is empty or ends with a slash.

        Args:
            base: the path so far.
            parts: what is to match.
            is_there: whether it is known that there is something at `base`.
        """
        while parts and self._is_literal(parts[0]):
            base += f"{parts[0]}/" if parts[1:] else parts[0]
            parts, is_there = parts[1:], False
        if not parts:
            if is_there or self._exists(base):
                yield base
            return
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._select_recursively(base, rest)
        else:
            matches = matcher_of_name(part, self._case_sensitive)
            for entry in self._entries(base):
                if matches(entry.name):
                    if not rest:
                        yield base + entry.name
                    elif leads_to_directory(entry):
                        yield from self._select(f"{base}{entry.name}/", rest, True)

    def _is_literal(self, part: str) -> bool:
        return part in _SPECIAL_PARTS or (
            self._case_sensitive is None and _MAGIC.search(part) is None
        )

    def _select_recursively(self, base: str, parts: Sequence[str]) -> Iterator[str]:
        yield from self._select(base, parts, False)
        pending = [base]
        while pending:
            directory = pending.pop()
            inside = []
            for entry in self._entries(directory):
                path = directory + entry.name
                if leads_to_directory(entry, follow_symlinks=self._follow_symlinks):
                    inside.append(f"{path}/")
                    yield from self._select(f"{path}/", parts, True)
                elif not parts:
                    yield path
            pending.extend(reversed(inside))

    def _entries(self, base: str) -> list[Any]:
        try:
            with self._fs.scandir(base or ".") as entries:
                return list(entries)
        except OSError:
            return []

    def _exists(self, path: str) -> bool:
        try:
            self._fs.lstat(path or ".")
        except (OSError, ValueError):
            return False
        return True
