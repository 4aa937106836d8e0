"""A real directory behind the method names of MemoryFileSystem.

The same test can then run on both: a path "/a/b" means ``root/a/b``, and whatever the operating
system says about paths (errors, targets of links, names of open files) is said in the test's
own terms again.

Limits of the stand-in:

- Its "/" is an ordinary directory, so operations on the root itself (rename, rmdir, "/.." and
  links that climb above it) mean something else than on a root: they are tested on
  MemoryFileSystem alone.
- The prefix of the real directory counts towards the path limit of 4095 bytes (see
  ``prefix_length``) and towards the size of a symbolic link with an absolute target.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import IO, Any

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class RealDirEntry:
    """Show an os.DirEntry with the path that a scan of the stand-in's own tree would give."""

    def __init__(self, entry: os.DirEntry[Any], path: Any) -> None:
        self._entry = entry
        self.name: Any = entry.name
        self.path: Any = path

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return bool(self._ask(self._entry.is_file, follow_symlinks=follow_symlinks))

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return bool(self._ask(self._entry.is_dir, follow_symlinks=follow_symlinks))

    def is_symlink(self) -> bool:
        return self._entry.is_symlink()

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        result: os.stat_result = self._ask(self._entry.stat, follow_symlinks=follow_symlinks)
        return result

    def inode(self) -> int:
        return self._entry.inode()

    def _ask(self, question: Callable[..., Any], **keywords: Any) -> Any:
        try:
            return question(**keywords)
        except OSError as error:
            error.filename = self.path
            raise

    def __fspath__(self) -> Any:
        return self.path


class RealScan:
    """Iterate over a directory, closing the operating system's scan when asked or at the end."""

    def __init__(self, scan: Any, given: Any) -> None:
        self._scan = scan
        self._given = given

    def __iter__(self) -> Iterator[RealDirEntry]:
        return self

    def __next__(self) -> RealDirEntry:
        entry = next(self._scan)
        return RealDirEntry(entry, os.path.join(self._given, entry.name))

    def __enter__(self) -> RealScan:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._scan.close()


