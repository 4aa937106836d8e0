"""Compare programs in a mount with programs on tmpfs: `python -m benchmarks.programs`."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any, ClassVar

from benchmarks._command import QUICKEST, Suite
from benchmarks._measure import Rounds, Sizes, Workload, expect
from benchmarks._peers import Dmemfs, Peer, Tmpfs
from dmemfs import MemoryFileSystem, mount

KIB, MIB = 1 << 10, 1 << 20
TIMEOUT = 300.0
STATS = "import os, sys; [os.stat(sys.argv[1]) for _ in range(int(sys.argv[2]))]"


class Place(Peer):
    """A directory in which programs work.

    Attributes:
        root: its path.
    """

    skipped: ClassVar[frozenset[str]] = frozenset()

    def run(self, *command: str, cwd: str | None = None) -> bytes:
        """Run a program to its end, and return what it says."""
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0"}
        return subprocess.run(
            command,
            cwd=cwd or self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=True,
        ).stdout

    def timed(self, *command: str) -> float:
        """Return how many seconds a program takes."""
        start = perf_counter()
        self.run(*command)
        return perf_counter() - start


class Bare(Tmpfs, Place):
    """A directory on tmpfs, with nothing replaced."""


class Mounted(Place):
    """A mounted MemoryFileSystem that the kernel shows to programs."""

    name = "dmemfs"
    title = "dmemfs.mount"

    def __init__(self) -> None:
        self._mounts = ExitStack()
        self.root = "/mem"
        self._mounts.enter_context(mount(MemoryFileSystem(), self.root, programs="kernel"))

    @classmethod
    def version(cls) -> str:
        """Return the version of this project."""
        return Dmemfs.version()

    def close(self) -> None:
        """End the mount."""
        self._mounts.close()


PLACES: Mapping[str, type[Peer]] = {kind.name: kind for kind in (Bare, Mounted)}


def start(peer: Any, sizes: Sizes) -> Rounds:
    """Start a program that does nothing."""
    peer.run("true")
    while True:
        yield peer.timed("true")


def stat(peer: Any, sizes: Sizes) -> Rounds:
    """Ask for the attributes of a file: what more of it takes, than once."""
    peer.run("touch", "file")
    command = (sys.executable, "-I", "-S", "-c", STATS, f"{peer.root}/file")
    while True:
        once = peer.timed(*command, "1")
        yield max(peer.timed(*command, str(10 * sizes.files)) - once, 0.0) / (10 * sizes.files)


def write(peer: Any, sizes: Sizes) -> Rounds:
    """Write a large file."""
    count = sizes.stream_bytes // MIB
    while True:
        yield peer.timed("dd", "if=/dev/zero", "of=large", "bs=1M", f"count={count}")
        expect(os.stat(f"{peer.root}/large").st_size == count * MIB, "it is not whole")
        os.remove(f"{peer.root}/large")


def read(peer: Any, sizes: Sizes) -> Rounds:
    """Read a large file."""
    peer.run("dd", "if=/dev/zero", "of=large", "bs=1M", f"count={sizes.stream_bytes // MIB}")
    while True:
        yield peer.timed("dd", "if=large", "of=/dev/null", "bs=1M")


def untar(peer: Any, sizes: Sizes) -> Rounds:
    """Unpack an archive of small files."""
    _write_archive(f"{peer.root}/archive.tar", sizes.entries)
    while True:
        os.mkdir(f"{peer.root}/unpacked")
        yield peer.timed("tar", "-xf", "archive.tar", "-C", "unpacked")
        count = sum(len(files) for _, _, files in os.walk(f"{peer.root}/unpacked"))
        expect(count == sizes.entries, "files are missing")
        shutil.rmtree(f"{peer.root}/unpacked")


def in_project(*command: str) -> Callable[[Any, Sizes], Rounds]:
    """Return a workload that runs a program on a repository of small files."""

    def run(peer: Any, sizes: Sizes) -> Rounds:
        _write_archive(f"{peer.root}/archive.tar", sizes.entries // 2)
        os.mkdir(f"{peer.root}/project")
        peer.run("tar", "-xf", "../archive.tar", cwd=f"{peer.root}/project")
        for step in (("init", "-q"), ("add", "."), ("-c", "user.name=x", "-c", "user.email=x",
                     "commit", "-qm", "all")):  # fmt: skip
            peer.run("git", *step, cwd=f"{peer.root}/project")
        while True:
            begin = perf_counter()
            peer.run(*command, cwd=f"{peer.root}/project")
            yield perf_counter() - begin

    return run


def _write_archive(path: str, count: int) -> None:
    """Write an archive of so many files of 1 KiB, of 100 in each directory."""
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{number // 100}/{number}.txt")
            member.size = KIB
            archive.addfile(member, io.BytesIO((b"line %9d\n" % number) * (KIB // 15 + 1)))


WORKLOADS = (
    Workload("start", "start `true`", "ms", None, start, limit=10.0, typical=True),
    Workload("stat", "stat of a path: two requests", "us", None, stat, limit=60.0),
    Workload("write", "dd, write {stream_bytes}", "ms", None, write, most_rounds=5),
    Workload("read", "dd, read {stream_bytes}", "ms", None, read, most_rounds=9),
    Workload("untar", "tar -x of {entries} files", "ms", None, untar, most_rounds=5),
    Workload(
        "status", "git status, half as many", "ms", None, in_project("git", "status"), most_rounds=9
    ),
    Workload(
        "grep", "grep -r, half as many", "ms", None,
        in_project("grep", "-rc", "line", "--include=*.txt", "."), most_rounds=9,
    ),
)  # fmt: skip
NOTES = ("times: by the clock, of the program from its start to its end", QUICKEST)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    return Suite(
        name="programs",
        description=__doc__.partition(":")[0] + ".",
        workloads=WORKLOADS,
        peers=PLACES,
        uses=("files", "entries", "stream_bytes"),
        notes=NOTES,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
