"""Stand-ins for what the kernel does with files: it starts programs, loads libraries, maps memory.

Where it can show programs what is mounted, they are started so that they see it. Otherwise it would
answer that there is no such file, or worse, find another one. So what is given a mounted file is
refused, with the matter and the way out. A program that is given none is started, and sees the disk
as it is. This process itself never meets what is shown, nor do libraries that it loads.
"""

from __future__ import annotations

import _imp
import _posixsubprocess
import errno
import mmap as _mmap
import os
import posix
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any

from ..._errors import os_error, refusal
from ..._mutex import Mutex
from ..._tree.lookup import LeadsOutsideError
from ..descriptors import FIRST_DESCRIPTOR
from ..likeness import Home
from ..programs import Programs
from ..table import Mounted, MountTable
from ..workers import worker_code

_fork_exec = _posixsubprocess.fork_exec
_posix_spawn = getattr(posix, "posix_spawn", None)
_posix_spawnp = getattr(posix, "posix_spawnp", None)
_execv = posix.execv
_execve = posix.execve
_system = posix.system
_access = posix.access
_chdir = posix.chdir
_close = posix.close
_fchdir = posix.fchdir
_open = posix.open
_create_dynamic = _imp.create_dynamic
RealMmap = _mmap.mmap

INSTEAD = "/proc" if os.path.isdir("/proc") else "/"
"""Where programs start while the working directory is mounted: nobody can make files there."""

_STARTS_OF_WORKERS = ("from multiprocessing.spawn ", "from multiprocessing.forkserver ")
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
_mutex = Mutex()

_DESCRIPTOR = "another program cannot use the descriptor of a mounted file"


