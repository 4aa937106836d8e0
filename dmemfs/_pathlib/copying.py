"""Copies from path to path: within memory, from the disk, to the disk, or of any other kind.

What is asked of a source that is no path of a file system in memory, and of a target that is not,
is what `pathlib.Path` has on each Python, and what `pathlib.types` asks for.
"""

from __future__ import annotations

import errno
import os
import pathlib
import shutil
import stat
from collections.abc import Callable
from typing import IO, Any

from .._errors import os_error

_NEW_FILE = 0o644


def text_of(path: Any) -> str:
    """Return the text of a path of any kind, which need not be what `str` makes of it."""
    text: str = path.__vfspath__() if hasattr(path, "__vfspath__") else str(path)
    return text


def require_distinct(source: Any, target: Any) -> None:
    """Raise for a target that is the source, or below it."""
    if source == target:
        reason = "Source and target are the same path"
    elif source in target.parents:
        reason = "Source path is a parent of target path"
    else:
        return
    raise OSError(errno.EINVAL, reason, text_of(source), None, text_of(target))


def require_different_files(source: Any, target: Any) -> None:
    """Raise where two paths lead to the same file."""
    try:
        is_same = os.path.samestat(source.stat(), target.stat())
    except (AttributeError, OSError, ValueError):
        is_same = source == target
    if is_same:
        reason = "Source and target are the same file"
        raise OSError(errno.EINVAL, reason, text_of(source), None, text_of(target))


def copy(source: Any, target: Any, *, follow_symlinks: bool, preserve_metadata: bool) -> None:
    """Copy a file, a link or a directory with all below it.

    Where anything fails in a directory, all of the new one is removed again.

    Args:
        source: a path of any kind.
        target: a path of a file system in memory, or of the disk.
        follow_symlinks: copy what links lead to, instead of the links.
        preserve_metadata: copy modes and times too.

    Complexity: O(nodes); within memory without the bytes, else with them.
    """
    new_directory = None
    pending = [(source, target, False)]
    try:
        while pending:
            source, target, is_filled = pending.pop()
            info = getattr(source, "info", source)
            if is_filled:
                pass  # its times have changed until now
            elif not follow_symlinks and info.is_symlink():
                target.symlink_to(text_of(source.readlink()))
            elif info.is_dir():
                children = list(source.iterdir())
                target.mkdir()
                new_directory = new_directory or target
                pending.append((source, target, True))
                pending.extend((child, target.joinpath(child.name), False) for child in children)
                continue
            else:
                _copy_content(source, target)
            if preserve_metadata:
                _copy_metadata(source, target, follow_symlinks)
    except BaseException:
        if new_directory is not None:
            _remove_tree(new_directory)
        raise


def _copy_content(source: Any, target: Any) -> None:
    require_different_files(source, target)
    if _in_memory(source) and _in_memory(target):
        _share_file(source, target)
    else:
        _copy_file(source, target)


def _in_memory(path: Any) -> bool:
    return hasattr(path, "fs")


def _share_file(source: Any, target: Any) -> None:
    """Copy a file in memory without its attributes; the content is shared."""
    fs, text = target.fs, str(target)
    if fs.is_dir(text):  # which would be given a copy with the name of the source
        raise os_error(errno.EISDIR, text)
    mode = stat.S_IMODE(fs.stat(text).st_mode) if fs.exists(text) else _NEW_FILE
    source.fs.copy(str(source), text, to=fs)
    fs.chmod(text, mode)
    fs.utime(text)


def _copy_file(source: Any, target: Any) -> None:
    """Copy the content of a file; a new one is removed again where that fails."""
    with _open_to_read(source) as read:
        if _in_memory(target) and target.exists():
            # The old content stays unless all of the new one is there.
            target.write_bytes(read.read())
            return
        is_new = not target.exists()
        try:
            with target.open("wb") as write:
                shutil.copyfileobj(read, write)
        except BaseException:
            if is_new:
                target.unlink(missing_ok=True)
            raise


def _open_to_read(source: Any) -> IO[bytes]:
    # `pathlib.types` calls it the first, from Python 3.15 on the second; a zip's path has neither.
    for name in ("__open_rb__", "__open_reader__"):
        opener: Callable[..., IO[bytes]] | None = getattr(source, name, None)
        if opener is not None and not isinstance(source, pathlib.Path):
            return opener()
    file: IO[bytes] = source.open("rb")
    return file


def _copy_metadata(source: Any, target: Any, follow_symlinks: bool) -> None:
    ask = getattr(source, "stat", None)
    if ask is None:  # it is of a kind that knows none
        return
    status: os.stat_result = ask(follow_symlinks=follow_symlinks)
    is_link = stat.S_ISLNK(status.st_mode)
    if not is_link:
        target.chmod(stat.S_IMODE(status.st_mode))
    times = (status.st_atime_ns, status.st_mtime_ns)
    if _in_memory(target):
        target.fs.utime(str(target), ns=times, follow_symlinks=follow_symlinks)
    elif not is_link or os.utime in os.supports_follow_symlinks:
        os.utime(target, ns=times, follow_symlinks=not is_link)


def _remove_tree(target: Any) -> None:
    if _in_memory(target):
        target.fs.rmtree(str(target), ignore_errors=True)
    else:
        shutil.rmtree(target, ignore_errors=True)
