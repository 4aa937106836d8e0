"""Tables, and their rows in an order in which those of two databases can be merged.

A row is read as a tuple: the types of its values, then the values. Text is read as the bytes of
it, so that neither the text factory nor the converters of a connection matter, and text that is not
valid is compared like any other. Two rows are equal if the tuples are, for the types tell 1 from
1.0 and text from a BLOB.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .._engine.sql import query_value, quote_name

RawRow: TypeAlias = tuple[Any, ...]

_ROWID_NAMES = ("rowid", "oid", "_rowid_")
_ORDINARY, _OF_A_VIRTUAL_TABLE = 0, 1  # hidden=, of PRAGMA table_xinfo; more is generated
# As SQLite sorts values of several types, by the first letters of their names.
_RANKS = {ord("n"): 0, ord("i"): 1, ord("r"): 1, ord("t"): 2, ord("b"): 3}
_TEXT = ord("t")
# SQLite takes expressions up to a depth of 1,000, and a table has up to 2,000 columns.
_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Table:
    """What has to be known of a table to read its rows.

    Attributes:
        name: its name in the database `main`.
        columns: the names of its columns, without those that are generated.
        primary_key: those of its primary key, in that order; none if it has none.
        rowid: a name that stands for the rowid; None if there is none.
        may_have_nulls: whether the primary key may, as SQLite allows.
    """

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    rowid: str | None
    may_have_nulls: bool


def schema_of(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return the SQL of tables, indexes, views and triggers by their types and names."""
    rows = _rows(connection, "SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL")
    return {(_text(kind), _text(name)): _text(sql) for kind, name, sql in rows}


def tables_of(connection: sqlite3.Connection) -> dict[str, Table]:
    """Return the tables by their names.

    A virtual table stands for the tables in which it keeps its content, if it can be read here;
    otherwise they stand for it. SQLite's own tables are none of these.
    """
    roots = {
        _text(name): root
        for name, root in _rows(
            connection, "SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table'"
        )
    }
    shadows = {
        _text(row[1])
        for row in _rows(connection, "PRAGMA table_list")
        if _text(row[2]) == "shadow" and _text(row[0]) == "main"
    }
    found = (
        _table(connection, name, is_virtual=not root)
        for name, root in roots.items()
        if name not in shadows and not name.startswith("sqlite_")
    )
    return {table.name: table for table in found if table is not None}


def encoding_of(connection: sqlite3.Connection) -> str:
    """Return the encoding of all text, as Python names it."""
    return _text(query_value(connection, "PRAGMA main.encoding"))


def _table(connection: sqlite3.Connection, name: str, is_virtual: bool) -> Table | None:
    """Return a table; None for a virtual one whose module is not there."""
    quoted = quote_name(name)
    try:
        infos = list(_rows(connection, f"PRAGMA main.table_xinfo({quoted})"))
        columns = [_text(info[1]) for info in infos if info[6] == _ORDINARY]
        rowid = _rowid_of(connection, quoted, {_text(info[1]).lower() for info in infos})
        if is_virtual:
            list(_rows(connection, f"SELECT 1 FROM main.{quoted} LIMIT 1"))
    except connection.Error:
        if is_virtual:
            return None
        raise
    key = [_text(info[1]) for info in sorted(infos, key=lambda info: int(info[5])) if info[5]]
    is_rowid = len(key) == 1 and any(
        info[5] and _text(info[2]).upper() == "INTEGER" for info in infos
    )
    may_have_nulls = rowid is not None and bool(key) and not is_rowid
    return Table(name, tuple(columns), tuple(key), rowid, may_have_nulls)


