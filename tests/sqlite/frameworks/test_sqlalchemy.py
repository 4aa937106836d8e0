"""SQLAlchemy: seven troubles that people report, the plain way failing and ours working."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import SharedDatabase, UnsafeURIError, load_db, memory_uri
from dmemfs_sqlite._engine.uri import memdb_is_sound
from tests.support.sqlite_databases import (
    WAIT,
    connect,
    running,
    unique_name,
    unique_uri,
    wait_until,
)

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
orm = pytest.importorskip("sqlalchemy.orm")
pool = pytest.importorskip("sqlalchemy.pool")

from dmemfs_sqlite.sqlalchemy import (  # noqa: E402
    create_async_engine,
    create_async_live_engine,
    create_engine,
    create_live_engine,
)

metadata = sqlalchemy.MetaData()
items = sqlalchemy.Table(
    "items",
    metadata,
    sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True),
    sqlalchemy.Column("text", sqlalchemy.String),
)
PATH = "/a.db"


# SQLAlchemy's own pools drop the connections of threads that have ended.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")


@pytest.fixture(params=["memdb", "shared cache"], autouse=True)
def engine_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run every test on both kinds of shared databases in memory."""
    if request.param == "shared cache":
        monkeypatch.setattr("dmemfs_sqlite._engine.uri.memdb_is_sound", lambda: False)
    yield str(request.param)
    gc.collect()


@pytest.fixture
def ours() -> Iterator[Any]:
    engine = create_engine(unique_name())
    yield engine
    engine.dispose()


def rows(connection: Any) -> list[str]:
    return sorted(connection.execute(sqlalchemy.select(items.c.text)).scalars())


def insert(connection: Any, text: str) -> None:
    connection.execute(sqlalchemy.insert(items).values(text=text))


def tables_in_a_thread(engine: Any) -> list[str]:
    found: list[str] = []

    def look() -> None:
        found.extend(sqlalchemy.inspect(engine).get_table_names())

    with running(look):
        pass
    return found


# --- the seven troubles -----------------------------------------------------------


def test_1_uri_parameters_are_not_stripped(
    ours: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.warns(sqlalchemy.exc.SAWarning, match="ignored"):
        plain = sqlalchemy.create_engine(
            "sqlite:///file:x?mode=memory&cache=shared", poolclass=pool.NullPool
        )
    metadata.create_all(plain)
    plain.dispose()
    assert [path.name for path in tmp_path.iterdir()] == ["file:x"]

    (tmp_path / "file:x").unlink()
    metadata.create_all(ours)
    assert list(tmp_path.iterdir()) == []


def test_2_no_file_named_like_the_uri_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = "file:/x?vfs=memdb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
        # Without uri=true in the URL, whatever the rest of it says.
        plain = sqlalchemy.create_engine(f"sqlite:///{uri.replace('/x', 'x')}")
        metadata.create_all(plain)
        plain.dispose()
    assert [path.name for path in tmp_path.iterdir()] == ["file:x"]

    (tmp_path / "file:x").unlink()
    ours = create_engine(unique_uri())
    metadata.create_all(ours)
    ours.dispose()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnsafeURIError):
        create_engine("file:x")
    with pytest.raises(UnsafeURIError):
        create_engine("file:x?mode=memory")


def rollback_of_another_session(engine: Any) -> list[str]:
    """Let one session roll back between the insert and the commit of another one."""
    metadata.create_all(engine)
    with engine.connect() as first:
        with engine.connect() as second:
            insert(first, "mine")
            # What happens when a web request ends in an error.
            second.connection.driver_connection.rollback()
        first.commit()
    with engine.connect() as third:
        return rows(third)


def test_3_one_connection_for_all_threads_mixes_their_transactions(ours: Any) -> None:
    plain = sqlalchemy.create_engine(
        "sqlite://", poolclass=pool.StaticPool, connect_args={"check_same_thread": False}
    )
    assert rollback_of_another_session(plain) == []
    plain.dispose()
    assert rollback_of_another_session(ours) == ["mine"]


def test_4_every_thread_has_the_same_database(ours: Any) -> None:
    plain = sqlalchemy.create_engine("sqlite://")
    assert isinstance(plain.pool, pool.SingletonThreadPool)
    metadata.create_all(plain)
    assert tables_in_a_thread(plain) == []
    plain.dispose()
    metadata.create_all(ours)
    assert tables_in_a_thread(ours) == ["items"]


def write_in_a_worker(engine: Any) -> None:
    def work() -> None:
        with engine.begin() as connection:
            insert(connection, "from a worker")

    with running(work):
        pass


def test_5_a_worker_finds_the_table(ours: Any) -> None:
    plain = sqlalchemy.create_engine("sqlite://")
    metadata.create_all(plain)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="no such table"):
        write_in_a_worker(plain)
    plain.dispose()
    metadata.create_all(ours)
    write_in_a_worker(ours)
    with ours.connect() as connection:
        assert rows(connection) == ["from a worker"]


