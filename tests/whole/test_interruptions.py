"""Interrupts, signal handlers and finalisers in the middle of an operation."""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from dmemfs import MemoryFileSystem
from tests.support.comparison import picture
from tests.support.incidents import TIMEOUT, assert_no_lock_is_held, do_with_incident

BLOCK = 64 * 1024
QUOTA = 16 * BLOCK


def large_write(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/large", "r+b", buffering=0) as file:
        file.seek(BLOCK // 2)
        file.write(b"#" * (2 * BLOCK))


def small_write(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "r+b", buffering=0) as file:
        file.seek(3)
        file.write(b"#" * 20)


def append(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "ab", buffering=0) as file:
        file.write(b"#" * 20)


def write_behind_the_end(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/large", "r+b", buffering=0) as file:
        file.seek(6 * BLOCK + 5)
        file.write(b"#" * 20)


def write_text(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/new", "w") as file:
        file.write("text\n" * 10)


def write_in_pieces(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/new", "wb") as file:
        for _ in range(5):
            file.write(b"piece")
        file.seek(2)
        file.write(b"#")


def read(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/large", "rb") as file:
        file.readline()
        file.read(10)
        file.seek(0)
        file.read(2 * BLOCK)
        file.read()


# Operations that are done whole or not at all.
ATOMIC: dict[str, Callable[[MemoryFileSystem], object]] = {
    "write_bytes": lambda filesystem: filesystem.write_bytes("/new", bytes(100)),
    "write_bytes over a file": lambda filesystem: filesystem.write_bytes("/file", bytes(100)),
    "write_bytes over a large file": lambda filesystem: filesystem.write_bytes("/large", b"x"),
    "write large": large_write,
    "write small": small_write,
    "write behind the end": write_behind_the_end,
    "append": append,
    "truncate": lambda filesystem: filesystem.truncate("/large", BLOCK + 5),
    "truncate upwards": lambda filesystem: filesystem.truncate("/file", 3 * BLOCK),
    "open for writing": lambda filesystem: filesystem.open("/file", "wb").close(),
    "create": lambda filesystem: filesystem.open("/new", "xb").close(),
    "copy": lambda filesystem: filesystem.copy("/large", "/new"),
    "copy over a file": lambda filesystem: filesystem.copy("/large", "/file"),
    "rename": lambda filesystem: filesystem.rename("/file", "/tree/new"),
    "rename over a file": lambda filesystem: filesystem.rename("/file", "/large"),
    "rename a directory": lambda filesystem: filesystem.rename("/tree", "/new"),
    "replace": lambda filesystem: filesystem.replace("/large", "/file"),
    "link": lambda filesystem: filesystem.link("/file", "/new"),
    "symlink": lambda filesystem: filesystem.symlink("/file", "/new"),
    "remove": lambda filesystem: filesystem.remove("/large"),
    "mkdir": lambda filesystem: filesystem.mkdir("/new"),
    "makedirs": lambda filesystem: filesystem.makedirs("/n1/n2/n3"),
    "move": lambda filesystem: filesystem.move("/file", "/n1/n2/file"),
    "copy_tree": lambda filesystem: filesystem.copy_tree("/tree", "/n1/n2/new"),
    "rmdir": lambda filesystem: filesystem.rmdir("/empty"),
    "chmod": lambda filesystem: filesystem.chmod("/file", 0o600),
    "import_tree": lambda filesystem: filesystem.import_tree({"/n/1": bytes(9), "/file": b"2"}),
    "read": read,
    "walk": lambda filesystem: list(filesystem.walk("/")),
    "stat": lambda filesystem: filesystem.stat("/tree/sub/file"),
}


def lock_and_release(filesystem: MemoryFileSystem) -> None:
    with filesystem.lock("/file", timeout=1):
        pass


# Operations of several steps; each step is whole.
STEPWISE: dict[str, Callable[[MemoryFileSystem], object]] = {
    "text": write_text,
    "pieces": write_in_pieces,
    "rmtree": lambda filesystem: filesystem.rmtree("/tree"),
    "lock": lock_and_release,
    "locked open": lambda filesystem: filesystem.open("/file", "ab", lock="exclusive").close(),
}
OPERATIONS = ATOMIC | STEPWISE


def prepared() -> MemoryFileSystem:
    filesystem = MemoryFileSystem(max_quota=QUOTA, max_nodes=20)
    filesystem.write_bytes("/file", b"content of the file")
    with filesystem.open("/large", "wb", buffering=0) as file:
        for number in range(4):
            file.write(bytes([65 + number]) * BLOCK)
    filesystem.makedirs("/tree/sub")
    filesystem.write_bytes("/tree/sub/file", b"inner")
    filesystem.mkdir("/empty")
    return filesystem


def assert_nothing_leaked(filesystem: MemoryFileSystem) -> None:
    """Check that an emptied file system has all its bytes and nodes to give."""
    for name in filesystem.listdir("/"):
        if filesystem.is_dir(f"/{name}"):
            filesystem.rmtree(f"/{name}")
        else:
            filesystem.remove(f"/{name}")
    filesystem._check()
    filesystem.write_bytes("/all", bytes(QUOTA))
    for number in range(18):
        filesystem.mkdir(f"/{number}")
    filesystem._check()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestIncidentAtEveryMoment:
    """Something happens at each moment of an operation, one after the other."""

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_interrupt(self, name: str, quiet_finalisers: list[type[BaseException]]) -> None:
        operation = OPERATIONS[name]
        before = picture(prepared())
        finished = prepared()
        operation(finished)
        after = picture(finished)

        def interrupt() -> None:
            raise KeyboardInterrupt

        moment = 0
        happened = True
        while happened:
            moment += 1
            assert moment < 5000, "the operation does not end"
            filesystem = prepared()
            try:
                happened = do_with_incident(partial(operation, filesystem), moment, interrupt)
            except KeyboardInterrupt:
                pass
            gc.collect(0)
            filesystem._check()
            assert_no_lock_is_held(filesystem)
            if name in ATOMIC:
                assert picture(filesystem) in (before, after), moment
            # What is written now must arrive, not be put off for ever.
            filesystem.write_bytes("/log", b"written")
            assert filesystem.read_bytes("/log") == b"written"
            assert_nothing_leaked(filesystem)
        assert moment > 1

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_handle_is_dropped(
        self, name: str, quiet_finalisers: list[type[BaseException]]
    ) -> None:
        operation = OPERATIONS[name]
        finished = prepared()
        operation(finished)
        after = picture(finished)
        moment = 0
        happened = True
        while happened:
            moment += 1
            assert moment < 5000, "the operation does not end"
            filesystem = prepared()
            handles = [filesystem.open("/empty/dropped", "w"), filesystem.open("/file", "rb")]
            handles[0].write("flushed")
            if name in ("rmdir", "import_tree"):
                handles.pop(0).close()
                filesystem.remove("/empty/dropped")
            happened = do_with_incident(partial(operation, filesystem), moment, handles.clear)
            handles.clear()
            filesystem._check()
            assert_no_lock_is_held(filesystem)
            found = picture(filesystem)
            if filesystem.exists("/empty/dropped"):
                assert filesystem.read_bytes("/empty/dropped") == b"flushed"
                del found["/empty/dropped"]
                found["/empty"] = after["/empty"]
            if name in ATOMIC:
                assert found == after, moment
            assert_nothing_leaked(filesystem)
            assert quiet_finalisers == []

    @pytest.mark.parametrize("name", ATOMIC)
    def test_signal_handler_uses_the_file_system(self, name: str) -> None:
        operation = OPERATIONS[name]
        finished = prepared()
        operation(finished)
        after = picture(finished)
        moment = 0
        happened = True
        while happened:
            moment += 1
            assert moment < 5000, "the operation does not end"
            filesystem = prepared()

            def handle_signal(filesystem: MemoryFileSystem = filesystem) -> None:
                filesystem.write_bytes("/log", b"signal")
                filesystem.stat("/log")

            happened = do_with_incident(partial(operation, filesystem), moment, handle_signal)
            filesystem._check()
            found = picture(filesystem)
            if happened:
                assert found.pop("/log").content == b"signal"
            names = tuple(entry for entry in found["/"].content if entry != "log")  # type: ignore[attr-defined]
            assert found["/"]._replace(content=names) == after["/"]
            assert found | {"/": after["/"]} == after, moment
            assert_nothing_leaked(filesystem)


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="timers that raise signals: POSIX only"
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestSignals:
    """KeyboardInterrupt from a real signal at random moments."""

    @pytest.fixture(autouse=True)
    def handler(self) -> Iterator[None]:
        self.armed = False

        def interrupt(number: int, frame: object) -> None:
            if self.armed:
                raise KeyboardInterrupt

        # SIGALRM may be the timeout's of the test runner.
        former = signal.signal(signal.SIGVTALRM, interrupt)
        yield
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)

    def interrupted(self, work: Callable[[], object], seconds: float) -> None:
        """Do ``work``, which goes on for ever, until a signal ends it after some CPU time."""
        try:
            self.armed = True
            # One that meets a finaliser is swallowed there, so that there must be another.
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
            work()
        except KeyboardInterrupt:
            self.armed = False

    def test_while_another_thread_has_the_lock(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None)
        filesystem.write_bytes("/file", bytes(5000))
        stop = threading.Event()

        def write_large_pieces() -> None:
            with filesystem.open("/other", "wb", buffering=0) as file:
                while not stop.is_set():
                    file.seek(0)
                    file.write(bytes(200_000))

        thread = threading.Thread(target=write_large_pieces)
        former = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        thread.start()
        try:
            with filesystem.open("/file", "r+b", buffering=0) as file:

                def write_for_ever() -> None:
                    while True:
                        file.seek(0)
                        file.write(bytes(5000))

                for _ in range(100):
                    # Rarely the interrupt becomes the context of a RuntimeError: see `Storage`.
                    with contextlib.suppress(RuntimeError):
                        self.interrupted(write_for_ever, 0.002)
                    self.armed = False
                    assert not filesystem._lock._is_owned()
        finally:
            sys.setswitchinterval(former)
            stop.set()
            thread.join(TIMEOUT)
        assert not thread.is_alive()
        filesystem._check()

    @pytest.mark.parametrize("buffering", [0, -1])
    @pytest.mark.parametrize("size", [10, 5000, BLOCK + 1])
    def test_write_loop(
        self, size: int, buffering: int, quiet_finalisers: list[type[BaseException]]
    ) -> None:
        choose = random.Random(size + buffering)
        filesystem = MemoryFileSystem(max_quota=64 << 20)
        for _ in range(25):

            def write_for_ever() -> None:
                with filesystem.open("/file", "wb", buffering=buffering) as file:
                    while True:
                        file.seek(0)
                        for number in range(100):
                            file.write(bytes([number]) * size)

            self.interrupted(write_for_ever, choose.uniform(0.0005, 0.01))
            filesystem._check()
            assert_no_lock_is_held(filesystem)
            content = filesystem.read_bytes("/file")
            if buffering:
                # A buffer of io that is interrupted while it is flushed cannot know how much of it
                # has arrived, and flushes again when it is closed.
                continue
            assert len(content) <= 100 * size
            for number in range(len(content) // size):
                piece = content[number * size : (number + 1) * size]
                assert piece == bytes([number]) * size
        filesystem.remove("/file")
        gc.collect()
        filesystem.write_bytes("/all", bytes(64 << 20))

    def test_tree_loop(self, quiet_finalisers: list[type[BaseException]]) -> None:
        choose = random.Random(5)
        filesystem = MemoryFileSystem(max_quota=1000, max_nodes=10)
        for _ in range(40):

            def work_for_ever() -> None:
                while True:
                    filesystem.makedirs("/a/b", exist_ok=True)
                    filesystem.write_bytes("/a/b/file", bytes(100))
                    filesystem.rename("/a", "/z")
                    filesystem.copy("/z/b/file", "/copy")
                    filesystem.link("/copy", "/z/link")
                    with filesystem.lock("/copy", timeout=1):
                        filesystem.truncate("/copy", 10)
                    filesystem.rmtree("/z")
                    filesystem.remove("/copy")

            self.interrupted(work_for_ever, choose.uniform(0.0005, 0.01))
            filesystem._check()
            assert_no_lock_is_held(filesystem)
            for name in filesystem.listdir("/"):
                if filesystem.is_dir(f"/{name}"):
                    filesystem.rmtree(f"/{name}")
                else:
                    filesystem.remove(f"/{name}")
            gc.collect()
            filesystem._check()
            filesystem.write_bytes("/all", bytes(1000))
            filesystem.remove("/all")
