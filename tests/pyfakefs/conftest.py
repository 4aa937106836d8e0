"""Fixtures that run one test on pyfakefs itself and on what stands in for it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pyfakefs import fake_file, fake_filesystem, fake_filesystem_unittest

import dmemfs.pyfakefs

_OF_PYFAKEFS = SimpleNamespace(
    **{
        name: value
        for module in (fake_file, fake_filesystem, fake_filesystem_unittest)
        for name, value in vars(module).items()
        if name in dmemfs.pyfakefs.__all__
    }
)


@pytest.fixture(params=[_OF_PYFAKEFS, dmemfs.pyfakefs], ids=["pyfakefs", "dmemfs"])
def api(request: pytest.FixtureRequest) -> Any:
    """The names of one of the two."""
    return request.param


@pytest.fixture
def patcher(api: Any) -> Iterator[Any]:
    """What hides the disk during a test."""
    with api.Patcher() as patcher:
        yield patcher


@pytest.fixture
def fs(patcher: Any) -> Any:
    """The file system that hides the disk; not the fixture of a plugin."""
    return patcher.fs
