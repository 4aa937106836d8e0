"""The benchmark of the face for fsspec: both sides do the work that is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import through_fsspec
from benchmarks._measure import TINY, measure

pytest.importorskip("fsspec", reason="fsspec is not installed")

WORKLOADS = {workload.name: workload for workload in through_fsspec.WORKLOADS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_does_its_work(name: str) -> None:
    peers = list(through_fsspec.FACES.values())
    row = measure(WORKLOADS[name], peers, TINY, rounds=2, budget=60.0, least_rounds=2)
    assert row.failures == {}
    assert {peer: len(figure.rounds) for peer, figure in row.figures.items()} == {
        "fsspec": 2,
        "dmemfs": 2,
    }


def test_a_run_is_shown_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--only", "cat", "--rounds", "1", "--output", str(tmp_path)]
    assert through_fsspec.main(arguments) == 0
    assert "/fsspec" in capsys.readouterr().out
    (figures,) = tmp_path.glob("*.json")
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["cat"]
