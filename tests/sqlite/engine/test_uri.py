"""What URIs mean to SQLite, proven by opening them, and which of them are refused."""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import UnsafeURIError, explain_uri, load_db, memory_uri, save_db
from dmemfs_sqlite._engine.uri import memdb_is_sound

ENGINES: tuple[Literal["memdb", "shared-cache"], ...] = ("memdb", "shared-cache")
_numbers = itertools.count()


def observed(uri: str, directory: Path) -> tuple[str, bool]:
    """Open a URI twice: where is its database, and is it the same one?"""
    former = Path.cwd()
    os.chdir(directory)
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=0)) as first,
            closing(sqlite3.connect(uri, uri=True, timeout=0)) as second,
        ):
            first.execute("CREATE TABLE t(a)")
            first.commit()
            shared = bool(second.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        files = [path for path in directory.iterdir() if path.is_file()]
        for path in files:
            path.unlink()
        return ("disk" if files else "memory"), shared
    except sqlite3.OperationalError:
        return "nowhere", False
    finally:
        os.chdir(former)


REFUSED = [
    ("x", "does not begin with 'file:'"),
    ("x.db?mode=memory&cache=shared", "does not begin with 'file:'"),
    ("FILE:x?mode=memory&cache=shared", "lower case"),
    ("File:/x?vfs=memdb", "lower case"),
    ("file:x#?mode=memory&cache=shared", "'#'"),
    ("file:/x#?vfs=memdb", "after '#'"),
    ("file:x#mode=Memory", "after '#'"),
    ("file:x#y", "neither vfs=memdb nor"),
    ("file:x?cache=shared", "neither vfs=memdb nor"),
    ("file:x?vfs=unix", "vfs=unix is not a file system in memory"),
    ("file:x?cache=shared&amp;mode=memory", "'&amp;'"),
    ("file:x%3fmode=memory&cache=shared", "'%3f'"),
    ("file:x%3Fmode=memory&cache=shared", "'%3f'"),
    ("file:x?mode=Memory&cache=shared", "no such access mode: Memory"),
    ("file:x?mode=memory&cache=Shared", "no such cache mode: Shared"),
    ("file:x?mode=memory&mode=rwc&cache=shared", "the last mode="),
    ("file:x?vfs=memdb", "leading slash"),
    ("file:/?vfs=memdb", "leading slash"),
    ("file:/x?vfs=memdb&cache=shared", "waiting"),
    ("file:/x?vfs=memdb&mode=ro", "read-only"),
    ("file:/x?vfs=memdb&mode=memory", "cache=shared"),
    ("file:x?mode=memory", "cache=shared"),
    ("file:x?mode=memory&cache=private", "cache=shared"),
    ("file::memory:", "cache=shared"),
    ("file:?mode=memory&cache=shared", "without a name"),
    ("file:%00x?mode=memory&cache=shared", "without a name"),
    ("file://host/x?mode=memory&cache=shared", "authority"),
    ("file:x", "file on disk"),
    ("file:/x?vfs=unix", "vfs=unix"),
    ("file:x?MODE=memory&cache=shared", "file on disk"),
    ("", "temporary file"),
    ("file:", "temporary file"),
]


@pytest.mark.parametrize(("uri", "reason"), REFUSED)
def test_load_db_refuses_what_reaches_the_disk_or_is_private(
    uri: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fs = MemoryFileSystem()
    with closing(sqlite3.connect(":memory:")) as connection:
        save_db(fs, "/a.db", connection)
    with pytest.raises(UnsafeURIError) as caught:
        load_db(fs, "/a.db", uri)
    assert reason in str(caught.value)
    assert caught.value.uri == uri
    assert list(tmp_path.iterdir()) == []
    # What the message says to write is taken.
    assert caught.value.suggestion is not None
    load_db(fs, "/a.db", caught.value.suggestion).close()


ACCEPTED = [
    "file:/x?vfs=memdb",
    "file:///x?vfs=memdb",
    "file://localhost/x?vfs=memdb",
    "file:%2Fx?vfs=memdb",
    "file:/x?vfs=memdb&mode=rwc",
    "file:/a%20b%3F%23%26%25?vfs=memdb",
    "file:x?mode=memory&cache=shared",
    "file:/x?mode=memory&cache=shared",
    "file:x?cache=shared&mode=memory#fragment",
    "file::memory:?cache=shared",
    "file://localhost/x?mode=memory&cache=shared",
    "file:x?cache=shared&mode=rwc&mode=memory",
    "file:x%3fy?mode=memory&cache=shared",
]


@pytest.mark.parametrize("uri", ACCEPTED)
def test_load_db_takes_every_spelling_of_a_shared_database_in_memory(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fs = MemoryFileSystem()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("CREATE TABLE t(a); INSERT INTO t VALUES (42);")
        save_db(fs, "/a.db", connection)
    with (
        closing(load_db(fs, "/a.db", uri)),
        closing(sqlite3.connect(uri, uri=True)) as second,
    ):
        assert second.execute("SELECT a FROM t").fetchall() == [(42,)]
    assert explain_uri(uri).shared
    assert list(tmp_path.iterdir()) == []


def test_a_private_connection_may_be_asked_for_by_name() -> None:
    fs = MemoryFileSystem()
    with closing(sqlite3.connect(":memory:")) as connection:
        save_db(fs, "/a.db", connection)
    load_db(fs, "/a.db", ":memory:").close()
    assert not explain_uri(":memory:").shared


@pytest.mark.parametrize("wrong", [None, 3, b"file:/x?vfs=memdb", Path("x.db")])
def test_a_uri_is_text(wrong: object) -> None:
    with pytest.raises(TypeError):
        load_db(MemoryFileSystem(), "/a.db", wrong)  # type: ignore[arg-type]


pieces = st.sampled_from(
    (
        *("mode=memory", "mode=rwc", "mode=Memory", "cache=shared", "cache=private"),
        *("vfs=memdb", "vfs=nope", "vfs=unix", "amp;mode=memory", "=x", "", "mode"),
        *("mode=memory%00y", "%6dode=memory", "x=y=z"),
    )
)
paths = st.sampled_from(
    (
        *("file:x", "file:/x", "file:", "file::memory:", "file:/", "FILE:x", "x", "file:%2fx"),
        *("file:%00", "file:x%3f", "file:x%", "file:x%2", "file:x%zz"),
        *("file://localhost/x", "file://h/x"),
    )
)


@settings(max_examples=300)
@given(path=paths, query=st.lists(pieces, max_size=4), end=st.sampled_from(["", "#", "#&mode=rwc"]))
def test_the_explanation_is_what_happens(
    path: str, query: list[str], end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Own names, so that neither an earlier example nor the root directory is reached.
    number = f"n{next(_numbers)}"
    path = path.replace("/x", f"/{number}").replace("%2fx", f"%2f{number}")
    uri = f"{path}{'?' if query else ''}{'&'.join(query)}{end}"
    explanation = explain_uri(uri)
    if explanation.place == "disk" and explanation.name.startswith("/"):
        return
    directory = tmp_path_factory.mktemp("uri")
    place, shared = observed(uri, directory)
    if explanation.place == "disk" and not explanation.shared:
        # A temporary file has no name in any directory.
        assert (place, shared) == ("memory", False)
    else:
        assert (explanation.place, explanation.shared) == (place, shared)
    assert (explanation.problem is None) == (explanation.engine is not None or uri == ":memory:")


@given(name=st.text(min_size=1).filter(lambda name: "\x00" not in name))
@pytest.mark.parametrize("engine", ["memdb", "shared-cache"])
def test_any_name_makes_a_uri_that_is_shared_memory(
    engine: Literal["memdb", "shared-cache"], name: str
) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    if len(name.encode()) > 1000 or (engine == "memdb" and not memdb_is_sound()):
        return
    explanation = explain_uri(memory_uri(name, engine=engine))
    assert explanation.problem is None
    assert explanation.engine == engine
    assert explanation.name == ("/" + name if engine == "memdb" else name)


def test_two_names_are_two_databases(tmp_path: Path) -> None:
    names = ["a", "/a", "a ", "A", "a/b", "a?b", "a#b", "%61", ":memory:", "é"]
    for engine in ENGINES:
        connections = []
        for name in names:
            uri = memory_uri(name, engine=engine)
            connections.append(sqlite3.connect(uri, uri=True))
            connections[-1].execute("CREATE TABLE only_once(a)")
            connections[-1].commit()
        for connection in connections:
            connection.close()


def test_the_longest_name_opens_on_both_engines() -> None:
    for engine in ENGINES:
        with closing(sqlite3.connect(memory_uri("é" * 500, engine=engine), uri=True)) as connection:
            connection.execute("CREATE TABLE t(a)")


@pytest.mark.parametrize("name", ["", "a\x00b", "x" * 1001])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        memory_uri(name)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="engine"):
        memory_uri("a", engine="tmpfs")  # type: ignore[arg-type]


def test_the_probe_decides_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmemfs_sqlite._engine.uri.memdb_is_sound", lambda: True)
    assert memory_uri("a") == "file:/a?vfs=memdb"
    monkeypatch.setattr("dmemfs_sqlite._engine.uri.memdb_is_sound", lambda: False)
    assert memory_uri("a") == "file:a?mode=memory&cache=shared"
    assert "memdb of this SQLite" in str(explain_uri("file:/a?vfs=memdb").problem)


def test_the_probe_finds_what_two_connections_find() -> None:
    uri = "file:/probe-test?vfs=memdb"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as one,
        closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as two,
    ):
        one.execute("CREATE TABLE t(a)")
        two.execute("BEGIN")
        try:
            two.execute("SELECT * FROM t").fetchall()
            one.execute("BEGIN EXCLUSIVE")
            sound = False
        except sqlite3.OperationalError as error:
            sound = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    assert memdb_is_sound() == sound
