"""The plugins for pytest: the fixtures `memfs_mount`, `memfs_root` and `memdb`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = ("-p", "dmemfs.pytest_plugin", "-p", "dmemfs_sqlite.pytest_plugin")


@pytest.fixture(autouse=True)
def project_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest in a process of its own import the project, and no plugin that is just there."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*PLUGINS, "-W", "error", *arguments)


def test_the_mount_is_the_working_directory_and_goes_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        from pathlib import Path

        import pytest

        before = os.stat, os.getcwd()

        @pytest.mark.memfs(tree={"in": "1"})
        def test_mounted(memfs, memfs_mount):
            assert memfs_mount == Path("/mem") == Path.cwd()
            assert Path("in").read_text() == "1"
            Path("out").write_text("2")
            assert memfs.to_tree() == {"in": "1", "out": "2"}

        @pytest.mark.memfs(path="/some/where")
        def test_elsewhere(memfs_mount):
            assert memfs_mount == Path("/some/where") == Path.cwd()
            Path("/some/where/x").touch()
            assert not os.path.exists("/mem")

        def test_not_mounted(memfs):
            assert (os.stat, os.getcwd()) == before
            assert not os.path.exists("/mem")
        """
    )
    run(pytester).assert_outcomes(passed=3)


def test_a_failure_in_a_mount(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pathlib import Path

        def test_it(memfs_mount):
            Path("made").write_text("content")
            assert Path("made").read_text() == "other"
        """
    )
    result = run(pytester, "--memfs-export", "out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 'content' == 'other'*", "*memfs (call)*", "* 7 /made"])
    [made] = (pytester.path / "out").rglob("made")
    assert made.read_text() == "content"


def test_what_is_left_open_in_a_mount_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        kept = []

        def test_it(memfs_mount):
            kept.append(open("left", "w"))

        def test_after():
            kept.pop().close()
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*unclosed file*left*"])


def test_the_root_hides_the_disk_but_for_the_tests(pytester: pytest.Pytester) -> None:
    outside = pytester.mkdir("outside") / "file"
    outside.write_text("real")
    pytester.makepyfile(
        helper="VALUE = 42",
        test_it=f"""
        import os
        import tempfile
        from pathlib import Path

        import pytest

        @pytest.mark.memfs(tree={{"etc": {{"app.conf": "x=1"}}}})
        def test_it(memfs, memfs_root):
            import helper
            import xml.dom.minidom

            assert helper.VALUE == 42
            assert memfs_root == Path("/") == Path.cwd()
            assert Path("/etc/app.conf").read_text() == "x=1"
            assert os.listdir("/etc") == ["app.conf"]
            assert Path({str(outside)!r}).read_text() == "real"  # below the root of the tests
            with pytest.raises(OSError):
                Path({str(outside)!r}).write_text("changed")
            with tempfile.NamedTemporaryFile("w") as file:
                assert memfs.exists(file.name)

        def test_failing(memfs_root):
            Path("/var").mkdir()
            assert os.listdir("/var") == ["something"]

        def test_after():
            assert Path("/etc/passwd").exists()
        """,
    )
    result = pytester.runpytest_subprocess(*PLUGINS, "--rootdir", str(pytester.path), timeout=50)
    result.assert_outcomes(passed=2, failed=1)
    # The lines of the source are there, although the disk was hidden when it failed.
    result.stdout.fnmatch_lines(['*assert os.listdir("/var") == [[]"something"[]]*', "* /var/"])


def test_databases(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sqlite3

        import pytest
        import dmemfs_sqlite

        built = []

        def build(connection):
            built.append(1)
            connection.execute("CREATE TABLE t (x)")
            connection.execute("INSERT INTO t VALUES (1)")

        def test_empty(memfs, memdb):
            assert memdb.execute("SELECT * FROM sqlite_master").fetchall() == []
            with memdb:
                memdb.execute("CREATE TABLE own (x)")
            assert memfs.is_file("/memdb.db")

        @pytest.mark.memfs(sqlite="CREATE TABLE t (x); INSERT INTO t VALUES (7)")
        def test_sql(memdb):
            assert memdb.execute("SELECT x FROM t").fetchall() == [(7,)]

        @pytest.mark.memfs(sqlite=build)
        @pytest.mark.parametrize("number", range(3))
        def test_private(memfs, memdb, number):
            assert built == [1]
            with memdb:
                memdb.execute("INSERT INTO t VALUES (?)", (number,))
            assert memdb.execute("SELECT count(*) FROM t").fetchone() == (2,)
            other = dmemfs_sqlite.connect(memfs, "/memdb.db")
            assert other.execute("SELECT count(*) FROM t").fetchone() == (2,)
            other.close()

        @pytest.mark.memfs(sqlite=3)
        def test_wrong(memdb): ...
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*a database begins with SQL, *not a int"])


@pytest.mark.parametrize(
    "template",
    [
        '"CREATE TABLE t (x)"',
        "build",
        "dmemfs_sqlite.DatabaseTemplate(dmemfs.MemoryFileSystem(), build)",
        "dmemfs_sqlite.DatabaseTemplate(dmemfs.MemoryFileSystem(), build).to_bytes()",
    ],
)
def test_a_template_of_the_session(pytester: pytest.Pytester, template: str) -> None:
    pytester.makeconftest(
        f"""
        import dmemfs
        import dmemfs_sqlite
        import pytest

        def build(connection):
            connection.execute("CREATE TABLE t (x)")

        @pytest.fixture(scope="session")
        def memdb_template():
            return {template}
        """
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_template(memdb, number):
            assert memdb.execute("SELECT * FROM t").fetchall() == []
            memdb.execute("INSERT INTO t VALUES (1)")
            memdb.commit()

        @pytest.mark.memfs(sqlite=None)
        def test_none(memdb):
            assert memdb.execute("SELECT * FROM sqlite_master").fetchall() == []
        """
    )
    run(pytester).assert_outcomes(passed=4)


