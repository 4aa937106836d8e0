"""The file system for fsspec, and so for all that reads and writes through it.

For example::

    fs.publish("lake")
    pandas.read_csv("dmemfs://lake/sales.csv")          # by its name, from anywhere
    fsspec.filesystem("dmemfs", fs=fs).cat("/sales.csv")  # or by the object

fsspec finds this module by its entry point. Without an installation, `import dmemfs.fsspec` and
`fsspec.register_implementation("dmemfs", DmemfsFileSystem)` do the same.
"""

from __future__ import annotations

import datetime
import errno
import io
import os
import stat
from collections.abc import Mapping
from typing import Any

from . import _paths
from ._errors import os_error
from ._fsspec.attributes import as_datetime, attributes_in_listing, attributes_of
from ._fsspec.base import (
    AbstractFileSystem,
    compr,
    get_compression,
    read_block,
    stringify_path,
    tokenize,
)
from ._fsspec.files import CompressedFile, ReadFile
from ._fsspec.staging import open_staged
from ._fsspec.transaction import MemoryTransaction
from ._fsspec.workers import reduce_face, token_of
from ._memory_filesystem import MemoryFileSystem
from ._published import name_of, published

_PREFIX = "dmemfs://"
_WHOLE = 1 << 16
"""Bytes of a file of which a part is cut from the whole, which is quicker than to open it."""


