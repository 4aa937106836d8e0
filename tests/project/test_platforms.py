"""Other systems, as far as they can be simulated here: what they have not got is taken away."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, _platform
from dmemfs_sqlite import copy_db, live_uri, load_db
from tests.support.platforms import MISSING_SOMEWHERE, MODULES_MISSING_SOMEWHERE, PLATFORMS

PROJECT = Path(__file__).resolve().parents[2]

# They may name what some systems have not got: the first two say what is done without; the mount
# and what stands on it are loaded on Linux alone, and what calls C where it can be called.
PLACES = ("dmemfs/_platform.py", "dmemfs_sqlite/_platform.py")
LOADED_ON_LINUX = (
    "dmemfs/_kernel/",
    "dmemfs/_mount/patching.py",
    "dmemfs/_mount/stand_ins/",
    "dmemfs/pyfakefs/",
)
LOADED_WITH_CALLBACKS = tuple(
    f"dmemfs_sqlite/_vfs/{name}.py"
    for name in (
        *("abi", "default", "failures", "file_callbacks", "frozen", "locks", "memdb", "memory"),
        *("open_file", "pending", "private", "reading", "registration", "vfs_callbacks"),
    )
)

# What the standard library itself needs of this system has to be loaded before it is taken away.
SIMULATE = """
import argparse, asyncio, concurrent.futures, contextlib, ctypes, datetime, hashlib, importlib, io
import json, os, pathlib, posixpath, random, shutil, signal, sqlite3, struct, subprocess, sys
import tarfile, tempfile, threading, time, unittest, urllib.parse, warnings, weakref, zipfile
sys.path.insert(0, sys.argv[1])
from tests.support import core, platforms
platforms.become(sys.argv[2])
import dmemfs, dmemfs_sqlite
core.main()
import dmemfs._cli, dmemfs_sqlite._cli, dmemfs.testing, dmemfs.unittest_mixin
try:
    dmemfs.MemoryFileSystem().mount("/mem").__enter__()
except NotImplementedError as error:
    print("mount:", error)
print(*(name.replace(".", "/") for name in sys.modules if name.startswith("dmemfs")))
"""


def simulate(platform: str) -> list[str]:
    """Use the core as on another system; return the lines that were printed."""
    command = [sys.executable, "-I", "-W", "error", "-c", SIMULATE, str(PROJECT), platform]
    run = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize("platform", [platform.name for platform in PLATFORMS])
def test_the_core_works_on(platform: str) -> None:
    *lines, loaded = simulate(platform)
    assert lines[0] == "core works"
    assert "courier works" in lines
    assert any(line.startswith("mount: mounting needs CPython on Linux") for line in lines)
    for module in loaded.split():
        assert not f"{module}.py".startswith(LOADED_ON_LINUX)


def test_what_needs_callbacks_is_not_loaded_where_there_are_none() -> None:
    *lines, loaded = simulate("wasi")
    assert any(line.startswith("no live databases: live databases need ctypes") for line in lines)
    assert not {f"{module}.py" for module in loaded.split()} & set(LOADED_WITH_CALLBACKS)


WITHOUT_LOCK = """
import sys
sys._is_gil_enabled = lambda: False
sys.path.insert(0, sys.argv[1])
from tests.support import core
core.main()
import contextlib, threading
import dmemfs_sqlite
from dmemfs import MemoryFileSystem, _mutex, _platform, mount
from dmemfs._files.modes import OPEN_MODES

assert not _platform.SEES_LAST_REFERENCE_GO
assert (_platform.shared_dict is dict) is (sys.version_info >= (3, 14))
entries = _platform.shared_dict(here=1)
assert [entries.get("here"), entries.get("gone"), entries.get("gone", 2)] == [1, None, 2]
assert len(_mutex._AT_ONCE) == 100

one, other = MemoryFileSystem(), MemoryFileSystem()
assert one._modes["rb"] is one._modes["rb"] is not other._modes["rb"] is not OPEN_MODES["rb"]
for name in OPEN_MODES["wb"].__slots__:
    assert getattr(one._modes["wb"], name) == getattr(OPEN_MODES["wb"], name)
for wrong, error in (("rw", ValueError), (1, TypeError), ([], TypeError)):
    try:
        one.open("/file", wrong)
    except error as caught:
        assert "mode" in str(caught), caught
    else:
        raise AssertionError(wrong)

def use(name):
    one.makedirs(f"/{name}/below", exist_ok=True)
    for number in range(50):
        with one.open(f"/{name}/below/file", "w+b") as file:
            file.write(bytes(100_000))
            one.remove(f"/{name}/below/file")
    with contextlib.closing(dmemfs_sqlite.connect(one, f"/{name}/db")) as db, db:
        db.execute("CREATE TABLE t (a)")

