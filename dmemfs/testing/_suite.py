"""All checks together: the functions that people call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from .._transfer.dictionaries import Link
from ._checking import (
    CHANGING_METHODS,
    READING_METHODS,
    Check,
    checks_in,
    require_known,
    run_checks,
)  # fmt: skip
from ._checks import (
    attributes,
    binary_files,
    directories,
    errors,
    handles,
    names,
    opening,
    read_only,
    reading,
    text_files,
    threads,
)
from ._report import ConformanceError, Misbehaviour

_MODULES = (
    reading,
    errors,
    opening,
    binary_files,
    text_files,
    handles,
    directories,
    names,
    attributes,
    threads,
)
_FOR_WRITABLE = [check for module in _MODULES for check in checks_in(vars(module))]
_FOR_READ_ONLY = [
    *(check for check in _FOR_WRITABLE if check.tree is not None),
    *checks_in(vars(read_only)),
]

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        **{f"has_{name}": f"There is a method {name}." for name in READING_METHODS},
        **{f"has_{name}": f"There is a method {name}." for name in CHANGING_METHODS},
        **{check.name: check.summary for check in (*_FOR_WRITABLE, *_FOR_READ_ONLY)},
    }
)
"""What each check expects, by its name."""


def check_filesystem(
    make_fs: Callable[[], object], *, exclude: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Check that file systems behave as a directory of Linux does, and report all that do not.

    Some 160 checks, each on a file system of its own: the path grammar, every mode of `open`,
    errno and file names of errors, files that are open while they are removed and renamed, holes,
    text, links, times, listings that change, the protocol of `io`, threads. Quotas, snapshots and
    whatever else `os`, `shutil` and `glob` have no word for are not checked.

    The object needs no base class, only the methods of `MemoryFileSystem` that are in
    `os`, `shutil`, `glob` and `pathlib` too. For each that it lacks, one misbehaviour is reported,
    `has_...`, and what needs it is not checked.

    Args:
        make_fs: returns a new, empty file system each time that it is called. Paths in it begin at
            "/". What is to be cleaned up, it or its caller does.
        exclude: why a check is left out, by its name, for objects that differ by intention. To
            leave out `has_` and the name of a method leaves out all that needs the method.

    Raises:
        ConformanceError: something is otherwise; the message has all of it, each with the name of
            the check, the call, what was expected and what came of it.
        ValueError: `exclude` names no check, or gives no reason.
        Exception: what `make_fs` raises.
    """

    methods = (*READING_METHODS, *CHANGING_METHODS)
    _check_all(_FOR_WRITABLE, methods, lambda check: make_fs(), exclude, fills=True)


def check_read_only_filesystem(
    make_fs: Callable[[dict[str, Any]], object],
    *,
    exclude: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Check that file systems show a tree as `check_filesystem` would have it, and keep it.

    What changes something has to raise an OSError with EROFS, or be no method at all.

    Args:
        make_fs: returns a read-only file system that holds a tree, which it is given in the form of
            `MemoryFileSystem.from_tree`: a dictionary of `bytes`, dictionaries and `dmemfs.Link`.
        exclude: as for `check_filesystem`.

    Raises:
        ConformanceError: as `check_filesystem`.
        ValueError: `exclude` names no check, or gives no reason.
        Exception: what `make_fs` raises.
    """

    def make(check: Check) -> object:
        return make_fs(_copy_of_tree(check.tree or {}))

    _check_all(_FOR_READ_ONLY, READING_METHODS, make, exclude, fills=False)


def _check_all(
    checks: list[Check],
    methods: tuple[str, ...],
    make: Callable[[Check], object],
    exclude: Mapping[str, str],
    *,
    fills: bool,
) -> None:
    """Run the checks that are not excluded, and raise an error with all that they found."""
    require_known(exclude, CHECKS)
    without = {name.removeprefix("has_") for name in exclude if name.startswith("has_")}
    wanted = [check for check in checks if check.name not in exclude]
    misbehaviours, missing = run_checks(wanted, make, fills=fills, without=without)
    misbehaviours[:0] = _missing_methods(make(checks[0]), methods, without, Counter(missing))
    if misbehaviours:
        raise ConformanceError(misbehaviours)


def _missing_methods(
    fs: object, methods: tuple[str, ...], without: Collection[str], ended: Mapping[str, int]
) -> list[Misbehaviour]:
    """Return a misbehaviour for each method that is not there, and not left out."""
    return [
        Misbehaviour(
            f"has_{name}",
            name,
            "a method",
            f"none; checks that ended for want of it: {ended.get(name, 0)}",
        )
        for name in methods
        if name not in without and not callable(getattr(fs, name, None))
    ]


def _copy_of_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that its receiver may change."""
    return {
        name: value if isinstance(value, bytes | Link) else _copy_of_tree(value)
        for name, value in tree.items()
    }
