"""File systems with one defect each, for the conformance check to find.

What a class makes worse is in its docstring or its name; all else is that of MemoryFileSystem.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
import time
import warnings
from collections.abc import Iterator
from typing import Any

from dmemfs import MemoryFileSystem


class WrongErrno(MemoryFileSystem):
    """Says ENOTDIR of a directory that is not empty."""

    def rmdir(self, path: Any) -> None:
        try:
            super().rmdir(path)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                raise NotADirectoryError(errno.ENOTDIR, "not empty", path) from None
            raise


class GenericError(MemoryFileSystem):
    """Raises plain Exceptions where something is missing."""

    def stat(self, path: Any, *, follow_symlinks: bool = True) -> os.stat_result:
        try:
            return super().stat(path, follow_symlinks=follow_symlinks)
        except FileNotFoundError:
            raise RuntimeError(f"no {path!r}") from None


class LostFileName(MemoryFileSystem):
    """Forgets which file could not be opened."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        try:
            return super().open(path, mode, *rest, **keywords)
        except OSError as error:
            raise OSError(error.errno, error.strerror) from None


class LostSecondFileName(MemoryFileSystem):
    """Names one of the two paths of a rename."""

    def rename(self, src: Any, dst: Any) -> None:
        try:
            super().rename(src, dst)
        except OSError as error:
            raise OSError(error.errno, error.strerror, src) from None


class DecodedFileName(MemoryFileSystem):
    """Says in str what was given in bytes."""

    def listdir(self, path: Any = "/") -> list[Any]:
        return super().listdir(os.fsdecode(path))


class StaleListing(MemoryFileSystem):
    """Remembers what it has listed."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self._listed: dict[Any, list[Any]] = {}

    def listdir(self, path: Any = "/") -> list[Any]:
        if path not in self._listed:
            self._listed[path] = super().listdir(path)
        return self._listed[path]


class HandleDiesWithItsName(MemoryFileSystem):
    """Empties a file when its name is removed."""

    def remove(self, path: Any) -> None:
        if self.is_file(path) and not self.is_symlink(path) and self.stat(path).st_nlink == 1:
            super().truncate(path, 0)
        super().remove(path)


class TruncatesOneTooFew(MemoryFileSystem):
    """Leaves one byte too much."""

    def truncate(self, path: Any, length: int) -> None:
        super().truncate(path, length + 1 if length > 0 else length)


class AppendsAtTheStart(MemoryFileSystem):
    """Opens for appending where it opens for updating."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        if "a" not in mode:
            return super().open(path, mode, *rest, **keywords)
        super().open(path, mode, *rest, **keywords).close()
        return super().open(path, mode.replace("a", "r").replace("+", "") + "+", *rest, **keywords)


class AppendsWhereTheEndWas(MemoryFileSystem):
    """Looks for the end once, when it opens."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        if "a" not in mode:
            return super().open(path, mode, *rest, **keywords)
        super().open(path, mode, *rest, **keywords).close()
        updating = mode.replace("a", "r").replace("+", "") + "+"
        file = super().open(path, updating, *rest, **keywords)
        file.seek(0, os.SEEK_END)
        return file


class NotExclusive(MemoryFileSystem):
    """Overwrites what mode x should refuse."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        return super().open(path, mode.replace("x", "w"), *rest, **keywords)


class IgnoresNewline(MemoryFileSystem):
    """Translates all line ends, whatever is asked for."""

    def open(
        self,
        path: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **keywords: Any,
    ) -> Any:
        return super().open(path, mode, buffering, encoding, errors, **keywords)


class ReadsACopy(MemoryFileSystem):
    """Opens for reading what was there at that moment, and never quite closes it."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        if mode != "rb":
            return super().open(path, mode, *rest, **keywords)
        file = _Copy(self.read_bytes(path))
        file.name = path
        return file


class _Copy(io.BytesIO):
    name: Any

    def close(self) -> None:
        pass


class WrongDescriptor(MemoryFileSystem):
    """Has descriptors of another file."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        file: Any = super().open(path, mode, *rest, **keywords)
        if mode != "r+b" or rest:
            return file
        return _WithDescriptor(file.detach())


class _WithDescriptor(io.BufferedRandom):
    def fileno(self) -> int:
        return 0


class LinksAreCopies(MemoryFileSystem):
    """Copies a file instead of giving it another name."""

    def link(self, src: Any, dst: Any) -> None:
        super().link(src, dst)
        super().remove(dst)
        super().copy(src, dst)


class TidiesLinks(MemoryFileSystem):
    """Says of a link what it thinks was meant."""

    def readlink(self, path: Any) -> Any:
        target = super().readlink(path)
        return posixpath.normpath(target)


class RenameCopies(MemoryFileSystem):
    """Renames a file by copying it, so that it becomes another one."""

    def rename(self, src: Any, dst: Any) -> None:
        if not self.is_file(src) or self.is_symlink(src) or self.exists(dst):
            super().rename(src, dst)
            return
        super().link(src, dst)
        super().remove(dst)
        super().copy(src, dst)
        super().remove(src)


