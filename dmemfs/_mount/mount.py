"""Mounting: this process sees a file system in memory below a path."""

from __future__ import annotations

import errno
import os
import posixpath
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Any

from .. import _platform
from .._arguments import by_name, several_paths
from .._entering import warn_never_entered
from .._errors import NotCopyable, report_unraisable
from .._interception.attaching import attachments_of
from .._mutex import Mutex
from .._paths import StrPath
from .._tree.lookup import LeadsOutsideError
from .._tree.tree import Tree
from .descriptors import DescriptorTable
from .left_open import left_open, line_of
from .passed_through import DEVICES, SYSTEM_VIEWS
from .programs import How, Programs, require_how
from .real_directory import temporary_directory
from .table import (
    DirectoryPlace,
    Mounted,
    MountTable,
)  # fmt: skip

_LISTENERS = "dmemfs.mount"
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGES = tuple(
    {
        f"{each(path)}/"
        for path in (_FOLDER, f"{_FOLDER}_sqlite")
        for each in (str, os.path.realpath)
    }
)
"""Where this project's own packages are."""

# What is mounted replaces these in their module, and the kernel is meant here.
_chdir = os.chdir
_getcwd = os.getcwd

_Resolve = Callable[[str], "tuple[Tree, str] | None"]


class Mount(NotCopyable):
    """A context manager within which the process sees a file system below a path.

    It is a path itself (`os.PathLike`): that of the mount point.

    Attributes:
        fs: the file system.
        point: the absolute path at which it is seen.
    """

    _session: _Session | None = None
    _inner: tuple[Mount, ...] = ()  # of what is attached
    _was_entered = True  # until there is something to enter

    def __init__(
        self,
        fs: Tree,
        point: StrPath = "/mem",
        *,
        passthrough: Iterable[StrPath] = (),
        writable: Iterable[StrPath] = (),
        programs: How | None = None,
    ) -> None:
        if not isinstance(fs, Tree) or isinstance(point, Tree):
            raise TypeError(
                "a file system is mounted at a path, as mount(fs, '/mem'): not "
                f"{type(fs).__name__} at {type(point).__name__}"
            )
        self.fs = fs
        text = posixpath.abspath(os.fsdecode(point))
        self.point: str = text[1:] if text.startswith("//") else text
        self._extra = tuple(
            os.path.abspath(os.fsdecode(path)) for path in several_paths(passthrough, "passthrough")
        )
        self._writable = tuple(
            os.path.abspath(os.fsdecode(path)) for path in several_paths(writable, "writable")
        )
        if (self._extra or self._writable) and self.point != "/":
            raise ValueError("passthrough and writable go with the isolated mode, mount(fs, '/')")
        require_how(programs, self.point)
        self._programs: How | None = programs
        self._was_entered = False

    def __fspath__(self) -> str:
        return self.point

    def __repr__(self) -> str:
        state = "" if self._session is None else ", mounted"
        return f"<dmemfs.mount of {self.fs!r} at {self.point!r}{state}>"

    def __enter__(self) -> Mount:
        with process.lock:
            process.end_what_was_left()
            if self._session is not None:
                raise RuntimeError(f"{self!r} is mounted already; call mount() for another one")
            self._was_entered = True
            session = _Session(self, self._prepared())
            try:
                self._session = session
                process.begin(session)
                for path, other in attachments_of(self.fs):
                    point = posixpath.join(self.point, path[1:])
                    self._inner = (*self._inner, Mount(other, point, programs=self._programs))
                    self._inner[-1].__enter__()
            except BaseException:
                self._leave()
                raise
        return self

    def _prepared(self) -> Mounted:
        """Return what is to be seen where."""
        if self.point != "/":
            passed = _own_package(self.point)
            return Mounted(self.fs, self.point, passed, programs=self._programs)
        fs: Any = self.fs
        for path in self._writable:
            if not fs.exists(path):
                fs.add_real(path, path, writable=True)
        kept = {f"{path}/" for path in (*self._writable, *getattr(fs, "_writable_in_place", ()))}
        return Mounted(fs, "/", _passed_through(self._extra), tuple(sorted(kept)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            left = self._leave()
        except BaseException:
            self._leave()  # what an interrupt stopped; each step is done once more, or was done
            raise
        for message, code, instruction in left:
            try:
                warnings.warn_explicit(
                    message,
                    ResourceWarning,
                    code.co_filename,
                    line_of(code, instruction),
                    source=None,
                )
            except Warning as warning:
                if error is None:
                    raise
                report_unraisable(warning, "left open in a mount", self)

    def __del__(self) -> None:
        if self._session is not None:  # nobody else can end it any more
            if not sys.is_finalizing():  # else the process does
                self._leave()
        elif not self._was_entered:
            warn_never_entered(self, f"mount(fs, {self.point!r})")

    def _leave(self) -> list[tuple[str, CodeType, int]]:
        """Undo all of it, and return what was left open."""
        with process.lock:
            left = []
            for inner in reversed(self._inner):
                left += inner._leave()
                self._inner = tuple(each for each in self._inner if each is not inner)
            session = self._session
            if session is not None:
                process.end(session)
                self._session = None
            return left if session is None else left + session.left


class _Session:
    """One mount, from its beginning to its end.

    Attributes:
        mounted: what is seen where.
        owner: a weak reference to the `Mount`, with which it ends at the latest.
        cwd: the working directory of before, if it was mounted.
        real_cwd: the kernel's.
        tempdir: what `tempfile` had.
        is_ending: whether its end has begun.
        left: what was found open in it at the end.
    """

    __slots__ = ("cwd", "is_ending", "left", "mounted", "owner", "real_cwd", "tempdir")

    def __init__(self, owner: Mount, mounted: Mounted) -> None:
        self.owner = weakref.ref(owner)
        self.mounted = mounted
        self.is_ending = False
        self.left: list[tuple[str, CodeType, int]] = []
        self.tempdir = getattr(sys.modules.get("tempfile"), "tempdir", None)
        self.cwd = process.table.cwd
        self.real_cwd = _current_directory()

    def go_back(self) -> None:
        """Give the process the working directory and the one for temporary files of before."""
        table = process.table
        cwd = table.cwd
        is_latest = process.sessions[-1:] == (self,)
        if is_latest or (cwd is not None and cwd.mount is self.mounted):
            former = self.cwd
            if former is not None and (
                former.mount is self.mounted or former.mount not in table.mounts
            ):
                former = None
            if cwd is not None or former is not None:
                table.working_directory_changed(former)
            if former is None and self.real_cwd not in (None, _current_directory()):
                with suppress(OSError):  # it was removed meanwhile
                    _chdir(self.real_cwd)
                table.working_directory_changed(None)
        tempfile: Any = sys.modules.get("tempfile")
        if tempfile is not None:
            tempfile.tempdir = self.tempdir

    def forget_paths(self) -> None:
        """Clear what the import system remembers of paths that will not be there."""
        mounted = self.mounted
        elsewhere = _paths_elsewhere(mounted.point, mounted.passed, mounted.kept)
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


class _Process:
    """What is mounted in this process. One object, since there is one process.

    Attributes:
        table: which path belongs to which mount.
        descriptors: the virtual descriptors.
        lock: held while something is mounted or unmounted.
        programs: what starts programs that see it.
        temporary: the real directory for temporary files.
        sessions: what is mounted, the latest last.
    """

    def __init__(self) -> None:
        self.table = MountTable()
        self.descriptors = DescriptorTable()
        self.programs = Programs(self.table)
        self.lock = Mutex()
        self.temporary = "/tmp"
        self.sessions: tuple[_Session, ...] = ()
        self._points: Any = None
        self._libraries: Any = None
        self._listeners: list[Callable[[_Resolve], Callable[[], object]]] | None = None
        self._farewells: list[Callable[[], object]] = []
        self._is_settled = False
        self._knows_forks = False

    def begin(self, session: _Session) -> None:
        """Let a file system be seen; the first one has everything replaced."""
        mounted = session.mounted
        if self._points is None:
            self._prepare()
        if mounted.point == "/":
            self._prepare_isolation(mounted.fs)
        self._find_listeners()
        self.sessions = (*self.sessions, session)
        self.table.add(mounted)
        self._settle()
        if mounted.point == "/":
            self.table.working_directory_changed(DirectoryPlace(mounted, mounted.fs._root))

    def end(self, session: _Session) -> None:
        """Let a file system not be seen any more; with the last one all is put back.

        Each step may be interrupted, and done again.
        """
        session.is_ending = True
        mounted = session.mounted
        if mounted in self.table.mounts:
            session.go_back()
            session.left += left_open(mounted, self.descriptors)
            session.forget_paths()
        try:
            self.programs.hide(mounted)
            if all(each is mounted for each in self.table.mounts):
                self._say_farewell()
        finally:
            self.table.take_away(mounted)
            self._settle()
            self.sessions = tuple(each for each in self.sessions if each is not session)

    def end_what_was_left(self) -> None:
        """End what was interrupted at its end, and what nobody can end any more."""
        for session in self.sessions:
            if session.is_ending or session.owner() is None:
                self.end(session)
        self._settle()

    def _settle(self) -> None:
        """Replace everything if something is mounted, and put it back if nothing is."""
        if not self.table.mounts:
            self._say_farewell()
            if self._points is not None:
                self._libraries.remove()
                self._points.remove()
            self._is_settled = False
        elif not self._is_settled:
            self.table.umask = _platform.umask()
            self._points.install()
            self._libraries.install()
            for listener in self._find_listeners():
                self._farewells.append(listener(self.resolve))
            self._is_settled = True

    def _say_farewell(self) -> None:
        """Tell the listeners of the end of the last mount."""
        while self._farewells:
            try:
                self._farewells[-1]()
            finally:
                self._farewells.pop()

    def _prepare(self) -> None:
        """Import and make what is needed from the first mount on."""
        if not _platform.HAS_MOUNTS:
            raise NotImplementedError(
                "mounting needs CPython on Linux; elsewhere use the methods of the file system"
            )
        from .libraries import KnownLibraries
        from .patching import PatchPoints

        self.table.directories = self.descriptors.directory
        points = PatchPoints(self.table, self.descriptors, self.programs)
        if not self._knows_forks and _platform.register_at_fork is not None:
            self._knows_forks = True
            _platform.register_at_fork(after_in_child=self._after_fork)
        self._libraries = KnownLibraries(self.table)
        self._points = points

    def _prepare_isolation(self, fs: Tree) -> None:
        """Make the directory for temporary files."""
        if not self.table.mounts:
            self.temporary = temporary_directory()
        if not fs.exists(self.temporary):
            fs.makedirs(self.temporary)
            fs.chmod(self.temporary, 0o1777)

    def _after_fork(self) -> None:
        """Forget who held the locks, and what starts programs: no such thread is in a child."""
        self.lock = Mutex()
        self.descriptors.renew_lock()
        self.programs.after_fork()

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


def require_not_mounted(fs: Tree) -> None:
    """Raise OSError (EBUSY) for a file system that is mounted."""
    for mounted in process.table.mounts:
        if mounted.fs is fs:
            text = f"{os.strerror(errno.EBUSY)}: it is mounted; end the mount before"
            raise OSError(errno.EBUSY, text, mounted.point)


@by_name
def mount(
    fs: Tree,
    point: StrPath = "/mem",
    *,
    passthrough: Iterable[StrPath] = (),
    writable: Iterable[StrPath] = (),
    programs: How | None = None,
) -> Mount:
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
        writable: with `"/"`, real directories to stay visible, and to be changed in memory only:
            they are shown in `fs`, as by `fs.add_real(path, writable=True)`.
        programs: what becomes of programs that are started. "kernel": they see the same at the same
            path, the working directory included, which takes Linux, `/dev/fuse` and the right to
            mount; one that is started elsewhere fails with ENOTSUP. "refuse": they see the disk as
            it is, and one that is given a mounted path fails with ENOTSUP. By default the first
            where it is to be had, otherwise the second, as at `"/"`.

    Returns:
        A context manager, which is also a path, that of the mount point.

    Raises:
        ValueError: `passthrough` or `writable` is given for another mount point than the root, or
            `programs` is something else.
        NotImplementedError: on entry, elsewhere than on Linux with CPython.

    One that is never entered does nothing; a ResourceWarning says so.

    What is left open at the end of the block is reported by a ResourceWarning at the line that
    opened it.
    """
    return Mount(fs, point, passthrough=passthrough, writable=writable, programs=programs)


def _current_directory() -> str | None:
    """Return the kernel's working directory, None if it was removed or stands in for such a one."""
    try:
        path = _getcwd()
    except OSError:
        return None
    return None if path.startswith("/proc/") and path.endswith("/fdinfo") else path


def _own_package(point: str) -> tuple[str, ...]:
    """Return what stays visible below any mount point: this package, which imports parts late."""
    below = f"{point}/"
    return tuple(path for path in _PACKAGES if path.startswith(below))


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
    paths = {*_resolved(frozenset(own)), *others, *map(os.path.realpath, others), *_PACKAGES}
    passed = {f"{path.rstrip('/')}/" for path in paths if path.rstrip("/")}
    return (*sorted(passed), *DEVICES, *SYSTEM_VIEWS)


@lru_cache(8)
def _paths_elsewhere(_point: str, _passed: tuple[str, ...], _kept: tuple[str, ...]) -> set[str]:
    """Return where to remember what lies outside of such a mount, whatever is mounted there."""
    return set()


@lru_cache(8)
def _resolved(own: frozenset[str]) -> frozenset[str]:
    """Return Python's own directories and where they really are, which is looked up once."""
    return own.union(map(os.path.realpath, own))
