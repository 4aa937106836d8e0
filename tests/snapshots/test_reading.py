"""Reading an old state without going back to it."""

from __future__ import annotations

import errno
import gc
import io
import os
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, Snapshot
from tests.support.comparison import outcome, picture, same_files
from tests.support.snapshot_states import BLOCK, CHANGES, LARGE, state_of, used_bytes

PATHS = [
    "/",
    "/whole",
    "/pieces",
    "/large",
    "/empty",
    "/hollow",
    "/tree",
    "/tree/",
    "/tree/one/",
    "/tree/./sub/../one",
    "/to directory/two",
    "/to directory/",
    "/tree/to file",
    "/broken",
    "/missing",
    "/missing/file",
    "/whole/file",
    "/tree/sub/deep/three",
    "tree/one",
    b"/tree/one",
    b"/tree",
    PurePosixPath("/tree/sub"),
    "",
    "/" + "n" * 300,
]
QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "exists": lambda fs, path: fs.exists(path),
    "is_file": lambda fs, path: fs.is_file(path),
    "is_dir": lambda fs, path: fs.is_dir(path),
    "is_symlink": lambda fs, path: fs.is_symlink(path),
    "readlink": lambda fs, path: fs.readlink(path),
    "stat": lambda fs, path: essence(fs.stat(path)),
    "stat of a link": lambda fs, path: essence(fs.stat(path, follow_symlinks=False)),
    "lstat": lambda fs, path: essence(fs.lstat(path)),
    "read_bytes": lambda fs, path: fs.read_bytes(path),
    "read_text": lambda fs, path: fs.read_text(path, encoding="utf-8"),
    "open": lambda fs, path: read_all(fs.open(path, "rb")),
    "open, text": lambda fs, path: read_all(fs.open(path, encoding="utf-8")),
    "listdir": lambda fs, path: fs.listdir(path),
    "scandir": lambda fs, path: scanned(fs, path),
    "walk": lambda fs, path: list(fs.walk(path)),
    "walk, bottom up": lambda fs, path: list(fs.walk(path, topdown=False)),
}
PATTERNS = ["/*", "/tree/**", "/**/t*", "*", "/tree/sub/../*", "/to directory/*", "/nothing*"]


def essence(status: os.stat_result) -> tuple[int, ...]:
    """Return what a status says, but for the access time and the numbers of node and device."""
    found = (
        status.st_mode,
        *status[3:7],
        status.st_mtime_ns,
        status.st_ctime_ns,
        getattr(status, "st_blocks", 0),
        getattr(status, "st_blksize", 0),
    )
    return tuple(int(value) for value in found)


def read_all(file: Any) -> Any:
    with file:
        return file.read()


def scanned(fs: Any, path: Any) -> list[tuple[Any, ...]]:
    with fs.scandir(path) as entries:
        return [
            (
                entry.name,
                entry.path,
                entry.is_dir(),
                entry.is_dir(follow_symlinks=False),
                entry.is_file(),
                entry.is_symlink(),
                essence(entry.stat(follow_symlinks=False)),
            )
            for entry in entries
        ]


def answers(fs: Any) -> dict[tuple[str, str], Any]:
    """Return how each question about each path ends."""
    asked = {
        (name, str(path)): outcome(ask, fs, path)
        for name, ask in QUESTIONS.items()
        for path in PATHS
    }
    return asked | {("glob", pattern): fs.glob(pattern) for pattern in PATTERNS}


@pytest.mark.parametrize("name", CHANGES)
def test_every_answer_is_the_former_one(built: MemoryFileSystem, name: str) -> None:
    """Errors with their errno and filename included."""
    before = answers(built)
    with built.snapshot() as snap:
        assert answers(snap) == before
        CHANGES[name](built)
        assert answers(snap) == before
    built._check()


def test_a_snapshot_has_a_picture_of_its_own(built: MemoryFileSystem) -> None:
    before, links = picture(built), same_files(built)
    with built.snapshot() as snap:
        for change in ("swap", "rename", "rmtree", "remove one of two names"):
            outcome(CHANGES[change], built)
            assert picture(snap) == before
            assert same_files(snap) == links
            built.restore(snap)


