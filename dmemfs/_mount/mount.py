"""Mounting: this process sees a file system in memory below a path."""

from __future__ import annotations

import os
import posixpath
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Any

from .. import _platform
from .._errors import NotCopyable, report_unraisable
from .._mutex import Mutex
from .._paths import StrPath
from .._tree.tree import Tree
from .descriptors import DescriptorTable
from .table import (
    DEVICES,
    SYSTEM_VIEWS,
    DirectoryPlace,
    LeadsOutsideError,
    Mounted,
    MountTable,
)  # fmt: skip

_LISTENERS = "dmemfs.mount"

_Resolve = Callable[[str], "tuple[Tree, str] | None"]


class Mount(NotCopyable):
    """A context manager within which the process sees a file system below a path.

    It is a path itself (`os.PathLike`): that of the mount point.

    Attributes:
        fs: the file system.
        point: the absolute path at which it is seen.
    """

    def __init__(
        self, fs: Tree, point: StrPath = "/mem", *, passthrough: Iterable[StrPath] = ()
    ) -> None:
        self.fs = fs
        text = posixpath.abspath(os.fsdecode(point))
        self.point: str = text[1:] if text.startswith("//") else text
        self._extra = tuple(os.path.abspath(os.fsdecode(path)) for path in passthrough)
        if self._extra and self.point != "/":
            raise ValueError("passthrough goes with the isolated mode, mount(fs, '/')")
        self._mounted: Mounted | None = None
        self._former_cwd: DirectoryPlace | None = None
        self._former_tempdir: str | None = None

    def __fspath__(self) -> str:
        return self.point

    def __repr__(self) -> str:
        state = "" if self._mounted is None else ", mounted"
        return f"<dmemfs.mount of {self.fs!r} at {self.point!r}{state}>"

    def __enter__(self) -> Mount:
        with process.lock:
            if self._mounted is not None:
                raise RuntimeError(f"{self!r} is mounted already; call mount() for another one")
            passed: tuple[str, ...] = ()
            if self.point == "/":
                passed = _passed_through(self._extra)
            mounted = Mounted(self.fs, self.point, passed)
            self._former_cwd = process.table.cwd
            self._former_tempdir = getattr(sys.modules.get("tempfile"), "tempdir", None)
            self._mounted = mounted
            try:
                process.begin(mounted)
                if self.point == "/":
                    self._isolate()
            except BaseException:
                self._leave()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with process.lock:
            left = self._leave()
        for message, code, instruction in left:
            try:
                warnings.warn_explicit(
                    message,
                    ResourceWarning,
                    code.co_filename,
                    _line_of(code, instruction),
                    source=None,
                )
            except Warning as warning:
                if error is None:
                    raise
                report_unraisable(warning, "left open in a mount", self)

    def _isolate(self) -> None:
        """Give the process a working directory, and one for temporary files."""
        table = process.table
        if not self.fs.exists(process.temporary):
            self.fs.makedirs(process.temporary)
            self.fs.chmod(process.temporary, 0o1777)
        assert self._mounted is not None
        table.working_directory_changed(DirectoryPlace(self._mounted, self.fs._root))

    def _leave(self) -> list[tuple[str, CodeType, int]]:
        """Undo all of it, and return what was left open."""
        mounted = self._mounted
        if mounted is None:
            return []
        cwd = process.table.cwd
        if cwd is not None and cwd.mount is mounted:
            former = self._former_cwd
            if former is not None and former.mount not in process.table.mounts:
                former = None
            process.table.working_directory_changed(former)
        left = _left_open(mounted, process.descriptors)
        self._forget_paths(mounted)
        process.end(mounted)
        self._mounted = None
        self._former_cwd = None
        return left

    def _forget_paths(self, mounted: Mounted) -> None:
        """Clear what the standard library remembers of paths that will not be there."""
        elsewhere = _paths_elsewhere(mounted.point, mounted.passed)
        for path in sys.path_importer_cache.keys() - elsewhere:
            plain = path[:1] == "/" and ".." not in path and "//" not in path
            if plain and (not path.startswith(mounted.point) or mounted.passes(path)):
                elsewhere.add(path)  # as nearly all of them
                continue
            try:
                place = process.table.locate(path)
            except OSError:
                continue
            if place is not None and place[0] is mounted:
                sys.path_importer_cache.pop(path, None)
        tempfile: Any = sys.modules.get("tempfile")
        if tempfile is not None:
            tempfile.tempdir = self._former_tempdir


