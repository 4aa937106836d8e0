"""The headers of the tar format, in the form of POSIX.1-2001 (pax).

What is written here, every tar of today reads; what is read here is what is written here, and
nothing else: whatever differs is damage. (For the archives of others there is `tarfile`.)

The format is that of "pax Interchange Format" in POSIX.1-2017 (XCU, pax), with GNU tar's sparse
files in version 1.0 ("Storing Sparse Files" in its manual).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..._paths import encode
from ..entries import Entry, Kind, Segment

RECORD_SIZE = 512
END_OF_ARCHIVE = bytes(2 * RECORD_SIZE)

FILE, LINK, SYMLINK, DIRECTORY, EXTENDED, GLOBAL = "0", "1", "2", "5", "x", "g"
TYPES: dict[Kind, str] = {"file": FILE, "link": LINK, "symlink": SYMLINK, "directory": DIRECTORY}

_LONGEST_EXTENSION = 1 << 16
_NAME_SIZE = 100
_SIZE_LIMIT = 8**11
_ID_LIMIT = 8**7
_NANO = 1_000_000_000
_TIME = re.compile(r"(-?)(\d{1,19})(?:\.(\d{1,9})\d*)?", re.ASCII)
_LATEST = (1 << 63) * _NANO
_TOP = "./"
_SPARSE_NAME = b"./GNUSparseFile.0/file"  # what a tar makes that knows nothing of holes


class Header(NamedTuple):
    """What one header says.

    Attributes:
        type: one of the constants above.
        path: the name in the fixed part.
        size: bytes of what follows.
        link: the link target in the fixed part.
        mode, owner, mtime: of the fixed part; the time in seconds.
        records: the extended header before it.
    """

    type: str
    path: bytes
    size: int
    link: bytes
    mode: int
    owner: tuple[int, int]
    mtime: int
    records: dict[str, bytes]


def padding(size: int) -> int:
    """Return how many zeros follow `size` bytes of data."""
    return -size % RECORD_SIZE


def format_time(nanoseconds: int) -> str:
    """Return a time in seconds, exactly."""
    seconds, fraction = divmod(abs(nanoseconds), _NANO)
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{seconds}.{fraction:09}" if fraction else f"{sign}{seconds}"


def parse_time(text: str) -> int:
    """Return the nanoseconds of a time in seconds; what is finer is cut off.

    Raises:
        ValueError: it is no such time, or one that does not fit into 64 bits of seconds.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    sign, seconds, fraction = match.groups()
    nanoseconds = int(seconds) * _NANO + int((fraction or "").ljust(9, "0"))
    if nanoseconds >= _LATEST:
        raise ValueError(f"{text!r} is no time")
    return -nanoseconds if sign else nanoseconds


# --- writing --------------------------------------------------------------------------------------


def encode_global(comment: str) -> bytes:
    """Return a header that says something of the archive as a whole."""
    body = _encode_records({"comment": comment.encode()})
    return _fixed(GLOBAL, b"./PaxHeaders/global", len(body)) + _padded(body)


def encode_header(entry: Entry, extra: dict[str, bytes] | None = None) -> bytes:
    """Return all that stands before the data of an entry, its map of holes included.

    Args:
        entry: the entry.
        extra: further records of the extended header.
    """
    records: dict[str, bytes] = {}
    path = encode(_TOP + entry.path)
    if entry.kind == "directory" and entry.path:
        path += b"/"
    link = encode(_TOP + entry.target if entry.kind == "link" else entry.target)
    sparse_map = b""
    size = entry.stored if entry.kind == "file" else 0
    if entry.kind == "file" and size != entry.size:
        sparse_map = _padded(_encode_map(entry.segments, entry.size))
        size += len(sparse_map)
        records["GNU.sparse.major"] = b"1"
        records["GNU.sparse.minor"] = b"0"
        records["GNU.sparse.name"] = path
        records["GNU.sparse.realsize"] = b"%d" % entry.size
        path = _SPARSE_NAME
    elif not _fits(path):
        records["path"] = path
    if not _fits(link):
        records["linkpath"] = link
    if any(not _is_utf8(value) for value in records.values()):
        records = {"hdrcharset": b"BINARY"} | records
    if size >= _SIZE_LIMIT:
        records["size"] = b"%d" % size
    mode, owner, mtime = 0o644, (0, 0), 0
    if entry.metadata is not None:
        mode, owner, atime, exact, ctime = entry.metadata
        records["mtime"] = format_time(exact).encode()
        records["atime"] = format_time(atime).encode()
        records["ctime"] = format_time(ctime).encode()
        for name, value in zip(("uid", "gid"), owner, strict=True):
            if value >= _ID_LIMIT:
                records[name] = b"%d" % value
        mtime = exact // _NANO
    records |= extra or {}
    header = b""
    if records:
        body = _encode_records(records)
        header = _fixed(EXTENDED, b"./PaxHeaders/entry", len(body)) + _padded(body)
    type_ = TYPES[entry.kind]
    return header + _fixed(type_, path, size, link, mode, owner, mtime) + sparse_map


