"""Zip archives whose headers can be made to say anything."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from typing import Any

from hypothesis import strategies as st

from tests.support.fuzzing import INTERESTING, NAMES

# Signature, then where each field is in it and how it is packed.
CENTRAL = {
    "made by": (4, "<H"), "needs": (6, "<H"), "flags": (8, "<H"), "method": (10, "<H"),
    "time": (12, "<H"), "date": (14, "<H"), "crc": (16, "<I"), "compressed": (20, "<I"),
    "size": (24, "<I"), "name length": (28, "<H"), "extra length": (30, "<H"),
    "comment length": (32, "<H"), "disk": (34, "<H"), "attributes": (38, "<I"),
    "offset": (42, "<I"),
}  # fmt: skip
LOCAL = {
    "needs": (4, "<H"), "flags": (6, "<H"), "method": (8, "<H"), "time": (10, "<H"),
    "crc": (14, "<I"), "compressed": (18, "<I"), "size": (22, "<I"), "name length": (26, "<H"),
    "extra length": (28, "<H"),
}  # fmt: skip
END = {
    "disk": (4, "<H"), "entries here": (8, "<H"), "entries": (10, "<H"), "length": (12, "<I"),
    "offset": (16, "<I"), "comment length": (20, "<H"),
}  # fmt: skip
SIGNATURES = {b"PK\1\2": CENTRAL, b"PK\3\4": LOCAL, b"PK\5\6": END}

KINDS = st.sampled_from(
    [0, stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, stat.S_IFCHR, 0xF000]
)
TARGETS = st.sampled_from([b"a", b"d/a", b"../a", b"d/../..", b"/etc", b".", b"l/..", b"x" * 5000])
EXTRAS = st.one_of(
    st.just(b""),
    INTERESTING.map(lambda n: struct.pack("<HHQQQ", 1, 24, n % 2**64, 1, 1)),  # the zip64 one
    st.integers(-(1 << 31), (1 << 31) - 1).map(lambda n: struct.pack("<HHBl", 0x5455, 5, 1, n)),
    st.sampled_from(
        [struct.pack("<HH", 0x5455, 5), struct.pack("<HHB", 0x7075, 1, 1), b"\1", b"\0" * 7]
    ),
)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Return an archive of a few members, with names that mean well and names that do not."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for _ in range(draw(st.integers(1, 4))):
            info = zipfile.ZipInfo("x")
            info.filename = draw(NAMES).decode("utf-8", "replace")
            mode = draw(KINDS)
            info.external_attr = mode << 16
            info.create_system = draw(st.sampled_from([0, 3, 3]))
            info.extra = draw(EXTRAS)
            data = draw(TARGETS if stat.S_ISLNK(mode) else st.binary(max_size=30))
            method = draw(st.sampled_from([0, 8, 12]))
            archive.NameToInfo.clear()  # it warns of names that come twice
            archive.writestr(info, data * draw(st.sampled_from([1, 1, 40])), method)
    return stream.getvalue()


@st.composite
def altered(draw: st.DrawFn, data: bytes) -> bytes:
    """Return an archive with some of its header fields changed."""
    changed = bytearray(data)
    headers = [
        (at, fields)
        for signature, fields in SIGNATURES.items()
        for at in _places(data, signature)
    ]  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        at, fields = draw(st.sampled_from(headers))
        place, form = fields[draw(st.sampled_from(sorted(fields)))]
        place += at
        size = struct.calcsize(form)
        (former,) = struct.unpack_from(form, changed, place)
        value: Any = draw(
            st.one_of(
                INTERESTING,
                st.sampled_from([former + 1, former - 1, former * 2, former ^ 1, former ^ 8]),
                st.sampled_from([where for where, _ in headers]),
            )
        )
        struct.pack_into(form, changed, place, value % (1 << 8 * size))
    return bytes(changed)


def _places(data: bytes, signature: bytes) -> list[int]:
    found = []
    at = data.find(signature)
    while at >= 0:
        if at + 46 <= len(data) or signature == b"PK\5\6":
            found.append(at)
        at = data.find(signature, at + 1)
    return found
