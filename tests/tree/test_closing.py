"""Closing a file system: what it does to what is in it, and to what is open."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem


@pytest.fixture
def fs() -> MemoryFileSystem:
    filesystem = MemoryFileSystem(max_quota=1 << 20)
    filesystem.makedirs("/tree/below")
    filesystem.write_bytes("/file", b"content")
    filesystem.write_bytes("/tree/file", bytes(100_000))
    return filesystem


CALLS: dict[str, Callable[[MemoryFileSystem], Any]] = {
    "access": lambda fs: fs.access("/file", 4),
    "add_real": lambda fs: fs.add_real(__file__),
    "attach": lambda fs: fs.attach("/tree", MemoryFileSystem()),
    "chmod": lambda fs: fs.chmod("/file", 0o600),
    "chown": lambda fs: fs.chown("/file", 1, 1),
    "clone": lambda fs: fs.clone(),
    "copy": lambda fs: fs.copy("/file", "/copy"),
    "copy_tree": lambda fs: fs.copy_tree("/tree", "/copy"),
    "detach": lambda fs: fs.detach("/tree"),
    "export_archive": lambda fs: fs.export_archive(io.BytesIO(), format="zip"),
    "export_as_bytesio": lambda fs: fs.export_as_bytesio("/file"),
    "export_tree": lambda fs: fs.export_tree("/"),
    "get_size": lambda fs: fs.get_size("/file"),
    "import_tree": lambda fs: fs.import_tree({"/new": b""}),
    "iter_export_tree": lambda fs: list(fs.iter_export_tree("/")),
    "link": lambda fs: fs.link("/file", "/new"),
    "listdir": lambda fs: fs.listdir("/"),
    "lock": lambda fs: fs.lock("/file", timeout=0),
    "lstat": lambda fs: fs.lstat("/"),
    "makedirs": lambda fs: fs.makedirs("/a/b"),
    "mkdir": lambda fs: fs.mkdir("/new"),
    "mount": lambda fs: fs.mount("/mem"),
    "move": lambda fs: fs.move("/file", "/new"),
    "open": lambda fs: fs.open("/file"),
    "open to write": lambda fs: fs.open("/new", "w"),
    "pack": lambda fs: fs.pack(io.BytesIO()),
    "path": lambda fs: fs.path("/file").read_bytes(),
    "publish": lambda fs: fs.publish("closed"),
    "quota": lambda fs: fs.quota("/"),
    "read_bytes": lambda fs: fs.read_bytes("/file"),
    "read_text": lambda fs: fs.read_text("/file"),
    "readlink": lambda fs: fs.readlink("/file"),
    "remove": lambda fs: fs.remove("/file"),
    "rename": lambda fs: fs.rename("/file", "/new"),
    "replace": lambda fs: fs.replace("/file", "/new"),
    "rmdir": lambda fs: fs.rmdir("/tree"),
    "rmtree": lambda fs: fs.rmtree("/tree"),
    "rollback": lambda fs: fs.rollback().__enter__(),
    "scandir": lambda fs: fs.scandir("/"),
    "set_quota": lambda fs: fs.set_quota("/tree", max_bytes=5),
    "snapshot": lambda fs: fs.snapshot(),
    "stat": lambda fs: fs.stat("/"),
    "symlink": lambda fs: fs.symlink("/file", "/new"),
    "to_tree": lambda fs: fs.to_tree(),
    "tree": lambda fs: fs.tree(),
    "truncate": lambda fs: fs.truncate("/file", 1),
    "unlink": lambda fs: fs.unlink("/file"),
    "usage": lambda fs: fs.usage("/"),
    "utime": lambda fs: fs.utime("/file"),
    "walk": lambda fs: list(fs.walk("/", onerror=print)),
    "with": lambda fs: fs.__enter__(),
    "write_bytes": lambda fs: fs.write_bytes("/new", b""),
    "write_text": lambda fs: fs.write_text("/new", ""),
}
QUESTIONS: dict[str, Callable[[MemoryFileSystem], Any]] = {
    "exists": lambda fs: fs.exists("/"),
    "glob": lambda fs: fs.glob("/*"),
    "is_dir": lambda fs: fs.is_dir("/"),
    "is_file": lambda fs: fs.is_file("/file"),
    "is_symlink": lambda fs: fs.is_symlink("/file"),
}
# They look at no path, or refuse for another reason before they do.
OTHERS = {
    *("apply", "changes", "discard"),
    *("close", "fail", "from_tree", "import_archive", "published", "restore", "stats", "statvfs"),
    *("unpack", "unpublish"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_closed_refuses(fs: MemoryFileSystem, name: str) -> None:
    fs.close()
    with pytest.raises(ValueError, match="the file system is closed"):
        CALLS[name](fs)


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_is_there_any_more(fs: MemoryFileSystem, name: str) -> None:
    fs.close()
    assert not QUESTIONS[name](fs)


def test_every_method_is_known_here() -> None:
    public = {name for name in dir(MemoryFileSystem) if not name.startswith("_")}
    assert public == (CALLS.keys() - {"with", "open to write"}) | QUESTIONS.keys() | OTHERS


def test_a_with_block_closes(fs: MemoryFileSystem) -> None:
    with fs as same:
        assert same is fs
        assert fs.read_bytes("/file") == b"content"
    with pytest.raises(ValueError, match="closed"):
        fs.read_bytes("/file")
    fs.close()
    fs._check()


def test_all_is_given_back(fs: MemoryFileSystem) -> None:
    fs.add_real(Path(__file__).parent, "/real")
    fs.close()
    assert fs._account.total() == (0, 1)
    fs._check()


def test_open_files_work_on(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "r+") as file:
        fs.close()
        assert fs._account.total()[0] == 7
        assert file.read() == "content"
        file.write(" and more")
        file.flush()
        file.seek(0)
        assert file.read() == "content and more"
        fs._check()


def test_snapshots_are_closed(fs: MemoryFileSystem) -> None:
    snapshot = fs.snapshot()
    fs.write_bytes("/file", b"changed")
    with snapshot.open("/file", "rb") as file:
        fs.close()
        assert snapshot.closed
        assert file.read() == b"content"
    with pytest.raises(ValueError, match="closed"):
        fs.restore(snapshot)
    fs._check()


def test_faults_do_not_keep_it_from_closing(fs: MemoryFileSystem) -> None:
    fault = fs.fail()
    fs.close()
    fault.close()
    with pytest.raises(ValueError, match="closed"):
        fs.stat("/file")


@pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")
def test_what_is_mounted_is_busy(fs: MemoryFileSystem) -> None:
    with fs.mount("/dmemfs_closing"):
        with pytest.raises(OSError, match="end the mount") as caught:
            fs.close()
        assert caught.value.errno == errno.EBUSY
        assert caught.value.filename == "/dmemfs_closing"
        assert fs.read_bytes("/file") == b"content"
    fs.close()


def test_not_in_the_middle_of_an_operation(fs: MemoryFileSystem) -> None:
    with fs._lock, pytest.raises(RuntimeError, match="middle of another operation"):
        fs.close()
    assert fs.read_bytes("/file") == b"content"
