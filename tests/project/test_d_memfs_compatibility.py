"""What docs/coming-from-d-memfs.md says of this file system, row by row in its order."""

from __future__ import annotations

import array
import asyncio
import errno
import gc
import io
import os
import stat
import threading
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError

BLOCK = 64 * 1024


@pytest.fixture
def fs() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=10 * BLOCK)
    fs.mkdir("/d")
    fs.write_bytes("/d/f", b"hello")
    return fs


def refused(code: int, call: Callable[..., object], *arguments: Any, **keywords: Any) -> OSError:
    """Call what must fail with this errno, and return its error."""
    with pytest.raises(OSError) as caught:
        call(*arguments, **keywords)
    assert caught.value.errno == code, os.strerror(caught.value.errno or 0)
    return caught.value


# --- making a file system -------------------------------------------------------------------------


def test_options_are_keywords() -> None:
    make: Any = MemoryFileSystem
    with pytest.raises(TypeError):
        make(1024)
    assert MemoryFileSystem(max_quota=1024).stats()["quota_bytes"] == 1024


def test_there_is_a_quota_by_default_and_none_means_none() -> None:
    default = MemoryFileSystem().stats()["quota_bytes"]
    assert isinstance(default, int)
    assert default > 0
    unlimited = MemoryFileSystem(max_quota=None)
    unlimited.write_bytes("/f", b"x")
    assert unlimited.stats()["quota_bytes"] is None
    assert unlimited.stats()["free_bytes"] is None


@pytest.mark.parametrize("option", ["max_quota", "max_nodes"])
def test_a_negative_limit_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=option):
        MemoryFileSystem(**{option: -1})


@pytest.mark.parametrize(
    "option",
    [
        "default_storage",
        "promotion_hard_limit",
        "chunk_overhead_override",
        "default_lock_timeout",
        "memory_guard",
        "memory_guard_action",
        "memory_guard_interval",
    ],
)
def test_knobs_that_are_gone(option: str) -> None:
    options: dict[str, Any] = {option: None}
    with pytest.raises(TypeError, match=option):
        MemoryFileSystem(**options)


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/d/f", b"/d/f", PurePosixPath("/d/f"), "d/f", "//d/./f", "/../d/f"]
)
def test_paths_of_every_kind(fs: MemoryFileSystem, path: Any) -> None:
    assert fs.read_bytes(path) == b"hello"


def test_a_backslash_is_part_of_a_name(fs: MemoryFileSystem) -> None:
    assert not fs.exists("\\d\\f")
    fs.write_bytes("/a\\b", b"")
    assert fs.listdir() == ["d", "a\\b"]


def test_the_empty_path_is_nothing(fs: MemoryFileSystem) -> None:
    refused(errno.ENOENT, fs.listdir, "")


def test_the_parent_of_the_root_is_the_root(fs: MemoryFileSystem) -> None:
    assert fs.listdir("/..") == ["d"]


def test_every_component_before_dotdot_must_be_a_directory(fs: MemoryFileSystem) -> None:
    assert fs.listdir("/d/..") == ["d"]
    refused(errno.ENOENT, fs.listdir, "/missing/..")
    refused(errno.ENOTDIR, fs.listdir, "/d/f/..")


def test_a_file_is_no_directory(fs: MemoryFileSystem) -> None:
    refused(errno.ENOTDIR, fs.get_size, "/d/f/")
    refused(errno.ENOTDIR, fs.get_size, "/d/f/x")
    refused(errno.ENOTDIR, fs.open, "/d/f/x", "wb")


def test_names_that_no_disk_would_take(fs: MemoryFileSystem) -> None:
    with pytest.raises(ValueError, match="null"):
        fs.mkdir("/a\0b")
    refused(errno.ENAMETOOLONG, fs.mkdir, "/" + "x" * 256)
    fs.mkdir("/" + "x" * 255)


