"""Tests whose databases come from one saved snapshot.

The schema and the rows that all tests need are made once and saved in a MemoryFileSystem. Each
test then loads a fresh copy of them into a database in memory of its own, whatever the tests
before it have done, and the code under test may open as many connections, in as many threads, as it
likes. Nothing is written to the disk, and there is nothing to clean up.
"""

# ruff: noqa: PT009, PT027 (the project tests with pytest, and this shows unittest)

from __future__ import annotations

import sqlite3
import sys
import threading
import unittest
from contextlib import closing
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import explain_uri, load_db, memory_uri, save_db

SCHEMA = """
CREATE TABLE items (name TEXT PRIMARY KEY, stock INTEGER NOT NULL CHECK (stock >= 0));
INSERT INTO items VALUES ('apples', 100), ('pears', 5);
"""
SNAPSHOT = "/snapshots/shop.db"

# Otherwise plain connections of sqlite3 get an error where they ought to wait for each other.
CONNECTIONS_WAIT = explain_uri(memory_uri("any")).engine == "memdb"


def take_from_stock(uri: str, name: str, count: int) -> None:
    """Take items from the stock: the code under test, with a connection of its own."""
    with closing(sqlite3.connect(uri, uri=True)) as connection, connection:
        connection.execute("UPDATE items SET stock = stock - ? WHERE name = ?", (count, name))


class DatabaseTestCase(unittest.TestCase):
    """A test with a database of its own."""

    fs: MemoryFileSystem

    @classmethod
    def setUpClass(cls) -> None:
        cls.fs = MemoryFileSystem()
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(SCHEMA)
            save_db(cls.fs, SNAPSHOT, connection)

    def setUp(self) -> None:
        # Named after the test, so that no two tests can meet in one database.
        self.uri = memory_uri(self.id())
        self.connection = load_db(self.fs, SNAPSHOT, self.uri)
        self.addCleanup(self.connection.close)

    def stock(self, name: str) -> int:
        """Return how many items are left."""
        query = "SELECT stock FROM items WHERE name = ?"
        (count,) = self.connection.execute(query, (name,)).fetchone()
        return int(count)


class StockTest(DatabaseTestCase):
    """Each of them finds 100 apples and 5 pears, in whatever order they run."""

    def test_items_are_taken(self) -> None:
        take_from_stock(self.uri, "apples", 60)
        self.assertEqual(self.stock("apples"), 40)

    def test_nothing_is_taken_where_there_is_too_little(self) -> None:
        with self.assertRaises(sqlite3.IntegrityError):
            take_from_stock(self.uri, "pears", 6)
        self.assertEqual(self.stock("pears"), 5)

    @unittest.skipUnless(CONNECTIONS_WAIT, "the memdb of this SQLite does not isolate")
    def test_threads_take_items_at_once(self) -> None:
        def take_ten() -> None:
            for _ in range(10):
                take_from_stock(self.uri, "apples", 1)

        threads = [threading.Thread(target=take_ten) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(self.stock("apples"), 60)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
