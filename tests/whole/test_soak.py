"""The soak of the state machines: it takes the steps that are asked for, and is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis.stateful import rule

from tests.support import machines
from tests.support.machines import SHARES, CountedMachine, run_machine

PROJECT = Path(__file__).resolve().parents[2]


class Idle(CountedMachine):
    """A machine that does nothing."""

    @rule()
    def wait(self) -> None:
        pass


def test_every_machine_has_a_share() -> None:
    started: set[str] = set()
    for path in (PROJECT / "tests").rglob("test_*machine.py"):
        started.update(re.findall(r"run_machine\((\w+), cases=", path.read_text(encoding="utf-8")))
    assert started == SHARES.keys()
    assert sum(SHARES.values()) == 100


def test_a_soak_takes_its_share_of_the_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SHARES, "Idle", 50)
    monkeypatch.setattr(machines, "PARTS", 2)
    monkeypatch.setattr(machines, "SOAK", True)
    monkeypatch.setattr(machines, "SOAK_STEPS", 1200)
    monkeypatch.setattr(machines, "CASES_PER_ROUND", 1)
    before = Idle.steps_taken
    run_machine(Idle, cases=1)
    assert 300 <= Idle.steps_taken - before < 600
    assert f"{Idle.steps_taken - before:,} steps" in capsys.readouterr().out


def test_it_is_documented() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert (
        "DMEMFS_SOAK=1 .venv/bin/python -m pytest -n 2 tests/{*,sqlite/*}/test_*machine.py" in text
    )
    assert "DMEMFS_SOAK_STEPS" in text
