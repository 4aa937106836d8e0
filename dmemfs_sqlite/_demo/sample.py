"""The database that the demo builds when it is given none: a lending library."""

from __future__ import annotations

import sqlite3

_LIBRARY = """
PRAGMA user_version = 7;
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
CREATE TEMP TABLE numbers AS
    WITH RECURSIVE count(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM count WHERE n < 100000)
    SELECT n FROM count;
INSERT INTO authors SELECT n, 'Author of ' || hex(n * 7919), 1850 + n % 150
    FROM numbers LIMIT 1000;
INSERT INTO books(id, author_id, title, year, price)
    SELECT n, 1 + n % 1000, 'The ' || hex(randomblob(5)) || ' ' || n, 1900 + n % 120, n % 4500 / 1e2
    FROM numbers LIMIT 20000;
INSERT INTO covers SELECT n, randomblob(256) FROM numbers LIMIT 5000;
"""
_SEARCH = """
INSERT INTO books_search(rowid, title, body)
    SELECT books.id, title, 'by ' || name || ', ' || hex(randomblob(20)) || ', ' || year
    FROM books JOIN authors ON authors.id = author_id;
"""
_LOANS = """
INSERT INTO loans
    SELECT 1 + n % 20000, date('2020-01-01', '+' || (n / 40) || ' days'), 'reader ' || n % 5000
    FROM numbers LIMIT {rows};
DROP TABLE numbers;
"""


def build_sample() -> tuple[sqlite3.Connection, str]:
    """Return a private database of 100,000 rows, and what is in it."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_LIBRARY)
    try:
        connection.execute("CREATE VIRTUAL TABLE books_search USING fts5(title, body)")
    except sqlite3.OperationalError:
        loans, search = 74_000, "no FTS5, which this SQLite lacks"
    else:
        connection.executescript(_SEARCH)
        loans, search = 54_000, "FTS5"
    connection.executescript(_LOANS.format(rows=loans))
    return connection, f"100,000 rows; an index, a view, WITHOUT ROWID, {search}"
