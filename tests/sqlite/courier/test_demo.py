"""The demo on its own sample, on foreign databases of every kind, and on bad files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs_sqlite import save_db
from dmemfs_sqlite._cli import main
from dmemfs_sqlite._demo.demo import DemoError, run_demo
from tests.support.programs import started

PROJECT = Path(__file__).resolve().parents[3]


def run(file: Path | str | None) -> str:
    lines: list[str] = []
    run_demo(None if file is None else str(file), lines.append)
    return "".join(lines)


def files_under(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


# --- foreign databases ------------------------------------------------------------


def with_rows(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
    connection.executemany("INSERT INTO t(b) VALUES (?)", [(f"row {n} é",) for n in range(500)])


def many_kinds(connection: sqlite3.Connection) -> None:
    connection.executescript(
        """
        CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
        INSERT INTO w VALUES ('a', 1), ('b', x'00ff'), ('c', NULL), ('d', 1.5);
        CREATE TABLE g(a INT, b AS (a * 2) VIRTUAL, c AS (a * 3) STORED);
        INSERT INTO g(a) VALUES (1), (2);
        CREATE TABLE "odd ""name"" [x]"("sel""ect" INTEGER PRIMARY KEY AUTOINCREMENT, "from");
        INSERT INTO "odd ""name"" [x]"("from") VALUES ('x');
        CREATE VIRTUAL TABLE f USING fts5(body);
        INSERT INTO f VALUES ('hello world');
        CREATE VIRTUAL TABLE r USING rtree(id, lo, hi);
        INSERT INTO r VALUES (1, 0, 10);
        CREATE VIEW v AS SELECT a FROM g;
        CREATE TRIGGER tr AFTER INSERT ON g BEGIN INSERT INTO w VALUES (new.a, 't'); END;
        CREATE INDEX i ON g(b);
        ANALYZE;
        """
    )


def taken_name(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE DMEMFS_demo(mine)")
    connection.execute("INSERT INTO dmemfs_demo VALUES ('precious')")


def application_functions(connection: sqlite3.Connection) -> None:
    connection.create_collation("german", lambda a, b: (a < b) - (a > b))
    connection.create_function("twice", 1, lambda x: 2 * x, deterministic=True)
    connection.executescript(
        """
        CREATE TABLE c(
            a TEXT COLLATE german, b AS (twice(d)) STORED, d CHECK (twice(d) < 99), e AS (twice(d))
        );
        CREATE INDEX ci ON c(a);
        CREATE INDEX cf ON c(twice(d));
        INSERT INTO c(a, d) VALUES ('x', 1), ('y', 2), ('z', 3);
        CREATE TABLE cw(a TEXT COLLATE german PRIMARY KEY) WITHOUT ROWID;
        INSERT INTO cw VALUES ('x'), ('y'), ('z');
        """
    )


def unknown_module(connection: sqlite3.Connection) -> None:
    with_rows(connection)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0, "
        "'CREATE VIRTUAL TABLE m USING nobody_has_this(a)')"
    )


def invalid_text(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(a)")
    connection.execute("INSERT INTO t VALUES (CAST(x'66ff80' AS TEXT)), ('fine')")


def pragma(text: str, fill: Callable[[sqlite3.Connection], None] = with_rows) -> object:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA {text}")
        fill(connection)

    return build


FOREIGN = {
    "rows": with_rows,
    "many kinds": many_kinds,
    "taken name": taken_name,
    "application functions": application_functions,
    "unknown module": unknown_module,
    "invalid text": invalid_text,
    "no tables": pragma("user_version = 1", lambda connection: None),
    "UTF-16le": pragma("encoding = 'UTF-16le'"),
    "UTF-16be": pragma("encoding = 'UTF-16be'"),
    "pages of 512": pragma("page_size = 512", many_kinds),
    "pages of 65536": pragma("page_size = 65536", many_kinds),
    "WAL header": pragma("journal_mode = WAL"),
    "auto_vacuum": pragma("auto_vacuum = FULL"),
    "secure": pragma("secure_delete = ON"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_databases_come_back_and_are_only_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "files" / "foreign.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        FOREIGN[kind](connection)  # type: ignore[operator]
    before = files_under(tmp_path)
    file.chmod(0o444)
    file.parent.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    try:
        assert "Everything came back" in run(file)
    finally:
        file.parent.chmod(0o755)
    assert files_under(tmp_path) == before


def test_committed_pages_of_a_wal_are_read_along(tmp_path: Path) -> None:
    live, copied = tmp_path / "live.db", tmp_path / "copied.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("CREATE TABLE t(a, b)")
        for n in range(20):
            writer.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 3000))
        writer.execute("PRAGMA cache_size = 5")
        writer.execute("BEGIN")
        writer.executemany("INSERT INTO t VALUES (?, ?)", [(-1, "y" * 3000)] * 200)
        shutil.copy(live, copied)
        shutil.copy(f"{live}-wal", f"{copied}-wal")
    before = files_under(tmp_path)
    assert before["copied.db-wal"].count(b"y" * 3000), "the uncommitted rows must be in the log"
    report = run(copied)
    assert "copied.db-wal:" in report
    assert table_rows(report, "t") == 20
    assert files_under(tmp_path) == before


def test_an_unfinished_transaction_of_a_hot_journal_is_undone(tmp_path: Path) -> None:
    live, copied = tmp_path / "live.db", tmp_path / "copied.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE t(a, b)")
        writer.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 3000) for n in range(100)])
        writer.execute("PRAGMA cache_size = 5")
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET b = replace(b, 'x', 'y')")
        writer.executemany("INSERT INTO t VALUES (?, ?)", [(-1, "y" * 3000)] * 200)
        shutil.copy(live, copied)
        shutil.copy(f"{live}-journal", f"{copied}-journal")
        writer.execute("ROLLBACK")
    assert copied.read_bytes().count(b"y" * 3000), "the unfinished write must be in the file"
    before = files_under(tmp_path)
    report = run(copied)
    assert "copied.db-journal:" in report
    assert table_rows(report, "t") == 100
    assert files_under(tmp_path) == before


def table_rows(report: str, table: str) -> int:
    rows = [line.split() for line in report.splitlines() if line.split()[:1] == [table]]
    return int(rows[0][1].replace(",", ""))


def test_a_file_longer_than_its_database_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "grown.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        with_rows(connection)
    with file.open("ab") as handle:
        handle.write(bytes(1 << 16))
    assert "Everything came back" in run(file)


def test_the_shared_cache_serves_where_memdb_is_not_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmemfs_sqlite._engine.uri.memdb_is_sound", lambda: False)
    report = run(None)
    assert "mode=memory&cache=shared" in report
    assert "Everything came back" in report


# --- bad files --------------------------------------------------------------------


def whole_database(tmp_path: Path) -> bytes:
    file = tmp_path / "whole.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        with_rows(connection)
        connection.execute("CREATE INDEX i ON t(b)")
    return file.read_bytes()


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda whole: b"", "empty"),
    "text": (lambda whole: b"id,name\n1,x\n" * 100, "not a SQLite database"),
    "two bytes": (lambda whole: whole[:2], "truncated"),
    "header only": (lambda whole: whole[:100], "truncated"),
    "one byte short": (lambda whole: whole[:-1], "truncated"),
    "half": (lambda whole: whole[: len(whole) // 2], "truncated"),
    "page size": (lambda whole: whole[:16] + b"\x03\x00" + whole[18:], "page size"),
    "schema": (lambda whole: whole[:100] + bytes(924) + whole[1024:], "damaged"),
    "content": (lambda whole: whole[:2048] + b"\xff" * 2048 + whole[4096:], "damaged"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_with_a_reason(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, reason = BAD[kind]
    file = tmp_path / "bad.db"
    file.write_bytes(damage(whole_database(tmp_path)))
    before = files_under(tmp_path)
    assert main(["demo", str(file)]) == 1
    error = capsys.readouterr().err
    assert str(file) in error
    assert reason in error
    assert files_under(tmp_path) == before


def test_missing_files_directories_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"missing\.db: no such file"):
        run(tmp_path / "missing.db")
    with pytest.raises(DemoError, match="is a directory"):
        run(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DemoError, match="not a regular file"):
            run(tmp_path / "pipe")


def test_a_lost_row_is_a_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy_save(fs: Any, path: str, connection: sqlite3.Connection, progress: Any) -> int:
        connection.execute("DELETE FROM authors WHERE id = 1")
        return save_db(fs, path, connection)

    monkeypatch.setattr("dmemfs_sqlite._demo.demo.save_db", lossy_save)
    with pytest.raises(DemoError, match=r"mismatch: .* not restored: authors"):
        run(None)


# --- as a program -----------------------------------------------------------------


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-B", "-m", "dmemfs_sqlite", *arguments]


def test_it_runs_from_a_plain_checkout_and_leaves_no_file(tmp_path: Path) -> None:
    for package in ("dmemfs", "dmemfs_sqlite"):
        shutil.copytree(
            PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    before = files_under(tmp_path)
    # -I -S would hide the checkout, too; an empty environment hides everything else.
    done = subprocess.run(
        command("demo"), cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "100,000 rows" in done.stdout
    assert table_rows(done.stdout, "books") == 20_000
    assert len(set(re.findall(r"^    books\w* +[\d,]+ +([0-9a-f]{32})$", done.stdout, re.M))) > 1
    assert "SQLite's own copy is gone" in done.stdout
    assert done.stderr == ""
    assert files_under(tmp_path) == before


BLOCK = """
import signal, sys, time
# A shell that starts the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from dmemfs_sqlite import _cli
from dmemfs_sqlite._demo import demo as demo_module

def block(*arguments, **options):
    print("blocked", flush=True)
    # From Python 3.14 on a signal that comes right before a sleep is met at its end.
    for _ in range(600):
        time.sleep(0.1)

def block_thread(uri, table, readable, thread, stop):
    print("blocked", flush=True)
    stop.wait(60)
    return 0

demo_module.{function} = {replacement}
sys.exit(_cli.main(["demo"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGINT cannot be sent to one process elsewhere")
@pytest.mark.parametrize(
    ("function", "replacement"),
    [
        ("build_sample", "block"),
        ("load_db", "block"),
        ("_write_and_read", "block_thread"),
        ("save_db", "block"),
    ],
)
def test_an_interrupt_ends_it_at_once_and_leaves_no_file(
    function: str, replacement: str, tmp_path: Path
) -> None:
    program = BLOCK.format(function=function, replacement=replacement)
    with started(tmp_path, "-c", program) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("blocked"):  # four threads may say so on one line
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=50)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
