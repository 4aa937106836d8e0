"""Fixtures that run one test on a real directory and on MemoryFileSystem.

The real directory is pytest's ``tmp_path``: a disk file system (ext4, xfs, btrfs) gives the truest
POSIX results. The kernel's tmpfs under /dev/shm, which MemoryFileSystem resembles more, differs in
what no test may then ask for: the size of a directory counts its entries, listdir() gives the
newest entry first, and seeking to data or holes knows pages only. Errors, link counts and times are
those of the VFS layer on both, so a ``--basetemp`` on tmpfs passes as well.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from tests.support.comparison import outcome
from tests.support.real_filesystem import RealFileSystem
from tests.support.soak import SOAK

if TYPE_CHECKING:
    from dmemfs import MemoryFileSystem

__all__ = ["Both", "outcome"]

# A shared machine makes single examples slow without anything being wrong with them. The blob that
# is printed repeats a failure, so no database is left in the working directory. The same code is
# tested with the same examples each time; a soak looks for new ones.
settings.register_profile(
    "dmemfs",
    deadline=None,
    database=None,
    derandomize=not SOAK,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dmemfs")


# Seconds that the work of `_calibrate` takes on the machine for which timeouts are chosen.
_USUAL_WORK = 0.03


def _calibrate() -> float:
    """Return how many times as long as usual this machine takes, at least 1."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        sum(number * number for number in range(500_000))
        times.append(time.perf_counter() - begin)
    return max(1.0, min(times) / _USUAL_WORK)


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout looks
def pytest_configure(config: pytest.Config) -> None:
    """Give tests more time on a slow machine: the timeout is there to end what hangs."""
    if config.option.timeout is None and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = float(config.getini("timeout")) * _calibrate()


class Heap:
    """What exists before a test, and whether the garbage collector looks at it.

    Tests ask the collector many thousand times: MemoryFileSystem._check() for open files without a
    name, and those that wait for a finaliser. A mount looks for functions in all objects, ten times
    as quickly where none are frozen.
    """

    can_freeze = hasattr(gc, "freeze")  # not in PyPy
    frozen = False  # gc.get_freeze_count() would count them one by one

    @classmethod
    def freeze(cls) -> None:
        if cls.can_freeze and not cls.frozen:
            gc.collect()
            gc.freeze()
            cls.frozen = True

    @classmethod
    def unfreeze(cls) -> None:
        if cls.frozen:
            gc.unfreeze()
            cls.frozen = False


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "mount" in item.nodeid or "/pyfakefs/" in item.nodeid:
        Heap.unfreeze()
    else:
        Heap.freeze()


class Both(NamedTuple):
    """One real and one in-memory file system, to do the same to both."""

    real: RealFileSystem
    memory: MemoryFileSystem


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Give real files the modes that MemoryFileSystem gives, whatever the user's umask is."""
    former = os.umask(0o022)
    yield
    os.umask(former)


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """Yield an empty MemoryFileSystem without a quota; its invariants hold afterwards."""
    from dmemfs import MemoryFileSystem

    filesystem = MemoryFileSystem(max_quota=None)
    yield filesystem
    filesystem._check()


@pytest.fixture
def real(tmp_path: Path) -> RealFileSystem:
    """Return an empty directory of a real file system."""
    root = tmp_path / "root"
    root.mkdir()
    return RealFileSystem(root)


@pytest.fixture
def both(real: RealFileSystem, memory: MemoryFileSystem) -> Both:
    """Return a pair of empty file systems, real and in memory."""
    return Both(real, memory)


@pytest.fixture(params=["real", "memory"])
def fs(request: pytest.FixtureRequest) -> Any:
    """Return an empty file system; the test runs once on each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def quiet_finalisers() -> Iterator[list[type[BaseException]]]:
    """Collect the types of what finalisers raise, instead of having it reported."""
    seen: list[type[BaseException]] = []

    def collect(unraisable: Any) -> None:
        # Not the exception itself: its traceback would keep alive what is to be freed.
        seen.append(unraisable.exc_type)

    former = sys.unraisablehook
    sys.unraisablehook = collect
    yield seen
    sys.unraisablehook = former
