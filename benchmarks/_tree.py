"""Workloads on the tree: status, listing, directories, renaming, walking, memory, import.

Each is a generator that does one round whenever it is resumed, and yields the seconds (or bytes)
that one operation took.
"""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks._content import MIB, SMALL, payloads, read_whole, write_whole
from benchmarks._measure import Rounds, Sizes, begin, expect, now, quickest
from benchmarks._peers import NotOfferedError, Peer

FILES_PER_DIRECTORY = 99
CHILD_TIMEOUT = 300.0


def make_files(peer: Peer, directory: str, count: int) -> list[str]:
    """Make empty files and return their paths."""
    paths = [f"{directory}/file-{number:06}" for number in range(count)]
    for path in paths:
        peer.open(path, "wb").close()
    return paths


def make_tree(peer: Peer, directories: int) -> tuple[str, list[str], int]:
    """Make a tree of directories in up to 10 branches, each directory with 99 files.

    Returns:
        Its top, the paths of the directories that have files, and the number of nodes below
        the top.
    """
    top = f"{peer.root}/tree"
    peer.mkdir(top)
    branches = [f"{top}/branch-{number}" for number in range(min(10, directories))]
    for branch in branches:
        peer.mkdir(branch)
    leaves = []
    for number in range(directories):
        leaf = f"{branches[number % len(branches)]}/directory-{number:04}"
        peer.mkdir(leaf)
        make_files(peer, leaf, FILES_PER_DIRECTORY)
        leaves.append(leaf)
    return top, leaves, len(branches) + directories * (1 + FILES_PER_DIRECTORY)


# Status


def _at_depth(peer: Peer, depth: int, count: int) -> list[str]:
    """Make files whose paths have `depth` names below the root of the peer."""
    directory = peer.root
    for number in range(depth - 1):
        directory = f"{directory}/level-{number:02}"
        peer.mkdir(directory)
    return make_files(peer, directory, count)


def _stat(peer: Peer, depth: int, count: int, *, changed: bool = False) -> Rounds:
    stat = peer.stat
    paths = _at_depth(peer, depth, count)
    missing = paths.pop() + "-missing"
    for turn in itertools.count():
        if changed:
            for path in paths:
                write_whole(peer, path, b"%d" % turn)
        start = begin()
        for path in paths:
            stat(path)
        elapsed = now() - start
        try:
            stat(missing)
        except Exception:
            pass
        else:
            expect(False, "stat of a missing file found something")
        yield elapsed / len(paths)


def stat(peer: Peer, sizes: Sizes) -> Rounds:
    """Get the status of files at depth 2."""
    return _stat(peer, 2, sizes.files + 1)


def stat_changed(peer: Peer, sizes: Sizes) -> Rounds:
    """Get the status of files at depth 2, each of which was written since the last time."""
    return _stat(peer, 2, sizes.files + 1, changed=True)


def stat_deep(peer: Peer, sizes: Sizes) -> Rounds:
    """Get the status of files at depth 20."""
    return _stat(peer, 20, sizes.files + 1)


def exists_hit(peer: Peer, sizes: Sizes) -> Rounds:
    """Ask whether files exist that do."""
    yield from _exists(peer, _at_depth(peer, 2, sizes.files), True)


def exists_miss(peer: Peer, sizes: Sizes) -> Rounds:
    """Ask whether files exist that do not, in a directory that does."""
    paths = _at_depth(peer, 2, sizes.files)
    yield from _exists(peer, [f"{path}-missing" for path in paths], False)


def _exists(peer: Peer, paths: list[str], answer: bool) -> Rounds:
    exists = peer.exists
    while True:
        start = begin()
        for path in paths:
            exists(path)
        elapsed = now() - start
        expect(all(bool(exists(path)) is answer for path in paths[-3:]), "the answer is wrong")
        yield elapsed / len(paths)


def listdir(peer: Peer, sizes: Sizes) -> Rounds:
    """List a large directory; the figure is for one entry."""
    directory = f"{peer.root}/listed"
    peer.mkdir(directory)
    make_files(peer, directory, sizes.entries)
    while True:
        start = begin()
        names = peer.listdir(directory)
        elapsed = now() - start
        expect(len(set(names)) == sizes.entries, f"{len(names)} names were listed")
        yield elapsed / sizes.entries


# Directories


def mkdir_rmdir(peer: Peer, sizes: Sizes) -> Rounds:
    """Make a directory and remove it, under fresh names."""
    mkdir, rmdir = peer.mkdir, peer.rmdir
    turn = 0
    while True:
        paths = [f"{peer.root}/directory-{turn}-{number:06}" for number in range(sizes.files)]
        start = begin()
        for path in paths:
            mkdir(path)
            rmdir(path)
        elapsed = now() - start
        expect(not peer.exists(paths[-1]), "rmdir removed nothing")
        mkdir(paths[-1])
        expect(bool(peer.exists(paths[-1])), "mkdir made nothing")
        rmdir(paths[-1])
        yield elapsed / len(paths)
        turn += 1


def rename_small(peer: Peer, sizes: Sizes) -> Rounds:
    """Rename a directory with as many descendants as one of its directories has."""
    return _rename(peer, 1, sizes.renamed_directories)


def rename_large(peer: Peer, sizes: Sizes) -> Rounds:
    """Rename a directory with 100 directories of 100 files."""
    return _rename(peer, sizes.renamed_directories, 100)


