"""What hides the disk and shows it again: the same by pyfakefs itself."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import os
import sys
import tempfile
import traceback
import unittest
import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

import dmemfs.pyfakefs
from dmemfs.pyfakefs import Patcher


def test_the_disk_is_hidden_and_comes_back(api: Any) -> None:
    before = os.getcwd(), os.listdir, open
    with api.Patcher() as patcher:
        assert not os.path.exists(__file__)
        assert os.getcwd() == "/"
        assert patcher.fs.exists("/tmp")
        patcher.fs.create_file("/x")
        assert os.path.exists("/x")
        assert patcher.fs.patcher is patcher
    assert os.path.exists(__file__)
    assert not os.path.exists("/x")
    assert (os.getcwd(), os.listdir, open) == before


def test_it_ends_with_an_exception(api: Any) -> None:
    with pytest.raises(ZeroDivisionError), api.Patcher():
        raise ZeroDivisionError
    assert os.path.exists(__file__)
    assert api.Patcher.PATCHER is None


def test_within_each_other_there_is_one(api: Any) -> None:
    with api.Patcher() as outer:
        outer.fs.create_file("/x")
        with api.Patcher() as inner:
            assert inner.fs is outer.fs
        assert os.path.exists("/x")
        with pytest.warns(UserWarning, match="arguments"):
            api.Patcher(allow_root_user=False)
    assert not os.path.exists("/x")


def test_pauses(api: Any, patcher: Any, fs: Any) -> None:
    fs.create_file("/x")
    for pause in (fs, patcher):
        with api.Pause(pause) as same:
            assert same is fs
            assert os.path.exists(__file__)
            assert not os.path.exists("/x")
            assert fs.exists("/x")
        assert os.path.exists("/x")
        assert not os.path.exists(__file__)
    fs.pause()
    fs.pause()
    assert os.path.exists(__file__)
    fs.resume()
    fs.resume()
    assert os.path.exists("/x")
    with pytest.raises(TypeError):
        api.Pause("x")


def test_a_file_system_that_nobody_mounts(api: Any) -> None:
    fs = api.FakeFilesystem()
    fs.create_file("/a/b", contents="x")
    assert fs.get_object("/a/b").contents == "x"
    assert not os.path.exists("/a/b")
    for call in (fs.pause, fs.resume):
        with pytest.raises(RuntimeError):
            call()


def test_files_that_are_open_work_on(patcher: Any, fs: Any) -> None:
    with open("/x", "w+", encoding="utf-8") as file:
        file.write("one ")
        patcher.pause()
        file.write("two")
        file.flush()
        patcher.resume()
    assert fs.get_object("/x").contents == "one two"


def test_temporary_files(api: Any) -> None:
    before = tempfile.tempdir
    with api.Patcher() as patcher:
        with tempfile.NamedTemporaryFile() as file:
            assert patcher.fs.exists(file.name)
        with tempfile.TemporaryDirectory() as directory:
            assert patcher.fs.isdir(directory)
    tempfile.tempdir = before


def test_the_decorator(api: Any) -> None:
    seen = []

    @api.patchfs  # type: ignore[untyped-decorator]
    def plain(argument: str, fake: Any) -> str:
        seen.append(fake.create_file("/x").path)
        return argument

    @api.patchfs(allow_root_user=False)  # type: ignore[untyped-decorator]
    def with_options(fake: Any, *, named: int) -> int:
        seen.append(os.stat(fake.create_file("/x").path).st_uid)
        return named

    @mock.patch("os.getpid", return_value=-1)
    @api.patchfs  # type: ignore[untyped-decorator]
    def mocked(_: Any, fake: Any) -> int:
        seen.append(fake.exists("/x"))
        return os.getpid()

    assert plain("a") == "a"
    assert with_options(named=2) == 2
    assert mocked() == -1
    assert seen == ["/x", 1, False]
    with pytest.raises(TypeError):
        api.patchfs("x")


def test_a_test_case(api: Any) -> None:
    class Case(api.TestCase):  # type: ignore[misc]
        def setUp(self) -> None:
            self.setUpPyfakefs()

        def test_it(self) -> None:
            self.fs.create_file("/x")
            assert os.path.exists("/x")
            self.pause()
            assert not os.path.exists("/x")
            self.resume()
            assert self.patcher.fs is self.fs
            with api.Pause(self):
                assert os.path.exists(__file__)

    result = unittest.TestResult()
    Case("test_it").run(result)
    assert result.wasSuccessful(), result.errors + result.failures
    assert os.path.exists(__file__)


def test_a_class_of_tests(api: Any) -> None:
    class Case(unittest.TestCase, api.TestCaseMixin):  # type: ignore[misc]
        @classmethod
        def setUpClass(cls) -> None:
            cls.setUpClassPyfakefs()
            cls.fake_fs().create_file("/of_the_class")

        def test_one(self) -> None:
            assert os.path.exists("/of_the_class")
            self.fs.create_file("/by_one")

        def test_two(self) -> None:
            assert os.path.exists("/by_one")

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun == 2
    assert result.wasSuccessful(), result.errors + result.failures
    assert Case.fake_fs() is None
    assert os.path.exists(__file__)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module on the disk that looks at files when it is imported."""
    (tmp_path / "looks_at_files.py").write_text(
        "import os\nFOUND = os.path.exists('/config')\ndef fail():\n    raise KeyError  # here\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "looks_at_files"
    sys.modules.pop("looks_at_files", None)


def test_modules_are_imported_from_the_disk(module: str, fs: Any) -> None:
    fs.create_file("/config")
    assert importlib.import_module(module).FOUND is True


def test_what_was_imported_meanwhile_is_imported_anew(api: Any, module: str) -> None:
    with api.Patcher() as patcher:
        patcher.fs.create_file("/config")
        assert importlib.import_module(module).FOUND is True
    assert importlib.import_module(module).FOUND is False


def test_modules_to_reload(api: Any, module: str) -> None:
    reloaded = importlib.import_module(module)
    with api.Patcher(modules_to_reload=[reloaded]) as patcher:
        assert reloaded.FOUND is False
        patcher.fs.create_file("/config")
        importlib.reload(reloaded)
        assert reloaded.FOUND is True
    assert reloaded.FOUND is False


def test_modules_to_patch(api: Any, module: str) -> None:
    original = importlib.import_module(module)

    class Instead:
        def __init__(self, filesystem: Any) -> None:
            self.filesystem = filesystem

    user: Any = ModuleType("user_of_it")
    user.it = original
    sys.modules["user_of_it"] = user
    try:
        with api.Patcher(modules_to_patch={module: Instead}) as patcher:
            assert user.it.filesystem is patcher.fs
        assert user.it is original
        assert sys.modules[module] is original
    finally:
        del sys.modules["user_of_it"]


def test_a_handler_may_keep_a_module(api: Any, module: str) -> None:
    with api.Patcher() as patcher:
        patcher.register_cleanup_handler(module, lambda name: name == module)
        kept = importlib.import_module(module)
    assert sys.modules[module] is kept


def test_lines_of_hidden_code_are_shown(module: str, fs: Any) -> None:
    imported = importlib.import_module(module)
    linecache.clearcache()
    try:
        imported.fail()
    except KeyError:
        assert "raise KeyError  # here" in traceback.format_exc()
    assert linecache.getline(__file__, 1).startswith('"""What hides the disk')


# What is this project's own


def test_code_in_the_file_system_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "/packages", *sys.path])
    with Patcher() as patcher:
        patcher.fs.create_file("/only_in_memory.py", contents="VALUE = 1")
        patcher.fs.create_file("/packages/in_memory/__init__.py", contents="from . import sub")
        patcher.fs.create_file("/packages/in_memory/sub.py", contents="VALUE = 2")
        assert importlib.import_module("only_in_memory").VALUE == 1
        assert importlib.import_module("in_memory").sub.VALUE == 2
        spec = importlib.util.spec_from_file_location("x", "/only_in_memory.py")
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        assert loaded.VALUE == 1
    for name in ("only_in_memory", "in_memory", "in_memory.sub"):
        assert name not in sys.modules
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)


