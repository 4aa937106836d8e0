"""An interrupt at every line of a call: the old state or the new one, and the next call works."""

from __future__ import annotations

import gc
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import (
    DatabaseTemplate,
    SharedDatabase,
    SnapshotStore,
    copy_db,
    load_db,
    memory_uri,
    save_db,
)
from dmemfs_sqlite._live.private import Images, open_private
from dmemfs_sqlite._vfs.open_file import open_files
from tests.support.incidents import TIMEOUT, assert_no_lock_is_held, interrupt_at_line
from tests.support.soak import SOAK
from tests.support.sqlite_databases import (
    no_database_on_disk,  # noqa: F401
    unique_name,
)

PACKAGE = dmemfs_sqlite.__path__[0]
# SQLite calls these in the middle of a statement; `sqlite/live/test_failures.py` interrupts them.
CALLBACKS = ("callbacks.py", "failures.py", "pending.py", "open_file.py", "locks.py", "reading.py")
# All of them with DMEMFS_SOAK=1; else of the longer calls every seventh of those further on.
FIRST_LINES, MOST_LINES = 60, 3000
QUOTA = 1 << 20
FORMER, LATTER = {("former",)}, {("former",), ("latter",)}

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def counts(path: str) -> bool:
    return path.startswith(PACKAGE) and not path.endswith(CALLBACKS)


