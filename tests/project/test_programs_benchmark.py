"""The benchmark of programs: both sides do the work that is timed."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import programs
from benchmarks._measure import TINY, measure
from tests.support.kernel import require_kernel

WORKLOADS = {workload.name: workload for workload in programs.WORKLOADS}
NEEDED = {"dd": ("read", "write"), "git": ("status", "grep"), "tar": ("untar", "status", "grep")}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_does_its_work(name: str) -> None:
    require_kernel()
    for program, workloads in NEEDED.items():
        if name in workloads and shutil.which(program) is None:
            pytest.skip(f"the program {program} is not installed")
    places = list(programs.PLACES.values())
    row = measure(WORKLOADS[name], places, TINY, rounds=2, budget=60.0, least_rounds=2)
    assert row.failures == {}
    assert {place: len(row.figures[place].rounds) for place in row.figures} == {
        "tmpfs": 2,
        "dmemfs": 2,
    }
