"""Several connections to one database, and the model that they are compared with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.support.machines import CountedMachine
from tests.support.sqlite_model import LockedError, Rows, Session, SharedRows

CONNECTIONS = st.integers(0, 2)
KEYS = st.integers(1, 12)
# Of one page, and of several.
SIZES = st.one_of(st.integers(0, 30), st.integers(0, 9000))
CREATE = "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b TEXT)"


def rows_of(connection: sqlite3.Connection) -> Rows:
    return dict(connection.execute("SELECT a, b FROM t").fetchall())


class ConnectionsMachine(CountedMachine):
    """Transactions of several connections."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: SharedRows | None = None
        self.connections: list[sqlite3.Connection] = []
        self.texts = 0

    def connect(self) -> sqlite3.Connection:
        """Return one more connection in autocommit mode that never waits."""
        raise NotImplementedError

    def start(self, journal: str) -> None:
        self.rows = SharedRows(journal)
        for _ in range(3):
            self.connections.append(self.connect())
            self.rows.sessions.append(Session())
        self.connections[0].execute(CREATE)

    def same(self, act: Callable[[], Any], model: Callable[[], Any]) -> None:
        """Do the same to both: the result is the same, or both say that the database is locked."""
        expected: Any
        try:
            expected = model()
        except LockedError:
            expected = LockedError
        found: Any
        try:
            found = act()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            found = LockedError
        assert found == expected, (found, expected, self.rows)

    def execute(self, number: int, sql: str, *arguments: Any) -> None:
        self.connections[number].execute(sql, arguments)

    @property
    def model(self) -> SharedRows:
        assert self.rows is not None
        return self.rows

    def session(self, number: int) -> Session:
        return self.model.sessions[number]

    # -- transactions ----------------------------------------------------------------------------

    @rule(number=CONNECTIONS, immediate=st.booleans())
    def begin(self, number: int, immediate: bool) -> None:
        session = self.session(number)
        if not session.begun:
            sql = "BEGIN IMMEDIATE" if immediate else "BEGIN"
            self.same(
                lambda: self.execute(number, sql),
                lambda: self.model.begin(session, immediate=immediate),
            )

    @rule(number=CONNECTIONS)
    def read(self, number: int) -> None:
        self.same(
            lambda: rows_of(self.connections[number]), lambda: self.model.read(self.session(number))
        )

    @rule(number=CONNECTIONS, key=KEYS, size=SIZES)
    def put(self, number: int, key: int, size: int) -> None:
        self.texts += 1
        text = f"{self.texts} " * (size // 4 + 1)
        self.same(
            lambda: self.execute(number, "INSERT OR REPLACE INTO t VALUES (?, ?)", key, text),
            lambda: self.model.write(self.session(number), {key: text}),
        )

    @rule(number=CONNECTIONS, key=KEYS)
    def take(self, number: int, key: int) -> None:
        self.same(
            lambda: self.execute(number, "DELETE FROM t WHERE a = ?", key),
            lambda: self.model.write(self.session(number), {key: None}),
        )

    @rule(number=CONNECTIONS, first=KEYS, count=st.integers(1, 12))
    def take_many(self, number: int, first: int, count: int) -> None:
        keys = range(first, first + count)
        self.same(
            lambda: self.execute(
                number, "DELETE FROM t WHERE a BETWEEN ? AND ?", keys[0], keys[-1]
            ),
            lambda: self.model.write(self.session(number), dict.fromkeys(keys)),
        )

    @rule(number=CONNECTIONS)
    def commit(self, number: int) -> None:
        session = self.session(number)
        if session.begun:
            self.same(lambda: self.execute(number, "COMMIT"), lambda: self.model.commit(session))

    @rule(number=CONNECTIONS)
    def roll_back(self, number: int) -> None:
        if self.session(number).begun:
            self.execute(number, "ROLLBACK")
            self.session(number).end()

    @rule(number=CONNECTIONS)
    def connect_again(self, number: int) -> None:
        if any(one.pending for one in self.model.others(self.session(number))):
            return  # A connection reads the database to be told its journal mode.
        self.connections[number].close()
        self.session(number).end()
        self.connections[number] = self.connect()

    @precondition(lambda self: self.rows is not None and self.rows.at_rest)
    @rule(number=CONNECTIONS)
    def vacuum(self, number: int) -> None:
        if not self.session(number).begun:
            self.execute(number, "VACUUM")
            self.model.version += 1

    # -- after each step -------------------------------------------------------------------------

    @invariant()
    def everybody_sees_the_right_rows(self) -> None:
        if self.rows is not None:
            for number, session in enumerate(self.rows.sessions):
                # Who has begun and not read yet would take a lock by reading.
                if not session.begun or session.view is not None:
                    self.read(number)

    def teardown(self) -> None:
        for number in range(len(self.connections)):
            self.roll_back(number)
        if self.rows is not None and self.connections:
            self.everybody_sees_the_right_rows()
            found = self.connections[0].execute("PRAGMA integrity_check").fetchall()
            assert found == [("ok",)]
        for connection in self.connections:
            connection.close()
