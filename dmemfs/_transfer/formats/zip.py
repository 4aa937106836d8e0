"""Reading and writing zip archives."""

from __future__ import annotations

import stat
import struct
import time
import zipfile
from binascii import crc32
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from ..._errors import ArchiveError
from ..._nodes.nodes import LARGEST_FILE, Owner
from ..._paths import PATH_MAX
from ..entries import CHUNK_SIZE, Entry, Metadata, Pieces
from ..progress import Meter
from .compression import (
    MAX_WBITS,
    DamagedStreamError,
    DecompressingReader,
    Decompressor,
    Inflater,
    new_decompressor,
)
from .members import arrange
from .streams import Target

_NANO = 1_000_000_000
_UNIX = 3
_ENCRYPTED = 0x1
_UTF8 = 0x800
_LOCAL_HEADER = struct.Struct("<4s2H18xHH")
# "Extended timestamp" of Info-ZIP: modification time in seconds since the epoch, in UTC.
_TIMESTAMP = 0x5455
_MODIFIED = 1
_DIRECTORY_OF_DOS = 0x10
_FILE_MODE, _DIRECTORY_MODE = 0o644, 0o755
_BEFORE_ZIP64 = 1 << 31
_DAMAGE = (zipfile.BadZipFile, ValueError, LookupError, struct.error, NotImplementedError)


# --- writing --------------------------------------------------------------------------------------


