"""Tests with a private copy of one large database each.

The schema and the rows that all tests need are made once. Each test then opens a copy that shares
them until it writes, and that goes when it is closed.
"""

# ruff: noqa: PT009 (the project tests with pytest, and this shows unittest)

from __future__ import annotations

import sqlite3
import sys
import unittest
from contextlib import closing
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate

ORDERS = 10_000


def build(connection: sqlite3.Connection) -> None:
    """Make the schema and the data that all tests begin with."""
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, paid INTEGER)")
    connection.executemany(
        "INSERT INTO orders (item, paid) VALUES (?, 0)", ((f"item {n}",) for n in range(ORDERS))
    )


template = DatabaseTemplate(MemoryFileSystem(), build, key="schema 1")


def pay_all(connection: sqlite3.Connection) -> int:
    """Mark every order as paid; the code under test."""
    with connection:
        return connection.execute("UPDATE orders SET paid = 1 WHERE paid = 0").rowcount


class OrdersTest(unittest.TestCase):
    """Each test has the whole database for itself, and spoils it for nobody."""

    def setUp(self) -> None:
        self.connection = self.enterContext(closing(template.connect()))

    def unpaid(self) -> int:
        (number,) = self.connection.execute("SELECT count(*) FROM orders WHERE NOT paid").fetchone()
        return int(number)

    def test_all_are_paid(self) -> None:
        self.assertEqual(pay_all(self.connection), ORDERS)
        self.assertEqual(self.unpaid(), 0)

    def test_the_paid_ones_are_left_alone(self) -> None:
        with self.connection:
            self.connection.execute("UPDATE orders SET paid = 1 WHERE id <= 10")
        self.assertEqual(pay_all(self.connection), ORDERS - 10)

    def test_without_orders(self) -> None:
        with self.connection:
            self.connection.execute("DELETE FROM orders")
        self.assertEqual(pay_all(self.connection), 0)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