class RealFileSystem:
    """Give a real directory the methods of MemoryFileSystem, as os, shutil and glob do them."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        # A link above the root would count towards the 40 links of a path.
        self.root = os.path.realpath(root)
        self._encoded_root = os.fsencode(self.root)

    @property
    def prefix_length(self) -> int:
        """How many bytes the path of the root takes from the 4095 of an absolute path."""
        return len(self._encoded_root)

    # -- translation ---------------------------------------------------------------------------

    def to_real(self, path: Any) -> Any:
        """Return the path under the root that stands for ``path``; nonsense stays nonsense."""
        if isinstance(path, os.PathLike):
            path = os.fspath(path)
        if isinstance(path, str):
            if path == "":
                return path
            return self.root + path if path.startswith("/") else f"{self.root}/{path}"
        if isinstance(path, bytes):
            if path == b"":
                return path
            separator = b"" if path.startswith(b"/") else b"/"
            return self._encoded_root + separator + path
        return path

    def from_real(self, path: Any) -> Any:
        """Return the absolute path in this tree that ``path`` stands for."""
        if isinstance(path, str) and (path == self.root or path.startswith(self.root + "/")):
            return path[len(self.root) :] or "/"
        if isinstance(path, bytes):
            root = self._encoded_root
            if path == root or path.startswith(root + b"/"):
                return path[len(root) :] or b"/"
        return path

    def _as_given(self, real: Any, given: Any) -> Any:
        """Return a real path below ``to_real(given)`` in the form that ``given`` has."""
        own = self.from_real(real)
        separator = b"/" if isinstance(given, bytes) else "/"
        return own if given.startswith(separator) else own[1:]

    def _call(self, function: Callable[..., Any], *paths: Any, **keywords: Any) -> Any:
        """Call ``function`` on real paths, naming the given ones in its errors."""
        real_paths = [self.to_real(path) for path in paths]
        try:
            return function(*real_paths, **keywords)
        except OSError as error:
            self._rename_error(error, paths, real_paths)
            raise

    def _rename_error(
        self, error: OSError, given: tuple[Any, ...], real: list[Any] | tuple[Any, ...]
    ) -> None:
        pairs = list(zip(given, real, strict=True))
        # Two spellings of one path map to one real path: the second name is then the last one's.
        for attribute, candidates in (("filename", pairs), ("filename2", pairs[::-1])):
            name = getattr(error, attribute)
            if isinstance(name, (str, bytes)):
                own = next((own for own, translated in candidates if name == translated), None)
                if own is None:  # A path below or above a given one, in the form of that one.
                    near = (
                        path
                        for path, translated in candidates
                        if name.startswith(translated) or translated.startswith(name)
                    )
                    own = self._as_given(name, os.fspath(next(near, "/")))
                setattr(error, attribute, os.fspath(own))

    # -- files ---------------------------------------------------------------------------------

    def open(
        self,
        path: AnyPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        file: IO[Any] = self._call(
            open,
            path,
            mode=mode,
            buffering=buffering,
            encoding=encoding,
            errors=errors,
            newline=newline,
        )
        binary: Any = getattr(file, "buffer", file)
        try:
            binary.name = os.fspath(path)
        except AttributeError:  # io's buffers have the name of what is below them
            binary.raw.name = os.fspath(path)
        return file

    def read_bytes(self, path: AnyPath) -> bytes:
        with self.open(path, "rb") as file:
            return bytes(file.read())

    def write_bytes(self, path: AnyPath, data: bytes) -> int:
        with self.open(path, "wb") as file:
            return file.write(data)

    def read_text(
        self,
        path: AnyPath,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> str:
        with self.open(path, "r", encoding=encoding, errors=errors, newline=newline) as file:
            return str(file.read())

    def write_text(
        self,
        path: AnyPath,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        with self.open(path, "w", encoding=encoding, errors=errors, newline=newline) as file:
            return file.write(data)

    def truncate(self, path: AnyPath, length: int) -> None:
        self._call(lambda real: os.truncate(real, length), path)

    # -- attributes ----------------------------------------------------------------------------

    def stat(self, path: AnyPath, *, follow_symlinks: bool = True) -> os.stat_result:
        result: os.stat_result = self._call(os.stat, path, follow_symlinks=follow_symlinks)
        return result

    def lstat(self, path: AnyPath) -> os.stat_result:
        result: os.stat_result = self._call(os.lstat, path)
        return result

    def get_size(self, path: AnyPath) -> int:
        return int(self._call(os.path.getsize, path))

    def exists(self, path: AnyPath) -> bool:
        return bool(self._call(os.path.exists, path))

    def is_file(self, path: AnyPath) -> bool:
        return bool(self._call(os.path.isfile, path))

    def is_dir(self, path: AnyPath) -> bool:
        return bool(self._call(os.path.isdir, path))

    def is_symlink(self, path: AnyPath) -> bool:
        return bool(self._call(os.path.islink, path))

    def access(self, path: AnyPath, mode: int) -> bool:
        return bool(self._call(lambda real: os.access(real, mode), path))

    def chmod(self, path: AnyPath, mode: int, *, follow_symlinks: bool = True) -> None:
        self._call(lambda real: os.chmod(real, mode, follow_symlinks=follow_symlinks), path)

    def chown(self, path: AnyPath, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        self._call(lambda real: os.chown(real, uid, gid, follow_symlinks=follow_symlinks), path)

    def utime(
        self,
        path: AnyPath,
        times: tuple[float, float] | None = None,
        *,
        follow_symlinks: bool = True,
        **nanoseconds: Any,
    ) -> None:
        # os.utime tells "ns was not given" from "ns is None", so it is passed only when given.
        self._call(
            lambda real: os.utime(real, times, follow_symlinks=follow_symlinks, **nanoseconds),
            path,
        )

    def statvfs(self, path: AnyPath = "/") -> os.statvfs_result:
        result: os.statvfs_result = self._call(os.statvfs, path)
        return result

    # -- directories ---------------------------------------------------------------------------

    def listdir(self, path: Any = "/") -> list[Any]:
        return list(self._call(os.listdir, path))

    def scandir(self, path: Any = "/") -> RealScan:
        return RealScan(self._call(os.scandir, path), os.fspath(path))

    def mkdir(
        self,
        path: AnyPath,
        mode: int = 0o777,
        *,
        parents: bool = False,
        exist_ok: bool = False,
    ) -> None:
        def make(real: Any) -> None:
            if parents:
                os.makedirs(real, mode, exist_ok)
                return
            try:
                os.mkdir(real, mode)
            except FileExistsError:
                if not exist_ok or not os.path.isdir(real):
                    raise

        self._call(make, path)

    def makedirs(self, path: AnyPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        self._call(lambda real: os.makedirs(real, mode, exist_ok=exist_ok), path)

    def rmdir(self, path: AnyPath) -> None:
        self._call(os.rmdir, path)

    def rmtree(self, path: AnyPath, ignore_errors: bool = False) -> None:
        self._call(lambda real: shutil.rmtree(real, ignore_errors), path)

    def walk(
        self,
        top: Any = "/",
        topdown: bool = True,
        onerror: Callable[[OSError], None] | None = None,
        followlinks: bool = False,
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        given = os.fspath(top)

        def report(error: OSError) -> None:
            if onerror is not None:
                self._rename_error(error, (), ())
                if error.filename is not None:
                    error.filename = self._as_given(self.to_real(error.filename), given)
                onerror(error)

        for directory, directories, files in os.walk(
            self.to_real(given), topdown, report, followlinks
        ):
            yield self._as_given(directory, given), directories, files

    def glob(self, pattern: Any) -> list[Any]:
        given = os.fspath(pattern)
        if not given:
            return sorted(glob.glob(given))
        root: Any = self._encoded_root if isinstance(given, bytes) else self.root
        separator: Any = b"" if isinstance(given, bytes) else ""
        slash: Any = b"/" if isinstance(given, bytes) else "/"
        if not given.startswith(slash):
            return sorted(glob.glob(given, root_dir=root, recursive=True))
        found = glob.glob(glob.escape(root) + separator + given, recursive=True)
        return sorted(self.from_real(path) for path in found)

    # -- names ---------------------------------------------------------------------------------

    def remove(self, path: AnyPath) -> None:
        self._call(os.remove, path)

    def unlink(self, path: AnyPath) -> None:
        self._call(os.unlink, path)

    def rename(self, src: AnyPath, dst: AnyPath) -> None:
        self._call(os.rename, src, dst)

    def replace(self, src: AnyPath, dst: AnyPath) -> None:
        self._call(os.replace, src, dst)

    def move(self, src: AnyPath, dst: AnyPath) -> None:
        def make_parents_and_rename(real_src: Any, real_dst: Any) -> None:
            if os.path.lexists(real_src):
                slash: Any = b"/" if isinstance(real_dst, bytes) else "/"
                os.makedirs(os.path.dirname(real_dst.rstrip(slash)), exist_ok=True)
            os.rename(real_src, real_dst)

        self._call(make_parents_and_rename, src, dst)

    def copy(self, src: AnyPath, dst: AnyPath, *, to: RealFileSystem | None = None) -> Any:
        return self._copy(shutil.copy2, src, dst, self if to is None else to)

    def copy_tree(self, src: AnyPath, dst: AnyPath, *, to: RealFileSystem | None = None) -> Any:
        copy = partial(shutil.copytree, symlinks=True)
        return self._copy(copy, src, dst, self if to is None else to)

    def _copy(self, copy: Callable[..., Any], src: Any, dst: Any, to: RealFileSystem) -> Any:
        real = self.to_real(src), to.to_real(dst)
        try:
            return to.from_real(copy(*real))
        except OSError as error:
            self._rename_error(error, (src, dst), real)
            raise

    def link(self, src: AnyPath, dst: AnyPath) -> None:
        # From Python 3.14 on os.link() follows a symbolic link, which link() of Linux does not.
        self._call(partial(os.link, follow_symlinks=False), src, dst)

    def symlink(self, src: AnyPath, dst: AnyPath) -> None:
        target: Any = os.fspath(src)
        if target.startswith(b"/" if isinstance(target, bytes) else "/"):
            target = self.to_real(target)
        link = self.to_real(dst)
        try:
            os.symlink(target, link)
        except OSError as error:
            self._rename_error(error, (src, dst), (target, link))
            raise

    def readlink(self, path: AnyPath) -> Any:
        return self.from_real(self._call(os.readlink, path))
