"""What holds something that is to be let go of once: it is not to be copied."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

OWNERS: dict[str, Callable[[MemoryFileSystem], Any]] = {
    "MemoryFileSystem": lambda fs: fs.clone(),
    "Snapshot": MemoryFileSystem.snapshot,
    "Mount": MemoryFileSystem.mount,
    "LockGrant": lambda fs: fs.lock("/file"),
    "Fault": lambda fs: fs.fail("open"),
    "WriteFile": lambda fs: fs.open("/file", "wb"),
}


@pytest.mark.parametrize("name", OWNERS)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_owner_cannot_be_copied(name: str, duplicate: Callable[[Any], object]) -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"")
    owner = OWNERS[name](fs)
    with pytest.raises(TypeError, match=f"cannot pickle '{name}' object"):
        duplicate(owner)
    if hasattr(owner, "close"):
        owner.close()
