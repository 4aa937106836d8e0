"""Compare a mounted file system with tmpfs and pyfakefs: `python -m benchmarks.mount`."""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import metadata
from typing import Any, ClassVar

from benchmarks._command import Suite
from benchmarks._measure import QUICK, Rounds, Sizes, Workload, begin, expect, now
from benchmarks._peers import Dmemfs, Peer, kernel_version, shared_memory_directory
from benchmarks._report import Difference
from dmemfs import MemoryFileSystem, mount

ENTRIES = 100
SMALL = 20
KIB = 1024


class Place(Peer):
    """A directory that the builtin `open` and `os` work on, within `active()`.

    The workloads call these by their names, as programs do; there is no adapter.
    """

    @property
    def real(self) -> str:
        """The path of a real directory."""
        return self.root

    def active(self) -> AbstractContextManager[object]:
        """Return what has to be entered for the directory to be seen."""
        return nullcontext()

    def enter_and_leave(self) -> None:
        """Enter it, and leave it again."""
        with self.active():
            pass


class Bare(Place):
    """A directory on tmpfs, with nothing replaced."""

    name = "tmpfs"
    title = "tmpfs"
    skipped: ClassVar[frozenset[str]] = frozenset({"enter"})

    def __init__(self) -> None:
        self.root = _new_directory()

    @classmethod
    def version(cls) -> str:
        """Return the release of the kernel, whose file system it is."""
        return kernel_version()

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)


class Mounted(Place):
    """A mounted MemoryFileSystem, and a directory on tmpfs beside it."""

    name = "dmemfs"
    title = "dmemfs.mount"

    def __init__(self) -> None:
        self.root = "/mem/benchmark"
        self._real = _new_directory()
        self.fs = MemoryFileSystem()
        self.fs.mkdir("/benchmark")

    @property
    def real(self) -> str:
        """The directory on tmpfs."""
        return self._real

    @classmethod
    def version(cls) -> str:
        """Return the version of this project."""
        return Dmemfs.version()

    def active(self) -> AbstractContextManager[object]:
        """Return the mount."""
        return mount(self.fs, "/mem")

    def close(self) -> None:
        """Remove the directory on tmpfs."""
        shutil.rmtree(self._real)


