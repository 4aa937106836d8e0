"""Workloads with snapshots, rollbacks and clones, and the peers that copy instead.

Each is a generator that does one round whenever it is resumed, and yields the seconds that one
operation took.
"""

from __future__ import annotations

import copy
import gc
import itertools
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from time import perf_counter
from typing import Any

from benchmarks._content import fill, payloads, read_whole, write_whole
from benchmarks._measure import Rounds, Sizes, begin, expect, now
from benchmarks._peers import DMemFS, Dmemfs, Peer, Tmpfs
from benchmarks._tree import FILES_PER_DIRECTORY, make_tree

CONTENT = 100  # bytes of a small file
CHANGES = 10


# Peers


class WithSnapshots(Dmemfs):
    """The MemoryFileSystem of this project; to copy all of it is to clone it."""

    def __init__(self) -> None:
        super().__init__()
        self.copy_file = self.filesystem.copy

    def copy_all(self, source: str, target: str) -> Any:
        """Clone the file system, and return what shows the copy."""
        clone = self.filesystem.clone()
        shown: Any = Peer()
        shown.open = clone.open
        return shown


class CopiedByCp(Tmpfs):
    """A tmpfs directory, copied by `cp -a`."""

    def __init__(self) -> None:
        super().__init__()
        self.copy_all = self.copy_tree
        self.copy_file = shutil.copyfile


class CopiedByShutil(Tmpfs):
    """A tmpfs directory, copied by shutil.copytree()."""

    name = "copytree"
    title = "tmpfs, shutil.copytree"

    def __init__(self) -> None:
        super().__init__()
        self.copy_all = shutil.copytree


class CopiedByDMemFS(DMemFS):
    """D-MemFS, copied by its copy_tree() and copy()."""

    def __init__(self) -> None:
        super().__init__()
        self.copy_all = self.copy_tree
        self.copy_file = self.copy_tree.__self__.copy


