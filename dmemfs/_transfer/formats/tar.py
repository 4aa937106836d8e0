"""Reading tar archives of any origin, and writing them."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..._errors import ArchiveError
from ..._nodes.nodes import LARGEST_FILE
from ..entries import CHUNK_SIZE, Entry, Metadata, Pieces, Segment, check_segments
from ..progress import Meter
from .compression import (
    LONGEST_MAGIC,
    CompressingWriter,
    Compression,
    DamagedStreamError,
    DecompressingReader,
    compression_of,
    new_decompressor,
)
from .members import arrange
from .pax import END_OF_ARCHIVE, RECORD_SIZE, encode_header, padding, parse_time
from .streams import Source, Target

_MOST_METADATA = 1 << 20
_MOST_PADDING = 1 << 20  # a tar is padded to the size of what was a block of a tape
_DAMAGE = (
    tarfile.TarError,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
    AttributeError,
    TypeError,
)


def write_tar(
    entries: Sequence[Entry], target: Target, compress: Compression | None, meter: Meter
) -> None:
    """Write a tar archive of these entries."""
    writer = CompressingWriter(target, compress)
    for entry in entries:
        meter.begin(entry.path)
        writer.write(encode_header(entry))
        for _, piece in entry.read():
            writer.write(piece)
            meter.add(len(piece))
        writer.write(bytes(padding(entry.stored)))
    writer.write(END_OF_ARCHIVE)
    writer.finish()


def read_tar(
    file: Any, require: Callable[[int], object], otherwise: str = "no tar archive"
) -> list[Entry]:
    """Return the entries of a tar archive, compressed or not, whose data is read later.

    Args:
        file: a seekable binary file, at the beginning of the archive.
        require: raises if so many bytes do not fit. It is asked before each member is skipped, so
            that a small archive of enormous members is not decompressed for hours.
        otherwise: what the file is, if it is no tar archive.

    Raises:
        ArchiveError: it is damaged, or holds what cannot be let in.

    Complexity: O(bytes) if compressed, else O(members). The data is not kept.
    """
    window = _Window(file)
    try:
        with tarfile.TarFile(
            fileobj=window,  # type: ignore[arg-type]
            mode="r",
            tarinfo=tarfile.TarInfo,
            encoding="utf-8",
            errors="surrogateescape",
        ) as archive:
            return arrange(_members(archive, window, require), last_wins=True)
    except ArchiveError:
        raise
    except _DAMAGE as error:
        raise ArchiveError(f"it is {otherwise}, or a damaged one: {error}") from error


def _members(
    archive: tarfile.TarFile, window: _Window, require: Callable[[int], object]
) -> Iterator[Entry]:
    stored = 0
    while True:
        before = archive.offset
        window.allow(_MOST_METADATA)
        info: Any = archive.next()
        archive.members = []  # type: ignore[attr-defined]
        if info is None:
            break
        if info.size < 0 or archive.offset < before:
            raise ArchiveError("its size is negative", info.name)
        common = archive.pax_headers
        if common and sum(map(len, (*common, *common.values()))) > _MOST_METADATA:
            raise ArchiveError("it says more about itself than it may", info.name)
        entry = _entry(info, window, archive.offset)
        stored += entry.stored
        require(stored)
        yield entry
    window.allow(RECORD_SIZE)
    window.seek(archive.offset)
    end = window.read(RECORD_SIZE)
    # tarfile takes a damaged header for the end.
    if end.strip(b"\0") or len(end) < RECORD_SIZE:
        raise ArchiveError("it is damaged, or not all of an archive; use another copy")
    window.finish()


def _entry(info: Any, window: _Window, end: int) -> Entry:
    name = info.name
    if info.isdir():
        return Entry(name, "directory", _metadata(info))
    if info.islnk():
        return Entry(name, "link", None, info.linkname)
    if info.issym():
        if not info.linkname or "\0" in info.linkname:
            raise ArchiveError("it is a symbolic link that says nothing", name)
        return Entry(name, "symlink", _metadata(info), info.linkname)
    if not info.isreg():
        raise ArchiveError("it is no file, directory or link, but a device, say", name)
    segments: list[Segment] = [(0, info.size)] if info.size else []
    if info.sparse is not None:
        segments = [(int(start), int(count)) for start, count in info.sparse if count]
    stored = sum(count for _, count in segments)
    if (
        info.size > LARGEST_FILE
        or not check_segments(segments, info.size)
        or padding(stored) != end - info.offset_data - stored
    ):
        raise ArchiveError("its size or its holes contradict each other", name)

    def pieces() -> Pieces:
        window.seek(info_offset)
        for start, length in segments:
            for position in range(start, start + length, CHUNK_SIZE):
                count = min(CHUNK_SIZE, start + length - position)
                window.allow(count)
                piece = window.read(count)
                if len(piece) < count:
                    raise ArchiveError("the archive ends in the middle of it", name)
                yield position, piece

    info_offset = info.offset_data
    return Entry(name, "file", _metadata(info), size=info.size, segments=segments, pieces=pieces)


def _metadata(info: Any) -> Metadata:
    if not (0 <= info.uid < 1 << 32 and 0 <= info.gid < 1 << 32):
        raise ArchiveError("its owner is no number of 32 bits", info.name)
    mtime = _time(info, "mtime", info.mtime)
    return Metadata(
        info.mode & 0o7777,
        (info.uid, info.gid),
        _time(info, "atime", mtime / 1e9) if "atime" in info.pax_headers else mtime,
        mtime,
        mtime,
    )


def _time(info: Any, name: str, seconds: float) -> int:
    try:
        return parse_time(info.pax_headers.get(name) or f"{seconds:.9f}")
    except ValueError as error:
        raise ArchiveError(f"its {name} is none", info.name) from error


class _Window:
    """The tar archive in a file, decompressed: read in bounded amounts, sought forward mostly.

    What tarfile reads at once, and how much for one member's headers, an archive decides: so it
    has an allowance.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start: int = file.tell()
        self._position = 0
        self._allowed = _MOST_METADATA
        self._compression = compression_of(Source(file).read(LONGEST_MAGIC))
        self._reader: Callable[[int], bytes]
        self._rewind()

    def allow(self, count: int) -> None:
        """Let so many bytes be read from now on."""
        self._allowed = count

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if self._compression is None:
            self._file.seek(self._start + position)
            self._position = position
            return position
        if position < self._position:
            self._rewind()
        while self._position < position:
            count = len(self._read(min(CHUNK_SIZE, position - self._position)))
            if not count:
                break
        self._position = position
        return position

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self._allowed:
            raise ArchiveError("it is damaged: a header of it is longer than any may be")
        self._allowed -= count
        return self._read(count)

    def finish(self) -> None:
        """Read what follows the end of a compressed archive: the checksum comes behind it."""
        if self._compression is not None:
            self.allow(_MOST_PADDING + 1)
            if len(self.read(_MOST_PADDING + 1)) > _MOST_PADDING:
                raise ArchiveError("something follows its end; use another copy")

    def _read(self, count: int) -> bytes:
        try:
            data = self._reader(count)
        except DamagedStreamError as error:
            raise ArchiveError(f"it is damaged: {error}; use another copy") from error
        self._position += len(data)
        return data

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._position = 0
        source = Source(self._file)
        compression = self._compression
        if compression is None:
            self._reader = source.read
        else:
            self._reader = DecompressingReader(
                source, lambda: new_decompressor(compression), many=True
            ).read
