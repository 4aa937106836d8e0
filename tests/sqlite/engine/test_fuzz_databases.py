"""Databases and URIs made to do harm: refused by SQLite's errors and ours, and nothing else."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import (
    DatabaseTemplate,
    IncompatibleTargetError,
    SharedDatabase,
    SnapshotError,
    UnsafeURIError,
    explain_uri,
    load_db,
    memory_uri,
)
from dmemfs_sqlite._engine.uri import require_memory_uri
from tests.support.fuzzing import FOR_LONG, INTERESTING, examples, flipped, nothing_on_disk  # noqa: F401
from tests.support.sqlite_databases import content, unique_uri

pytestmark = FOR_LONG

PATH = "/app.db"
PAGE = 512
QUOTA = 2 << 20
MARK = "zz-fuzz"
# sqlite3 decodes what a damaged database says, names and error messages included.
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)

# --- URIs -----------------------------------------------------------------------------------------

SCHEMES = st.sampled_from(
    ["file:", "file:/", "file:///", "file://localhost/", "FILE:", "", "file:./"]
)
NAMES = st.lists(
    st.sampled_from([MARK, ":memory:", "%3f", "%00", "%2e", "%zz", "%", " ", "\N{SNOWMAN}", "%C3"]),
    min_size=1,
    max_size=3,
).map("".join)
KEYS = ["mode", "cache", "vfs", "immutable", "nolock", "psow", "%6dode", "MODE", "amp;mode", ""]
VALUES = ["memory", "ro", "rwc", "shared", "private", "memdb", "unix", "none such", "1", "0", ""]
VALUES += ["%6demory", "memdb%00x", "shared#", "memory&", "?"]
OPTIONS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["=", "", "=="]), st.sampled_from(VALUES)).map(
        "".join
    ),
    max_size=4,
)
URIS = st.one_of(
    st.tuples(SCHEMES, NAMES, st.sampled_from(["?", "#", "", "??"]), OPTIONS.map("&".join)).map(
        "".join
    ),
    st.tuples(SCHEMES, NAMES, OPTIONS).map(
        lambda parts: (
            f"{parts[0]}{parts[1]}?" + "&".join([*parts[2], "mode=memory", "cache=shared"])
        )
    ),
    st.tuples(NAMES, OPTIONS).map(
        lambda parts: f"file:/{parts[0]}?" + "&".join(["vfs=memdb", *parts[1]])
    ),
    st.text(max_size=12),
)


@examples(100)
@given(uri=URIS)
def test_what_is_said_of_a_uri_is_what_happens(uri: str) -> None:
    explanation = explain_uri(uri)
    accepted = explanation.problem is None
    if not accepted:
        with pytest.raises(UnsafeURIError) as caught:
            require_memory_uri(uri)
        assert explain_uri(caught.value.suggestion or "").problem is None
    if explanation.place == "disk":
        return  # it would make a file
    try:
        with closing(sqlite3.connect(uri, uri=True)) as one:
            one.execute("CREATE TABLE t(a)")
            with closing(sqlite3.connect(uri, uri=True)) as two:
                shared = two.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
            assert explanation.place == "memory"
            assert shared == explanation.shared
    except (sqlite3.OperationalError, ValueError):
        assert not accepted or "\0" in uri or not uri.isprintable()
    assert not [name for name in os.listdir("/") if MARK in name]


@examples(20)
@given(name=st.text(max_size=400))
def test_any_name_becomes_a_uri_or_is_refused(name: str) -> None:
    with suppress(ValueError):
        uri = memory_uri(name)
        assert explain_uri(uri).problem is None
        assert explain_uri(uri).name.lstrip("/") == name or explain_uri(uri).name == f"/{name}"


LIVE_NAMES = st.one_of(
    st.text(alphabet="ab/.%?#&=: \N{SNOWMAN}\udce9", max_size=12),
    st.text(max_size=8),
    st.sampled_from(["d", "d/", "d/e.db", "..", "x" * 247, "x" * 256, "x/" * 2100, ":memory:"]),
    st.binary(max_size=8),
)


@examples(40)
@given(path=LIVE_NAMES)
def test_any_path_is_a_live_database_there_or_refused(path: Any) -> None:
    fs = MemoryFileSystem()
    fs.mkdir("/d")
    try:
        connection = dmemfs_sqlite.connect(fs, path)
    except (ValueError, sqlite3.OperationalError):
        assert fs.export_tree() == {}
        return
    with closing(connection):
        connection.execute("CREATE TABLE t(a)")
    assert len(fs.export_tree()) == 1
    fs._check()


@pytest.mark.parametrize("path", ["/", "//", "..", "/d", "/d/", "/d/..", "/d/.", "/missing/.."])
def test_a_directory_is_no_database(path: str) -> None:
    """The root too, which has no name below which a file could be made."""
    fs = MemoryFileSystem()
    fs.mkdir("/d")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        dmemfs_sqlite.connect(fs, path)
    assert fs.listdir("/") == ["d"]
    fs._check()


# --- images ---------------------------------------------------------------------------------------

HEADER = {
    16: 2, 18: 1, 19: 1, 20: 1, 21: 1, 22: 1, 23: 1, 24: 4, 28: 4, 32: 4, 36: 4, 40: 4, 44: 4,
    48: 4, 52: 4, 56: 4, 60: 4, 64: 4, 68: 4, 92: 4, 96: 4,
}  # fmt: skip
"""Where the fields of a database header are, and how many bytes they have."""

PAGE_HEADER = {0: 1, 1: 2, 3: 2, 5: 2, 7: 1, 8: 4, 12: 2, 14: 2, 16: 2}
"""Those of a page of a tree, and its first cells."""


def build(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"""
        PRAGMA page_size = {PAGE};
        PRAGMA auto_vacuum = INCREMENTAL;
        CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB);
        CREATE INDEX by_b ON t(b);
        CREATE TABLE keyed(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
        CREATE VIEW seen AS SELECT b FROM t WHERE a > 3;
        CREATE TRIGGER more AFTER INSERT ON t BEGIN REPLACE INTO keyed VALUES (new.a, 1); END;
        """
    )
    rows = [(f"text {number}", bytes(number * 60)) for number in range(30)]
    connection.executemany("INSERT INTO t(b, c) VALUES (?, ?)", rows)
    connection.execute("DELETE FROM t WHERE a % 5 = 0")
    connection.commit()


@cache
def files(journal: str) -> dict[str, bytes]:
    """Return a database with a hot journal or a log, as a crash leaves them."""
    fs = MemoryFileSystem()
    with closing(dmemfs_sqlite.connect(fs, PATH, isolation_level=None)) as connection:
        build(connection)
        connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("INSERT INTO t(b) VALUES ('in the log')")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET c = randomblob(900)")
        return fs.clone().export_tree()


IMAGE = files("delete")[PATH]


@st.composite
def altered_images(draw: st.DrawFn, image: bytes) -> bytes:
    """Return a database with fields of its headers changed, and otherwise as SQLite made it."""
    changed = bytearray(image)
    for _ in range(draw(st.integers(1, 3))):
        page = 0
        fields, base = HEADER, 0
        if draw(st.booleans()):
            page = draw(st.integers(0, len(image) // PAGE - 1))
            fields, base = PAGE_HEADER, page * PAGE + (100 if page == 0 else 0)
        at = draw(st.sampled_from(sorted(fields)))
        size = fields[at]
        former = int.from_bytes(changed[base + at : base + at + size], "big")
        value = draw(st.one_of(INTERESTING, st.sampled_from([former + 1, former ^ 1, former * 2])))
        changed[base + at : base + at + size] = (value % (1 << 8 * size)).to_bytes(size, "big")
    return bytes(changed)


IMAGES = st.one_of(
    altered_images(IMAGE), altered_images(IMAGE), flipped(IMAGE), st.binary(max_size=200),
    st.binary(max_size=600).map(lambda data: IMAGE[:100] + data),
)  # fmt: skip


@examples(20)
@given(image=IMAGES, check=st.sampled_from(["quick", "full", None]))
def test_images_are_loaded_whole_or_refused(image: bytes, check: Any) -> None:
    fs = MemoryFileSystem(max_quota=QUOTA)
    fs.write_bytes(PATH, image)
    uri = unique_uri()
    with closing(sqlite3.connect(uri, uri=True)) as keeper:
        keeper.executescript("CREATE TABLE old(a); INSERT INTO old VALUES (1)")
        before = content(keeper)
        try:
            load_db(fs, PATH, uri, check=check).close()
        except (SnapshotError, IncompatibleTargetError):
            assert content(keeper) == before
        except DAMAGE:
            assert check is None
        else:
            if check == "full":
                assert keeper.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert fs.read_bytes(PATH) == image
    assert fs.listdir("/") == [PATH[1:]]
    fs._check()


STATEMENTS = (
    "SELECT * FROM sqlite_master", "PRAGMA quick_check", "SELECT count(b), max(c) FROM t",
    "SELECT * FROM seen ORDER BY b", "SELECT * FROM keyed", "INSERT INTO t(b) VALUES ('new')",
    "UPDATE t SET b = b || 'x' WHERE a < 9", "DELETE FROM t WHERE a = 7", "PRAGMA wal_checkpoint",
    "CREATE TABLE fresh(a)", "PRAGMA incremental_vacuum", "ROLLBACK", "REINDEX", "VACUUM",
)  # fmt: skip
_MOST_STEPS = 3000


def use(fs: MemoryFileSystem) -> None:
    """Do all that a program may do to a database; damage is the only excuse."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    with suppress(*DAMAGE), closing(dmemfs_sqlite.connect(fs, PATH)) as connection:
        connection.set_progress_handler(count, 1000)
        for statement in STATEMENTS:
            with suppress(*DAMAGE):
                connection.execute(statement).fetchall()
    assert steps <= _MOST_STEPS, "the work is not bounded by the size of the database"


def use_and_check(fs: MemoryFileSystem) -> None:
    fs.write_bytes("/other", b"not SQLite's")
    with fs.snapshot() as snapshot:
        before = fs.export_tree()
        use(fs)
        fs._check()
        assert fs.usage("/").bytes <= QUOTA
        assert fs.read_bytes("/other") == b"not SQLite's"
        assert {name.partition("-")[0] for name in fs.listdir("/")} <= {PATH[1:], "other"}
        fs.restore(snapshot)
        assert fs.export_tree() == before
    fs._check()


@examples(20)
@given(image=IMAGES)
def test_a_damaged_database_harms_nothing_but_itself(image: bytes) -> None:
    fs = MemoryFileSystem(max_quota=QUOTA)
    fs.write_bytes(PATH, image)
    use_and_check(fs)


@examples(15)
@given(journal=st.sampled_from(["delete", "wal"]), data=st.data())
def test_a_damaged_journal_harms_nothing_but_its_database(
    journal: str, data: st.DataObject
) -> None:
    fs = MemoryFileSystem(max_quota=QUOTA)
    for path, image in files(journal).items():
        is_journal = path != PATH
        if is_journal or data.draw(st.booleans()):
            image = data.draw(flipped(image) if is_journal else altered_images(image))
        fs.write_bytes(path, image)
    use_and_check(fs)


@examples(10)
@given(image=IMAGES)
def test_templates_and_shared_databases_of_damaged_images(image: bytes) -> None:
    fs = MemoryFileSystem(max_quota=QUOTA)
    with (
        suppress(*DAMAGE),
        DatabaseTemplate.from_bytes(fs, image) as template,
        closing(template.connect()) as connection,
    ):
        connection.execute("SELECT * FROM sqlite_master").fetchall()
    fs.write_bytes(PATH, image)
    shared = SharedDatabase(fs, PATH)
    with suppress(SnapshotError):
        shared.connect().close()
        shared.close()
    assert not shared.in_memory
    assert shared.connections == 0
    fs._check()
