"""What is below a directory of a file system, as a file system: to check one that is attached."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from dmemfs import MemoryFileSystem
from tests.support.real_filesystem import RealFileSystem, RealScan

_ONE_PATH = (
    *(
        "read_bytes",
        "write_bytes",
        "read_text",
        "write_text",
        "truncate",
        "stat",
        "lstat",
        "exists",
    ),
    *("is_file", "is_dir", "is_symlink", "access", "chmod", "chown", "utime", "statvfs", "listdir"),
    *("mkdir", "makedirs", "rmdir", "rmtree", "remove", "unlink", "readlink", "get_size"),
)
_TWO_PATHS = ("rename", "replace", "move", "link", "copy", "copy_tree")


def _of_one_path(name: str) -> Callable[..., Any]:
    def method(self: Below, path: Any = "/", *arguments: Any, **named: Any) -> Any:
        function = getattr(self.fs, name)
        return self._call(lambda inner: function(inner, *arguments, **named), path)

    return method


def _of_two_paths(name: str) -> Callable[..., Any]:
    def method(self: Below, src: Any, dst: Any) -> Any:
        return self.from_real(self._call(getattr(self.fs, name), src, dst))

    return method


class Below(RealFileSystem):
    """Calls the methods of a file system with paths that begin at one of its directories."""

    def __init__(self, fs: MemoryFileSystem, point: str) -> None:
        self.fs = fs
        self.root = point
        self._encoded_root = os.fsencode(point)

    def open(self, path: Any, *arguments: Any, **named: Any) -> Any:
        file = self._call(lambda inner: self.fs.open(inner, *arguments, **named), path)
        binary = getattr(file, "buffer", file)
        assert binary.name == self.to_real(path)
        binary.name = os.fspath(path)
        return file

    def symlink(self, src: Any, dst: Any, target_is_directory: bool = False) -> None:
        try:
            self.fs.symlink(src, self.to_real(dst), target_is_directory)
        except OSError as error:
            self._rename_error(error, (src, dst), (src, self.to_real(dst)))
            raise

    def scandir(self, path: Any = "/") -> RealScan:
        return RealScan(self._call(self.fs.scandir, path), os.fspath(path))

    def walk(
        self, top: Any = "/", topdown: bool = True, onerror: Any = None, followlinks: bool = False
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        given = os.fspath(top)

        def report(error: OSError) -> None:
            if onerror is not None:
                error.filename = self._as_given(error.filename, given)
                onerror(error)

        for directory, *names in self.fs.walk(self.to_real(given), topdown, report, followlinks):
            yield (self._as_given(directory, given), *names)

    def glob(self, pattern: Any) -> list[Any]:
        given = os.fspath(pattern)
        return [self._as_given(path, given) for path in self.fs.glob(self.to_real(given))]


for _name in _ONE_PATH:
    setattr(Below, _name, _of_one_path(_name))
for _name in _TWO_PATHS:
    setattr(Below, _name, _of_two_paths(_name))
