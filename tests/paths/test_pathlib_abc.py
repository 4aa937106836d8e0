"""pathlib-abc, whose classes a path satisfies, and its own suite, which runs on paths here.

Only its source distribution has the suite; CONTRIBUTING.md says how to get it. Where it lies, the
variable `PATHLIB_ABC` tells.
"""

from __future__ import annotations

import importlib
import os
import sys
import unittest
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs.paths import MemoryPath

needs_pathlib_abc = pytest.mark.skipif(
    find_spec("pathlib_abc") is None, reason="pathlib-abc is not installed"
)
SOURCE = os.environ.get("PATHLIB_ABC", "")
needs_its_suite = pytest.mark.skipif(
    not (SOURCE and find_spec("pathlib_abc")),
    reason="PATHLIB_ABC names no source distribution of pathlib-abc, or it is not installed",
)


@needs_pathlib_abc
def test_a_path_is_one_of_its_classes() -> None:
    pathlib_abc = importlib.import_module("pathlib_abc")
    path = MemoryFileSystem().path("/a")
    assert isinstance(path, pathlib_abc.JoinablePath)
    assert isinstance(path, pathlib_abc.ReadablePath)
    assert isinstance(path, pathlib_abc.WritablePath)
    assert isinstance(path.parser, pathlib_abc.PathParser)
    assert isinstance(path.info, pathlib_abc.PathInfo)


@needs_pathlib_abc
def test_its_functions_open_paths() -> None:
    pathlib_abc = importlib.import_module("pathlib_abc")
    path = MemoryFileSystem().path("/a")
    with pathlib_abc.vfsopen(path, "w", encoding="utf-8") as file:
        file.write("one")
    with pathlib_abc.vfsopen(path, "r+b") as file:
        assert file.read() == b"one"
        file.write(b" two")
    assert pathlib_abc.vfspath(path) == "/a"
    assert path.read_bytes() == b"one two"


# --- its suite ------------------------------------------------------------------------------------


class Bound(MemoryPath):
    """A path that is made of its segments alone, as the suite makes them."""

    OF_ALL = MemoryFileSystem()

    def __init__(self, *segments: Any) -> None:
        super().__init__(self.OF_ALL, *segments)

    def with_segments(self, *segments: Any) -> Any:
        return type(self)(*segments)


class Ground:
    """Tells the suite what is true of files, without their paths."""

    can_symlink = True

    def setup(self, local_suffix: str = "") -> MemoryPath:
        root = MemoryFileSystem(max_quota=None) / f"root{local_suffix}"
        root.fs.mkdir(str(root))
        return root

    def teardown(self, root: MemoryPath) -> None:
        root.fs._check()
        root.fs.close()

    def create_hierarchy(self, root: MemoryPath) -> None:
        files = {
            "fileA": "this is file A\n",
            "dirB/fileB": "this is file B\n",
            "dirC/fileC": "this is file C\n",
            "dirC/novel.txt": "this is a novel\n",
            "dirC/dirD/fileD": "this is file D\n",
        }
        links = {
            "linkA": "fileA",
            "linkB": "dirB",
            "dirA/linkC": "../dirB",
            "brokenLink": "non-existing",
            "brokenLinkLoop": "brokenLinkLoop",
        }
        root.fs.mkdir(f"{root}/dirA")
        root.fs.import_tree({f"{root}/{name}": text.encode() for name, text in files.items()})
        for name, target in links.items():
            root.fs.symlink(target, f"{root}/{name}")

    def create_file(self, path: MemoryPath, data: bytes = b"") -> None:
        path.fs.write_bytes(str(path), data)

    def create_dir(self, path: MemoryPath) -> None:
        path.fs.mkdir(str(path))

    def create_symlink(self, path: MemoryPath, target: str) -> None:
        path.fs.symlink(target, str(path))

    def isdir(self, path: MemoryPath) -> bool:
        return path.fs.is_dir(str(path))

    def isfile(self, path: MemoryPath) -> bool:
        return path.fs.is_file(str(path))

    def islink(self, path: MemoryPath) -> bool:
        return path.fs.is_symlink(str(path))

    def readlink(self, path: MemoryPath) -> str | bytes:
        return path.fs.readlink(str(path))

    def readtext(self, path: MemoryPath) -> str:
        return self.readbytes(path).decode()

    def readbytes(self, path: MemoryPath) -> bytes:
        return path.fs.read_bytes(str(path))


def module_of_suite(name: str) -> ModuleType:
    """Return a module of the suite, which has the same name as the folder of these tests."""
    package = "suite_of_pathlib_abc"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(Path(SOURCE, "tests"))]
    return importlib.import_module(f"{package}.{name}")


def cases_of_suite() -> Iterator[tuple[str, type]]:
    """Yield the names of test cases, and what they are made of: a base, and what it is about."""
    base: Any = module_of_suite("test_join").JoinTestBase
    yield "Join", type("Join", (base, unittest.TestCase), {"cls": Bound})
    base = module_of_suite("test_join_posix").JoinTestBase
    yield "JoinPosix", type("JoinPosix", (base, unittest.TestCase), {"cls": Bound})
    base = module_of_suite("test_read").ReadTestBase
    yield "Read", type("Read", (base, unittest.TestCase), {"ground": Ground()})
    base = module_of_suite("test_write").WriteTestBase
    yield "Write", type("Write", (base, unittest.TestCase), {"ground": Ground()})
    base = module_of_suite("test_copy").CopyTestBase
    zips = module_of_suite("support.zip_path")
    grounds = {
        "": (Ground(), Ground()),
        "FromZip": (zips.ZipPathGround(zips.ReadableZipPath), Ground()),
        "ToZip": (Ground(), zips.ZipPathGround(zips.WritableZipPath)),
    }
    for kind, (source, target) in grounds.items():
        about = {"source_ground": source, "target_ground": target}
        yield f"Copy{kind}", type(f"Copy{kind}", (base, unittest.TestCase), about)


if SOURCE and find_spec("pathlib_abc"):
    globals().update((f"Test{name}", case) for name, case in cases_of_suite())


@needs_its_suite
def test_the_suite_is_there() -> None:
    assert {"TestJoin", "TestRead", "TestWrite", "TestCopy"} <= globals().keys()
