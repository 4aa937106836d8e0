"""Snapshot: a state of a file system that is kept, to be restored, read and compared."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Literal, overload

from .._errors import NotCopyable, os_error
from .._files.modes import OPEN_MODES
from .._files.opening import open_file
from .._history.history import hold, release_dropped
from .._paths import BytesPath, StrPath, TextPath
from .._transfer.differing import Difference, difference_of, text_of
from .difference import compare
from .view import show_past

if TYPE_CHECKING:
    import io

    from _typeshed import OpenBinaryMode, OpenTextMode

    from .._history.versions import Hold, Version
    from .._tree.copying import Copying
    from .._tree.listing import ScandirIterator
    from .._tree.tree import Tree


class Snapshot(NotCopyable):
    """A state of a file system that is kept.

    `MemoryFileSystem.restore` brings it back. It can be read as it is, too: the methods that it
    shares with `MemoryFileSystem` answer as they did then, except that inode numbers are others.
    A directory is prepared when it is first looked into, in O(entries).

    It is let go by `close()`, at the end of a `with` block, or when the last reference to it is
    dropped. A file object that it opened keeps all that it needs until it is closed itself.

    Attributes:
        closed: whether it was closed.
    """

    _hold: Hold | None = None
    _past: Tree | None = None

    def __init__(self, fs: Tree, version: Version) -> None:
        self._fs = fs
        self._hold = hold(fs, version, self)

    def __repr__(self) -> str:
        return f"<Snapshot of {self._fs!r}{', closed' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        return self._hold is None

    def close(self) -> None:
        """Free what only this snapshot keeps. Complexity: O(changes since it was taken)."""
        hold, drop = self._hold, self._fs._let_go
        if hold is not None:
            self._hold = None
            drop(hold)  # nothing comes between: it is closed, and let go of, or neither
            self._past = None
            release_dropped(self._fs)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # What is below would be done when this is gone; but it frees what is kept at once.
        hold = self._hold
        if hold is not None:
            self._past = None
            self._fs._let_go(hold)
            release_dropped(self._fs, wait=False)

    @overload
    def diff(self, other: Snapshot | None = None) -> Difference: ...
    @overload
    def diff(
        self, other: Snapshot | None = None, *, unified: Literal[True], context: int = 3
    ) -> str: ...
    @overload
    def diff(
        self, other: Snapshot | None = None, *, unified: bool = False, context: int = 3
    ) -> Difference | str: ...
    def diff(
        self, other: Snapshot | None = None, *, unified: bool = False, context: int = 3
    ) -> Difference | str:
        """Return what is different in another state of the same file system.

        Args:
            other: a snapshot, earlier or later than this one; None for the present.
            unified: return it as a text in the form of `git diff`: the lines of what is text in
                UTF-8 and has up to 1 MiB, the sizes of all other files, and modes and owners.
            context: how many lines around each change that shows.

        Raises:
            ValueError: one of them is closed, or of another file system.
            TypeError: `other` is something else.

        Complexity: O(nodes), and O(bytes) of the contents that were written anew.
        """
        fs = self._fs
        version = version_in(self, fs)
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            latter = None if other is None else version_in(other, fs)
            found = compare(fs._root, version, latter, with_data=unified)
        finally:
            fs._unlock()
        return text_of(found, context) if unified else difference_of(found)

    @overload
    def open(
        self,
        path: StrPath,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> io.TextIOWrapper: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # 0 is an int too
        self,
        path: StrPath,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.RawIOBase: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # and a mode a str
        self,
        path: StrPath,
        mode: OpenBinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.BufferedIOBase: ...
    @overload
    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...
    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Open a file for reading; see `MemoryFileSystem.open`.

        Raises:
            OSError: EROFS, the mode would write; and those of reading.
        """
        if mode in OPEN_MODES and set(mode) & set("wax+"):
            raise os_error(errno.EROFS, path)
        return open_file(self._view(), path, mode, buffering, encoding, errors, newline)

    def read_bytes(self, path: StrPath) -> bytes:
        """Return the content of a file; see `MemoryFileSystem.read_bytes`."""
        return self._view().read_bytes(path)

    def read_text(
        self,
        path: StrPath,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> str:
        """Return the content of a file as text; see `MemoryFileSystem.read_text`."""
        return self._view().read_text(path, encoding, errors, newline)

    def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes of what `path` leads to; see `MemoryFileSystem.stat`."""
        return self._view().stat(path, follow_symlinks=follow_symlinks)

    def lstat(self, path: StrPath) -> os.stat_result:
        """Return the attributes of `path`, of a symbolic link itself; see `stat`."""
        return self.stat(path, follow_symlinks=False)

    def exists(self, path: StrPath) -> bool:
        """Tell whether `path` leads to something."""
        return self._view().exists(path)

    def is_file(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a regular file."""
        return self._view().is_file(path)

    def is_dir(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a directory."""
        return self._view().is_dir(path)

    def is_symlink(self, path: StrPath) -> bool:
        """Tell whether `path` itself is a symbolic link."""
        return self._view().is_symlink(path)

    @overload
    def readlink(self, path: TextPath) -> str: ...
    @overload
    def readlink(self, path: BytesPath) -> bytes: ...
    def readlink(self, path: Any) -> Any:
        """Return what a symbolic link says; see `MemoryFileSystem.readlink`."""
        return self._view().readlink(path)

    @overload
    def listdir(self, path: TextPath = "/") -> list[str]: ...
    @overload
    def listdir(self, path: BytesPath) -> list[bytes]: ...
    def listdir(self, path: Any = "/") -> list[Any]:
        """Return the names in a directory; see `MemoryFileSystem.listdir`."""
        return self._view().listdir(path)

    @overload
    def scandir(self, path: TextPath = "/") -> ScandirIterator[str]: ...
    @overload
    def scandir(self, path: BytesPath) -> ScandirIterator[bytes]: ...
    def scandir(self, path: Any = "/") -> ScandirIterator[Any]:
        """Return an iterator over the entries of a directory; see `MemoryFileSystem.scandir`."""
        return self._view().scandir(path)

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
        top: Any = "/",
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """Yield path, directories and files of each directory; see `MemoryFileSystem.walk`."""
        return self._view().walk(top, topdown, onerror, followlinks)

    @overload
    def glob(self, pattern: TextPath) -> list[str]: ...
    @overload
    def glob(self, pattern: BytesPath) -> list[bytes]: ...
    def glob(self, pattern: Any) -> list[Any]:
        """Return the sorted paths that match a pattern; see `MemoryFileSystem.glob`."""
        return self._view().glob(pattern)

    def copy_out(self, src: StrPath, dst: StrPath, *, to: Copying) -> Any:
        """Copy a file out of the snapshot into a file system, the one it is of or another.

        The content is shared until it is written, and counts in full there, as in
        `MemoryFileSystem.copy`.

        Args:
            src: a file of the snapshot, or a symbolic link to one.
            dst: the new file, or one to overwrite, or a directory to put the copy into.
            to: the `MemoryFileSystem` that `dst` is in.

        Returns:
            The path of the copy.

        Raises:
            OSError, TypeError: as `MemoryFileSystem.copy`.

        Complexity: O(blocks), without their bytes.
        """
        return self._view().copy(src, dst, to=to)

    def _view(self) -> Tree:
        """Return a tree that shows what is kept, and keeps it for whoever uses it."""
        fs = self._fs
        version = version_in(self, fs)
        past = self._past
        if past is None:
            try:
                if not fs._try_lock(False):
                    fs._wait_for_lock()
                past = self._past
                if past is None:
                    self._past = past = show_past(fs, version)
            finally:
                fs._unlock()
        return past


def version_in(snapshot: Snapshot, fs: Tree) -> Version:
    """Return what a snapshot keeps of a file system.

    Raises:
        TypeError: it is no snapshot.
        ValueError: it is closed, or of another file system.
    """
    if not isinstance(snapshot, Snapshot):
        raise TypeError(
            f"a Snapshot is needed, as snapshot() returns it, not {type(snapshot).__name__}"
        )
    hold = snapshot._hold
    if hold is None or hold.version is None:
        raise ValueError("the snapshot is closed: take another one")
    if snapshot._fs is not fs:
        raise ValueError("the snapshot is of another file system: restore it there")
    return hold.version