def _encode_map(segments: Sequence[Segment], size: int) -> bytes:
    pairs = list(segments)
    if not pairs or sum(pairs[-1]) < size:
        pairs.append((size, 0))  # as GNU tar tells where the last hole ends
    numbers = [len(pairs), *(number for pair in pairs for number in pair)]
    return b"".join(b"%d\n" % number for number in numbers)


def _encode_records(records: dict[str, bytes]) -> bytes:
    """Return records as "length keyword=value\\n", where the length counts itself."""
    result = []
    for keyword, value in records.items():
        rest = b" " + keyword.encode() + b"=" + value + b"\n"
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        result.append(b"%d" % length + rest)
    return b"".join(result)


def _fixed(
    type_: str,
    path: bytes,
    size: int,
    link: bytes = b"",
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    mtime: int = 0,
) -> bytes:
    """Return the fixed part of a header; what does not fit stands in the extended one."""
    uid, gid = (value if value < _ID_LIMIT else 0 for value in owner)
    block = b"".join(
        (
            path[:_NAME_SIZE].ljust(_NAME_SIZE, b"\0"),
            b"%07o\0" % mode,
            b"%07o\0" % uid,
            b"%07o\0" % gid,
            b"%011o\0" % (size if size < _SIZE_LIMIT else 0),
            b"%011o\0" % (mtime if 0 <= mtime < _SIZE_LIMIT else 0),
            b" " * 8,
            type_.encode(),
            link[:_NAME_SIZE].ljust(_NAME_SIZE, b"\0"),
            b"ustar\00000",
            bytes(247),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _fits(name: bytes) -> bool:
    return len(name) <= _NAME_SIZE and name.isascii()


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _padded(data: bytes) -> bytes:
    return data + bytes(padding(len(data)))


# --- reading --------------------------------------------------------------------------------------


def decode_header(block: bytes, read: Callable[[int], bytes]) -> Header:
    """Return what a header says.

    Args:
        block: its first record.
        read: gives so many bytes of what follows; raises at the end.

    Raises:
        ValueError: it is none that was written here.
    """
    header = _decode_fixed(block)
    if header.type != EXTENDED:
        return header
    records = decode_records(header, read)
    following = _decode_fixed(read(RECORD_SIZE))
    if following.type == EXTENDED:
        raise ValueError("an extended header follows an extended header")
    return following._replace(records=records)


def decode_records(header: Header, read: Callable[[int], bytes]) -> dict[str, bytes]:
    """Return the records of an extended or global header."""
    if header.size > _LONGEST_EXTENSION:
        raise ValueError(f"an extended header of {header.size:,} bytes")
    body = read(header.size + padding(header.size))[: header.size]
    records: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        digits, _, _ = body[at : at + 8].partition(b" ")
        length = natural(digits)
        record = body[at + len(digits) + 1 : at + length]
        keyword, equals, value = record.partition(b"=")
        name = keyword.decode("ascii")
        if not equals or not value.endswith(b"\n") or at + length > len(body) or name in records:
            raise ValueError("an extended header is damaged")
        records[name] = value[:-1]
        at += length
    return records


def decode_map(size: int, read: Callable[[int], bytes], most: int) -> tuple[list[Segment], int]:
    """Return the segments of a sparse file, and how many bytes their map takes.

    Args:
        size: the length of the file.
        read: gives so many bytes of what follows.
        most: the most segments that there may be.
    """
    text = b""
    taken = 0
    numbers: list[int] = []
    while not numbers or len(numbers) < 2 * numbers[0] + 1:
        line, newline, text = text.partition(b"\n")
        if newline:
            numbers.append(natural(line))
            if numbers[0] > most + 1:
                raise ValueError(f"a file in {numbers[0]:,} pieces")
        else:
            text = line + read(RECORD_SIZE)
            taken += RECORD_SIZE
            if len(text) > 2 * RECORD_SIZE:
                raise ValueError("a map of holes is damaged")
    if text.strip(b"\0"):
        raise ValueError("a map of holes is damaged")
    pairs = list(zip(numbers[1::2], numbers[2::2], strict=True))
    if pairs and pairs[-1] == (size, 0):
        del pairs[-1]
    if any(not count for _, count in pairs):
        raise ValueError("a map of holes is damaged")
    return pairs, taken


def _decode_fixed(block: bytes) -> Header:
    unsigned = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if block[148:156] != b"%06o\0 " % unsigned or block[257:265] != b"ustar\00000":
        raise ValueError("a header is damaged")
    return Header(
        type=chr(block[156]),
        path=block[:100].rstrip(b"\0"),
        size=_octal(block[124:136]),
        link=block[157:257].rstrip(b"\0"),
        mode=_octal(block[100:108]),
        owner=(_octal(block[108:116]), _octal(block[116:124])),
        mtime=_octal(block[136:148]),
        records={},
    )


def _octal(field: bytes) -> int:
    digits = field[:-1]
    if field[-1:] != b"\0" or not digits.isdigit():
        raise ValueError("a header is damaged")
    return int(digits, 8)


def natural(digits: bytes) -> int:
    """Return the number that these digits, and nothing else, stand for."""
    if not digits.isdigit() or len(digits) > 20:
        raise ValueError(f"{digits!r} is no number")
    return int(digits)
