"""Real copies of mounted files, for those who cannot see a mount: other programs, C libraries."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from .._arguments import by_name
from .._entering import Block
from .._errors import os_error
from .._paths import StrPath
from .mount import process
from .real_directory import SCRATCH


class _Signature(NamedTuple):
    """What tells that a real file was not touched."""

    kind: int
    size: int
    mtime: int
    ctime: int
    ino: int


@by_name
def materialize(path: StrPath, *, write_back: bool = False, copy: bool = True) -> Block[str]:
    """Give a real copy of a mounted file or directory, until the end of the `with` block.

    The copy has the same name, modes and times, in a new directory for temporary files, on tmpfs
    where there is one. Symbolic links are copied as they are, so an absolute one may lead nowhere
    that another program can see.

    Args:
        path: what to copy. What is no mounted path is real already, and given as it is.
        write_back: when the block ends without an exception, do to the mounted original what was
            done to the copy: what was changed or made is copied, what was removed is removed. What
            was not touched is left as it is in the mount by then.
        copy: False to be given a path in `/proc` of the file itself, which libraries in C and other
            programs can open: what they write is in the mount at once. For one file, and not for
            what resolves the path or makes files beside it, as SQLite and h5py do.

    Returns:
        The context manager of the block, which gives the path of the copy. This process can see and
        write it too, even in isolation.

    Raises:
        FileNotFoundError: there is nothing.
        IsADirectoryError: a directory is not to be copied.
        QuotaExceededError: what is to be written back does not fit; a part may be written.

    Complexity: O(bytes).
    """
    make = partial(_materialized, path, write_back=write_back, copy=copy)
    return Block(make, f"materialize({path!r})")


@contextmanager
def _materialized(path: StrPath, *, write_back: bool, copy: bool) -> Iterator[str]:
    given = os.path.abspath(os.fsdecode(path))
    if process.table.locate(given) is None:
        yield given
        return
    if not copy:
        with open(given, "r+b", buffering=0) as file:
            yield f"/proc/{os.getpid()}/fd/{file.fileno()}"
        return
    status = os.stat(given)
    scratch = _new_real_directory()
    real = os.path.join(scratch, os.path.basename(given) or "root")
    try:
        if stat.S_ISDIR(status.st_mode):
            shutil.copytree(given, real, symlinks=True)
        else:
            shutil.copy2(given, real)
        before = _signatures(real)
        yield real
        if write_back:
            _write_back(real, given, before)
    finally:
        try:
            shutil.rmtree(scratch, ignore_errors=True)
        finally:
            process.table.hide_real(scratch)


def _new_real_directory() -> str:
    """Make a directory in the real file system, to be seen and written through every mount."""
    for base in (os.environ.get("TMPDIR", ""), *SCRATCH):
        name = os.path.join(base, f"dmemfs-{os.urandom(8).hex()}")
        if not base or not os.path.isabs(base):
            continue
        is_mounted = process.table.locate(name) is not None
        if is_mounted and base not in SCRATCH:
            continue
        process.table.show_real(name)
        try:
            os.mkdir(name, 0o700)
        except OSError:
            process.table.hide_real(name)
        else:
            return name
    raise os_error(errno.ENOENT, SCRATCH[-1])


def _signatures(top: str) -> dict[str, _Signature]:
    """Return the signature of a real file, or of everything in a directory, by relative path."""
    found = {".": _signature(top)}
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            whole = os.path.join(directory, name)
            found[os.path.relpath(whole, top)] = _signature(whole)
    return found


def _signature(path: str) -> _Signature:
    status = os.lstat(path)
    is_directory = stat.S_ISDIR(status.st_mode)
    return _Signature(
        stat.S_IFMT(status.st_mode),
        0 if is_directory else status.st_size,
        0 if is_directory else status.st_mtime_ns,
        # A directory's changes with what is in it, and tells nothing of itself.
        stat.S_IMODE(status.st_mode) if is_directory else status.st_ctime_ns,
        status.st_ino,
    )


def _write_back(real: str, original: str, before: dict[str, _Signature]) -> None:
    """Do to the original what was done to the copy."""
    after = _signatures(real)
    for name in sorted(before.keys() - after.keys(), reverse=True):
        _remove(_below(original, name))
    for name in sorted(after):
        signature = after[name]
        if signature == before.get(name):
            continue
        source, target = _below(real, name), _below(original, name)
        if name in before and before[name].kind != signature.kind:
            _remove(target)
        if signature.kind == stat.S_IFDIR:
            os.makedirs(target, exist_ok=True)
            shutil.copystat(source, target)
        elif signature.kind == stat.S_IFLNK:
            _remove(target)
            os.symlink(os.readlink(source), target)
        else:
            shutil.copy2(source, target)


def _below(top: str, name: str) -> str:
    return top if name == "." else os.path.join(top, name)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)