def test_the_import_system_is_as_before() -> None:
    def state() -> tuple[Any, ...]:
        external: Any = importlib._bootstrap_external
        return (
            *(getattr(external, name) for name in ("_os", "_io", "_imp")),
            *(linecache.updatecache, linecache.checkcache, list(sys.meta_path)),
        )

    before = state()
    with Patcher() as patcher:
        assert state() != before
        patcher.pause()
        assert state() == before
        patcher.resume()
    assert state() == before


def test_python_itself_stays_visible_until_something_is_made_there() -> None:
    site = Path(pytest.__file__).parent
    with Patcher() as patcher:
        assert site.is_dir()
        with pytest.raises(OSError):
            (site / "new").touch()
        patcher.fs.create_dir(site / "new")
        (site / "new" / "file").touch()
        assert os.listdir(site / "new") == ["file"]
        patcher.pause()
        patcher.resume()
        assert os.listdir(site / "new") == ["file"]
    assert not (site / "new").exists()


@pytest.mark.skipif(
    not entry_points(group="dmemfs.mount"),
    reason="the project is not installed, and SQLite finds mounts by an entry point",
)
def test_sqlite_is_in_the_file_system() -> None:
    import sqlite3
    from contextlib import closing

    with Patcher():
        with closing(sqlite3.connect("/app.db")) as connection, connection:
            connection.execute("CREATE TABLE t (a)")
        assert Path("/app.db").read_bytes().startswith(b"SQLite format 3")
    assert not os.path.exists("/app.db")


def test_files_that_nobody_closed_are_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Patcher():
            open("/x", "w", encoding="utf-8").write("x")
            left = open("/y", "wb")
            os.open("/x", os.O_RDONLY)
        left.close()


def test_devices() -> None:
    import stat

    with Patcher() as patcher:
        os.mknod("/device", stat.S_IFCHR | 0o600)
        assert stat.S_ISCHR(os.stat("/device").st_mode)
        assert patcher.fs.exists("/device")
        with pytest.raises(PermissionError):
            os.mkfifo("/pipe")


class TestModules:
    """Modules that work on a file system which nobody mounts."""

    @pytest.fixture
    def fs(self) -> dmemfs.pyfakefs.FakeFilesystem:
        fs = dmemfs.pyfakefs.FakeFilesystem()
        fs.create_file("/dir/file", contents="x")
        return fs

    def test_os_and_its_paths(self, fs: Any) -> None:
        from dmemfs.pyfakefs._modules import FakeOsModule

        fake = FakeOsModule(fs)
        assert fake.listdir("/dir") == ["file"]
        assert fake.path.exists("/dir/file")
        assert [base for base, _, _ in fake.walk("/dir")] == ["/dir"]
        assert fake.sep == "/"
        with pytest.raises(FileNotFoundError):
            fake.stat("/none")
        assert not os.path.exists("/dir/file")

    def test_shutil_and_open(self, fs: Any) -> None:
        from dmemfs.pyfakefs._modules import FakeFileOpen, FakeIoModule, FakeShutilModule

        FakeShutilModule(fs).copytree("/dir", "/other")
        with FakeFileOpen(fs)("/other/file", "a", encoding="utf-8") as file:
            file.write("y")
        with FakeIoModule(fs).open("/other/file", encoding="utf-8") as file:
            assert file.read() == "xy"
        assert fs.get_object("/other/file").contents == "xy"