def test_several_snapshots_show_their_own_states(memory: MemoryFileSystem) -> None:
    snaps = []
    for number in range(10):
        memory.write_bytes("/file", b"%d" % number)
        memory.mkdir(f"/{number}")
        memory.rename("/file", f"/{number}/file")
        snaps.append(memory.snapshot())
        memory.rename(f"/{number}/file", "/file")
    for number, snap in enumerate(snaps):
        assert snap.read_bytes(f"/{number}/file") == b"%d" % number
        assert sorted(snap.listdir("/")) == [str(name) for name in range(number + 1)]
        assert snap.glob("/*/file") == [f"/{number}/file"]
    del snap
    while snaps:
        snaps.pop(len(snaps) // 2).close()
        for snap in snaps:
            assert len(snap.listdir("/")) == int(snap.glob("/*/file")[0][1]) + 1
        memory._check()


def test_reading_changes_nothing(built: MemoryFileSystem) -> None:
    before, used = state_of(built), used_bytes(built)
    with built.snapshot() as older:
        CHANGES["everything"](built)
        after = state_of(built)
        with built.snapshot() as newer:
            answers(older)
            answers(newer)
            assert state_of(built) == after
            assert state_of(older) == before
        built.restore(older)
    assert used_bytes(built) == used


@pytest.mark.parametrize("mode", ["w", "wb", "a", "x", "r+", "rb+", "w+b", "a+", "xb"])
@pytest.mark.parametrize("path", ["/whole", "/missing", b"/whole"])
def test_writing_modes_are_refused(built: MemoryFileSystem, mode: str, path: str | bytes) -> None:
    with built.snapshot() as snap, pytest.raises(OSError) as caught:
        snap.open(path, mode)
    assert caught.value.errno == errno.EROFS
    assert caught.value.filename == path
    assert caught.value.strerror == os.strerror(errno.EROFS)
    assert built.read_bytes("/whole") == b"written in one piece"


@pytest.mark.parametrize("mode", ["q", "", "rbt", "rr"])
def test_modes_that_make_no_sense_are_value_errors(built: MemoryFileSystem, mode: str) -> None:
    with built.snapshot() as snap, pytest.raises(ValueError):
        snap.open("/whole", mode)


class TestFileObjects:
    """What open() gives is a file object as any other, for reading."""

    def test_types(self, built: MemoryFileSystem) -> None:
        with built.snapshot() as snap:
            for mode, buffering, kind in (
                ("r", -1, io.TextIOWrapper),
                ("rb", -1, io.BufferedIOBase),
                ("rb", 0, io.RawIOBase),
                ("rb", 100, io.BufferedIOBase),
            ):
                with snap.open("/whole", mode, buffering) as file:
                    assert isinstance(file, kind)
                    assert file.name == "/whole"
                    assert file.readable()
                    assert not file.writable()

    def test_text_arguments(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", "ä\r\nö".encode("latin-1"))
        with memory.snapshot() as snap:
            memory.remove("/file")
            with snap.open("/file", "r", -1, "latin-1", None, "") as file:
                assert file.readlines() == ["ä\r\n", "ö"]
            with snap.open("/file", encoding="ascii", errors="replace") as file:
                assert file.read() == "\ufffd\n\ufffd"
            assert snap.read_text("/file", "latin-1") == "ä\nö"
            assert snap.read_text("/file", encoding="ascii", errors="ignore") == "\n"
            with pytest.raises(ValueError):
                snap.open("/file", "rb", encoding="ascii")

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_cannot_write(self, built: MemoryFileSystem, buffering: int) -> None:
        with built.snapshot() as snap, snap.open("/large", "rb", buffering) as file:
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")
            with pytest.raises(io.UnsupportedOperation):
                file.truncate(3)
        assert built.stat("/large").st_size == LARGE + 2 * BLOCK

    @pytest.mark.parametrize("path", ["/whole", "/pieces", "/large", "/borrowed", "/sparse"])
    @pytest.mark.parametrize("change", ["write", "truncate", "remove", "rmtree and close"])
    def test_go_on_through_changes(self, built: MemoryFileSystem, path: str, change: str) -> None:
        content = built.read_bytes(path)
        snap = built.snapshot()
        file = snap.open(path, "rb")
        assert file.read(5) == content[:5]
        if change == "write":
            with built.open(path, "r+b") as writer:
                writer.write(b"#" * (len(content) + 9))
        elif change == "truncate":
            built.truncate(path, 2)
        elif change == "remove":
            built.remove(path)
        else:
            built.remove(path)
            snap.close()
        built._check()
        assert file.read() == content[5:]
        file.seek(-3, os.SEEK_END)
        assert file.read() == content[-3:]
        built.write_bytes("/reuse", b"!" * len(content))
        file.seek(0)
        assert file.read() == content
        file.close()

    @pytest.mark.parametrize("size", [100, LARGE + BLOCK])
    def test_keep_what_they_read_counted(self, memory: MemoryFileSystem, size: int) -> None:
        memory.write_bytes("/file", b"o" * size)
        snap = memory.snapshot()
        file = snap.open("/file", "rb")
        memory.write_bytes("/file", b"n" * 10)
        snap.close()
        del snap
        gc.collect()
        memory._check()
        assert used_bytes(memory) == size + 10
        assert file.read() == b"o" * size
        file.close()
        del file
        gc.collect()
        memory._check()
        assert used_bytes(memory) == 10

    def test_many_of_one_file_count_once(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"o" * 1000)
        with memory.snapshot() as snap:
            files = [snap.open("/file", "rb") for _ in range(3)]
        memory.write_bytes("/file", b"n")
        assert used_bytes(memory) == 1001
        for file in files:
            file.close()
        del files, file
        gc.collect()
        assert used_bytes(memory) == 1
        memory._check()

    def test_a_restore_does_not_move_them(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"first")
        first = memory.snapshot()
        memory.write_bytes("/file", b"second")
        second = memory.snapshot()
        with first.open("/file", "rb", 0) as one, second.open("/file", "rb", 0) as two:
            memory.restore(first)
            memory.write_bytes("/file", b"third")
            memory.restore(second)
            assert one.read() == b"first"
            assert two.read() == b"second"

    def test_holes_of_the_past_are_found(self, built: MemoryFileSystem) -> None:
        with built.snapshot() as snap, snap.open("/sparse", "rb") as file:
            built.write_bytes("/sparse", b"data")
            assert file.seek(0, os.SEEK_DATA) == 5 * BLOCK
            assert file.seek(5 * BLOCK, os.SEEK_HOLE) == 5 * BLOCK + 13

    def test_one_dropped_open_warns(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"content")
        snap = memory.snapshot()
        with pytest.warns(ResourceWarning):
            snap.open("/file", "rb")
            gc.collect()


READERS = sorted({*QUESTIONS, "glob"} - {"stat of a link", "open, text", "walk, bottom up"})


@pytest.mark.parametrize("name", READERS)
def test_a_closed_snapshot_cannot_be_read(memory: MemoryFileSystem, name: str) -> None:
    memory.write_bytes("/file", b"")
    snap = memory.snapshot()
    snap.close()
    ask = QUESTIONS.get(name, lambda snap, _: snap.glob("/*"))
    for path in ("/file", "/"):
        with pytest.raises(ValueError, match="closed"):
            ask(snap, path)


def test_a_walk_that_has_begun_goes_on_when_it_is_closed(built: MemoryFileSystem) -> None:
    expected = list(built.walk("/"))
    snap = built.snapshot()
    walk = snap.walk("/")
    found = [next(walk)]
    snap.close()
    built.rmtree("/tree")
    assert [*found, *walk] == expected


def test_walk_can_be_pruned_and_follow_links(built: MemoryFileSystem) -> None:
    expected = list(built.walk("/", followlinks=True))
    with built.snapshot() as snap:
        built.rmtree("/tree")
        assert list(snap.walk("/", followlinks=True)) == expected
        seen = []
        for directory, names, _ in snap.walk("/"):
            seen.append(directory)
            names[:] = [name for name in names if name != "sub"]
        assert "/tree" in seen
        assert "/tree/sub" not in seen


def test_what_a_walk_cannot_list(built: MemoryFileSystem) -> None:
    errors: list[OSError] = []
    with built.snapshot() as snap:
        assert list(snap.walk("/missing", onerror=errors.append)) == []
    assert [error.errno for error in errors] == [errno.ENOENT]


def test_reads_only(memory: MemoryFileSystem) -> None:
    """A snapshot has none of the methods that change something."""
    with memory.snapshot() as snap:
        for name in ("write_bytes", "mkdir", "remove", "rename", "chmod", "truncate", "copy"):
            assert not hasattr(snap, name)
    assert hasattr(Snapshot, "read_bytes")


@pytest.mark.parametrize("mode", ["r", "rb"])
@pytest.mark.parametrize("buffering", [-1, 100])
def test_what_is_closed_keeps_nothing(memory: MemoryFileSystem, mode: str, buffering: int) -> None:
    """Not even while the variable of the `with` statement still refers to it."""
    memory.write_bytes("/file", bytes(1000))
    with memory.snapshot() as snap, snap.open("/file", mode, buffering) as file:
        memory.remove("/file")
        file.read(10)
        file.readline()
    assert file.closed
    assert memory.usage("/")[:3] == (0, 0, 0)


# --- copying out of a snapshot --------------------------------------------------------------------


def test_a_file_is_brought_back(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/a", b"former" * 50_000)
    memory.chmod("/a", 0o640)
    with memory.snapshot() as snapshot:
        memory.write_bytes("/a", b"latter")
        assert snapshot.copy_out("/a", "/a", to=memory) == "/a"
        assert memory.read_bytes("/a") == b"former" * 50_000
        assert memory.stat("/a").st_mode & 0o777 == 0o640
        with memory.open("/a", "r+b") as file:
            file.write(b"xxxxxx")
        assert snapshot.read_bytes("/a") == b"former" * 50_000
    memory._check()


def test_a_file_goes_into_another_file_system(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/a", b"former" * 50_000)
    memory.mkdir("/d")
    other = MemoryFileSystem(max_quota=400_000)
    with memory.snapshot() as snapshot:
        memory.remove("/a")
        assert snapshot.copy_out("/a", "/b", to=other) == "/b"
        assert other.read_bytes("/b") == b"former" * 50_000
        with pytest.raises(QuotaExceededError):
            snapshot.copy_out("/a", "/c", to=other)
        assert other.listdir("/") == ["b"]
        with pytest.raises(FileNotFoundError):
            snapshot.copy_out("/missing", "/c", to=other)
        with pytest.raises(IsADirectoryError):
            snapshot.copy_out("/d", "/c", to=other)
        with pytest.raises(TypeError):
            snapshot.copy_out("/a", "/c", to="/tmp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="closed"):
        snapshot.copy_out("/a", "/c", to=other)
    memory._check()
    other._check()
