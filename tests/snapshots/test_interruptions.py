"""Interrupts, signal handlers and finalisers in the middle of snapshots, restores and clones."""

from __future__ import annotations

import gc
import itertools
import random
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, Snapshot
from tests.support.incidents import assert_no_lock_is_held, do_with_incident
from tests.support.snapshot_states import BLOCK, State, content_of, state_of, used_bytes, used_nodes

QUOTA = 16 * BLOCK
NODES = 60
MOST_MOMENTS = 5000


class Scene:
    """A file system with a past: two snapshots, and changes after each of them."""

    def __init__(self) -> None:
        self.fs = fs = MemoryFileSystem(max_quota=QUOTA, max_nodes=NODES)
        fs.write_bytes("/file", b"content of the file")
        with fs.open("/large", "wb", 0) as file:
            for number in (3, 0, 1):  # a hole makes it a list of blocks
                file.seek(number * BLOCK)
                file.write(bytes([65 + number]) * BLOCK)
        fs.makedirs("/tree/sub")
        fs.write_bytes("/tree/sub/file", b"inner")
        fs.mkdir("/empty")
        self.older: Snapshot | None = fs.snapshot()
        fs.rename("/tree", "/moved")
        fs.write_bytes("/file", b"changed")
        with fs.open("/large", "r+b", 0) as file:
            file.write(b"#" * 100)
        self.newer: Snapshot | None = fs.snapshot()
        fs.mkdir("/tree")
        fs.write_bytes("/tree/new", b"new")
        fs.remove("/file")
        self.results: list[Any] = []

    def states(self) -> list[dict[str, State]]:
        """Return the present state, and those of the snapshots that are left."""
        alive = [snap for snap in (self.older, self.newer) if snap is not None and not snap.closed]
        return [state_of(self.fs), *map(state_of, alive)]

    def keep(self, result: object) -> None:
        self.results.append(result)

    def drop(self) -> None:
        """Let go of the older snapshot, as if it had never been referred to any more."""
        self.older = None

    def restore(self, snap: Snapshot | None) -> None:
        assert snap is not None
        self.fs.restore(snap)

    def go_through(self, past: list[dict[str, State]]) -> None:
        """Restore the snapshots that are left, and check that they are what they were."""
        for snap in (self.older, self.newer):
            if snap is not None and not snap.closed:
                self.fs.restore(snap)
                self.fs._check()
                assert state_of(self.fs) in past

    def end(self) -> None:
        """Let go of everything, and check that the file system has all its room to give."""
        self.results.clear()
        self.older = self.newer = None
        gc.collect(0)
        fs = self.fs
        fs._check()
        assert fs.usage("/").snapshot_bytes == 0
        for name in fs.listdir("/"):
            if fs.is_dir(f"/{name}"):
                fs.rmtree(f"/{name}")
            else:
                fs.remove(f"/{name}")
        fs._check()
        assert (used_bytes(fs), used_nodes(fs)) == (0, 1)
        fs.write_bytes("/all", bytes(QUOTA))


def write_block(fs: MemoryFileSystem, position: int = 0) -> None:
    with fs.open("/large", "r+b", 0) as file:
        file.seek(position)
        file.write(b"written")


def roll_back(scene: Scene) -> None:
    with scene.fs.rollback():
        scene.fs.write_bytes("/tree/new", b"other")
        scene.fs.rename("/moved", "/again")


def read_the_past(scene: Scene) -> None:
    assert scene.older is not None
    with scene.older.open("/large", "rb") as file:
        file.read(10)
        file.read()
    scene.older.listdir("/tree")


def close(snap: Snapshot | None) -> None:
    assert snap is not None
    snap.close()


def diff(scene: Scene) -> None:
    assert scene.older is not None
    scene.older.diff(scene.newer)


