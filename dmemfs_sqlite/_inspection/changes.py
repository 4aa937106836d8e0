"""What is different in two databases: their schema, and their rows by table."""

from __future__ import annotations

import reprlib
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, get_type_hints

from dmemfs._arguments import whole_number

from .sides import Side, one_moment, opened
from .tables import Reading, Table, encoding_of, reading_of, schema_of, tables_of

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


@dataclass(slots=True)
class TableChanges:
    """What is different in the rows of a table.

    A row is a dictionary of the values by the names of the columns; by "rowid" too, if that is the
    key.

    Attributes:
        key: The columns that say which row is which: its primary key, or "rowid"; all of them where
            there is neither.
        added: The rows that only the latter database has, in the order of the key.
        removed: The rows that only the former has.
        changed: Pairs of what a row was and what it is.
        counts: How many rows were added, removed and changed, of which `limit` leaves some out
            above.
    """

    key: tuple[str, ...]
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SIGNS, 0))

    def __bool__(self) -> bool:
        return any(self.counts.values())

    def lines(self) -> Iterator[str]:
        """Yield a line for each row that is kept."""
        yield from (f"- {_all_of(row)}" for row in self.removed)
        yield from (f"+ {_all_of(row)}" for row in self.added)
        for before, after in self.changed:
            key = " ".join(_all_of({name: before[name]}) for name in self.key if name in before)
            differences = ", ".join(
                f"{name}: {_short.repr(value)} -> {_short.repr(after[name])}"
                for name, value in before.items()
                if type(value) is not type(after[name]) or value != after[name]
            )
            yield f"~ {key}: {differences}"
        kept = len(self.added) + len(self.removed) + len(self.changed)
        more = sum(self.counts.values()) - kept
        if more:
            yield f"  and {more:,} more"


@dataclass(slots=True)
class SchemaChanges:
    """What is different in the tables, indexes, views and triggers themselves.

    Attributes:
        added: The SQL of those that only the latter database has, by type and name, such as
            ("table", "orders").
        removed: The SQL of those that only the former has.
        changed: Pairs of what the SQL was and what it is.
    """

    added: dict[tuple[str, str], str]
    removed: dict[tuple[str, str], str]
    changed: dict[tuple[str, str], tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(slots=True)
class DatabaseChanges:
    """What is different in two databases; false if nothing is, and a text for people by `str()`.

    Attributes:
        tables: What is different in rows, by the names of the tables in which something is.
        schema: What is different in the schema.
    """

    tables: dict[str, TableChanges]
    schema: SchemaChanges

    def __bool__(self) -> bool:
        return bool(self.tables or self.schema)

    def __str__(self) -> str:
        return "\n".join(self._lines()) or "no changes"

    def _lines(self) -> Iterator[str]:
        for word, sign in _SIGNS.items():
            for kind, name in getattr(self.schema, word):
                yield f"{sign} {kind} {name}"
        for name, table in self.tables.items():
            counts = (f"{count:,} {word}" for word, count in table.counts.items() if count)
            yield f"{name}: {', '.join(counts)}"
            yield from (f"  {line}" for line in table.lines())


def changes(before: Side, after: Side, *, limit: int | None = None) -> DatabaseChanges:
    """Return what is different in two databases.

    Rows are told by the primary key of their table, else by their rowid, and compared by what
    SQLite stores: 1 is not 1.0, and text is compared byte by byte, whatever the collation. Each
    database is read as of one moment, in the order of the keys, and rows that are equal are not
    kept. Columns that only one of them has, and those that are generated, show in the schema alone.
    Virtual tables are compared by what they say, and SQLite's own tables not at all.

    Args:
        before: The former database: a connection, with what it has not committed; a
            `DatabaseTemplate`; `(fs, path)` or `(snapshot, path)`; the bytes of a database file,
            none of an empty one; a path of the disk or in a mount, or a URI.
        after: The latter, likewise.
        limit: How many rows of each kind are kept for each table; None for all. They are counted
            anyway.

    Raises:
        TypeError: One of them is something else.
        ValueError: Their texts have different encodings.
        OSError: There is no such file in the file system or the snapshot.
        sqlite3.Error: One of them cannot be read.

    Complexity:
        O(rows), in memory O(rows that differ); and that of sorting, in SQLite's temporary storage,
        for a primary key whose index has another collation.
    """
    most = None if limit is None else whole_number(limit, "limit", least=0)
    with ExitStack() as stack:
        former, latter = (stack.enter_context(opened(side)) for side in (before, after))
        for connection in (former, latter):
            stack.enter_context(one_moment(connection))
        return _compare(former, latter, most)


def _compare(
    before: sqlite3.Connection, after: sqlite3.Connection, limit: int | None
) -> DatabaseChanges:
    former, latter = tables_of(before), tables_of(after)
    encoding = encoding_of(after if latter else before)
    if former and latter and encoding_of(before) != encoding:
        raise ValueError(
            f"the databases have different encodings, {encoding_of(before)} and {encoding}: "
            "compare copies by VACUUM INTO of one encoding"
        )
    tables = {}
    for name in sorted({*former, *latter}):
        found = _compare_table(before, after, former.get(name), latter.get(name), encoding, limit)
        if found:
            tables[name] = found
    return DatabaseChanges(tables, _compare_schemas(schema_of(before), schema_of(after)))


def _compare_schemas(
    before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]
) -> SchemaChanges:
    return SchemaChanges(
        added={name: sql for name, sql in after.items() if name not in before},
        removed={name: sql for name, sql in before.items() if name not in after},
        changed={
            name: (sql, after[name])
            for name, sql in before.items()
            if name in after and after[name] != sql
        },
    )


def _compare_table(
    before: sqlite3.Connection,
    after: sqlite3.Connection,
    former: Table | None,
    latter: Table | None,
    encoding: str,
    limit: int | None,
) -> TableChanges:
    reading = reading_of(former, latter)
    rowid = (reading.rowid,) if reading.rowid is not None else ()
    found = TableChanges(reading.key or rowid)
    merged = _merge(
        reading,
        iter(()) if former is None else reading.rows(before),
        iter(()) if latter is None else reading.rows(after),
    )
    for old, new in merged:
        kind = "added" if old is None else "removed" if new is None else "changed"
        found.counts[kind] += 1
        kept = getattr(found, kind)
        if limit is None or len(kept) < limit:
            values = [reading.values_of(row, encoding) for row in (old, new) if row is not None]
            kept.append(values[0] if len(values) == 1 else tuple(values))
    return found


def _merge(
    reading: Reading, before: Iterator[Any], after: Iterator[Any]
) -> Iterator[tuple[Any, Any]]:
    """Yield what rows were and are, where that differs; None for a row that is not there."""
    old, new = next(before, None), next(after, None)
    while old is not None and new is not None:
        if old == new:
            old, new = next(before, None), next(after, None)
            continue
        former, latter = reading.key_of(old), reading.key_of(new)
        if former == latter:
            yield old, new
            old, new = next(before, None), next(after, None)
        elif former < latter:
            yield old, None
            old = next(before, None)
        else:
            yield None, new
            new = next(after, None)
    yield from ((row, None) for row in chain([old] if old else [], before))
    yield from ((None, row) for row in chain([new] if new else [], after))


def _all_of(row: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short.repr(value)}" for name, value in row.items())


for _public in (DatabaseChanges, SchemaChanges, TableChanges, changes):
    _public.__annotations__ = get_type_hints(_public)  # the names in them are known here only
    _public.__module__ = "dmemfs_sqlite"  # where users find them