class PatchedProcesses(Home):
    """What starts programs."""

    def __init__(self, table: MountTable, programs: Programs) -> None:
        self._table = table
        self._programs = programs

    def _hidden(self, path: Any) -> tuple[Mounted, str] | None:
        """Return where a path leads to that programs do not see; None where they see it."""
        place = self._table.locate(path)
        return None if place is None or self._table.shows(place[0]) else place

    def _refusal(self, what: str, path: Any) -> OSError:
        return refusal(what, path, writes=True, because=self._programs.why_not)

    def _is_hidden(self, path: Any) -> bool:
        try:
            return self._hidden(path) is not None
        except LeadsOutsideError:
            return False

    def _is_hidden_file(self, path: Any) -> bool:
        try:
            return _is_there(self._hidden(path))
        except OSError:
            return False

    def _is_mounted_file(self, path: Any) -> bool:
        try:
            return _is_there(self._table.locate(path))
        except OSError:
            return False

    def _is_kept(self, path: str) -> bool:
        """Tell whether the real file of that name is shown there."""
        mount = self._table.mount_of(path)
        return mount is not None and path.startswith(mount.kept) and _access(path, os.R_OK)

    def _directory_for(self, program: Any, arguments: Any, cwd: Any = None) -> Any:
        """Return the directory in which a program is to be started, None for the current one.

        Args:
            program: its path, or a name to be looked for.
            arguments: what it is given, its name first.
            cwd: the directory that is asked for.

        Raises:
            OSError: ENOTSUP, it is given something that only this process can see.
        """
        here = os.fsdecode(cwd) if cwd is not None else None
        if self._is_hidden_file(_below(here, program)):
            raise self._refusal("a mounted file cannot be run", program)
        if here is not None and self._is_hidden_directory(here):
            raise self._refusal("another program cannot work in a mounted directory", cwd)
        for word in _words(arguments):
            if self._is_given(word, here):
                raise self._refusal("another program cannot open a mounted file", word)
        current = self._table.cwd
        if cwd is None and current is not None and not self._table.shows(current.mount):
            return INSTEAD
        return cwd

    def _is_hidden_directory(self, path: str) -> bool:
        """Tell whether a directory is in a mount: in isolation, if it is there."""
        try:
            place = self._hidden(path)
        except OSError:
            return False
        return place is not None and (
            bool(place[0].offset) or place[0].fs._peek(place[1]) is not None
        )

    def _is_given(self, word: str, cwd: str | None) -> bool:
        """Tell whether a word of a command names something in a mount, or something to be made."""
        start = word.find("/")
        absolute = start == 0 or (start > 0 and word[start - 1] in "=:,")
        path = word[start:] if absolute else _below(cwd, word)
        try:
            place = self._hidden(path)
        except OSError:
            return False
        if place is None:
            return False
        mount, inner = place
        if mount.fs._peek(inner) is not None:
            return inner != "/" or bool(mount.offset)
        if not absolute:
            return False
        above = inner.rpartition("/")[0]
        return bool(mount.offset) or (above != "" and mount.fs._peek(above) is not None)

    def _can_be_run(self, program: Any, cwd: Any) -> bool:
        path = _below(None if cwd is None else os.fsdecode(cwd), program)
        return self._is_mounted_file(path) or _access(path, os.X_OK)

    def _as_the_kernel_sees(self, programs: Any, cwd: Any) -> list[Any]:
        """Return the paths of a program that are not hidden by what is mounted in their place."""
        here = os.fsdecode(cwd) if cwd is not None else None
        seen = []
        for program in programs:
            try:
                place = self._hidden(_below(here, program))
            except OSError:
                place = None
            if place is None or not place[0].offset:
                seen.append(program)
        return seen

    def _require_real(self, file_actions: Any) -> None:
        """Raise where a descriptor or a file for a program to use is not of the kernel."""
        for _, *rest in file_actions:
            for value in rest:
                if isinstance(value, int) and value >= FIRST_DESCRIPTOR:
                    raise refusal(_DESCRIPTOR, value)
                if isinstance(value, str | bytes) and self._is_hidden(value):
                    raise self._refusal("another program cannot open a mounted file", value)

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
        namespace = self._programs.namespace()
        visible = self._as_the_kernel_sees(executable_list, cwd)
        program = next(filter(partial(self._can_be_run, cwd=cwd), executable_list), None)
        if program is None and (not visible or (cwd is not None and self._is_hidden(cwd))):
            raise os_error(errno.ENOENT, args[0] if args else None)
        directory = self._directory_for(program or visible[0], args or (), cwd)
        args = self._told_of_mounts(args)
        if namespace is None:
            return _fork_exec(args, visible, close_fds, pass_fds, directory, *others)
        return self._programs.fork_exec(
            namespace, _fork_exec, args, visible, close_fds, pass_fds, directory, others
        )

    def _told_of_mounts(self, args: Any) -> Any:
        """Let the workers of `multiprocessing` and loky refuse what only this process can see.

        What they are to do comes to them later, and may name mounted paths. There the disk is to
        be found by nobody.
        """
        if all(map(self._table.shows, self._table.mounts)):
            return args
        words = [os.fsdecode(word) for word in args or ()]
        for at, (option, what) in enumerate(pairwise(words)):
            is_spawned = option == "-c" and what.startswith(_STARTS_OF_WORKERS)
            if is_spawned or (option == "-m" and ".loky.backend." in f".{what}"):
                told = worker_code(self._table, what, is_module=not is_spawned)
                return [*words[:at], "-c", told, *words[at + 2 :]]
        return args

    def posix_spawn(self, path: Any, argv: Any, env: Any, /, **options: Any) -> int:
        return self._spawn(_posix_spawn, path, argv, env, options)

    def posix_spawnp(self, path: Any, argv: Any, env: Any, /, **options: Any) -> int:
        return self._spawn(_posix_spawnp, path, argv, env, options)

    def _spawn(self, spawn: Any, path: Any, argv: Any, env: Any, options: dict[str, Any]) -> int:
        namespace = self._programs.namespace()
        directory = self._directory_for(path, argv)
        self._require_real(options.get("file_actions") or ())
        if namespace is not None:
            return self._programs.spawn(
                namespace, path, argv, env, options, directory, is_searched=spawn is _posix_spawnp
            )
        with self._in(directory):
            return spawn(path, argv, env, **options)  # type: ignore[no-any-return]

    @contextmanager
    def _in(self, directory: Any) -> Iterator[None]:
        """Take the process to a real directory, for what starts programs in the current one."""
        if directory is None:
            yield
            return
        with _mutex:
            former = _open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _chdir(directory)
                yield
            finally:
                _fchdir(former)
                _close(former)

    def execv(self, path: Any, argv: Any, /) -> None:
        self._programs.enter()
        with self._in(self._directory_for(path, argv)):
            _execv(path, argv)

    def execve(self, path: Any, argv: Any, env: Any) -> None:
        self._programs.enter()
        directory = None
        if not isinstance(path, int):
            directory = self._directory_for(path, argv)
        elif path >= FIRST_DESCRIPTOR:
            raise refusal("a mounted file cannot be run", path)
        with self._in(directory):
            _execve(path, argv, env)

    def system(self, command: Any) -> int:
        argv = ("sh", "-c", os.fsdecode(command))
        namespace = self._programs.namespace()
        directory = self._directory_for("/bin/sh", argv)
        if namespace is None and (directory is None or _posix_spawn is None):
            return _system(command)
        pid = self._spawn(_posix_spawn, "/bin/sh", argv, os.environ, {})
        try:
            return os.waitpid(pid, 0)[1]
        except BaseException:  # it has got the same signal
            os.waitpid(pid, 0)
            raise

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


def _is_there(place: tuple[Mounted, str] | None) -> bool:
    return place is not None and place[0].fs._peek(place[1]) is not None


def _below(cwd: str | None, path: Any) -> str:
    """Return a path as it is to be found from a directory."""
    return os.path.join(cwd or "", os.fsdecode(path))


def _words(arguments: Any) -> Iterator[str]:
    """Yield what a program is given; of the command of a shell, its words."""
    words = [os.fsdecode(word) for word in arguments]
    is_shell = os.path.basename(words[0]) in _SHELLS if words else False
    for at, word in enumerate(words[1:], 1):
        if is_shell and words[at - 1] == "-c":
            lexer = shlex.shlex(word, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            with suppress(ValueError):  # the shell will say what is wrong
                yield from lexer
        elif word[:1] != "-" or "/" in word:
            yield word


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
