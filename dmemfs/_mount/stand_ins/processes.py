"""Stand-ins for what can never see a mounted file: other programs, mmap, the loader of libraries.

The kernel would answer that there is no such file, or worse, start a program in another directory
than the one that `os.getcwd` tells. These say what is the matter, and what to do.
"""

from __future__ import annotations

import _imp
import _posixsubprocess
import mmap as _mmap
import os
import posix
from typing import Any

from ..._errors import refusal
from ..descriptors import FIRST_DESCRIPTOR
from ..likeness import Home
from ..table import LeadsOutsideError, MountTable

_fork_exec = _posixsubprocess.fork_exec
_posix_spawn = getattr(posix, "posix_spawn", None)
_posix_spawnp = getattr(posix, "posix_spawnp", None)
_execv = posix.execv
_execve = posix.execve
_system = posix.system
_access = posix.access
_create_dynamic = _imp.create_dynamic
RealMmap = _mmap.mmap

_DESCRIPTOR = "another program cannot use the descriptor of a mounted file"


class PatchedProcesses(Home):
    """What starts programs."""

    def __init__(self, table: MountTable) -> None:
        self._table = table

    def _is_mounted(self, path: Any) -> bool:
        try:
            return self._table.locate(path) is not None
        except LeadsOutsideError:
            return False

    def _is_mounted_file(self, path: Any) -> bool:
        try:
            place = self._table.locate(path)
            return place is not None and place[0].fs._peek(place[1]) is not None
        except OSError:
            return False

    def _is_kept(self, path: str) -> bool:
        """Tell whether the real file of that name is shown there."""
        mount = self._table.mount_of(path)
        return mount is not None and path.startswith(mount.kept) and _access(path, os.R_OK)

    def _require_visible(self, program: Any, arguments: Any, cwd: Any) -> None:
        """Raise unless a program can be started in this directory, and see what it is told of.

        Raises:
            OSError: ENOTSUP.
        """
        if cwd is not None:
            if self._is_mounted(cwd):
                raise refusal("another program cannot work in a mounted directory", cwd)
        elif self._table.cwd is not None:
            raise refusal(
                "another program cannot work in a mounted directory, as the current one is (or "
                "pass it a real directory as cwd=)",
                self._table.cwd.mount.point,
            )
        if self._is_mounted_file(program):
            raise refusal("a mounted file cannot be run", program)
        for argument in arguments:
            if os.fsencode(argument)[:1] == b"/" and self._is_mounted_file(argument):
                raise refusal("another program cannot open a mounted file", argument)

    def _require_real(self, file_actions: Any) -> None:
        """Raise where a descriptor or a file for a program to use is not of the kernel."""
        for _, *rest in file_actions:
            for value in rest:
                if isinstance(value, int) and value >= FIRST_DESCRIPTOR:
                    raise refusal(_DESCRIPTOR, value)
                if isinstance(value, str | bytes) and self._is_mounted(value):
                    raise refusal("another program cannot open a mounted file", value)

    def fork_exec(
        self,
        args: Any,
        executable_list: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        *others: Any,
    ) -> int:
        """Start a program, for `subprocess`."""
        for number in (*pass_fds, *others[1:7]):
            if number >= FIRST_DESCRIPTOR:
                raise refusal(_DESCRIPTOR, number)
        for program in executable_list:
            self._require_visible(program, args or (), cwd)
        return _fork_exec(args, executable_list, close_fds, pass_fds, cwd, *others)

    def posix_spawn(self, path: Any, argv: Any, env: Any, /, **options: Any) -> int:
        self._require_visible(path, argv, None)
        self._require_real(options.get("file_actions", ()))
        return _posix_spawn(path, argv, env, **options)  # type: ignore[misc, no-any-return]

    def posix_spawnp(self, path: Any, argv: Any, env: Any, /, **options: Any) -> int:
        self._require_visible(path, argv, None)
        self._require_real(options.get("file_actions", ()))
        return _posix_spawnp(path, argv, env, **options)  # type: ignore[misc, no-any-return]

    def execv(self, path: Any, argv: Any, /) -> None:
        self._require_visible(path, argv, None)
        _execv(path, argv)

    def execve(self, path: Any, argv: Any, env: Any) -> None:
        if isinstance(path, int):
            if path >= FIRST_DESCRIPTOR:
                raise refusal("a mounted file cannot be run", path)
        else:
            self._require_visible(path, argv, None)
        _execve(path, argv, env)

    def system(self, command: Any) -> int:
        self._require_visible("/bin/sh", (), None)
        return _system(command)

    def create_dynamic(self, spec: Any, file: Any = None, /) -> Any:
        """Load a module written in C, for `importlib`."""
        if self._is_mounted_file(spec.origin) and not self._is_kept(spec.origin):
            raise ImportError(
                f"the dynamic linker cannot see {spec.origin!r}, which is in memory. Import it "
                f"from a real copy: with dmemfs.materialize({spec.origin!r}) as real: ...",
                name=spec.name,
                path=spec.origin,
            )
        return _create_dynamic(spec) if file is None else _create_dynamic(spec, file)


class _MmapKind(type):
    """Makes real maps instances of `mmap.mmap`, and refuses mounted files."""

    def __call__(cls, fileno: int, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(fileno, int) and fileno >= FIRST_DESCRIPTOR:
            raise refusal("a mounted file cannot be mapped into memory", fileno)
        if cls is StandInMmap:
            return RealMmap(fileno, *arguments, **keywords)
        return super().__call__(fileno, *arguments, **keywords)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RealMmap if cls is StandInMmap else cls)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is StandInMmap:
            return issubclass(subclass, RealMmap)
        return super().__subclasscheck__(subclass)


class StandInMmap(RealMmap, metaclass=_MmapKind):
    """What stands at `mmap.mmap` while something is mounted."""


StandInMmap.__name__ = StandInMmap.__qualname__ = "mmap"
StandInMmap.__module__ = "mmap"
