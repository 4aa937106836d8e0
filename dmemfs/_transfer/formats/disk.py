"""Trees of the real disk: reading one, and making one."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from ... import _paths, _platform
from ..._errors import os_error
from ..entries import CHUNK_SIZE, Entry, Metadata, Pieces, Segment
from ..progress import Meter
from .streams import DiskPath, require_directory

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
_SET_ID = stat.S_ISUID | stat.S_ISGID

_NativePath = Any
"""str, or bytes where names are bytes to the system."""


def native_path(path: DiskPath) -> _NativePath:
    """Return a path of the disk in the form in which names are given to the system."""
    return os.fsdecode(path) if _platform.IS_WINDOWS else os.fsencode(path)


def _native_name(name: str) -> _NativePath:
    if not _platform.IS_WINDOWS:
        return _paths.encode(name)
    if any(character in name for character in '\\:*?"<>|'):
        raise os_error(errno.EINVAL, name)
    return name


@contextmanager
def naming_paths_as_text() -> Iterator[None]:
    """Let errors name paths as text, where they are bytes to the system only."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, bytes):
            error.filename = os.fsdecode(error.filename)
        if isinstance(error.filename2, bytes):
            error.filename2 = os.fsdecode(error.filename2)
        raise


# --- reading --------------------------------------------------------------------------------------


def read_tree(top: DiskPath) -> list[Entry]:
    """Return the entries below a directory of the disk, sorted by name; files are read later.

    Symbolic links are taken as links; only `top` itself may be one that is followed.

    Raises:
        NotADirectoryError: it is no directory.
        OSError: EINVAL, there is a device, a socket or the like.

    Complexity: O(nodes).
    """
    native = native_path(top)
    status = os.stat(native)
    if not stat.S_ISDIR(status.st_mode):
        raise os_error(errno.ENOTDIR, top)
    entries: list[Entry] = []
    first: dict[tuple[int, int], str] = {}
    pending: list[tuple[_NativePath, str, os.stat_result]] = [(native, "", status)]
    while pending:
        native, path, status = pending.pop()
        entry = _entry(native, path, status, first)
        entries.append(entry)
        if entry.kind == "directory":
            below = []
            for name in sorted(os.listdir(native), reverse=True):
                inside = os.path.join(native, name)
                text = _paths.as_text(name)
                below.append((inside, f"{path}/{text}" if path else text, os.lstat(inside)))
            pending.extend(below)
    return entries


def _entry(
    native: _NativePath, path: str, status: os.stat_result, first: dict[tuple[int, int], str]
) -> Entry:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise OSError(
            errno.EINVAL,
            "it is no file, directory or symbolic link; remove it or import another directory",
            os.fsdecode(native),
        )
    metadata = Metadata(
        stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid),
        status.st_atime_ns,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
    if kind == "directory":
        return Entry(path, "directory", metadata)
    if status.st_nlink > 1:
        node = (status.st_dev, status.st_ino)
        if node in first:
            return Entry(path, "link", None, first[node])
        first[node] = path
    if kind == "symlink":
        return Entry(path, "symlink", metadata, _paths.as_text(os.readlink(native)))
    segments = _segments(native, status)
    return Entry(
        path,
        "file",
        metadata,
        size=status.st_size,
        segments=segments,
        pieces=partial(_pieces, native, status, segments),
    )


def _open(native: _NativePath, status: os.stat_result) -> int:
    """Open the file that was looked at, and no other that has its name by now."""
    # Without waiting, should it have become a pipe.
    flags = os.O_RDONLY | _platform.O_BINARY | _platform.O_NOFOLLOW | _platform.O_NONBLOCK
    descriptor = os.open(native, flags)
    if not os.path.samestat(os.fstat(descriptor), status):
        os.close(descriptor)
        raise _changed(native)
    return descriptor


def _changed(native: _NativePath) -> OSError:
    return OSError(errno.EAGAIN, "it was changed while it was read; try again", os.fsdecode(native))