def test_sqlite_in_a_mount_and_a_database_that_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import errno
        import sqlite3

        import pytest
        import dmemfs_sqlite

        def test_disk_is_full(memfs):
            with memfs.fail("write", "*.db", errno.ENOSPC, after=2):
                connection = dmemfs_sqlite.connect(memfs, "/app.db")
                with pytest.raises(sqlite3.OperationalError, match="full"):
                    connection.executescript("CREATE TABLE t (x); CREATE TABLE u (x)")
            connection.rollback()
            connection.execute("CREATE TABLE v (x)")
            connection.close()
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_with_workers_and_coroutines(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio", reason="in the extra frameworks")
    pytester.makepyfile(
        """
        import asyncio
        from pathlib import Path

        import pytest

        @pytest.mark.parametrize("number", range(4))
        async def test_it(memfs_mount, memdb, number):
            path = Path(f"{number}")
            await asyncio.to_thread(path.write_text, "x")
            assert [path.name for path in Path().iterdir()] == ["memdb.db", f"{number}"]
            with memdb:
                memdb.execute("CREATE TABLE t (x)")
        """
    )
    plugins = ("-p", "xdist", "-p", "pytest_asyncio.plugin", *PLUGINS)
    pytester.runpytest_subprocess(
        *plugins, "-n", "2", "-o", "asyncio_mode=auto", timeout=50
    ).assert_outcomes(passed=4)


def test_what_pytest_keeps_is_left_where_it_is(pytester: pytest.Pytester) -> None:
    """Its base directory is made once in a session: by the first test, in a mount or not."""
    pytester.makepyfile(
        """
        import os
        from pathlib import Path

        def test_first(memfs_root, tmp_path, tmp_path_factory):
            (tmp_path / "file").write_text("real")
            (tmp_path_factory.mktemp("more") / "file").touch()

        def test_before(tmp_path, memfs_root):
            (tmp_path / "file").write_text("real")
            assert os.listdir(tmp_path) == ["file"]
            assert not memfs_root.joinpath("etc").exists()

        def test_capfd(memfs_root, capfd):
            os.write(1, b"hi\\n")
            assert capfd.readouterr().out == "hi\\n"

        def test_capfd_before(capfdbinary, memfs_root, tmpdir):
            os.write(1, b"hi\\n")
            assert capfdbinary.readouterr().out == b"hi\\n"
            tmpdir.join("file").write("x")

        def test_capsys_and_caplog(memfs_root, capsys, caplog, recwarn):
            print("hi")
            assert capsys.readouterr().out == "hi\\n"

        def test_after(tmp_path):
            (tmp_path / "file").write_text("real")
            assert Path("/etc").exists()
        """
    )
    result = pytester.runpytest_subprocess(*PLUGINS, "-W", "error", timeout=100)
    result.assert_outcomes(passed=6)


def test_the_working_directory_and_monkeypatch(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def settings(monkeypatch):  # is set up before the mount, and undone after it
            monkeypatch.setenv("APP_ENV", "test")
        """
    )
    pytester.makepyfile(
        """
        import os

        import pytest

        BEFORE = os.getcwd()

        def test_sub(memfs_mount, monkeypatch):
            os.mkdir("sub")
            monkeypatch.chdir("sub")
            assert os.getcwd() == "/mem/sub"

        def test_real(memfs_mount, monkeypatch):
            monkeypatch.chdir("/tmp")

        def test_root(memfs_root, monkeypatch):
            os.mkdir("sub")
            monkeypatch.chdir("sub")
            monkeypatch.syspath_prepend("/sub")

        def test_plain(memfs_mount):
            os.chdir("/tmp")

        @pytest.mark.memfs(chdir=False)
        def test_stays(memfs_mount):
            assert os.getcwd() == BEFORE
            assert os.listdir("/mem") == []

        @pytest.fixture(autouse=True)
        def as_before():
            yield
            # torn down before the mount: only what comes after tells

        def test_where():
            assert os.getcwd() == BEFORE
        """
    )
    for arguments in ((), ("-p", "no:randomly")):
        run(pytester, *arguments).assert_outcomes(passed=6)


def test_what_is_left_open_is_shown_by_plain_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        kept = []

        def test_it(memfs_mount):
            kept.append(open("left", "w"))

        def test_after():
            kept.pop().close()
        """
    )
    result = pytester.runpytest_subprocess(*PLUGINS, timeout=100)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["*test_what_is_left_open_is_shown_by_plain_pytest.py:4: *unclosed file*left*"]
    )
    result = pytester.runpytest_subprocess(*PLUGINS, "-W", "always::ResourceWarning", timeout=100)
    result.assert_outcomes(passed=2, warnings=1)


def test_real_directories_that_may_be_changed_in_memory(pytester: pytest.Pytester) -> None:
    site = pytester.mkdir("site")
    site.joinpath("package.py").write_text("VALUE = 1")
    pytester.makepyfile(
        f"""
        import os
        import sys
        from pathlib import Path

        import pytest

        @pytest.mark.memfs(writable=[{str(site)!r}])
        def test_it(memfs, memfs_root, monkeypatch):
            monkeypatch.syspath_prepend({str(site)!r})
            site = Path({str(site)!r})
            assert site.joinpath("package.py").read_text() == "VALUE = 1"
            site.joinpath("my.pth").write_text("x")
            site.joinpath("package.py").write_text("VALUE = 2")
            import package
            assert package.VALUE == 2
            assert memfs.exists(site / "my.pth")
        """
    )
    result = pytester.runpytest_subprocess(*PLUGINS, timeout=100)
    result.assert_outcomes(passed=1)
    assert os.listdir(site) == ["package.py"]
    assert site.joinpath("package.py").read_text() == "VALUE = 1"
