"""Another SQLite in place of the one that Python was built with, in each program of an environment.

A module of sqlite3's shape that brings a library of its own (pysqlite3, sqlean) answers to the name
of sqlite3, in programs that the tests start too:

    DMEMFS_SQLITE=sqlean PYTHONPATH=tests/support/another_sqlite python -m pytest tests/sqlite
"""

import importlib
import os
import sys

if name := os.environ.get("DMEMFS_SQLITE"):
    module = importlib.import_module(name)
    sys.modules["sqlite3.dbapi2"] = importlib.import_module(f"{name}.dbapi2")
    sys.modules["_sqlite3"] = importlib.import_module(f"{name}._sqlite3")
    sys.modules["sqlite3"] = module
