"""What the tests of live databases share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Let no garbage be collected: an interruption within a finaliser is lost, as in all Python."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def escaped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return what Python reports that could be raised nowhere, and fail where there is any."""
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    yield reported
    assert reported == []
