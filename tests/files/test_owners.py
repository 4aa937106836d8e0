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
    elif name == "Mount":
        with owner:  # else it says that it was never entered
            pass


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_file_system_says_what_to_do_instead(duplicate: Callable[[Any], object]) -> None:
    fs = MemoryFileSystem()
    with pytest.raises(TypeError, match=r"fs\.pack\(file\) .* fs\.clone\(\) returns a copy"):
        duplicate(fs)


def test_repr_tells_what_is_in_use() -> None:
    fs = MemoryFileSystem(max_quota=1000)
    fs.write_bytes("/f", bytes(10))
    assert repr(fs) == f"<MemoryFileSystem at {id(fs):#x}: 10 of 1,000 bytes, 2 nodes>"
    fs = MemoryFileSystem(max_quota=None)
    assert repr(fs) == f"<MemoryFileSystem at {id(fs):#x}: 0 bytes, 1 nodes>"
    fs.close()
    repr(fs)
