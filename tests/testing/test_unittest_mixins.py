"""The mix-ins for unittest."""

from __future__ import annotations

import io
import os
import unittest
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dmemfs.unittest_mixin import MemoryFileSystemMixin
from dmemfs_sqlite.unittest_mixin import MemoryDatabaseMixin

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]


def run(*cases: type[unittest.TestCase]) -> tuple[unittest.TestResult, str]:
    """Return the result of test cases, and what their runner wrote."""
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases
    )
    stream = io.StringIO()
    return unittest.TextTestRunner(stream).run(suite), stream.getvalue()


def assert_passed(*cases: type[unittest.TestCase]) -> None:
    result, text = run(*cases)
    assert result.testsRun > 0
    assert result.wasSuccessful(), text


def test_a_file_system_for_each_test() -> None:
    seen: list[Any] = []

    class Case(MemoryFileSystemMixin, unittest.TestCase):
        memfs_tree: ClassVar[Any] = {"a": {"b": "x"}}
        memfs_quota = 100

        def test_one(self) -> None:
            seen.append(self.memfs)
            self.memfs.remove("/a/b")

        def test_two(self) -> None:
            assert self.memfs not in seen
            assert self.memfs.to_tree() == {"a": {"b": "x"}}
            assert self.memfs.stats()["quota_bytes"] == 100
            assert not os.path.exists("/mem")

    assert_passed(Case)


def test_mounted() -> None:
    before = os.stat, Path.cwd()

    class Mounted(MemoryFileSystemMixin, unittest.TestCase):
        memfs_path = "/mem"
        memfs_tree: ClassVar[Any] = {"in": "1"}

        def setUp(self) -> None:
            super().setUp()
            Path("made in setUp").touch()

        def test_it(self) -> None:
            assert Path.cwd() == Path("/mem")
            assert Path("in").read_text() == "1"
            assert self.memfs.is_file("/made in setUp")

    class Isolated(MemoryFileSystemMixin, unittest.TestCase):
        memfs_path = "/"
        memfs_passthrough: ClassVar[Any] = [str(PROJECT)]

        def test_it(self) -> None:
            assert not Path("/etc").exists()
            assert (PROJECT / "README.md").exists()

    assert_passed(Mounted, Isolated)
    assert (os.stat, Path.cwd()) == before


def test_a_database_for_each_test() -> None:
    built: list[int] = []

    class Case(MemoryDatabaseMixin, unittest.TestCase):
        @staticmethod
        def memdb_template(connection: Any) -> None:
            built.append(1)
            connection.execute("CREATE TABLE t (x)")

        def test_one(self) -> None:
            with self.memdb:
                self.memdb.execute("INSERT INTO t VALUES (1)")

        def test_two(self) -> None:
            assert self.memdb.execute("SELECT * FROM t").fetchall() == []
            assert self.memfs.is_file("/memdb.db")

    class Derived(Case):
        memdb_template = "CREATE TABLE u (x)"  # type: ignore[assignment]

        def test_one(self) -> None:
            assert self.memdb.execute("SELECT * FROM u").fetchall() == []

        def test_two(self) -> None:
            self.test_one()

    class Empty(MemoryDatabaseMixin, unittest.TestCase):
        def test_it(self) -> None:
            assert self.memdb.execute("SELECT * FROM sqlite_master").fetchall() == []

    assert_passed(Case, Derived, Empty)
    assert built == [1]


def test_what_fails_shows_its_tree() -> None:
    class Case(MemoryFileSystemMixin, unittest.TestCase):
        def test_failing(self) -> None:
            self.memfs.write_text("/seen", "x")
            self.memfs.fail().__enter__()
            self.fail("reason")

        def test_error(self) -> None:
            self.memfs.write_text("/also", "x")
            raise RuntimeError

        def test_sub(self) -> None:
            self.memfs.write_text("/once", "x")
            for number in range(2):
                with self.subTest(number):
                    assert number

        def test_passing(self) -> None:
            self.memfs.write_text("/hidden", "x")

    result, text = run(Case)
    assert (len(result.failures), len(result.errors)) == (2, 1)
    for name in ("/seen", "/also", "/once"):
        assert f"           1 {name}\n" in text
    assert "/hidden" not in text


def test_a_test_that_never_began_shows_nothing() -> None:
    class Case(MemoryFileSystemMixin, unittest.TestCase):
        memfs_quota = 1
        memfs_tree: ClassVar[Any] = {"a": "too long"}

        def test_it(self) -> None: ...

    result, text = run(Case)
    assert len(result.errors) == 1
    assert "QuotaExceededError" in text
    assert "memfs:" not in text


def test_under_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import unittest
        from pathlib import Path
        from dmemfs.unittest_mixin import MemoryFileSystemMixin

        class TestIt(MemoryFileSystemMixin, unittest.TestCase):
            memfs_path = "/mem"

            def test_passing(self):
                Path("x").touch()
                assert self.memfs.listdir() == ["x"]

            def test_failing(self):
                Path("shown").touch()
                assert False
        """
    )
    result = pytester.runpytest_inprocess("-p", "dmemfs.pytest_plugin")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*memfs (call)*", "* /shown"])
