"""Programs that see what is mounted: where the kernel shows it to them, and how they are started.

What that takes is loaded when the first program is started. It is shown from then on until the
mount ends.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from .. import _platform
from .._mutex import Mutex
from .table import Mounted, MountTable

How: TypeAlias = Literal["kernel", "refuse"]
"""What becomes of programs that are started in a mount."""

# As they are before anything is replaced: these ask the kernel.
_getcwd = os.getcwd
_listdir = os.listdir
_get_inheritable = os.get_inheritable

_GROUP, _VFORK = 12, 17
"""Which arguments of `fork_exec` these are, behind the working directory."""


def require_how(programs: str | None, point: str) -> None:
    """Raise ValueError for what can become of no programs in a mount."""
    if programs is not None and programs not in get_args(How):
        known = " or ".join(map(repr, get_args(How)))
        raise ValueError(f"programs must be {known}, not {programs!r}")
    if programs == "kernel" and point == "/":
        raise ValueError("programs='kernel' goes with a mount point below the root")


class Programs:
    """What programs see of what is mounted.

    Attributes:
        why_not: why the kernel shows nothing, where it was asked.
    """

    def __init__(self, table: MountTable) -> None:
        self._table = table
        self._mutex = Mutex()
        self._namespace: Any = None
        self._shown: tuple[Mounted, ...] = ()
        self._of_parent: tuple[Any, tuple[Mounted, ...]] | None = None  # the same, before a fork
        self._is_refused = False
        self.why_not: Exception | None = None

    def namespace(self) -> Any:
        """Return what starts programs, with all shown that is to be; None where nothing is.

        Raises:
            OSError: ENOTSUP, a mount says that the kernel has to, and it does not.
        """
        wanted = [each for each in reversed(self._table.mounts) if self._is_to_be_shown(each)]
        if not wanted or self._table.isolates:
            return None
        if not all(each.is_shown for each in wanted):
            with self._mutex:
                self._show_all(wanted)
        return self._namespace if self._shown else None

    def _is_to_be_shown(self, mounted: Mounted) -> bool:
        """Tell whether programs are to see a mount: not where it would hide a real copy."""
        return mounted.programs != "refuse" and not self._table.has_real_below(mounted)

    def _show_all(self, wanted: list[Mounted]) -> None:
        refused: set[Mounted] = set()
        while left := [each for each in wanted if not (each.is_shown or each in refused)]:
            if not self._show(left[0]):  # the outer ones first
                refused.add(left[0])

    def _show(self, mounted: Mounted) -> bool:
        try:
            if self._is_refused:
                raise self.why_not or OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
            if self._namespace is None:
                self._is_refused = True
                from .._kernel.namespace import Namespace

                self._namespace = Namespace()
                self._is_refused = False
            self._hide(mounted.point, but_itself=True)  # to be shown again, on top of it
            for each in self._namespace.in_the_way(mounted.point):
                self._hide(each)
            self._namespace.show(mounted, mounted.fs, mounted.point)
        except (ImportError, OSError) as error:
            self.why_not = error.with_traceback(None)
            if mounted.programs == "kernel":
                text = (
                    f"{os.strerror(errno.ENOTSUP)}: the kernel cannot show it to programs "
                    f"({error}); it takes /dev/fuse and the right to mount"
                )
                raise OSError(errno.ENOTSUP, text, mounted.point) from error
            return False
        self._shown = (*self._shown, mounted)
        mounted.is_shown = True
        return True

    def hide(self, mounted: Mounted) -> None:
        """Let programs see something no more that is about to be unmounted.

        May be interrupted, and done again.
        """
        if sys.is_finalizing():  # the threads do nothing any more, and it all ends with the process
            return
        with self._mutex:
            if mounted in self._shown:
                self._hide(mounted.point)
            if not self._shown and self._namespace is not None:
                self._namespace.end()
                self._namespace = None
            self._is_refused = False
            self.why_not = None

    def _hide(self, point: str, *, but_itself: bool = False) -> None:
        """Hide what is shown at a path and below, the last first; it would go with that."""
        for each in reversed(self._shown):
            if each.point.startswith(f"{point}/") or (each.point == point and not but_itself):
                self._namespace.hide(each)
                each.is_shown = False
                self._shown = tuple(other for other in self._shown if other is not each)

    def after_fork(self) -> None:
        """Leave all of it to the parent, in a process that was forked."""
        self._mutex = Mutex()
        if self._namespace is not None:
            self._of_parent = self._namespace, self._shown
            self._namespace.close_in_child()
            self._namespace = None
            for each in self._shown:
                each.is_shown = False
            self._shown = ()

    def directory(self) -> str:
        """Return the working directory, by a path that programs can go."""
        cwd = self._table.cwd
        if cwd is not None:
            return cwd.outer()
        try:
            return _getcwd()
        except OSError:  # it was removed
            return "/proc"

    def fork_exec(
        self,
        namespace: Any,
        real: Callable[..., int],
        args: Any,
        executables: Any,
        close_fds: bool,
        pass_fds: Any,
        cwd: Any,
        others: tuple[Any, ...],
    ) -> int:
        """Start a program as `real` does, `_posixsubprocess.fork_exec`, and return its number."""
        directory = self.directory()
        if cwd is not None:
            directory = os.path.join(directory, os.fsdecode(cwd))
        if not close_fds:  # it is to hold nothing that answers it
            pass_fds = _inherited(pass_fds)
        others = _without_vfork(others)

        def start(left: str | None) -> int:
            return real(args, executables, True, pass_fds, left, *others)

        return namespace.start(start, directory, self._table.umask)  # type: ignore[no-any-return]

    def spawn(
        self,
        namespace: Any,
        path: Any,
        argv: Any,
        env: Any,
        options: dict[str, Any],
        directory: Any,
        *,
        is_searched: bool,
    ) -> int:
        """Start a program as `os.posix_spawn` does, or `posix_spawnp`, and return its number.

        In `directory`; None is the current one.
        """
        from .._kernel.spawning import spawn

        start = partial(
            spawn, path, argv, env, is_searched=is_searched, closed=namespace.descriptors, **options
        )
        where = self.directory() if directory is None else directory
        return namespace.start(lambda _: start(), where, self._table.umask)  # type: ignore[no-any-return]

    def enter(self) -> None:
        """See what programs of the parent see, where this process is about to become one."""
        if self._of_parent is not None:
            namespace, shown = self._of_parent
            with suppress(OSError):  # it has other threads
                namespace.enter(self.directory(), self._table.umask)
                for each in shown:
                    each.is_shown = True


def _inherited(pass_fds: Any) -> tuple[int, ...]:
    """Return the descriptors that a program inherits if none is closed."""
    numbers = set(pass_fds)
    for name in _listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing
            if int(name) > 2 and _get_inheritable(int(name)):
                numbers.add(int(name))
    return tuple(sorted(numbers))


def _without_vfork(others: tuple[Any, ...]) -> tuple[Any, ...]:
    """Let the interpreter go on while a program begins: it has to answer what that asks for.

    From Python 3.14 on nothing says so, but a program that is to have a certain group is never
    started by `vfork`.
    """
    changed = list(others)
    if len(changed) > _VFORK:
        changed[_VFORK] = False
    elif changed[_GROUP] is None:
        changed[_GROUP] = _platform.process_owner()[1]
    return tuple(changed)