def test_links(fs: MemoryFileSystem) -> None:
    fs.symlink("d/f", "/soft")
    fs.link("/d/f", "/hard")
    assert fs.read_bytes("/soft") == fs.read_bytes("/hard") == b"hello"
    assert fs.readlink("/soft") == "d/f"
    assert fs.is_symlink("/soft")
    assert stat.S_ISLNK(fs.lstat("/soft").st_mode)
    fs.symlink("loop", "/loop")
    refused(errno.ELOOP, fs.stat, "/loop")


# --- opening --------------------------------------------------------------------------------------


def test_the_default_mode_is_text(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f") as file:
        assert isinstance(file, io.TextIOWrapper)
        assert file.read() == "hello"
    with fs.open("/d/t", "w", encoding="utf-16", newline="\r\n") as file:
        file.write("ä\n")
    assert fs.read_bytes("/d/t").decode("utf-16") == "ä\r\n"


@pytest.mark.parametrize("mode", ["rb+", "r+b", "br+", "w+b", "ab", "wb", "a+", "rt", "r+", "w"])
def test_every_mode_of_the_builtin(fs: MemoryFileSystem, mode: str) -> None:
    with fs.open("/d/f", mode) as file:
        assert file.readable() == ("r" in mode or "+" in mode)
        assert file.writable() == ("r" not in mode or "+" in mode)


@pytest.mark.parametrize("mode", ["x", "xb", "xt", "x+b"])
def test_every_mode_of_the_builtin_that_makes_a_new_file(fs: MemoryFileSystem, mode: str) -> None:
    fs.open("/d/new", mode).close()
    refused(errno.EEXIST, fs.open, "/d/new", mode)


def test_truncate_instead_of_preallocate(fs: MemoryFileSystem) -> None:
    open_: Any = fs.open
    with pytest.raises(TypeError):
        open_("/d/p", "wb", preallocate=100)
    used = fs.stats()["used_bytes"]
    with fs.open("/d/p", "wb") as file:
        file.truncate(3 * BLOCK)
    assert fs.read_bytes("/d/p") == bytes(3 * BLOCK)
    assert fs.stats()["used_bytes"] == used


def test_locking_is_asked_for_by_keyword(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "rb", lock="shared", lock_timeout=0.5) as file:
        assert file.read() == b"hello"
    open_: Any = fs.open
    with pytest.raises(TypeError):
        open_("/d/f", "rb", -1, None, None, None, "shared")


def test_any_number_of_handles_on_one_file(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "r+b") as one, fs.open("/d/f", "r+b") as two, fs.open("/d/f") as three:
        one.write(b"J")
        one.flush()
        assert two.read() == b"Jello"
        assert three.read() == "Jello"


# --- file objects ---------------------------------------------------------------------------------


def test_binary_files_are_buffered_ones(fs: MemoryFileSystem) -> None:
    file: Any
    with fs.open("/d/f", "rb") as file:
        assert file.peek(1)[:1] == b"h"
        assert file.read1(2) == b"he"
        assert (file.name, file.mode) == ("/d/f", "rb")
        assert isinstance(file, io.BufferedIOBase)
    with fs.open("/d/f", "rb", buffering=0) as file:
        assert isinstance(file, io.RawIOBase)


def test_everything_with_a_buffer_can_be_written(fs: MemoryFileSystem) -> None:
    with fs.open("/d/a", "wb") as file:
        for data in (b"1", bytearray(b"2"), memoryview(b"3"), array.array("B", b"4")):
            assert file.write(data) == 1
        with pytest.raises(TypeError):
            file.write("5")  # type: ignore[arg-type]
    assert fs.read_bytes("/d/a") == b"1234"


def test_seeking_past_the_end_makes_a_hole_that_costs_nothing(fs: MemoryFileSystem) -> None:
    used = fs.usage().bytes
    with fs.open("/d/hole", "wb") as file:
        assert file.seek(20 * BLOCK, os.SEEK_END) == 20 * BLOCK
        file.write(b"x")
    assert fs.get_size("/d/hole") == 20 * BLOCK + 1
    assert fs.usage().bytes == used + 1
    assert fs.read_bytes("/d/hole") == bytes(20 * BLOCK) + b"x"


def test_truncate_leaves_the_position(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "r+b") as file:
        file.seek(4)
        assert file.truncate(2) == 2
        assert file.tell() == 4


def test_appending_starts_at_the_end(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "ab") as file:
        assert file.tell() == 5


def test_open_files_go_on_without_their_name(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "r+b") as file:
        fs.remove("/d/f")
        used = fs.stats()["used_bytes"]
        assert file.read() == b"hello"
        assert used == 5
    assert fs.stats()["used_bytes"] == 0


def test_a_file_that_is_dropped_open_warns(fs: MemoryFileSystem) -> None:
    with pytest.warns(ResourceWarning, match="/d/f"):
        fs.open("/d/f", "rb")
        gc.collect()


# --- the tree -------------------------------------------------------------------------------------


def test_mkdir_needs_its_parent(fs: MemoryFileSystem) -> None:
    refused(errno.ENOENT, fs.mkdir, "/a/b/c")
    assert not fs.exists("/a")
    fs.mkdir("/a/b/c", parents=True)
    fs.makedirs("/e/f/g")
    assert fs.is_dir("/a/b/c")
    assert fs.is_dir("/e/f/g")
    refused(errno.EEXIST, fs.mkdir, "/a/b")
    fs.mkdir("/a/b", exist_ok=True)
    refused(errno.EEXIST, fs.mkdir, "/d/f", exist_ok=True)
    refused(errno.ENOTDIR, fs.mkdir, "/d/f/x", parents=True)


def test_makedirs_that_fails_makes_nothing() -> None:
    fs = MemoryFileSystem(max_nodes=3)
    refused(errno.ENOSPC, fs.makedirs, "/a/b/c")
    assert fs.listdir("/") == []
    fs._check()


def test_an_open_file_is_no_obstacle(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "rb") as file:
        fs.rename("/d/f", "/d/g")
        fs.move("/d/g", "/new/h")
        fs.remove("/new/h")
        assert file.read() == b"hello"
    fs.write_bytes("/d/f", b"again")
    with fs.open("/d/f", "rb") as file:
        fs.rmtree("/d")
        assert file.read() == b"again"
    fs._check()


@pytest.mark.parametrize("method", ["rename", "replace", "move"])
def test_renaming_replaces(fs: MemoryFileSystem, method: str) -> None:
    fs.write_bytes("/d/g", b"old")
    rename = getattr(fs, method)
    rename("/d/f", "/d/g")
    assert fs.read_bytes("/d/g") == b"hello"
    assert fs.listdir("/d") == ["g"]
    fs.mkdir("/empty")
    rename("/d", "/empty")
    assert fs.read_bytes("/empty/g") == b"hello"
    rename("/empty", "/empty")
    fs.mkdir("/other")
    refused(errno.ENOTEMPTY, rename, "/other", "/empty")


def test_a_directory_cannot_go_into_itself(fs: MemoryFileSystem) -> None:
    refused(errno.EINVAL, fs.rename, "/d", "/d/sub")
    assert fs.export_tree() == {"/d/f": b"hello"}


def test_a_copy_of_a_directory_can(fs: MemoryFileSystem) -> None:
    fs.copy_tree("/d", "/d/sub")
    assert fs.export_tree() == {"/d/f": b"hello", "/d/sub/f": b"hello"}
    fs._check()


def test_the_root_stays(fs: MemoryFileSystem) -> None:
    refused(errno.EBUSY, fs.rename, "/", "/x")
    refused(errno.EBUSY, fs.rmtree, "/")
    assert fs.exists("/d/f")


def test_move_makes_parents_and_rename_does_not(fs: MemoryFileSystem) -> None:
    refused(errno.ENOENT, fs.rename, "/d/f", "/no/such/f")
    fs.move("/d/f", "/no/such/f")
    assert fs.read_bytes("/no/such/f") == b"hello"
    fs.mkdir("/dir")
    refused(errno.EISDIR, fs.move, "/no/such/f", "/dir")


def test_copy_replaces_and_enters_directories(fs: MemoryFileSystem) -> None:
    fs.chmod("/d/f", 0o640)
    fs.utime("/d/f", ns=(1, 2))
    fs.write_bytes("/g", b"old")
    fs.mkdir("/dir")
    fs.copy("/d/f", "/g")
    fs.copy("/d/f", "/dir")
    for path in ("/g", "/dir/f"):
        assert fs.read_bytes(path) == b"hello"
        assert stat.S_IMODE(fs.stat(path).st_mode) == 0o640
        assert fs.stat(path).st_mtime_ns == 2
    refused(errno.EISDIR, fs.copy, "/d", "/e")
    fs.write_bytes("/g", b"changed")
    assert fs.read_bytes("/d/f") == b"hello"


def test_copy_tree_needs_a_free_name(fs: MemoryFileSystem) -> None:
    fs.copy_tree("/d", "/e")
    assert fs.export_tree() == {"/d/f": b"hello", "/e/f": b"hello"}
    refused(errno.EEXIST, fs.copy_tree, "/d", "/e")
    refused(errno.ENOTDIR, fs.copy_tree, "/d/f", "/g")
    refused(errno.ENOENT, fs.copy_tree, "/missing", "/g")


def test_copy_tree_is_all_or_nothing() -> None:
    fs = MemoryFileSystem(max_nodes=6)
    fs.import_tree({"/d/a": b"1", "/d/b": b"2"})
    refused(errno.ENOSPC, fs.copy_tree, "/d", "/e")
    assert fs.listdir() == ["d"]
    fs._check()


def test_listdir_is_in_the_order_of_making(fs: MemoryFileSystem) -> None:
    for name in ("z", "a", "m"):
        fs.mkdir(name)
    assert fs.listdir() == fs.listdir("/") == ["d", "z", "a", "m"]


def test_walk_is_that_of_os(fs: MemoryFileSystem) -> None:
    fs.makedirs("/d/x/y")
    assert list(fs.walk()) == [
        ("/", ["d"], []),
        ("/d", ["x"], ["f"]),
        ("/d/x", ["y"], []),
        ("/d/x/y", [], []),
    ]
    assert [top for top, _, _ in fs.walk("/", topdown=False)] == ["/d/x/y", "/d/x", "/d", "/"]
    told: list[OSError] = []
    assert list(fs.walk("/missing", onerror=told.append)) == []
    assert [error.errno for error in told] == [errno.ENOENT]
    seen = []
    for top, names, _ in fs.walk():
        seen.append(top)
        if top == "/d":
            names.clear()
    assert seen == ["/", "/d"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/a/*", ["/a/b.py", "/a/c"]),
        ("/a/.*", ["/a/.hidden"]),
        ("/a/**", ["/a/", "/a/b.py", "/a/c", "/a/c/d.py"]),
        ("/**/*.py", ["/a/b.py", "/a/c/d.py", "/z.py"]),
        ("*.py", ["z.py"]),
        ("a/*.py", ["a/b.py"]),
        ("/", ["/"]),
        ("/a/", ["/a/"]),
        ("/a", ["/a"]),
        ("/missing/*", []),
    ],
)
def test_glob_is_that_of_the_standard_library(pattern: str, expected: list[str]) -> None:
    fs = MemoryFileSystem()
    fs.import_tree({"/z.py": b"", "/a/c/d.py": b"", "/a/b.py": b"", "/a/.hidden": b""})
    assert fs.glob(pattern) == expected


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exists", "is_file", "is_dir"])
def test_asking_does_not_raise(fs: MemoryFileSystem, method: str) -> None:
    ask = getattr(fs, method)
    for path in ("", "/a\0b", "/" + "x" * 300, "/d/f/x", "/missing"):
        assert ask(path) is False
    with pytest.raises(TypeError):
        ask(3.5)