# What they do to the file system and its snapshots is done whole or not at all.
OPERATIONS: dict[str, Callable[[Scene], object]] = {
    "snapshot": lambda scene: scene.keep(scene.fs.snapshot()),
    "snapshot, closed": lambda scene: scene.fs.snapshot().close(),
    "restore": lambda scene: scene.restore(scene.newer),
    "restore an older one": lambda scene: scene.restore(scene.older),
    "close": lambda scene: close(scene.newer),
    "close an older one": lambda scene: close(scene.older),
    "drop": Scene.drop,
    "clone": lambda scene: scene.keep(scene.fs.clone()),
    "read the past": read_the_past,
    "diff": diff,
    "set_quota": lambda scene: scene.fs.set_quota("/moved", 5 * BLOCK, max_nodes=9),
    # The first change of something after a snapshot.
    "write_bytes": lambda scene: scene.fs.write_bytes("/moved/sub/file", b"written"),
    "write a new file": lambda scene: scene.fs.write_bytes("/new", b"written"),
    "write a block": lambda scene: write_block(scene.fs),
    "write another block": lambda scene: write_block(scene.fs, 3 * BLOCK),
    "write behind the end": lambda scene: write_block(scene.fs, 9 * BLOCK),
    "truncate": lambda scene: scene.fs.truncate("/large", 2 * BLOCK + 5),
    "open for writing": lambda scene: scene.fs.open("/large", "wb").close(),
    "mkdir": lambda scene: scene.fs.mkdir("/empty/new"),
    "rmdir": lambda scene: scene.fs.rmdir("/empty"),
    "rename": lambda scene: scene.fs.rename("/moved/sub/file", "/tree/new"),
    "rename a directory": lambda scene: scene.fs.rename("/moved", "/empty"),
    "link": lambda scene: scene.fs.link("/large", "/empty/link"),
    "remove": lambda scene: scene.fs.remove("/large"),
    "chmod": lambda scene: scene.fs.chmod("/moved", 0o700),
    "utime": lambda scene: scene.fs.utime("/large", ns=(1, 2)),
    "copy": lambda scene: scene.fs.copy("/large", "/new"),
    "import_tree": lambda scene: scene.fs.import_tree({"/n/1": b"1", "/large": b"2"}),
}
STEPWISE: dict[str, Callable[[Scene], object]] = {
    "rollback": roll_back,
    "rmtree": lambda scene: scene.fs.rmtree("/moved"),
    "copy_tree": lambda scene: scene.fs.copy_tree("/moved", "/new"),
}
# Times of what is made or changed differ from run to run.
Essence = list[dict[str, State]]


def essence(states: Essence) -> Essence:
    return [
        {path: state._replace(times=(0, 0)) for path, state in found.items()} for found in states
    ]


def moments(name: str) -> Iterator[tuple[int, Scene, Callable[[], object]]]:
    """Yield a scene for each moment of an operation; the loop ends itself when there is none."""
    operation = (OPERATIONS | STEPWISE)[name]
    for moment in range(1, MOST_MOMENTS):
        scene = Scene()
        yield moment, scene, partial(operation, scene)
    raise AssertionError("the operation does not end")


def former_and_latter(name: str) -> tuple[Essence, Essence]:
    """Return the states before and after an operation, times aside."""
    scene = Scene()
    before = essence(scene.states())
    (OPERATIONS | STEPWISE)[name](scene)
    return before, essence(scene.states())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestIncidentAtEveryMoment:
    """Something happens at each moment of an operation, one after the other."""

    @pytest.mark.parametrize("name", [*OPERATIONS, *STEPWISE])
    def test_interrupt(self, name: str, quiet_finalisers: list[type[BaseException]]) -> None:
        before, after = former_and_latter(name)

        def interrupt() -> None:
            raise KeyboardInterrupt

        for moment, scene, operation in moments(name):
            happened = True
            past = scene.states()[1:]
            try:
                happened = do_with_incident(operation, moment, interrupt)
            except KeyboardInterrupt:
                pass
            gc.collect(0)
            scene.fs._check()
            assert_no_lock_is_held(scene.fs)
            found = scene.states()
            if name in OPERATIONS and "close" not in name and name != "drop":
                assert essence(found) in (before, after), moment
            assert all(state in past for state in found[1:])
            scene.go_through(past)
            scene.end()
            if not happened:
                break
        assert moment > 1 or name == "drop"

    @pytest.mark.parametrize(
        ("name", "what"),
        [
            *itertools.product([*OPERATIONS, *STEPWISE], ["handle", "snapshot"]),
            *itertools.product(["snapshot", "restore", "close", "drop", "mkdir"], ["reader"]),
        ],
    )
    def test_something_is_dropped(
        self, name: str, what: str, quiet_finalisers: list[type[BaseException]]
    ) -> None:
        _, after = former_and_latter(name)
        for moment, scene, operation in moments(name):
            fs = scene.fs
            if what == "handle":
                # A file that the restores and removals do not take away from under it.
                dropped: list[Any] = [fs.open("/large", "rb"), fs.open("/tree/new", "rb")]
                fs.write_bytes("/gone", bytes(5 * BLOCK))
                dropped.append(fs.open("/gone", "r+b", 0))
                fs.remove("/gone")
            elif what == "snapshot":
                dropped = [fs.snapshot()]
                fs.write_bytes("/large", b"once more")
                dropped.append(fs.snapshot())
                fs.restore(dropped[0])
            else:
                assert scene.older is not None
                dropped = [scene.older.open("/large", "rb"), scene.older.open("/file", "rb")]
            happened = do_with_incident(operation, moment, dropped.clear)
            dropped.clear()
            fs._check()
            assert_no_lock_is_held(fs)
            found = essence(scene.states())
            if what == "handle":
                for state in found:
                    state["/"] = after[0]["/"]
                assert [{**state, "/": after[0]["/"]} for state in after] == found, moment
            else:
                assert found == after, moment
            scene.end()
            assert quiet_finalisers == []
            if not happened:
                break

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_signal_handler_writes(self, name: str) -> None:
        """What it writes arrives, or belongs to the state that a restore leaves."""
        _, after = former_and_latter(name)
        for moment, scene, operation in moments(name):
            fs = scene.fs

            def handle_signal(fs: MemoryFileSystem = fs) -> None:
                fs.write_bytes("/log", b"signal")
                fs.stat("/log")

            happened = do_with_incident(operation, moment, handle_signal)
            fs._check()
            found = essence(scene.states())
            log = found[0].pop("/log", None)
            if happened and "restore" not in name:
                assert log is not None
            if log is not None:
                assert content_of(fs, "/log") == b"signal"
            found[0]["/"] = after[0]["/"]
            assert found == after, moment
            scene.end()
            if not happened:
                break

    @pytest.mark.parametrize("call", ["snapshot", "restore"])
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_signal_handler_goes_back(self, name: str, call: str) -> None:
        """In the middle of an operation it is refused, and then changes nothing."""
        before, after = former_and_latter(name)
        refused = 0
        for moment, scene, operation in moments(name):
            fs = scene.fs
            seen: list[str] = []

            def handle_signal(scene: Scene = scene, seen: list[str] = seen) -> None:
                try:
                    if call == "snapshot":
                        scene.fs.snapshot().close()
                    elif scene.newer is not None and not scene.newer.closed:
                        scene.fs.restore(scene.newer)
                        seen.append("done")
                except RuntimeError:
                    seen.append("refused")

            try:
                happened = do_with_incident(operation, moment, handle_signal)
            except OSError:
                happened = True
                assert seen == ["done"]  # and what the operation was to change is no more
            fs._check()
            assert_no_lock_is_held(fs)
            found = essence(scene.states())
            if seen != ["done"]:
                assert found == after, moment
            else:
                assert found[1:] in (before[1:], after[1:])
            refused += seen == ["refused"]
            scene.end()
            if not happened:
                break
        # What is being closed cannot be restored any more, so that nothing is left to refuse.
        if name not in ("read the past", "diff") and (name, call) != ("close", "restore"):
            assert refused