def make(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t (x, filler)")
    connection.execute("INSERT INTO t VALUES ('former', zeroblob(20000))")
    connection.commit()


def add(connection: sqlite3.Connection, text: str = "latter") -> None:
    connection.execute("INSERT INTO t (x) VALUES (?)", (text,))
    connection.commit()


def rows(connection: sqlite3.Connection) -> set[Any]:
    return set(connection.execute("SELECT x FROM t"))


def stored(fs: Any, path: str) -> set[Any]:
    with closing(load_db(fs, path, ":memory:", check="full")) as connection:
        return rows(connection)


def wait_for_saves() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("save "):
            thread.join(TIMEOUT)
            assert not thread.is_alive()


class Scene:
    """What an operation needs, does, and must leave."""

    def __init__(self) -> None:
        self.fs = MemoryFileSystem(max_quota=QUOTA)
        with closing(sqlite3.connect(":memory:")) as connection:
            make(connection)
            save_db(self.fs, "/a.db", connection)
            self.prepare(connection)
        self.names = self.all_names()

    def all_names(self) -> list[str]:
        return sorted(f"{top}/{name}" for top, _, files in self.fs.walk("/") for name in files)

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make more than the file /a.db."""

    def work(self) -> None:
        """Do what is interrupted."""
        raise NotImplementedError

    def check(self) -> None:
        """Check what is there, and that the next call works."""

    def end(self) -> None:
        """Check that nothing is left over."""
        gc.collect()
        wait_for_saves()
        assert open_files(self.fs) == []
        assert_no_lock_is_held(self.fs)
        self.fs._check()
        assert self.fs.usage("/").snapshot_bytes == 0
        assert not [name for name in self.all_names() if "/." in name]


class Shared(Scene):
    possible: tuple[set[Any], ...] = (FORMER, LATTER)

    def prepare(self, connection: sqlite3.Connection) -> None:
        self.shared = SharedDatabase(self.fs, "/a.db", timeout=0.5)
        self.connection: sqlite3.Connection | None = None

    def work(self) -> None:
        self.connection = self.shared.connect()
        add(self.connection)
        self.connection.close()

    def check(self) -> None:
        # The program goes on: it closes what it has, and connects again.
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        gc.collect()
        wait_for_saves()
        assert self.shared.connections == 0
        with closing(self.shared.connect()) as connection:
            assert rows(connection) in self.possible
            assert self.shared.connections == 1
            add(connection, "again")
        assert not self.shared.in_memory
        assert ("again",) in stored(self.fs, "/a.db")
        self.shared.close()
        assert ("again",) in stored(self.fs, "/a.db")

    def end(self) -> None:
        for mutex in (self.shared._mutex, self.shared._saving):
            assert free(mutex)
        super().end()


def free(mutex: Any) -> bool:
    """Tell whether another thread can take a mutex."""
    answers: list[bool] = []

    def take() -> None:
        answers.append(mutex.acquire(blocking=False))
        if answers[0]:
            mutex.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(TIMEOUT)
    return answers == [True]


class SharedDropped(Shared):
    def work(self) -> None:
        connection = self.shared.connect()
        add(connection)
        del connection


class SharedJoined(Shared):
    def prepare(self, connection: sqlite3.Connection) -> None:
        super().prepare(connection)
        self.first: Any = self.shared.connect()
        add(self.first, "first")

    def check(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        gc.collect()
        wait_for_saves()
        assert self.shared.connections == 1
        assert ("first",) in rows(self.first)
        self.first.close()
        assert ("first",) in stored(self.fs, "/a.db")
        assert not self.shared.in_memory


class SharedSaved(Shared):
    possible: tuple[set[Any], ...] = (FORMER | {("saved",), ("later",)},)

    def prepare(self, connection: sqlite3.Connection) -> None:
        super().prepare(connection)
        self.connection = self.shared.connect()
        add(self.connection, "saved")

    def work(self) -> None:
        self.shared.save()

    def check(self) -> None:
        assert self.connection is not None
        add(self.connection, "later")
        self.connection.close()
        assert stored(self.fs, "/a.db") == FORMER | {("saved",), ("later",)}
        super().check()


class SharedClosed(SharedSaved):
    def work(self) -> None:
        self.shared.close()

    def check(self) -> None:
        self.shared.close()
        assert self.connection is not None
        add(self.connection, "later")
        self.connection.close()
        assert stored(self.fs, "/a.db") == FORMER | {("saved",), ("later",)}
        assert not self.shared.in_memory


class SharedBlock(Shared):
    def work(self) -> None:
        with self.shared, closing(self.shared.connect()) as connection:
            add(connection)

    def check(self) -> None:
        gc.collect()
        wait_for_saves()
        self.shared.close()
        assert stored(self.fs, "/a.db") in (FORMER, LATTER)
        assert not self.shared.in_memory


class SharedDiscarded(SharedSaved):
    possible: tuple[set[Any], ...] = (FORMER, FORMER | {("saved",)})

    def work(self) -> None:
        self.shared.discard()

    def check(self) -> None:
        assert self.connection is not None
        self.connection.close()
        assert stored(self.fs, "/a.db") in (FORMER, FORMER | {("saved",)})
        super(SharedSaved, self).check()


class Template(Scene):
    def prepare(self, connection: sqlite3.Connection) -> None:
        self.key = "one"
        self.template = DatabaseTemplate(self.fs, self.build, key=lambda: self.key)
        self.fs.mkdir("/.templates")
        self.fs.rmdir("/.templates")

    def build(self, connection: sqlite3.Connection) -> None:
        make(connection)
        connection.execute("UPDATE t SET x = ?", (self.key,))

    def work(self) -> None:
        with closing(self.template.connect()) as connection:
            add(connection)
        self.template.close()

    def check(self) -> None:
        gc.collect()
        assert len([name for name in self.all_names() if "templates" in name]) <= 1
        for self.key in ("one", "two", "one"):
            with closing(self.template.connect()) as connection:
                assert rows(connection) == {(self.key,)}
        self.template.close()
        assert free(self.template._mutex)


class TemplateOfAnotherKey(Template):
    def prepare(self, connection: sqlite3.Connection) -> None:
        super().prepare(connection)
        self.template.connect().close()

    def work(self) -> None:
        self.key = "two"
        super().work()


class TemplateOfBytes(Scene):
    def work(self) -> None:
        with (
            DatabaseTemplate.from_bytes(self.fs, self.fs.read_bytes("/a.db")) as template,
            closing(template.connect()) as connection,
        ):
            add(connection)
            assert template.to_bytes()

    def check(self) -> None:
        gc.collect()
        # Whoever was not given the template cannot close it: it may be there, and nothing else. Its
        # file is of zeros where what it held is a frozen image by then.
        left = [name for name in self.all_names() if "templates" in name]
        assert len(left) <= 1
        for name in left:
            if any(self.fs.read_bytes(name)):
                assert stored(self.fs, name) == FORMER
            self.fs.remove(name)
        self.work()


class Store(Scene):
    def prepare(self, connection: sqlite3.Connection) -> None:
        self.store = SnapshotStore(self.fs, "/versions", keep=2)
        self.store.save(connection, "1")
        self.store.save(connection, "2")
        self.conn = sqlite3.connect(":memory:")
        make(self.conn)
        add(self.conn)

    def work(self) -> None:
        self.store.save(self.conn, "3")

    def check(self) -> None:
        versions = self.store.versions()
        assert {"2"} < {version.label for version in versions} <= {"1", "2", "3"}
        for version in versions:
            with closing(self.store.load(version, ":memory:", check="full")) as connection:
                assert rows(connection) == (LATTER if version.label == "3" else FORMER)
        assert [version.label for version in versions if version.label == "3"] in ([], ["3"])
        self.store.save(self.conn, "4")
        assert [version.label for version in self.store.versions()][-1:] == ["4"]
        assert len(self.store.versions()) == 2
        self.conn.close()
        assert free(self.store._mutex)


class Copied(Scene):
    """A database in the middle of a transaction; a former one, with its journal, at the target."""

    def prepare(self, connection: sqlite3.Connection) -> None:
        self.live = dmemfs_sqlite.connect(self.fs, "/live.db")
        make(self.live)
        self.live.execute("UPDATE t SET x = 'uncommitted'")
        self.fs.write_bytes("/copy.db", self.fs.read_bytes("/a.db"))
        self.fs.write_bytes("/copy.db-journal", b"of the former one")

    def work(self) -> None:
        copy_db(self.fs, "/live.db", "/copy.db")

    def check(self) -> None:
        if self.fs.read_bytes("/copy.db-journal") != b"of the former one":
            assert stored(self.fs, "/copy.db") == FORMER
        else:
            assert self.fs.read_bytes("/copy.db") == self.fs.read_bytes("/a.db")
        self.work()
        assert stored(self.fs, "/copy.db") == FORMER
        self.live.rollback()
        self.live.close()


class Saved(Scene):
    def prepare(self, connection: sqlite3.Connection) -> None:
        self.fs.write_bytes("/a.db-journal", b"of the former one")
        self.conn = sqlite3.connect(":memory:", timeout=7)
        make(self.conn)
        add(self.conn)

    def work(self) -> None:
        save_db(self.fs, "/a.db", self.conn)
        save_db(self.fs, "/deep/down/b.db", self.conn)

    def check(self) -> None:
        assert self.fs.exists("/a.db-journal") == (stored(self.fs, "/a.db") == FORMER)
        assert self.fs.exists("/deep") == self.fs.exists("/deep/down/b.db")
        self.work()
        for path in ("/a.db", "/deep/down/b.db"):
            assert stored(self.fs, path) == LATTER
        self.conn.close()


class Loaded(Scene):
    def prepare(self, connection: sqlite3.Connection) -> None:
        self.uri = memory_uri(unique_name())
        self.user = sqlite3.connect(self.uri, uri=True)
        make(self.user)
        self.user.execute("UPDATE t SET x = 'in use'")
        self.user.commit()

    def work(self) -> None:
        load_db(self.fs, "/a.db", self.uri).close()

    def check(self) -> None:
        gc.collect()
        assert rows(self.user) in ({("in use",)}, FORMER)
        add(self.user, "goes on")
        self.work()
        assert rows(self.user) == FORMER
        self.user.close()


class Live(Scene):
    def work(self) -> None:
        with closing(dmemfs_sqlite.connect(self.fs, "/a.db", delete_on_close=False)) as connection:
            add(connection)

    def check(self) -> None:
        gc.collect()
        assert stored(self.fs, "/a.db") in (FORMER, LATTER)
        self.work()
        assert ("latter",) in stored(self.fs, "/a.db")


class Private(Scene):
    def prepare(self, connection: sqlite3.Connection) -> None:
        self.images = Images()

    def work(self) -> None:
        script = "CREATE TABLE t AS SELECT 'former' AS x"
        with closing(open_private(self.fs, script, self.images)) as connection:
            assert rows(connection) == FORMER

    def check(self) -> None:
        gc.collect()
        self.work()
        assert free(self.images._mutex)


SCENES: list[type[Scene]] = [
    *(Shared, SharedDropped, SharedJoined, SharedSaved, SharedClosed, SharedBlock),
    *(SharedDiscarded, Template, TemplateOfAnotherKey, TemplateOfBytes, Store, Copied, Saved),
    *(Loaded, Live, Private),
]


@pytest.mark.parametrize("scene_class", SCENES)
def test_an_interrupt_at_every_line(
    scene_class: type[Scene], quiet_finalisers: list[type[BaseException]]
) -> None:
    stride = 1 if SOAK else 7
    for number in (*range(1, FIRST_LINES), *range(FIRST_LINES, MOST_LINES, stride)):
        scene = scene_class()
        happened = interrupt_at_line(scene.work, number, counts)
        scene.check()
        scene.end()
        if not happened:
            break
    assert 5 < number < MOST_LINES - stride


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="timers that raise signals: POSIX only"
)
@pytest.mark.parametrize("scene_class", SCENES)
def test_signals_at_any_moment(
    scene_class: type[Scene], quiet_finalisers: list[type[BaseException]]
) -> None:
    choose = random.Random(scene_class.__name__)
    armed = False

    def interrupt(_number: int, _frame: object) -> None:
        if armed:
            raise KeyboardInterrupt

    former = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        for _ in range(60):
            scene = scene_class()
            with suppress(KeyboardInterrupt, RuntimeError):
                try:
                    armed = True
                    signal.setitimer(signal.ITIMER_VIRTUAL, choose.uniform(0.00001, 0.004))
                    scene.work()
                finally:
                    armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            scene.check()
            scene.end()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmemfs_sqlite._engine.waiting._LONGEST_WORK", 0.05)


def in_another_thread(work: Callable[[], object]) -> BaseException | None:
    caught: list[BaseException] = []

    def call() -> None:
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    return caught[0] if caught else None


@pytest.mark.usefixtures("short_wait")
def test_waits_for_who_loads_saves_or_builds_have_an_end() -> None:
    scene = Shared()
    store = SnapshotStore(scene.fs, "/versions")
    images = Images()
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        make(connection)
        for mutex, call, what in (
            (scene.shared._mutex, scene.shared.connect, "loading '/a.db'"),
            (scene.shared._saving, scene.shared.save, "saving '/a.db'"),
            (scene.shared._saving, scene.shared.close, "saving '/a.db'"),
            (store._mutex, lambda: store.save(connection), "saving a version in '/versions'"),
            (images._mutex, lambda: images.of("SELECT 1"), "building"),
        ):
            with mutex:
                error = in_another_thread(call)
            assert isinstance(error, dmemfs_sqlite.BusyError)
            assert what in str(error)
            assert "try again" in str(error)
