"""SQLite's own integrity check, also for databases whose application is not here.

A schema may use collations and functions that its application registers. Without them the
check would fail on a sound database, so that they are stood in for; what depends on their
meaning (the order of an index, a CHECK constraint) is then left unproven.
"""

from __future__ import annotations

import re
import sqlite3

_MISSING = re.compile(r"(?:no such|unknown) (collation sequence|function): (.+?)(?:\(\))?$")
_FINDINGS = 5
# What reading a damaged database raises: sqlite3 decodes what SQLite says, names and all.
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
_MOST_STAND_INS = 100


def integrity_problems(connection: sqlite3.Connection, *, full: bool) -> list[str]:
    """Return what SQLite finds wrong with the main database, nothing if it is sound.

    Args:
        connection: A connection that nobody needs afterwards: it may get stand-ins.
        full: Compare the indexes with their tables, too.

    Complexity:
        Linear in the size of the database, and O(n log n) with `full`.
    """
    stand_ins: set[str] = set()
    while True:
        pragma = "integrity_check" if full and not stand_ins else "quick_check"
        try:
            # Reads the schema, which is where a damaged one shows.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            found = [row[0] for row in connection.execute(f"PRAGMA {pragma}({_FINDINGS})")]
        except DAMAGE as error:
            missing = _MISSING.match(str(error))
            if missing is None or missing[2] in stand_ins or len(stand_ins) == _MOST_STAND_INS:
                return [str(error)]
            stand_ins.add(missing[2])
            _stand_in(connection, missing[1], missing[2])
            continue
        return [] if found == ["ok"] else found


def _stand_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    connection.execute("PRAGMA ignore_check_constraints = ON")
    if kind == "function":
        connection.create_function(name, -1, lambda *_: None, deterministic=True)
    else:
        connection.create_collation(name, lambda left, right: (left > right) - (left < right))
