"""A faked file system: what the fixture `fs` is."""

from __future__ import annotations

import enum
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import _platform
from ._disk import see_the_disk, see_what_is_mounted
from ._memory import FakedMount
from ._open_files import OpenFiles


class OSType(enum.Enum):
    """The operating systems of which pyfakefs knows; here it is always Linux."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


class PatchMode(enum.Enum):
    """How pyfakefs treats `io.open_code`; here code is read wherever it is."""

    OFF = 1
    ON = 2
    AUTO = 3


class FSType(enum.Enum):
    """The kinds of file systems of which pyfakefs knows; here it is always that of Linux."""

    DEFAULT = 0
    POSIX = 1
    WINDOWS = 2


class FakeFilesystem(OpenFiles):
    """A file system in memory with the methods of pyfakefs's, mounted in the place of the disk.

    Args:
        path_separator: nothing but the slash.
        total_size: bytes; None for no limit.
        patcher: what mounts it.
        create_temp_dir: whether to make the directory for temporary files.
    """

    def __init__(
        self,
        path_separator: str | None = None,
        total_size: int | None = None,
        patcher: Any = None,
        create_temp_dir: bool = False,
    ) -> None:
        if path_separator not in (None, "/"):
            _refuse("another separator than the slash")
        self._patcher = None if patcher is None else weakref.ref(patcher)
        self.create_temp_dir_at_reset = create_temp_dir
        self._umask = _platform.umask()
        self.patch_open_code = PatchMode.OFF
        self.shuffle_listdir_results = False
        self.fs_type = FSType.DEFAULT
        self.last_ino = self.last_dev = 0
        super().__init__()
        self.reset(total_size)

    def reset(self, total_size: int | None = None, init_pathlib: bool = True) -> None:
        """Remove all that is in it.

        Args:
            total_size: bytes, from now on; None for no limit.
            init_pathlib: nothing here.
        """
        del init_pathlib
        was_mounted = self._is_mounted
        if was_mounted:
            self._leave()
        self._mount = None
        self._set_up()
        if total_size is not None:
            self.set_disk_usage(total_size)
        if self.create_temp_dir_at_reset:
            self.create_temp_dir()
        if was_mounted:
            self._enter()

    # In the place of the disk

    def _enter(self) -> None:
        """Mount it."""
        self._real_cwd = _working_directory()
        if self._mount is None:
            self._mount = FakedMount(self.memory)
        self._umask_before = os.umask(self._umask)
        try:
            see_the_disk(self._real_cwd)
            self._mount.__enter__()
            if self._cwd != "/":
                try:
                    os.chdir(self._cwd)
                except OSError:  # it was removed meanwhile
                    self._cwd = "/"
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        """End the mount; it keeps its files and its working directory."""
        if self._is_mounted:
            self._cwd = self.cwd
            self._umask = os.umask(self._umask_before)
        see_what_is_mounted()
        if self._mount is not None:
            self._mount.leave()

    @property
    def umask(self) -> int:
        """What new files are not allowed, by default as `os.umask` has it."""
        if self._is_mounted:
            self._umask = _platform.umask()
        return self._umask

    @umask.setter
    def umask(self, mask: int) -> None:
        if self._is_mounted:
            os.umask(mask)
        self._umask = mask

    @property
    def has_patcher(self) -> bool:
        """Whether something mounts it."""
        return self._patcher is not None

    @property
    def patcher(self) -> Any:
        """What mounts it."""
        patcher = None if self._patcher is None else self._patcher()
        if patcher is None:
            raise RuntimeError("this file system was made by itself: a Patcher mounts its own")
        return patcher

    def pause(self) -> None:
        """Show the disk, until `resume`.

        Raises:
            RuntimeError: no Patcher made it.
        """
        self.patcher.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.patcher.resume()

    def clear_cache(self) -> None:
        """Do nothing: there is no cache."""

    # Which system it is

    @property
    def os(self) -> OSType:
        """The operating system: Linux."""
        return OSType.LINUX

    @os.setter
    def os(self, value: OSType) -> None:
        if value.value != OSType.LINUX.value:
            _refuse(value.name)

    is_linux = True

    @property
    def is_windows_fs(self) -> bool:
        """False; to set it to anything else is refused."""
        return False

    @is_windows_fs.setter
    def is_windows_fs(self, value: bool) -> None:
        if value:
            _refuse("Windows")

    @property
    def is_macos(self) -> bool:
        """False; to set it to anything else is refused."""
        return False

    @is_macos.setter
    def is_macos(self, value: bool) -> None:
        if value:
            _refuse("macOS")

    @property
    def is_case_sensitive(self) -> bool:
        """True; to set it to anything else is refused."""
        return True

    @is_case_sensitive.setter
    def is_case_sensitive(self, value: bool) -> None:
        if not value:
            _refuse("a file system that is not case-sensitive")

    @contextmanager
    def use_fs_type(self, fs_type: Any) -> Iterator[None]:
        """Refuse a file system of Windows within the block."""
        if getattr(fs_type, "name", "") == "WINDOWS":
            _refuse("Windows")
        yield


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return "/"


def _refuse(what: str) -> None:
    raise NotImplementedError(
        f"{what}: the file system is Linux's; run the tests that want another one with pyfakefs, "
        f"without -p {__name__.rpartition('.')[0]}"
    )
