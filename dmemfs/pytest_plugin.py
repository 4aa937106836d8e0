"""Fixtures for pytest: a file system in memory for each test, mounted or not.

pytest finds this module by itself where the distribution is installed. Nothing is replaced until a
test uses `memfs_mount` or `memfs_root`.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # a pytest that uses no fixture of ours loads nothing but this module
    from ._memory_filesystem import MemoryFileSystem

OPTIONS = ("quota", "tree", "path", "chdir", "writable", "sqlite")
"""What the marker takes; `sqlite` is for the fixture `memdb` of `dmemfs_sqlite`."""

_FOR_PYFAKEFS = "dmemfs.pyfakefs"
_NO_DISK_WRITES = "--memfs-no-disk-writes"
_IN_MEMORY = Path("/dev/shm")

_filesystem = pytest.StashKey["MemoryFileSystem"]()
_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--memfs-export` and `--memfs-no-disk-writes`."""
    group = parser.getgroup("dmemfs", "file systems in memory")
    group.addoption(
        "--memfs-export",
        metavar="DIR",
        help="write the file system in memory of each test that fails into a directory in DIR",
    )
    group.addoption(
        _NO_DISK_WRITES,
        metavar="DIR",
        action="append",
        nargs="?",
        const="",
        help="let the kernel refuse all that is written to a disk during the session, but below "
        f"DIR, where {_NO_DISK_WRITES}=DIR names one; temporary files are made in /dev/shm then",
    )


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Keep the option from taking what follows it, a directory with tests, for its own.

    A worker of pytest-xdist loads what `-p` names after the conftests, which is too late for what
    stands in for modules that they import.
    """
    if _FOR_PYFAKEFS in getattr(early_config.option, "plugins", ()):
        early_config.pluginmanager.import_plugin(_FOR_PYFAKEFS)
    args[:] = [f"{each}=" if each == _NO_DISK_WRITES else each for each in args]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Forbid to write to the disk, where that is asked for."""
    config = session.config
    directories = config.getoption("memfs_no_disk_writes")
    if directories is None or hasattr(config, "workerinput"):  # workers inherit it
        return
    allowed = [config.invocation_params.dir / each for each in directories if each]
    if config.getoption("basetemp", None):  # pytest makes it anew, which is nobody's later
        factory: Any = vars(config)["_tmp_path_factory"]
        allowed.append(factory.getbasetemp())
    allowed = [path.resolve() for path in allowed]
    _forbid_disk_writes(allowed)
    cache: Any = getattr(config, "cache", None)
    if cache is not None and not any(config.rootpath.is_relative_to(each) for each in allowed):
        cache.set = lambda key, value: None  # which warns where it cannot be written


def _forbid_disk_writes(allowed: list[Path]) -> None:
    from ._mount.disk_writes import no_disk_writes

    if _IN_MEMORY.is_dir():
        allowed = [*allowed, _IN_MEMORY]
        temporary = Path(tempfile.gettempdir()).resolve()
        if not any(temporary.is_relative_to(each) for each in allowed):
            os.environ["TMPDIR"] = tempfile.tempdir = str(_IN_MEMORY)
    try:
        no_disk_writes(allowed)
    except (NotImplementedError, OSError) as error:
        raise pytest.UsageError(f"{_NO_DISK_WRITES}: {error}") from None


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "memfs(quota=None, tree={}, path='/mem', chdir=True, writable=(), sqlite=None): the file "
        "system in memory of a test: its limit in bytes, the files in it as nested dictionaries, "
        "where memfs_mount mounts it, whether that is the working directory, what real "
        "directories memfs_root lets be changed (in memory), and what memdb begins with",
    )


@pytest.fixture
def memfs(request: pytest.FixtureRequest) -> Iterator[MemoryFileSystem]:
    """A `dmemfs.MemoryFileSystem` of the test's own.

    Options by the marker `memfs`: `quota`, the most bytes in it; `tree`, the files in it as nested
    dictionaries. Where the test fails, its tree is listed in the report.
    """
    from ._memory_filesystem import MemoryFileSystem
    from ._transfer import showing  # noqa: F401  # for the report, where the disk may be hidden

    options = marker_options(request)
    quota = options["quota"] if "quota" in options else _usual_quota()
    fs = MemoryFileSystem.from_tree(options.get("tree", {}), max_quota=quota)
    request.node.stash[_filesystem] = fs
    yield fs
    directory = request.config.getoption("memfs_export")
    if directory and request.node.stash.get(_failed, False):
        _export(fs, request.config.invocation_params.dir / directory, request.node.nodeid)