def _rowid_of(connection: sqlite3.Connection, table: str, columns: set[str]) -> str | None:
    for name in _ROWID_NAMES:
        if name not in columns:
            try:
                list(_rows(connection, f"SELECT {name} FROM main.{table} LIMIT 0"))
            except connection.OperationalError:
                return None
            return name
    return None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a table are read in two databases.

    Attributes:
        table: its name.
        columns: the columns that both have.
        key: those that say which row is which; none for the rowid.
        rowid: a name for it, if it is read: as the last value of a row.
        only_for_nulls: whether it only tells rows apart whose key has a NULL.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rowid: str | None
    only_for_nulls: bool

    def rows(self, connection: sqlite3.Connection) -> Iterator[RawRow]:
        """Yield the rows in the order of their keys."""
        columns = [f"t.{quote_name(name)}" for name in self.columns]
        values = [
            f"CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END" for c in columns
        ]
        order = [f"t.{quote_name(name)} COLLATE BINARY" for name in self.key]
        if self.rowid is not None:
            rowid = f"t.{self.rowid}"
            order.append(rowid)
            if self.only_for_nulls:
                nulls = " OR ".join(f"t.{quote_name(name)} IS NULL" for name in self.key)
                rowid = f"CASE WHEN {nulls} THEN {rowid} END"
            values.append(rowid)
        types = _concatenated([f"substr(typeof({column}), 1, 1)" for column in columns])
        selected = ", ".join([f"CAST({types} AS BLOB)", *values])
        return _rows(
            connection,
            f"SELECT {selected} FROM main.{quote_name(self.table)} AS t "
            f"ORDER BY {', '.join(order) or 1}",
        )

    def key_of(self, row: RawRow) -> tuple[Any, ...]:
        """Return what keys are compared by: it sorts as SQLite has sorted the rows."""
        types = _types_of(row)
        places = map(self.columns.index, self.key)
        key: tuple[Any, ...] = tuple((_RANKS[types[place]], row[1 + place]) for place in places)
        return key if self.rowid is None else (*key, row[-1])

    def values_of(self, row: RawRow, encoding: str) -> dict[str, Any]:
        """Return the values of a row by the names of their columns; the rowid, if it is the key."""
        values = {} if self.key or self.rowid is None else {self.rowid: row[-1]}
        for name, kind, value in zip(self.columns, _types_of(row), row[1:], strict=False):
            values[name] = _decoded(value, encoding) if kind == _TEXT else value
        return values


def reading_of(before: Table | None, after: Table | None) -> Reading:
    """Return how the rows of a table are read in two databases, one of which may lack it."""
    one, other = before or after, after or before
    assert one is not None
    assert other is not None
    columns = tuple(name for name in one.columns if name in other.columns)
    if (
        one.primary_key
        and one.primary_key == other.primary_key
        and {*one.primary_key} <= {*columns}
    ):
        nulls = one.may_have_nulls or other.may_have_nulls
        rowid = one.rowid if nulls and one.rowid == other.rowid else None
        return Reading(one.name, columns, one.primary_key, rowid, nulls)
    if one.rowid is not None and one.rowid == other.rowid:
        return Reading(one.name, columns, (), one.rowid, False)
    return Reading(one.name, columns, columns, None, False)  # rows that are equal are as good


def _rows(connection: sqlite3.Connection, sql: str) -> Iterator[RawRow]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql)


def _concatenated(parts: list[str]) -> str:
    """Return an expression of SQL that joins texts, and is nowhere nested too deeply."""
    while len(parts) > _LONGEST_CHAIN:
        parts = [
            f"({' || '.join(parts[start : start + _LONGEST_CHAIN])})"
            for start in range(0, len(parts), _LONGEST_CHAIN)
        ]
    return " || ".join(parts) or "''"


def _types_of(row: RawRow) -> bytes:
    """Return a letter for the type of each value, in whatever encoding they were read."""
    types: bytes = row[0]
    return types.replace(b"\0", b"")


def _decoded(value: bytes, encoding: str) -> str:
    return value.decode(encoding, "surrogateescape" if encoding == "UTF-8" else "replace")


def _text(value: Any) -> str:
    """Return a name, whatever text factory the connection has."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
