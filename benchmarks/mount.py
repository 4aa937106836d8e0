"""Compare a mounted file system with tmpfs and pyfakefs: `python -m benchmarks.mount`."""

from __future__ import annotations

import argparse
import importlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from benchmarks._measure import QUICK, Rounds, Sizes, Workload, begin, expect, measure, now
from benchmarks._peers import Peer, kernel_version, shared_memory_directory
from benchmarks._report import (
    ABSENT,
    BASE,
    OURS,
    Report,
    cells,
    describe_machine,
    heading,
    line,
    missed,
    number,
    save,
)
from dmemfs import MemoryFileSystem, mount

RESULTS = Path(__file__).parent / "results"
ENTRIES = 100
SMALL = 20
KIB = 1024
OVERHEAD_LIMIT = 0.25e-6


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
        try:
            return metadata.version("dmemfs-sqlite")
        except metadata.PackageNotFoundError:
            return ""

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


PLACES = {kind.name: kind for kind in (Bare, Mounted, PyFakeFS)}


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
OVERHEADS = ("real-stat", "real-read")
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


class MountReport(Report):
    """A report that also says what a mount adds to a call on a real path."""

    __slots__ = ()

    def comparison_lines(self, peers: Sequence[str]) -> list[list[str]]:
        """Return the cells of the differences to the bare call."""
        lines = []
        for name in OVERHEADS:
            row = self.rows.get(name)
            if row is None or not {OURS, BASE} <= row.figures.keys():
                continue
            added = row.best(OURS) - row.best(BASE)
            texts = [number(added * 1e6) if peer == OURS else ABSENT for peer in peers]
            target = f"{OVERHEAD_LIMIT * 1e6} us" + (" MISSED" if added > OVERHEAD_LIMIT else "")
            lines.append([f"{row.workload.title}: added", *texts, ABSENT, target])
        return lines


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mount", description=__doc__.partition(":")[0] + "."
    )
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", metavar="A,B", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--peers", metavar="A,B", help=f"of {', '.join(PLACES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each workload")
    parser.add_argument(
        "--save", action="store_true", help="write Markdown and JSON to benchmarks/results"
    )
    options = parser.parse_args(arguments)
    options.only = _chosen(parser, options.only, names)
    options.peers = _chosen(parser, options.peers, list(PLACES))
    return options


def _chosen(parser: argparse.ArgumentParser, given: str | None, known: list[str]) -> list[str]:
    wanted = [name for name in (given or "").split(",") if name]
    for name in wanted:
        if name not in known:
            parser.error(f"no {name!r}; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads asked for; return 1 when dmemfs or tmpfs failed in one of them."""
    options = parse(arguments)
    absent = {name: reason for name in options.peers if (reason := PLACES[name].missing())}
    kinds: list[type[Peer]] = [PLACES[name] for name in options.peers if name not in absent]
    rounds = options.rounds or (7 if options.quick else 25)
    report = MountReport(
        command="python -m benchmarks.mount",
        machine=describe_machine(),
        sizes=QUICK,
        peers={kind.name: kind.version() for kind in kinds},
        absent=absent,
        rows={},
        comparisons=(),
    )
    print(f"{report.machine.python}, {report.machine.cpu}, load {report.machine.load}")
    print(line(heading(options.peers)), flush=True)
    for workload in WORKLOADS:
        if workload.name in options.only:
            row = measure(workload, kinds, report.sizes, rounds=rounds, budget=12.0)
            report.rows[workload.name] = row
            print(line(cells(row, options.peers)), flush=True)
    for texts in report.comparison_lines(options.peers):
        print(line(texts))
    for note in report.footnotes():
        print(note)
    misses = [name for name, row in report.rows.items() if missed(row)]
    print(f"targets missed: {', '.join(misses) or 'none'}")
    if options.save:
        stem = f"mount-{report.machine.date[:10]}-{report.machine.python}"
        for path in save(RESULTS, stem.replace(" ", "-").lower(), report):
            print(f"wrote {path.name}")
    return int(any({OURS, BASE} & row.failures.keys() for row in report.rows.values()))


if __name__ == "__main__":
    sys.exit(main())
