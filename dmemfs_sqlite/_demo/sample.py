"""The database that the demo builds when it is given none: a lending library."""

from __future__ import annotations

import random
import sqlite3

ROWS = 100_000
AUTHORS, BOOKS, COVERS = 1_000, 20_000, 5_000

_SCHEMA = """
CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT NOT NULL, born INTEGER);
CREATE TABLE books(
    id INTEGER PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES authors,
    title TEXT NOT NULL,
    year INTEGER,
    price REAL,
    label TEXT GENERATED ALWAYS AS (title || ' (' || year || ')') VIRTUAL
);
CREATE TABLE covers(book_id INTEGER PRIMARY KEY REFERENCES books, image BLOB NOT NULL);
CREATE TABLE loans(
    book_id INTEGER NOT NULL REFERENCES books,
    day TEXT NOT NULL,
    reader TEXT NOT NULL,
    PRIMARY KEY (book_id, day, reader)
) WITHOUT ROWID;
CREATE INDEX loans_by_day ON loans(day);
CREATE VIEW busiest AS
    SELECT label, count(*) AS loans FROM books JOIN loans ON book_id = id
    GROUP BY id ORDER BY loans DESC;
"""
_WORDS = (
    *("river", "stone", "winter", "garden", "silent", "northern", "amber", "harbour"),
    *("glass", "letter", "orchard", "storm", "lantern", "meadow", "iron", "paper"),
    *("morning", "salt", "forest", "mirror", "cedar", "station", "island", "candle"),
)


def build_sample() -> sqlite3.Connection:
    """Return a private database of 100,000 rows; always the same content."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute("PRAGMA user_version = 7")
        connection.executescript(_SCHEMA)
        searchable = has_fts5(connection)
        if searchable:
            connection.execute("CREATE VIRTUAL TABLE books_search USING fts5(title, body)")
        connection.execute("BEGIN")
        _fill(connection, random.Random(1), searchable)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def has_fts5(connection: sqlite3.Connection) -> bool:
    """Tell whether this SQLite was built with full-text search."""
    return ("ENABLE_FTS5",) in connection.execute("PRAGMA compile_options").fetchall()


def _fill(connection: sqlite3.Connection, chance: random.Random, searchable: bool) -> None:
    def words(count: int) -> str:
        return " ".join(chance.choices(_WORDS, k=count))

    connection.executemany(
        "INSERT INTO authors VALUES (?, ?, ?)",
        [(n, words(2).title(), 1850 + n % 150) for n in range(1, AUTHORS + 1)],
    )
    books = [(n, 1 + n % AUTHORS, f"The {words(3)} {n}") for n in range(1, BOOKS + 1)]
    connection.executemany(
        "INSERT INTO books(id, author_id, title, year, price) VALUES (?, ?, ?, ?, ?)",
        [(*book, 1900 + book[0] % 120, round(chance.uniform(5, 50), 2)) for book in books],
    )
    if searchable:
        connection.executemany(
            "INSERT INTO books_search(rowid, title, body) VALUES (?, ?, ?)",
            [(number, title, words(12)) for number, _, title in books],
        )
    connection.executemany(
        "INSERT INTO covers VALUES (?, ?)",
        [(n, chance.randbytes(256)) for n in range(1, COVERS + 1)],
    )
    connection.executemany(
        "INSERT INTO loans VALUES (?, date('2020-01-01', ?), ?)",
        [
            (1 + n % BOOKS, f"+{n // 40} days", f"reader {chance.randrange(5000)}")
            # What is left: every book may stand in the full-text table a second time.
            for n in range(ROWS - AUTHORS - COVERS - BOOKS * (2 if searchable else 1))
        ],
    )