class DmemfsFileSystem(AbstractFileSystem):
    """A `MemoryFileSystem` as fsspec wants it.

    Paths begin at the root, with or without a slash; in a URL the name stands before:
    `dmemfs://NAME/PATH`. Errors are those of the OS, with errno and filename. Two instances for the
    same file system are equal. None is kept by fsspec, so that a file system that is dropped is
    freed at once.

    A file system that has a name is pickled as that name: where it is unpickled, one has to be
    published under it. Any other is itself again in the same process, and in another one a copy,
    with all content, that refuses changes (EROFS), since they would be lost there.

    Args:
        fs: the file system.
        name: the name that it was published by; as the host of a URL.
        auto_mkdir: make the missing directories above what is written, as users of object stores
            expect; otherwise a missing one is an error, as on a disk.

    Raises:
        FileNotFoundError: no file system has this name in this process.
        ValueError: neither is given, or the name is that of another one.
    """

    protocol = "dmemfs"
    root_marker = "/"
    cachable = False
    transaction_type = MemoryTransaction

    def __init__(
        self,
        fs: MemoryFileSystem | None = None,
        name: str | None = None,
        *,
        auto_mkdir: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if fs is None and name is None:
            raise ValueError(
                "which file system? Give it, as in fsspec.filesystem('dmemfs', fs=fs), or give it "
                "a name by fs.publish(name) and write dmemfs://NAME/PATH"
            )
        if fs is not None and not isinstance(fs, MemoryFileSystem):
            raise TypeError(f"fs must be a dmemfs.MemoryFileSystem, not {type(fs).__name__}")
        named: Any = fs if name is None else published(name)
        if fs is not None and fs is not named:
            raise ValueError(f"name={name!r} is another file system than fs={fs!r}")
        self.fs: MemoryFileSystem = named
        self.auto_mkdir = auto_mkdir

    # What it is

    @property
    def fsid(self) -> str:
        """What tells this file system from all others."""
        return f"dmemfs_{token_of(self.fs)}"

    @property
    def _fs_token(self) -> str:
        token: str = tokenize(token_of(self.fs), self.auto_mkdir)
        return token

    @property
    def storage_options(self) -> dict[str, Any]:
        """What makes an equal instance."""
        name = name_of(self.fs)
        which = {"fs": self.fs} if name is None else {"name": name}
        return which if self.auto_mkdir else {**which, "auto_mkdir": False}

    @storage_options.setter
    def storage_options(self, _: Any) -> None:
        """Ignore what fsspec notes: since it was made, the file system may have got a name."""

    @property
    def storage_args(self) -> tuple[Any, ...]:
        """What stands before `storage_options`: nothing."""
        return ()

    @storage_args.setter
    def storage_args(self, _: Any) -> None:
        """Ignore what fsspec notes: `storage_options` has all of it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return reduce_face(self)

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        path = stringify_path(path)
        if path.startswith("/") and not path.endswith("/") and not path.startswith("//"):
            return path
        if path.startswith(_PREFIX):
            path = path[len(_PREFIX) :].partition("/")[2]
        return "/" + path.strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        name = path[len(_PREFIX) :].partition("/")[0] if path.startswith(_PREFIX) else ""
        return {"name": name} if name else {}

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a path; without a name of the file system, none that others find."""
        return f"{_PREFIX}{name_of(self.fs) or ''}{self._strip_protocol(name)}"

    def expand_path(self, path: Any, *args: Any, **kwargs: Any) -> list[str]:
        """Return the paths that patterns and directories stand for, as fsspec does."""
        try:
            paths: list[str] = super().expand_path(path, *args, **kwargs)
        except FileNotFoundError as error:
            if error.errno is not None:
                raise
            missing = path if isinstance(path, (str, os.PathLike)) else path[0]
            raise os_error(errno.ENOENT, self._strip_protocol(missing)) from None
        return paths

    def _prepare(self, path: str) -> str:
        """Return the path of what is about to be made, below a directory that is there."""
        path = self._strip_protocol(path)
        if self.auto_mkdir:
            self.fs.makedirs(self._parent(path), exist_ok=True)
        return path

    # What is there

    def info(self, path: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the attributes of what a path leads to, symbolic links followed."""
        path = self._strip_protocol(path)
        status = self.fs.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            return attributes_of(path, status)
        return attributes_of(path, self.fs.stat(path), self.fs.readlink(path))

    def ls(self, path: Any, detail: bool = True, **kwargs: Any) -> list[Any]:
        """List a directory, or the file that it is.

        A symbolic link to a directory is "other" here, and `walk` does not go into it; so is one
        that leads nowhere, whose size is 0.
        """
        path = self._strip_protocol(path)
        try:
            names = sorted(self.fs.listdir(path))
        except NotADirectoryError:
            found = self.info(path)
            return [found] if detail else [found["name"]]
        paths = [_paths.join(path, name) for name in names]
        if not detail:
            return paths
        infos = []
        for each in paths:
            try:
                infos.append(attributes_in_listing(self.fs, each))
            except FileNotFoundError:
                pass  # it was removed meanwhile
        return infos

    def exists(self, path: Any, **kwargs: Any) -> bool:
        """Tell whether a path leads to something."""
        return self.fs.exists(self._strip_protocol(path))

    def lexists(self, path: Any, **kwargs: Any) -> bool:
        """Tell whether there is something, a symbolic link that leads nowhere included."""
        path = self._strip_protocol(path)
        return self.fs.exists(path) or self.fs.is_symlink(path)

    def isfile(self, path: Any) -> bool:
        """Tell whether a path leads to a file."""
        return self.fs.is_file(self._strip_protocol(path))

    def isdir(self, path: Any) -> bool:
        """Tell whether a path leads to a directory."""
        return self.fs.is_dir(self._strip_protocol(path))

    def islink(self, path: Any) -> bool:
        """Tell whether it is a symbolic link."""
        return self.fs.is_symlink(self._strip_protocol(path))

    def size(self, path: Any) -> int:
        """Return the number of bytes."""
        return self.fs.stat(self._strip_protocol(path)).st_size

    def created(self, path: Any) -> datetime.datetime:
        """Return when its attributes last changed, since no time of birth is kept, as on Linux."""
        return as_datetime(self.fs.stat(self._strip_protocol(path)).st_ctime)

    def modified(self, path: Any) -> datetime.datetime:
        """Return when its content last changed."""
        return as_datetime(self.fs.stat(self._strip_protocol(path)).st_mtime)

    def checksum(self, path: Any) -> int:
        """Return a number that is another one when content or attributes have changed."""
        return int(self.ukey(path), 16)

    def ukey(self, path: Any) -> str:
        """Return the same as `checksum`, as text."""
        found = self.fs.stat(self._strip_protocol(path))
        identity = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        key: str = tokenize(token_of(self.fs), *identity)
        return key

    # Whole files

    def cat(
        self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any
    ) -> Any:
        """Return the content of a file; or by their paths of several, named by patterns or a list.

        With `recursive`, also of all files below directories.
        """
        if isinstance(path, str) and not recursive and not kwargs:
            try:
                return self.fs.read_bytes(self._strip_protocol(path))
            except OSError:
                pass  # it may be a pattern
        paths = self.expand_path(path, recursive=recursive)
        if isinstance(path, str) and paths == [self._strip_protocol(path)]:
            return self.cat_file(path, **kwargs)
        contents: dict[str, Any] = {}
        for each in paths:
            if recursive and self.isdir(each):
                continue
            try:
                contents[each] = self.cat_file(each, **kwargs)
            except OSError as error:
                if on_error == "raise":
                    raise
                if on_error == "return":
                    contents[each] = error
        return contents

    def cat_file(
        self, path: Any, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        """Return the content of a file, or a part of it, as a slice is given."""
        path = self._strip_protocol(path)
        if (start is None and end is None) or self.fs.get_size(path) <= _WHOLE:
            return self.fs.read_bytes(path)[start:end]
        with self.fs.open(path, "rb") as file:
            first, behind, _ = slice(start, end).indices(file.seek(0, io.SEEK_END))
            file.seek(first)
            content: bytes = file.read(max(behind - first, 0))
        return content

    def cat_ranges(
        self,
        paths: list[Any],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Return parts of files; to read over gaps (`max_gap`) would be no quicker in memory."""
        parts: list[Any] = super().cat_ranges(paths, starts, ends, None, on_error, **kwargs)
        return parts

    def pipe(self, path: Any, value: Any = None, **kwargs: Any) -> None:
        """Write a whole file, or several, given as a dictionary."""
        if isinstance(path, Mapping):
            for each, content in path.items():
                self.pipe_file(each, content, **kwargs)
        else:
            self.pipe_file(path, value, **kwargs)

    def pipe_file(self, path: Any, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write a whole file at once; with mode "create", only where nothing is."""
        path = self._strip_protocol(path)
        if mode != "create" and not self._intrans:
            try:
                self.fs.write_bytes(path, value)
            except FileNotFoundError:
                self._prepare(path)
                self.fs.write_bytes(path, value)
            return
        with self.open(path, "xb" if mode == "create" else "wb") as file:
            try:
                file.write(value)
                file.flush()
            except BaseException:
                if not self._intrans:
                    self.fs.remove(path)
                raise

    def read_block(
        self, fn: Any, offset: int, length: int | None, delimiter: bytes | None = None
    ) -> bytes:
        """Return a part of a file, from one delimiter to another if there is one."""
        with self.open(fn, "rb") as file:
            rest = max(file.size - offset, 0)
            length = rest if length is None else min(length, rest)
            block: bytes = read_block(file, offset, length, delimiter)
        return block

    # Files

    def open(
        self, path: Any, mode: str = "rb", *args: Any, compression: Any = None, **kwargs: Any
    ) -> Any:
        """Open a file, as fsspec does."""
        if compression is None or "b" not in mode or mode == "rb":
            return super().open(path, mode, *args, compression=compression, **kwargs)
        below = self.open(path, mode, *args, **kwargs)
        compress = compr[get_compression(path, compression)]
        return CompressedFile(compress(below, mode=mode[0]), below)

    def _open(self, path: Any, mode: str = "rb", autocommit: bool = True, **kwargs: Any) -> Any:
        path = self._strip_protocol(path)
        if mode == "rb":
            file: Any = self.fs.open(path, mode)
            return ReadFile(file.detach(), path)
        if not mode.startswith("r"):
            self._prepare(path)
        if autocommit:
            return self.fs.open(path, mode)
        file = open_staged(self.fs, path, mode)
        if self._intrans:
            self.transaction.staged.append(file)
        return file

    def touch(self, path: Any, truncate: bool = True, **kwargs: Any) -> None:
        """Make an empty file, or set the times of the one that is there and empty it."""
        path = self._prepare(path)
        with self.fs.open(path, "wb" if truncate else "ab"):
            self.fs.utime(path)

    # Changes

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a directory, and by default the missing ones above it."""
        make = self.fs.makedirs if create_parents else self.fs.mkdir
        make(self._strip_protocol(path), **kwargs)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Make a directory and the missing ones above it."""
        self.fs.makedirs(self._strip_protocol(path), exist_ok=exist_ok)

    def rmdir(self, path: Any) -> None:
        """Remove an empty directory."""
        self.fs.rmdir(self._strip_protocol(path))

    def rm_file(self, path: Any) -> None:
        """Remove a file or a symbolic link."""
        self.fs.remove(self._strip_protocol(path))

    _rm = rm_file

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, and with `recursive` directories with all that is in them.

        What a path names is removed where it is there, and taken for a pattern otherwise.
        """
        for each in path if isinstance(path, list) else [path]:
            one = self._strip_protocol(each)
            if self.fs.is_symlink(one) or not self.fs.is_dir(one):
                if self.lexists(one):
                    self.fs.remove(one)
                    continue
            elif recursive and maxdepth is None:
                self._remove_tree(one)
                continue
            elif not recursive:
                raise os_error(errno.EISDIR, one)
            for found in reversed(self.expand_path(one, recursive=recursive, maxdepth=maxdepth)):
                remove = self.fs.rmdir if self.isdir(found) else self.fs.remove
                remove(found)

    def _remove_tree(self, path: str) -> None:
        if path != "/":
            self.fs.rmtree(path)
            return
        for name in self.fs.listdir("/"):
            self.rm(f"/{name}", recursive=True)

    def cp_file(self, path1: Any, path2: Any, **kwargs: Any) -> None:
        """Copy a file with mode and times, sharing its content; or make a directory like one."""
        source = self._strip_protocol(path1)
        target = self._prepare(path2)
        if self.fs.is_dir(source):
            self.fs.makedirs(target, exist_ok=True)
        elif self.fs.is_dir(target):
            raise os_error(errno.EISDIR, target)
        else:
            self.fs.copy(source, target)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = True,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Rename at once, a directory with all that is in it; into a directory if that is there.

        Patterns and lists are copied and then removed, as fsspec does.
        """
        if not isinstance(path1, str) or not isinstance(path2, str) or not self.lexists(path1):
            super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)
            return
        source = self._strip_protocol(path1)
        target = self._strip_protocol(path2)
        if path2.endswith("/") or self.fs.is_dir(target):
            target = _paths.join(target, source.rpartition("/")[2])
        self.fs.rename(source, self._prepare(target))

    def link(self, src: Any, dst: Any, **kwargs: Any) -> None:
        """Give a file another name."""
        self.fs.link(self._strip_protocol(src), self._prepare(dst))

    def symlink(self, src: str, dst: Any, **kwargs: Any) -> None:
        """Make a symbolic link at `dst`, whose text is `src`."""
        self.fs.symlink(src, self._prepare(dst))

    def chmod(self, path: Any, mode: int) -> None:
        """Set the permission bits."""
        self.fs.chmod(self._strip_protocol(path), mode)
