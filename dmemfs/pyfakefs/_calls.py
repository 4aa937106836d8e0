"""What a faked file system does when a test calls it directly, mounted or not."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from .._errors import os_error
from .._paths import StrPath
from ._objects import FakeDirectory, FakeFile
from ._space import Space


class Calls(Space):
    """Does what functions of `os` and `os.path` do, by paths relative to its working directory."""

    path_separator = "/"
    alternative_path_separator = None
    pathsep = ":"
    line_separator = "\n"
    devnull = "/dev/null"
    dev_null = None
    root_dir_name = "/"

    def exists(self, file_path: StrPath, check_link: bool = False) -> bool:
        """Tell whether something is at a path.

        Args:
            file_path: the path.
            check_link: whether a link is there though it leads to nothing.
        """
        if file_path is None:
            raise TypeError("file_path must be a path, not None")
        text = self._as_given(file_path)
        if text == self.devnull:
            return True
        return bool(text) and self._node(text, follow=not check_link) is not None

    def isfile(self, path: StrPath, follow_symlinks: bool = True) -> bool:
        """Tell whether a regular file is at a path."""
        return self._is(stat.S_IFREG, path, follow_symlinks)

    def isdir(self, path: StrPath, follow_symlinks: bool = True) -> bool:
        """Tell whether a directory is at a path."""
        return self._is(stat.S_IFDIR, path, follow_symlinks)

    def islink(self, path: StrPath) -> bool:
        """Tell whether a symbolic link is at a path."""
        return self._is(stat.S_IFLNK, path, False)

    def isjunction(self, path: StrPath) -> bool:
        """Tell that it is no junction, which Windows has."""
        del path
        return False

    def _is(self, kind: int, path: StrPath, follow: bool) -> bool:
        if path is None:
            raise TypeError("path must be a path, not None")
        node = self._node(self._as_given(path), follow=follow)
        return node is not None and stat.S_IFMT(node.mode) == kind

    def _node(self, text: str, *, follow: bool) -> Any:
        try:
            return self.memory._find(text, follow=follow) if text else None
        except (OSError, ValueError):
            return None

    @contextmanager
    def _naming(self, path: Any) -> Iterator[str]:
        """Give a path from the root on, and name it as given in an error."""
        try:
            yield self._as_given(path)
        except OSError as error:
            if error.filename2 is None:
                error.filename = path
            raise

    def stat(self, entry_path: StrPath, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes of what is at a path."""
        if isinstance(entry_path, int):
            return os.stat(entry_path)
        with self._naming(entry_path) as path:
            return self.memory.stat(path, follow_symlinks=follow_symlinks)

    def chmod(
        self,
        path: StrPath,
        mode: int,
        follow_symlinks: bool = True,
        force_unix_mode: bool = False,
    ) -> None:
        """Set the permission bits of what is at a path."""
        del force_unix_mode  # for Windows
        if isinstance(path, int):
            os.chmod(path, mode)
            return
        with self._naming(path) as text:
            self.memory.chmod(text, mode, follow_symlinks=follow_symlinks)

    def utime(
        self,
        path: StrPath,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times of what is at a path."""
        options: Any = {} if ns is None else {"ns": ns}
        with self._naming(path) as text:
            self.memory.utime(text, times, follow_symlinks=follow_symlinks, **options)

    def listdir(self, target_directory: StrPath) -> list[Any]:
        """Return the names in a directory, in the order in which they were made."""
        if target_directory is None:
            return []
        with self._naming(target_directory) as path:
            names = self.memory.listdir(path)
        return list(map(os.fsencode, names)) if isinstance(target_directory, bytes) else names

    def confirmdir(
        self,
        target_directory: StrPath,
        check_read_perm: bool = True,
        check_exe_perm: bool = True,
        check_owner: bool = False,
    ) -> FakeDirectory:
        """Return the object of a directory, whatever modes forbid.

        Raises:
            NotADirectoryError: it is none.
        """
        del check_read_perm, check_exe_perm, check_owner
        found = self._object_at(target_directory, follow=True)
        if not isinstance(found, FakeDirectory):
            raise os_error(errno.ENOTDIR, target_directory)
        return found

    def makedir(self, dir_path: StrPath, mode: int = 0o777) -> None:
        """Make a directory."""
        with self._naming(dir_path) as path:
            self.memory.mkdir(path)
            self.memory.chmod(path, mode & ~self.umask)
        self._show(self._text(dir_path))

    def makedirs(self, dir_name: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory, and what is missing above."""
        with self._naming(dir_name) as path:
            missing = self._missing(self._text(path))
            if not missing and not (exist_ok and self.memory.is_dir(path)):
                raise os_error(errno.EEXIST, path)
            for each in missing:
                self.memory.mkdir(each)
                self.memory.chmod(each, mode & ~self.umask)
        self._show(self._text(dir_name))

    def remove(self, path: StrPath) -> None:
        """Remove a file or a link."""
        with self._naming(path) as text:
            self.memory.remove(text)

    def rmdir(self, target_directory: StrPath, allow_symlink: bool = False) -> None:
        """Remove an empty directory."""
        del allow_symlink
        with self._naming(target_directory) as path:
            self.memory.rmdir(path)

    def remove_object(self, file_path: StrPath) -> None:
        """Remove a file, or a directory with all below."""
        text = self._text(file_path)
        if text == "/":
            raise os_error(errno.EBUSY, file_path)
        with self._naming(file_path):
            if self.memory.is_dir(text) and not self.memory.is_symlink(text):
                self.memory.rmtree(text)
            else:
                self.memory.remove(text)

    def rename(
        self, old_file_path: StrPath, new_file_path: StrPath, force_replace: bool = False
    ) -> None:
        """Rename what is at a path."""
        del force_replace  # for Windows
        self.memory.rename(self._as_given(old_file_path), self._as_given(new_file_path))
        self._show(self._text(new_file_path))

    def readlink(self, path: StrPath) -> str:
        """Return what a symbolic link says."""
        if path is None:
            raise TypeError("path must be a path, not None")
        with self._naming(path) as text:
            return os.fsdecode(self.memory.readlink(text))

    # Objects

    @property
    def root(self) -> FakeFile:
        """The object of the root directory."""
        return self._object_of(self.memory._root)

    root_dir = root

    def resolve(
        self,
        file_path: StrPath,
        follow_symlinks: bool = True,
        allow_fd: bool = False,
        **_: bool,
    ) -> FakeFile:
        """Return the object of what is at a path.

        Raises:
            FileNotFoundError: there is nothing.
        """
        if isinstance(file_path, int):
            if not allow_fd:
                raise TypeError("path should be string, bytes or os.PathLike, not int")
            return self.get_object(os.readlink(f"/proc/self/fd/{file_path}"))
        return self._object_at(file_path, follow=follow_symlinks)

    def lresolve(self, path: StrPath) -> FakeFile:
        """Return the object of what is at a path, of a link itself."""
        text = self._as_given(path)
        return self._object_at(text.rstrip("/") or text, follow=False)

    def get_object_from_normpath(self, file_path: StrPath, *_: bool, **__: bool) -> FakeFile:
        """Return the object of what is at a path; see `get_object`."""
        return self.get_object(file_path)

    def __str__(self) -> str:
        return str(self.root)

    # Paths, for which `os.path` has the functions

    def absnormpath(self, path: Any) -> Any:
        """Return a path from the root on, without `..` and the like."""
        text = self._text(path)
        return os.fsencode(text) if isinstance(os.fspath(path), bytes) else text

    def normpath(self, path: Any) -> Any:
        """Return a path without `..` and the like."""
        return posixpath.normpath(path)

    def normcase(self, path: Any) -> Any:
        """Return a path as it is."""
        return os.fspath(path)

    def joinpaths(self, *paths: Any) -> Any:
        """Return paths put together."""
        return posixpath.join(*paths) if paths else ""

    def splitpath(self, path: Any) -> tuple[Any, Any]:
        """Return the directory of a path and its last name."""
        return posixpath.split(path)

    def splitdrive(self, path: Any) -> tuple[Any, Any]:
        """Return an empty drive and the path."""
        return posixpath.splitdrive(path)

    def splitroot(self, path: Any) -> tuple[Any, Any, Any]:
        """Return an empty drive, the slashes at the beginning, and the rest."""
        given = os.fspath(path)
        slash = b"/" if isinstance(given, bytes) else "/"
        rest = given.lstrip(slash)
        slashes = len(given) - len(rest)
        if slashes > 2:
            slashes = 1
        return given[:0], given[:slashes], given[slashes:]

    def isabs(self, path: Any) -> bool:
        """Tell whether a path begins at the root."""
        return posixpath.isabs(path)

    def isreserved(self, path: Any) -> bool:
        """Tell that no name is reserved, as on Windows."""
        del path
        return False

    def make_string_path(self, path: Any) -> Any:
        """Return a path as text or bytes."""
        return os.fspath(path)

    def ends_with_path_separator(self, path: Any) -> bool:
        """Tell whether a path ends with a slash."""
        return not isinstance(path, int) and os.fsdecode(path).endswith("/") and path not in ("/",)

    def is_filepath_ending_with_separator(self, path: Any) -> bool:
        """Tell whether a path ends with a slash and leads to a file."""
        return self.ends_with_path_separator(path) and self.isfile(os.fsdecode(path).rstrip("/"))

    def starts_with_sep(self, path: Any) -> bool:
        """Tell whether a path begins with a slash."""
        return os.fsdecode(path).startswith("/")

    starts_with_root_path = starts_with_sep

    def starts_with_drive_letter(self, file_path: Any) -> bool:
        """Tell that no path has a drive."""
        del file_path
        return False

    def replace_windows_root(self, path: Any) -> Any:
        """Return a path as it is."""
        return path

    def get_path_separator(self, path: Any) -> Any:
        """Return the slash, of the type of a path."""
        return b"/" if isinstance(path, bytes) else "/"

    def get_alternative_path_separator(self, path: Any) -> None:
        """Return None: there is no other separator."""
        del path

    def raise_for_filepath_ending_with_separator(self, entry_path: Any, *_: Any) -> None:
        """Raise NotADirectoryError for a path that ends with a slash and leads to a file."""
        if self.is_filepath_ending_with_separator(entry_path):
            raise os_error(errno.ENOTDIR, entry_path)

    def raise_os_error(
        self, err_no: int, filename: Any = None, winerror: int | None = None
    ) -> NoReturn:
        """Raise the OSError of a number, naming a path."""
        del winerror
        raise OSError(err_no, f"{os.strerror(err_no)} in the fake filesystem", filename)
