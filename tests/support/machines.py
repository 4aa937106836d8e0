"""How long the state machines run: a little by default, a million steps as a soak."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    run_state_machine_as_test,
)

from tests.support.soak import SOAK

SOAK_STEPS = int(os.environ.get("DMEMFS_SOAK_STEPS", "1_000_000"))
"""How many steps all machines take together in a soak."""

STEPS_PER_CASE = 200

SHARES = {
    "TreeMachine": 30,
    "BinaryFileMachine": 7,
    "SeveralHandlesMachine": 7,
    "FlushedHandlesMachine": 5,
    "TextFileMachine": 15,
    "QuotaMachine": 12,
    "SnapshotMachine": 12,
    "CourierMachine": 4,
    "LiveDatabaseMachine": 8,
}
"""How many hundredths of a soak each machine gets."""

# So that a soak keeps several processes busy to its end.
PARTS = 6 if SOAK else 1
# A failure takes a while to shrink; a soak takes what it takes.
_TIMEOUT = 12 * 3600 if SOAK else 300
# Hypothesis remembers all it tried in one run, so that a soak is made of many.
CASES_PER_ROUND = 20


class CountedMachine(RuleBasedStateMachine):
    """A state machine that knows how many steps all of its kind have taken."""

    steps_taken: ClassVar[int] = 0

    @invariant()
    def count_steps(self) -> None:
        type(self).steps_taken += 1


def machine_test(test: Callable[[int], None]) -> Callable[[int], None]:
    """Mark a test that runs a state machine: with time to shrink a failure, and in parts."""
    marked: Callable[[int], None] = pytest.mark.parametrize("part", range(PARTS))(test)
    marked = pytest.mark.timeout(_TIMEOUT)(marked)
    return marked


def run_machine(machine: type[CountedMachine], *, cases: int) -> None:
    """Run ``cases`` cases of 200 steps, or as a soak this part of the machine's share."""
    once = settings(
        max_examples=CASES_PER_ROUND if SOAK else cases,
        stateful_step_count=STEPS_PER_CASE,
        # Explaining traces every line, which takes many times as long as the steps.
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    share = SOAK_STEPS * SHARES[machine.__name__] // 100
    goal = share // PARTS if SOAK else 1
    before = machine.steps_taken
    while machine.steps_taken - before < goal:
        run_state_machine_as_test(machine, settings=once)
    print(f"{machine.__name__}: {machine.steps_taken - before:,} steps")