class ReplacesInTwoSteps(MemoryFileSystem):
    """Removes what is there before it renames."""

    def replace(self, src: Any, dst: Any) -> None:
        if self.is_file(src) and self.is_file(dst):
            super().remove(dst)
            time.sleep(0.003)
        super().rename(src, dst)


class ForgetsModes(MemoryFileSystem):
    """Takes chmod for a suggestion."""

    def chmod(self, path: Any, mode: int, *, follow_symlinks: bool = True) -> None:
        super().chmod(path, mode | 0o111, follow_symlinks=follow_symlinks)


class CoarseTimes(MemoryFileSystem):
    """Keeps whole seconds."""

    def utime(self, path: Any, times: Any = None, **keywords: Any) -> None:
        if keywords.get("ns"):
            keywords["ns"] = tuple(ns // 10**9 * 10**9 for ns in keywords["ns"])
        super().utime(path, times, **keywords)


class QuietDirectories(MemoryFileSystem):
    """Leaves the time of a directory alone when a directory is made in it."""

    def mkdir(self, path: Any, *rest: Any, **keywords: Any) -> None:
        above = posixpath.dirname(os.fsdecode(path).rstrip("/")) or "/"
        before = self.stat(above) if self.exists(above) else None
        super().mkdir(path, *rest, **keywords)
        if before is not None:
            super().utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))


class MakesParents(MemoryFileSystem):
    """Makes the directories above that are missing."""

    def mkdir(
        self, path: Any, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False
    ) -> None:
        super().mkdir(path, mode, parents=True, exist_ok=exist_ok)


class WalksEverywhere(MemoryFileSystem):
    """Does not look at what became of the list of directories."""

    def walk(self, *rest: Any, **keywords: Any) -> Iterator[Any]:
        for path, directories, files in list(super().walk(*rest, **keywords)):
            yield path, list(directories), files


class ScansDirectoriesByName(MemoryFileSystem):
    """Gives entries of a directory with their names for paths."""

    def scandir(self, path: Any = "/") -> Any:
        scan = super().scandir(path)
        entries = list(super().scandir(path))
        for entry in entries:
            entry.path = entry.name
        scan._entries = iter(entries)
        return scan


class RefusesQuestions(MemoryFileSystem):
    """Raises where the answer is no."""

    def exists(self, path: Any) -> bool:
        self.stat(path)
        return True


class KeepsTheBuffer(MemoryFileSystem):
    """Writes what the caller's buffer will be at the next look."""

    def write_bytes(self, path: Any, data: Any) -> int:
        count = super().write_bytes(path, data)
        if isinstance(data, bytearray):
            self._kept = (path, data)
        return count

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        kept = getattr(self, "_kept", None)
        if kept is not None and kept[0] == path and "r" in mode:
            super().write_bytes(*kept)
        return super().open(path, mode, *rest, **keywords)


class Forgiving(MemoryFileSystem):
    """Takes a letter of a mode that is there twice for one."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        mode = "".join(dict.fromkeys(mode)) if isinstance(mode, str) else mode
        return super().open(path, mode, *rest, **keywords)


class ShallowLinks(MemoryFileSystem):
    """Removes what links in a tree lead to."""

    def rmtree(self, path: Any, ignore_errors: bool = False) -> None:
        for directory, names, _ in super().walk(path):
            for name in names:
                link = posixpath.join(directory, name)
                if self.is_symlink(link):
                    super().rmtree(super().readlink(link))
        super().rmtree(path, ignore_errors)


class Raw(io.RawIOBase):
    """An unbuffered file as it should be; those derived from it have a defect each."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name = inner.name

    def readable(self) -> bool:
        return bool(self.inner.readable())

    def writable(self) -> bool:
        return bool(self.inner.writable())

    def seekable(self) -> bool:
        return bool(self.inner.seekable())

    def readinto(self, buffer: Any) -> int:
        self._checkReadable()  # type: ignore[attr-defined]
        return int(self.inner.readinto(buffer))

    def write(self, data: Any) -> int:
        self._checkWritable()  # type: ignore[attr-defined]
        return int(self.inner.write(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self.inner.seek(offset, whence))

    def tell(self) -> int:
        return int(self.inner.tell())

    def truncate(self, size: int | None = None) -> int:
        self._checkWritable()  # type: ignore[attr-defined]
        return int(self.inner.truncate(size))

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.inner.close()

    def _dealloc_warn(self, source: object) -> None:
        """Warn as io asks those below a buffer to do that is dropped."""
        warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=1)


class OpensRaw(MemoryFileSystem):
    """Opens unbuffered files of a class of its own, and puts the buffers of io on them."""

    raw_class = Raw

    def open(
        self,
        path: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: Any = None,
        errors: Any = None,
        newline: Any = None,
        **keywords: Any,
    ) -> Any:
        if isinstance(mode, str) and "b" in mode and encoding is errors is newline is None:
            raw = self.raw_class(super().open(path, mode, 0))
            size = 8192 if buffering < 2 else buffering
            if buffering == 0:
                return raw
            if "+" in mode:
                return io.BufferedRandom(raw, size)
            return io.BufferedReader(raw, size) if "r" in mode else io.BufferedWriter(raw, size)
        return super().open(path, mode, buffering, encoding, errors, newline, **keywords)


