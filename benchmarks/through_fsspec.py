"""Compare the face for fsspec with fsspec's own memory: `python -m benchmarks.through_fsspec`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks._command import Suite
from benchmarks._measure import Rounds, Sizes, Workload, begin, expect, now
from benchmarks._peers import QUOTA, Dmemfs, Fsspec, Peer
from dmemfs import MemoryFileSystem

ENTRIES = 100
BASE = Fsspec.name


class OwnMemory(Peer):
    """The memory file system of fsspec, by its own methods."""

    name = Fsspec.name
    title = Fsspec.title

    def __init__(self) -> None:
        module: Any = importlib.import_module("fsspec.implementations.memory")
        self.face = module.MemoryFileSystem(skip_instance_cache=True)
        self.face.store = {}
        self.face.pseudo_dirs = [""]
        self.root = "/benchmark"

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get fsspec."""
        return Fsspec.missing()

    @classmethod
    def version(cls) -> str:
        """Return the version of fsspec."""
        return Fsspec.version()


class Face(OwnMemory):
    """A MemoryFileSystem, through fsspec."""

    name = Dmemfs.name
    title = "dmemfs.fsspec"

    def __init__(self) -> None:
        super().__init__()
        module: Any = importlib.import_module("dmemfs.fsspec")
        self.face = module.DmemfsFileSystem(MemoryFileSystem(max_quota=QUOTA))

    @classmethod
    def version(cls) -> str:
        """Return the version of this project."""
        return Dmemfs.version()


FACES: Mapping[str, type[Peer]] = {kind.name: kind for kind in (OwnMemory, Face)}


def on_files(
    work: Callable[[Any, str, bytes], object], size: int = 4096, part: int = 1
) -> Callable[[Any, Sizes], Rounds]:
    """Return a workload that does `work` many times in each round, beside a hundred files.

    Args:
        work: takes the file system, a path and a content.
        size: bytes of the content.
        part: how many times less often than `Sizes.files` it is done.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        face, root, content = peer.face, peer.root, bytes(size)
        face.makedirs(f"{root}/entries", exist_ok=True)
        for number in range(ENTRIES):
            face.pipe(f"{root}/entries/{number}", b"")
        path = f"{root}/file"
        face.pipe(path, content)
        count = max(1, sizes.files // part)
        while True:
            start = begin()
            for _ in range(count):
                work(face, path, content)
            elapsed = now() - start
            expect(face.cat(path) == content, "the content is another one")
            yield elapsed / count

    return run


def cat(face: Any, path: str, content: bytes) -> None:
    """Read a whole file."""
    face.cat(path)


def pipe(face: Any, path: str, content: bytes) -> None:
    """Overwrite a whole file."""
    face.pipe(path, content)


def cat_ranges(face: Any, path: str, content: bytes) -> None:
    """Read ten parts of a file."""
    face.cat_ranges([path] * 10, list(range(0, 1000, 100)), list(range(50, 1050, 100)))


def open_and_read(face: Any, path: str, content: bytes) -> None:
    """Open a file and read it."""
    with face.open(path, "rb") as file:
        file.read()


def open_and_write(face: Any, path: str, content: bytes) -> None:
    """Open a file and overwrite it."""
    with face.open(path, "wb") as file:
        file.write(content)


def info(face: Any, path: str, content: bytes) -> None:
    """Ask for the attributes of a file."""
    face.info(path)


def ls(face: Any, path: str, content: bytes) -> None:
    """List a directory, with attributes."""
    face.ls(path.replace("/file", "/entries"), detail=True)


MIB = 1 << 20
WORKLOADS = (
    Workload("cat", "cat of 4 KiB", "us", 1.0, on_files(cat), base=BASE),
    Workload("pipe", "pipe of 4 KiB", "us", 1.0, on_files(pipe), base=BASE),
    Workload("cat-large", "cat of 1 MiB", "us", 1.0, on_files(cat, MIB, 10), base=BASE),
    Workload("pipe-large", "pipe of 1 MiB", "us", 1.0, on_files(pipe, MIB, 10), base=BASE),
    Workload(
        "cat-ranges", "cat_ranges of 10", "us", None, on_files(cat_ranges, part=10), base=BASE
    ),
    Workload("read", "open + read 4 KiB", "us", None, on_files(open_and_read), base=BASE),
    Workload("write", "open + write 4 KiB", "us", None, on_files(open_and_write), base=BASE),
    Workload("info", "info", "us", None, on_files(info), base=BASE),
    Workload("ls", f"ls of {ENTRIES}", "us", None, on_files(ls, part=20), base=BASE),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or fsspec failed in one of them."""
    return Suite(
        name="through_fsspec",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=FACES,
        uses=("files",),
        base=BASE,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
