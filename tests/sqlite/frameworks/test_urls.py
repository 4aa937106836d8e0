"""Databases by URL, as configurations have them: in SQLAlchemy, and in what is built on it."""

from __future__ import annotations

import asyncio
import gc
import textwrap
import threading
import tomllib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.entry_points import make_known_to_sqlalchemy

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

from dmemfs_sqlite import changes, connect  # noqa: E402
from dmemfs_sqlite.sqlalchemy import filesystem_of, forget  # noqa: E402

URL = "sqlite+dmemfs:///shop.db"
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    make_known_to_sqlalchemy()
    yield
    forget(URL)
    forget("sqlite+dmemfs://other/x")


def run(engine: Any, *statements: str) -> list[Any]:
    with engine.begin() as connection:
        results = [connection.execute(sqlalchemy.text(each)) for each in statements]
        return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []


def engine_of(url: str = URL, **options: Any) -> Any:
    return sqlalchemy.create_engine(url, **options)


def test_the_entry_points() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dialects = {
        name.removeprefix("sqlite."): place.partition(":")[2]
        for name, place in project["entry-points"]["sqlalchemy.dialects"].items()
    }
    module = pytest.importorskip("dmemfs_sqlite._dialects", reason="aiosqlite is not installed")
    assert dialects == {
        cls.driver: cls.__name__ for cls in (module.DmemfsDialect, module.AsyncDmemfsDialect)
    }


# --- what a URL names -----------------------------------------------------------------------------


def test_engines_of_one_url_have_one_database() -> None:
    run(engine_of(), "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    assert run(engine_of(), "SELECT x FROM t") == [(1,)]
    for other in ("sqlite+dmemfs:////shop.db", "sqlite+dmemfs://sqlalchemy/shop.db"):
        assert run(engine_of(other), "SELECT x FROM t") == [(1,)]
    assert run(engine_of("sqlite+dmemfs:///else/shop.db"), "SELECT * FROM sqlite_master") == []
    fs = filesystem_of(URL)
    assert fs is MemoryFileSystem.published("sqlalchemy")
    assert sorted(fs.listdir("/")) == ["else", "shop.db"]


def test_a_file_system_that_its_owner_has_published() -> None:
    fs = MemoryFileSystem()
    fs.publish("other")
    run(engine_of("sqlite+dmemfs://other/data/app.db"), "CREATE TABLE t (x)")
    assert fs.exists("/data/app.db")
    assert filesystem_of("sqlite+dmemfs://other/x") is fs
    forget("sqlite+dmemfs://other/x")
    assert MemoryFileSystem.published("other") is fs, "it is its owner's"
    gone = weakref.ref(fs)
    del fs
    gc.collect()
    assert gone() is None


def test_what_is_forgotten_is_freed_and_begun_anew() -> None:
    engine = engine_of()
    run(engine, "CREATE TABLE t (x)")
    gone = weakref.ref(filesystem_of(URL))
    forget(URL)
    forget(URL)
    gc.collect()
    assert gone() is None
    assert run(engine, "SELECT * FROM sqlite_master") == []


def test_one_that_was_closed_is_begun_anew() -> None:
    run(engine_of(), "CREATE TABLE t (x)")
    filesystem_of(URL).close()
    assert run(engine_of(), "SELECT * FROM sqlite_master") == []


def test_a_test_can_be_undone() -> None:
    engine = engine_of()
    run(engine, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    fs = filesystem_of(URL)
    with fs.rollback() as before:
        run(engine, "DELETE FROM t")
        assert changes((before, "/shop.db"), (fs, "/shop.db")).tables["t"].counts["removed"] == 1
    assert run(engine, "SELECT x FROM t") == [(1,)]


# --- options --------------------------------------------------------------------------------------


def test_options_of_the_url_and_of_the_engine() -> None:
    engine = engine_of(
        f"{URL}?foreign_keys=on&timeout=2.5&journal=memory", pragmas={"recursive_triggers": "on"}
    )
    pragmas = ("foreign_keys", "recursive_triggers", "busy_timeout", "journal_mode")
    found = [run(engine, f"PRAGMA {name}")[0][0] for name in pragmas]
    assert found == [1, 1, 2500, "memory"]
    engine = engine_of(connect_args={"pragmas": {"foreign_keys": "on"}, "timeout": 1})
    assert run(engine, "PRAGMA foreign_keys") == [(1,)]
    assert run(engine, "PRAGMA busy_timeout") == [(1000,)]


def test_a_quota() -> None:
    engine = engine_of(f"{URL}?quota=1 MiB")
    run(engine, "CREATE TABLE t (x)")
    assert filesystem_of(URL).quota("/").max_bytes == 1 << 20
    with pytest.raises(sqlalchemy.exc.OperationalError, match="full"):
        run(engine, "INSERT INTO t VALUES (zeroblob(2000000))")
    assert run(engine_of(), "SELECT * FROM t") == []
    assert run(engine_of(f"{URL}?quota=1048576"), "SELECT * FROM t") == []
    with pytest.raises(ValueError, match="say the same"):
        run(engine_of(f"{URL}?quota=2 MiB"), "SELECT 1")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite+dmemfs://", "sqlite\\+dmemfs:///app.db"),
        ("sqlite+dmemfs:///:memory:", "has a name"),
        ("sqlite+dmemfs:///data/", "has a name"),
        (f"{URL}?journal=none", "journal must be"),
        (f"{URL}?quota=much", "quota must be"),
        (f"{URL}?timeout=soon", "soon"),
        (f"{URL}?foreign_keys=on&foreign_keys=off", "several times"),
        ("sqlite+dmemfs://user:secret@other/app.db", "neither user"),
    ],
)
def test_wrong_urls_are_told_when_the_engine_is_made(url: str, message: str) -> None:
    with pytest.raises(sqlalchemy.exc.ArgumentError, match=message):
        engine_of(url)