threads = [threading.Thread(target=use, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
assert one.quota("/").used_nodes == 13, one.stats()
one._check()
with mount(one, "/without-lock"), open("/without-lock/a/file", "w+") as file:
    file.write("text")
one._check()

# What is copied is found also where nobody counts who refers to a function.
import os
from dmemfs._mount import patching
patching.getrefcount = lambda function: (1 << 32) - 1
with mount(one, "/without-lock"):
    pass
copies = [os.stat]
with mount(one, "/without-lock"):
    assert copies[0]("/without-lock/a/file").st_size == 4
assert copies == [os.stat]
print("works without the lock")
"""


@pytest.mark.skipif(not _platform.HAS_MOUNTS, reason="mounts need CPython on Linux")
def test_everything_works_without_the_lock_of_the_interpreter() -> None:
    """What is done there, as far as it can be simulated: Python is told that it has no lock."""
    command = [sys.executable, "-I", "-W", "error", "-c", WITHOUT_LOCK, str(PROJECT)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "works without the lock"


def names_used(path: Path) -> Iterator[str]:
    """Yield what a module uses of others, `module.name` each, and what it imports on import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            owner, name, *_ = node.args
            if isinstance(name, ast.Constant):
                yield f"{ast.unparse(owner)}.{name.value!s}"
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield str(statement.module)


MODULES = [
    path
    for package in ("dmemfs", "dmemfs_sqlite")
    for path in sorted((PROJECT / package).rglob("*.py"))
    if not path.relative_to(PROJECT)
    .as_posix()
    .startswith(PLACES + LOADED_ON_LINUX + LOADED_WITH_CALLBACKS)
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_what_some_systems_have_not_got_is_named_in_one_place(path: Path) -> None:
    found = set(names_used(path)) & (MISSING_SOMEWHERE | MODULES_MISSING_SOMEWHERE)
    assert found == set(), "ask for it in _platform.py"


def test_the_places_exist() -> None:
    for place in PLACES + LOADED_ON_LINUX + LOADED_WITH_CALLBACKS:
        assert (PROJECT / place).exists()


# --- paths of Windows -----------------------------------------------------------------------------


class WithBackslashes:
    def __fspath__(self) -> str:
        return "\\a\\b"


def test_path_objects_of_windows_say_what_is_wrong(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.write_bytes("/file", b"")
    path = PureWindowsPath("/a/b")
    uses: list[Callable[[Any], object]] = [
        *(memory.exists, memory.is_dir, memory.is_file, memory.stat, memory.lstat),
        *(memory.mkdir, memory.makedirs, memory.remove, memory.rmdir, memory.rmtree),
        *(memory.open, memory.read_bytes, memory.read_text, memory.get_size, memory.usage),
        *(memory.listdir, memory.scandir, memory.glob, memory.readlink, memory.snapshot().exists),
        lambda path: memory.access(path, os.R_OK),
        lambda path: memory.open(path, "w", buffering=4096),
        lambda path: memory.write_bytes(path, b""),
        lambda path: memory.rename(path, "/c"),
        lambda path: memory.rename("/file", path),
        lambda path: memory.copy("/file", path),
        lambda path: memory.move(path, "/c"),
        lambda path: memory.copy_tree(path, "/c"),
        lambda path: memory.link(path, "/c"),
        lambda path: memory.symlink("/c", path),
        lambda path: memory.truncate(path, 0),
        lambda path: memory.chmod(path, 0o600),
        lambda path: memory.utime(path),
        lambda path: memory.set_quota(path, 1000),
        lambda path: list(memory.walk(path)),
        lambda path: memory.lock(path).__enter__(),
        lambda path: memory.export_tree(path),
        lambda path: memory.import_tree({path: b""}),
        lambda path: live_uri(memory, path),
        lambda path: copy_db(memory, path, "/c"),
        lambda path: load_db(memory, path, ":memory:"),
    ]
    for number, use in enumerate(uses):
        with pytest.raises(ValueError, match="as_posix"):
            pytest.fail(f"{number}: {use(path)}")
    memory.write_bytes(path.as_posix().replace("/b", ""), b"with slashes")
    memory.write_bytes(PurePosixPath("one\\name"), b"as on Linux")
    memory.write_bytes(WithBackslashes(), b"as on Linux")
    assert memory.listdir("/") == ["file", "a", "one\\name", "\\a\\b"]
    monkeypatch.setattr("dmemfs._platform.IS_WINDOWS", True)
    with pytest.raises(ValueError, match="backslashes"):
        memory.exists(WithBackslashes())