@pytest.mark.parametrize("name", ["restore", "restore an older one", "rollback"])
def test_an_interrupt_keeps_no_snapshot(
    name: str, quiet_finalisers: list[type[BaseException]]
) -> None:
    """The exception is not in a cycle with the frames that it came through."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    gc.disable()
    try:
        for moment, scene, operation in moments(name):
            fs = scene.fs
            happened = True
            try:
                happened = do_with_incident(operation, moment, interrupt)
            except KeyboardInterrupt:
                pass
            scene.older = scene.newer = None
            fs.snapshot().close()
            assert fs._newest is None
            if not happened:
                break
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "operation",
    [
        lambda fs, file: file.write(b""),
        lambda fs, file: file.write(b" four"),
        lambda fs, file: fs.copy("/file", "/copy"),
        lambda fs, file: fs.to_tree("/"),
        lambda fs, file: fs.snapshot().diff(),
    ],
    ids=["write nothing", "write", "copy", "to_tree", "diff"],
)
def test_a_write_while_a_content_is_sealed(
    operation: Callable[[MemoryFileSystem, Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler may come as soon as the bytes have been copied."""
    fs = MemoryFileSystem()
    with fs.open("/file", "wb", 0) as file:
        file.write(b"one")
        file.write(b" two")  # from here on a content that is changed in place
        before = fs.snapshot()
        copied: list[bytes] = []

        def copy_and_write(content: bytearray) -> bytes:
            copied.append(bytes(content))
            if len(copied) == 1:
                file.write(b" three")
            return copied[-1]

        monkeypatch.setattr("dmemfs._history.versions.bytes", copy_and_write, raising=False)
        operation(fs, file)
    assert copied[0] == b"one two"
    assert fs.read_bytes("/file").startswith(b"one two three")
    assert before.read_bytes("/file") == b"one two"
    fs.restore(before)
    assert fs.read_bytes("/file") == b"one two"
    fs._check()


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="timers that raise signals: POSIX only"
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_real_signals_at_random_moments(quiet_finalisers: list[type[BaseException]]) -> None:
    choose = random.Random(7)
    armed = False

    def interrupt(number: int, frame: object) -> None:
        if armed:
            raise KeyboardInterrupt

    def work_for_ever(scene: Scene) -> None:
        fs = scene.fs
        while True:
            with fs.rollback():
                fs.write_bytes("/large", b"small")
                snap = fs.snapshot()
                fs.rmtree("/moved")
                fs.restore(snap)
            snap.close()
            fs.clone()
            scene.restore(scene.older)
            scene.restore(scene.newer)

    # SIGALRM may be the timeout's of the test runner.
    former = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        for _ in range(40):
            scene = Scene()
            past = scene.states()[1:]
            try:
                armed = True
                # One that meets a finaliser is swallowed there, so that there must be another.
                signal.setitimer(signal.ITIMER_VIRTUAL, choose.uniform(0.0005, 0.01), 0.05)
                work_for_ever(scene)
            except KeyboardInterrupt:
                armed = False
            gc.collect(0)
            scene.fs._check()
            assert_no_lock_is_held(scene.fs)
            assert scene.states()[1:] == past
            scene.end()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)
