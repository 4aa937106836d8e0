"""Faults that delay, cut reads and writes short, or strike at one byte; and forgotten ones."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import threading
import time
import warnings
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

WAIT = 20.0
DATA = bytes(range(200))


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem.from_tree({"f": DATA, "g": b""})


class TestShort:
    def test_raw_reads(self, fs: MemoryFileSystem) -> None:
        with fs.fail("read", short=3) as fault, fs.open("/f", "rb", 0) as file:
            assert file.read(10) == DATA[:3]
            buffer = bytearray(2)
            assert file.readinto(buffer) == 2
            buffer = bytearray(10)
            assert file.readinto(buffer) == 3
            assert buffer[:4] == DATA[5:8] + b"\0"
            assert file.read() == DATA[8:]  # all of it, in as many steps as that takes
        assert fault.failures == fault.calls == 4

    def test_raw_writes(self, fs: MemoryFileSystem) -> None:
        with fs.fail("write", short=3), fs.open("/g", "wb", 0) as file:
            assert file.write(b"12345") == 3
            assert file.write(b"67") == 2
        with fs.fail("write", short=1), fs.open("/g", "ab", 0) as file:
            assert file.write(b"89") == 1
        assert fs.read_bytes("/g") == b"123678"

    def test_layers_of_io_go_on(self, fs: MemoryFileSystem) -> None:
        """They are made for short reads and writes, as are buffered files here."""
        with fs.fail(short=7):
            raw: Any = fs.open("/f", "rb", 0)
            with io.BufferedReader(raw) as reader:
                assert reader.read(50) == DATA[:50]
                assert reader.read() == DATA[50:]
            raw = fs.open("/g", "wb", 0)
            with io.BufferedWriter(raw) as writer:
                writer.write(DATA)
            assert fs.read_bytes("/g") == DATA
            with fs.open("/f", "r+b") as file:
                assert file.read(100) == DATA[:100]
                assert file.write(b"x" * 100) == 100
            fs.write_bytes("/h", DATA)
            assert fs.read_bytes("/h") == DATA

    def test_some_of_them(self, fs: MemoryFileSystem) -> None:
        with fs.fail("read", short=1, after=1, times=1), fs.open("/f", "rb", 0) as file:
            assert [len(file.read(5)) for _ in range(3)] == [5, 1, 5]

    def test_the_shortest_of_several(self, fs: MemoryFileSystem) -> None:
        with fs.fail("read", short=4), fs.fail("read", short=2), fs.open("/f", "rb", 0) as file:
            assert len(file.read(5)) == 2

    def test_with_an_error(self, fs: MemoryFileSystem) -> None:
        fault = fs.fail("read", error=errno.EINTR, short=4)
        with fault, fs.open("/f", "rb", 0) as file, pytest.raises(InterruptedError):
            file.read(5)

    @pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")
    def test_descriptors_in_a_mount(self, fs: MemoryFileSystem) -> None:
        with fs.mount("/mem"), fs.fail(short=3):
            number = os.open("/mem/f", os.O_RDWR)
            assert os.read(number, 10) in (DATA[:3], DATA[:10])  # the kernel's are not asked
            os.close(number)
            with open("/mem/f", "rb") as file:
                assert file.read(10) == DATA[:10]


class TestByte:
    def test_reads(self, fs: MemoryFileSystem) -> None:
        with fs.fail("read", "/f", byte=100) as fault:
            with fs.open("/f", "rb", 0) as file:
                assert len(file.read(90)) == 90
                assert len(file.read(90)) == 10  # up to the bad one
                with pytest.raises(OSError) as caught:
                    file.read(90)
                assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/f")
                file.seek(101)
                assert file.read() == DATA[101:]
                file.seek(0)
                with pytest.raises(OSError):
                    file.read()
            with pytest.raises(OSError):
                fs.read_bytes("/f")
        assert fault.failures == 3

    def test_writes(self, fs: MemoryFileSystem) -> None:
        with fs.fail("write", byte=4, error=errno.ENOSPC):
            with fs.open("/g", "wb", 0) as file:
                assert file.write(b"123456") == 4
                with pytest.raises(OSError, match="No space"):
                    file.write(b"56")
            with fs.open("/g", "ab", 0) as file, pytest.raises(OSError, match="No space"):
                file.write(b"5")
            fs.write_bytes("/h", b"1234")
            with pytest.raises(OSError, match="No space"):
                fs.write_bytes("/h", b"12345")
            with pytest.raises(OSError, match="No space"), fs.open("/h", "r+b") as file:
                file.write(b"abcdef")
        assert (fs.read_bytes("/g"), fs.read_bytes("/h")) == (b"1234", b"1234")

    def test_buffered_layers_get_as_far_as_they_can(self, fs: MemoryFileSystem) -> None:
        with fs.fail("read", byte=100):
            raw: Any = fs.open("/f", "rb", 0)
            with io.BufferedReader(raw, 64) as reader:
                assert reader.read(100) == DATA[:100]
                with pytest.raises(OSError):
                    reader.read(1)

    def test_other_operations_do_not_count(self, fs: MemoryFileSystem) -> None:
        with fs.fail(byte=0) as fault:
            fs.mkdir("/d")
            fs.stat("/f")
            fs.write_bytes("/g", b"")
        assert fault.calls == 0


class TestDelay:
    def test_waits_and_does_it(self, fs: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        monkeypatch.setattr("dmemfs._interception.asking.sleep", waited.append)
        with fs.fail("read", delay=0.5) as fault, fs.fail("*", "/f", delay=2, after=1):
            assert fs.read_bytes("/f") == DATA
        assert waited == [2.5]
        assert fault.failures == 1
        with fs.fail("open", error=errno.EACCES, delay=1), pytest.raises(PermissionError):
            fs.read_bytes("/f")
        assert waited == [2.5, 1]

    def test_others_do_not_wait(
        self, fs: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def wait(_: float) -> None:
            begun.set()
            assert go_on.wait(WAIT)

        monkeypatch.setattr("dmemfs._interception.asking.sleep", wait)
        with fs.fail("read", "/f", delay=1):
            thread = threading.Thread(target=fs.read_bytes, args=("/f",), daemon=True)
            thread.start()
            assert begun.wait(WAIT)
            fs.write_bytes("/other", b"meanwhile")
            assert fs.read_bytes("/other") == b"meanwhile"
            go_on.set()
            thread.join(WAIT)
            assert not thread.is_alive()

    def test_really(self, fs: MemoryFileSystem) -> None:
        before = time.monotonic()
        with fs.fail("stat", delay=0.01):
            fs.stat("/f")
        assert time.monotonic() - before >= 0.01


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"delay": -1}, ValueError),
        ({"delay": float("inf")}, ValueError),
        ({"delay": float("nan")}, ValueError),
        ({"delay": "1"}, TypeError),
        ({"short": 0}, ValueError),
        ({"short": 1.5}, TypeError),
        ({"byte": -1}, ValueError),
        ({"op": "mkdir", "short": 1}, ValueError),
        ({"op": "open", "byte": 1}, ValueError),
    ],
)
def test_wrong_arguments(
    fs: MemoryFileSystem, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        fs.fail(**arguments)
    assert type(fs) is MemoryFileSystem


class TestForgotten:
    def caught(self, fs: MemoryFileSystem, use: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            use(fs)
            gc.collect()
        return [str(one.message) for one in seen if one.category is ResourceWarning]

    def test_one_that_was_never_entered_warns(self, fs: MemoryFileSystem) -> None:
        [message] = self.caught(fs, lambda fs: fs.fail("write", "*.log"))
        assert message == (
            "fs.fail('write') was never entered, and goes on as long as the file system: "
            "write with fs.fail('write'): ..."
        )
        with pytest.raises(OSError):
            fs.write_bytes("/a.log", b"")

    def test_others_do_not(self, fs: MemoryFileSystem) -> None:
        def enter(fs: MemoryFileSystem) -> None:
            with fs.fail("write"):
                pass

        assert self.caught(fs, enter) == []
        assert self.caught(fs, lambda fs: fs.fail("write").close()) == []

    def test_nor_one_that_outlives_its_file_system(self, fs: MemoryFileSystem) -> None:
        def drop(_: object) -> None:
            other = MemoryFileSystem()
            fault = other.fail("write")
            other.close()
            del other, fault

        assert self.caught(fs, drop) == []
