"""A database rewritten with another page size, for targets in memory that cannot change theirs.

VACUUM does not change the page size of a database in memory, so that this does what VACUUM
does: the tables row by row, the rest of the schema as it stands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from .._engine.image import ImageHeader
from .._engine.integrity import integrity_problems
from .._engine.sql import query_value, quote_name
from .._errors import IncompatibleTargetError
from .copy import attached_image

_AUTO_VACUUM = {"none": 0, "full": 1, "incremental": 2}
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
# Tables without pages of their own are virtual; their content is in ordinary tables.
_ORDINARY = "type = 'table' AND rootpage > 0"


@contextmanager
def with_page_size(
    image: bytes, header: ImageHeader, page_size: int
) -> Iterator[sqlite3.Connection]:
    """Open a private database with the content of an image and another page size.

    Args:
        image: A sound database file.
        header: Its header.
        page_size: Bytes, a power of two from 512 to 65536.

    Raises:
        IncompatibleTargetError: The schema needs functions that only its application has.

    Complexity:
        Linear in the size of the database, with a second copy of it in memory.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as converted:
        try:
            converted.execute(f"PRAGMA page_size = {page_size}")
            converted.execute(f"PRAGMA encoding = '{header.encoding}'")
            converted.execute(f"PRAGMA auto_vacuum = {_AUTO_VACUUM[header.auto_vacuum]}")
            with attached_image(converted, "source", image, header):
                _copy_content(converted)
                converted.execute(f"PRAGMA user_version = {header.user_version}")
                converted.execute(f"PRAGMA application_id = {header.application_id}")
            problems = integrity_problems(converted, full=False)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            problems = [str(error)]
        if problems:
            raise IncompatibleTargetError(
                f"the snapshot has pages of {header.page_size} bytes, the target of {page_size}, "
                f"and converting it failed ({'; '.join(problems)}): close all connections to the "
                "target, or load into another name"
            )
        yield converted


def _copy_content(connection: sqlite3.Connection) -> None:
    """Copy all of the schema `source` into the empty schema `main`."""
    # Also allows names like sqlite_stat1 and rows that CHECK would refuse today.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("BEGIN")
    tables = connection.execute(
        f"SELECT name, sql FROM source.sqlite_master WHERE {_ORDINARY} "
        "AND name <> 'sqlite_sequence' ORDER BY rowid"
    ).fetchall()
    for name, sql in tables:
        connection.execute(sql)
        _copy_rows(connection, name)
    _copy_sequence(connection)
    # After the rows, since one long sort is faster than many searches.
    indexes = connection.execute(
        "SELECT sql FROM source.sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        "ORDER BY rowid"
    ).fetchall()
    for (sql,) in indexes:
        connection.execute(sql)
    connection.execute(
        "INSERT INTO main.sqlite_master SELECT * FROM source.sqlite_master "
        "WHERE type IN ('view', 'trigger') OR (type = 'table' AND rootpage = 0)"
    )
    connection.execute("COMMIT")
    # Also makes the connection read the schema again, with what was just put into it.
    connection.execute("PRAGMA writable_schema = RESET")


def _copy_rows(connection: sqlite3.Connection, table: str) -> None:
    quoted = quote_name(table)
    information = connection.execute(f"PRAGMA main.table_xinfo({quoted})").fetchall()
    # The others are generated, and computed again.
    columns = [row[1] for row in information if row[6] == 0]
    names = [quote_name(column) for column in columns]
    if rowid := _rowid_name(connection, quoted, columns):
        names.insert(0, rowid)
    listed = ", ".join(names)
    connection.execute(f"INSERT INTO main.{quoted}({listed}) SELECT {listed} FROM source.{quoted}")


def _rowid_name(connection: sqlite3.Connection, quoted: str, columns: list[str]) -> str | None:
    """Return a name for the rowid of a table, None if it has none or hides it."""
    taken = {column.lower() for column in columns}
    for name in _ROWID_NAMES:
        if name not in taken:
            with suppress(sqlite3.OperationalError):
                connection.execute(f"SELECT {name} FROM source.{quoted} LIMIT 0")
                return name
            return None
    return None


def _copy_sequence(connection: sqlite3.Connection) -> None:
    """Copy the highest rowids that AUTOINCREMENT has ever given."""
    exists = "SELECT count(*) FROM {}.sqlite_master WHERE name = 'sqlite_sequence'"
    if not query_value(connection, exists.format("source")):
        return
    if not query_value(connection, exists.format("main")):
        # Its last table with AUTOINCREMENT was dropped; only such a table can make it.
        connection.execute("CREATE TABLE main.makes_it(x INTEGER PRIMARY KEY AUTOINCREMENT)")
        connection.execute("DROP TABLE main.makes_it")
    connection.execute("DELETE FROM main.sqlite_sequence")
    connection.execute("INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence")
