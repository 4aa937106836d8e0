"""The plugin for pytest: the fixture `memfs`, its marker, what a failure shows."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]
PLUGIN = "dmemfs.pytest_plugin"


@pytest.fixture(autouse=True)
def project_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest in a process of its own import the project, and no plugin that is just there."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", PLUGIN, "-W", "error", *arguments)


def test_each_test_has_a_file_system_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from dmemfs import MemoryFileSystem

        seen = []

        def test_one(memfs):
            assert type(memfs) is MemoryFileSystem
            memfs.write_text("/a", "1")
            seen.append(memfs)

        def test_two(memfs):
            assert memfs.listdir() == []
            assert memfs is not seen[0]
            assert memfs.stats()["quota_bytes"]
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_options_by_the_nearest_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import errno
        import pytest
        from dmemfs import Link

        pytestmark = pytest.mark.memfs(quota=100, tree={"module": "1"})

        def test_of_the_module(memfs):
            assert memfs.to_tree() == {"module": "1"}
            assert memfs.stats()["quota_bytes"] == 100

        @pytest.mark.memfs(tree={"class": "2"})
        class TestClass:
            def test_of_the_class(self, memfs):
                assert memfs.to_tree() == {"class": "2"}
                assert memfs.stats()["quota_bytes"] == 100

            @pytest.mark.memfs(tree={"a": {"b": b"3", "c": Link("b")}}, quota=None)
            def test_of_its_own(self, memfs):
                assert memfs.read_bytes("/a/c") == b"3"
                assert memfs.stats()["quota_bytes"] is None
        """
    )
    run(pytester, "--strict-markers").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("arguments", "wrong"), [("qouta=1", "qouta"), ("{'a': 'x'}", "arguments without a name")]
)
def test_a_wrong_option_is_named(pytester: pytest.Pytester, arguments: str, wrong: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.memfs({arguments})
        def test_it(memfs): ...
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*the marker memfs takes quota, *by name, not {wrong}*"])


FAILING = """
    import pytest
    from dmemfs import Link

    @pytest.mark.memfs(tree={"src": {"app.py": "x" * 1234, "now": Link("app.py")}, "tmp": {}})
    def test_it(memfs):
        memfs.write_bytes("/out\\nput", b"")
        memfs.fail().__enter__()
        assert not memfs.is_file("/src/app.py")
"""


def test_a_failure_shows_the_tree_whatever_fails_in_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*memfs (call)*",
            "drwxr-xr-x              /src/",
            "-rw-r--r--        1,234 /src/app.py",
            "lrwxrwxrwx              /src/now -> app.py",
            "drwxr-xr-x              /tmp/",
            "-rw-r--r--            0 '/out[\\]nput'",
        ],
        consecutive=False,
    )


def test_failures_around_a_test_show_the_tree_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken(memfs):
            memfs.write_text("/before", "")
            raise RuntimeError

        @pytest.fixture
        def breaks(memfs):
            yield
            memfs.write_text("/after", "")
            raise RuntimeError

        def test_before(broken): ...
        def test_after(breaks): ...
        def test_alone(): assert False
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=2, failed=1)
    result.stdout.fnmatch_lines(["*memfs (setup)*", "* /before", "*memfs (teardown)*", "* /after"])
    assert "memfs (call)" not in result.stdout.str()


