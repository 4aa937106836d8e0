"""The benchmark of paths as objects: all sides do the work that is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import through_paths
from benchmarks._measure import TINY, measure

WORKLOADS = {workload.name: workload for workload in through_paths.WORKLOADS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_does_its_work(name: str) -> None:
    peers = list(through_paths.PEERS.values())
    row = measure(WORKLOADS[name], peers, TINY, rounds=2, budget=60.0, least_rounds=2)
    assert row.failures == {}
    assert {peer: len(figure.rounds) for peer, figure in row.figures.items()} == {
        "pathlib": 2,
        "methods": 2,
        "dmemfs": 2,
    }


def test_a_run_is_shown_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--only", "read", "--rounds", "1", "--output", str(tmp_path)]
    assert through_paths.main(arguments) == 0
    assert "/pathlib" in capsys.readouterr().out
    (figures,) = tmp_path.glob("*.json")
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["read"]
