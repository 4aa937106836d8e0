"""What the bytes of a SQLite database file say about themselves."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER_SIZE = 100
MAGIC = b"SQLite format 3\x00"
ENCODINGS = {1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}

# The two bytes that say which journal the last writer used: 1 rollback, 2 WAL.
VERSIONS = slice(18, 20)
ROLLBACK_VERSIONS = b"\x01\x01"


class BadImageError(ValueError):
    """Raised for bytes that cannot be a whole SQLite database."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The fields of the 100-byte database header that the adapter uses.

    Attributes:
        page_size: Bytes per page, a power of two from 512 to 65536.
        page_count: Pages of the database; the file may be longer than they are.
        wal: Whether the database was last written in WAL mode.
        reserved: Bytes at the end of every page that SQLite leaves to extensions.
        encoding: "UTF-8", "UTF-16le" or "UTF-16be".
        auto_vacuum: "none", "full" or "incremental".
        user_version: The integer that applications set by PRAGMA user_version.
        application_id: The integer that applications set by PRAGMA application_id.
        freelist_count: Unused pages inside the file.
        sqlite_version: Version of the library that wrote the file last, as "3.40.1".
    """

    page_size: int
    page_count: int
    wal: bool
    reserved: int
    encoding: str
    auto_vacuum: str
    user_version: int
    application_id: int
    freelist_count: int
    sqlite_version: str

    @property
    def size(self) -> int:
        """Bytes that the database takes: page size times page count."""
        return self.page_size * self.page_count


def read_header(image: bytes | bytearray | memoryview) -> ImageHeader:
    """Prove that the bytes begin as a database and are as long as it says.

    Args:
        image: The whole file.

    Returns:
        The header; `size` of it is how much of the file belongs to the database.

    Raises:
        BadImageError: With one clause that says what is wrong.
    """
    length = len(image)
    if length == 0:
        raise BadImageError("the file is empty (0 bytes), no database was ever written to it")
    start = bytes(image[: len(MAGIC)])
    if start != MAGIC[: len(start)]:
        raise BadImageError(
            "not a SQLite database, or an encrypted one (it does not begin with 'SQLite format 3')"
        )
    if length < HEADER_SIZE:
        raise BadImageError(f"truncated: {length} bytes, but the header alone takes {HEADER_SIZE}")
    raw = bytes(image[:HEADER_SIZE])
    page_size = 65536 if raw[16:18] == b"\x00\x01" else int.from_bytes(raw[16:18], "big")
    if not (512 <= page_size <= 65536 and page_size & (page_size - 1) == 0):
        raise BadImageError(f"damaged header: a page size of {page_size} bytes is not possible")
    if raw[21:24] != b"\x40\x20\x20" or not {raw[18], raw[19]} <= {1, 2}:
        raise BadImageError("damaged header, or written by a version of SQLite still to come")
    change_counter, pages = struct.unpack_from(">II", raw, 24)
    (freelist_count,) = struct.unpack_from(">I", raw, 36)
    largest_root, encoding, user_version, incremental, application_id = struct.unpack_from(
        ">IIiIi", raw, 52
    )
    valid_for, version = struct.unpack_from(">II", raw, 92)
    # Libraries before 3.7.0 leave the page count stale: then the length is the only truth.
    if pages == 0 or valid_for != change_counter:
        pages = length // page_size
        if pages == 0 or length % page_size:
            raise BadImageError(
                f"truncated: {length} bytes are not a whole number of {page_size}-byte pages"
            )
    if pages * page_size > length:
        raise BadImageError(
            f"truncated: {length} bytes, but {pages} pages of {page_size} bytes take "
            f"{pages * page_size}"
        )
    if encoding not in (0, *ENCODINGS):
        raise BadImageError(f"damaged header: {encoding} is no text encoding")
    return ImageHeader(
        page_size=page_size,
        page_count=pages,
        wal=raw[VERSIONS] != ROLLBACK_VERSIONS,
        reserved=raw[20],
        # 0 stands in a database without any schema, which takes the default.
        encoding=ENCODINGS.get(encoding, "UTF-8"),
        auto_vacuum="none" if not largest_root else "incremental" if incremental else "full",
        user_version=user_version,
        application_id=application_id,
        freelist_count=freelist_count,
        sqlite_version=f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}",
    )
