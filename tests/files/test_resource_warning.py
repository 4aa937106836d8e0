"""Handles that are dropped open, and finalisers at awkward moments."""

from __future__ import annotations

import gc
import io
import sys
import threading
import warnings
import weakref
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

BLOCK = 64 * 1024
TIMEOUT = 20.0

KINDS: dict[str, dict[str, Any]] = {
    "text": {"mode": "w"},
    "binary": {"mode": "wb"},
    "raw": {"mode": "wb", "buffering": 0},
    "read and write": {"mode": "w+b"},
    "append": {"mode": "a"},
}


def some(file: Any) -> Any:
    """Return one word in the kind that ``file`` writes."""
    return b"word" if "b" in file.mode else "word"


class TestDropped:
    """What happens to a handle that nobody refers to any more."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_warns_and_flushes(self, fs: Any, kind: str) -> None:
        with pytest.warns(ResourceWarning, match="unclosed file") as caught:
            file = fs.open("/file", **KINDS[kind])
            file.write(some(file))
            del file
            gc.collect()
        assert len(caught) == 1
        assert "/file" in str(caught[0].message)
        assert fs.read_bytes("/file") == b"word"

    def test_reader_warns(self, fs: Any) -> None:
        fs.write_bytes("/file", b"content")
        for options in ({"mode": "r"}, {"mode": "rb"}, {"mode": "rb", "buffering": 0}):
            with pytest.warns(ResourceWarning, match="unclosed file") as caught:
                fs.open("/file", **options).read(1)
                gc.collect()
            assert len(caught) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_garbage_cycle(self, fs: Any, kind: str) -> None:
        with pytest.warns(ResourceWarning, match="unclosed file") as caught:
            file = fs.open("/file", **KINDS[kind])
            file.write(some(file))
            cycle: list[Any] = [file]
            cycle.append(cycle)
            del file, cycle
            gc.collect()
        assert len(caught) == 1

    @pytest.mark.parametrize("kind", ["binary", "raw", "read and write"])
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_garbage_cycle_is_flushed(self, memory: Any, kind: str) -> None:
        # The builtin may lose what is in its buffer here: the collector finalises in any order.
        file = memory.open("/file", **KINDS[kind])
        file.write(b"word")
        cycle: list[Any] = [file]
        cycle.append(cycle)
        del file, cycle
        gc.collect()
        assert memory.read_bytes("/file") == b"word"

    def test_wrapper_dropped_with_its_handle(self, fs: Any) -> None:
        with pytest.warns(ResourceWarning):
            text = io.TextIOWrapper(fs.open("/file", "wb"), encoding="ascii")
            text.write("word")
            del text
            gc.collect()
        assert fs.read_bytes("/file") == b"word"

    def test_warning_points_to_where_it_was_dropped(self, fs: Any) -> None:
        def drop() -> None:
            file = fs.open("/file", "wb")
            file.write(b"x")
            # The file goes with the last line of this function.

        with pytest.warns(ResourceWarning) as caught:
            drop()
        assert caught[0].filename == __file__

    def test_warning_made_an_error_still_closes(self, memory: Any) -> None:
        seen: list[type[BaseException]] = []
        former = sys.unraisablehook
        sys.unraisablehook = lambda unraisable: seen.append(unraisable.exc_type)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                file = memory.open("/file", "w")
                file.write("word")
                del file
                gc.collect()
        finally:
            sys.unraisablehook = former
        assert seen == [ResourceWarning]
        assert memory.read_bytes("/file") == b"word"

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_space_and_node_are_freed(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100, max_nodes=2)
        for _ in range(3):
            file = filesystem.open("/file", "wb")
            file.write(b"x" * 100)
            filesystem.remove("/file")
            del file
            gc.collect()
            filesystem._check()

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_lock_is_released(self, memory: Any) -> None:
        file = memory.open("/file", "wb", lock="exclusive")
        with pytest.raises(BlockingIOError):
            memory.open("/file", "rb", lock="shared", lock_timeout=0)
        del file
        gc.collect()
        memory.open("/file", "rb", lock="shared", lock_timeout=0).close()

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_file_outlives_its_file_system(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None)
        file = filesystem.open("/file", "w+b")
        del filesystem
        gc.collect()
        file.write(b"still here")
        file.seek(0)
        assert file.read() == b"still here"
        file.close()

    def test_file_system_is_no_garbage_cycle(self) -> None:
        gc.collect()
        gc.disable()
        try:
            filesystem = MemoryFileSystem(max_quota=None)
            filesystem.makedirs("/a/b")
            filesystem.write_bytes("/a/b/file", bytes(BLOCK * 3))
            with filesystem.open("/a/b/file") as file:
                file.read(10)
            del file
            gone = weakref.ref(filesystem)
            del filesystem
            # A large file system must not wait for a collection to give its memory back.
            assert gone() is None
        finally:
            gc.enable()


class TestClosed:
    """Handles that were closed are dropped in silence (warnings are errors here)."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_with(self, fs: Any, kind: str) -> None:
        with fs.open("/file", **KINDS[kind]) as file:
            file.write(some(file))
        del file
        gc.collect()

    @pytest.mark.parametrize("kind", KINDS)
    def test_close(self, fs: Any, kind: str) -> None:
        file = fs.open("/file", **KINDS[kind])
        file.close()
        del file
        gc.collect()

    @pytest.mark.parametrize("path", ["/missing/file", "/", "/missing/"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_open_that_failed(self, fs: Any, kind: str, path: str) -> None:
        with pytest.raises(OSError):
            fs.open(path, **KINDS[kind])
        gc.collect()

    def test_text_that_failed_to_open(self, fs: Any) -> None:
        for options in ({"encoding": "no-such-codec"}, {"newline": "x"}, {"buffering": 0}):
            with pytest.raises((LookupError, ValueError)):
                fs.open("/file", "w", **options)
            gc.collect()

    def test_detached_and_closed(self, fs: Any) -> None:
        text = fs.open("/file", "w")
        binary = text.detach()
        binary.close()
        del text, binary
        gc.collect()

    def test_helpers_that_open_files(self, memory: Any) -> None:
        memory.write_text("/file", "text")
        memory.read_text("/file")
        memory.write_bytes("/file", b"bytes")
        memory.read_bytes("/file")
        memory.copy("/file", "/copy")
        memory.export_tree("/")
        memory.import_tree({"/new": b"x"})
        gc.collect()

    def test_failed_close_does_not_warn_later(self) -> None:
        filesystem = MemoryFileSystem(max_quota=0)
        file = filesystem.open("/file", "w")
        file.write("text")
        with pytest.raises(OSError):
            file.close()
        del file
        gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestFinalisersUnderWay:
    """A garbage collection may close a dropped handle in the middle of any operation."""

    def test_collection_at_every_allocation(self, memory: Any) -> None:
        former = gc.get_threshold()
        gc.collect()
        gc.set_threshold(1, 1, 1)
        try:
            for number in range(200):
                file = memory.open(f"/dropped{number}", "wb")
                file.write(b"text %d" % number)
                cycle: list[Any] = [file]
                cycle.append(cycle)
                del file, cycle
                with memory.open("/log", "ab") as log:
                    log.write(b"%03d\n" % number)
                memory.write_bytes("/large", bytes(BLOCK + number))
                memory.mkdir("/directory")
                memory.rename("/directory", "/renamed")
                memory.rmdir("/renamed")
                memory.listdir("/")
        finally:
            gc.set_threshold(*former)
        gc.collect()
        assert memory.read_bytes("/log") == b"".join(b"%03d\n" % n for n in range(200))
        for number in range(200):
            assert memory.read_bytes(f"/dropped{number}") == b"text %d" % number

    def test_handles_dropped_by_another_thread(self, memory: Any) -> None:
        stop = threading.Event()
        errors: list[BaseException] = []

        def drop() -> None:
            try:
                number = 0
                while not stop.is_set():
                    number += 1
                    memory.open(f"/dropped{number % 50}", "w").write(f"text {number}")
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=drop, daemon=True)
        thread.start()
        for number in range(500):
            memory.write_bytes(f"/file{number % 50}", bytes(number))
            memory.remove(f"/file{number % 50}")
        stop.set()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert errors == []
