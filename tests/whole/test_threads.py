"""Every operation is atomic to the others, and nobody waits for a stranger."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.comparison import outcome
from tests.support.together import TIMEOUT, frequent_switches, run_together  # noqa: F401

BLOCK = 64 * 1024
THREADS = 8


class TestMixedOperations:
    """Eight threads do everything at once; the tree and the counts hold in the end."""

    def worker(self, filesystem: MemoryFileSystem, seed: int) -> None:
        choose = random.Random(seed)
        paths = [f"/{name}" for name in "abcd"] + [f"/{d}/{name}" for d in "xy" for name in "ab"]

        def data() -> bytes:
            return bytes([seed]) * choose.choice((0, 1, 100, 5000, BLOCK, BLOCK + 9, 150_000))

        def write_at(path: str) -> None:
            with filesystem.open(path, "r+b", buffering=choose.choice((-1, 0))) as file:
                file.seek(choose.randrange(3 * BLOCK))
                file.write(data())

        def append(path: str) -> None:
            with filesystem.open(path, "ab") as file:
                file.write(data())
                file.truncate(choose.randrange(2 * BLOCK))

        def read(path: str) -> None:
            with filesystem.open(path, "rb") as file:
                file.readline()
                file.seek(choose.randrange(1000))
                file.read(choose.randrange(100_000))

        def text(path: str) -> None:
            with filesystem.open(path, "w", encoding="utf-16") as file:
                file.write("text\n" * choose.randrange(300))

        def tree(_: str) -> None:
            for directory, __, files in filesystem.walk("/"):
                for name in files:
                    outcome(functools.partial(filesystem.stat, f"{directory}/{name}"))
            filesystem.usage("/")
            filesystem.statvfs("/")
            filesystem.glob("/**")

        operations: list[Callable[[str], object]] = [
            lambda path: filesystem.write_bytes(path, data()),
            lambda path: filesystem.read_bytes(path),
            write_at,
            append,
            read,
            text,
            tree,
            lambda path: filesystem.remove(path),
            lambda path: filesystem.rename(path, choose.choice(paths)),
            lambda path: filesystem.replace(path, choose.choice(paths)),
            lambda path: filesystem.copy(path, choose.choice(paths)),
            lambda path: filesystem.link(path, choose.choice(paths)),
            lambda path: filesystem.symlink(path, choose.choice(paths)),
            lambda path: filesystem.truncate(path, choose.randrange(3 * BLOCK)),
            lambda path: filesystem.rename("/x", "/y"),
            lambda path: filesystem.rmtree(choose.choice(("/x", "/y"))),
            lambda path: filesystem.makedirs(choose.choice(("/x", "/y")), exist_ok=True),
            lambda path: filesystem.makedirs(choose.choice(("/x", "/y")), exist_ok=True),
            lambda path: filesystem.copy_tree("/x", f"/y/{seed}"),
            lambda path: filesystem.import_tree({path: data(), "/x/imported": data()}),
            lambda path: filesystem.export_tree("/"),
            lambda path: filesystem.chmod(path, 0o600),
            lambda path: filesystem.utime(path),
            lambda path: filesystem.listdir("/x"),
        ]
        for _ in range(120):
            try:
                choose.choice(operations)(choose.choice(paths))
            except OSError:
                pass  # Another thread was first, or the quota is used up: both are in order.

    @pytest.mark.parametrize("quota", [None, 2 << 20])
    def test_invariants_hold(self, quota: int | None) -> None:
        filesystem = MemoryFileSystem(max_quota=quota, max_nodes=None if quota is None else 40)
        filesystem.makedirs("/x")
        filesystem.makedirs("/y")
        run_together(*(lambda seed=seed: self.worker(filesystem, seed) for seed in range(THREADS)))
        filesystem._check()
        # All handles are closed: taking the tree away must free every byte and node.
        for name in filesystem.listdir("/"):
            path = f"/{name}"
            if filesystem.is_dir(path) and not filesystem.is_symlink(path):
                filesystem.rmtree(path)
            else:
                filesystem.remove(path)
        filesystem._check()
        if quota is not None:
            filesystem.write_bytes("/all", bytes(quota))
            for number in range(38):
                filesystem.mkdir(f"/{number}")
            with pytest.raises(QuotaExceededError):
                filesystem.mkdir("/one too many")

    def test_checks_can_run_beside_the_work(self) -> None:
        filesystem = MemoryFileSystem(max_quota=4 << 20)
        filesystem.makedirs("/x")

        def check() -> None:
            for _ in range(50):
                filesystem._check()

        run_together(check, *(lambda s=seed: self.worker(filesystem, s) for seed in range(3)))
        filesystem._check()


class TestAtomicOperations:
    """No operation is ever seen half done."""

    @pytest.mark.parametrize("size", [1, 100, 9000])
    def test_concurrent_appends_lose_nothing(self, fs: Any, size: int) -> None:
        fs.write_bytes("/log", b"")
        count = 100

        def append(number: int) -> None:
            with fs.open("/log", "ab", buffering=0) as file:
                for _ in range(count):
                    assert file.write(bytes([number]) * size) == size

        run_together(*(lambda n=number: append(n) for number in range(THREADS)))
        content = fs.read_bytes("/log")
        records = [content[start : start + size] for start in range(0, len(content), size)]
        assert all(record == record[:1] * size for record in records)
        assert sorted(record[0] for record in records) == sorted(list(range(THREADS)) * count)

    def test_append_and_flush_of_one_handle_by_many(self, fs: Any) -> None:
        """The lock of a buffer and that of the file system are never taken in both orders."""
        with fs.open("/file", "ab") as file:

            def append() -> None:
                for _ in range(200):
                    file.write(b"x" * 10)
                    file.flush()

            run_together(*[append] * 4)
        assert fs.stat("/file").st_size == 4 * 200 * 10

    def test_appends_through_one_handle(self, fs: Any) -> None:
        with fs.open("/log", "ab") as file:

            def append(number: int) -> None:
                for _ in range(200):
                    file.write(bytes([number]) * 10)

            run_together(*(lambda n=number: append(n) for number in range(THREADS)))
        content = fs.read_bytes("/log")
        assert len(content) == THREADS * 200 * 10
        for number in range(THREADS):
            assert content.count(bytes([number]) * 10) >= 200

    @pytest.mark.parametrize("size", [10, 5000, 2 * BLOCK, (1 << 20) + 17])
    def test_readers_never_see_a_torn_write(self, memory: Any, size: int) -> None:
        memory.write_bytes("/file", bytes(size))
        stop = threading.Event()

        def write(number: int) -> None:
            try:
                with memory.open("/file", "r+b", buffering=0) as file:
                    for turn in range(60):
                        file.seek(0)
                        file.write(bytes([number * 60 + turn]) * size)
            finally:
                stop.set()

        def read() -> None:
            with memory.open("/file", "rb", buffering=0) as file:
                while not stop.is_set():
                    file.seek(0)
                    content = file.read(size)
                    assert len(content) == size
                    assert content.count(content[:1]) == size
                    whole = memory.read_bytes("/file")
                    assert whole.count(whole[:1]) == size
                    target = bytearray(size)
                    file.seek(0)
                    assert file.readinto(target) == size
                    assert target.count(target[:1]) == size

        run_together(lambda: write(0), lambda: write(1), read, read, read)

    def test_write_bytes_is_seen_whole(self, memory: Any) -> None:
        memory.write_bytes("/file", b"0123456789")
        stop = threading.Event()
        sizes = (10, 70_000, 200_000)

        def write() -> None:
            try:
                for turn in range(200):
                    memory.write_bytes("/file", bytes([turn]) * sizes[turn % 3])
            finally:
                stop.set()

        def read() -> None:
            while not stop.is_set():
                content = memory.read_bytes("/file")
                assert len(content) in sizes
                assert content == b"0123456789" or content.count(content[:1]) == len(content)

        run_together(write, read, read)

    def test_exactly_one_creates_exclusively(self, fs: Any) -> None:
        for turn in range(30):
            winners: list[int] = []

            def create(turn: int = turn, winners: list[int] = winners) -> None:
                try:
                    fs.open(f"/file{turn}", "x").close()
                    winners.append(1)
                except FileExistsError:
                    pass

            run_together(*[create] * THREADS)
            assert len(winners) == 1

    def test_exactly_one_makes_a_directory(self, fs: Any) -> None:
        for turn in range(30):
            winners: list[int] = []

            def create(turn: int = turn, winners: list[int] = winners) -> None:
                try:
                    fs.mkdir(f"/directory{turn}")
                    winners.append(1)
                except FileExistsError:
                    pass

            run_together(*[create] * THREADS)
            assert len(winners) == 1

    def test_replaced_file_is_never_missing(self, fs: Any) -> None:
        fs.write_bytes("/file", b"old")
        stop = threading.Event()

        def replace() -> None:
            try:
                for turn in range(200):
                    fs.write_bytes("/new", b"%03d" % turn)
                    fs.replace("/new", "/file")
            finally:
                stop.set()

        def look() -> None:
            while not stop.is_set():
                assert fs.exists("/file")
                assert len(fs.read_bytes("/file")) == 3

        run_together(replace, look, look)

    def test_a_directory_is_listed_while_others_change_it(self, memory: Any) -> None:
        stay = {f"stays {number}" for number in range(500)}
        memory.import_tree({f"/directory/{name}": b"" for name in stay})
        done = threading.Event()

        def change(number: int) -> None:
            try:
                for turn in range(3000):
                    memory.write_bytes(f"/directory/{number}-{turn}", b"")
                    if turn >= 5:
                        memory.remove(f"/directory/{number}-{turn - 5}")
            finally:
                done.set()

        def look() -> None:
            while not done.is_set():
                for names in (
                    memory.listdir("/directory"),
                    [entry.name for entry in memory.scandir("/directory")],
                    next(memory.walk("/directory"))[2],
                    [path.rpartition("/")[2] for path in memory.glob("/directory/*")],
                ):
                    assert stay <= set(names)
                    assert len(names) == len(set(names)) <= len(stay) + 2 * 6

        run_together(functools.partial(change, 0), functools.partial(change, 1), look, look)
        memory._check()

    def test_import_tree_is_seen_whole(self, memory: Any) -> None:
        names = [f"/tree/{number}" for number in range(20)]
        memory.import_tree(dict.fromkeys(names, b"0"))
        stop = threading.Event()

        def write() -> None:
            try:
                for turn in range(100):
                    memory.import_tree(dict.fromkeys(names, b"%d" % turn))
            finally:
                stop.set()

        def read() -> None:
            while not stop.is_set():
                assert len(set(memory.export_tree("/tree").values())) == 1

        run_together(write, read)

    def test_quota_is_never_overdrawn(self) -> None:
        limit = 100_000
        filesystem = MemoryFileSystem(max_quota=limit)
        written = [0] * THREADS
        refusals: list[tuple[int, int]] = []

        def grow(number: int) -> None:
            with filesystem.open(f"/{number}", "wb", buffering=0) as file:
                for size in random.Random(number).choices(range(1, 3000), k=500):
                    try:
                        written[number] += file.write(bytes(size))
                    except QuotaExceededError as error:
                        refusals.append((error.available, error.requested))

        run_together(*(lambda n=number: grow(n) for number in range(THREADS)))
        filesystem._check()
        assert refusals
        assert all(0 <= available < requested for available, requested in refusals)
        assert sum(written) <= limit
        assert filesystem.usage("/").bytes == sum(written)
        for number in range(THREADS):
            assert filesystem.stat(f"/{number}").st_size == written[number]

    def test_closing_while_others_use_the_handle(self, fs: Any) -> None:
        for _ in range(20):
            fs.write_bytes("/file", b"line\n" * 2000)
            file = fs.open("/file", "rb")

            def read(file: Any = file) -> None:
                try:
                    while file.read(3):
                        pass
                except ValueError:
                    pass  # It is closed: in the middle of a call the builtin words it variously.

            run_together(read, read, file.close)
            assert file.closed

    def test_one_handle_read_by_many(self, fs: Any) -> None:
        size = 5000
        fs.write_bytes("/file", bytes(range(250)) * (size // 250))
        with fs.open("/file", "rb") as file:
            received: list[bytes] = []

            def read() -> None:
                while piece := file.read(7):
                    received.append(piece)

            run_together(*[read] * THREADS)
        assert sum(map(len, received)) == size
        assert sorted(b"".join(received)) == sorted(bytes(range(250)) * (size // 250))


class TestAdvisoryLocks:
    """Waiting for a lock holds nobody up who does not want it."""

    def test_blocked_waiters_delay_no_unrelated_operation(self, memory: Any) -> None:
        memory.write_bytes("/locked", b"")
        release = threading.Event()
        held = threading.Event()
        finished: list[str] = []

        def hold() -> None:
            with memory.lock("/locked"):
                held.set()
                assert release.wait(TIMEOUT)

        def wait_with_lock() -> None:
            assert held.wait(TIMEOUT)
            with memory.lock("/locked", timeout=TIMEOUT):
                finished.append("lock")

        def wait_with_open() -> None:
            assert held.wait(TIMEOUT)
            with memory.open("/locked", "r+b", lock="exclusive", lock_timeout=TIMEOUT):
                finished.append("open")

        def work() -> None:
            try:
                assert held.wait(TIMEOUT)
                for number in range(200):
                    # The very node that is locked, its directory and strangers: all are free.
                    assert memory.exists("/locked")
                    memory.stat("/locked")
                    memory.write_bytes("/other", b"%d" % number)
                    assert memory.read_bytes("/other") == b"%d" % number
                    memory.mkdir("/directory")
                    memory.rmdir("/directory")
                    with memory.open("/third", "w", lock="exclusive", lock_timeout=0):
                        pass
                    with memory.lock("/other", timeout=0):
                        memory.listdir("/")
                # All of it happened while the lock was held and waited for.
                assert finished == []
            finally:
                release.set()

        run_together(hold, wait_with_lock, wait_with_open, work)
        assert sorted(finished) == ["lock", "open"]

    def test_lock_of_a_handle_lasts_until_it_is_closed(self, memory: Any) -> None:
        with memory.open("/file", "wb", lock="exclusive"):
            for options in ({}, {"shared": True}):
                with (
                    pytest.raises(BlockingIOError) as caught,
                    memory.lock("/file", timeout=0, **options),
                ):
                    pass
                assert caught.value.filename == "/file"
        with memory.lock("/file", timeout=0):
            pass

    def test_refused_lock_leaves_the_file_untouched(self, memory: Any) -> None:
        memory.write_bytes("/file", b"content")
        with memory.lock("/file"), pytest.raises(BlockingIOError):
            memory.open("/file", "wb", lock="exclusive", lock_timeout=0)
        assert memory.read_bytes("/file") == b"content"

    def test_shared_readers_and_one_writer_at_a_time(self, memory: Any) -> None:
        memory.write_bytes("/file", b"0")
        inside = [0, 0]
        guard = threading.Lock()
        most_readers = [0]

        def read() -> None:
            for _ in range(50):
                with memory.open("/file", "rb", lock="shared", lock_timeout=TIMEOUT) as file:
                    with guard:
                        inside[0] += 1
                        most_readers[0] = max(most_readers[0], inside[0])
                        assert inside[1] == 0
                    file.read()
                    with guard:
                        inside[0] -= 1

        def write() -> None:
            for _ in range(50):
                with memory.open("/file", "r+b", lock="exclusive", lock_timeout=TIMEOUT) as file:
                    with guard:
                        inside[1] += 1
                        assert inside == [0, 1]
                    value = int(file.read())
                    file.seek(0)
                    file.write(b"%d" % (value + 1))
                    file.flush()
                    with guard:
                        inside[1] -= 1

        run_together(read, read, read, write, write)
        assert memory.read_bytes("/file") == b"100"