def _rename(peer: Peer, directories: int, files: int) -> Rounds:
    rename = peer.rename
    old, new = f"{peer.root}/old-name", f"{peer.root}/new-name"
    peer.mkdir(old)
    for number in range(directories):
        peer.mkdir(f"{old}/directory-{number:03}")
        make_files(peer, f"{old}/directory-{number:03}", files)
    last = f"/directory-{directories - 1:03}/file-{files - 1:06}"
    repeats = 1
    while True:
        start = begin()
        for _ in range(repeats):
            rename(old, new)
            rename(new, old)
        elapsed = now() - start
        rename(old, new)
        expect(not peer.exists(old + last), "the old name is still there")
        expect(bool(peer.exists(new + last)), "a descendant did not come along")
        rename(new, old)
        yield elapsed / (2 * repeats)
        # Enough of them for a clock that ticks in fractions of a microsecond.
        repeats = max(1, min(2_000, int(0.02 * repeats / elapsed)))


def walk(peer: Peer, sizes: Sizes) -> Rounds:
    """Walk a large tree; the figure is for one node."""
    top, _, nodes = make_tree(peer, sizes.tree_directories)
    while True:
        seen = 0
        start = begin()
        for _, directories, files in peer.walk(top):
            seen += len(directories) + len(files)
        elapsed = now() - start
        expect(seen == nodes, f"{seen} of {nodes} nodes were seen")
        yield elapsed / nodes


def create_in_tree(peer: Peer, sizes: Sizes) -> Rounds:
    """Create files of 4 KiB in the directories of a large tree."""
    open_ = peer.open
    _, leaves, _ = make_tree(peer, sizes.tree_directories)
    turn = 0
    while True:
        paths = [
            f"{leaves[number * 7 % len(leaves)]}/new-{turn}-{number:06}"
            for number in range(sizes.files)
        ]
        contents = payloads(len(paths), SMALL)
        start = begin()
        for path, content in zip(paths, contents, strict=True):
            with open_(path, "wb") as file:
                file.write(content)
        elapsed = now() - start
        expect(read_whole(peer, paths[-1]) == contents[-1], "the new file has other content")
        yield elapsed / len(paths)
        for path in paths:
            peer.remove(path)
        turn += 1


def copy_tree(peer: Peer, sizes: Sizes) -> Rounds:
    """Copy a large tree; the figure is for one node."""
    copy = peer.copy_tree
    top, leaves, nodes = make_tree(peer, sizes.tree_directories)
    turn = 0
    while True:
        target = f"{peer.root}/copy-{turn}"
        gc.collect()
        # The wall clock: some peers copy in a process of its own.
        start = perf_counter()
        copy(top, target)
        elapsed = perf_counter() - start
        copied = f"{target}{leaves[-1].removeprefix(top)}/file-{FILES_PER_DIRECTORY - 1:06}"
        expect(bool(peer.exists(copied)), "the last file was not copied")
        yield elapsed / nodes
        peer.remove_tree(target)
        turn += 1


# Memory and import


def collect(peer: Peer, sizes: Sizes) -> Rounds:
    """Collect garbage, of which there is none, in a program that holds a large tree."""
    _, leaves, _ = make_tree(peer, sizes.tree_directories)
    while True:
        start = begin()
        gc.collect()
        elapsed = now() - start
        expect(bool(peer.exists(f"{leaves[-1]}/file-000000")), "the tree is gone")
        yield elapsed


def memory_empty(peer: Peer, sizes: Sizes) -> Rounds:
    """Measure the memory that an empty file takes."""
    return _memory(peer, sizes.entries, 0)


def memory_100(peer: Peer, sizes: Sizes) -> Rounds:
    """Measure the memory that a file of 100 bytes takes."""
    return _memory(peer, sizes.entries, 100)


def _memory(peer: Peer, count: int, length: int) -> Rounds:
    with peer.memory_counter() as used:
        # The files of former rounds stay: a system that reuses their memory would seem to need
        # none.
        for turn in itertools.count():
            directory = f"{peer.root}/memory-{turn}"
            peer.make_directory(directory)
            source = bytes(length + count)
            gc.collect()
            before = used()
            for number in range(count):
                path = f"{directory}/file-{number:06}"
                write_whole(peer, path, source[number : number + length])
            gc.collect()
            after = used()
            expect(len(read_whole(peer, path)) == length, "the file has another length")
            yield (after - before) / count


def import_time(peer: Peer, sizes: Sizes) -> Rounds:
    """Import the package in a new process."""
    if not peer.import_statement:
        raise NotOfferedError("nothing to import")
    path = peer.import_path()
    script = (
        "import sys, warnings; from time import perf_counter; warnings.simplefilter('ignore');"
        f"sys.path[:0] = {[path] if path else []!r}; start = perf_counter();"
        f"{peer.import_statement}; print(perf_counter() - start)"
    )
    while True:
        yield float(_output_of("-c", script))


def cold_64k(peer: Peer, sizes: Sizes) -> Rounds:
    """Write a large file in chunks of 64 KiB in a process that has no freed memory to reuse."""
    return quickest(2, _in_new_process(peer, sizes.stream_bytes, MIB // 16))


def cold_1m(peer: Peer, sizes: Sizes) -> Rounds:
    """Write a large file in chunks of 1 MiB in a process that has no freed memory to reuse."""
    return quickest(2, _in_new_process(peer, sizes.stream_bytes, MIB))


def _in_new_process(peer: Peer, length: int, chunk: int) -> Rounds:
    while True:
        yield float(_output_of("-m", "benchmarks._cold", peer.name, str(length), str(chunk)))


def _output_of(*arguments: str) -> str:
    checkout = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=CHILD_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "it failed")
    return done.stdout
