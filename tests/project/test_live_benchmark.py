"""The benchmark of live databases: every place does the work that is timed, and it is reported."""

from __future__ import annotations

import importlib.util
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import live
from benchmarks._databases import (
    PEERS,
    ApswMemory,
    InMemory,
    LiveWithTemplates,
    OnTmpfs,
    fill,
    image,
)
from benchmarks._measure import TINY, Row, measure
from benchmarks._peers import NotOfferedError, Peer

WORKLOADS = {workload.name: workload for workload in live.WORKLOADS}
SIZE = 100_000
needs_apsw = pytest.mark.skipif(
    importlib.util.find_spec("apsw") is None,
    reason="apsw is not installed: in the extra frameworks",
)
PLACES = [
    pytest.param(kind, id=name, marks=[needs_apsw] if name.startswith("apsw") else [])
    for name, kind in PEERS.items()
]
KEEP_NOTHING = {":memory:", "shared", "memdb"}
HAVE_COPIES = {"dmemfs", "tmpfs", ":memory:", "apsw VFS", "apsw tmpfs"}


def measured(name: str, peer: type[Peer]) -> Row:
    return measure(WORKLOADS[name], [peer], TINY, rounds=2, budget=60.0, least_rounds=2)


@pytest.mark.parametrize("kind", PLACES)
def test_every_place_keeps_what_it_says(kind: Any) -> None:
    peer = kind()
    try:
        with closing(peer.create("one.db")) as connection:
            rows = fill(connection, SIZE)
            assert rows == SIZE * 4 // (4096 - 100)
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            assert mode == (peer.journal or "memory")
        if kind.name in KEEP_NOTHING:
            with pytest.raises(NotOfferedError):
                peer.connect("one.db")
        else:
            with closing(peer.connect("one.db")) as connection:
                assert connection.execute("SELECT count(*) FROM t").fetchone() == (rows,)
        peer.drop("one.db")
    finally:
        peer.close()


@pytest.mark.parametrize("kind", PLACES)
def test_private_copies_are_of_the_template(kind: Any) -> None:
    peer = kind()
    try:
        if kind.name not in HAVE_COPIES:
            with pytest.raises(NotOfferedError):
                peer.use_template(image(SIZE))
            return
        peer.use_template(image(SIZE))
        for _ in range(2):
            with closing(peer.copy()) as connection:
                (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
                assert rows == SIZE * 4 // (4096 - 100)
                connection.execute("DELETE FROM t")
            peer.drop_copy()
    finally:
        peer.close()


def test_tmpfs_leaves_nothing_behind() -> None:
    peer = OnTmpfs()
    peer.create("one.db").close()
    peer.close()
    assert not os.path.exists(peer.root)


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("kind", [LiveWithTemplates, OnTmpfs])
def test_every_workload_does_its_work(name: str, kind: type[Peer]) -> None:
    row = measured(name, kind)
    assert row.failures == {}
    assert len(row.figures[kind.name].rounds) == 2


@pytest.mark.parametrize("name", ["read-cold", "connect", "scan-busy"])
def test_what_needs_a_second_connection_has_no_figure_where_there_is_none(name: str) -> None:
    row = measured(name, InMemory)
    assert (row.figures, row.failures) == ({}, {})


class _OneCopyForAll(OnTmpfs):
    """A place whose private copies are one database."""

    name = "dmemfs"

    def copy(self) -> Any:
        return self.connect("template.db")

    def drop_copy(self) -> None:
        pass


def test_a_copy_that_is_not_private_is_found_out() -> None:
    assert measured("copy", _OneCopyForAll).failures.keys() == {"dmemfs"}


class _InsertsNothing:
    """A connection that says that it has inserted rows."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.close = connection.close

    def execute(self, statement: str, *parameters: Any) -> Any:
        if not statement.startswith("INSERT"):
            return self._connection.execute(statement, *parameters)
        return None

    def executemany(self, statement: str, rows: Any) -> None:
        pass


class _Careless(OnTmpfs):
    name = "dmemfs"

    def connect(self, name: str) -> Any:
        return _InsertsNothing(super().connect(name))


@pytest.mark.parametrize("name", [name for name in WORKLOADS if not name.startswith("copy")])
def test_a_place_that_does_not_do_the_work_gets_no_figure(name: str) -> None:
    row = measured(name, _Careless)
    assert row.figures == {}
    assert row.failures.keys() == {"dmemfs"}


def test_it_reports_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "QUICK", TINY)
    arguments = ["--quick", "--rounds", "1", "--peers", "tmpfs,dmemfs,dmemfs memory,:memory:"]
    assert live.main([*arguments, "--output", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    (saved,) = tmp_path.glob("live-*.json")
    rows = json.loads(saved.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == list(WORKLOADS)
    for row in rows:
        assert row["title"] in output
        assert {"tmpfs", "dmemfs"} <= row["figures"].keys()


def test_an_absent_apsw_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    reason = ApswMemory.missing()
    assert reason is not None
    assert "pip install apsw" in reason