def test_6_tasks_of_an_async_engine_have_transactions_of_their_own() -> None:
    pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")
    sa_asyncio = pytest.importorskip("sqlalchemy.ext.asyncio")

    async def mix(engine: Any) -> list[str]:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        async with engine.connect() as first, engine.connect() as second:
            await first.execute(sqlalchemy.insert(items).values(text="mine"))
            raw = await second.get_raw_connection()
            await raw.driver_connection.rollback()
            await first.commit()
        async with engine.connect() as third:
            found = await third.execute(sqlalchemy.select(items.c.text))
            result = list(found.scalars())
        await engine.dispose()
        return result

    plain = sa_asyncio.create_async_engine("sqlite+aiosqlite://")
    assert asyncio.run(mix(plain)) == []
    assert asyncio.run(mix(create_async_engine(unique_name()))) == ["mine"]


def test_7_create_all_and_then_the_orm_in_a_second_thread(ours: Any) -> None:
    base = orm.declarative_base()

    class Author(base):  # type: ignore[misc, valid-type]
        __tablename__ = "authors"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
        name = sqlalchemy.Column(sqlalchemy.String)

    def add(engine: Any) -> None:
        def work() -> None:
            with orm.Session(engine) as session:
                session.add(Author(name="a"))
                session.commit()

        with running(work):
            pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sqlalchemy.exc.SADeprecationWarning)
        plain = sqlalchemy.create_engine("sqlite:///:memory:")
    base.metadata.create_all(plain)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="no such table"):
        add(plain)
    plain.dispose()
    base.metadata.create_all(ours)
    add(ours)
    with orm.Session(ours) as session:
        assert session.query(Author).count() == 1


# --- what it is for ---------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_sixteen_threads_write_at_once(shared: bool) -> None:
    fs = MemoryFileSystem()
    owner = SharedDatabase(fs, PATH) if shared else None
    engine = create_engine(owner or unique_name())
    metadata.create_all(engine)
    barrier = threading.Barrier(16)

    def work(number: int) -> None:
        barrier.wait(WAIT)
        for turn in range(10):
            with engine.begin() as connection:
                insert(connection, f"{number}.{turn}")
                connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(items))

    with running(*(lambda n=n: work(n) for n in range(16))):
        pass
    expected = sorted(f"{n}.{turn}" for n in range(16) for turn in range(10))
    with engine.connect() as connection:
        assert rows(connection) == expected
    engine.dispose()
    if owner is not None:
        assert not owner.in_memory
        owner.close()
        with closing(load_db(fs, PATH, ":memory:")) as copy:
            assert sorted(text for (text,) in copy.execute("SELECT text FROM items")) == expected


def test_sixteen_tasks_write_at_once() -> None:
    pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")
    fs = MemoryFileSystem()

    async def work(engine: Any, number: int) -> None:
        for turn in range(5):
            async with engine.begin() as connection:
                await connection.execute(sqlalchemy.insert(items).values(text=f"{number}.{turn}"))

    async def main(engine: Any) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await asyncio.gather(*(work(engine, number) for number in range(16)))
        await engine.dispose()

    with SharedDatabase(fs, PATH) as shared:
        asyncio.run(main(create_async_engine(shared)))
    with closing(load_db(fs, PATH, ":memory:")) as copy:
        assert copy.execute("SELECT count(*) FROM items").fetchone() == (80,)


def test_a_named_database_lives_until_the_engine_is_disposed() -> None:
    name = unique_name()
    engine = create_engine(name, pool_size=1)
    metadata.create_all(engine)
    # A pool may close all of its connections at any time.
    engine.pool.dispose()
    engine.pool.recreate()
    with closing(connect(memory_uri(name))) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    engine.dispose()
    with closing(connect(memory_uri(name))) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    # As with any engine, it may be used again.
    metadata.create_all(engine)
    engine.dispose()


def test_a_dropped_engine_lets_the_database_go() -> None:
    name = unique_name()
    engine = create_engine(name)
    metadata.create_all(engine)
    engine.pool.dispose()
    del engine
    gc.collect()

    def gone() -> bool:
        with closing(connect(memory_uri(name))) as other:
            return bool(other.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])

    wait_until(gone)


