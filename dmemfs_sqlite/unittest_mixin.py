"""For unittest: a SQLite database in memory for each test."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar

from dmemfs.unittest_mixin import MemoryFileSystemMixin

from ._live.private import Images, open_private


class MemoryDatabaseMixin(MemoryFileSystemMixin):
    """Gives each test a database of its own, `self.memdb`, in a file system of its own.

    Attributes:
        memdb: a connection to the file "/memdb.db" of `self.memfs`.
        memdb_template: what it begins with: SQL, the bytes of a database file, a
            `DatabaseTemplate`, a static method that is given a connection to an empty database;
            None for nothing. It is built once for a class and those derived from it.
    """

    memdb: sqlite3.Connection
    memdb_template: ClassVar[Any] = None
    _images: ClassVar[Images] = Images()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "memdb_template" in vars(cls):
            cls._images = Images()

    def setUp(self) -> None:
        super().setUp()
        self.memdb = open_private(self.memfs, self.memdb_template, self._images)
        self.addCleanup(self.memdb.close)
