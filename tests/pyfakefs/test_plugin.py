"""`pytest -p dmemfs.pyfakefs`: the fixtures, and what `import pyfakefs` finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]
DROP_IN = ("-p", "dmemfs.pyfakefs")
OF_PYFAKEFS = ("-p", "pyfakefs.pytest_plugin")


@pytest.fixture(autouse=True)
def project_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # Not all warnings: pytest has one for a plugin that this process has imported already.
    return pytester.runpytest_inprocess("-W", "error::ResourceWarning", *DROP_IN, *arguments)


FIXTURES = """
import os
from pathlib import Path

import pytest

def test_made(fs):
    fs.create_file("/x")
    assert os.path.exists("/x")
    assert not os.path.exists(__file__)

def test_new_for_each(fs):
    assert not os.path.exists("/x")

def test_the_disk():
    assert os.path.exists(__file__)

@pytest.mark.parametrize("fs", [[None, None, None, False]], indirect=True)
def test_arguments_of_the_patcher(fs):
    assert os.stat(fs.create_file("/x").path).st_uid == 1

class TestClass:
    def test_one(self, fs_class):
        fs_class.create_file("/of_the_class")

    def test_two(self, fs_class):
        assert os.path.exists("/of_the_class")

    def test_the_same(self, fs, fs_class):
        assert fs is fs_class

def test_after_the_class():
    assert os.path.exists(__file__)

@pytest.fixture(scope="module")
def prepared(fs_module):
    fs_module.create_file("/of_the_module")

def test_module(prepared):
    assert os.path.exists("/of_the_module")

def test_module_again(prepared):
    assert os.path.exists("/of_the_module")
"""


@pytest.mark.parametrize("plugin", [OF_PYFAKEFS, DROP_IN], ids=["pyfakefs", "dmemfs"])
def test_fixtures(pytester: pytest.Pytester, plugin: tuple[str, ...]) -> None:
    pytester.makepyfile(FIXTURES)
    pytester.runpytest_subprocess(*plugin).assert_outcomes(passed=10)


def test_one_file_system_for_the_session(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_a="def test_a(fs_session): fs_session.create_file('/x')",
        test_b="import os\ndef test_b(fs_session): assert os.path.exists('/x')",
    )
    run(pytester).assert_outcomes(passed=2)


def test_what_import_pyfakefs_finds(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from pyfakefs.fake_filesystem_unittest import Patcher

        @pytest.fixture
        def own():
            with Patcher() as patcher:
                yield patcher.fs
        """
    )
    pytester.makepyfile(
        """
        import os
        import pyfakefs
        import pyfakefs.helpers
        from pyfakefs import fake_filesystem, pytest_plugin
        from pyfakefs.fake_filesystem_unittest import Pause, TestCase, TestCaseMixin, patchfs
        from pyfakefs.fake_file import FakeDirectory
        import dmemfs.pyfakefs

        def test_it(own):
            assert isinstance(own, fake_filesystem.FakeFilesystem)
            assert isinstance(own, dmemfs.pyfakefs.FakeFilesystem)
            assert isinstance(own.create_dir("/d"), FakeDirectory)
            pyfakefs.helpers.set_uid(5)
            assert own.create_file("/f").st_uid == 5
            assert pytest_plugin.fs is not None
            assert pyfakefs.__version__ >= "6"

        class TestIt(TestCase):
            def test(self):
                self.setUpPyfakefs()
                assert not os.path.exists(__file__)
        """
    )
    there = sys.modules.get("pyfakefs")
    run(pytester).assert_outcomes(passed=2)
    assert sys.modules.get("pyfakefs") is there


def test_it_comes_before_the_plugin_of_pyfakefs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(fs, pytestconfig):
            assert type(fs).__module__.startswith("dmemfs.")
        """
    )
    for order in ((*DROP_IN, *OF_PYFAKEFS), (*OF_PYFAKEFS, *DROP_IN)):
        pytester.runpytest_inprocess(*order).assert_outcomes(passed=1)


def test_workers_of_xdist(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest("from pyfakefs.fake_filesystem_unittest import Patcher")
    pytester.makepyfile(
        """
        from conftest import Patcher

        def test_it(fs):
            assert type(fs).__module__.startswith("dmemfs.")
            assert Patcher.__module__.startswith("dmemfs.")
        """
    )
    result = pytester.runpytest_subprocess(
        "-p", "xdist.plugin", "-p", "dmemfs.pytest_plugin", *DROP_IN, "-n", "1"
    )
    result.assert_outcomes(passed=1)


def test_reports_see_the_disk(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import os

        def pytest_runtest_logreport(report):
            assert os.path.exists(__file__)
            with open("reports", "a") as file:
                print(report.when, file=file)
        """
    )
    pytester.makepyfile("def test_it(fs): assert 1 == 2")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*def test_it(fs): assert 1 == 2*"])
    reports = pytester.path / "reports"
    assert reports.read_text(encoding="utf-8").split() == ["setup", "call", "teardown"]


def test_with_other_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_captured(fs, capfd):
            os.write(1, b"seen")
            assert capfd.readouterr().out == "seen"

        def test_a_directory_from_before(tmp_path, fs):
            assert not tmp_path.exists()

        def test_a_directory_from_meanwhile(fs, tmp_path):
            assert not tmp_path.exists()
            fs.pause()
            assert tmp_path.is_dir()
            fs.resume()

        def test_patched(fs, monkeypatch):
            monkeypatch.setattr(os, "listdir", lambda path: ["mock"])
            assert os.listdir("/") == ["mock"]

        def test_as_it_was():
            assert os.listdir(os.path.dirname(__file__)) != ["mock"]
        """
    )
    run(pytester).assert_outcomes(passed=5)


UNITTEST = """
import os, sys
{begin}
from pyfakefs.fake_filesystem_unittest import TestCase, load_doctests
import unittest

class Case(TestCase):
    def setUp(self):
        self.setUpPyfakefs()

    def test_it(self):
        self.fs.create_file("/x")
        assert os.path.exists("/x")
        assert not os.path.exists(__file__)

def example():
    '''
    >>> with open("/x", "w") as file: _ = file.write("y")
    >>> os.listdir("/")
    ['tmp', 'x']
    '''

def load_tests(loader, tests, ignore):
    return load_doctests(loader, tests, ignore, sys.modules[__name__])

if __name__ == "__main__":
    unittest.main()
"""


def test_unittest_alone(tmp_path: Path) -> None:
    begin = "import dmemfs.pyfakefs; dmemfs.pyfakefs.replace_pyfakefs()"
    (tmp_path / "tests.py").write_text(UNITTEST.format(begin=begin), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "tests.py"],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert "Ran 2 tests" in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_pyfakefs_that_somebody_has_imported_is_not_replaced() -> None:
    import pyfakefs

    import dmemfs.pyfakefs

    with pytest.raises(RuntimeError, match="imported already"):
        dmemfs.pyfakefs.replace_pyfakefs()
    assert sys.modules["pyfakefs"] is pyfakefs


def test_nobody_pays_who_does_not_ask() -> None:
    code = (
        "import sys, dmemfs, dmemfs.pytest_plugin;"
        "print([name for name in sys.modules if 'fakefs' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.strip() == "[]"