def test_what_is_no_pragma_is_told() -> None:
    with pytest.raises(ValueError, match="no PRAGMA 'foreign_key'"):
        run(engine_of(f"{URL}?foreign_key=on"), "SELECT 1")


@pytest.mark.parametrize("url", ["sqlite:///shop.db", "sqlite+dmemfs://", "postgresql://host/db"])
def test_other_urls_have_no_file_system(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite\\+dmemfs:///"):
        filesystem_of(url)


# --- threads, tasks, and other tools --------------------------------------------------------------


def test_threads_write_at_once() -> None:
    engine = engine_of()
    run(engine, "CREATE TABLE t (x)")

    def insert() -> None:
        for _ in range(10):
            run(engine, "INSERT INTO t VALUES (1)")

    threads = [threading.Thread(target=insert) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert run(engine, "SELECT count(*) FROM t") == [(80,)]


def test_tasks_write_at_once_in_one_event_loop_after_another() -> None:
    pytest.importorskip("aiosqlite", reason="an extra")
    asynchronous = pytest.importorskip("sqlalchemy.ext.asyncio")
    engine = asynchronous.create_async_engine(
        "sqlite+aiodmemfs:///shop.db?foreign_keys=on", pragmas={"recursive_triggers": "on"}
    )

    async def execute(statement: str) -> Any:
        async with engine.begin() as connection:
            result = await connection.execute(sqlalchemy.text(statement))
            return result.scalar() if result.returns_rows else None

    async def insert() -> None:
        await asyncio.gather(*(execute("INSERT INTO t VALUES (1)") for _ in range(10)))

    asyncio.run(execute("CREATE TABLE t (x)"))
    for _ in range(2):
        asyncio.run(insert())
    assert asyncio.run(execute("SELECT count(*) FROM t")) == 20
    assert asyncio.run(execute("PRAGMA foreign_keys")) == 1
    assert asyncio.run(execute("PRAGMA recursive_triggers")) == 1
    assert run(engine_of(), "SELECT count(*) FROM t") == [(20,)]


def test_alembic(tmp_path: Path) -> None:
    """As `alembic init` makes it, with nothing but the URL in the configuration."""
    command = pytest.importorskip("alembic.command", reason="in the extra test-all")
    config_module = pytest.importorskip("alembic.config")
    config = config_module.Config(str(tmp_path / "alembic.ini"))
    command.init(config, str(tmp_path / "migrations"))
    config = config_module.Config(str(tmp_path / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", URL)
    revision = command.revision(config, message="orders")
    Path(revision.path).write_text(
        Path(revision.path)
        .read_text()
        .replace(
            "    pass\n",
            '    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))\n'
            '    with op.batch_alter_table("orders") as batch:\n'
            '        batch.add_column(sa.Column("item", sa.String(20)))\n',
            1,
        )
    )
    command.upgrade(config, "head")
    columns = sqlalchemy.inspect(engine_of()).get_columns("orders")
    assert [column["name"] for column in columns] == ["id", "item"]
    assert {path.name for path in tmp_path.iterdir()} == {"alembic.ini", "migrations"}
    assert run(engine_of(), "SELECT version_num FROM alembic_version") == [(revision.revision,)]


def test_flask_sqlalchemy() -> None:
    flask = pytest.importorskip("flask", reason="in the extra test-all")
    flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy", reason="in the extra test-all")
    app = flask.Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"{URL}?foreign_keys=on"
    db = flask_sqlalchemy.SQLAlchemy(app)

    class Order(db.Model):  # type: ignore[misc,name-defined]
        id = db.Column(db.Integer, primary_key=True)

    def add() -> dict[str, int]:
        db.session.add(Order())
        db.session.commit()
        return {"orders": db.session.query(Order).count()}

    app.post("/orders")(add)
    with app.app_context():
        db.create_all()
    for number in (1, 2):
        assert app.test_client().post("/orders").json == {"orders": number}
    assert run(engine_of(), "SELECT count(*) FROM 'order'") == [(2,)]


def test_sqlmodel_with_sessions_of_fastapi() -> None:
    sqlmodel = pytest.importorskip("sqlmodel", reason="in the extra test-all")
    program: dict[str, Any] = {"url": URL}
    exec(
        textwrap.dedent(
            """
            from sqlmodel import Field, Session, SQLModel, create_engine, select

            class Hero(SQLModel, table=True):
                id: int | None = Field(default=None, primary_key=True)
                name: str

            engine = create_engine(url)
            SQLModel.metadata.create_all(engine)
            with Session(engine) as session:
                session.add(Hero(name="Deadpond"))
                session.commit()
            with Session(engine) as session:
                found = [hero.name for hero in session.exec(select(Hero))]
            """
        ),
        program,
    )
    assert program["found"] == ["Deadpond"]
    sqlmodel.SQLModel.metadata.clear()


def test_it_is_a_live_database_like_any_other() -> None:
    run(engine_of(), "CREATE TABLE t (x)")
    connection = connect(filesystem_of(URL), "/shop.db")
    with connection:
        connection.execute("INSERT INTO t VALUES (5)")
    connection.close()
    assert run(engine_of(), "SELECT x FROM t") == [(5,)]
