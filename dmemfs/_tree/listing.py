"""Listing and walking directories."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import Any, AnyStr, Generic, Self, overload

from .. import _paths
from .._errors import report_unraisable
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import BytesPath, StrPath, TextPath
from .lookup import Lookup
from .patterns import expand_pattern


class DirEntry(Generic[AnyStr]):
    """One entry of `scandir`, as `os.DirEntry`.

    It has no `__init__`: whoever lists a directory sets its attributes, since he makes so many.

    Attributes:
        name: the name; bytes if `scandir` was given bytes.
        path: the path given to `scandir`, joined with the name.
    """

    __slots__ = ("_ino", "_kind", "_source", "_stats", "name", "path")

    name: AnyStr
    path: AnyStr
    _source: Any  # what tells the status: the file system
    _kind: int
    _ino: int
    _stats: dict[bool, os.stat_result]

    def __fspath__(self) -> AnyStr:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle 'DirEntry' object")

    def inode(self) -> int:
        """Return the inode number of the entry itself."""
        return self._ino

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a symbolic link to one."""
        return self._kind == S_IFDIR or (
            self._kind == S_IFLNK and follow_symlinks and self._leads_to(S_IFDIR)
        )

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a symbolic link to one."""
        return self._kind == S_IFREG or (
            self._kind == S_IFLNK and follow_symlinks and self._leads_to(S_IFREG)
        )

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return self._kind == S_IFLNK

    def is_junction(self) -> bool:
        """Tell whether it is a Windows junction, which this file system has not."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes; asked for once, then remembered."""
        follow = follow_symlinks and self._kind == S_IFLNK
        try:
            return self._stats[follow]
        except AttributeError:
            self._stats = {}
        except KeyError:
            pass
        self._stats[follow] = found = self._status(follow)
        return found

    def _status(self, follow: bool) -> os.stat_result:
        status: os.stat_result = self._source.stat(self.path, follow_symlinks=follow)
        return status

    def _leads_to(self, kind: int) -> bool:
        try:
            return S_IFMT(self.stat().st_mode) == kind
        except FileNotFoundError:
            return False


