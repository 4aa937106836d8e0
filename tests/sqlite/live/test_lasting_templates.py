"""Templates that last: built by whoever comes first, and loaded by all others."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate
from dmemfs_sqlite._cli import main
from tests.support.together import run_together

SCHEMA = "create table items (text); insert into items values ('first')"


class Counted:
    """A function that builds, and counts how often."""

    def __init__(self, text: str = "first") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, connection: sqlite3.Connection) -> None:
        self.calls += 1
        connection.executescript(SCHEMA.replace("first", self.text))


def content(template: DatabaseTemplate) -> list[Any]:
    with closing(template.connect()) as connection:
        return connection.execute("select text from items").fetchall()


def file_in(store: Any, directory: Any) -> Any:
    (name,) = store.listdir(directory)
    return f"{directory}/{name}"


@pytest.fixture(params=["disk", "memory", "fsspec"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "disk":
        return tmp_path / "made" / "when needed"
    if request.param == "memory":
        return MemoryFileSystem(), "/made/when needed"
    fsspec = pytest.importorskip("fsspec")
    return fsspec.filesystem("file", auto_mkdir=False), str(tmp_path / "made")


def test_the_first_one_builds_and_all_others_load(cache: Any) -> None:
    build = Counted()
    for _ in range(3):
        with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=cache) as template:
            assert content(template) == [("first",)]
    assert build.calls == 1
    later = Counted("second")
    with DatabaseTemplate(MemoryFileSystem(), later, key="2", cache=cache) as template:
        assert content(template) == [("second",)]
    with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=cache) as template:
        assert content(template) == [("first",)]
    assert (build.calls, later.calls) == (1, 1)


def test_a_key_that_changes_is_looked_for(cache: Any) -> None:
    keys = iter("1212")
    build = Counted()
    with DatabaseTemplate(
        MemoryFileSystem(), build, key=lambda: next(keys), cache=cache
    ) as template:
        for _ in range(4):
            assert content(template) == [("first",)]
    assert build.calls == 2


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda image: image[:-1] + b"?", "torn"),
        (lambda image: image[:-100], "torn"),
        (lambda image: image[:30], "damaged"),
        (lambda image: b"", "no template"),
        (lambda image: b"SQLite format 3\0" + image, "no template"),
        (lambda image: image.replace(b'"key": "1', b'"key": "9'), "of another key"),
        (lambda image: image.replace(b'"key"', b'"kez"'), "damaged"),
        (lambda image: image.partition(b"\n")[0] + b"\n[]\n" + image, "damaged"),
    ],
)
def test_what_is_not_right_is_told_and_built_anew(
    damage: Callable[[bytes], bytes], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryFileSystem()
    build = Counted()
    with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=(store, "/cache")) as template:
        content(template)
    path = file_in(store, "/cache")
    sound = store.read_bytes(path)
    store.write_bytes(path, damage(sound))
    with (
        caplog.at_level(logging.WARNING, "dmemfs"),
        DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=(store, "/cache")) as template,
    ):
        assert content(template) == [("first",)]
    assert build.calls == 2
    (record,) = caplog.records
    assert path in record.getMessage()
    assert problem in record.getMessage()
    assert store.read_bytes(path).endswith(template_image(sound))


def template_image(file: bytes) -> bytes:
    return file.split(b"\n", 2)[2]


def test_another_sqlite_has_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryFileSystem()
    build = Counted()
    for version in ("3.1.1", "3.2.2", "3.1.1"):
        monkeypatch.setattr(sqlite3, "sqlite_version", version)
        with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=(store, "/")) as template:
            content(template)
    assert build.calls == 2
    assert len(store.listdir("/")) == 2


@pytest.mark.parametrize("operation", ["open", "write", "rename"])
def test_a_store_that_fails_costs_time_only(
    operation: Literal["open", "write", "rename"], caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryFileSystem()
    build = Counted()
    with (
        store.fail(operation, "*"),
        DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=(store, "/c")) as template,
    ):
        assert content(template) == [("first",)]
    assert store.listdir("/") in ([], ["c"])
    assert all(not store.listdir(path) for path in store.glob("/c"))
    assert "cannot be kept" in caplog.text


def test_what_cannot_be_built_is_not_kept(cache: Any) -> None:
    def build(connection: sqlite3.Connection) -> None:
        connection.execute("create table items (text)")
        raise ZeroDivisionError

    with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=cache) as template:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                template.connect()


def test_many_build_at_once() -> None:
    store = MemoryFileSystem()
    count = 8
    barrier = threading.Barrier(count)

    def build(connection: sqlite3.Connection) -> None:
        barrier.wait(50)
        connection.executescript(SCHEMA)

    def work() -> None:
        with DatabaseTemplate(MemoryFileSystem(), build, key="1", cache=(store, "/c")) as template:
            assert content(template) == [("first",)]

    run_together(*[work] * count)
    unused = Counted("never")
    with DatabaseTemplate(MemoryFileSystem(), unused, key="1", cache=(store, "/c")) as template:
        assert content(template) == [("first",)]
    assert unused.calls == 0
    assert len(store.listdir("/c")) == 1


def test_sql_says_what_it_builds(tmp_path: Path) -> None:
    store = MemoryFileSystem()
    file = tmp_path / "schema.sql"
    for text in ("first", "second", "first"):
        file.write_text(SCHEMA.replace("first", text), encoding="utf-8")
        for build in (file, file.read_text(encoding="utf-8")):
            with DatabaseTemplate(MemoryFileSystem(), build, cache=(store, "/")) as template:
                assert content(template) == [(text,)]
    assert len(store.listdir("/")) == 2
    with pytest.raises(ValueError, match="give key="):
        DatabaseTemplate(MemoryFileSystem(), Counted(), cache=(store, "/"))
    with pytest.raises(FileNotFoundError, match=r"missing\.sql"):
        DatabaseTemplate(MemoryFileSystem(), tmp_path / "missing.sql").connect()
    with pytest.raises(TypeError, match="cache="):
        DatabaseTemplate(MemoryFileSystem(), SCHEMA, cache=("/directory", "/cache"))  # type: ignore[arg-type]


PROGRAM = """
import os, sqlite3, sys
path = sys.argv[1]
assert os.environ["DATABASE_PATH"] == path
assert os.environ["DATABASE_URL"] == sys.argv[2] == "sqlite:///" + path
connection = sqlite3.connect(path)
connection.executescript("create table items (text); insert into items values ('by a program')")
"""


def test_a_program_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    command = [sys.executable, "-c", PROGRAM, "{path}", "{url}"]
    with DatabaseTemplate(MemoryFileSystem(), command) as template:
        assert content(template) == [("by a program",)]
    for source, problem in (("print('so', 'it says'); 1 / 0", "it failed"), ("print()", "no file")):
        with (
            DatabaseTemplate(MemoryFileSystem(), [sys.executable, "-c", source]) as template,
            pytest.raises(subprocess.CalledProcessError) as caught,
        ):
            template.connect()
        assert problem in caught.value.__notes__[0]
    assert list(tmp_path.iterdir()) == []


class TestCommands:
    def test_build_list_and_prune(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        directory, sql = str(tmp_path / "cache"), tmp_path / "schema.sql"
        sql.write_text(SCHEMA, encoding="utf-8")
        program = ["--program", sys.executable, "-c", PROGRAM, "{path}", "{url}"]
        for _ in range(2):
            assert main(["template", "build", directory, "--sql", str(sql)]) == 0
        assert main(["template", "build", directory, "--key", "mine", *program]) == 0
        first, again, second = capsys.readouterr().out.splitlines()
        assert first.startswith("built: ")
        assert second.startswith("built: ")
        assert again.startswith("there already: ")
        assert main(["template", "list", directory]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert all(f"SQLite {sqlite3.sqlite_version}" in line for line in lines)
        assert any(line.endswith("  mine") for line in lines)
        with DatabaseTemplate(
            MemoryFileSystem(), Counted(), key="mine", cache=directory
        ) as template:
            assert content(template) == [("by a program",)]
        (tmp_path / "cache" / "torn.template").write_bytes(b"?")
        assert main(["template", "prune", directory]) == 0
        assert capsys.readouterr().out.startswith("torn.template  it is no template")
        assert main(["template", "prune", directory, "--days", "1"]) == 0
        assert capsys.readouterr().out == ""
        assert main(["template", "prune", directory, "--days", "0"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 2
        assert main(["template", "list", directory]) == 0
        assert list((tmp_path / "cache").iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "say what builds it"),
            (["--sql", "x.sql", "--program", "any"], "say what builds it"),
            (["--sql", "missing.sql"], "missing.sql"),
            (["--program", sys.executable, "-c", "1 / 0"], "give key="),
            (["--key", "1", "--program", sys.executable, "-c", "1 / 0"], "ZeroDivisionError"),
        ],
    )
    def test_what_fails(
        self,
        arguments: list[str],
        said: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(["template", "build", str(tmp_path / "cache"), *arguments]) == 1
        assert said in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
