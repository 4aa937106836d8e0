"""The benchmark of the courier: both couriers do the work that is timed, and it is reported."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import sqlite
from benchmarks._report import describe_machine
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import load_db, save_db
from tests.sqlite_databases import (
    connect,
    fill,
    marks,
    no_database_on_disk,  # noqa: F401
    unique_uri,
)


def test_the_naive_courier_does_the_same_work() -> None:
    naive, ours = MemoryFileSystem(), MemoryFileSystem()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        sqlite.naive_save(naive, connection)
        save_db(ours, sqlite.PATH, connection)
    assert naive.stat(sqlite.PATH).st_size == ours.stat(sqlite.PATH).st_size
    uri = unique_uri()
    with closing(sqlite.naive_load(ours, uri)), closing(connect(uri)) as other:
        assert marks(other) == {"row"}
    with closing(load_db(naive, sqlite.PATH, ":memory:")) as other:
        assert marks(other) == {"row"}


@pytest.mark.parametrize("size", [1_000_000, 3_000_000])
def test_the_database_has_the_size_that_was_asked_for(size: int) -> None:
    with closing(sqlite.build(unique_uri(), size)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    assert pages * 4096 == pytest.approx(size, rel=0.1)


def test_it_reports_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite, "RESULTS", tmp_path / "results")
    # The status says whether targets were met, which at this size means nothing.
    assert sqlite.main(["--sizes", "1", "--rounds", "2", "--save"]) in (0, 1)
    output = capsys.readouterr().out
    data = json.loads((tmp_path / "results" / "sqlite.json").read_text())
    markdown = (tmp_path / "results" / "sqlite.md").read_text()
    titles = [row["title"] for row in data["rows"]]
    assert len(titles) == len(set(titles)) == 10
    for title in titles:
        assert title in output
        assert title in markdown
    assert data["sqlite"] == sqlite3.sqlite_version
    assert all(len(row["ours"]["seconds"]) == 2 for row in data["rows"])
    assert describe_machine().python in markdown


def measurement(seconds: float, peak: int | None) -> sqlite.Measurement:
    return sqlite.Measurement((seconds, 2 * seconds), peak)


@pytest.mark.parametrize(
    ("ours", "missed"),
    [
        (measurement(0.5, 100), False),
        (measurement(0.6, 100), True),
        (measurement(0.5, 150), True),
        (measurement(0.5, None), False),
    ],
)
def test_a_missed_target_is_marked(ours: sqlite.Measurement, missed: bool) -> None:
    row = sqlite.Row("load", 100, measurement(1.0, 200), ours, 0.55, True)
    assert row.missed == missed
    assert ("MISSED" in " ".join(sqlite.cells(row))) == missed
