"""What the report of a test that failed says of its `memdb`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]

FAILING = """
    import pytest

    @pytest.fixture(scope="session")
    def memdb_template():
        return '''
            CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, count);
            INSERT INTO orders VALUES (1, 'apple', 5), (2, 'pear', 6);
        '''

    def test_committed(memdb):
        with memdb:
            memdb.execute("UPDATE orders SET count = 7 WHERE id = 2")
        assert not "committed"

    def test_uncommitted(memdb):
        memdb.execute("DELETE FROM orders WHERE id = 1")
        assert not "uncommitted"

    @pytest.mark.memfs(sqlite=None)
    def test_from_nothing(memdb):
        memdb.execute("CREATE TABLE log (line)")
        assert not "from nothing"

    def test_closed(memdb):
        memdb.executescript("INSERT INTO orders VALUES (3, 'plum', 8)")
        memdb.close()
        assert not "closed"

    def test_damaged(memdb, memfs):
        memdb.close()
        memfs.write_bytes("/memdb.db", b"no database")
        assert not "damaged"

    def test_removed(memdb, memfs):
        memdb.close()
        memfs.remove("/memdb.db")
        assert not "removed"

    def test_locked(memdb, memfs):
        from dmemfs_sqlite import connect
        memdb.execute("PRAGMA busy_timeout = 0")
        other = connect(memfs, "/memdb.db")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM orders")
        try:
            assert not "locked"
        finally:
            other.close()

    def test_passes(memdb):
        memdb.execute("DELETE FROM orders")
"""


def test_a_failure_says_what_was_changed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(FAILING)
    plugins = ("-p", "dmemfs.pytest_plugin", "-p", "dmemfs_sqlite.pytest_plugin")
    result = pytester.runpytest_inprocess(*plugins, "-W", "error")
    result.assert_outcomes(failed=7, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_committed*",
            "*memdb (call)*",
            "orders: 1 changed",
            "  ~ id=2: count: 6 -> 7",
            "*test_uncommitted*",
            "*memdb (call)*",
            "orders: 1 removed",
            "  - id=1, item='apple', count=5",
            "*test_from_nothing*",
            "*memdb (call)*",
            "+ table log",
            "*test_closed*",
            "*memdb (call)*",
            "  + id=3, item='plum', count=8",
            "*test_damaged*",
            "*memdb (call)*",
            "what has changed cannot be told: file is not a database",
            "*test_removed*",
            "*memdb (call)*",
            "what has changed cannot be told: *No such file*",
            "*test_locked*",
            "*memdb (call)*",
            "no changes",
        ]
    )
