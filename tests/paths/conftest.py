"""A directory of the disk as `pathlib.Path`, and one of the same name in memory as a path of ours.

So the same calls have the same results, to the text of each path and each error.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from dmemfs import MemoryFileSystem
from dmemfs.paths import MemoryPath
from tests.support.comparison import outcome, picture

TIMES = (1_000_000_007, 1_200_000_000_123_456_789)


def fill(root: Any) -> None:
    """Make a tree that has one of each kind."""
    for name in ("sub/deep/er", ".hidden", "empty", "b"):
        (root / name).mkdir(parents=True)
    for name in ("file", "one.txt", "Two.TXT", ".dot", "sub/x.txt", "sub/deep/y.py"):
        (root / name).write_bytes(f"content of {name}\r\nend\n".encode())
    (root / "sub/deep/er/z.tar.gz").write_bytes(b"")
    (root / ".hidden/in").write_bytes(b"")
    (root / "b/[x].txt").write_bytes(b"")
    (root / "file").chmod(0o640)
    (root / "second").hardlink_to(root / "file")
    for name, target in {
        "to_file": "file",
        "to_sub": "sub",
        "b/up": "..",
        "broken": "missing",
        "loop": "loop",
        "there": "back",
        "back": "there",
        "sub/absolute": f"{root}/sub/deep",
        "through": "sub/absolute/../x.txt",
    }.items():
        (root / name).symlink_to(target)


def described(value: Any) -> Any:
    """Return what can be compared of a result."""
    if isinstance(value, (PurePath, MemoryPath)):
        return ("path", str(value))
    if isinstance(value, os.stat_result):
        return (value.st_mode, value.st_nlink if value.st_mode & 0o100000 else 0)
    if isinstance(value, Mapping):
        return {described(key): described(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(described, value))
    if isinstance(value, Iterator):
        return sorted(map(described, value))
    return value


class Pair(NamedTuple):
    """The two directories."""

    real: Path
    memory: MemoryPath

    def outcomes(self, call: Callable[[Any], Any]) -> list[Any]:
        """Return how a call ends on each of them."""
        return [outcome(lambda root=root: described(call(root))) for root in self]

    def pictures(self) -> list[Any]:
        """Return what is in each of them."""
        disk = SimpleNamespace(
            lstat=os.lstat,
            listdir=os.listdir,
            readlink=os.readlink,
            read_bytes=lambda path: Path(path).read_bytes(),
        )
        return [picture(disk, str(self.real)), picture(self.memory.fs, str(self.memory))]


@pytest.fixture
def new_pair(tmp_path: Path, memory: MemoryFileSystem) -> Callable[[], Pair]:
    """Return what makes two directories with the same in them."""
    above = Path(os.path.realpath(tmp_path))
    numbers = itertools.count()

    def make() -> Pair:
        real = above / f"root{next(numbers)}"
        both = Pair(real, memory / str(real))
        for root in both:
            root.mkdir(parents=True)
            fill(root)
        return both

    return make


@pytest.fixture
def pair(new_pair: Callable[[], Pair]) -> Pair:
    """Return two directories with the same in them."""
    return new_pair()