def write_zip(entries: Sequence[Entry], target: Target, meter: Meter) -> None:
    """Write a zip archive of these entries.

    A further name of a file becomes a file of its own, and holes become zeros: a zip archive knows
    neither.

    Raises:
        ArchiveError: a name is not UTF-8.
    """
    first = {entry.path: entry for entry in entries}
    for entry in entries:
        _require_text(entry.path, entry.path)
    with zipfile.ZipFile(cast(Any, target), "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            meter.begin(entry.path)
            if entry.path:
                _write_member(
                    archive, entry, first[entry.target] if _is_link(entry) else entry, meter
                )


def _is_link(entry: Entry) -> bool:
    return entry.kind == "link"


def _write_member(archive: zipfile.ZipFile, entry: Entry, node: Entry, meter: Meter) -> None:
    info = _info(entry.path, node)
    if node.kind == "directory":
        archive.writestr(info, b"")
        return
    if node.kind == "symlink":
        archive.writestr(info, node.target.encode("utf-8", "surrogateescape"))
        return
    info.file_size = node.size
    with archive.open(info, "w", force_zip64=node.size >= _BEFORE_ZIP64) as member:
        end = 0
        for position, piece in node.read():
            _write_zeros(member, position - end)
            member.write(piece)
            end = position + len(piece)
            if not _is_link(entry):
                meter.add(len(piece))
        _write_zeros(member, node.size - end)


def _write_zeros(member: Any, count: int) -> None:
    while count > 0:
        member.write(bytes(min(count, CHUNK_SIZE)))
        count -= CHUNK_SIZE


def _info(path: str, node: Entry) -> zipfile.ZipInfo:
    kinds = {"directory": stat.S_IFDIR, "file": stat.S_IFREG, "symlink": stat.S_IFLNK}
    metadata = node.metadata
    assert metadata is not None
    seconds = metadata.mtime // _NANO
    try:
        local = time.localtime(seconds)[:6]
    except (OverflowError, OSError, ValueError):
        local = time.localtime(0)[:6]
    date = min(max(local, (1980, 1, 1, 0, 0, 0)), (2107, 12, 31, 23, 59, 58))
    info = zipfile.ZipInfo(path + "/" * (node.kind == "directory"), date)
    info.create_system = _UNIX
    info.external_attr = (kinds[node.kind] | metadata.mode) << 16
    if node.kind == "directory":
        info.external_attr |= _DIRECTORY_OF_DOS
    else:
        info.compress_type = zipfile.ZIP_DEFLATED
    if -(1 << 31) <= seconds < 1 << 31:
        info.extra = struct.pack("<HHBl", _TIMESTAMP, 5, _MODIFIED, seconds)
    return info


def _require_text(name: str, member: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ArchiveError("a zip archive cannot hold this name; use a tar", member) from error


# --- reading --------------------------------------------------------------------------------------


def read_zip(file: Any, owner: Owner) -> list[Entry]:
    """Return the entries of a zip archive, whose data is read later.

    Args:
        file: a seekable binary file.
        owner: whom the entries belong to; a zip archive does not say.

    Raises:
        ArchiveError: it is damaged, or holds what cannot be let in.

    Complexity: O(members). The data is not kept.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
        infos.sort(key=lambda info: info.header_offset)
        entries = {id(info): _entry(file, info, owner) for info in infos}
        _refuse_overlaps(file, infos)
        return arrange(entries.values(), last_wins=False)
    except ArchiveError:
        raise
    except _DAMAGE as error:
        raise ArchiveError(f"it is no zip archive, or a damaged one: {error}") from error


def _entry(file: Any, info: zipfile.ZipInfo, owner: Owner) -> Entry:
    name = info.filename
    if not name or (info.orig_filename != name and "\0" in info.orig_filename):
        raise ArchiveError("it has no name, or one with a NUL character", name)
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError("it is encrypted; decrypt it with another tool first", name)
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = stat.S_IFMT(mode)
    is_directory = name.endswith("/")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise ArchiveError("it is no file, directory or link, but a device, say", name)
    if kind and is_directory != (kind == stat.S_IFDIR):
        raise ArchiveError("it is a directory and something else too", name)
    if not 0 <= info.file_size <= LARGEST_FILE:
        raise ArchiveError("its size is none", name)
    time_ns = _time(info)
    permissions = mode & 0o7777 or (_DIRECTORY_MODE if is_directory else _FILE_MODE)
    metadata = Metadata(permissions, owner, time_ns, time_ns, time_ns)
    if is_directory:
        return Entry(name, "directory", metadata)
    pieces = partial(_pieces, file, info)
    _data_offset(file, info)
    if kind == stat.S_IFLNK:
        if not 0 < info.file_size <= PATH_MAX:
            raise ArchiveError("it is a symbolic link that says nothing, or too much", name)
        target = b"".join(piece for _, piece in pieces()).decode("utf-8", "surrogateescape")
        if "\0" in target:
            raise ArchiveError("it is a symbolic link with a NUL character", name)
        return Entry(name, "symlink", metadata, target)
    segments = [(0, info.file_size)] if info.file_size else []
    return Entry(name, "file", metadata, size=info.file_size, segments=segments, pieces=pieces)


def _time(info: zipfile.ZipInfo) -> int:
    """Return the time of modification in nanoseconds."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _TIMESTAMP and size >= 5 and len(extra) >= 9 and extra[4] & _MODIFIED:
            return int(struct.unpack_from("<l", extra, 5)[0]) * _NANO
        extra = extra[4 + size :]
    try:
        return int(time.mktime((*info.date_time, 0, 0, -1))) * _NANO
    except (OverflowError, ValueError):
        return 0


def _data_offset(file: Any, info: zipfile.ZipInfo) -> int:
    """Return where the data of a member begins; its own header must name it as the list does."""
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise ArchiveError("its header is damaged", info.filename)
    _, _, flags, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    name = file.read(name_length)
    encoding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
    if name != info.orig_filename.encode(encoding) or flags & _ENCRYPTED:
        raise ArchiveError("its header contradicts the list of members", info.filename)
    return int(info.header_offset + _LOCAL_HEADER.size + name_length + extra_length)


def _refuse_overlaps(file: Any, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share their data: how a small archive gets enormous."""
    end = 0
    for info in infos:
        if info.header_offset < end:
            raise ArchiveError("it overlaps another", info.filename)
        end = _data_offset(file, info) + info.compress_size


def _pieces(file: Any, info: zipfile.ZipInfo) -> Pieces:
    """Yield the data of a member, and not a byte more than it says."""
    compressed = _Part(file, _data_offset(file, info), info.compress_size)
    reader: Any = compressed
    if info.compress_type != zipfile.ZIP_STORED:
        reader = DecompressingReader(compressed, partial(_decompressor, info), many=False)
    check = position = 0
    try:
        while piece := reader.read(min(CHUNK_SIZE, info.file_size + 1 - position)):
            if position + len(piece) > info.file_size:
                raise ArchiveError("it is larger than it says", info.filename)
            check = crc32(piece, check)
            yield position, piece
            position += len(piece)
    except DamagedStreamError as error:
        raise ArchiveError(f"it is damaged: {error}; use another copy", info.filename) from error
    if position != info.file_size or check != info.CRC:
        raise ArchiveError("it is damaged: its size or checksum is wrong", info.filename)


def _decompressor(info: zipfile.ZipInfo) -> Decompressor:
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return Inflater(-MAX_WBITS)
    if info.compress_type == zipfile.ZIP_BZIP2:
        return new_decompressor("bz2")
    raise ArchiveError(
        f"its compression (method {info.compress_type}) is not known; make a zip archive with "
        "'deflate' of it",
        info.filename,
    )


class _Part:
    """A part of a file, from a position on; somebody else may move the file in between."""

    def __init__(self, file: Any, position: int, count: int) -> None:
        self._file = file
        self._position = position
        self._left = count

    def read(self, count: int) -> bytes:
        self._file.seek(self._position)
        data: bytes = self._file.read(min(count, self._left))
        self._position += len(data)
        self._left -= len(data)
        return data