@pytest.mark.parametrize("option", ["creator", "poolclass", "connect_args"])
def test_what_is_chosen_here_cannot_be_given(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        create_engine(unique_name(), **{option: None})  # type: ignore[arg-type]


def test_other_options_are_passed_on() -> None:
    engine: Any = create_engine(unique_name(), echo=False, pool_size=2, max_overflow=3)
    assert engine.pool.size() == 2
    engine.dispose()


WRONG_NAMES: dict[str, tuple[Any, str]] = {
    "sqlite:///x.db": ("sqlite:///x.db", "; write 'x'"),
    "sqlite:////data/shop.sqlite3": ("sqlite:////data/shop.sqlite3", "; write 'shop'"),
    "sqlite://": ("sqlite://", "; write 'main'"),
    "sqlite:///:memory:": ("sqlite:///:memory:", "; write 'main'"),
    "sqlite+aiosqlite:///x.db": ("sqlite+aiosqlite:///x.db", "; write 'x'"),
    "a URL": (sqlalchemy.make_url("sqlite:///x.db"), "; write 'x'"),
}


@pytest.mark.parametrize("wrong", WRONG_NAMES)
def test_urls_of_sqlalchemy_are_refused(wrong: str) -> None:
    given, end = WRONG_NAMES[wrong]
    for create in (create_engine, create_async_engine):
        with pytest.raises(UnsafeURIError) as caught:
            create(given)
        assert str(caught.value) == (
            f"{str(given)!r}: it is a URL for SQLAlchemy's own create_engine(), and a database in "
            "memory has a name here; a file of a file system is opened by create_live_engine(fs, "
            f"path){end}"
        )


def test_what_is_for_the_engine_of_live_databases() -> None:
    fs: Any = MemoryFileSystem()
    with pytest.raises(TypeError, match=r"create_live_engine\(fs, path\)"):
        create_engine(fs)
    with pytest.raises(TypeError, match="database must be str or a SharedDatabase, not int"):
        create_engine(3)  # type: ignore[arg-type]
    for create in (create_live_engine, create_async_live_engine):
        for wrong in ("sqlite:///x.db", ":memory:"):
            with pytest.raises(ValueError, match="give a path, such as"):
                create(fs, wrong)
        with pytest.raises(TypeError, match="fs must be a MemoryFileSystem, not str"):
            create("sqlite:///x.db", "/a.db")  # type: ignore[arg-type]


# --- databases that are attached ------------------------------------------------------------------


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    path = tmp_path / "other file.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t(a)")
    return path


@pytest.mark.skipif(not memdb_is_sound(), reason="about memdb, which this SQLite has not got")
@pytest.mark.parametrize("by", ["parameter", "literal"])
def test_attach_of_a_plain_path_says_that_it_is_no_file(
    other_file: Path, by: str, engine_kind: str
) -> None:
    if engine_kind == "shared cache":
        pytest.skip("what is attached there is the file")
    engine = create_engine(unique_name())
    names = "SELECT name FROM other.sqlite_master"
    with engine.connect() as connection:
        with pytest.warns(UserWarning, match="opens one more database in memory") as caught:
            if by == "parameter":
                connection.exec_driver_sql("ATTACH ? AS other", (str(other_file),))
            else:
                connection.exec_driver_sql(f" attach database '{other_file}' AS other")
        assert connection.exec_driver_sql(names).fetchall() == []
        connection.exec_driver_sql("DETACH other")
        advised = str(caught[0].message).rpartition(" write ")[2].strip("'")
        connection.exec_driver_sql("ATTACH ? AS other", (advised,))  # which warns of nothing
        assert connection.exec_driver_sql(names).fetchall() == [("t",)]
        connection.exec_driver_sql("ATTACH ':memory:' AS private")
    engine.dispose()


def test_attach_on_a_shared_cache_is_the_file(other_file: Path) -> None:
    engine = create_engine(memory_uri(unique_name(), engine="shared-cache"))
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH ? AS other", (str(other_file),))
        names = connection.exec_driver_sql("SELECT name FROM other.sqlite_master").fetchall()
    assert names == [("t",)]
    engine.dispose()


# --- what is not installed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "call", "what"),
    [
        ("sqlalchemy", "create_engine('x')", "sqlalchemy is needed here:"),
        ("sqlalchemy", "create_async_engine('x')", "sqlalchemy is needed here"),
        ("greenlet", "create_async_engine('x')", "greenlet is needed here:"),
        ("aiosqlite", "create_async_engine('x')", "aiosqlite is needed here:"),
        ("greenlet", "create_async_live_engine(MemoryFileSystem(), '/a.db')", "greenlet is needed"),
        ("sqlalchemy", "filesystem_of('sqlite+dmemfs:///a.db')", "sqlalchemy is needed here:"),
        ("greenlet", "dialects().AsyncDmemfsDialect.import_dbapi()", "greenlet is needed here:"),
        ("aiosqlite", "dialects().AsyncDmemfsDialect.import_dbapi()", "aiosqlite is needed here:"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(missing: str, call: str, what: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from dmemfs import MemoryFileSystem\n"
        "from dmemfs_sqlite.sqlalchemy import *\n"
        "def dialects(): import dmemfs_sqlite._dialects as found; return found\n"
        f"try: {call}\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith(what), done.stderr
    command = "python3 -m pip install 'dmemfs-sqlite[sqlalchemy]', or '.[sqlalchemy]' in a checkout"
    assert done.stdout.endswith(f"{command}\n")
