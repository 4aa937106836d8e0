"""Paths and data for random operations: often of what is there, sometimes long or odd."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from hypothesis import strategies as st

BLOCK = 64 * 1024
PATH_MAX = 4095

# Two levels below the root, so that there is something above to go up to.
BASE = "/top/base"

PLAIN_NAMES = ("a", "b", "c")
ODD_NAMES = (
    "\N{GREEK SMALL LETTER ALPHA}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e\N{COMBINING ACUTE ACCENT}",  # the same to a reader, another name to the kernel
    "\udcff\udc80",  # bytes that are not UTF-8
    "\U0001f600",
    "...",
    "..a",
    ".hidden",
    " ",
    "a\nb",
    "back\\slash",
    "*",
    "[a]",
    "~",
    "-rf",
    "l" * 255,
    "\N{LATIN SMALL LETTER A WITH DIAERESIS}" * 127 + "x",  # 255 bytes
)
IMPOSSIBLE_NAMES = ("nul\0", "\ud800", "m" * 256, "\N{GREEK SMALL LETTER ALPHA}" * 128)

# {0} is a path of something that may be there, {1} the name of something beside it.
SPELLINGS = (
    "{0}",
    "{0}",
    "{0}",
    "{0}",
    "{0}",
    "{0}/",
    "{0}/.",
    "{0}/./",
    "{0}/..",
    "{0}/../{1}",
    "{0}/../../{1}",
    "{0}//{1}",
    "{0}/{1}/",
    "/{0}",
)


class Pathlike:
    """A path that is neither str nor bytes."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path

    def __fspath__(self) -> Any:
        return self._path

    def __repr__(self) -> str:
        return f"Pathlike({self._path!r})"


class Recipe(NamedTuple):
    """How to make a path when it is used.

    Attributes:
        start: which of the paths that are there it begins with; None for the base.
        names: which of the case's names follow.
        spelling: one of SPELLINGS.
        form: whether it is relative, bytes or an os.PathLike.
        length: None, or what it has more than the most bytes that the kernel takes.
    """

    start: int | None
    names: tuple[int, ...]
    spelling: int
    form: str
    length: int | None


class Spelled(NamedTuple):
    """One path as either side is given it; they differ where its length matters."""

    real: Any
    memory: Any


_names = st.integers(0, 5)
_forms = st.sampled_from(["str", "str", "str", "relative", "bytes", "pathlike"])
_spellings = st.integers(0, len(SPELLINGS) - 1)
_length = st.sampled_from([None] * 12 + [-1, 0, 1])

THERE = st.builds(Recipe, st.integers(0, 40), st.just(()), _spellings, _forms, st.none())
BELOW = st.builds(Recipe, st.integers(0, 40), st.tuples(_names), _spellings, _forms, _length)
DEEP = st.builds(
    Recipe,
    st.none(),
    st.lists(_names, min_size=1, max_size=3).map(tuple),
    st.just(0),
    _forms,
    st.none(),
)
PATHS = st.one_of(THERE, THERE, BELOW, DEEP)

# What a symbolic link says: a name, a path, one that goes up, the longest possible.
TARGETS = st.one_of(
    DEEP.map(lambda recipe: recipe._replace(form="str")),
    st.lists(_names, min_size=1, max_size=2).map(tuple),
    st.sampled_from([".", "./", "..", "a/..", "../a", "../../base/b/", "", "//top//base/./a"]),
    st.integers(PATH_MAX - 1, PATH_MAX + 1).map(lambda size: "./" * ((size - 1) // 2) + "a"),
)


def contents(largest: int) -> st.SearchStrategy[bytes]:
    """Return contents, most of them short; large ones cost few of a case's random bytes."""
    return st.one_of(
        st.binary(max_size=12),
        st.integers(0, largest).map(lambda size: b"0123456789abcdef" * (size // 16)),
    )


DATA = contents(3 * BLOCK)
OFFSETS = st.one_of(st.integers(0, 30), st.integers(0, 3 * BLOCK), st.just(BLOCK))
NAMES_OF_A_CASE = st.tuples(
    st.lists(st.sampled_from(ODD_NAMES), min_size=2, max_size=2, unique=True),
    st.sampled_from(IMPOSSIBLE_NAMES),
).map(lambda odd: (*PLAIN_NAMES, *odd[0], odd[1]))


def spell(recipe: Recipe, present: list[str], names: tuple[str, ...], prefix: int) -> Spelled:
    """Return the path that a recipe stands for now.

    Args:
        recipe: what to make.
        present: the paths that are there.
        names: those of the case.
        prefix: how many bytes the path of the real root has.
    """
    start = BASE if recipe.start is None else present[recipe.start % len(present)]
    path = "/".join([start, *(names[number] for number in recipe.names)])
    path = SPELLINGS[recipe.spelling].format(path, names[recipe.spelling % 2])
    if recipe.length is not None:
        return _lengthened(path, PATH_MAX + recipe.length, prefix)
    given: Any = path
    if recipe.form == "relative":
        given = path.lstrip("/")
    elif recipe.form == "bytes":
        try:
            given = os.fsencode(path)
        except UnicodeEncodeError:
            pass  # A lone surrogate stands for no byte.
    elif recipe.form == "pathlike":
        given = Pathlike(path)
    return Spelled(given, given)


def _lengthened(path: str, size: int, prefix: int) -> Spelled:
    """Return a path that has ``size`` bytes, for the real side together with its root."""
    head, _, name = path.rpartition("/")
    missing = size - prefix - len(path.encode("utf-8", "surrogatepass"))
    longer = head + "/." * (missing // 2) + "/" * (missing % 2) + "/" + name
    return Spelled(longer, "/" * prefix + longer)
