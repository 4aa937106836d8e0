"""Running threads at the same time, with a switch between them every few instructions."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.soak import SOAK

TIMEOUT = 400.0 if SOAK else 40.0
"""Seconds in which all threads have to be done, on a machine that has other things to do."""


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    """Let threads take turns every few instructions, so that a missing lock shows."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)


def run_together(*workers: Callable[[], object]) -> None:
    """Run each worker in a thread of its own, started at once, and raise what any raised."""
    barrier = threading.Barrier(len(workers))
    errors: list[BaseException] = []

    def run(worker: Callable[[], object]) -> None:
        try:
            barrier.wait(TIMEOUT)
            worker()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIMEOUT
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"
    if errors:
        raise errors[0]
