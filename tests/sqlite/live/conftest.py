"""What the tests of live databases share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.reads_by_calls import read_by_calls

BOTH_WAYS = ("test_faults", "test_restores")
"""The modules whose tests run a second time with pages that are read by calls."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_WAYS:
        metafunc.fixturenames.append("way_of_reading")
        metafunc.parametrize("way_of_reading", ["in-c", "by-calls"], indirect=True)


@pytest.fixture
def way_of_reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by-calls":
        read_by_calls(monkeypatch)


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
