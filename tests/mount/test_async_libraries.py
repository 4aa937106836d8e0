"""Libraries for files in coroutines, which call the builtin `open` and `os` in threads."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

SECONDS = 30


def package(name: str) -> Any:
    """Return a package, or skip where it is not installed."""
    return pytest.importorskip(name, reason=f"{name.partition('.')[0]} is not installed")


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem.from_tree({"a": {"text": "one\ntwo\n"}})


def run(main: Callable[[], Coroutine[Any, Any, object]]) -> None:
    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_aiofiles(fs: MemoryFileSystem) -> None:
    aiofiles, aiofiles_os = package("aiofiles"), package("aiofiles.os")

    async def main() -> None:
        async with aiofiles.open("/mem/a/text", encoding="utf-8") as file:
            assert [line async for line in file] == ["one\n", "two\n"]
        async with aiofiles.open("/mem/a/new", "wb") as file:
            await file.write(b"12")
            await file.seek(1)
            await file.write(b"3")
        async with aiofiles.open("/mem/a/new", "rb") as file:
            assert await file.read() == b"13"
        await aiofiles_os.makedirs("/mem/b/c")
        await aiofiles_os.rename("/mem/a/new", "/mem/b/c/new")
        assert await aiofiles_os.listdir("/mem/b/c") == ["new"]
        assert (await aiofiles_os.stat("/mem/b/c/new")).st_size == 2
        assert await aiofiles_os.path.exists("/mem/b/c/new")
        await aiofiles_os.remove("/mem/b/c/new")
        with pytest.raises(FileNotFoundError) as caught:
            await aiofiles.open("/mem/b/c/new")
        assert caught.value.filename == "/mem/b/c/new"

    with fs.mount("/mem"):
        run(main)
    assert fs.to_tree() == {"a": {"text": "one\ntwo\n"}, "b": {"c": {}}}


def test_temporary_files_of_aiofiles(fs: MemoryFileSystem) -> None:
    tempfile = package("aiofiles.tempfile")

    async def main() -> None:
        async with tempfile.TemporaryDirectory(dir="/mem") as directory:
            async with tempfile.NamedTemporaryFile("w", dir=directory) as file:
                await file.write("1")
            assert directory.startswith("/mem/")
            assert len(fs.listdir("/")) == 2

    with fs.mount("/mem"):
        run(main)
    assert fs.listdir("/") == ["a"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(fs: MemoryFileSystem, backend: str) -> None:
    anyio = package("anyio")
    package(backend)

    async def main() -> None:
        with anyio.fail_after(SECONDS):
            async with await anyio.open_file("/mem/a/text", encoding="utf-8") as file:
                assert [line async for line in file] == ["one\n", "two\n"]
            path = anyio.Path("/mem/b")
            await path.mkdir()
            await (path / "new").write_bytes(b"123")
            assert await (path / "new").read_bytes() == b"123"
            assert [str(each) async for each in path.iterdir()] == ["/mem/b/new"]
            assert [str(each) async for each in anyio.Path("/mem").rglob("new")] == ["/mem/b/new"]
            await (path / "new").unlink()
            with pytest.raises(FileNotFoundError):
                await anyio.open_file("/mem/b/new")

    with fs.mount("/mem"):
        anyio.run(main, backend=backend)
    assert fs.to_tree() == {"a": {"text": "one\ntwo\n"}, "b": {}}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_own_coroutines_under_anyio(fs: MemoryFileSystem, backend: str) -> None:
    anyio = package("anyio")
    package(backend)
    aio = importlib.import_module("dmemfs.aio")
    files = aio.AsyncFileSystem(fs)
    order: list[int] = []

    async def work(number: int) -> None:
        async with files.lock("/a/text"):
            order.append(number)
            await anyio.sleep(0)
            order.append(number)

    async def main() -> None:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                for number in range(3):
                    group.start_soon(work, number)
            with anyio.move_on_after(0.01) as scope:
                async with files.lock("/a/text"), files.lock("/a/text"):
                    raise AssertionError("it is not reentrant")
            assert scope.cancelled_caught
            async with files.lock("/a/text", timeout=0):
                pass
            with anyio.CancelScope() as scope:
                scope.cancel()
                await files.write_bytes("/not written", b"")
            assert scope.cancelled_caught

    anyio.run(main, backend=backend)
    assert sorted(order[::2]) == sorted(order[1::2]) == [0, 1, 2]
    assert order[::2] == order[1::2]
    assert fs.listdir("/") == ["a"]