@pytest.fixture
def memfs_mount(
    request: pytest.FixtureRequest,
    memfs: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The path at which the `memfs` of the test is mounted; it is the working directory too.

    Options by the marker `memfs`: `path`, by default "/mem"; `chdir=False`, to stay in the working
    directory that there is.
    """
    options = marker_options(request)
    point = os.fspath(options.get("path", "/mem"))
    with _mounted(memfs, point, monkeypatch, tmp_path_factory):
        if options.get("chdir", True):
            monkeypatch.chdir(point)
        yield Path(point)


@pytest.fixture
def memfs_root(
    request: pytest.FixtureRequest,
    memfs: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The root directory, at which the `memfs` of the test is mounted in the place of the disk.

    What Python needs and the directory of the tests stay visible, read-only; the directories of
    `tmp_path` stay, and can be written. Option by the marker `memfs`: `writable`, real directories
    that can be changed, in memory only.
    """
    real = {
        "passthrough": [request.config.rootpath, request.path.parent],
        "writable": marker_options(request).get("writable", ()),
    }
    with _mounted(memfs, "/", monkeypatch, tmp_path_factory, **real):
        yield Path("/")


@contextmanager
def _mounted(
    fs: MemoryFileSystem,
    point: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    **real: Any,
) -> Iterator[None]:
    """Mount the file system of a test, with what pytest itself has left where it is."""
    from ._mount.mount import mount, process

    # What pytest makes once in a session is made outside of the mount, and stays there.
    base = os.path.realpath(tmp_path_factory.getbasetemp())
    # In each phase of a test capfd makes a file which the kernel is to take for the output.
    monkeypatch.setattr(
        "_pytest.capture.TemporaryFile", partial(tempfile.TemporaryFile, dir=base), raising=False
    )
    with suppress(FileNotFoundError):  # it was removed
        monkeypatch.chdir(os.getcwd())  # where to go back to
    mounted = mount(fs, point, **real)
    process.table.show_real(base)
    try:
        with mounted:
            try:
                yield
            finally:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", ResourceWarning)
                    mounted.__exit__(None, None, None)
    finally:
        process.table.hide_real(base)
    _show_warnings(caught)


def _show_warnings(caught: list[warnings.WarningMessage]) -> None:
    """Issue warnings as they are; and those that nobody would see so that pytest shows them."""
    for each in caught:
        message = str(each.message)
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn_explicit(message, each.category, each.filename, each.lineno)
        category = each.category if seen else pytest.PytestWarning
        warnings.warn_explicit(message, category, each.filename, each.lineno)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """List the tree in the report of a test that failed."""
    report = yield
    fs = item.stash.get(_filesystem, None)
    if fs is not None and call.when == "teardown":
        del item.stash[_filesystem]  # items live as long as the session
    if fs is None:  # that of `dmemfs.unittest_mixin`
        fs = getattr(getattr(item, "instance", None), "memfs", None)
    if report.failed and fs is not None and _is_ours(fs):
        from ._transfer.showing import list_tree

        item.stash[_failed] = True
        report.sections.append((f"memfs ({call.when})", "\n".join(list_tree(fs))))
    return report


def _is_ours(fs: object) -> bool:
    from ._memory_filesystem import MemoryFileSystem

    return isinstance(fs, MemoryFileSystem)


def marker_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the markers `memfs`; the one nearest to the test counts."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("memfs"))):
        unknown = sorted(set(marker.kwargs) - set(OPTIONS))
        if marker.args or unknown:
            wrong = ", ".join(unknown) or "arguments without a name"
            raise pytest.UsageError(
                f"{request.node.nodeid}: the marker memfs takes {', '.join(OPTIONS)} by name, "
                f"not {wrong}"
            )
        options |= marker.kwargs
    return options


@cache
def _usual_quota() -> int | None:
    """Return what a file system allows by default, which takes ten times as long as to make one."""
    from ._memory_filesystem import MemoryFileSystem

    return MemoryFileSystem().stats()["quota_bytes"]


def _export(fs: MemoryFileSystem, base: Path, nodeid: str) -> None:
    from ._transfer.showing import write_tree

    name = re.sub(r"[^\w.\[\]-]+", "_", nodeid)[-200:]
    base.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        directory = base / (name if number == 1 else f"{name}-{number}")
        try:
            write_tree(fs, str(directory))
        except FileExistsError:  # that of an earlier run
            if number > 10_000:
                raise
        else:
            return
