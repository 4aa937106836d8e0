"""What is done to the file or directory at a path."""

from __future__ import annotations

import errno
import io
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Literal, Self, overload

from .._errors import os_error
from .info import EntryInfo
from .lexical import LexicalPath, Segment
from .matching import Expansion, leads_to_directory, parts_of
from .questions import AskedPath

if TYPE_CHECKING:
    from _typeshed import OpenBinaryMode, OpenTextMode


class UsedPath(AskedPath):
    """Reads, writes, lists, makes and removes what is at a path."""

    __slots__ = ()

    # --- files ------------------------------------------------------------------------------------

    @overload
    def open(
        self,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> io.TextIOWrapper: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # 0 is an int too
        self,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.RawIOBase: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # and a mode a str
        self,
        mode: OpenBinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> io.BufferedIOBase: ...
    @overload
    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...
    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Open the file, as the builtin `open` does."""
        return self._fs.open(self._text, mode, buffering, encoding, errors, newline)

    # What `pathlib.types` and pathlib-abc open paths by.

    def __open_rb__(self, buffering: int = -1) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(self._text, "rb", buffering)
        return file

    def __open_wb__(self, buffering: int = -1) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(self._text, "wb", buffering)
        return file

    def __open_reader__(self) -> IO[bytes]:
        return self.__open_rb__()

    def __open_writer__(self, mode: str) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(self._text, f"{mode}b")
        return file

    def __open_updater__(self, mode: str) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(self._text, f"{mode}+b")
        return file

    def read_bytes(self) -> bytes:
        """Return the content of the file; without a copy if it was written in one piece."""
        data: bytes = self._fs.read_bytes(self._text)
        return data

    def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """Return the content of the file as text, its line ends as `newline` says to `open`."""
        encoding = io.text_encoding(encoding)  # a warning names who called this
        text: str = self._fs.read_text(self._text, encoding, errors, newline)
        return text

    def write_bytes(self, data: bytes | bytearray | memoryview) -> int:
        """Make the file of this content, or replace its content, at once."""
        count: int = self._fs.write_bytes(self._text, data)
        return count

    def write_text(
        self,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make the file of this text, or replace its content, at once."""
        encoding = io.text_encoding(encoding)
        count: int = self._fs.write_text(self._text, data, encoding, errors, newline)
        return count

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """Make an empty file, or set the times of what is there.

        Args:
            mode: the permission bits of a new file, less the umask 0o022.
            exist_ok: refuse what is there, if false.

        Raises:
            FileExistsError: something is there, and `exist_ok` is false.
        """
        if exist_ok:
            try:
                self._fs.utime(self._text)
                return
            except OSError:
                pass  # making it raises the same, but where it is missing
        self._fs.open(self._text, "ab" if exist_ok else "xb").close()
        if mode != 0o666:
            self._fs.chmod(self._text, mode & ~0o022)

    # --- directories ------------------------------------------------------------------------------

    def iterdir(self) -> Iterator[Self]:
        """Return the paths of what is in the directory now, with their `info`.

        Raises:
            NotADirectoryError: it is none.
        """
        with self._fs.scandir(self._text) as entries:
            found = list(entries)
        return (self._of_entry(entry) for entry in found)

    def _of_entry(self, entry: Any) -> Self:
        path = self.joinpath(entry.name)
        path._info = EntryInfo(type(self).__name__, entry)
        return path

    def glob(
        self,
        pattern: Segment,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> Iterator[Self]:
        """Yield the paths below that match a pattern.

        Args:
            pattern: relative; `*`, `?` and `[...]` match within a name, `**` any number of
                directories, and at the end whatever is in them. A slash at the end asks for
                directories.
            case_sensitive: false lets `A` stand for `a`.
            recurse_symlinks: let `**` go through symbolic links to directories.

        Raises:
            NotImplementedError: the pattern is absolute.
            ValueError: it is empty.

        Complexity: O(entries of the directories that are looked into).
        """
        parts = parts_of(_pattern(pattern))
        found = Expansion(self._fs, case_sensitive, recurse_symlinks).below(self._text, parts)
        return map(self.with_segments, found)

    def rglob(
        self,
        pattern: Segment,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> Iterator[Self]:
        """Yield the paths anywhere below that match a pattern; see `glob`."""
        text = _pattern(pattern)
        return self.glob(
            text if text.startswith("/") else f"**/{text}",
            case_sensitive=case_sensitive,
            recurse_symlinks=recurse_symlinks,
        )

    def walk(
        self,
        top_down: bool = True,
        on_error: Callable[[OSError], object] | None = None,
        follow_symlinks: bool = False,
    ) -> Iterator[tuple[Self, list[str], list[str]]]:
        """Yield the path, the names of directories and of files of each directory.

        Args:
            top_down: a directory before those in it; then the list of directories may be changed,
                to leave some out.
            on_error: called with the OSError where a directory cannot be listed.
            follow_symlinks: walk into links to directories, which else count as files.

        Complexity: O(nodes). Each directory is looked at when its turn comes, not all at once.
        """
        pending: list[Any] = [self]
        while pending:
            path = pending.pop()
            if isinstance(path, tuple):
                yield path
                continue
            try:
                with self._fs.scandir(path._text) as entries:
                    found = [
                        (entry.name, leads_to_directory(entry, follow_symlinks=follow_symlinks))
                        for entry in entries
                    ]
            except OSError as error:
                if on_error is not None:
                    on_error(error)
                continue
            directories = [name for name, is_directory in found if is_directory]
            files = [name for name, is_directory in found if not is_directory]
            if top_down:
                yield path, directories, files
            else:
                pending.append((path, directories, files))
            pending.extend(path.joinpath(name) for name in reversed(directories))

    def mkdir(
        self,
        mode: int = 0o777,
        parents: bool = False,
        exist_ok: bool = False,
        *,
        parent_mode: int | None = None,
    ) -> None:
        """Make a directory.

        Args:
            mode: permission bits, less the umask 0o022.
            parents: make the missing directories above it too: all of them, or none.
            exist_ok: do nothing where a directory is there already.
            parent_mode: permission bits of those above it, 0o777 by default.
        """
        try:
            self._fs.mkdir(self._text, mode, exist_ok=exist_ok)
            return
        except FileNotFoundError:
            if not parents or self.parent == self:
                raise
        made: list[UsedPath] = []
        try:
            for above in reversed([each for each in self.parents if not each.exists()]):
                above.mkdir(0o777 if parent_mode is None else parent_mode)
                made.append(above)
            self.mkdir(mode, exist_ok=exist_ok)
        except BaseException:
            for above in reversed(made):
                above.rmdir()
            raise

    def rmdir(self) -> None:
        """Remove the directory, which must be empty."""
        self._fs.rmdir(self._text)

    # --- attributes and names ---------------------------------------------------------------------

    def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the permission bits, which are kept and reported but not enforced."""
        self._fs.chmod(self._text, mode, follow_symlinks=follow_symlinks)

    def lchmod(self, mode: int) -> None:
        """Set the permission bits; a symbolic link has none."""
        self.chmod(mode, follow_symlinks=False)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file or the symbolic link.

        Args:
            missing_ok: do nothing where there is nothing.
        """
        try:
            self._fs.unlink(self._text)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rename(self, target: Segment) -> Self:
        """Give it another name, and return that path; what is there is replaced as by `os.rename`.

        Args:
            target: where, in the same file system; a relative path begins at the root.

        Raises:
            OSError: EXDEV, it is a path of another one: `move` goes there.
        """
        place = self._beside(target)
        self._fs.rename(self._text, place._text)
        return place

    def replace(self, target: Segment) -> Self:
        """Do the same as `rename`."""
        return self.rename(target)

    def readlink(self) -> Self:
        """Return what the symbolic link says."""
        return self.with_segments(self._fs.readlink(self._text))

    def symlink_to(self, target: Segment, target_is_directory: bool = False) -> None:
        """Make a symbolic link here.

        Args:
            target: what it says.
            target_is_directory: taken for the sake of `pathlib`, and ignored.
        """
        text = target._text if isinstance(target, LexicalPath) else target
        self._fs.symlink(text, self._text, target_is_directory)

    def hardlink_to(self, target: Segment) -> None:
        """Make this a further name of a file.

        Raises:
            OSError: EXDEV, it is a path of another file system.
        """
        place = self._beside(target, is_source=True)
        self._fs.link(place._text, self._text)

    def _beside(self, other: Segment, *, is_source: bool = False) -> Self:
        """Return another path if it is of the same file system, else raise."""
        is_elsewhere = isinstance(other, LexicalPath) and other._fs is not self._fs
        if is_elsewhere or isinstance(other, pathlib.Path):
            paths = (self._text, str(other))
            raise os_error(errno.EXDEV, *(paths[::-1] if is_source else paths))
        return self.with_segments(other)


def _pattern(pattern: Any) -> str:
    return pattern._text if isinstance(pattern, LexicalPath) else os.fspath(pattern)
