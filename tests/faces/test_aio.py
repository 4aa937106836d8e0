"""Coroutines: the same file system without threads, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import errno
import gc
import importlib
import inspect
import io
import math
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, aio

Main = Callable[[], Coroutine[Any, Any, object]]

SECONDS = 30
"""What nothing here needs: it would hang."""


class Backend:
    """What runs a test, and what a test asks of it."""

    name = "asyncio"

    def run(self, main: Main) -> None:
        asyncio.run(asyncio.wait_for(main(), SECONDS))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def tasks(self) -> Any:
        """Yield what starts tasks, which are waited for at the end."""
        async with asyncio.TaskGroup() as group:
            yield lambda main: group.create_task(main())

    async def cancelled_while(self, main: Main, ready: Callable[[], bool]) -> None:
        """Run something, and cancel it when it is ready for that."""
        task = asyncio.ensure_future(main())
        while not ready():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TrioBackend(Backend):
    name = "trio"

    def __init__(self) -> None:
        self.trio: Any = pytest.importorskip("trio", reason="trio is not installed")

    def run(self, main: Main) -> None:
        async def within_time() -> None:
            with self.trio.fail_after(SECONDS):
                await main()

        self.trio.run(within_time)

    async def sleep(self, seconds: float) -> None:
        await self.trio.sleep(seconds)

    @asynccontextmanager
    async def tasks(self) -> Any:
        async with self.trio.open_nursery() as nursery:
            yield nursery.start_soon

    async def cancelled_while(self, main: Main, ready: Callable[[], bool]) -> None:
        ended = False
        async with self.trio.open_nursery() as nursery:

            async def run() -> None:
                nonlocal ended
                with self.trio.CancelScope() as scope:
                    scopes.append(scope)
                    await main()
                ended = scope.cancelled_caught

            scopes: list[Any] = []
            nursery.start_soon(run)
            while not ready():
                await self.trio.sleep(0)
            scopes[0].cancel()
        assert ended


@pytest.fixture(params=[Backend, TrioBackend], ids=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.param()
    return made


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    with MemoryFileSystem(max_quota=1 << 20) as fs:
        yield fs
        if fs.exists("/"):
            fs._check()


@pytest.fixture
def files(fs: MemoryFileSystem) -> aio.AsyncFileSystem:
    return aio.AsyncFileSystem(fs)


# --- which methods there are ----------------------------------------------------------------------


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_each_method_of_a_file_system_is_here_or_listed_as_not() -> None:
    here = public(aio.AsyncFileSystem)
    missing = public(MemoryFileSystem) - here - aio.SYNCHRONOUS
    assert missing == set(), "each needs a line in AsyncFileSystem, or in SYNCHRONOUS"
    assert here | aio.SYNCHRONOUS == public(MemoryFileSystem)
    assert here & aio.SYNCHRONOUS == set()


@pytest.mark.parametrize("name", sorted(public(aio.AsyncFileSystem)))
def test_a_method_takes_what_that_of_the_file_system_takes(name: str) -> None:
    ours = getattr(aio.AsyncFileSystem, name)
    its = getattr(MemoryFileSystem, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(its).parameters)
    for mine, other in zip(
        inspect.signature(ours).parameters.values(),
        inspect.signature(its).parameters.values(),
        strict=True,
    ):
        assert (mine.kind, mine.default) == (other.kind, other.default)
    assert inspect.getdoc(ours)


def test_open_takes_what_that_of_the_file_system_takes() -> None:
    ours = inspect.signature(aio.open).parameters
    its = inspect.signature(MemoryFileSystem.open).parameters
    assert list(ours) == ["fs", *list(its)[1:]]


# --- calls ----------------------------------------------------------------------------------------


def test_methods_do_what_those_of_the_file_system_do(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    async def main() -> None:
        await files.makedirs("/a/b")
        assert await files.write_bytes("/a/file", b"123") == 3
        await files.write_text("/a/text", "ä", encoding="utf-8")
        assert await files.read_bytes("/a/text") == "ä".encode()
        assert await files.read_text("/a/text", encoding="utf-8") == "ä"
        assert (await files.stat("/a/file")).st_size == 3
        await files.rename("/a/file", "/a/b/file")
        assert await files.listdir("/a/b") == ["file"]
        assert await files.glob("/a/**/file") == ["/a/b/file"]
        await files.copy_tree("/a/b", "/a/c")
        assert await files.to_tree("/a") == {
            "b": {"file": "123"},
            "text": "ä",
            "c": {"file": "123"},
        }
        await files.rmtree("/a/b")
        assert not await files.exists("/a/b")
        with await files.snapshot() as snapshot:
            await files.rmtree("/a")
            await files.restore(snapshot)
        assert await files.is_dir("/a/c")
        other = await files.clone()
        assert isinstance(other, MemoryFileSystem)
        assert other.to_tree() == fs.to_tree()

    backend.run(main)
    assert fs.is_file("/a/c/file")


def test_errors_are_those_of_the_file_system(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    async def main() -> None:
        calls: list[Callable[[], Any]] = [
            lambda: files.read_bytes("/missing"),
            lambda: files.rmtree("/missing"),
            lambda: aio.open(fs, "/missing").__aenter__(),
            lambda: files.lock("/missing").__aenter__(),
        ]
        for call in calls:
            with pytest.raises(FileNotFoundError) as caught:
                await call()
            assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "/missing")
        with pytest.raises(QuotaExceededError):
            await files.write_bytes("/a", bytes(2 << 20))
        with fs.fail("read", "/a", errno.EIO):
            fs.write_bytes("/a", b"1")
            with pytest.raises(OSError) as failed:
                await files.read_bytes("/a")
        assert failed.value.errno == errno.EIO
        with pytest.raises(ValueError, match="lock_timeout goes with"):
            await aio.open(fs, "/a", lock_timeout=1)

    backend.run(main)


def test_trees_are_walked_and_listed(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    fs.makedirs("/a/b")
    fs.write_bytes("/a/file", b"1")

    async def main() -> None:
        assert [each async for each in files.walk("/")] == list(fs.walk("/"))
        found = []
        async for top, directories, _ in files.walk("/"):
            found.append(top)
            directories.clear()
        assert found == ["/"]
        assert [entry.name async for entry in files.scandir("/a")] == ["b", "file"]
        assert [each async for each in files.iter_export_tree()] == [("/a/file", b"1")]
        async for _ in files.scandir("/a"):
            break  # nothing is left open
        with pytest.raises(FileNotFoundError):
            async for _ in files.scandir("/missing"):
                pass

    backend.run(main)


def test_whole_trees_go_to_the_disk_and_back(
    backend: Backend, files: aio.AsyncFileSystem, tmp_path: Path
) -> None:
    threads = []

    async def main() -> None:
        await files.write_bytes("/a", b"1")
        await files.pack(
            tmp_path / "pack", progress=lambda *_: threads.append(threading.current_thread())
        )
        other = await aio.AsyncFileSystem.unpack(tmp_path / "pack", max_quota=100)
        assert await other.read_bytes("/a") == b"1"
        stream = io.BytesIO()
        await files.export_archive(stream, format="zip")
        stream.seek(0)
        await other.import_archive(stream, "/from_zip")
        assert await other.to_tree() == {"a": "1", "from_zip": {"a": "1"}}
        await other.add_real(tmp_path, "/real")
        assert await other.listdir("/real") == ["pack"]
        await other.close()
        assert not await other.exists("/a")

    backend.run(main)
    assert threading.main_thread() not in threads


def test_every_call_lets_other_tasks_run(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    turns = []

    async def work(name: str) -> None:
        for _ in range(3):
            await files.write_bytes(f"/{name}", b"1")
            turns.append(name)

    async def main() -> None:
        async with backend.tasks() as start:
            start(lambda: work("a"))
            start(lambda: work("b"))

    backend.run(main)
    assert turns not in (["a"] * 3 + ["b"] * 3, ["b"] * 3 + ["a"] * 3)


def test_without_anything_that_runs_it_a_call_says_so(files: aio.AsyncFileSystem) -> None:
    call = files.read_bytes("/a")
    with pytest.raises(RuntimeError, match="no running event loop"):
        call.send(None)


# --- file objects ---------------------------------------------------------------------------------


def test_files_are_opened_read_and_written(backend: Backend, fs: MemoryFileSystem) -> None:
    async def main() -> None:
        async with aio.open(fs, "/text", "w", encoding="utf-8") as file:
            assert await file.write("one\ntwo\n") == 8
            await file.writelines(["three\n"])
            await file.flush()
            assert (file.name, file.mode, file.closed) == ("/text", "w", False)
        assert file.closed
        assert file.wrapped.closed
        async with aio.open(fs, "/text", encoding="utf-8") as file:
            assert [line async for line in file] == ["one\n", "two\n", "three\n"]
            assert await file.seek(4) == 4
            assert await file.readline() == "two\n"
            assert await file.readlines() == ["three\n"]
        binary = await aio.open(fs, "/text", "r+b")
        buffer = bytearray(3)
        assert await binary.readinto(buffer) == 3
        assert bytes(buffer) == b"one"
        assert await binary.read1(2) == b"\nt"
        assert await binary.tell() == 5
        assert await binary.truncate() == 5
        assert await binary.read() == b""
        await binary.aclose()
        async with await aio.open(fs, "/text", "ab") as binary:
            await binary.write(b"!")

    backend.run(main)
    assert fs.read_bytes("/text") == b"one\nt!"


def test_a_file_is_closed_by_a_task_that_is_cancelled(
    backend: Backend, fs: MemoryFileSystem
) -> None:
    opened: list[aio.AsyncFile[bytes]] = []

    async def work() -> None:
        async with aio.open(fs, "/a", "wb") as file:
            await file.write(b"written")
            opened.append(file)
            await backend.sleep(math.inf if backend.name == "trio" else SECONDS)

    async def main() -> None:
        await backend.cancelled_while(work, lambda: bool(opened))

    backend.run(main)
    assert opened[0].closed
    assert fs.read_bytes("/a") == b"written"


# --- locks ----------------------------------------------------------------------------------------


def waiting(fs: MemoryFileSystem) -> int:
    return sum(len(queue.waiting) for queue in fs._locks._queues.values())


def test_tasks_wait_for_a_lock_without_a_thread(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    fs.write_bytes("/a", b"")
    order = []

    async def work(number: int) -> None:
        async with files.lock("/a") as grant:
            assert grant.held
            order.append(number)
            await backend.sleep(0)
            order.append(number)
        assert not grant.held

    async def main() -> None:
        before = threading.active_count()
        async with backend.tasks() as start:
            with fs.lock("/a"):
                for number in range(5):
                    start(lambda number=number: work(number))
                    while waiting(fs) == number:
                        await backend.sleep(0)
                assert threading.active_count() == before
                assert order == []

    backend.run(main)
    assert order == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert fs._locks.nodes_in_use == 0
    fs._locks._check()


def test_a_thread_and_a_task_wait_for_each_other(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    fs.write_bytes("/a", b"")
    order = []

    def in_thread() -> None:
        with fs.lock("/a", timeout=SECONDS):
            order.append("thread")

    async def main() -> None:
        grant = await files.lock("/a")
        thread = threading.Thread(target=in_thread)
        thread.start()
        while not waiting(fs):
            await backend.sleep(0)
        async with backend.tasks() as start:

            async def task() -> None:
                async with files.lock("/a", timeout=SECONDS):
                    order.append("task")

            start(task)
            while waiting(fs) < 2:
                await backend.sleep(0)
            grant.release()
        thread.join(SECONDS)

    backend.run(main)
    assert order == ["thread", "task"]


def test_readers_share_a_lock(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    fs.write_bytes("/a", b"")

    async def main() -> None:
        async with files.lock("/a", shared=True) as one, files.lock("/a", shared=True) as two:
            assert one.held
            assert two.held
            with pytest.raises(BlockingIOError):
                await files.lock("/a", timeout=0)

    backend.run(main)


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_lock_that_is_not_free_in_time_is_an_error(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem, timeout: float
) -> None:
    fs.write_bytes("/a", b"")

    async def main() -> None:
        with fs.lock("/a"):
            with pytest.raises(BlockingIOError, match="held exclusively") as caught:
                await files.lock("/a", timeout=timeout)
            assert (caught.value.errno, caught.value.filename) == (errno.EAGAIN, "/a")
            assert waiting(fs) == 0
        with pytest.raises(ValueError, match="at least 0 seconds"):
            await files.lock("/a", timeout=-1)

    backend.run(main)


def test_who_releases_wakes_the_task(
    backend: Backend,
    fs: MemoryFileSystem,
    files: aio.AsyncFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not have to look for itself, as it does now and then."""
    monkeypatch.setattr("dmemfs._aio.waiting.LONGEST_NAP", 10 * SECONDS)
    fs.write_bytes("/a", b"")

    async def main() -> None:
        grant = fs.lock("/a")
        async with backend.tasks() as start:

            async def task() -> None:
                (await files.lock("/a", timeout=math.inf)).release()

            start(task)
            while not waiting(fs):
                await backend.sleep(0)
            await backend.sleep(0)
            threading.Thread(target=grant.release).start()

    backend.run(main)


