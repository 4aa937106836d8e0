"""For pytest: the fixtures `fs`, `fs_class`, `fs_module` and `fs_session`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from .._platform import memfd_create
from ._filesystem import FakeFilesystem
from ._modules import use_original_os
from ._patcher import Patcher
from ._standing_in import stand_in

_capture: Any = importlib.import_module("_pytest.capture")
_PLUGIN_OF_PYFAKEFS = "pyfakefs.pytest_plugin"
_WITHOUT_FILES = ("_pytest.", "xdist.", "dmemfs.")
_configs: list[pytest.Config] = []
_undo: list[Callable[[], None]] = []
_original_file: Any = _capture.TemporaryFile


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Stand in for pyfakefs, before pytest looks for plugins that are installed.

    In a worker of pytest-xdist it has looked for them before.
    """
    del parser
    for plugin in pluginmanager.get_plugins():
        if getattr(plugin, "__name__", "") == _PLUGIN_OF_PYFAKEFS:
            pluginmanager.unregister(plugin)
    _undo.append(stand_in())
    names = {name: value for name, value in globals().items() if name[:2] == "fs"}
    vars(sys.modules["pyfakefs.pytest_plugin"]).update(names, Patcher=Patcher)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let pytest's own files be real."""
    _configs.append(config)
    _capture.TemporaryFile = _file_for_capture
    factory = vars(config).get("_tmp_path_factory")
    if factory is not None:
        for name in ("getbasetemp", "mktemp"):
            setattr(factory, name, _on_disk(getattr(factory, name)))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what `pytest_addoption` and `pytest_configure` did."""
    _configs.remove(config)
    if not _configs:
        _capture.TemporaryFile = _original_file
    if _undo:
        _undo.pop()()


def _file_for_capture(*arguments: Any, **options: Any) -> Any:
    """Return a file for captured output: one without a path, where the disk is hidden."""
    if Patcher.PATCHER is None or memfd_create is None:
        return _original_file(*arguments, **options)
    return open(memfd_create("capture"), "w+b", buffering=options.get("buffering", -1))


def _on_disk(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        with use_original_os():
            return function(*arguments, **options)

    return call


@pytest.fixture
def fs(request: pytest.FixtureRequest) -> Iterator[FakeFilesystem]:
    """A file system in memory in the place of the disk, with the methods of pyfakefs's.

    A parameter given by `parametrize(..., indirect=True)` is a list of arguments of `Patcher`.
    """
    yield from _faked(request)


@pytest.fixture(scope="class")
def fs_class(request: pytest.FixtureRequest) -> Iterator[FakeFilesystem]:
    """Like `fs`, one for all tests of a class."""
    yield from _faked(request)


@pytest.fixture(scope="module")
def fs_module(request: pytest.FixtureRequest) -> Iterator[FakeFilesystem]:
    """Like `fs`, one for all tests of a module."""
    yield from _faked(request)


@pytest.fixture(scope="session")
def fs_session(request: pytest.FixtureRequest) -> Iterator[FakeFilesystem]:
    """Like `fs`, one for all tests."""
    yield from _faked(request)


def _faked(request: pytest.FixtureRequest) -> Iterator[FakeFilesystem]:
    with Patcher(*getattr(request, "param", ())) as patcher:
        yield patcher.fs


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Generator[None, None, None]:
    """Show the disk to who reports; and until the next test, where the file system stays."""
    patcher = Patcher.PATCHER
    if patcher is None or not patcher.is_patching:
        return (yield)
    if report.when != "teardown" and not _somebody_else_reports():
        return (yield)
    patcher.pause()
    try:
        return (yield)
    finally:
        if report.when != "teardown":
            patcher.resume()


def _somebody_else_reports() -> bool:
    """Tell whether reports go to others than pytest itself, which touches no files then."""
    reports = _configs[-1].hook.pytest_runtest_logreport.get_hookimpls()
    modules = (getattr(each.function, "__module__", "") for each in reports)
    return not all(name.startswith(_WITHOUT_FILES) for name in modules)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hide the disk again, where the file system is one of several tests."""
    del item
    if Patcher.PATCHER is not None:
        Patcher.PATCHER.resume()
