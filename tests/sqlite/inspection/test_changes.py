"""What is different in two databases: every kind of table and value, and wherever they are."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate, changes, connect, memory_uri

ORDERS = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price REAL);
    INSERT INTO orders VALUES (1, 'apple', 1.5), (2, 'pear', 2.5), (3, 'plum', 3.5);
"""


@pytest.fixture
def before() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def after() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def both(before: sqlite3.Connection, after: sqlite3.Connection, sql: str) -> None:
    for connection in (before, after):
        connection.executescript(sql)


def counts(found: Any, table: str) -> tuple[int, ...]:
    return tuple(found.tables[table].counts.values()) if table in found.tables else (0, 0, 0)


# --- rows -----------------------------------------------------------------------------------------


def test_rows_added_removed_and_changed(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, ORDERS)
    after.executescript(
        "INSERT INTO orders VALUES (4, 'fig', 4.5); DELETE FROM orders WHERE id = 1;"
        "UPDATE orders SET price = 9.5 WHERE id = 3"
    )
    found = changes(before, after)
    assert found
    assert not found.schema
    table = found.tables["orders"]
    assert table.key == ("id",)
    assert table.added == [{"id": 4, "item": "fig", "price": 4.5}]
    assert table.removed == [{"id": 1, "item": "apple", "price": 1.5}]
    assert table.changed == [
        ({"id": 3, "item": "plum", "price": 3.5}, {"id": 3, "item": "plum", "price": 9.5})
    ]
    assert table.counts == {"added": 1, "removed": 1, "changed": 1}
    assert str(found) == (
        "orders: 1 added, 1 removed, 1 changed\n"
        "  - id=1, item='apple', price=1.5\n"
        "  + id=4, item='fig', price=4.5\n"
        "  ~ id=3: price: 3.5 -> 9.5"
    )
    assert counts(changes(after, before), "orders") == (1, 1, 1)


