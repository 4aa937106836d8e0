"""Programs that are right: type checkers find nothing, and know what each call returns.

They are not run; `test_typing.py` shows them to type checkers.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, assert_type

from dmemfs import Difference, Link, MemoryFileSystem, Quota, Snapshot, Usage, aio, mount
from dmemfs.paths import MemoryPath


def open_files(fs: MemoryFileSystem, mode: str, size: int) -> None:
    assert_type(fs.open("/a"), io.TextIOWrapper)
    assert_type(fs.open("/a", "r"), io.TextIOWrapper)
    assert_type(fs.open("/a", "w+t", encoding="utf-8", newline=""), io.TextIOWrapper)
    assert_type(fs.open(b"/a", "x", 1), io.TextIOWrapper)
    assert_type(fs.open(Path("/a"), mode="a", errors="ignore"), io.TextIOWrapper)
    assert_type(fs.open("/a", "rb"), io.BufferedIOBase)
    assert_type(fs.open("/a", "w+b", -1), io.BufferedIOBase)
    assert_type(fs.open("/a", "ab", buffering=4096), io.BufferedIOBase)
    assert_type(fs.open("/a", "rb", buffering=size), io.BufferedIOBase)
    assert_type(fs.open("/a", "rb", 0), io.RawIOBase)
    assert_type(fs.open("/a", "r+b", buffering=0), io.RawIOBase)
    assert_type(fs.open("/a", mode), IO[Any])
    assert_type(fs.open("/a", lock="shared"), io.TextIOWrapper)
    assert_type(fs.open("/a", "wb", lock="exclusive", lock_timeout=0.5), io.BufferedIOBase)
    with fs.open("/a") as text, fs.open("/b", "rb") as binary, fs.open("/c", "rb", 0) as raw:
        assert_type(text.read(), str)
        assert_type(list(text), list[str])
        assert_type(binary.read(), bytes)
        raw.readinto(bytearray(5))


def give_files_away(fs: MemoryFileSystem) -> None:
    with fs.open("/a.csv", newline="") as text:
        csv.reader(text)
        json.load(text)
    with fs.open("/a", "rb") as binary:
        pickle.load(binary)
        zipfile.ZipFile(binary)
    with fs.open("/b", "wb") as written:
        pickle.dump(1, written)
        zipfile.ZipFile(written, "w")


def list_names(fs: MemoryFileSystem, path: str | bytes) -> None:
    assert_type(fs.listdir(), list[str])
    assert_type(fs.listdir("/a"), list[str])
    assert_type(fs.listdir(PurePosixPath("/a")), list[str])
    assert_type(fs.listdir(b"/a"), list[bytes])
    assert_type(fs.listdir(path), list[str] | list[bytes])
    assert_type(fs.glob("*.py"), list[str])
    assert_type(fs.glob(b"*.py"), list[bytes])
    assert_type(fs.readlink("/a"), str)
    assert_type(fs.readlink(b"/a"), bytes)
    for top, directories, files in fs.walk():
        assert_type(top, str)
        assert_type(directories, list[str])
        assert_type(files, list[str])
    assert_type(fs.walk("/a", False), Iterator[tuple[str, list[str], list[str]]])
    assert_type(fs.walk(b"/a"), Iterator[tuple[bytes, list[bytes], list[bytes]]])


def scan(fs: MemoryFileSystem) -> None:
    with fs.scandir() as entries:
        for entry in entries:
            assert_type(entry.name, str)
            assert_type(entry.path, str)
            assert_type(entry.stat(), os.stat_result)
            assert_type(os.fspath(entry), str)
    with fs.scandir(b"/a") as entries_in_bytes:
        assert_type([entry.name for entry in entries_in_bytes], list[bytes])


def read_the_past(snapshot: Snapshot) -> None:
    assert_type(snapshot.open("/a"), io.TextIOWrapper)
    assert_type(snapshot.open("/a", "rb"), io.BufferedIOBase)
    assert_type(snapshot.listdir(), list[str])
    assert_type(snapshot.glob(b"*"), list[bytes])
    assert_type(snapshot.walk("/a"), Iterator[tuple[str, list[str], list[str]]])
    assert_type(snapshot.readlink(b"/a"), bytes)
    assert_type([entry.name for entry in snapshot.scandir()], list[str])


def make_trees(
    flat: dict[str, str], of_bytes: Mapping[bytes, bytes], nested: dict[str, dict[str, bytes]]
) -> None:
    fs = MemoryFileSystem.from_tree({"a": {"b": "text", "c": b"\0"}, "d": Link("a/b"), "e": {}})
    assert_type(fs, MemoryFileSystem)
    MemoryFileSystem.from_tree(flat)
    MemoryFileSystem.from_tree(of_bytes)
    MemoryFileSystem.from_tree(nested)
    MemoryFileSystem.from_tree({"a": bytearray(b"1"), "b": memoryview(b"2")})
    MemoryFileSystem.from_tree({PurePosixPath("a"): "1"})
    MemoryFileSystem.from_tree({"a": {Path("b"): {b"c": "1"}}, "d": nested})
    MemoryFileSystem.from_tree({}, max_quota=1 << 20, max_nodes=None, min_free_memory=1)
    MemoryFileSystem.from_tree({}, max_quota="64 MiB", min_free_memory="1 GiB")
    assert_type(MemoryFileSystem.unpack("a.pack", max_quota=None), MemoryFileSystem)


def fail(fs: MemoryFileSystem) -> None:
    with fs.fail("write", "*.db", errno.ENOSPC, after=1, times=2) as fault:
        assert_type(fault.calls, int)
    fs.fail()
    fs.fail("*", b"/a", KeyboardInterrupt())
    for operation in ("open", "read"):
        fs.fail(op=operation)


def compare(fs: MemoryFileSystem, other: MemoryFileSystem, unified: bool) -> None:
    with fs.snapshot() as snap:
        assert_type(snap.diff(), Difference)
        assert_type(snap.diff(snap, unified=True, context=0), str)
        assert_type(snap.diff(unified=unified), Difference | str)
        assert_type(snap.diff().attributes["/a"][0].mode, int)
    fs.add_real(Path("/srv"), writable=True)
    assert_type(fs.changes(), Difference)
    assert_type(fs.changes(b"/srv", unified=True), str)
    assert_type(fs.apply(Path("/srv"), to="/other").added, dict[str, int])
    fs.discard()
    fs.copy("/a", Path("/b"), to=other)
    fs.copy_tree("/a", b"/b", to=other)
    fs.attach("/mnt", other)
    fs.detach("/mnt")
    fs.fail("read", delay=0.5, short=1, byte=3).close()
    assert_type(str(fs.tree("/a", depth=1, max_lines=5)), str)


def use_paths(fs: MemoryFileSystem, mode: str) -> None:
    path = fs / "a" / "b"
    assert_type(path, MemoryPath)
    assert_type(fs.path("/a", Path("b"), path), MemoryPath)
    assert_type("a" / path, MemoryPath)
    assert_type(path.parent, MemoryPath)
    assert_type(list(path.parents), list[MemoryPath])
    assert_type(path.open(), io.TextIOWrapper)
    assert_type(path.open("rb"), io.BufferedIOBase)
    assert_type(path.open("rb", 0), io.RawIOBase)
    assert_type(path.open(mode), IO[Any])
    assert_type(path.read_text(encoding="utf-8", newline=""), str)
    assert_type(list(path.iterdir()), list[MemoryPath])
    assert_type(list(path.rglob("*")), list[MemoryPath])
    assert_type(path.walk(), Iterator[tuple[MemoryPath, list[str], list[str]]])
    assert_type(path.info.is_dir(follow_symlinks=False), bool)
    assert_type(path.rename("/c"), MemoryPath)
    assert_type(path.copy(MemoryFileSystem() / "a"), MemoryPath)
    assert_type(path.copy(Path("/tmp/a"), preserve_metadata=True), Path)
    assert_type(path.copy("/c"), MemoryPath)
    assert_type(path.move_into(Path("/tmp")), Path)
    assert_type(path.fs, MemoryFileSystem)


def look(fs: MemoryFileSystem) -> None:
    assert_type(fs.usage(), Usage)
    assert_type(fs.quota("/"), Quota)
    assert_type(fs.stat("/a"), os.stat_result)
    assert_type(fs.read_bytes("/a"), bytes)
    assert_type(fs.write_text("/a", "b", newline="\n"), int)
    assert_type(fs.clone(), MemoryFileSystem)
    with mount(fs, "/mem"), MemoryFileSystem() as other:
        assert_type(other, MemoryFileSystem)


def archive(fs: MemoryFileSystem) -> None:
    with fs.open("/a.tar", "rb") as file, tarfile.open(fileobj=file) as archive:
        archive.getnames()


async def call_coroutines(fs: MemoryFileSystem, mode: str) -> None:
    async with aio.open(fs, "/a") as text, aio.open(fs, "/b", "wb") as binary:
        assert_type(text, aio.AsyncFile[str])
        assert_type(binary, aio.AsyncFile[bytes])
        assert_type(await text.read(), str)
        assert_type([line async for line in text], list[str])
        assert_type(await text.write("a"), int)
        assert_type(await binary.write(bytearray(1)), int)
        assert_type(await binary.readline(), bytes)
    assert_type(await aio.open(fs, "/a", mode), aio.AsyncFile[Any])
    files = aio.AsyncFileSystem(fs)
    assert_type(await files.open("/a", "rb", lock="shared"), aio.AsyncFile[bytes])
    assert_type(await files.read_bytes("/a"), bytes)
    assert_type(await files.stat("/a"), os.stat_result)
    assert_type(await files.snapshot(), Snapshot)
    async with files.lock("/a", timeout=1) as grant:
        assert_type(grant.held, bool)
    async for path, directories, _ in files.walk("/"):
        print(path, directories)
