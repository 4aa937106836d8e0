"""Nothing that takes a path or a descriptor was overlooked, in whichever Python this is."""

from __future__ import annotations

import builtins
import fcntl
import glob
import io
import mmap
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.known_functions import STOOD_IN_FOR, known_names

PLACES: dict[str, Any] = {
    "os": os,
    "io": io,
    "shutil": shutil,
    "glob": glob,
    "tempfile": tempfile,
    "fcntl": fcntl,
    "mmap": mmap,
    "pathlib.Path": Path,
}
BASIC_STATS = 0x7FF
NEEDS_3_14 = pytest.mark.skipif(
    not hasattr(Path, "copy"), reason="pathlib copies from Python 3.14 on"
)


def public_names(place: Any) -> set[str]:
    """Return the names of functions and classes that a module offers, or a class has."""
    if not isinstance(place, ModuleType):
        return {name for name in dir(place) if name[:1] != "_"}
    return {
        name
        for name, value in vars(place).items()
        if name[:1] != "_"
        and callable(value)
        and (name in getattr(place, "__all__", ()) or hasattr(value, "__text_signature__"))
        and getattr(value, "__module__", None) not in ("abc", "_collections_abc", "contextlib")
    }


@pytest.mark.parametrize("place", PLACES)
def test_everything_public_is_known(place: str) -> None:
    assert public_names(PLACES[place]) - known_names(place) == set()


@pytest.mark.parametrize("place", [place for place in PLACES if place in STOOD_IN_FOR])
def test_what_is_said_to_be_replaced_is_and_nothing_else(place: str) -> None:
    module = PLACES[place]
    before = {name: id(value) for name, value in vars(module).items()}  # objects are replaced too
    with mount(MemoryFileSystem(), "/mem"):
        replaced = {name for name, value in vars(module).items() if id(value) != before.get(name)}
    assert replaced == {name for name in STOOD_IN_FOR[place].split() if name in before}


def test_open_is_the_only_builtin_that_is_replaced() -> None:
    before = {name: id(value) for name, value in vars(builtins).items()}
    with mount(MemoryFileSystem(), "/mem"):
        after = {name: id(value) for name, value in vars(builtins).items()}
    assert [name for name in before if before[name] != after[name]] == ["open"]


@NEEDS_3_14
@pytest.mark.parametrize(
    ("above_source", "above_target"), [("/mem/a", "/mem/b"), ("/mem", None), (None, "/mem")]
)
def test_pathlib_copies_and_moves(
    above_source: str | None, above_target: str | None, tmp_path: Path
) -> None:
    fs = MemoryFileSystem()
    with mount(fs, "/mem"):
        source: Any = Path(above_source or tmp_path / "from")
        target: Any = Path(above_target or tmp_path / "to")
        for directory in (source, target):
            directory.mkdir(exist_ok=True)
        (source / "file").write_bytes(b"content")
        (source / "tree").mkdir()
        (source / "tree" / "inner").write_bytes(b"inner")
        (target / "into").mkdir()

        assert (source / "file").copy(target / "copy").read_bytes() == b"content"
        copied = (source / "tree").copy_into(target / "into", preserve_metadata=True)
        assert (copied / "inner").read_bytes() == b"inner"
        moved = (source / "file").move(target / "moved")
        assert moved.read_bytes() == b"content"
        assert not (source / "file").exists()
        moved = (source / "tree").move_into(target)
        assert (moved / "inner").read_bytes() == b"inner"
        assert not (source / "tree").exists()
        assert moved.info.is_dir()
        assert not (source / "tree").info.exists()
        entries = {entry.name: entry.info.is_file() for entry in moved.iterdir()}
        assert entries == {"inner": True}
    fs._check()


@pytest.mark.skipif(not hasattr(os, "readinto"), reason="os.readinto is there from Python 3.14 on")
def test_readinto_fills_a_buffer() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"0123456789")
    with mount(fs, "/mem"):
        readinto = vars(os)["readinto"]
        number = os.open("/mem/file", os.O_RDONLY)
        target = bytearray(4)
        assert readinto(number, target) == 4
        assert target == b"0123"
        assert readinto(number, memoryview(target)[1:3]) == 2
        assert target == b"0453"
        assert readinto(number, bytearray()) == 0
        os.close(number)


@pytest.mark.skipif(not hasattr(os, "statx"), reason="os.statx is there from Python 3.15 on")
def test_statx_says_what_stat_says(tmp_path: Path) -> None:
    fs = MemoryFileSystem()
    (tmp_path / "file").write_bytes(b"content")
    with mount(fs, "/mem"):
        Path("/mem/file").write_bytes(b"content")
        Path("/mem/link").symlink_to("file")
        statx, statx_result = vars(os)["statx"], vars(os)["statx_result"]
        real = statx(tmp_path / "file", BASIC_STATS)
        for path in ("/mem/file", b"/mem/file", Path("/mem/link")):
            status, found = os.stat(path), statx(path, 0)
            assert isinstance(found, statx_result)
            assert isinstance(real, statx_result)
            assert found.stx_mask == BASIC_STATS
            for name in ("mode", "nlink", "uid", "gid", "ino", "size", "blocks", "blksize", "dev"):
                assert getattr(found, f"stx_{name}") == getattr(status, f"st_{name}")
            assert found.stx_mtime_ns == status.st_mtime_ns
            assert found.stx_btime is None
        assert {name for name in dir(real) if not hasattr(found, name)} == set()
        link = statx("/mem/link", 0, follow_symlinks=False)
        assert link.stx_mode == os.lstat("/mem/link").st_mode
        number = os.open("/mem/file", os.O_RDONLY)
        assert statx(number, 0).stx_size == 7
        os.close(number)
        with pytest.raises(FileNotFoundError):
            statx("/mem/absent", 0)


@pytest.mark.parametrize("request_", [0x40049409, 0x4020940D], ids=["FICLONE", "FICLONERANGE"])
def test_a_clone_of_blocks_is_refused_as_on_tmpfs(request_: int) -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"content")
    with mount(fs, "/mem"), open("/mem/file", "rb") as source, open("/mem/copy", "wb") as target:
        argument: Any = source.fileno()
        if request_ == 0x4020940D:
            argument = bytes([*argument.to_bytes(8, "little"), *bytes(24)])
        with pytest.raises(OSError, match="not supported"):
            fcntl.ioctl(target.fileno(), request_, argument)