def test_stat_is_that_of_os(fs: MemoryFileSystem) -> None:
    result = fs.stat("/d/f")
    assert isinstance(result, os.stat_result)
    assert result.st_size == 5
    assert stat.S_ISREG(result.st_mode)
    assert fs.is_dir("/d")
    assert stat.S_ISDIR(fs.stat("/d").st_mode)
    fs.utime("/d/f", ns=(1, 2))
    with fs.open("/d/f", "ab") as file:
        file.write(b"!")
    assert fs.stat("/d/f").st_mtime_ns > 2


def test_the_times_of_a_directory_move(fs: MemoryFileSystem) -> None:
    fs.utime("/d", ns=(1, 2))
    fs.write_bytes("/d/new", b"")
    assert fs.stat("/d").st_mtime_ns > 2


def test_stats(fs: MemoryFileSystem) -> None:
    fs.mkdir("/e")
    assert fs.stats() == {
        "used_bytes": 5,
        "quota_bytes": 10 * BLOCK,
        "free_bytes": 10 * BLOCK - 5,
        "file_count": 1,
        "dir_count": 3,
    }


def test_usage(fs: MemoryFileSystem) -> None:
    fs.write_bytes("/g", b"12")
    usage = fs.usage("/d")
    assert (usage.bytes, usage.files, usage.directories) == (5, 1, 0)
    assert fs.usage()[:3] == (7, 2, 1)
    assert fs.statvfs("/").f_namemax == 255


