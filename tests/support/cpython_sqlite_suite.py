"""CPython's own tests of sqlite3, as they stand, on live databases.

Run it as `python -m tests.support.cpython_sqlite_suite`, with a Python that has its own tests.
Databases in memory become new files of a file system, and files are in a mounted one. It prints as
JSON how many tests ran, how many databases they opened, and which tests did not pass, and why.
"""

from __future__ import annotations

import importlib
import io
import itertools
import json
import sqlite3
import unittest
from collections.abc import Iterator
from typing import Any

import dmemfs_sqlite
from dmemfs import MemoryFileSystem, mount

MODULES = (
    *("backup", "dbapi", "dump", "factory", "hooks", "regression", "transactions", "types"),
    "userfunctions",
)
_MOUNTED = "/live"
_numbers = itertools.count()
_fs = MemoryFileSystem(max_quota=None)
_connect = sqlite3.connect


def connect(database: Any = ":memory:", *arguments: Any, **options: Any) -> Any:
    """Open a live database in place of one in memory; files are live where they are."""
    if database != ":memory:":
        return _connect(database, *arguments, **options)
    path = f"/memory-{next(_numbers)}"
    if arguments:
        return _connect(dmemfs_sqlite.live_uri(_fs, path), *arguments, **options, uri=True)
    return dmemfs_sqlite.connect(_fs, path, **options)


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def run() -> dict[str, Any]:
    os_helper: Any = importlib.import_module("test.support.os_helper")
    os_helper.TESTFN = f"{_MOUNTED}/{os_helper.TESTFN}"
    sqlite3.connect = connect
    importlib.import_module("sqlite3.dbapi2").connect = connect  # type: ignore[attr-defined]
    suite = unittest.TestSuite()
    for name in MODULES:
        module = importlib.import_module(f"test.test_sqlite3.test_{name}")
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    tests = list(tests_of(suite))
    with mount(_fs, _MOUNTED):
        result = unittest.TextTestRunner(io.StringIO()).run(unittest.TestSuite(tests))
    failed = {
        case.id().removeprefix("test.test_sqlite3."): text
        for case, text in result.errors + result.failures
    }
    databases = next(_numbers)
    return {"ran": result.testsRun, "databases": databases, "failed": failed}


if __name__ == "__main__":
    outcome = run()
    print("\n" + json.dumps(outcome))