class PyFakeFS(Place):
    """pyfakefs, patching as its test cases and its pytest fixture do."""

    name = "pyfakefs"
    title = "pyfakefs"

    def __init__(self) -> None:
        self.root = "/benchmark"

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get pyfakefs."""
        try:
            importlib.import_module("pyfakefs.fake_filesystem_unittest")
        except ImportError as error:
            return f"{error}; pip install pyfakefs"
        return None

    @classmethod
    def version(cls) -> str:
        """Return the version of pyfakefs."""
        return metadata.version("pyfakefs")

    @contextmanager
    def active(self) -> Iterator[object]:
        """Patch the process."""
        module: Any = importlib.import_module("pyfakefs.fake_filesystem_unittest")
        with module.Patcher() as patcher:
            os.mkdir(self.root)
            yield patcher


PLACES: Mapping[str, type[Peer]] = {kind.name: kind for kind in (Bare, Mounted, PyFakeFS)}


def _new_directory() -> str:
    path = f"{shared_memory_directory() or '/tmp'}/benchmark-{secrets.token_hex(4)}"
    os.mkdir(path)
    return path


# Workloads


def enter(peer: Any, sizes: Sizes) -> Rounds:
    """Begin and end."""
    peer.enter_and_leave()
    count = max(1, sizes.files // 10)
    while True:
        start = begin()
        for _ in range(count):
            peer.enter_and_leave()
        yield (now() - start) / count


def on_files(
    work: Callable[[str], object], *, real: bool = False, part: int = 1
) -> Callable[[Any, Sizes], Rounds]:
    """Return a workload that does `work` with a directory of files, many times in each round.

    Args:
        work: takes the path of the directory.
        real: use a real directory beside the mount.
        part: how many times less often than `Sizes.files` it is done.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        count = max(1, sizes.files // part)
        root = peer.real if real else peer.root
        while True:
            with peer.active():
                _prepare(root)
                start = begin()
                for _ in range(count):
                    work(root)
                elapsed = now() - start
                expect(len(os.listdir(f"{root}/entries")) == ENTRIES, "files are missing")
            yield elapsed / count

    return run


def _prepare(root: str) -> None:
    os.makedirs(f"{root}/entries", exist_ok=True)
    if not os.path.exists(f"{root}/file"):
        with open(f"{root}/file", "wb") as file:
            file.write(bytes(KIB))
        for index in range(ENTRIES):
            with open(f"{root}/entries/{index}", "wb"):
                pass


def stat(root: str) -> None:
    """Ask for the attributes of a file."""
    os.stat(root + "/file")


def exists(root: str) -> None:
    """Ask whether a file is there."""
    os.path.exists(root + "/file")


def read(root: str) -> None:
    """Open and read a file."""
    with open(root + "/file", "rb") as file:
        file.read()


def write(root: str) -> None:
    """Open and overwrite a file."""
    with open(root + "/written", "wb") as file:
        file.write(_CONTENT)


def listdir(root: str) -> None:
    """List a directory."""
    os.listdir(root + "/entries")


def scandir(root: str) -> None:
    """Look at each entry of a directory."""
    with os.scandir(root + "/entries") as entries:
        for entry in entries:
            entry.is_file()


def mkdir_rmdir(root: str) -> None:
    """Make and remove a directory."""
    os.mkdir(root + "/new")
    os.rmdir(root + "/new")


def mixed(root: str) -> None:
    """Do what a test of a program that works on files does."""
    top = root + "/mixed"
    os.makedirs(top + "/sub")
    for index in range(SMALL):
        path = f"{top}/{index}.txt"
        with open(path, "w", encoding="utf-8") as file:
            file.write(_TEXT)
        if not os.path.isfile(path):
            raise FileNotFoundError(path)
        with open(path, encoding="utf-8") as file:
            file.read()
        os.rename(path, f"{top}/sub/{index}.txt")
    for entry in sorted(os.listdir(top + "/sub")):
        os.stat(f"{top}/sub/{entry}")
    shutil.rmtree(top)


_CONTENT = bytes(KIB)
_TEXT = "line of text\n" * 20

WORKLOADS = (
    Workload("enter", "enter and leave", "us", None, enter, limit=60),
    Workload("stat", "stat", "us", 1.6, on_files(stat)),
    Workload("exists", "exists", "us", None, on_files(exists)),
    Workload("read", "open + read 1 KiB", "us", 1.2, on_files(read)),
    Workload("write", "open + write 1 KiB", "us", None, on_files(write)),
    Workload("listdir", f"listdir of {ENTRIES}", "us", 0.2, on_files(listdir, part=5)),
    Workload("scandir", f"scandir + is_file of {ENTRIES}", "us", 1.5, on_files(scandir, part=10)),
    Workload("mkdir-rmdir", "mkdir + rmdir", "us", None, on_files(mkdir_rmdir)),
    Workload("mixed", f"mixed, {SMALL} files", "us", 1.3, on_files(mixed, part=50)),
    Workload("real-stat", "stat, real path", "us", None, on_files(stat, real=True)),
    Workload("real-read", "open + read, real path", "us", None, on_files(read, real=True)),
    Workload("real-listdir", "listdir, real path", "us", None, on_files(listdir, real=True)),
)
COMPARISONS = (
    Difference("added-stat", "stat, real path: added", "real-stat", 0.25),
    Difference("added-read", "open + read, real path: added", "real-read", 0.25),
)
# What pyfakefs takes so much longer for that a part of it is enough.
DIVISORS = {
    "enter": 10,
    "stat": 20,
    "exists": 20,
    "read": 50,
    "write": 50,
    "listdir": 10,
    "scandir": 50,
    "mkdir-rmdir": 50,
    "mixed": 10,
}
PyFakeFS.divisors = DIVISORS
PyFakeFS.skipped = frozenset(item.name for item in WORKLOADS if item.name.startswith("real-"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    return Suite(
        name="mount",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PLACES,
        uses=("files",),
        comparisons=COMPARISONS,
        full=QUICK,
        quick=QUICK,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