class DeepCopied(Peer):
    """A dictionary for each directory and bytes for each file, copied by copy.deepcopy()."""

    name = "deepcopy"
    title = "dict, copy.deepcopy"

    def __init__(self) -> None:
        super().__init__()
        self.tree: dict[str, Any] = {}
        self.root = ""

    def _find(self, path: str) -> tuple[dict[str, Any], str]:
        *above, name = path.strip("/").split("/")
        directory = self.tree
        for part in above:
            directory = directory[part]
        return directory, name

    def mkdir(self, path: str) -> None:
        """Make a dictionary."""
        directory, name = self._find(path)
        directory[name] = {}

    def open(self, path: str, mode: str) -> Any:
        """Return a file that is in the dictionary when it is closed."""
        directory, name = self._find(path)
        return _StoredBytes(directory, name, mode)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry."""
        directory, name = self._find(path)
        return name in directory

    def copy_all(self, source: str, target: str) -> None:
        """Copy the dictionary of a directory, and those in it."""
        directory, name = self._find(source)
        other, new_name = self._find(target)
        other[new_name] = copy.deepcopy(directory[name])

    def remove_tree(self, path: str) -> None:
        """Drop the dictionary of a directory."""
        directory, name = self._find(path)
        del directory[name]

    @classmethod
    def version(cls) -> str:
        """Return the version of Python, whose types they are."""
        return sys.version.split()[0]


class _StoredBytes:
    def __init__(self, directory: dict[str, Any], name: str, mode: str) -> None:
        self._directory = directory
        self._name = name
        self._pieces: list[bytes] | None = [] if mode == "wb" else None

    def __enter__(self) -> _StoredBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> bytes:
        content: bytes = self._directory[self._name]
        return content

    def write(self, data: bytes) -> None:
        assert self._pieces is not None
        self._pieces.append(data)

    def close(self) -> None:
        if self._pieces is not None:
            self._directory[self._name] = b"".join(self._pieces)


PEERS: Mapping[str, type[Peer]] = {
    kind.name: kind
    for kind in (CopiedByCp, WithSnapshots, CopiedByShutil, CopiedByDMemFS, DeepCopied)
}


# Snapshots


def _large_directory(peer: Peer, sizes: Sizes) -> tuple[Any, str, int]:
    """Return a file system with one directory of 100 times `sizes.tree_directories` files."""
    fs = peer.filesystem
    directory, count = f"{peer.root}/large", 100 * sizes.tree_directories
    fs.mkdir(directory)
    for number in range(count):
        write_whole(peer, f"{directory}/{number}", b"content")
    return fs, directory, count


def snapshot(peer: Peer, sizes: Sizes) -> Rounds:
    """Take snapshots of a file system with one large directory."""
    fs, directory, _ = _large_directory(peer, sizes)
    take = fs.snapshot
    while True:
        start = begin()
        snaps = [take() for _ in range(sizes.files)]
        elapsed = now() - start
        fs.write_bytes(f"{directory}/0", b"other")
        expect(snaps[-1].read_bytes(f"{directory}/0") == b"content", "it shows the present")
        fs.restore(snaps[0])
        yield elapsed / len(snaps)
        del snaps


def first_snapshot(peer: Peer, sizes: Sizes) -> Rounds:
    """Take the first snapshot of file systems, each of which has one file."""
    kind = type(peer.filesystem)
    while True:
        systems = [kind() for _ in range(max(1, sizes.files // 10))]
        for fs in systems:
            fs.write_bytes("/file", b"content")
        start = begin()
        snaps = [fs.snapshot() for fs in systems]
        elapsed = now() - start
        systems[-1].write_bytes("/file", b"other")
        expect(snaps[-1].read_bytes("/file") == b"content", "it shows the present")
        yield elapsed / len(systems)


def snapshot_and_close(peer: Peer, sizes: Sizes) -> Rounds:
    """Take snapshots of a file system with one large directory, each after a change, and close."""
    fs, directory, _ = _large_directory(peer, sizes)
    while True:
        elapsed = 0.0
        gc.collect()
        for number in range(sizes.files):
            fs.write_bytes(f"{directory}/0", b"%d" % number)
            start = now()
            snap = fs.snapshot()
            snap.close()
            elapsed += now() - start
            expect(snap.closed, "it is open")
        yield elapsed / sizes.files


def _first_touch(
    peer: Peer, sizes: Sizes, touch: Callable[[Any, str], object], entries: int
) -> Rounds:
    """Change a large directory for the first time after a snapshot, again and again.

    Args:
        touch: what to do to the file system, and a path in the directory.
        entries: how many entries more there are afterwards.
    """
    fs, directory, count = _large_directory(peer, sizes)
    turns = max(1, sizes.files // 10)
    while True:
        elapsed = 0.0
        gc.collect()
        for number in range(turns):
            path = f"{directory}/{number * 7919 % count}"
            with fs.snapshot() as snap:
                start = now()
                touch(fs, path)
                elapsed += now() - start
                fs.restore(snap)
                expect(fs.read_bytes(path) == b"content", "the change was not undone")
        with fs.rollback() as snap:
            touch(fs, path)
            expect(len(fs.listdir(directory)) == count + entries, "nothing was changed")
            expect(snap.read_bytes(path) == b"content", "the snapshot shows the change")
        expect(len(fs.listdir(directory)) == count, "the change was not undone")
        yield elapsed / turns


def first_create(peer: Peer, sizes: Sizes) -> Rounds:
    """Make a file in a large directory, the first change after a snapshot."""
    return _first_touch(peer, sizes, lambda fs, path: fs.write_bytes(f"{path}-new", b"new"), 1)


def first_overwrite(peer: Peer, sizes: Sizes) -> Rounds:
    """Overwrite a file in a large directory, the first change after a snapshot."""
    return _first_touch(peer, sizes, lambda fs, path: fs.write_bytes(path, b"new"), 0)


def first_remove(peer: Peer, sizes: Sizes) -> Rounds:
    """Remove a file of a large directory, the first change after a snapshot."""
    return _first_touch(peer, sizes, lambda fs, path: fs.remove(path), -1)


def restore(peer: Peer, sizes: Sizes) -> Rounds:
    """Go back after all small files of a large tree were rewritten."""
    fs = peer.filesystem
    _, leaves, _ = make_tree(peer, sizes.tree_directories)
    paths = [f"{leaf}/file-{number:06}" for leaf in leaves for number in range(FILES_PER_DIRECTORY)]
    contents = payloads(len(paths), CONTENT)
    for path, content in zip(paths, contents, strict=True):
        fs.write_bytes(path, content)
    snap = fs.snapshot()
    while True:
        for path in paths:
            fs.write_bytes(path, b"rewritten")
        start = begin()
        fs.restore(snap)
        elapsed = now() - start
        for number in (0, len(paths) // 2, -1):
            expect(read_whole(peer, paths[number]) == contents[number], "it is not restored")
        yield elapsed


def rollback_empty(peer: Peer, sizes: Sizes) -> Rounds:
    """Roll back what did nothing."""
    fs, _, _ = _large_directory(peer, sizes)
    while True:
        start = begin()
        for _ in range(sizes.files):
            with fs.rollback():
                pass
        yield (now() - start) / sizes.files


def rollback_changes(peer: Peer, sizes: Sizes) -> Rounds:
    """Roll back ten small changes; the changes count too."""
    yield from _changes(peer, sizes, rolled_back=True)


def changes_alone(peer: Peer, sizes: Sizes) -> Rounds:
    """Make ten small changes and do not roll them back."""
    yield from _changes(peer, sizes, rolled_back=False)


def _changes(peer: Peer, sizes: Sizes, *, rolled_back: bool) -> Rounds:
    fs, directory, count = _large_directory(peer, sizes)
    turns = max(1, sizes.files // 10)
    contents = payloads(turns * CHANGES, CONTENT)
    paths = [f"{directory}/{number * 7919 % count}" for number in range(CHANGES)]
    while True:
        given = iter(contents)
        start = begin()
        for _ in range(turns):
            if rolled_back:
                with fs.rollback():
                    for path in paths:
                        fs.write_bytes(path, next(given))
            else:
                for path in paths:
                    fs.write_bytes(path, next(given))
        elapsed = now() - start
        last = b"content" if rolled_back else contents[-1]
        expect(fs.read_bytes(paths[-1]) == last, "the last change is not what it should be")
        yield elapsed / turns


# Copies of everything


def copy_all(peer: Peer, sizes: Sizes) -> Rounds:
    """Copy a large tree of small files: a clone, or what a peer has instead of it."""
    top, leaves, _ = make_tree(peer, sizes.tree_directories)
    content = payloads(1, CONTENT)[0]
    for leaf in leaves:
        for number in range(FILES_PER_DIRECTORY):
            write_whole(peer, f"{leaf}/file-{number:06}", content)
    copy = peer.copy_all
    for turn in itertools.count():
        target = f"{peer.root}/copy-{turn}"
        gc.collect()
        # The wall clock: some peers copy in a process of its own.
        start = perf_counter()
        result = copy(top, target)
        elapsed = perf_counter() - start
        shown, where = (result, top) if isinstance(result, Peer) else (peer, target)
        path = f"{where}{leaves[-1].removeprefix(top)}/file-{FILES_PER_DIRECTORY - 1:06}"
        expect(read_whole(shown, path) == content, "the last file was not copied")
        yield elapsed
        if shown is peer:
            peer.remove_tree(target)
        del result, shown


def clone_of_a_large_file(peer: Peer, sizes: Sizes) -> Rounds:
    """Clone a file system with one large file."""
    fs = peer.filesystem
    path = f"{peer.root}/large"
    tail = fill(peer, path, sizes.stream_bytes)
    while True:
        start = begin()
        clone = fs.clone()
        elapsed = now() - start
        _check_copy(clone.open(path, "r+b"), tail)
        _check_copy(fs.open(path, "rb"), tail)
        yield elapsed
        del clone


def copy_of_a_large_file(peer: Peer, sizes: Sizes) -> Rounds:
    """Copy a large file."""
    copy = peer.copy_file
    path, target = f"{peer.root}/large", f"{peer.root}/copy"
    tail = fill(peer, path, sizes.stream_bytes)
    while True:
        start = begin()
        copy(path, target)
        elapsed = now() - start
        _check_copy(peer.open(target, "r+b"), tail)
        _check_copy(peer.open(path, "rb"), tail)
        yield elapsed
        peer.remove(target)


def write_after_copy(peer: Peer, sizes: Sizes) -> Rounds:
    """Write into a large file for the first time after it was copied."""
    path, target = f"{peer.root}/large", f"{peer.root}/copy"
    tail = fill(peer, path, sizes.stream_bytes)
    while True:
        peer.copy_file(path, target)
        with peer.open(path, "r+b") as file:
            file.seek(-len(tail), 2)
            start = begin()
            file.write(tail[::-1])
            file.flush()
            elapsed = now() - start
        _check_copy(peer.open(path, "rb"), tail[::-1])
        _check_copy(peer.open(target, "rb"), tail)
        yield elapsed
        tail = tail[::-1]
        peer.remove(target)


def _check_copy(file: Any, tail: bytes) -> None:
    """Check how a file ends, and if it can be written, write into it for the next check."""
    with closing(file):
        file.seek(-len(tail), 2)
        expect(file.read() == tail, "the copy ends otherwise, or shares what was written to it")
        if file.writable():
            file.seek(-len(tail), 2)
            file.write(bytes(len(tail)))
