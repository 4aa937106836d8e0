"""What opens SQLite by URI or by a connection, on live databases; and the DB-API itself."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import live_uri
from dmemfs_sqlite._vfs.open_file import open_files
from tests.support.live_databases import PATH, check_integrity, connect, count, opened, value
from tests.support.sqlite_databases import fill, running
from tests.support.sqlite_modules import needs_iterdump, needs_limits, needs_serialize

PROJECT = Path(__file__).resolve().parents[3]


def engine_by_uri(sqlalchemy: Any, fs: MemoryFileSystem) -> Any:
    uri = live_uri(fs, PATH)
    return sqlalchemy.create_engine(f"sqlite:///{uri}&uri=true", connect_args={"timeout": 30})


def engine_of_ours(_sqlalchemy: Any, fs: MemoryFileSystem) -> Any:
    from dmemfs_sqlite.sqlalchemy import create_live_engine

    return create_live_engine(fs, PATH)


@pytest.mark.parametrize("make", [engine_by_uri, engine_of_ours])
def test_sqlalchemy_with_threads(
    memory: MemoryFileSystem, make: Callable[[Any, MemoryFileSystem], Any]
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    engine = make(sqlalchemy, memory)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")

    def work() -> None:
        for _ in range(20):
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO t(b) VALUES (1)")

    with running(*[work] * 4):
        pass
    engine.dispose()
    with opened(memory) as connection:
        assert count(connection) == 80


def test_one_thread_hands_its_connection_to_the_next(memory: MemoryFileSystem) -> None:
    """As web frameworks do with the session of a request."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    engine = engine_of_ours(sqlalchemy, memory)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t(a)")

        def go_on() -> None:
            for _ in range(20):  # two threads at once, which take turns
                connection.exec_driver_sql("INSERT INTO t VALUES (1)")

        with running(go_on):
            pass
        with running(go_on, go_on):
            pass
        connection.commit()
        with engine.connect() as second:  # in one thread too, checkouts have their own
            assert second.connection.driver_connection is not connection.connection
            assert second.exec_driver_sql("SELECT count(*) FROM t").scalar() == 60
    engine.dispose()
    assert open_files(memory) == []


