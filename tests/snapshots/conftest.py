"""What the tests of snapshots have in common."""

from __future__ import annotations

import pytest

from dmemfs import MemoryFileSystem
from tests.support.snapshot_states import build


@pytest.fixture
def built(memory: MemoryFileSystem) -> MemoryFileSystem:
    """Return a file system with a tree that has some of everything."""
    build(memory)
    return memory