def test_what_is_equal_is_no_change(before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    both(before, after, ORDERS + "CREATE TABLE empty (x); ANALYZE")
    after.executescript("DELETE FROM orders; VACUUM")
    after.executescript(ORDERS.partition(";")[2])
    found = changes(before, after)
    assert not found
    assert str(found) == "no changes"


VALUES = [None, 0, 1, 1.0, -5, 1e300, float("inf"), 2**62, "", "1", "é", "a\0b", b"", b"1", b"\xff"]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_each_value_is_another(
    before: sqlite3.Connection, after: sqlite3.Connection, encoding: str
) -> None:
    both(
        before, after, f"PRAGMA encoding = '{encoding}'; CREATE TABLE t (id INTEGER PRIMARY KEY, v)"
    )
    pairs = [(one, other) for one in VALUES for other in VALUES]
    for connection, side in ((before, 0), (after, 1)):
        connection.executemany("INSERT INTO t (v) VALUES (?)", [(pair[side],) for pair in pairs])
    table = changes(before, after).tables["t"]
    assert [(old["v"], new["v"]) for old, new in table.changed] == [
        pair for pair in pairs if pair[0] is not pair[1]
    ]
    types = [(type(old["v"]), type(new["v"])) for old, new in table.changed]
    assert types == [(type(one), type(other)) for one, other in pairs if one is not other]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
@pytest.mark.parametrize("rest", ["", "WITHOUT ROWID"])
def test_keys_of_every_type_are_merged_in_the_order_of_sqlite(
    before: sqlite3.Connection, after: sqlite3.Connection, encoding: str, rest: str
) -> None:
    keys = [value for value in VALUES if value is not None and value != 1.0] + [
        1,
        "z",
        "\U0001f600",
        "\uffee",
    ]
    sql = f"PRAGMA encoding = '{encoding}'; CREATE TABLE t (a, b, v, PRIMARY KEY (b, a)) {rest}"
    both(before, after, sql)
    rows = [(one, other) for one in keys for other in keys]
    before.executemany("INSERT INTO t VALUES (?, ?, 1)", rows[::2] + rows[1::6])
    after.executemany("INSERT INTO t VALUES (?, ?, 1)", rows[1::2] + rows[::4])
    old, new = {*rows[::2], *rows[1::6]}, {*rows[1::2], *rows[::4]}
    table = changes(before, after).tables["t"]
    assert table.key == ("b", "a")
    assert {(row["a"], row["b"]) for row in table.added} == new - old
    assert {(row["a"], row["b"]) for row in table.removed} == old - new
    assert table.changed == []


def test_a_primary_key_says_which_row_is_which_and_not_the_rowid(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (name TEXT PRIMARY KEY, v)")
    before.executescript("INSERT INTO t VALUES ('a', 1), ('b', 2)")
    after.executescript("INSERT INTO t VALUES ('b', 2), ('a', 3)")
    assert changes(before, after).tables["t"].changed == [
        ({"name": "a", "v": 1}, {"name": "a", "v": 3})
    ]


def test_a_collation_makes_no_rows_equal(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (n TEXT COLLATE NOCASE PRIMARY KEY, v COLLATE NOCASE)")
    before.executescript("INSERT INTO t VALUES ('B', 'x'), ('a', 'x'), ('c', 'x')")
    after.executescript("INSERT INTO t VALUES ('b', 'x'), ('a', 'X'), ('c', 'x')")
    table = changes(before, after).tables["t"]
    assert table.added == [{"n": "b", "v": "x"}]
    assert table.removed == [{"n": "B", "v": "x"}]
    assert table.changed == [({"n": "a", "v": "x"}, {"n": "a", "v": "X"})]


def test_keys_that_are_null(before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    both(before, after, "CREATE TABLE t (k TEXT PRIMARY KEY, v)")
    before.executescript("INSERT INTO t VALUES (NULL, 1), (NULL, 2), ('a', 3)")
    after.executescript("INSERT INTO t VALUES (NULL, 1), (NULL, 5), (NULL, 6), ('a', 3)")
    table = changes(before, after).tables["t"]
    assert [(old["v"], new["v"]) for old, new in table.changed] == [(2, 5)]
    assert [row["v"] for row in table.added] == [6]
    assert table.removed == []


def test_a_rowid_is_the_key_where_there_is_no_other(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (x); CREATE TABLE named (rowid, oid)")
    before.executescript("INSERT INTO t VALUES (1), (2); INSERT INTO named VALUES (1, 1)")
    after.executescript("INSERT INTO t VALUES (1), (3); INSERT INTO named VALUES (1, 2)")
    found = changes(before, after)
    assert found.tables["t"].key == ("rowid",)
    assert found.tables["t"].changed == [({"rowid": 2, "x": 2}, {"rowid": 2, "x": 3})]
    assert found.tables["named"].key == ("_rowid_",)
    assert "~ rowid=2: x: 2 -> 3" in str(found)


def test_rows_of_a_table_without_any_key_are_counted(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (rowid, oid, _rowid_)")
    before.executescript("INSERT INTO t VALUES (1, 1, 1), (1, 1, 1), (2, 2, 2)")
    after.executescript("INSERT INTO t VALUES (2, 2, 2), (1, 1, 1), (3, 3, 3)")
    table = changes(before, after).tables["t"]
    assert table.removed == [{"rowid": 1, "oid": 1, "_rowid_": 1}]
    assert table.added == [{"rowid": 3, "oid": 3, "_rowid_": 3}]


def test_text_that_is_not_valid(before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    both(before, after, "CREATE TABLE t (x)")
    before.execute("INSERT INTO t VALUES (CAST(X'61ff' AS TEXT))")
    after.execute("INSERT INTO t VALUES (CAST(X'61fe' AS TEXT))")
    ((old, new),) = changes(before, after).tables["t"].changed
    assert (old["x"], new["x"]) == ("a\udcff", "a\udcfe")


def test_generated_columns(before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    before.create_function("mine", 1, lambda x: x, deterministic=True)
    after.create_function("mine", 1, lambda x: -x, deterministic=True)
    both(before, after, "CREATE TABLE t (x, double AS (2 * x) STORED, own AS (mine(x)))")
    both(before, after, "INSERT INTO t VALUES (1), (2)")
    assert not changes(before, after)
    after.execute("UPDATE t SET x = 7 WHERE x = 2")
    assert changes(before, after).tables["t"].changed == [
        ({"rowid": 2, "x": 2}, {"rowid": 2, "x": 7})
    ]


def test_names_that_have_to_be_quoted(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(
        before, after, """CREATE TABLE "it's ""a"" table" ("select" PRIMARY KEY, "b""c", 'd''e')"""
    )
    after.execute("""INSERT INTO "it's ""a"" table" VALUES (1, 2, 3)""")
    assert changes(before, after).tables['it\'s "a" table'].added == [
        {"select": 1, 'b"c': 2, "d'e": 3}
    ]


def test_a_table_of_a_thousand_columns(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    columns = ", ".join(f"c{number}" for number in range(1900))
    both(before, after, f"CREATE TABLE t ({columns}); INSERT INTO t (c0) VALUES (1)")
    after.execute("UPDATE t SET c1899 = 5")
    assert "~ rowid=1: c1899: None -> 5" in str(changes(before, after))


# --- the schema, and virtual tables ---------------------------------------------------------------


def test_the_schema(before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    both(before, after, ORDERS + "CREATE VIEW v AS SELECT 1; CREATE INDEX i ON orders (item)")
    after.executescript(
        "DROP VIEW v; CREATE VIEW v AS SELECT 2; DROP INDEX i;"
        "CREATE TRIGGER tr AFTER INSERT ON orders BEGIN SELECT 1; END;"
        "CREATE TABLE more (x); INSERT INTO more VALUES (1)"
    )
    found = changes(before, after)
    assert found.schema.changed == {
        ("view", "v"): ("CREATE VIEW v AS SELECT 1", "CREATE VIEW v AS SELECT 2")
    }
    assert [*found.schema.removed] == [("index", "i")]
    assert {*found.schema.added} == {("trigger", "tr"), ("table", "more")}
    assert found.tables["more"].added == [{"rowid": 1, "x": 1}]
    assert "+ table more" in str(found)
    assert "- index i" in str(found)
    assert "~ view v" in str(found)
    assert counts(changes(after, before), "more") == (0, 1, 0)


def test_a_column_more_is_in_the_schema(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, ORDERS)
    after.executescript(
        "ALTER TABLE orders ADD COLUMN paid DEFAULT 0; UPDATE orders SET price = 0 WHERE id = 2"
    )
    found = changes(before, after)
    assert [*found.schema.changed] == [("table", "orders")]
    assert [old["id"] for old, _ in found.tables["orders"].changed] == [2]


def has_fts5() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    return "ENABLE_FTS5" in options and sqlite3.sqlite_version_info >= (3, 37)


@pytest.mark.skipif(not has_fts5(), reason="SQLite has no FTS5 here, or no PRAGMA table_list")
def test_a_virtual_table_is_compared_by_what_it_says(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE VIRTUAL TABLE notes USING fts5(title, body)")
    both(before, after, "INSERT INTO notes VALUES ('a', 'one two'), ('b', 'three')")
    assert not changes(before, after)
    after.execute("UPDATE notes SET body = 'four' WHERE title = 'b'")
    after.execute("INSERT INTO notes(notes) VALUES ('optimize')")
    found = changes(before, after)
    assert [*found.tables] == ["notes"]
    assert found.tables["notes"].changed == [
        (
            {"rowid": 2, "title": "b", "body": "three"},
            {"rowid": 2, "title": "b", "body": "four"},
        )
    ]


# --- where the databases are ----------------------------------------------------------------------


def test_a_private_copy_and_its_template() -> None:
    with (
        DatabaseTemplate(MemoryFileSystem(), ORDERS) as template,
        closing(template.connect()) as copy,
    ):
        assert not changes(template, copy)
        copy.execute("DELETE FROM orders WHERE id = 2")
        assert copy.in_transaction
        assert changes(template, copy).tables["orders"].counts["removed"] == 1
        assert copy.in_transaction, "what was not committed still is not"
        copy.rollback()
        assert not changes(template, copy)
        assert not changes(template, template.to_bytes())


def test_two_snapshots_and_the_present() -> None:
    fs = MemoryFileSystem()
    with closing(connect(fs, "/app.db", isolation_level=None)) as connection:
        connection.executescript(ORDERS)
        with fs.snapshot() as first:
            connection.execute("DELETE FROM orders WHERE id = 1")
            with fs.snapshot() as second:
                connection.execute("DELETE FROM orders WHERE id = 2")
                connection.execute("BEGIN IMMEDIATE")  # which nobody waits for
                connection.execute("DELETE FROM orders")
                assert changes((first, "/app.db"), (second, "/app.db")).tables[
                    "orders"
                ].removed == [{"id": 1, "item": "apple", "price": 1.5}]
                assert counts(changes((first, "/app.db"), (fs, "/app.db")), "orders") == (0, 2, 0)
                assert counts(changes((first, "/app.db"), connection), "orders") == (0, 3, 0)


def test_two_files(tmp_path: Path) -> None:
    for name in ("a b#?.db", "other.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(ORDERS)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("DELETE FROM orders")
    assert counts(changes(tmp_path / "a b#?.db", str(tmp_path / "other.db")), "orders") == (0, 3, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"a b#?.db", "other.db"}
    with pytest.raises(sqlite3.OperationalError):
        changes(tmp_path / "missing.db", tmp_path / "other.db")
    assert not (tmp_path / "missing.db").exists()


def test_an_empty_database_and_a_uri() -> None:
    uri = memory_uri("changes")
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.executescript(ORDERS)
        found = changes(b"", uri)
    assert found.tables["orders"].counts == {"added": 3, "removed": 0, "changed": 0}
    assert [*found.schema.added] == [("table", "orders")]


def test_an_attached_file_system() -> None:
    outer, inner = MemoryFileSystem(), MemoryFileSystem()
    outer.mkdir("/data")
    outer.attach("/data", inner)
    with closing(connect(outer, "/data/app.db")) as connection:
        connection.executescript(ORDERS)
    assert not changes((outer, "/data/app.db"), (inner, "/app.db"))


def test_connections_of_another_library() -> None:
    module = pytest.importorskip("pysqlite3")
    with (
        closing(sqlite3.connect(":memory:")) as one,
        closing(module.connect(":memory:")) as other,
    ):
        one.executescript(ORDERS)
        other.executescript(ORDERS + "CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID")
        assert [*changes(one, other).schema.added] == [("table", "w")]


@pytest.mark.parametrize("side", [5, (1, 2), (MemoryFileSystem(),), None])
def test_what_is_no_database_is_told(side: Any) -> None:
    with pytest.raises(TypeError):
        changes(b"", side)


# --- connections of others, and sizes -------------------------------------------------------------


def test_settings_of_a_connection_stay_and_do_not_matter() -> None:
    with (
        closing(sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)) as one,
        closing(sqlite3.connect(":memory:")) as other,
    ):
        both(one, other, "CREATE TABLE t (id INTEGER PRIMARY KEY, day date, x TEXT)")
        for connection in (one, other):
            connection.execute("INSERT INTO t VALUES (1, 'no day', 'é')")
            connection.commit()
        one.row_factory, other.text_factory = sqlite3.Row, bytes
        assert not changes(one, other)
        assert (one.row_factory, other.text_factory) == (sqlite3.Row, bytes)
        assert not one.in_transaction
        assert not other.in_transaction


def test_different_encodings_are_told(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    after.execute("PRAGMA encoding = 'UTF-16le'")
    both(before, after, ORDERS)
    with pytest.raises(ValueError, match=r"UTF-8 and UTF-16le"):
        changes(before, after)


def test_rows_beyond_the_limit_are_counted(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (x)")
    after.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(100)])
    table = changes(before, after, limit=3).tables["t"]
    assert len(table.added) == 3
    assert table.counts["added"] == 100
    assert [*table.lines()][-1] == "  and 97 more"
    with pytest.raises(ValueError, match="limit"):
        changes(before, after, limit=-1)


def test_equal_tables_are_not_kept_in_memory(
    before: sqlite3.Connection, after: sqlite3.Connection
) -> None:
    both(before, after, "CREATE TABLE t (x)")
    for connection in (before, after):
        connection.executemany("INSERT INTO t VALUES (zeroblob(20000))", [()] * 500)
    after.execute("UPDATE t SET x = zeroblob(19999) WHERE rowid = 250")
    tracemalloc.start()
    try:
        assert counts(changes(before, after), "t") == (0, 0, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000, "a tenth of one of the tables"