def test_get_size(fs: MemoryFileSystem) -> None:
    assert fs.get_size("/d/f") == 5
    refused(errno.EISDIR, fs.get_size, "/d")
    refused(errno.ENOENT, fs.get_size, "/missing")


# --- export and import ----------------------------------------------------------------------------


def test_export_as_bytesio(fs: MemoryFileSystem) -> None:
    exported = fs.export_as_bytesio("/d/f")
    assert isinstance(exported, io.BytesIO)
    assert exported.tell() == 0
    fs.write_bytes("/d/f", b"other")
    assert exported.read() == b"hello"
    refused(errno.EISDIR, fs.export_as_bytesio, "/d")
    with pytest.raises(ValueError, match="max_size"):
        fs.export_as_bytesio("/d/f", max_size=4)
    assert fs.export_as_bytesio("/d/f", max_size=5).getvalue() == b"other"


def test_export_waits_for_nobody(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "r+b", lock="exclusive"):
        assert fs.export_as_bytesio("/d/f").getvalue() == b"hello"
        assert fs.export_tree() == {"/d/f": b"hello"}
        fs.copy("/d/f", "/g")


def test_export_tree(fs: MemoryFileSystem) -> None:
    fs.import_tree({"/dd/x": b"1", "/e/y/z": b"2"})
    everything = {"/d/f": b"hello", "/dd/x": b"1", "/e/y/z": b"2"}
    assert fs.export_tree() == everything
    assert dict(fs.iter_export_tree()) == everything
    assert fs.export_tree("/d") == {"/d/f": b"hello"}
    assert fs.export_tree(prefix="/d/f") == {"/d/f": b"hello"}
    refused(errno.ENOENT, fs.export_tree, "/missing")
    copy = MemoryFileSystem()
    copy.import_tree(fs.export_tree())
    assert copy.export_tree() == everything


