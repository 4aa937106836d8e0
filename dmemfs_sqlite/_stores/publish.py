"""Letting a file appear at once or not at all, in whatever can `open`.

What a store does with an upload that fails is decided here: it is given up, and never closed, for
to close a file is what publishes it in a store of objects.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from traceback import clear_frames
from typing import Any

from .._vfs.paths import PathLike
from .filesystem import SnapshotFileSystem, as_text, plain_path, remove_file, resolve_links

# Pieces that a remote file system can send while the next one is prepared.
_CHUNK = 8 << 20
# What file objects of stores call it to throw away what was written: those of fsspec the first.
_WAYS_TO_GIVE_UP = ("discard", "abort", "terminate")
# Where fsspec has what its file systems do if they know nothing better.
_DEFAULTS_OF_FSSPEC = ("fsspec.spec", "fsspec.asyn")
# What its mv() takes for a pattern.
_PATTERN = re.compile(r"[*?\[]")
# File systems around file systems; what refers to itself has an end, too.
_MOST_WRAPPERS = 8

Rename = Callable[[str, str], object]


def publish_file(fs: SnapshotFileSystem, path: PathLike, content: bytes) -> None:
    """Let the content appear under the path at once or not at all; make missing directories.

    A file system with neither `replace` nor `mv` is written in place, which is as atomic as its
    own close() is. Within a transaction of fsspec's, the file appears at the end of that.

    Raises:
        OSError: As the file system raises it; what stood under the path is unchanged, and nothing
            else is there.
    """
    target = resolve_links(fs, plain_path(fs, as_text(path)))
    in_transaction = getattr(fs, "_intrans", False) is True
    rename = None if in_transaction else _rename_of(fs, target)
    is_directory = getattr(fs, "is_dir", None) or getattr(fs, "isdir", None)
    if rename is not None and is_directory is not None and is_directory(target):
        raise IsADirectoryError(21, "Is a directory", target)
    made: list[str] = []
    try:
        if in_transaction:
            _write_in_transaction(fs, target, content, made)
        elif rename is None:
            _write_new(fs, target, content, made, _never_close)
        else:
            _write_and_rename(fs, target, content, made, rename)
    except BaseException:
        for directory in made:
            with suppress(Exception):  # somebody may have put something into it
                fs.rmdir(directory)  # type: ignore[attr-defined]
        raise


def _write_and_rename(
    fs: SnapshotFileSystem, target: str, content: bytes, made: list[str], rename: Rename
) -> None:
    # A name of its own length, so that a target with the longest possible name works too.
    temporary = posixpath.join(posixpath.dirname(target), f".{token_hex(8)}.saving")
    try:
        _write_new(fs, temporary, content, made, _close_unseen)
        rename(temporary, target)
    except BaseException as error:
        # A file that open() was about to return closes itself now, and not after the removal.
        clear_frames(error.__traceback__)
        with suppress(Exception):
            remove_file(fs, temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = target  # the name that the caller knows
        raise


def _write_in_transaction(fs: Any, target: str, content: bytes, made: list[str]) -> None:
    """Write a file that the end of a transaction of fsspec's lets appear."""
    queue = fs.transaction.files
    former = [*queue]
    try:
        _write_new(fs, target, content, made, _close_unseen)
    except BaseException:
        # The queue knows it even if open() was interrupted.
        for file in [*queue]:
            if file.path == target and not any(file is other for other in former):
                queue.remove(file)
                _close_unseen(file)
        raise


def _rename_of(fs: Any, target: str) -> Rename | None:
    """Return what renames a file to a name that may be taken, None if nothing does."""
    rename: Rename | None = getattr(fs, "replace", None) or getattr(fs, "mv", None)
    if hasattr(fs, "replace") or not (hasattr(fs, "cp_file") and hasattr(fs, "rm_file")):
        return rename
    innermost = fs
    for _ in range(_MOST_WRAPPERS):
        if _is_default(getattr(type(innermost), "mv", None)):
            if "mv" in vars(innermost) and not _PATTERN.search(target):
                return rename  # somebody has put it there
            return lambda source, target: _copy_and_remove(fs, source, target)
        innermost = getattr(innermost, "fs", None)
    return rename


def _copy_and_remove(fs: Any, source: str, target: str) -> None:
    """Do as fsspec's own mv(), which takes names with `*`, `?` and `[` for patterns."""
    fs.cp_file(source, target)
    try:
        fs.rm_file(source)
    except Exception:
        remove_file(fs, source)  # the content has appeared: to try again is better than to fail


def _is_default(method: Any) -> bool:
    return getattr(method, "__module__", None) in _DEFAULTS_OF_FSSPEC


def _write_new(
    fs: SnapshotFileSystem,
    path: str,
    content: bytes,
    made: list[str],
    give_up: Callable[[Any], None],
) -> None:
    """Write a whole file; note in `made` what is made above it, the deepest directory first."""
    opened: list[Any] = []

    def open_for_writing() -> None:
        # All in C: no signal handler comes between, with a file that nobody would give up.
        opened.extend(map(fs.open, [path], ["wb"]))

    try:
        try:
            open_for_writing()
        except FileNotFoundError:
            if not hasattr(fs, "makedirs"):
                raise
            _make_above(fs, path, made)
            open_for_writing()
        [file] = opened
        # One piece, because a file in memory then adopts the bytes instead of copying them.
        written = file.write(content)
        # A raw file may take less than it was given.
        while written is not None and written < len(content):
            written += file.write(memoryview(content)[written : written + _CHUNK])
        if hasattr(file, "flush"):
            file.flush()  # close() would close what is below even where this fails
        file.close()
    except BaseException:
        for file in opened:
            give_up(file)
        raise


def _make_above(fs: Any, path: str, made: list[str]) -> None:
    directory = posixpath.dirname(path)
    missing = directory
    if hasattr(fs, "exists"):
        while missing.strip("/") and not fs.exists(missing):
            made.append(missing)
            missing = posixpath.dirname(missing)
    fs.makedirs(directory, exist_ok=True)


def _close_unseen(file: Any) -> None:
    """Give up a file that may be closed: under a temporary name, or one of a transaction."""
    if not _throw_away(file) or hasattr(file, "fileno"):
        with suppress(Exception):
            file.close()
    _disarm(file)


def _never_close(file: Any) -> None:
    """Give up a file under its final name: closed, the half of it might appear."""
    _throw_away(file)
    _disarm(file)


def _throw_away(file: Any) -> bool:
    """Throw away what was written, if the file knows how, and tell whether it does."""
    for name in _WAYS_TO_GIVE_UP:
        method = getattr(file, name, None)
        if method is None or _is_default(method):
            continue
        try:
            method()
        except Exception:
            continue
        return True
    return False


def _disarm(file: Any) -> None:
    """Take care that nothing is published later: files close themselves when they are freed.

    A file of the operating system is closed; that publishes nothing, and gives its number back.
    """
    if isinstance(file, io.BufferedWriter | io.BufferedRandom):
        with suppress(Exception):
            _disarm(file.raw)
    if type(file) is io.FileIO:
        file.close()
        return
    with suppress(Exception):
        file.closed = True  # what files of fsspec ask
    with suppress(Exception):
        file.close = _nothing


def _nothing() -> None:
    return None
