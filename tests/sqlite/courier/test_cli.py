"""The command line: check, inspect, help, and how it ends."""

from __future__ import annotations

import io
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dmemfs_sqlite._cli import main
from dmemfs_sqlite._demo.report import format_size
from tests.support.programs import check_a_closed_pipe
from tests.support.sqlite_databases import (
    connect,
    everything,
    fill,
)

PROJECT = Path(__file__).resolve().parents[3]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# --- check ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "status", "words"),
    [
        ("file:/x?vfs=memdb", 0, ["in memory", "shared", "memdb", "good"]),
        ("file:x?mode=memory&cache=shared", 0, ["in memory", "shared cache", "good"]),
        (":memory:", 0, ["in memory", "private", "good"]),
        ("file:x?mode=memory", 1, ["in memory", "private", "file:/x?vfs=memdb"]),
        ("x.db", 1, ["on disk", "every program"]),
        ("file:x?mode=Memory", 1, ["cannot be opened", "no such access mode"]),
        ("file:x?cache=shared&amp;mode=memory", 1, ["on disk", "&amp;", "file:/x?vfs=memdb"]),
    ],
)
def test_check_explains_a_uri(
    uri: str,
    status: int,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, output, errors = run(capsys, "check", uri)
    assert (found, errors) == (status, "")
    for word in (uri, *words):
        assert word in output
    assert list(tmp_path.iterdir()) == []


# --- inspect ----------------------------------------------------------------------


def test_inspect_shows_a_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA encoding = 'UTF-16be'")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        everything(connection)
        fill(connection, rows=1234)
    before = file.read_bytes()
    status, output, errors = run(capsys, "inspect", str(file))
    assert (status, errors) == (0, "")
    facts = dict(re.findall(r"^(\S+(?: \S+)?) {2,}(.+)$", output, re.MULTILINE))
    assert facts["encoding"] == "UTF-16be"
    assert facts["journal mode"] == "WAL"
    assert facts["auto-vacuum"] == "incremental"
    assert facts["user version"] == "-5"
    assert facts["application"] == "1234567"
    assert facts["integrity"] == "ok"
    assert "of 8,192 bytes" in facts["pages"]
    assert f"{len(before):,} bytes" in facts["size"]
    assert facts["written by"] == f"SQLite {sqlite3.sqlite_version}"
    assert re.search(r"^ +t +1,234$", output, re.MULTILINE)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_inspect_finds_damage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(connect(str(file))) as connection:
        fill(connection, rows=1000)
    image = file.read_bytes()
    file.write_bytes(image[:-4096] + b"\xff" * 4096)
    status, output, _ = run(capsys, "inspect", str(file))
    assert status == 1
    assert re.search(r"^integrity +(?!ok)", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"text " * 100, "not a SQLite database"), (None, "no such file")],
)
def test_inspect_refuses_what_is_no_database(
    content: bytes | None, reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.db"
    if content is not None:
        file.write_bytes(content)
    status, output, errors = run(capsys, "inspect", str(file))
    assert (status, output) == (1, "")
    assert str(file) in errors
    assert reason in errors


# --- how it ends ------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    output = capsys.readouterr().out
    assert all(command in output for command in ("demo", "check", "inspect"))


@pytest.mark.parametrize("arguments", [["unknown"], ["check"], ["inspect"]])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    check_a_closed_pipe(tmp_path, "dmemfs_sqlite", "demo")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.db"
    with closing(connect(os.fsdecode(tmp_path) + "/a.db")) as connection:
        fill(connection)
    os.rename(os.fsencode(tmp_path) + b"/a.db", name)
    for command in ("demo", "inspect"):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "dmemfs_sqlite", command, name],
            env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr


# --- how it looks -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10_200_000, "10.2 MB"),
        (1_234_000_000, "1.2 GB"),
        (5_000_000_000_000, "5,000.0 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(count) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_demo_shows_on_a_terminal_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmemfs_sqlite._courier.copy._STEP", 1 << 20)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    status, output, _ = run(capsys, "demo")
    assert (status, "#" in output) == (0, False)
    lengths = [line.count("#") for line in terminal.getvalue().split("\r")[1:]]
    ends = [number for number, length in enumerate(lengths) if length == 0 and number]
    assert len(ends) == 3, "loaded, saved and loaded again"
    begin = 0
    for end in ends:
        assert end - begin > 3
        assert lengths[begin:end] == sorted(lengths[begin:end])
        begin = end + 1
    assert lengths[-1] == 0, "nothing of it stays"


def test_the_demo_shows_no_bar_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "demo")[::2] == (0, "")
