"""Compare paths as objects with pathlib on tmpfs: `python -m benchmarks.through_paths`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._command import Suite
from benchmarks._measure import Rounds, Sizes, Workload, begin, expect, now
from benchmarks._peers import Dmemfs, Peer, Tmpfs

BASE = "pathlib"
METHODS = "methods"


class PathsOnTmpfs(Tmpfs):
    """`pathlib.Path` in a directory of tmpfs."""

    name = BASE
    title = "pathlib.Path on tmpfs"

    def __init__(self) -> None:
        super().__init__()
        self.top: Any = Path(self.root)


class Paths(Dmemfs):
    """Paths of a file system in memory."""

    title = "dmemfs.paths"

    def __init__(self) -> None:
        super().__init__()
        self.top: Any = self.filesystem.path(self.root)


class Methods(Dmemfs):
    """The methods of the file system, which are given text: as little as a path can cost."""

    name = METHODS
    title = "methods of MemoryFileSystem"

    def __init__(self) -> None:
        super().__init__()
        self.top: Any = _Text(self.filesystem, self.root)


class _Text:
    """A text with some methods of a path, each a method of the file system alone."""

    def __init__(self, fs: Any, text: str) -> None:
        self.fs, self.text = fs, text

    def __truediv__(self, name: str) -> Any:
        return _Text(self.fs, f"{self.text}/{name}")

    def __getattr__(self, name: str) -> Any:
        method = partial(getattr(self.fs, name), self.text)
        self.__dict__[name] = method
        return method


PEERS: dict[str, type[Peer]] = {kind.name: kind for kind in (PathsOnTmpfs, Methods, Paths)}


def on_paths(
    work: Callable[[Any], object], size: int = 4096, part: int = 1
) -> Callable[[Any, Sizes], Rounds]:
    """Return a workload that does `work` to a file many times in each round.

    Args:
        work: takes the path of the file.
        size: bytes of its content.
        part: how many times less often than `Sizes.files` it is done.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        path, content = peer.top / "file", bytes(size)
        path.write_bytes(content)
        count = max(1, sizes.files // part)
        while True:
            start = begin()
            for _ in range(count):
                work(path)
            elapsed = now() - start
            expect(path.read_bytes() == content, "the content is another one")
            yield elapsed / count

    return run


CONTENT = bytes(4096)


def read_bytes(path: Any) -> None:
    """Read a whole file."""
    path.read_bytes()


def write_bytes(path: Any) -> None:
    """Overwrite a whole file."""
    path.write_bytes(CONTENT)


def exists(path: Any) -> None:
    """Ask whether it is there."""
    path.exists()


def stat(path: Any) -> None:
    """Ask for its attributes."""
    path.stat()


WORKLOADS = (
    Workload("read", "read_bytes of 4 KiB", "us", 0.5, on_paths(read_bytes), base=BASE),
    Workload("write", "write_bytes of 4 KiB", "us", 0.5, on_paths(write_bytes), base=BASE),
    Workload("exists", "exists", "us", None, on_paths(exists), base=BASE),
    Workload("stat", "stat", "us", None, on_paths(stat), base=BASE),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or pathlib failed in one of them."""
    return Suite(
        name="through_paths",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PEERS,
        uses=("files",),
        base=BASE,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