class _Process:
    """What is mounted in this process. One object, since there is one process.

    Attributes:
        table: which path belongs to which mount.
        descriptors: the virtual descriptors.
        lock: held while something is mounted or unmounted.
        temporary: the real directory for temporary files.
    """

    def __init__(self) -> None:
        self.table = MountTable()
        self.descriptors = DescriptorTable()
        self.lock = Mutex()
        self.temporary = "/tmp"
        self._points: Any = None
        self._listeners: list[Callable[[_Resolve], Callable[[], object]]] | None = None
        self._farewells: list[Callable[[], object]] = []

    def begin(self, mounted: Mounted) -> None:
        """Let a file system be seen; the first one has everything replaced."""
        if self._points is None:
            if not _platform.HAS_MOUNTS:
                raise NotImplementedError(
                    "mounting needs CPython on Linux; elsewhere use the methods of the file system"
                )
            from .patching import PatchPoints

            if _platform.register_at_fork is not None:
                _platform.register_at_fork(after_in_child=self._renew_locks)
            self.table.directories = self.descriptors.directory
            self._points = PatchPoints(self.table, self.descriptors)
        if self.table.mounts:
            self.table.add(mounted)
            return
        if mounted.point == "/":
            import tempfile

            self.temporary = tempfile.gettempdir()
        listeners = self._find_listeners()
        former = os.umask(0o077)
        os.umask(former)
        self.table.umask = former
        self.table.add(mounted)
        self._points.install()
        for listener in listeners:
            self._farewells.append(listener(self.resolve))

    def _renew_locks(self) -> None:
        """Forget who held the locks: that thread is not in a forked process."""
        self.lock = Mutex()
        self.descriptors.renew_lock()

    def end(self, mounted: Mounted) -> None:
        """Let a file system not be seen any more; with the last one all is put back."""
        is_last = all(each is mounted for each in self.table.mounts)
        try:
            while is_last and self._farewells:
                self._farewells.pop()()
        finally:
            if is_last and self._points is not None:
                self._points.remove()
            self.table.take_away(mounted)

    def resolve(self, path: str) -> tuple[Tree, str] | None:
        """Return the mounted file system to which a path leads, and the path in it."""
        try:
            place = self.table.locate(path)
        except LeadsOutsideError as outside:
            return self.resolve(outside.path)
        except OSError:
            return None
        return None if place is None else (place[0].fs, place[1])

    def _find_listeners(self) -> list[Callable[[_Resolve], Callable[[], object]]]:
        if self._listeners is None:
            from importlib.metadata import entry_points

            self._listeners = [entry.load() for entry in entry_points(group=_LISTENERS)]
        return self._listeners


process = _Process()


def mount(fs: Tree, point: StrPath = "/mem", *, passthrough: Iterable[StrPath] = ()) -> Mount:
    """Let everything in this process that opens paths below `point` work on a file system.

    `open`, `os`, `pathlib`, `shutil`, `glob`, `tempfile`, `zipfile`, imports and what is built on
    them see `fs` there, in every thread, until the end of the `with` block. Then the process is as
    it was. Other paths reach the real file system. Mounts may be nested, and end in any order.

    Args:
        fs: the file system.
        point: where; nothing need be there. At `"/"` the process is isolated: only the interpreter,
            the standard library, what is on `sys.path`, the time zones, devices, `/proc` and `/sys`
            stay visible, read-only. The working directory is the root then.
        passthrough: with `"/"`, further real directories to stay visible, read-only.

    Returns:
        A context manager, which is also a path, that of the mount point.

    Raises:
        ValueError: `passthrough` is given for another mount point than the root.
        NotImplementedError: on entry, elsewhere than on Linux with CPython.

    What is left open at the end of the block is reported by a ResourceWarning at the line that
    opened it.
    """
    return Mount(fs, point, passthrough=passthrough)


def _passed_through(extra: Iterable[str]) -> tuple[str, ...]:
    """Return what stays visible in isolation, each with a slash at its end."""
    # Not their prefix, which may be /usr: there is more in it than Python.
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    below = tuple(f"{path}/" for path in prefixes)
    own = {os.path.dirname(os.path.abspath(os.__file__))}
    own.update(filter(None, (sys.executable, getattr(sys, "_base_executable", None))))
    zones = sys.modules.get("zoneinfo")
    own.update(getattr(zones, "TZPATH", ("/usr/share/zoneinfo",)))
    others = set(extra)
    for path in map(os.path.abspath, sys.path):
        (own if path.startswith(below) else others).add(path)
    paths = {*_resolved(frozenset(own)), *others, *map(os.path.realpath, others)}
    passed = {f"{path.rstrip('/')}/" for path in paths if path.rstrip("/")}
    return (*sorted(passed), *DEVICES, *SYSTEM_VIEWS)


@lru_cache(8)
def _paths_elsewhere(_point: str, _passed: tuple[str, ...]) -> set[str]:
    """Return where to remember what lies outside of such a mount, whatever is mounted there."""
    return set()


@lru_cache(8)
def _resolved(own: frozenset[str]) -> frozenset[str]:
    """Return Python's own directories and where they really are, which is looked up once."""
    return own.union(map(os.path.realpath, own))


def _left_open(mounted: Mounted, descriptors: DescriptorTable) -> list[tuple[str, CodeType, int]]:
    """Return what is open in a mount, with what opened it; its descriptors are closed."""
    left = []
    for file in mounted.open_files():
        _, _, code, instruction = file._origin
        left.append((f"unclosed file {file!r} in a mount", code, instruction))
    for number, description in descriptors.take_away(mounted):
        cursor = description.cursor
        if cursor is None or not hasattr(cursor, "_origin"):
            code, instruction = description.opened_by
            name = mounted.point if cursor is None else cursor.name
            left.append((f"unclosed descriptor {number} of {name!r} in a mount", code, instruction))
    return left


def _line_of(code: CodeType, instruction: int) -> int:
    """Return the line of an instruction."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return line