def test_sessions_of_fastapi(memory: MemoryFileSystem) -> None:
    """It runs a dependency in one thread of its pool, and what needs that in another."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    orm = pytest.importorskip("sqlalchemy.orm", reason="an extra")
    fastapi = pytest.importorskip("fastapi", reason="in the extra test-all")
    pytest.importorskip("httpx", reason="in the extra test-all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another HTTP client would be better
        testclient = pytest.importorskip("fastapi.testclient", reason="in the extra test-all")
    engine = engine_of_ours(sqlalchemy, memory)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t(a)")
    app = fastapi.FastAPI()

    def session() -> Iterator[Any]:
        with orm.Session(engine) as one:
            yield one

    handed_over = fastapi.Depends(session)

    def add(one: Any = handed_over) -> Any:
        one.execute(sqlalchemy.text("INSERT INTO t VALUES (1)"))
        one.commit()
        return one.execute(sqlalchemy.text("SELECT count(*) FROM t")).scalar()

    app.post("/add")(add)
    with testclient.TestClient(app) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/add"), range(40)))
    assert [answer.status_code for answer in answers] == [200] * 40
    assert max(answer.json() for answer in answers) == 40
    engine.dispose()
    assert open_files(memory) == []


@pytest.mark.parametrize("option", ["creator", "poolclass", "connect_args"])
def test_what_an_engine_chooses_itself(memory: MemoryFileSystem, option: str) -> None:
    pytest.importorskip("sqlalchemy", reason="an extra")
    from dmemfs_sqlite.sqlalchemy import create_async_live_engine, create_live_engine

    options: dict[str, Any] = {option: None}
    for create in (create_live_engine, create_async_live_engine):
        with pytest.raises(TypeError, match=option):
            create(memory, PATH, **options)


def test_sqlalchemy_with_tasks(memory: MemoryFileSystem) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    pytest.importorskip("aiosqlite", reason="an extra")
    from dmemfs_sqlite.sqlalchemy import create_async_live_engine

    async def work(engine: Any, number: int) -> None:
        for turn in range(5):
            async with engine.begin() as connection:
                statement = sqlalchemy.text("INSERT INTO t VALUES (:a)")
                await connection.execute(statement, {"a": number * 10 + turn})

    async def main() -> int:
        engine = create_async_live_engine(memory, PATH)
        async with engine.begin() as connection:
            await connection.execute(sqlalchemy.text("CREATE TABLE t(a)"))
        await asyncio.gather(*(work(engine, number) for number in range(8)))
        async with engine.connect() as connection:
            rows = await connection.scalar(sqlalchemy.text("SELECT count(*) FROM t"))
        await engine.dispose()
        return int(rows)

    assert asyncio.run(main()) == 40
    assert open_files(memory) == []


def test_the_file_system_lives_with_its_engine() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    engine = engine_of_ours(sqlalchemy, MemoryFileSystem())
    gc.collect()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t(a)")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def test_aiosqlite(memory: MemoryFileSystem) -> None:
    aiosqlite = pytest.importorskip("aiosqlite", reason="an extra")

    async def work() -> int:
        async with aiosqlite.connect(live_uri(memory, PATH), uri=True) as connection:
            await connection.execute("CREATE TABLE t(a)")
            await connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50)])
            await connection.commit()
            async with connection.execute("SELECT count(*) FROM t") as cursor:
                (rows,) = await cursor.fetchone()
                return int(rows)

    assert asyncio.run(work()) == 50


def test_pandas(memory: MemoryFileSystem) -> None:
    pandas = pytest.importorskip("pandas", reason="an extra")
    with opened(memory) as connection:
        pandas.DataFrame({"a": range(100)}).to_sql("frame", connection, index=False)
        assert pandas.read_sql("SELECT sum(a) AS s FROM frame", connection)["s"][0] == 4950


DJANGO = """
import threading
import django
from django.conf import settings
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import live_uri
from dmemfs_sqlite.django import live_database
fs = MemoryFileSystem()
settings.configure(
    DATABASES={"default": ENTRY},
    INSTALLED_APPS=["django.contrib.contenttypes"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.contrib.contenttypes.models import ContentType
call_command("migrate", verbosity=0)
def intrude():
    try:
        ContentType.objects.using(connection.alias).count()
        owner.cursor()
    except django.db.utils.DatabaseError as error:
        refused.append("thread" in str(error))
    connection.close()
owner, refused = django.db.connections["default"], []
thread = threading.Thread(target=intrude)
thread.start()
thread.join(40)
def work(number):
    for turn in range(10):
        ContentType.objects.create(app_label=f"app{number}", model=f"model{turn}")
    connection.close()
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join(40) for t in threads]
print(ContentType.objects.filter(app_label__startswith="app").count(), refused, fs.listdir("/"))
name = connection.creation.create_test_db(verbosity=0, serialize=False)
print(ContentType.objects.filter(app_label__startswith="app").count())
connection.creation.destroy_test_db("/app.db", verbosity=0)
"""

ENTRIES = {
    "by URI": """{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": live_uri(fs, "/app.db"),
        "OPTIONS": {"uri": True, "timeout": 30},
    }""",
    "of ours": """live_database(fs, "/app.db")""",
}


@needs_limits
@pytest.mark.parametrize("entry", ENTRIES)
def test_django(entry: str) -> None:
    pytest.importorskip("django", reason="an extra")
    done = subprocess.run(
        [sys.executable, "-B", "-c", DJANGO.replace("ENTRY", ENTRIES[entry])],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert done.stdout.splitlines() == ["40 [True] ['app.db']", "0"], done.stderr
    assert done.returncode == 0


def test_sqlite_utils(memory: MemoryFileSystem) -> None:
    sqlite_utils = pytest.importorskip("sqlite_utils", reason="an extra")
    with opened(memory) as connection:
        database = sqlite_utils.Database(connection)
        database["dogs"].insert_all([{"id": n, "name": f"dog {n}"} for n in range(20)], pk="id")
        assert database["dogs"].count == 20


# --- the DB-API, as CPython's own tests use it ---------------------------------------------------


def test_transactions_of_the_module(memory: MemoryFileSystem) -> None:
    with (
        closing(dmemfs_sqlite.connect(memory, PATH)) as one,
        closing(dmemfs_sqlite.connect(memory, PATH, timeout=0)) as two,
    ):
        one.execute("CREATE TABLE t(a)")
        one.execute("INSERT INTO t VALUES (1)")
        assert one.in_transaction
        assert count(two) == 0
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            two.execute("INSERT INTO t VALUES (2)")
        one.commit()
        assert count(two) == 1
        with pytest.raises(LookupError), two:
            two.execute("DELETE FROM t")
            raise LookupError
        assert count(two) == 1


def test_savepoints(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET b = randomblob(2000)")
        connection.execute("SAVEPOINT one")
        connection.execute("DELETE FROM t")
        connection.execute("ROLLBACK TO one")
        assert count(connection) == 100
        connection.execute("COMMIT")
        check_integrity(connection)


def test_functions_collations_and_types(memory: MemoryFileSystem) -> None:
    with opened(memory, detect_types=sqlite3.PARSE_DECLTYPES) as connection:
        connection.create_function("twice", 1, lambda x: x * 2, deterministic=True)
        connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
        fill(connection, 10)
        connection.execute("CREATE INDEX i ON t(twice(a))")
        connection.execute("CREATE INDEX c ON t(b COLLATE backwards)")
        assert value(connection, "SELECT a FROM t WHERE twice(a) = 6") == 3
        assert value(connection, "SELECT b FROM t ORDER BY b COLLATE backwards") == "row 9"
        connection.row_factory = sqlite3.Row
        assert connection.execute("SELECT a AS x FROM t").fetchone()["x"] == 1


def test_a_progress_handler_and_interrupt(memory: MemoryFileSystem) -> None:
    with opened(memory, check_same_thread=False) as connection:
        fill(connection, 1000)
        connection.set_progress_handler(lambda: 1, 1000)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute("UPDATE t SET b = b || (SELECT count(*) FROM t x, t y)")
        connection.set_progress_handler(None, 0)
        timer = threading.Timer(0.05, connection.interrupt)
        timer.start()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute("SELECT count(*) FROM t a, t b, t c, t d").fetchone()
        timer.join(30)
        assert count(connection) == 1000


@needs_iterdump
def test_executescript_iterdump_and_total_changes(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        connection.executescript("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2);")
        assert connection.total_changes == 2
        dump = "\n".join(connection.iterdump())
        with opened(memory, "/restored.db") as restored:
            restored.executescript(dump)
            assert count(restored) == 2


@needs_serialize
def test_serialize_and_deserialize(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        assert connection.serialize() == memory.read_bytes(PATH)


def test_a_shared_cache_on_a_live_database(memory: MemoryFileSystem) -> None:
    uri = live_uri(memory, PATH, cache="shared")
    with (
        closing(sqlite3.connect(uri, uri=True)) as one,
        closing(sqlite3.connect(uri, uri=True)) as two,
    ):
        with one:
            one.execute("CREATE TABLE t(a)")
        assert count(two) == 0


def test_an_authorizer_and_a_trace(memory: MemoryFileSystem) -> None:
    seen: list[Any] = []
    with opened(memory) as connection:
        connection.set_trace_callback(seen.append)
        fill(connection, 1)
        connection.set_trace_callback(None)
        connection.set_authorizer(lambda *arguments: sqlite3.SQLITE_DENY)
        with pytest.raises(sqlite3.DatabaseError):
            connection.execute("SELECT * FROM t")
    assert any("CREATE TABLE" in statement for statement in seen)


def test_a_connection_refuses_another_thread(memory: MemoryFileSystem) -> None:
    with connect_closing(memory) as connection:
        errors: list[Exception] = []

        def use() -> None:
            try:
                connection.execute("SELECT 1")
            except sqlite3.ProgrammingError as error:
                errors.append(error)

        with running(use):
            pass
        assert len(errors) == 1


def connect_closing(fs: MemoryFileSystem) -> Any:
    return closing(connect(fs))
