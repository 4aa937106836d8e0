"""The committed state of a database file that has a -wal or a hot -journal beside it.

SQLite would merge them by writing to the disk; here they are merged into a copy of the
bytes, so that somebody else's file is only read. Both formats are those of
https://www.sqlite.org/fileformat2.html and are proven by their checksums before use.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

WAL_MAGIC = (0x377F0682, 0x377F0683)
WAL_HEADER_SIZE = 32
FRAME_HEADER_SIZE = 24
JOURNAL_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_JOURNAL_HEADER = struct.Struct(">8sIIIII")
_ATTEMPTS = 5


class UnreadableFileError(Exception):
    """Raised for a path that is not a readable, resting regular file; the text says why."""


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """The committed content of a database file on disk.

    Attributes:
        image: The bytes, with -wal and -journal merged in.
        notes: One sentence for each file beside it that mattered.
    """

    image: bytes
    notes: list[str] = field(default_factory=list)


def read_database_file(path: str) -> DatabaseFile:
    """Read a database file and what belongs to it, and write nothing.

    Args:
        path: Path on the disk of this machine.

    Raises:
        UnreadableFileError: Missing, a directory, no permission, or written to meanwhile.
    """
    names = [path, path + "-wal", path + "-journal"]
    for _ in range(_ATTEMPTS):
        before = [_state(name) for name in names]
        image = _read(path, required=True)
        wal, journal = _read(names[1]), _read(names[2])
        if before == [_state(name) for name in names]:
            break
    else:
        raise UnreadableFileError("another program is writing to it just now; try again later")
    return _merge(path, image, wal, journal)


def _merge(path: str, image: bytes, wal: bytes, journal: bytes) -> DatabaseFile:
    if not image:
        return DatabaseFile(image)
    notes = []
    # The order is SQLite's own: a transaction that was cut off is undone first.
    if _is_hot(path, journal):
        image, pages = roll_back(image, journal)
        if pages:
            notes.append(
                f"{os.path.basename(path)}-journal: an unfinished transaction was undone in the "
                f"copy ({pages:,} pages); both files on disk stay as they are"
            )
    image, pages = apply_wal(image, wal)
    if pages:
        notes.append(
            f"{os.path.basename(path)}-wal: {pages:,} committed pages were read along; "
            f"both files on disk stay as they are"
        )
    return DatabaseFile(image, notes)


def apply_wal(image: bytes, wal: bytes) -> tuple[bytes, int]:
    """Return the image after all whole transactions of a write-ahead log, and their pages."""
    pages: dict[int, memoryview] = {}
    pending: dict[int, memoryview] = {}
    page_size = page_count = 0
    for number, count_after_commit, content in _valid_frames(wal):
        page_size = len(content)
        pending[number] = content
        if count_after_commit:
            pages.update(pending)
            pending.clear()
            page_count = count_after_commit
    if not pages:
        return image, 0
    merged = bytearray(page_size * page_count)
    kept = min(len(image), len(merged))
    merged[:kept] = image[:kept]
    for number, content in pages.items():
        if number <= page_count:
            merged[(number - 1) * page_size : number * page_size] = content
    return bytes(merged), len(pages)


def _valid_frames(wal: bytes) -> Iterator[tuple[int, int, memoryview]]:
    """Yield page number, pages after commit (0: not yet), content, up to the first bad frame."""
    if len(wal) < WAL_HEADER_SIZE:
        return
    magic, _version, page_size = struct.unpack_from(">III", wal)
    if magic not in WAL_MAGIC or not _is_page_size(page_size):
        return
    words = struct.Struct(f"{'>' if magic & 1 else '<'}{page_size // 4}I")
    head = struct.Struct(f"{'>' if magic & 1 else '<'}6I")
    salts = wal[16:24]
    checksum = _wal_checksum(head.unpack_from(wal), (0, 0))
    if struct.pack(">II", *checksum) != wal[24:32]:
        return
    view = memoryview(wal)
    step = FRAME_HEADER_SIZE + page_size
    for start in range(WAL_HEADER_SIZE, len(wal) - step + 1, step):
        number, count_after_commit = struct.unpack_from(">II", wal, start)
        if not number or wal[start + 8 : start + 16] != salts:
            return
        checksum = _wal_checksum(head.unpack_from(wal, start)[:2], checksum)
        checksum = _wal_checksum(words.unpack_from(wal, start + FRAME_HEADER_SIZE), checksum)
        if struct.pack(">II", *checksum) != wal[start + 16 : start + 24]:
            return
        yield number, count_after_commit, view[start + FRAME_HEADER_SIZE : start + step]


def _wal_checksum(words: tuple[int, ...], seed: tuple[int, int]) -> tuple[int, int]:
    first, second = seed
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _is_hot(path: str, journal: bytes) -> bool:
    """Tell whether the journal belongs to a transaction that never committed."""
    if not journal.startswith(JOURNAL_MAGIC):
        # Absent, or finished: journal_mode=PERSIST overwrites the header with zeros.
        return False
    name = super_journal(journal)
    if name is None:
        return True
    # A transaction over several files committed when its super-journal was deleted.
    return os.path.exists(os.path.join(os.path.dirname(path), name))


def super_journal(journal: bytes) -> str | None:
    """Return the name of the super-journal that a journal ends with, None if it has none."""
    if not journal.endswith(JOURNAL_MAGIC) or len(journal) < 20:
        return None
    length, checksum = struct.unpack_from(">II", journal, len(journal) - 16)
    name = journal[max(0, len(journal) - 16 - length) : len(journal) - 16]
    # SQLite adds up C chars, which are signed where it usually runs.
    total = sum(byte - 256 if byte > 127 else byte for byte in name) & 0xFFFFFFFF
    if not length or len(name) != length or total != checksum:
        return None
    return os.fsdecode(name)


def roll_back(image: bytes, journal: bytes) -> tuple[bytes, int]:
    """Return the image as it was before the transaction of a rollback journal, and its pages."""
    if len(journal) < _JOURNAL_HEADER.size:
        return image, 0
    _, _, _, page_count, sector_size, page_size = _JOURNAL_HEADER.unpack_from(journal)
    if not _is_page_size(page_size) or sector_size < 32:
        return image, 0
    # Every page that the file had then is still in it, or else in the journal.
    most = min(page_count, (len(image) + len(journal)) // page_size)
    restored = bytearray(image)
    played = 0
    for number, content in _journal_records(journal, sector_size, page_size):
        if number <= most:
            end = number * page_size
            restored.extend(bytes(max(0, end - len(restored))))
            restored[end - page_size : end] = content
            played += 1
    del restored[page_count * page_size :]
    return bytes(restored), played


def _journal_records(
    journal: bytes, sector_size: int, page_size: int
) -> Iterator[tuple[int, bytes]]:
    """Yield number and former content of pages, up to the first one that was torn."""
    step = page_size + 8
    offset = 0
    while offset + _JOURNAL_HEADER.size <= len(journal):
        magic, records, nonce, *_ = _JOURNAL_HEADER.unpack_from(journal, offset)
        if magic != JOURNAL_MAGIC:
            return
        offset += sector_size
        whole = max(0, len(journal) - offset) // step
        # 0xFFFFFFFF was written without sync: the length of the file is all there is to know.
        for _ in range(min(records, whole)):
            number, checksum = struct.unpack_from(f">I{page_size}xI", journal, offset)
            content = journal[offset + 4 : offset + 4 + page_size]
            # Every 200th byte from the end, but never the first: so SQLite defines it.
            total = nonce + sum(content[page_size - 200 : 0 : -200])
            if not number or total & 0xFFFFFFFF != checksum:
                return
            yield number, content
            offset += step
        # Every sync of the journal begins a new header, on a sector of its own.
        offset = -(-offset // sector_size) * sector_size


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65536 and size & (size - 1) == 0


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableFileError(_reason(error)) from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: str, *, required: bool = False) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFileError("is a directory, not a database file")
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for a writer for ever.
            raise UnreadableFileError("is not a regular file")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        if required:
            raise UnreadableFileError(_reason(error)) from error
        return b""
    except OSError as error:
        raise UnreadableFileError(_reason(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