def _segments(native: _NativePath, status: os.stat_result) -> list[Segment]:
    size = status.st_size
    whole = [(0, size)] if size else []
    seek_data, seek_hole = _platform.SEEK_DATA, _platform.SEEK_HOLE
    if seek_data is None or seek_hole is None or status.st_blocks * 512 >= size:
        return whole
    segments: list[Segment] = []
    descriptor = _open(native, status)
    try:
        end = 0
        while end < size:
            start = os.lseek(descriptor, end, seek_data)
            end = min(os.lseek(descriptor, start, seek_hole), size)
            if start < end:
                segments.append((start, end - start))
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data beyond
            return whole
    finally:
        os.close(descriptor)
    return segments


def _pieces(native: _NativePath, status: os.stat_result, segments: list[Segment]) -> Pieces:
    with open(_open(native, status), "rb", buffering=0) as file:
        for start, length in segments:
            position = start
            file.seek(start)
            while position < start + length:
                piece = file.read(min(CHUNK_SIZE, start + length - position))
                if not piece:
                    raise _changed(native)
                yield position, piece
                position += len(piece)


# --- making ---------------------------------------------------------------------------------------


def write_tree(entries: Sequence[Entry], target: DiskPath, meter: Meter) -> None:
    """Make a directory of the disk from these entries, in full or not at all.

    It is made beside `target` under another name, with nobody else let in, and renamed in the end.

    Raises:
        FileExistsError: something is at `target` that is no empty directory.
    """
    goal = os.path.realpath(native_path(target))
    if os.path.lexists(goal) and (not os.path.isdir(goal) or os.listdir(goal)):
        raise FileExistsError(
            errno.EEXIST, "it is there already; name a new or an empty directory", target
        )
    above, name = os.path.split(goal)
    require_directory(above)
    dot, end = (".", ".partial") if isinstance(name, str) else (b".", b".partial")
    place = tempfile.mkdtemp(prefix=dot + name[:100] + dot, suffix=end, dir=above)
    directories: list[tuple[_NativePath, Entry]] = []
    try:
        for entry in entries:
            meter.begin(entry.path)
            make_entry(entry, place, directories, meter)
        for path, entry in reversed(directories):
            set_metadata(path, entry)
        if _platform.IS_WINDOWS and os.path.isdir(goal):
            os.rmdir(goal)
        os.rename(place, goal)
    except BaseException:
        for path, _ in directories:
            with suppress(OSError):
                _platform.set_mode(path, 0o700)
        shutil.rmtree(place, ignore_errors=True)
        raise


def make_entry(
    entry: Entry, place: _NativePath, directories: list[tuple[_NativePath, Entry]], meter: Meter
) -> None:
    """Make what an entry says below a place; directories get their attributes in the end."""
    path = _below(place, entry.path)
    if entry.kind == "directory":
        if entry.path:
            os.mkdir(path, 0o700)
        directories.append((path, entry))
        return
    if entry.kind == "link":
        _platform.link(_below(place, entry.target), path)
        return
    if entry.kind == "symlink":
        os.symlink(_native_target(entry.target), path)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _platform.O_BINARY | _platform.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), "wb", buffering=0) as file:
            for position, piece in entry.read():
                file.seek(position)
                _write_all(file, piece)
                meter.add(len(piece))
            file.truncate(entry.size)
    set_metadata(path, entry)


def _below(place: _NativePath, path: str) -> _NativePath:
    return os.path.join(place, *map(_native_name, path.split("/"))) if path else place


def _native_target(target: str) -> _NativePath:
    return target if _platform.IS_WINDOWS else _paths.encode(target)


def _write_all(file: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def set_metadata(path: _NativePath, entry: Entry) -> None:
    """Give what was made the attributes of its entry, as far as the system lets this process."""
    if entry.metadata is None:
        return
    mode, owner, atime, mtime, _ = entry.metadata
    is_link = entry.kind == "symlink"
    if _platform.chown is not None:
        try:
            _platform.chown(path, *owner, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            mode &= ~_SET_ID  # not for an owner whom it was not meant for
    if not is_link:
        _platform.set_mode(path, mode)
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, ns=(atime, mtime), follow_symlinks=False)
    elif not is_link:
        os.utime(path, ns=(atime, mtime))
