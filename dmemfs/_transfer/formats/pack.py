"""Packs: a whole tree in one stream.

A pack is a tar archive in the form of POSIX.1-2001, which any tar can list and extract, with two
comments:

- The first one, in a global header before all else, says that this is a pack, its version, and how
  much is in it, so that what does not fit is refused before it is read.
- The last one, of the root directory, which comes a second time for that, holds the SHA-256 of all
  bytes before, so that nothing but the whole of what was written is accepted.

Between them stands an entry for each name: directories before what is in them, in the order of
`listdir`; the root is the first. Extended headers carry the times in nanoseconds and names that
are not UTF-8; holes are kept as GNU tar keeps them. A limit that a directory has of its own is the
record `DMEMFS.quota` of its entry, "bytes,nodes", each of them empty where there is none.

The stream may be compressed as a whole: by gzip, bzip2 or xz. The first comment then says by which,
and it is sealed: see `compression`. What another tool has compressed is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from ..._errors import PackError
from ..._nodes.blocks import BLOCK_SIZE
from ..._nodes.nodes import LARGEST_FILE
from ..._paths import PATH_MAX
from ..entries import CHUNK_SIZE, Entry, Metadata, Pieces, check_segments
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
from .pax import (
    DIRECTORY,
    END_OF_ARCHIVE,
    GLOBAL,
    RECORD_SIZE,
    TYPES,
    Header,
    decode_header,
    decode_map,
    decode_records,
    encode_global,
    encode_header,
    natural,
    padding,
    parse_time,
)
from .streams import Readable, Source, Target

VERSION = 1

_BEGINNING = re.compile(r"dmemfs pack (\d{1,9})(.*)", re.DOTALL)
_COUNTS = re.compile(r"; (\d{1,20}) nodes; (\d{1,20}) bytes(?:; (gzip|bz2|xz))?")
_KINDS = {letter: kind for kind, letter in TYPES.items()}
_QUOTA = "DMEMFS.quota"
_COMMENT = "comment"
_SPARSE_KEYWORDS = {f"GNU.sparse.{name}" for name in ("major", "minor", "name", "realsize")}
_KEYWORDS = _SPARSE_KEYWORDS | {"hdrcharset", "path", "linkpath", "size", "uid", "gid", _QUOTA}
_KEYWORDS |= {"mtime", "atime", "ctime"}


def write_pack(
    entries: Sequence[Entry], target: Target, compress: Compression | None, meter: Meter
) -> None:
    """Write a pack of these entries."""
    writer = CompressingWriter(target, compress, sealed=True)
    digest = hashlib.sha256()

    def write(data: bytes) -> None:
        digest.update(data)
        writer.write(data)

    nodes = sum(entry.kind != "link" for entry in entries)
    stored = sum(entry.stored for entry in entries)
    sealed = "" if compress is None else f"; {compress}"
    write(encode_global(f"dmemfs pack {VERSION}; {nodes} nodes; {stored} bytes{sealed}"))
    for entry in entries:
        meter.begin(entry.path)
        write(encode_header(entry, _quota_record(entry)))
        count = 0
        for _, piece in entry.read():
            write(piece)
            count += len(piece)
            meter.add(len(piece))
        if count:
            write(bytes(padding(count)))
    writer.write(_end(entries[0], digest.hexdigest()))
    writer.finish()


def _no_pack() -> PackError:
    return PackError("this is no pack; pack() makes one, and import_archive() reads other archives")


def _end(root: Entry, digest: str) -> bytes:
    comment = f"dmemfs pack ends; sha256 {digest}"
    return encode_header(root, {_COMMENT: comment.encode()}) + END_OF_ARCHIVE


def _quota_record(entry: Entry) -> dict[str, bytes]:
    if entry.quota is None:
        return {}
    limits = ",".join("" if limit is None else str(limit) for limit in entry.quota)
    return {_QUOTA: limits.encode()}


class PackReader:
    """Reads a pack, one entry after the other.

    Args:
        file: the stream, from its beginning; all of it is read, to its end.

    Attributes:
        nodes: how many files, directories and symbolic links the pack says it holds.
        stored: how many bytes of content it says it holds, without holes.

    Raises:
        PackError: it is no pack, or of a later version.
    """

    def __init__(self, file: Readable) -> None:
        source = Source(file)
        compression = compression_of(source.peek(LONGEST_MAGIC))
        self._compression = compression
        self._stream: Readable = source
        if compression is not None:
            self._stream = DecompressingReader(
                source, lambda: new_decompressor(compression), many=False
            )
        self._digest = hashlib.sha256()
        self._header_bytes = b""
        self.nodes, self.stored = self._read_beginning()

    def entries(self) -> Iterator[Entry]:
        """Yield the entries; the end of the stream has been checked when they end.

        The data of a file has to be read before the next entry is asked for.

        Raises:
            PackError: it is damaged, or not all of a pack.
        """
        nodes, stored = self.nodes, self.stored
        root: Entry | None = None
        while True:
            digest = self._digest.copy()
            header = self._header()
            if _COMMENT in header.records:
                break
            entry = self._entry(header, stored)
            nodes -= entry.kind != "link"
            stored -= entry.stored
            if nodes < 0 or stored < 0:
                raise PackError("the pack holds more than it says; it is damaged")
            if root is None:
                if entry.kind != "directory" or entry.path:
                    raise PackError("the pack is damaged: its root is not the first entry")
                root = entry
            yield entry
        if nodes or stored or root is None:
            raise PackError("the pack holds less than it says; it is damaged")
        end = _end(root, digest.hexdigest())
        # One byte more than there should be, to see that nothing follows.
        if self._header_bytes + self._read_up_to(len(END_OF_ARCHIVE) + 1) != end:
            raise PackError(
                "the pack is damaged: its checksum or its end is not the one of what it holds; "
                "use another copy"
            )

    def _read_beginning(self) -> tuple[int, int]:
        try:
            block = self._read_up_to(RECORD_SIZE)
            if len(block) < RECORD_SIZE:
                raise _no_pack()
            self._digest.update(block)
            header = decode_header(block, self._take)
            if header.type != GLOBAL:
                raise _no_pack()
            comment = decode_records(header, self._take).get(_COMMENT, b"").decode()
        except ValueError as error:
            if isinstance(error, PackError):
                raise
            raise _no_pack() from error
        match = _BEGINNING.fullmatch(comment)
        if match is None:
            raise _no_pack()
        if int(match[1]) != VERSION:
            raise PackError(
                f"this pack has version {match[1]}, and what is installed reads version "
                f"{VERSION}; upgrade to read it"
            )
        counts = _COUNTS.fullmatch(match[2])
        if counts is None:
            raise PackError("the beginning of the pack is damaged; use another copy")
        if isinstance(self._stream, DecompressingReader) and counts[3] == self._compression:
            self._stream.sealed_as = self._compression  # else another tool has compressed it
        return int(counts[1]), int(counts[2])

    def _header(self) -> Header:
        """Read a header; keep its bytes."""
        self._header_bytes = b""
        try:
            return decode_header(self._take_header(RECORD_SIZE), self._take_header)
        except PackError:
            raise
        except ValueError as error:
            raise PackError(f"the pack is damaged: {error}; use another copy") from error

    def _take_header(self, count: int) -> bytes:
        data = self._take(count)
        self._header_bytes += data
        return data

    def _entry(self, header: Header, most_bytes: int) -> Entry:
        try:
            return self._entry_of(header, most_bytes)
        except PackError:
            raise
        except ValueError as error:
            raise PackError(f"the pack is damaged: {error}; use another copy") from error

    def _entry_of(self, header: Header, most_bytes: int) -> Entry:
        records = header.records
        if header.type not in _KINDS or not records.keys() <= _KEYWORDS:
            raise ValueError("an entry of an unknown kind")
        kind = _KINDS[header.type]
        stored = natural(records.get("size", b"%d" % header.size))
        if stored and kind != "file":
            raise ValueError("an entry with data that is no file")
        path = _text(records.get("GNU.sparse.name", records.get("path", header.path)))
        if not path.startswith("./") or (path.endswith("/") and header.type != DIRECTORY):
            raise ValueError(f"the path {path!r}")
        path = path[2:].removesuffix("/")
        target = _text(records.get("linkpath", header.link))
        if kind == "link":
            if not target.startswith("./"):
                raise ValueError(f"the path {target!r}")
            target = target[2:]
        elif (kind == "symlink") != bool(target) or len(target) > PATH_MAX:
            raise ValueError(f"the link target {target!r}")
        entry = Entry(path, kind, self._metadata(header) if kind != "link" else None, target)
        if _QUOTA in records and kind != "directory":
            raise ValueError("limits of what is no directory")
        if kind != "file":
            return entry._replace(quota=_quota(records.get(_QUOTA)))
        size = stored
        segments = [(0, stored)] if stored else []
        if "GNU.sparse.realsize" in records:
            size = natural(records["GNU.sparse.realsize"])
            # What lies between two holes is at least a block, the end of the file aside.
            segments, taken = decode_map(size, self._take, most_bytes // BLOCK_SIZE + 1)
            stored -= taken
        plain = entry._replace(size=size, segments=segments)
        entry = plain._replace(pieces=lambda: self._pieces(plain))
        if size > LARGEST_FILE or not check_segments(segments, size) or entry.stored != stored:
            raise ValueError(f"the holes of {path!r}")
        return entry

    def _metadata(self, header: Header) -> Metadata:
        records = header.records
        uid, gid = header.owner
        owner = (natural(records.get("uid", b"%d" % uid)), natural(records.get("gid", b"%d" % gid)))
        if header.mode > 0o7777 or not all(0 <= value < 1 << 32 for value in owner):
            raise ValueError("the mode or the owner of an entry")
        times = [
            parse_time(records.get(name, b"").decode()) for name in ("atime", "mtime", "ctime")
        ]
        return Metadata(header.mode, owner, *times)

    def _pieces(self, entry: Entry) -> Pieces:
        for start, length in entry.segments:
            for position in range(start, start + length, CHUNK_SIZE):
                yield position, self._take(min(CHUNK_SIZE, start + length - position))
        self._take(padding(entry.stored))

    def _take(self, count: int) -> bytes:
        data = self._read(count)
        self._digest.update(data)
        return data

    def _read(self, count: int) -> bytes:
        data = self._read_up_to(count)
        if len(data) < count:
            raise PackError("the pack ends too early; use another copy")
        return data

    def _read_up_to(self, count: int) -> bytes:
        try:
            return self._stream.read(count)
        except DamagedStreamError as error:
            raise PackError(f"the pack is damaged: {error}; use another copy") from error


def _text(name: bytes) -> str:
    if b"\0" in name:
        raise ValueError("a name with a NUL character")
    return name.decode("utf-8", "surrogateescape")


def _quota(value: bytes | None) -> tuple[int | None, int | None] | None:
    if value is None:
        return None
    match = re.fullmatch(rb"(\d{0,19}),(\d{0,19})", value)
    if match is None:
        raise ValueError("the limits of a directory")
    return (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)
