"""Databases with a -wal or a hot -journal beside them: merged as SQLite itself would."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmemfs_sqlite._courier.copy import opened_image
from dmemfs_sqlite._engine import journals
from dmemfs_sqlite._engine.image import read_header
from dmemfs_sqlite._engine.journals import UnreadableFileError, read_database_file
from tests.support.sqlite_databases import (
    Content,
    connect,
    content,
)

SUFFIXES = ("", "-wal", "-journal")


def copy_files(source: Path, target: Path) -> None:
    """Copy a database with its files, as a crash or a careless backup leaves them."""
    for suffix in SUFFIXES:
        for stale in (f"{target}{suffix}", f"{target}-shm"):
            if os.path.exists(stale):
                os.unlink(stale)
        if os.path.exists(f"{source}{suffix}"):
            shutil.copy(f"{source}{suffix}", f"{target}{suffix}")


def merged(file: Path) -> Content:
    """Return the content as we read it, and prove that nothing on disk has changed."""
    before = {path: path.read_bytes() for path in file.parent.iterdir()}
    image = read_database_file(str(file)).image
    assert {path: path.read_bytes() for path in file.parent.iterdir()} == before
    with opened_image(image, read_header(image)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return content(connection)


def recovered(file: Path) -> Content:
    """Return the content as SQLite itself recovers it, which changes the files."""
    with closing(connect(str(file))) as connection:
        return content(connection)


def steps(connection: sqlite3.Connection, seed: int) -> Iterator[None]:
    """Do random things in transactions of random sizes, and pause after each."""
    chance = random.Random(seed)
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    connection.execute("CREATE INDEX i ON t(b)")
    for _ in range(20):
        if not connection.in_transaction:
            connection.execute("BEGIN")
        action = chance.randrange(6)
        if action <= 2:
            rows = [(chance.randbytes(chance.choice([10, 500, 3000])),)] * chance.choice([1, 40])
            connection.executemany("INSERT INTO t(b) VALUES (?)", rows)
        elif action == 3:
            connection.execute("UPDATE t SET b = randomblob(600) WHERE a % 3 = 0")
        elif action == 4:
            connection.execute("DELETE FROM t WHERE a % 2 = ?", (chance.randrange(2),))
        yield
        if chance.random() < 0.6:
            connection.execute(chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]))
            if chance.random() < 0.2:
                connection.execute(chance.choice(["PRAGMA wal_checkpoint", "VACUUM"]))
        yield
    if connection.in_transaction:
        connection.execute("COMMIT")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("journal_mode", "page_size"),
    [("WAL", 512), ("WAL", 4096), ("DELETE", 512), ("PERSIST", 4096), ("TRUNCATE", 1024)],
)
def test_every_moment_is_read_as_sqlite_recovers_it(
    journal_mode: str, page_size: int, seed: int, tmp_path: Path
) -> None:
    live = tmp_path / "live" / "a.db"
    copied = tmp_path / "copied" / "a.db"
    live.parent.mkdir()
    copied.parent.mkdir()
    moments_with_files = 0
    with closing(connect(str(live))) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        # A small cache writes pages of transactions that are still open.
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 20")
        for _ in steps(connection, seed):
            copy_files(live, copied)
            if not copied.stat().st_size:
                continue
            found = merged(copied)
            moments_with_files += len(list(copied.parent.iterdir())) > 1
            assert found == recovered(copied)
    assert moments_with_files > 5


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """Return a database whose log holds ten transactions of one row each."""
    live, copied = tmp_path / "live.db", tmp_path / "copied" / "a.db"
    copied.parent.mkdir()
    with closing(connect(str(live))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t(a)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(10):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        copy_files(live, copied)
    return copied


def test_a_log_counts_up_to_its_first_damage(torn: Path) -> None:
    log = Path(f"{torn}-wal")
    whole = log.read_bytes()
    frame = journals.FRAME_HEADER_SIZE + 4096
    assert len(whole) == journals.WAL_HEADER_SIZE + 10 * frame
    for damage in (
        whole[: journals.WAL_HEADER_SIZE + 4 * frame + 100],
        flip(whole, journals.WAL_HEADER_SIZE + 4 * frame + 2000),
        flip(whole, journals.WAL_HEADER_SIZE + 4 * frame + 9),
    ):
        log.write_bytes(damage)
        found = merged(torn)
        assert found[0]["t"].rows == 4
        saved = torn.read_bytes()
        assert found == recovered(torn)
        torn.write_bytes(saved)


@pytest.mark.parametrize("damaged", [b"", b"\x00" * 31, b"\x00" * 5000, b"garbage" * 1000])
def test_a_log_that_is_none_is_left_out(damaged: bytes, torn: Path) -> None:
    Path(f"{torn}-wal").write_bytes(damaged)
    assert merged(torn)[0]["t"].rows == 0
    assert read_database_file(str(torn)).notes == []


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]


def test_logs_of_the_other_byte_order_are_read(torn: Path) -> None:
    """Write the same log as a machine of the other byte order does."""
    log = Path(f"{torn}-wal")
    whole = log.read_bytes()
    expected = merged(torn)
    (magic,) = struct.unpack_from(">I", whole)
    order = "<" if magic & 1 else ">"
    turned = bytearray(struct.pack(">I", magic ^ 1) + whole[4:24])

    def add(data: bytes, seed: tuple[int, int]) -> tuple[int, int]:
        return journals._wal_checksum(struct.unpack(f"{order}{len(data) // 4}I", data), seed)

    checksum = add(bytes(turned), (0, 0))
    turned += struct.pack(">II", *checksum)
    frame = journals.FRAME_HEADER_SIZE + 4096
    for start in range(journals.WAL_HEADER_SIZE, len(whole), frame):
        head, page = whole[start : start + 16], whole[start + 24 : start + frame]
        checksum = add(page, add(head[:8], checksum))
        turned += head + struct.pack(">II", *checksum) + page
    log.write_bytes(turned)
    assert merged(torn) == expected == recovered(torn)


def test_a_journal_of_several_files_counts_while_its_super_journal_exists(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    copied = tmp_path / "copied" / "one.db"
    copied.parent.mkdir()
    with closing(connect(str(one))) as connection:
        connection.execute("CREATE TABLE t(a, b)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (?, 'old')", [(n,) for n in range(500)])
        connection.execute("COMMIT")
        connection.execute("ATTACH ? AS two", (str(two),))
        connection.execute("CREATE TABLE two.u(a)")
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET b = 'new' || randomblob(300)")
        copy_files(one, copied)
        connection.execute("ROLLBACK")
    journal = Path(f"{copied}-journal")
    plain = journal.read_bytes()
    name = b"super-journal"
    ending = struct.pack(">II", len(name), sum(name)) + journals.JOURNAL_MAGIC
    journal.write_bytes(plain + struct.pack(">I", 0) + name + ending)
    # Its transaction has committed when the super-journal is gone.
    assert read_database_file(str(copied)).notes == []
    (copied.parent / "super-journal").write_bytes(b"one.db-journal\x00")
    assert len(read_database_file(str(copied)).notes) == 1
    assert merged(copied)[0]["t"].rows == 500


def test_a_file_that_never_rests_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        connection.execute("CREATE TABLE t(a)")

    def read_and_touch(path: str, *, required: bool = False) -> bytes:
        if required:
            os.utime(path, ns=(0, file.stat().st_mtime_ns + 1_000_000))
        return read(path, required=required)

    read = journals._read
    monkeypatch.setattr(journals, "_read", read_and_touch)
    with pytest.raises(UnreadableFileError, match="another program"):
        read_database_file(str(file))


@settings(max_examples=200)
@given(data=st.data())
def test_any_damage_to_the_files_beside_is_survived(
    data: st.DataObject, files_beside: dict[str, tuple[bytes, bytes]]
) -> None:
    suffix = data.draw(st.sampled_from(sorted(files_beside)))
    image, beside = files_beside[suffix]
    damaged = bytearray(beside)
    for _ in range(data.draw(st.integers(1, 5))):
        # Half of the damage in the first header, where most harm can be done.
        at = data.draw(st.integers(0, data.draw(st.sampled_from([64, len(damaged)]))))
        piece = data.draw(st.sampled_from([b"\x00" * 4, b"\xff" * 4, b"\x00\x01\x00\x00", b"x"]))
        cut = data.draw(st.sampled_from([len(piece), 0, len(damaged)]))
        damaged[at : at + cut] = piece
    merge = journals.apply_wal if suffix == "-wal" else journals.roll_back
    merged_image, pages = merge(image, bytes(damaged))
    assert pages >= 0
    assert len(merged_image) <= len(image) + len(damaged)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_file_beside_may_end_anywhere(
    suffix: str, files_beside: dict[str, tuple[bytes, bytes]]
) -> None:
    image, beside = files_beside[suffix]
    merge = journals.apply_wal if suffix == "-wal" else journals.roll_back
    _, all_pages = merge(image, beside)
    assert all_pages > 10
    former = 0
    # Around the headers of frames, and those of journals, which begin on sectors.
    starts = range(32, len(beside), 24 + 4096) if suffix == "-wal" else range(0, len(beside), 512)
    near = {start + by for start in starts for by in (-1, 0, 1, 24, 28)}
    for length in sorted(length for length in near if 0 <= length <= len(beside)):
        merged, pages = merge(image, beside[:length])
        assert former <= pages <= all_pages
        assert pages or merged[:100] == image[:100]
        former = pages


@pytest.fixture(scope="module")
def files_beside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """Return a database and the file beside it, for a log and for a journal."""
    found = {}
    for suffix, journal_mode in (("-wal", "WAL"), ("-journal", "DELETE")):
        file = tmp_path_factory.mktemp("beside") / "a.db"
        with closing(connect(str(file))) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal_mode}")
            connection.execute("CREATE TABLE t(a)")
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
            connection.execute("PRAGMA cache_size = 5")
            connection.execute("BEGIN")
            connection.execute("UPDATE t SET a = randomblob(100000)")
            if suffix == "-wal":
                connection.execute("COMMIT")
            found[suffix] = file.read_bytes(), Path(f"{file}{suffix}").read_bytes()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    return found
