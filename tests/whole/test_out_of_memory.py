"""No memory for what the quota would allow: nothing changes, and the counts stay exact."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._nodes import blocks

BLOCK = 64 * 1024


class TestMemoryError:
    """The allocator refuses."""

    @pytest.fixture
    def scarce_memory(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
        """Return a function after which only so many more mappings can be had."""
        original = blocks._Segment
        allowed = [1 << 30]

        class ScarceMapping(original):  # type: ignore[misc, valid-type]
            def __new__(cls, *args: Any, **options: Any) -> Any:
                if not allowed[0]:
                    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
                allowed[0] -= 1
                return original(*args, **options)

        monkeypatch.setattr(blocks, "_Segment", ScarceMapping)

        def allow(mappings: int) -> None:
            allowed[0] = mappings

        return allow

    @pytest.mark.parametrize("chunk", [10_000, BLOCK, BLOCK + 1, 3 << 20])
    @pytest.mark.parametrize("mappings", [0, 1, 2])
    def test_appending(
        self, scarce_memory: Callable[[int], None], mappings: int, chunk: int
    ) -> None:
        filesystem = MemoryFileSystem(max_quota=100 << 20)
        scarce_memory(mappings)
        written = 0
        with filesystem.open("/file", "wb", buffering=0) as file:
            with pytest.raises(MemoryError):
                while written < 64 << 20:
                    file.write(bytes([written % 251]) * chunk)
                    written += chunk
            assert file.tell() == written
            filesystem._check()
        assert filesystem.stat("/file").st_size == written
        expected = b"".join(bytes([at % 251]) * chunk for at in range(0, written, chunk))
        assert filesystem.read_bytes("/file") == expected
        filesystem.remove("/file")
        filesystem._check()
        filesystem.write_bytes("/probe", bytes(100 << 20))
        filesystem.remove("/probe")

    def test_overwriting_shared_blocks(self, scarce_memory: Callable[[int], None]) -> None:
        filesystem = MemoryFileSystem(max_quota=100 << 20)
        content = os.urandom(2 << 20)
        filesystem.write_bytes("/file", content)
        filesystem.copy("/file", "/copy")
        scarce_memory(0)
        with filesystem.open("/copy", "r+b", buffering=0) as file:
            for position, size in ((20 * BLOCK, 1), (25 * BLOCK - 5, 10), (18 * BLOCK, 1 << 19)):
                file.seek(position)
                with pytest.raises(MemoryError):
                    file.write(bytes(size))
                assert file.tell() == position
            with pytest.raises(MemoryError):
                file.seek(1, os.SEEK_END)
                file.write(b"x")
        filesystem._check()
        assert filesystem.read_bytes("/copy") == content
        assert filesystem.read_bytes("/file") == content

    def test_truncating(self, scarce_memory: Callable[[int], None]) -> None:
        filesystem = MemoryFileSystem(max_quota=100 << 20)
        content = os.urandom((2 << 20) + 7)
        filesystem.write_bytes("/file", content)
        filesystem.copy("/file", "/copy")
        scarce_memory(0)
        for size in (3 << 20, BLOCK + 3, 4 << 20, 100):
            before = filesystem.read_bytes("/copy")
            try:
                filesystem.truncate("/copy", size)
            except MemoryError:
                assert filesystem.read_bytes("/copy") == before
            else:
                assert filesystem.read_bytes("/copy") == before[:size].ljust(size, b"\0")
            filesystem._check()
        assert filesystem.read_bytes("/file") == content

    @pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="limits of the address space: Linux only"
    )
    def test_address_space_that_really_runs_out(self) -> None:
        script = """
            import resource, sys
            sys.path[:0] = {path!r}
            from dmemfs import MemoryFileSystem

            filesystem = MemoryFileSystem(max_quota=None)
            filesystem.write_bytes("/before", b"b" * 100_000)
            with open("/proc/self/statm") as statm:
                in_use = int(statm.read().split()[0]) * resource.getpagesize()
            limit = in_use + (64 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            for number, chunk in enumerate((1 << 16, 1 << 20, 5 << 20, 700)):
                path = f"/file{{number}}"
                expected = 0
                try:
                    with filesystem.open(path, "wb", buffering=0) as file:
                        while expected < 1 << 30:
                            file.write(bytes([expected % 251]) * chunk)
                            expected += chunk
                except MemoryError:
                    pass
                assert expected < 1 << 30
                filesystem._check()
                assert filesystem.stat(path).st_size == expected
                with filesystem.open(path, "rb", buffering=0) as file:
                    for start in range(0, expected, chunk * 16):
                        file.seek(start)
                        assert file.read(1)[0] == start % 251
                if chunk == 700:
                    break
                filesystem.remove(path)
                filesystem._check()
            assert filesystem.read_bytes("/before") == b"b" * 100_000
            print("fine")
        """
        script = textwrap.dedent(script).format(path=[entry for entry in sys.path if entry])
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False
        )
        assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


class TestSmallChanges:
    """A small change of a large file takes little memory, however the file was written."""

    @pytest.mark.parametrize("position", [0, 5 * BLOCK + 1, (32 << 20) - 10, 32 << 20])
    @pytest.mark.parametrize("copied", [False, True])
    def test_write_into_a_file_of_one_piece(self, copied: bool, position: int) -> None:
        filesystem = MemoryFileSystem(max_quota=None)
        content = os.urandom(32 << 20)
        filesystem.write_bytes("/file", content)
        if copied:
            filesystem.copy("/file", "/copy")
        tracemalloc.start()
        try:
            with filesystem.open("/file", "r+b") as file:
                file.seek(position)
                file.write(b"0123456789")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20
        expected = content[:position] + b"0123456789" + content[position + 10 :]
        equal = filesystem.read_bytes("/file") == expected
        assert equal
        if copied:
            equal = filesystem.read_bytes("/copy") == content
            assert equal
