"""Tar archives as lists of members that can be changed, and put together with right checksums."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from hypothesis import strategies as st

from tests.support.fuzzing import INTERESTING, NAMES

RECORD = 512
_END = bytes(2 * RECORD)

FIELDS = {
    "name": (0, 100), "mode": (100, 108), "uid": (108, 116), "gid": (116, 124),
    "size": (124, 136), "mtime": (136, 148), "type": (156, 157), "link": (157, 257),
    "magic": (257, 265), "owner": (265, 297), "group": (297, 329), "device": (329, 345),
    "prefix": (345, 500), "sparse": (386, 483),
}  # fmt: skip
KEYWORDS = (
    "path", "linkpath", "size", "uid", "gid", "mtime", "atime", "ctime", "comment", "hdrcharset",
    "DMEMFS.quota", "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name",
    "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.offset",
    "GNU.sparse.numbytes", "GNU.sparse.numblocks", "unknown",
)  # fmt: skip
NUMBERS = st.one_of(
    INTERESTING.map(lambda number: b"%d" % number),
    st.sampled_from([b"-1", b"1.5", b"1e9", b"", b" 7", b"+7", b"7 ", b"\xb2", b"1_0", b"0x10"]),
    st.sampled_from([b"9" * 5000, b"inf", b"nan", b"-9223372037.5", b"1." + b"0" * 400, b"1,2"]),
)


class Member:
    """A header with what follows it.

    Attributes:
        header: the record itself.
        records: if it is an extended header, what it says, as keyword and value.
        data: whatever follows, without the zeros behind it.
        size: the size that the header tells; None for that of what follows.
    """

    def __init__(self, header: bytes, data: bytes) -> None:
        self.header = bytearray(header)
        self.data = data
        self.is_extension = header[156:157] in (b"x", b"g")
        self.records = _records_of(data) if self.is_extension else []
        self.size: int | None = None

    def copy(self) -> Member:
        twin = copy.copy(self)
        twin.header, twin.records = bytearray(self.header), list(self.records)
        return twin

    def encode(self) -> bytes:
        data = b"".join(map(_record, self.records)) if self.is_extension else self.data
        header = bytearray(self.header)
        if self.is_extension or self.size is not None:
            size = len(data) if self.size is None else self.size
            header[124:136] = _octal(size, 12)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header) + data + bytes(-len(data) % RECORD)


def _records_of(body: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while body:
        length = int(body.partition(b" ")[0])
        keyword, _, value = body[:length].partition(b" ")[2][:-1].partition(b"=")
        found.append((keyword, value))
        body = body[length:]
    return found


def _record(record: tuple[bytes, bytes]) -> bytes:
    rest = b" " + b"=".join(record) + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return b"%d" % length + rest


def _octal(number: int, width: int) -> bytes:
    digits = b"%0*o\0" % (width - 1, number)
    if len(digits) == width:
        return digits
    # As GNU tar does it: binary, with the topmost bit set.
    return b"\x80" + number.to_bytes(16, "big")[17 - width :]


def members_of(archive: bytes) -> list[Member]:
    """Take a sound archive apart."""
    members = []
    at = 0
    while archive[at : at + RECORD].strip(b"\0"):
        header = archive[at : at + RECORD]
        size = int(header[124:135], 8)
        members.append(Member(header, archive[at + RECORD : at + RECORD + size]))
        at += RECORD + size + -size % RECORD
    return members


def put_together(members: list[Member]) -> bytes:
    return b"".join(member.encode() for member in members) + _END


def sealed(members: list[Member]) -> bytes:
    """Put a pack together whose comments tell the right number of nodes and the right checksum.

    If it still has them.
    """
    nodes = sum(member.header[156:157] in b"025" and not member.is_extension for member in members)
    if members[0].records and members[0].records[0][1].startswith(b"dmemfs pack 1; "):
        keyword, value = members[0].records[0]
        stored = value.rpartition(b"; ")[2]
        members[0].records[0] = (keyword, b"dmemfs pack 1; %d nodes; %s" % (nodes - 1, stored))
    last = [at for at, member in enumerate(members) if member.is_extension and at]
    if last:
        at = last[-1]
        digest = hashlib.sha256(b"".join(member.encode() for member in members[:at])).hexdigest()
        members[at].records = [
            (key, b"dmemfs pack ends; sha256 " + digest.encode())
            if value.startswith(b"dmemfs pack ends; sha256 ") else (key, value)
            for key, value in members[at].records
        ]  # fmt: skip
    return put_together(members)


@st.composite
def altered(draw: st.DrawFn, members: list[Member], *, protected: int = 0) -> list[Member]:
    """Return members with a few changes: in fields, in extended headers, in their order.

    Args:
        draw: what draws.
        members: those of a sound archive.
        protected: how many of the last ones stay.
    """
    changed = [member.copy() for member in members]
    for _ in range(draw(st.integers(1, 3))):
        most = len(changed) - protected
        if most < 1:
            break
        at = draw(st.integers(0, most - 1))
        other = draw(st.integers(0, most - 1))
        how = draw(st.sampled_from(["field", "field", "record", "record", "data", *_MOVES]))
        if how == "field":
            _alter_field(draw, changed[at])
        elif how == "record":
            _alter_record(draw, changed[at])
        elif how == "data":
            changed[at].data = draw(
                st.one_of(st.binary(max_size=40), st.just(changed[at].data * 2))
            )
        else:
            start, end = _entry_at(changed, at, most)
            entry = [member.copy() for member in changed[start:end]]
            place, _ = _entry_at(changed, other, most)
            if how != "double":
                del changed[start:end]
                place -= (end - start) * (place > start)
            if how != "remove":
                changed[place:place] = entry
    return changed


def _entry_at(members: list[Member], at: int, most: int) -> tuple[int, int]:
    """Return from where to where an entry goes, with the extended headers before it."""
    start = end = at
    while start and members[start - 1].is_extension:
        start -= 1
    while end < most - 1 and members[end].is_extension:
        end += 1
    return start, end + 1


_MOVES = ("remove", "double", "move")


def _alter_field(draw: st.DrawFn, member: Member) -> None:
    name = draw(st.sampled_from(sorted(FIELDS)))
    start, end = FIELDS[name]
    width = end - start
    value: Any
    if name == "size" and draw(st.booleans()):
        member.size = draw(INTERESTING)
        return
    if name in ("name", "link", "prefix"):
        value = draw(NAMES)
    elif name == "type":
        value = draw(st.sampled_from([bytes([byte]) for byte in b"012345679xgXLKSDMVN\0 "]))
    elif name == "magic":
        value = draw(st.sampled_from([b"ustar  \0", b"ustar\x0000", b"ustar\x0001", bytes(8)]))
    else:
        value = draw(
            st.one_of(
                INTERESTING.map(lambda number: _octal(number, width)),
                st.sampled_from([b"", b"-1", b" 7\0", b"8", b"\xff" * width, b"\x80" * width]),
                st.binary(max_size=width),
            )
        )
    member.header[start:end] = value[:width].ljust(width, b"\0")


def _alter_record(draw: st.DrawFn, member: Member) -> None:
    keyword = draw(st.sampled_from(KEYWORDS)).encode()
    value = draw(st.one_of(NUMBERS, NAMES))
    if not member.is_extension:
        return
    records = member.records
    at = draw(st.integers(0, len(records)))
    if at == len(records):
        records.append((keyword, value))
    elif draw(st.booleans()):
        records[at] = (records[at][0], value)
    elif draw(st.booleans()):
        records[at] = (keyword, records[at][1])
    else:
        del records[at]
