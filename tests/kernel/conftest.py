"""A file system that programs see."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dmemfs import MemoryFileSystem
from tests.support.kernel import TIMEOUT, Shown, require_kernel


@pytest.fixture
def shown() -> Iterator[Shown]:
    """One of 64 MiB. Should a test wait for ever, the connection is ended, and the wait with it."""
    require_kernel()
    made = Shown(MemoryFileSystem(max_quota=64 << 20))
    watchdog = threading.Timer(2 * TIMEOUT, made.end)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield made
    finally:
        watchdog.cancel()
        made.end()
    made.fs._check()