def test_a_task_that_is_cancelled_leaves_the_queue(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    fs.write_bytes("/a", b"")

    async def wait() -> None:
        await files.lock("/a", timeout=math.inf)

    async def main() -> None:
        with fs.lock("/a"):
            await backend.cancelled_while(wait, lambda: waiting(fs) == 1)
            assert waiting(fs) == 0
        async with files.lock("/a", timeout=0):
            pass

    backend.run(main)
    assert fs._locks.nodes_in_use == 0


def test_a_bell_that_was_not_rung_is_made_up_for(
    backend: Backend,
    fs: MemoryFileSystem,
    files: aio.AsyncFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where Ctrl-C ends the thread that releases, in the midst of that."""
    running = importlib.import_module("dmemfs._aio.running")
    waits = importlib.import_module("dmemfs._aio.waiting")
    bell = running._AsyncioBell if backend.name == "asyncio" else running._TrioBell
    monkeypatch.setattr(bell, "release", lambda self: None)
    monkeypatch.setattr(waits, "LONGEST_NAP", 0.01)
    fs.write_bytes("/a", b"")

    async def main() -> None:
        grant = fs.lock("/a")
        async with backend.tasks() as start:

            async def task() -> None:
                async with files.lock("/a", timeout=SECONDS):
                    pass

            start(task)
            while not waiting(fs):
                await backend.sleep(0)
            grant.release()

    backend.run(main)


def test_a_file_is_opened_with_its_lock_and_emptied_when_that_is_held(
    backend: Backend, fs: MemoryFileSystem
) -> None:
    fs.write_bytes("/a", b"old, and longer")

    async def write() -> None:
        async with aio.open(fs, "/a", "wb", lock="exclusive") as file:
            await file.write(b"new")

    async def main() -> None:
        async with backend.tasks() as start:
            with fs.open("/a", "rb", lock="shared") as reader:
                start(write)
                while not waiting(fs):
                    await backend.sleep(0)
                assert reader.read() == b"old, and longer"
            assert fs.read_bytes("/a") == b"old, and longer"
        async with aio.open(fs, "/a", lock="shared", encoding="utf-8") as file:
            assert await file.read() == "new"
            with pytest.raises(BlockingIOError):
                fs.lock("/a", timeout=0)
        fs.lock("/a", timeout=0).release()

    backend.run(main)


def test_locks_of_what_is_attached_are_those_of_the_other(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    other = MemoryFileSystem.from_tree({"a": ""})

    async def main() -> None:
        await files.attach("/other", other)
        async with files.lock("/other/a"):
            with pytest.raises(BlockingIOError):
                other.lock("/a", timeout=0)
        async with aio.open(fs, "/other/a", "w", lock="exclusive", encoding="utf-8") as file:
            with pytest.raises(BlockingIOError):
                other.lock("/a", timeout=0)
            await file.write("1")
        with pytest.raises(FileNotFoundError) as caught:
            await files.lock("/other/missing")
        assert caught.value.filename == "/other/missing"
        await files.detach("/other")

    backend.run(main)
    assert other.to_tree() == {"a": "1"}


def test_a_loop_that_has_ended_is_no_trouble_for_who_releases(
    backend: Backend, fs: MemoryFileSystem
) -> None:
    fs.write_bytes("/a", b"")
    running = importlib.import_module("dmemfs._aio.running")
    bells = []

    async def main() -> None:
        bells.append(running.runner().make_bell())

    backend.run(main)
    bells[0].release()


def test_work_in_a_thread_is_done_before_a_cancelled_task_goes_on(
    backend: Backend, fs: MemoryFileSystem, files: aio.AsyncFileSystem
) -> None:
    """So nobody finds a tree half-way, and what was opened is not pulled away."""
    begun, go_on = threading.Event(), threading.Event()
    ended = []

    def progress(*_: object) -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    async def work() -> None:
        try:
            await files.pack(io.BytesIO(), progress=progress)
            await backend.sleep(SECONDS)  # trio's tasks are cancelled here
        finally:
            ended.append(go_on.is_set())

    async def main() -> None:
        async with backend.tasks() as start:

            async def release() -> None:
                await backend.sleep(0.05)
                go_on.set()

            start(lambda: backend.cancelled_while(work, begun.is_set))
            while not begun.is_set():
                await backend.sleep(0)
            start(release)

    fs.write_bytes("/a", b"1")
    backend.run(main)
    assert ended == [True]


def test_nothing_is_left_behind(backend: Backend, files: aio.AsyncFileSystem) -> None:
    async def main() -> None:
        async with files.open("/a", "w", encoding="utf-8") as file:
            await file.write("1")

    backend.run(main)
    gc.collect()  # a warning would be an error
