"""Settings of a connection that are given when it is opened."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, TypeAlias

PragmaValue: TypeAlias = str | int | float | bool
Pragmas: TypeAlias = Mapping[str, PragmaValue]

_NAME = re.compile(r"(?:\w+\.)?(\w+)", re.ASCII)


def set_pragmas(connection: sqlite3.Connection, pragmas: Pragmas | None) -> None:
    """Set what PRAGMA statements set, in order; close the connection if that fails.

    Args:
        connection: a new one.
        pragmas: values by name, such as `{"foreign_keys": "on"}`.

    Raises:
        ValueError: SQLite has no such PRAGMA, which it would not say itself.
        TypeError: `pragmas` is no mapping, or a value is none that a PRAGMA can have.
    """
    if not pragmas:
        return
    try:
        known = {row[0] for row in connection.execute("SELECT name FROM pragma_pragma_list")}
        statements = [_statement(name, value, known) for name, value in _items(pragmas)]
        # Some cannot be set in a transaction, and with autocommit=False (Python 3.12) there is
        # always one.
        any_connection: Any = connection
        always_in_transaction = getattr(any_connection, "autocommit", True) is False
        if always_in_transaction:
            any_connection.autocommit = True
        for statement in statements:
            connection.execute(statement).fetchall()
        if always_in_transaction:
            any_connection.autocommit = False
    except BaseException:
        connection.close()
        raise


def _items(pragmas: Pragmas) -> list[tuple[str, PragmaValue]]:
    if not isinstance(pragmas, Mapping):
        raise TypeError(
            "pragmas must be a mapping, such as {'foreign_keys': 'on'}, not "
            f"{type(pragmas).__name__}"
        )
    return list(pragmas.items())


def _statement(name: str, value: PragmaValue, known: set[str]) -> str:
    match = _NAME.fullmatch(name)
    if match is None or match[1].lower() not in known:
        raise ValueError(f"SQLite has no PRAGMA {name!r}")
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        return f"PRAGMA {name} = '{quoted}'"
    if not isinstance(value, int | float):
        raise TypeError(f"PRAGMA {name}: the value must be str or a number, not {value!r}")
    return f"PRAGMA {name} = {value}"