def opens(raw_class: type[Raw]) -> type[OpensRaw]:
    """Return a class of file systems whose files have a defect."""
    return type(raw_class.__name__, (OpensRaw,), {"raw_class": raw_class})


class TruncatesOneTooMany(Raw):
    def truncate(self, size: int | None = None) -> int:
        return super().truncate(size) if not size else super().truncate(size - 1) + 1


class TruncatesAndMoves(Raw):
    def truncate(self, size: int | None = None) -> int:
        size = super().truncate(size)
        self.seek(size)
        return size


class FillsHoles(Raw):
    def seek(self, offset: int, whence: int = 0) -> int:
        position = super().seek(offset, whence)
        end = super().seek(0, os.SEEK_END)
        if self.writable() and position > end:
            self.inner.write(b" " * (position - end))
        return super().seek(position)


class SeeksAnywhere(Raw):
    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(max(offset, 0) if whence == 0 else offset, whence)


class WritesLess(Raw):
    def write(self, data: Any) -> int:
        return super().write(memoryview(data)[:-1]) + 1 if len(data) > 1 else super().write(data)


class ReadsBackwards(Raw):
    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        view = memoryview(buffer).cast("B")
        view[:count] = bytes(view[:count])[::-1]
        return count


class GoesQuietly(Raw):
    def _dealloc_warn(self, source: object) -> None:
        pass


class NeverClosed(Raw):
    @property
    def closed(self) -> bool:
        return False

    def close(self) -> None:
        self.inner.close()


class SaysItIsOpen(MemoryFileSystem):
    """Says of unbuffered files that they are open for ever."""

    def open(self, path: Any, mode: str = "r", *rest: Any, **keywords: Any) -> Any:
        file = super().open(path, mode, *rest, **keywords)
        return NeverClosed(file) if isinstance(file, io.RawIOBase) else file


class OneForAll(MemoryFileSystem):
    """Shares its files with all others."""

    _shared: Any = None

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        if OneForAll._shared is None:
            OneForAll._shared = MemoryFileSystem()
        return getattr(OneForAll._shared, name)


FOUND_BY: dict[type[MemoryFileSystem], str] = {
    WrongErrno: "errors_of_rmdir",
    GenericError: "errors_of_stat",
    LostFileName: "errors_of_open_for_reading",
    LostSecondFileName: "errors_of_rename_from",
    DecodedFileName: "listdir_names_what_is_there",
    StaleListing: "listings_follow_every_change",
    HandleDiesWithItsName: "open_files_outlive_removal",
    TruncatesOneTooFew: "lengths_are_set_by_truncate",
    AppendsAtTheStart: "appending_writes_at_the_end",
    AppendsWhereTheEndWas: "appending_finds_the_end_as_it_is",
    NotExclusive: "exclusive_creation_refuses_what_is_there",
    IgnoresNewline: "line_ends_are_translated_when_reading",
    ReadsACopy: "handles_see_what_is_written_whole",
    WrongDescriptor: "descriptors_are_absent_or_true",
    LinksAreCopies: "hard_links_are_names_of_one_file",
    TidiesLinks: "symbolic_links_may_lead_nowhere",
    RenameCopies: "renamed_nodes_stay_the_same",
    ReplacesInTwoSteps: "replacements_are_seen_whole",
    ForgetsModes: "modes_are_kept",
    CoarseTimes: "times_are_set_by_utime",
    QuietDirectories: "entries_set_the_time_of_their_directory",
    MakesParents: "errors_of_mkdir",
    WalksEverywhere: "walk_leaves_out_what_is_taken_from_its_list",
    ScansDirectoriesByName: "scandir_describes_what_is_there",
    RefusesQuestions: "questions_have_an_answer_for_every_path",
    KeepsTheBuffer: "bytes_given_do_not_change_a_file_later",
    Forgiving: "open_refuses_what_contradicts_itself",
    ShallowLinks: "rmtree_leaves_what_links_lead_to",
    OneForAll: "new_filesystems_are_empty_and_alone",
    opens(TruncatesOneTooMany): "truncation_cuts_and_grows",
    opens(TruncatesAndMoves): "truncation_cuts_and_grows",
    opens(FillsHoles): "holes_read_as_zeros",
    opens(SeeksAnywhere): "positions_are_set_by_seek",
    opens(WritesLess): "pieces_of_every_size_are_written",
    opens(ReadsBackwards): "reading_gives_what_is_asked",
    opens(GoesQuietly): "files_that_were_dropped_warn",
    SaysItIsOpen: "closed_files_refuse_everything",
}
"""The check that has to find each defect; others may find it, too."""