def test_import_tree_replaces_open_files(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "rb"):
        fs.import_tree({"/d/f": b"new", "relative/made": b"1"})
    assert fs.export_tree() == {"/d/f": b"new", "/relative/made": b"1"}


@pytest.mark.parametrize(
    ("path", "data", "error"),
    [
        ("/d", b"1", IsADirectoryError),
        ("/d/f/x", b"1", NotADirectoryError),
        ("/s", "text", TypeError),
        ("/s", bytes(11 * BLOCK), QuotaExceededError),
        ("/s\0", b"1", ValueError),
        (3.5, b"1", TypeError),
    ],
    ids=["directory", "through a file", "text", "too large", "bad path", "no path"],
)
def test_import_tree_is_all_or_nothing(
    fs: MemoryFileSystem, path: Any, data: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        fs.import_tree({"/new/one": b"1", "/d/f": b"new", path: data})
    assert fs.export_tree() == {"/d/f": b"hello"}
    assert fs.listdir() == ["d"]
    fs._check()


# --- quota ----------------------------------------------------------------------------------------


def test_the_quota_counts_the_bytes_and_nothing_else() -> None:
    fs = MemoryFileSystem(max_quota=100)
    with fs.open("/f", "wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x")
    fs.mkdir("/d")
    fs.write_bytes("/empty", b"")
    assert fs.stats()["used_bytes"] == 100
    with pytest.raises(QuotaExceededError) as caught:
        fs.write_bytes("/g", b"y")
    error = caught.value
    assert isinstance(error, OSError)
    assert (error.errno, error.filename) == (errno.ENOSPC, "/g")
    assert (error.requested, error.available, error.limit, error.unit) == (1, 0, 100, "bytes")
    assert fs.read_bytes("/f") == b"x" * 100
    fs._check()


def test_max_nodes_counts_directories_files_and_links() -> None:
    fs = MemoryFileSystem(max_nodes=4)
    fs.mkdir("/d")
    fs.write_bytes("/f", b"")
    fs.symlink("f", "/s")
    with pytest.raises(QuotaExceededError) as caught:
        fs.mkdir("/e")
    error = caught.value
    assert (error.errno, error.limit, error.unit) == (errno.ENOSPC, 4, "nodes")
    fs.link("/f", "/hard")
    fs._check()


# --- locks and threads ----------------------------------------------------------------------------


def test_locks_bind_who_asks_for_them(fs: MemoryFileSystem) -> None:
    with fs.open("/d/f", "r+b", lock="exclusive"):
        fs.open("/d/f", "r+b").close()
        for call in (
            lambda: fs.open("/d/f", "rb", lock="shared", lock_timeout=0),
            lambda: fs.lock("/d/f", timeout=0).__enter__(),
        ):
            error = refused(errno.EAGAIN, call)
            assert isinstance(error, BlockingIOError)
            assert error.filename == "/d/f"
    with fs.lock("/d/f", shared=True), fs.open("/d/f", lock="shared", lock_timeout=0):
        pass


def test_who_waits_holds_up_nobody(fs: MemoryFileSystem) -> None:
    entered = threading.Event()

    def wait() -> None:
        with fs.open("/d/f", "rb", lock="shared", lock_timeout=30):
            entered.set()

    waiting = threading.Thread(target=wait, daemon=True)
    with fs.lock("/d/f"):
        waiting.start()
        for _ in range(1000):
            fs.exists("/other")
            fs.read_bytes("/d/f")
        assert not entered.is_set()
    waiting.join(30)
    assert entered.is_set()


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_negative_timeout_is_refused(fs: MemoryFileSystem, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        fs.open("/d/f", lock="shared", lock_timeout=timeout)


# --- errors ---------------------------------------------------------------------------------------


def test_errors_carry_errno_and_paths(fs: MemoryFileSystem) -> None:
    error = refused(errno.ENOENT, fs.rename, "/missing", "/x")
    assert (error.strerror, error.filename, error.filename2) == (
        os.strerror(errno.ENOENT),
        "/missing",
        "/x",
    )


# --- what has no counterpart ----------------------------------------------------------------------


def test_calls_can_be_given_to_a_thread_of_asyncio(fs: MemoryFileSystem) -> None:
    async def work() -> bytes:
        await asyncio.gather(
            *(asyncio.to_thread(fs.write_bytes, f"/{n}", b"x" * n) for n in range(50))
        )
        return await asyncio.to_thread(fs.read_bytes, "/49")

    assert asyncio.run(work()) == b"x" * 49
    assert fs.stats()["file_count"] == 51
