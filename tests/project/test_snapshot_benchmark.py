"""The benchmark of snapshots: the work that is timed is done, and it is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import snapshots
from benchmarks._measure import TINY, Figure, Row, Workload, measure
from benchmarks._peers import Peer
from benchmarks._report import missed
from benchmarks._snapshots import CopiedByCp, CopiedByShutil, DeepCopied, WithSnapshots

WORKLOADS = {workload.name: workload for workload in snapshots.WORKLOADS}


def measured(name: str, peer: type[Peer]) -> Row:
    return measure(WORKLOADS[name], [peer], TINY, rounds=2, budget=60.0, least_rounds=2)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_does_its_work(name: str) -> None:
    row = measured(name, WithSnapshots)
    assert row.failures == {}
    assert len(row.figures["dmemfs"].rounds) == 2


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("peer", [CopiedByCp, CopiedByShutil, DeepCopied])
def test_peers_do_what_they_can(name: str, peer: type[Peer]) -> None:
    row = measured(name, peer)
    assert row.failures == {}
    offered = name == "copy-all" or (name.startswith("copy-") and peer is CopiedByCp)
    assert bool(row.figures) == offered


class Ineffective:
    """A file system whose snapshots do nothing."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def restore(self, snap: object) -> None:
        """Leave everything as it is."""

    @contextmanager
    def rollback(self) -> Any:
        yield None

    def clone(self) -> Any:
        return self._fs


def _cheating(**attributes: Callable[..., Any]) -> type[Peer]:
    class Cheating(WithSnapshots):
        def __init__(self) -> None:
            super().__init__()
            self.filesystem: Any = Ineffective(self.filesystem)
            for name, value in attributes.items():
                setattr(self, name, value)

    return Cheating


@pytest.mark.parametrize(
    "name", ["first-create", "first-remove", "restore", "rollback-changes", "clone-file"]
)
def test_a_peer_that_does_nothing_is_found_out(name: str) -> None:
    row = measured(name, _cheating())
    assert row.figures == {}
    # Some notice by an error of their own.
    assert row.failures.keys() == {"dmemfs"}


def test_a_copy_that_is_none_is_found_out() -> None:
    row = measured("copy-all", _cheating(copy_all=lambda source, target: None))
    assert row.failures.keys() == {"dmemfs"}
    for name in ("copy-file", "copy-write"):
        row = measured(name, _cheating(copy_file=lambda source, target: None))
        assert row.failures.keys() == {"dmemfs"}


@pytest.mark.parametrize(("seconds", "too_slow"), [(0.9e-6, False), (1.1e-6, True)])
def test_a_limit_is_in_the_unit_of_its_row(seconds: float, too_slow: bool) -> None:
    workload = Workload("row", "a row", "us", None, WORKLOADS["snapshot"].run, limit=1)
    assert missed(Row(workload, {"dmemfs": Figure((seconds,))})) == too_slow


def test_it_reports_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(snapshots, "QUICK", TINY)
    peers = "tmpfs,dmemfs,copytree,deepcopy"
    arguments = ["--quick", "--rounds", "2", "--peers", peers]
    assert snapshots.main([*arguments, "--output", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    (markdown,) = tmp_path.glob("snapshots-*.md")
    (data,) = tmp_path.glob("snapshots-*.json")
    rows = json.loads(data.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == list(WORKLOADS)
    for workload in snapshots.WORKLOADS:
        assert workload.title in output
        assert workload.title in markdown.read_text(encoding="utf-8")
    assert "python -m benchmarks.snapshots --quick --rounds 2" in markdown.read_text("utf-8")
