"""The benchmark of mounting: every place does the work that is timed, and it is reported."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path

import pytest

from benchmarks import mount
from benchmarks._measure import TINY, measure

WORKLOADS = {workload.name: workload for workload in mount.WORKLOADS}


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("place", [mount.Bare, mount.Mounted])
def test_every_workload_does_its_work(name: str, place: type[mount.Place]) -> None:
    original = builtins.open
    row = measure(WORKLOADS[name], [place], TINY, rounds=2, budget=60.0, least_rounds=2)
    assert row.failures == {}
    if name in place.skipped:
        assert row.figures == {}
    else:
        assert len(row.figures[place.name].rounds) == 2
    assert builtins.open is original


@pytest.mark.parametrize("name", ["enter", "stat", "mixed"])
def test_pyfakefs_takes_part(name: str) -> None:
    row = measure(WORKLOADS[name], [mount.PyFakeFS], TINY, rounds=1, budget=60.0, least_rounds=1)
    assert row.failures == {}
    assert list(row.figures) == ["pyfakefs"]


def test_a_place_leaves_nothing_behind() -> None:
    bare, mounted = mount.Bare(), mount.Mounted()
    paths = (bare.root, mounted.real)
    assert all(map(os.path.isdir, paths))
    bare.close()
    mounted.close()
    assert not any(map(os.path.exists, paths))


def test_a_run_is_shown_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mount, "QUICK", TINY)
    names = "stat,real-stat"
    arguments = ["--only", names, "--peers", "tmpfs,dmemfs", "--rounds", "1"]
    assert mount.main([*arguments, "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "stat, real path: added" in shown
    markdown, figures = sorted(tmp_path.iterdir(), reverse=True)
    assert "stat, real path: added" in markdown.read_text(encoding="utf-8")
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == names.split(",")


def test_an_unknown_workload_is_an_error() -> None:
    with pytest.raises(SystemExit):
        mount.main(["--only", "none"])
