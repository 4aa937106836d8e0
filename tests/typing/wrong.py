"""Programs that are wrong, each in the line that says so: type checkers have to find all of them.

They are not run; `test_typing.py` shows them to type checkers, and takes the comments for its list.
"""

from __future__ import annotations

import errno
from pathlib import Path

from dmemfs import MemoryFileSystem, aio
from dmemfs.paths import MemoryPath


def open_files(fs: MemoryFileSystem) -> None:
    fs.open(1)  # wrong: no path
    fs.open("/a", "rb", encoding=1)  # wrong: no encoding
    fs.open("/a", lock="mine")  # wrong: no such lock
    fs.open("/a", buffering="0")  # wrong: no number
    fs.open("/a", "rb").read().encode()  # wrong: these are bytes
    fs.open("/a").read().decode()  # wrong: this is text
    fs.open("/a", "wb").write("text")  # wrong: not into a binary file
    fs.open("/a", "w").write(b"bytes")  # wrong: not into a text file
    fs.open("/a", "rb", 0).peek()  # wrong: an unbuffered file has no buffer
    fs.open("/a", "wb").reconfigure(newline="")  # wrong: of text files alone


def list_names(fs: MemoryFileSystem) -> None:
    fs.listdir(1)  # wrong: no path
    names: list[bytes] = fs.listdir("/a")  # wrong: they are str
    found: list[str] = fs.glob(b"*")  # wrong: they are bytes
    fs.glob()  # wrong: no pattern
    next(fs.walk(b"/a"))[0].encode()  # wrong: it is bytes
    next(fs.scandir("/a")).name.decode()  # wrong: it is str
    fs.readlink(b"/a").encode()  # wrong: it is bytes
    print(names, found)


def make_trees() -> None:
    MemoryFileSystem.from_tree([1])  # wrong: no mapping
    MemoryFileSystem.from_tree({"a": 1})  # wrong: no content
    MemoryFileSystem.from_tree({"a": {"b": None}})  # wrong: no content below
    MemoryFileSystem.from_tree({1: "a"})  # wrong: no name
    MemoryFileSystem.from_tree({"a": ["b"]})  # wrong: a list is no directory
    MemoryFileSystem.from_tree({}, max_quote=1)  # wrong: misspelt
    MemoryFileSystem.from_tree({}, max_quota=1.5)  # wrong: no number of bytes, nor a text
    MemoryFileSystem.from_tree({}, 1)  # wrong: by its name alone
    MemoryFileSystem.unpack("a", max_node=1)  # wrong: misspelt
    MemoryFileSystem(max_quota=b"64 MiB")  # wrong: no number, nor a text
    MemoryFileSystem(max_nodes="64")  # wrong: no number
    MemoryFileSystem(1000)  # wrong: by its name alone


def fail(fs: MemoryFileSystem, operation: str) -> None:
    fs.fail("fsck")  # wrong: no such operation
    fs.fail("write_bytes")  # wrong: a method that is none
    fs.fail(operation)  # wrong: it may be any
    fs.fail("write", error="EIO")  # wrong: no errno
    fs.fail("write", error=OSError)  # wrong: a class, no exception
    fs.fail("write", None, errno.EIO, 1)  # wrong: by its name alone
    fs.fail("write", time=1)  # wrong: misspelt
    fs.fail("write", delay="1")  # wrong: no number of seconds


def between(fs: MemoryFileSystem, path: MemoryPath) -> None:
    fs.copy("/a", "/b", to="/mnt")  # wrong: no file system
    fs.copy_tree("/a", "/b", fs)  # wrong: by its name alone
    fs.attach("/mnt", path)  # wrong: no file system
    fs.snapshot().diff(context=1, unify=True)  # wrong: misspelt


def use_paths(fs: MemoryFileSystem, path: MemoryPath) -> None:
    fs.path(b"/a")  # wrong: text alone
    path / 1  # wrong: no path
    Path("/tmp") / path  # wrong: it would be a path of the disk
    open(path)  # wrong: it would open a file of the disk
    path.write_text(b"a")  # wrong: no text
    path.open("rb").read().encode()  # wrong: these are bytes
    path.name = "b"  # wrong: it cannot be changed
    path.glob()  # wrong: no pattern
    path.copy("/b", follow_links=True)  # wrong: misspelt


async def call_coroutines(fs: MemoryFileSystem) -> None:
    async with aio.open(fs, "/a") as text, aio.open(fs, "/b", "wb") as binary:
        await text.write(b"a")  # wrong: no text
        await binary.write("a")  # wrong: no bytes
        (await binary.read()).encode()  # wrong: these are bytes
    aio.open(fs, "/a", lock="both")  # wrong: no such lock
    await aio.AsyncFileSystem(fs).read_bytes(1)  # wrong: no path
    aio.AsyncFileSystem(fs).read_bytes("/a").decode()  # wrong: not awaited