def test_success_shows_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(memfs): memfs.write_text('/a', '')")
    result = run(pytester, "--memfs-export", "out")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*memfs (*")
    result.stdout.no_fnmatch_line("* /a")
    assert not (pytester.path / "out").exists()


def test_a_large_tree_is_cut(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(memfs):
            memfs.import_tree({f"/{number}": b"" for number in range(300)})
            assert False
        """
    )
    result = run(pytester)
    result.stdout.fnmatch_lines(["* /199", "... and 100 more"])
    assert " /200" not in result.stdout.str()


def test_what_was_not_looked_at_is_not_loaded_for_a_report(pytester: pytest.Pytester) -> None:
    pytester.mkdir("real")
    (pytester.path / "real" / "seen").mkdir()
    (pytester.path / "real" / "file").write_text("x")
    pytester.makepyfile(
        """
        def test_it(memfs):
            memfs.add_real("real", "/d")
            assert memfs.listdir("/d") != ["file", "seen"]
        """
    )
    run(pytester).stdout.fnmatch_lines(
        ["* /d/file (real, not read)", "* /d/seen/ (real, not looked into)"]
    )


def test_the_tree_of_a_failure_is_exported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    for _ in range(2):  # what is there of an earlier run stays
        run(pytester, "--memfs-export", "out").assert_outcomes(failed=1)
    name = "test_the_tree_of_a_failure_is_exported.py_test_it"
    assert sorted(path.name for path in (pytester.path / "out").iterdir()) == [name, f"{name}-2"]
    for top in (pytester.path / "out" / name, pytester.path / "out" / f"{name}-2"):
        assert (top / "src" / "app.py").read_text() == "x" * 1234
        assert (top / "src" / "now").readlink() == Path("app.py")
        assert (top / "tmp").is_dir()
        assert (top / "out\nput").read_bytes() == b""


def test_an_export_writes_through_no_link(pytester: pytest.Pytester) -> None:
    outside = pytester.mkdir("outside")
    pytester.makepyfile(
        f"""
        def test_it(memfs):
            memfs.makedirs({str(outside)!r})
            memfs.symlink({str(outside)!r}, "/link")
            memfs.write_text("/link/file", "x")
            assert False
        """
    )
    run(pytester, "--memfs-export", "out").assert_outcomes(failed=1)
    assert list(outside.iterdir()) == []


def test_with_workers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(memfs, number):
            memfs.write_text(f"/{number}", "")
            assert memfs.listdir() == [str(number)]
            assert number != 3
        """
    )
    result = pytester.runpytest_subprocess(
        "-p", "xdist", "-p", PLUGIN, "-n", "2", "--memfs-export", "out", timeout=50
    )
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*memfs (call)*", "* /3"])
    assert [path.name for path in (pytester.path / "out").rglob("3")] == ["3"]


def test_with_coroutines(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio", reason="in the extra frameworks")
    pytester.makepyfile(
        """
        import asyncio

        async def test_it(memfs):
            await asyncio.to_thread(memfs.write_text, "/a", "1")
            assert memfs.to_tree() == {"a": "2"}
        """
    )
    result = pytester.runpytest_subprocess(
        "-p", "pytest_asyncio.plugin", "-p", PLUGIN, "-o", "asyncio_mode=auto", timeout=50
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*memfs (call)*", "* 1 /a"])


def test_with_a_timeout(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import threading

        def test_it(memfs):
            memfs.write_text("/before", "")
            threading.Event().wait(40)
        """
    )
    result = pytester.runpytest_subprocess(
        "-p", "pytest_timeout", "-p", PLUGIN, "--timeout", "0.5", timeout=50
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*memfs (call)*", "* /before"])


def test_file_systems_go_with_their_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import gc
        import weakref
        import pytest

        seen = []

        @pytest.mark.parametrize("number", range(4))
        def test_it(memfs, number):
            gc.collect()
            assert [found() for found in seen if found() is not None] == []
            seen.append(weakref.ref(memfs))
        """
    )
    run(pytester).assert_outcomes(passed=4)


def test_loading_the_plugin_replaces_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import builtins, io, os, posix, sys

        def test_it(request):
            assert request.config.pluginmanager.has_plugin("dmemfs.pytest_plugin")
            for module in (builtins, io, os, posix):
                for name, value in vars(module).items():
                    kind = type(value).__module__
                    assert not kind.startswith("dmemfs"), name
                    owner = getattr(value, "__self__", None)
                    assert not type(owner).__module__.startswith("dmemfs"), name
            assert "sqlite3" not in sys.modules
            assert "dmemfs._mount.patching" not in sys.modules
        """
    )
    pytester.runpytest_subprocess("-p", PLUGIN, timeout=50).assert_outcomes(passed=1)


def test_an_installed_plugin_named_on_the_command_line_is_loaded_once() -> None:
    # pytest takes one that it loaded by its entry point for the same where the names are.

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, module in project["entry-points"]["pytest11"].items():
        assert name == module
        assert (PROJECT / (module.replace(".", "/") + ".py")).exists()
    assert PLUGIN in project["entry-points"]["pytest11"]
