"""What every way in and out has in common: progress, failures, other threads, interrupts."""

from __future__ import annotations

import io
import itertools
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.moved_trees import picture, sample

CHUNK = 1 << 20


def a_source() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=None)
    fs.makedirs("/a/b")
    fs.write_bytes("/a/large", b"x" * (2 * CHUNK + 1))
    fs.write_bytes("/a/b/small", b"1")
    fs.symlink("small", "/a/b/link")
    fs.link("/a/large", "/linked")
    return fs


def pack(directory: Path, **options: Any) -> None:
    a_source().pack(directory / "pack", **options)


def make_pack() -> bytes:
    stream = io.BytesIO()
    a_source().pack(stream)
    return stream.getvalue()


def make_archive(kind: Any) -> bytes:
    stream = io.BytesIO()
    a_source().export_archive(stream, format=kind)
    return stream.getvalue()


def make_directory(directory: Path) -> Path:
    a_source().export_tree(target=directory / "source")
    return directory / "source"


Way = Callable[..., object]

INTO: dict[str, Callable[[Path], Way]] = {
    "import_tree": lambda place: (
        lambda fs, **options: fs.import_tree(make_directory(place), "/in", **options)
    ),
    "import_archive zip": lambda place: (
        lambda fs, **options: fs.import_archive(io.BytesIO(make_archive("zip")), "/in", **options)
    ),
    "import_archive tar": lambda place: (
        lambda fs, **options: fs.import_archive(io.BytesIO(make_archive("tar")), "/in", **options)
    ),
    "import_archive gztar": lambda place: (
        lambda fs, **options: fs.import_archive(io.BytesIO(make_archive("gztar")), "/in", **options)
    ),
    "unpack": lambda place: (
        lambda fs, **options: type(fs).unpack(io.BytesIO(make_pack()), **options)
    ),
}
OUT_OF: dict[str, Callable[[Path], Way]] = {
    "export_tree": lambda place: (
        lambda fs, **options: fs.export_tree(target=place / "out", **options)
    ),
    "export_archive zip": lambda place: (
        lambda fs, **options: fs.export_archive(place / "out.zip", **options)
    ),
    "export_archive tar": lambda place: (
        lambda fs, **options: fs.export_archive(place / "out.tgz", **options)
    ),
    "pack": lambda place: lambda fs, **options: fs.pack(place / "out.pack", **options),
}
ALL = {**INTO, **OUT_OF}


@pytest.fixture(params=ALL)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    return ALL[request.param](tmp_path)


@pytest.fixture(params=INTO)
def way_in(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    return INTO[request.param](tmp_path)


def test_progress_grows_to_the_total(way: Way) -> None:
    calls: list[tuple[int, int, str]] = []
    way(a_source(), progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert calls[0][0] == 0
    total = calls[0][1]
    assert {call[1] for call in calls} == {total}
    # In a zip, the file of two names stands twice, and both are read from there.
    assert total in (2 * CHUNK + 2, 4 * CHUNK + 3)
    assert done[-1] == total
    assert {"a/large", "a/b/small", "a/b/link", "linked"} <= {call[2] for call in calls}
    assert max(after - before for before, after in itertools.pairwise(done)) <= CHUNK


def clear(directory: Path, *, only: str | None = None) -> None:
    """Remove what was made here; with `only`, that alone."""
    for path in directory.iterdir():
        if only is None or path.name == only:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_an_exception_of_progress_changes_nothing(way: Way, tmp_path: Path) -> None:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    way(a_source(), progress=count)
    clear(tmp_path)
    for number in {0, 1, calls // 2, calls - 1}:
        fs = a_source()
        before = picture(fs)
        left = number

        def stop(*_: object) -> None:
            nonlocal left
            if not left:
                raise InterruptedError("stop")
            left -= 1

        with pytest.raises(InterruptedError):
            way(fs, progress=stop)
        assert picture(fs) == before
        clear(tmp_path, only="source")
        assert not list(tmp_path.iterdir())
        fs._check()


def test_others_go_on_while_progress_is_told(way: Way) -> None:
    fs = a_source()
    written: list[int] = []

    def write_elsewhere(*_: object) -> None:
        thread = threading.Thread(target=lambda: written.append(fs.write_bytes("/other", b"1")))
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the lock is held"

    way(fs, progress=write_elsewhere)
    assert written
    assert fs.read_bytes("/other") == b"1"
    fs._check()


def test_others_see_all_or_nothing(way_in: Way) -> None:
    fs = MemoryFileSystem(max_quota=None)
    seen: list[Any] = []
    way_in(fs, progress=lambda *_: seen.append(fs.listdir("/")))
    assert all(names == [] for names in seen)


def test_what_others_write_meanwhile_stays(tmp_path: Path) -> None:
    fs = MemoryFileSystem(max_quota=None)
    fs.makedirs("/in/linked")  # where a file is to be: the end fails

    def write(*_: object) -> None:
        fs.write_bytes("/mine", b"mine")

    for name, make in INTO.items():
        if name != "unpack":
            fs.remove("/mine") if fs.exists("/mine") else None
            way = make(tmp_path / name)
            (tmp_path / name).mkdir()
            with pytest.raises(IsADirectoryError):
                way(fs, progress=write)
            assert fs.export_tree() == {"/mine": b"mine"}
            fs._check()


def test_room_that_others_take_meanwhile(tmp_path: Path) -> None:
    for name, make in INTO.items():
        if name != "unpack":
            fs = MemoryFileSystem(max_quota=5 * CHUNK)
            way = make(tmp_path / name)
            (tmp_path / name).mkdir()

            def fill(*_: object, fs: MemoryFileSystem = fs) -> None:
                fs.write_bytes("/mine", bytes(5 * CHUNK))

            with pytest.raises(QuotaExceededError):
                way(fs, progress=fill)
            assert fs.listdir("/") == ["mine"]
            fs._check()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_handles_and_node_identities_survive_a_failed_import(
    memory: MemoryFileSystem, kind: str
) -> None:
    sample(memory)
    memory.write_bytes("/a", b"old")
    memory.mkdir("/linked-directory")
    source = MemoryFileSystem()
    source.write_bytes("/a", b"new")
    source.write_bytes("/linked-directory", b"in the way")
    stream = io.BytesIO()
    source.export_archive(stream, format=kind)  # type: ignore[arg-type]
    stream.seek(0)
    before = picture(memory)
    ino = memory.stat("/a").st_ino
    with memory.open("/a", "r+b") as file:
        with pytest.raises(IsADirectoryError):
            memory.import_archive(stream)
        assert picture(memory) == before
        assert memory.stat("/a").st_ino == ino
        file.write(b"and on")
    assert memory.read_bytes("/a") == b"and on"


def test_nothing_is_shared_with_the_source_that_could_change(memory: MemoryFileSystem) -> None:
    large = bytes(3 * CHUNK)
    memory.write_bytes("/f", b"")
    with memory.open("/f", "r+b") as file:
        for _ in range(3):
            file.write(bytes(CHUNK))
        stream = io.BytesIO()
        memory.pack(stream)
        stream.seek(0)
        copy = MemoryFileSystem.unpack(stream)
        file.seek(5)
        file.write(b"changed")
    assert copy.read_bytes("/f") == large
