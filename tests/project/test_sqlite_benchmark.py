"""The benchmark of the courier: all couriers do the work that is timed, and it is reported."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import sqlite
from benchmarks._courier import PATH, PEERS, Courier, Naive, Ours, ToTmpfs, build
from benchmarks._measure import TINY, Row, measure
from benchmarks._peers import Peer
from tests.support.sqlite_databases import (
    connect,
    fill,
    marks,
    no_database_on_disk,  # noqa: F401
    unique_uri,
)

WORKLOADS = {workload.name: workload for workload in sqlite.WORKLOADS}
COURIERS: list[type[Courier]] = [Ours, Naive, ToTmpfs]


def measured(name: str, peer: type[Peer]) -> Row:
    return measure(WORKLOADS[name], [peer], TINY, rounds=2, budget=60.0, least_rounds=2)


@pytest.mark.parametrize("kind", COURIERS)
def test_every_courier_does_the_same_work(kind: type[Courier]) -> None:
    peer = kind()
    try:
        with closing(connect(":memory:")) as connection:
            fill(connection)
            peer.save(connection)
        for load in (peer.load, peer.load_checked):
            uri = unique_uri()
            with closing(load(uri)), closing(connect(uri)) as other:
                assert marks(other) == {"row"}
        peer.forget()
    finally:
        peer.close()


def test_ours_and_the_naive_courier_keep_the_same_bytes() -> None:
    with closing(connect(":memory:")) as connection:
        fill(connection)
        kept = []
        for courier in (Ours(), Naive()):
            courier.save(connection)
            kept.append(courier.fs.stat(PATH).st_size)
    assert kept[0] == kept[1] > 0


def test_tmpfs_leaves_nothing_behind() -> None:
    peer = ToTmpfs()
    with closing(connect(":memory:")) as connection:
        fill(connection)
        peer.save(connection)
    peer.close()
    assert not os.path.exists(peer.root)


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("kind", COURIERS)
def test_every_workload_does_its_work(name: str, kind: type[Courier]) -> None:
    row = measured(name, kind)
    assert row.failures == {}
    if "copies" in name and (kind is ToTmpfs or not os.access("/proc/self/clear_refs", os.W_OK)):
        assert row.figures == {}
    else:
        assert len(row.figures[kind.name].rounds) == 2


class _SavesNothing(Ours):
    def save(self, connection: sqlite3.Connection) -> None:
        self.fs.write_bytes(PATH, b"")


class _LoadsAnother(Ours):
    def load(self, uri: str) -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("save", _SavesNothing), ("save-busy", _SavesNothing), ("load", _LoadsAnother)],
)
def test_a_courier_that_does_not_do_the_work_gets_no_figure(name: str, kind: type[Peer]) -> None:
    row = measured(name, kind)
    assert row.figures == {}
    assert row.failures["dmemfs"].startswith("WorkNotDoneError: ")


@pytest.mark.parametrize("size", [1_000_000, 3_000_000])
def test_the_database_has_the_size_that_was_asked_for(size: int) -> None:
    with closing(build("shared-cache", size)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    assert pages * 4096 == pytest.approx(size, rel=0.1)


def test_it_reports_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite, "QUICK", TINY)
    assert sqlite.main(["--quick", "--rounds", "2", "--output", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    (saved,) = tmp_path.glob("sqlite-*.json")
    data = json.loads(saved.read_text(encoding="utf-8"))
    titles = [row["title"] for row in data["rows"]]
    assert len(titles) == len(set(titles)) == len(WORKLOADS)
    assert all(title in output for title in titles)
    assert data["peers"].keys() == PEERS.keys()
    assert data["comparisons"]["save-busy-quiet"].keys() == PEERS.keys()