class ScandirIterator(Iterator[DirEntry[AnyStr]]):
    """The entries of a directory at the moment of the call, and a context manager."""

    _entries: Iterator[DirEntry[AnyStr]] | None = None

    def __init__(self, fs: Any, path: StrPath, directory: Directory) -> None:
        given = _paths.fspath(path)
        base = _paths.as_text(given)
        found = [
            (name, S_IFMT(node.mode), node.ino) for name, node in directory.children.copy().items()
        ]
        self._entries = _each_entry(fs, given, base, found)

    def __next__(self) -> DirEntry[AnyStr]:
        if self._entries is None:
            raise StopIteration
        for entry in self._entries:
            return entry
        self.close()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the entries that were not asked for."""
        self._entries = None

    def __del__(self) -> None:
        if self._entries is not None:
            try:
                warnings.warn(f"unclosed scandir iterator {self!r}", ResourceWarning, stacklevel=2)
            except Warning as error:
                report_unraisable(error, "unclosed scandir iterator", self)


def _each_entry(
    fs: Any, given: Any, base: str, found: list[tuple[str, int, int]]
) -> Iterator[DirEntry[Any]]:
    for name, kind, ino in found:
        entry: DirEntry[Any] = DirEntry()
        entry._source, entry._kind, entry._ino = fs, kind, ino
        entry.name = _paths.as_given(name, given)
        entry.path = _paths.as_given(_paths.join(base, name), given)
        yield entry


class Listing(Lookup):
    """Lists and walks directories."""

    _directory_to_list = Lookup._find_directory

    @overload
    def listdir(self, path: TextPath = "/") -> list[str]: ...
    @overload
    def listdir(self, path: BytesPath) -> list[bytes]: ...
    def listdir(self, path: StrPath = "/") -> list[Any]:
        """Return the names in a directory, in the order in which they were made.

        Args:
            path: the directory; the names are bytes if it is given in bytes.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.

        Complexity: O(entries).
        """
        names = list(self._directory_to_list(path).children.keys())
        if isinstance(path, str):
            return names
        return [_paths.as_given(name, path) for name in names]

    @overload
    def scandir(self, path: TextPath = "/") -> ScandirIterator[str]: ...
    @overload
    def scandir(self, path: BytesPath) -> ScandirIterator[bytes]: ...
    def scandir(self, path: StrPath = "/") -> ScandirIterator[Any]:
        """Return an iterator over the entries of a directory as they are now.

        Args:
            path: the directory; names and paths are bytes if it is given in bytes.

        Returns:
            An iterator of `DirEntry`, to be exhausted or closed; it is a context manager.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.
        """
        return ScandirIterator(self, path, self._directory_to_list(path))

    @overload
    def walk(
        self,
        top: TextPath = "/",
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> Iterator[tuple[str, list[str], list[str]]]: ...
    @overload
    def walk(
        self,
        top: BytesPath,
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> Iterator[tuple[bytes, list[bytes], list[bytes]]]: ...
    def walk(
        self,
        top: StrPath = "/",
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """Yield the path, the directories and the files of each directory, as `os.walk` does.

        Args:
            top: where to begin.
            topdown: a directory before those in it; then the list of directories may be changed,
                to leave some out.
            onerror: called with the OSError where a directory cannot be listed.
            followlinks: walk into symbolic links to directories too.

        Complexity: O(nodes). Each directory is looked at when its turn comes, not all at once.
        """
        pending: list[Any] = [_paths.fspath(top)]
        while pending:
            path = pending.pop()
            if isinstance(path, tuple):
                yield path
                continue
            try:
                children = self._directory_to_list(path).children.copy()
            except OSError as error:
                if onerror is not None:
                    onerror(error)
                continue
            files = [name for name, node in children.items() if isinstance(node, File)]
            directories: list[Any] = []
            links: set[Any] = set()
            if len(files) != len(children):
                directories, files, links = self._split(path, children)
            # Names alone are kept: a file removed meanwhile must not be held by this generator.
            del children
            slash: Any = "/"
            if isinstance(path, bytes):
                slash = b"/"
                directories = [_paths.encode(name) for name in directories]
                files = [_paths.encode(name) for name in files]  # type: ignore[misc]
                links = {_paths.encode(name) for name in links}
            if topdown:
                yield path, directories, files
            else:
                pending.append((path, directories, files))
            if directories:
                base = path if path.endswith(slash) else path + slash
                pending.extend(
                    base + name
                    for name in reversed(directories)
                    if followlinks or name not in links
                )

    def _split(self, path: Any, children: dict[str, Node]) -> tuple[list[str], list[str], set[str]]:
        """Part the names of directories, links to them included, from the others.

        The third result are the names of the links.
        """
        directories: list[str] = []
        files: list[str] = []
        links: set[str] = set()
        base = _paths.as_text(path)
        for name, node in children.items():
            if type(node) is Symlink and self.is_dir(_paths.join(base, name)):
                links.add(name)
                directories.append(name)
            else:
                (directories if isinstance(node, Directory) else files).append(name)
        return directories, files, links

    @overload
    def glob(self, pattern: TextPath) -> list[str]: ...
    @overload
    def glob(self, pattern: BytesPath) -> list[bytes]: ...
    def glob(self, pattern: StrPath) -> list[Any]:
        """Return the sorted paths that match a pattern, as `glob.glob` with `recursive=True`.

        Args:
            pattern: `*`, `?` and `[...]` match within a name, `**` any number of directories, none
                included. A name that begins with a dot is matched only by a pattern that does.

        Complexity: O(entries of the directories that are looked into).
        """
        found = sorted(set(expand_pattern(self, _paths.as_text(pattern))))
        return [_paths.as_given(path, pattern) for path in found]
