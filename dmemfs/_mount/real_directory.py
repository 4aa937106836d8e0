"""Where the kernel takes the process to be, while its working directory is a mounted one.

The kernel knows nothing of a mounted directory. A relative path that a library in C hands to it
would begin at the real directory in which the process was before, and find other files there, or
make them. So the process is in an empty directory that has been removed, meanwhile: nothing is
found in it, and nothing can be made in it (ENOENT).
"""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType
from typing import Any

from .. import _platform
from .._mutex import Mutex
from .._tree.forking import hold_during_forks

# As they are before anything is replaced: these ask the kernel.
_chdir = os.chdir
_close = os.close
_fstat = os.fstat
_getcwd = os.getcwd
_mkdir = os.mkdir
_open = os.open
_rmdir = os.rmdir
_stat = os.stat

SCRATCH = ("/dev/shm", "/tmp", "/var/tmp")
"""Where something real may be made for a while, in memory if there is such a place."""

SCRATCH_PREFIXES = tuple(f"{base}/dmemfs-" for base in SCRATCH)
"""How the paths of it begin."""

_WITHOUT_FILES = "/proc/self/fdinfo"
"""Where nothing can be made either, and only numbers are found."""

_HOLD = _platform.O_PATH | _platform.O_DIRECTORY | _platform.O_CLOEXEC


def temporary_directory() -> str:
    """Return the real directory for temporary files, and remind `tempfile` of it.

    It makes a file to find one, and forgets it at the end of each isolated mount.
    """
    import tempfile

    if tempfile.tempdir is None:
        tempfile.tempdir = _temporary_directory(*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")))
    return tempfile.gettempdir()


@lru_cache(8)
def _temporary_directory(*_names: str | None) -> str:
    import tempfile

    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # nothing real can be written to
        return "/tmp"


class RealDirectory:
    """Takes the process out of its real working directory, and back."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._former: int | None = None
        self._former_name = ""
        self._identity: tuple[int, int] | None = None
        self._away: tuple[int, int] | None = None
        self._knows_forks = False

    @property
    def name(self) -> str | None:
        """Where the process was before it was taken away; None where it was not, or is gone."""
        if self._former is None:
            return None
        try:
            return self._former_name if _identity(self._former_name) == self._identity else None
        except OSError:
            return None

    def leave(self) -> None:
        """Take the process to where no relative path leads to anything; once is enough."""
        with self._mutex:
            if self._former is not None:
                return
            if not self._knows_forks:
                self._knows_forks = True
                hold_during_forks(self._mutex)
            try:
                self._former_name = _getcwd()
            except OSError:
                return  # it has been removed already
            try:
                self._identity = _identity(".")
                self._former = _open(".", _HOLD)
                _chdir_to_nowhere()
                self._away = _identity(".")
            except OSError:
                self.come_back()  # and stay there

    def come_back(self) -> None:
        """Take the process back, unless somebody has taken it elsewhere."""
        if self._former is None:
            return
        with self._mutex:
            former, away = self._former, self._away
            if former is None:
                return
            try:
                if away is not None and _identity(".") == away:
                    self._go_back(former)
            finally:
                self._former = self._away = None
                if _is(former, self._identity):
                    _close(former)

    def _go_back(self, former: int) -> None:
        """Change to the directory of before, by its name if the descriptor was closed."""
        try:
            _chdir(former if _is(former, self._identity) else self._former_name)
        except OSError:
            _chdir("/")  # it was removed, or may not be entered any more


def _chdir_to_nowhere() -> None:
    for base in SCRATCH:
        name = f"{base}/dmemfs-{os.urandom(8).hex()}"
        try:
            _mkdir(name, 0o700)
        except OSError:
            continue
        try:
            _chdir(name)
        finally:
            _rmdir(name)
        if _modules_can_lack_names():
            return
        break
    _chdir(_WITHOUT_FILES)


def _modules_can_lack_names() -> bool:
    """Tell whether it is an AttributeError that a module has no such name.

    Python 3.13.0 looks for the working directory then, if it was started with `-c` as workers are,
    and makes a SystemError of it that there is none.
    """
    try:
        ModuleType.__getattribute__(_platform, "no such name")
    except AttributeError:
        return True
    except SystemError:
        return False
    return True


def _identity(path: Any) -> tuple[int, int]:
    status = _stat(path)
    return status.st_dev, status.st_ino


def _is(descriptor: int, identity: tuple[int, int] | None) -> bool:
    """Tell whether a descriptor still leads to a directory."""
    try:
        status = _fstat(descriptor)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity
