"""`pytest --memfs-no-disk-writes`: each session is a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mount.test_disk_writes import needs_landlock

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]
OPTION = "--memfs-no-disk-writes"


@pytest.fixture(autouse=True)
def project_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest in a process of its own import the project, and no plugin that is just there."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugin = ("-p", "dmemfs.pytest_plugin", "-W", "error")
    return pytester.runpytest_subprocess(*plugin, *arguments, timeout=50)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a suite of which one test writes where the suite is, and one in `out`."""
    pytester.mkdir("out")
    pytester.makepyfile(
        """
        import os
        import pathlib
        import tempfile

        HERE = pathlib.Path(__file__).parent

        def test_here():
            (HERE / "new").write_text("")

        def test_out():
            (HERE / "out" / "new").write_text("")

        def test_memory(memfs_mount, capfd):
            (memfs_mount / "new").write_text("")
            os.write(1, b"captured")
            assert capfd.readouterr().out == "captured"
            with tempfile.TemporaryFile() as file:
                file.write(b"")
        """
    )
    return pytester


@needs_landlock
def test_what_writes_to_the_disk_fails_where_it_does(suite: pytest.Pytester) -> None:
    result = run(suite, OPTION)
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*PermissionError: *new*"])
    assert not (suite.path / "new").exists()
    assert not (suite.path / ".pytest_cache").exists()


@needs_landlock
@pytest.mark.parametrize("arguments", [[f"{OPTION}=out"], [OPTION, f"{OPTION}=out"]])
def test_directories_can_be_allowed(suite: pytest.Pytester, arguments: list[str]) -> None:
    result = run(suite, *arguments)
    result.assert_outcomes(failed=1, passed=2)
    assert (suite.path / "out" / "new").exists()


@needs_landlock
def test_what_follows_the_option_is_what_is_to_be_tested(suite: pytest.Pytester) -> None:
    suite.mkdir("other").joinpath("test_other.py").write_text("def test_other(): pass\n")
    run(suite, OPTION, "other").assert_outcomes(passed=1)


@needs_landlock
def test_workers_are_held_too(suite: pytest.Pytester) -> None:
    result = run(suite, OPTION, "-p", "xdist", "-n", "2")
    result.assert_outcomes(failed=2, passed=1)


def test_a_directory_that_is_not_there_ends_the_session(suite: pytest.Pytester) -> None:
    result = run(suite, f"{OPTION}=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{OPTION}: *none*"])


def test_without_the_option_all_is_written(suite: pytest.Pytester) -> None:
    run(suite).assert_outcomes(passed=3)


def test_where_the_kernel_has_none_the_session_ends(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        """
        import sys
        sys.platform = "other"
        """
    )
    result = run(suite, OPTION)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{OPTION}: *not forbidden*"])
