"""Stand-ins for `open`, `io.FileIO`, `io.open_code` and `os.open`.

Each passes on at once what is not below a mount point, and is a bound method, which does not bind
anew as an attribute of a class, as a function written in C does not either.
"""

from __future__ import annotations

import _io
import contextlib
import errno
import operator
import os
import posix
import sys
from typing import TYPE_CHECKING, Any

from ..._errors import os_error, refusal
from ..._files.modes import (
    OPEN_MODES,
    OpenMode,
    check_buffering,
    check_text_arguments,
    mode_error,
)  # fmt: skip
from ..._files.opening import finish
from ..._nodes.kernel_files import KernelFile
from ..._nodes.nodes import Directory, File, Symlink
from ..._paths import is_plain_name
from ..._tree.lookup import LeadsOutsideError
from ..choice import plain_path
from ..descriptors import (
    FIRST_DESCRIPTOR,
    DescriptorTable,
    OpenDescription,
    Position,
)  # fmt: skip
from ..files import MOUNTED_CLASSES
from ..lending import NoDescriptorError
from ..table import Mounted, MountTable
from .by_descriptor import ByDescriptor

if TYPE_CHECKING:
    from types import FrameType

_real_open = _io.open
_real_os_open = posix.open
_real_open_code = _io.open_code
RealFileIO = _io.FileIO

READING_MODES = frozenset(mode for mode in OPEN_MODES if "r" in mode and "+" not in mode)
_MOST_TURNS = 40
_WRITES = os.O_WRONLY | os.O_RDWR
_O_TMPFILE = getattr(posix, "O_TMPFILE", 0)
_O_PATH = getattr(posix, "O_PATH", 0)
_WITH_O_PATH = _O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # the rest is ignored
_USUAL_MODE = 0o644


class PatchedOpen(ByDescriptor):
    """What opens files."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        self._table = table
        self._descriptors = descriptors

    # The stand-ins

    def open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """Open a file, as the builtin `open` does."""
        table = self._table
        if file.__class__ is not str:
            file = plain_path(file)
        if (
            file.__class__ is str
            and opener is None
            and table.marker not in file
            and not (table.relative and file[:1] != "/")
        ):
            return _real_open(file, mode, buffering, encoding, errors, newline, closefd)
        if opener is None and not hasattr(file, "__index__"):
            try:
                place = table.locate(
                    file, writes=mode.__class__ is str and mode not in READING_MODES
                )
            except LeadsOutsideError as outside:
                return self._open_elsewhere(
                    outside, file, mode, buffering, encoding, errors, newline, closefd
                )
            if place is None:
                return _real_open(file, mode, buffering, encoding, errors, newline, closefd)
            frame = sys._getframe(1)
            return self._open_path(
                place, file, mode, buffering, encoding, errors, newline, closefd, frame
            )
        return self._open_descriptor(
            file, mode, buffering, encoding, errors, newline, closefd, opener
        )

    def open_code(self, path: str) -> Any:
        """Open a file of code, as `io.open_code` does."""
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _real_open_code(path)
        try:
            if not isinstance(path, str) or table.locate(path) is None:
                return _real_open_code(path)
        except LeadsOutsideError as outside:
            return _real_open_code(outside.path)
        return self.open(path, "rb")

    def os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        """Open a file and return its descriptor, as `os.open` does."""
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _real_os_open(path, flags, mode)
        return self._os_open(path, flags, mode, dir_fd, sys._getframe(1), 0)

    def _os_open(
        self, path: Any, flags: int, mode: int, dir_fd: Any, frame: FrameType, turns: int
    ) -> int:
        if flags & _O_PATH:
            flags &= _WITH_O_PATH
        writes = bool(flags & (_WRITES | os.O_CREAT | os.O_TRUNC))
        given = path
        try:
            place = self._table.locate(path, dir_fd, writes=writes)
            if place is not None:
                mount, inner = place
                node = self._node_for(mount, inner, flags, mode)
                origin = opener_of(frame)
                cursor = None
                if isinstance(node, File):
                    if not flags & _O_PATH and not self._is_for_opener(flags):
                        with contextlib.suppress(NoDescriptorError):
                            return self._descriptors.lent.lend(mount, node, flags, given, origin)
                    cursor = Position(mount.fs, node, os.fspath(path))
                description = OpenDescription(mount, node, cursor, flags, origin)
                if isinstance(node, File):
                    description.opening = mount.fs._hold_open(node, given)
                return self._descriptors.add(description)
        except LeadsOutsideError as outside:
            if turns == _MOST_TURNS:
                raise os_error(errno.ELOOP, given) from None
            return self._os_open(outside.path, flags, mode, None, frame, turns + 1)
        except OSError as error:
            if error.filename is not None:
                error.filename = given
            raise
        return _real_os_open(path, flags, mode, dir_fd=dir_fd)

    def _is_for_opener(self, flags: int) -> bool:
        """Tell whether a descriptor is for the file object that is being made, and nobody else.

        `tempfile` gives that of a file without a name to its users, as the name.
        """
        has_name = not _O_TMPFILE or flags & _O_TMPFILE != _O_TMPFILE
        return has_name and hasattr(self._descriptors.lent.in_opener, "deep")

    def file_io(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> Any:
        """Open a file unbuffered, as `io.FileIO` does; None for a real file."""
        if not isinstance(mode, str):
            return None
        if opener is None and not hasattr(file, "__index__"):
            try:
                if self._table.locate(file, writes=mode not in READING_MODES) is None:
                    return None
            except LeadsOutsideError as outside:
                return self.file_io(outside.path, mode, closefd, opener) or RealFileIO(
                    outside.path, mode, closefd
                )
        elif opener is None and not self._is_ours(operator.index(file)):
            return None
        if set(mode) - set("rwaxb+"):
            raise ValueError(f"invalid mode: {mode}")
        return self.open(file, mode.replace("b", "") + "b", 0, closefd=closefd, opener=opener)

    def opener_for(self, file: Any, mode: str) -> Any:
        """Return what opens a file for a class derived from `io.FileIO`; None for a real file.

        Its methods are written in C, and ask the kernel, which has to know the file.
        """
        if hasattr(file, "__index__"):
            return None
        try:
            if self._table.locate(file, writes=mode not in READING_MODES) is None:
                return None
        except LeadsOutsideError:
            pass

        def opener(path: Any, flags: int) -> int:
            number = self.os_open(path, flags, 0o666)
            if number >= FIRST_DESCRIPTOR:
                self._descriptors.close(number)
                raise refusal("a class derived from io.FileIO cannot open a mounted file", file)
            return number

        return opener

    # By a path

    def _open_path(
        self,
        place: tuple[Mounted, str],
        file: Any,
        mode: str,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        closefd: bool,
        frame: FrameType,
    ) -> Any:
        mount, inner = place
        fs = mount.fs
        try:
            how = fs._modes[mode]
        except (KeyError, TypeError):
            raise mode_error(mode) from None
        if encoding is not None or errors is not None or newline is not None:
            check_text_arguments(how, encoding, errors, newline)
        if buffering != -1:
            buffering = check_buffering(how, buffering)
        if not closefd:
            raise ValueError("Cannot use closefd=False with file name")
        try:
            try:
                if fs._interceptors:
                    raise KeyError(inner)  # they are asked on the long way
                head, _, name = inner.rpartition("/")
                directory = fs._directories[head]
                node: Any = directory.children.get(name)
                if how.exclusive:
                    node = self._node_of_mode(mount, inner, how)
                elif node.__class__ is File:
                    if how.truncates:
                        fs._empty(node)
                else:
                    if (
                        node is None
                        and how.creates
                        and is_plain_name(name)
                        and self._table.umask == 0o022
                    ):
                        node = fs._create_file(directory, name, file)
                    if node.__class__ is not File:
                        node = self._node_of_mode(mount, inner, how)
            except KeyError:
                node = self._node_of_mode(mount, inner, how)
        except LeadsOutsideError as outside:
            return self._open_elsewhere(
                outside, file, mode, buffering, encoding, errors, newline, closefd
            )
        except OSError as error:
            if error.filename is not None:
                error.filename = os.fspath(file)
            raise
        binary: Any = MOUNTED_CLASSES[how.file_class]()
        binary._fs = fs
        binary._node = node
        binary._position = node.size if how.appends else 0
        binary._grant = None
        binary._how = how
        binary._origin = (mount, self._descriptors, *opener_of(frame))
        binary.name = file if file.__class__ is str else os.fspath(file)
        binary.closed = False
        if buffering == -1 and how.direct:
            mount.remember(binary)
            return binary
        file = finish(binary, node, mode, buffering, encoding, errors, newline)
        mount.remember(file if buffering == 0 else binary)
        return file

    def _open_elsewhere(
        self,
        outside: LeadsOutsideError,
        file: Any,
        mode: str,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        closefd: bool,
    ) -> Any:
        """Open what a symbolic link leads to in another file system, under the name given."""

        def opener(_: Any, flags: int) -> int:
            return self._os_open(outside.path, flags, 0o666, None, sys._getframe(1), 0)

        try:
            return self.open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        except OSError as error:
            error.filename = os.fspath(file)
            raise

    def _node_of_mode(self, mount: Mounted, inner: str, how: OpenMode) -> File:
        node = self._node_for(mount, inner, how.os_flags(), 0o666)
        if not isinstance(node, File):
            raise os_error(errno.EISDIR, inner)
        if isinstance(node, KernelFile):
            self._descriptors.lent.look_after(mount, node)
        return node

    def _node_for(
        self, mount: Mounted, inner: str, flags: int, mode: int
    ) -> File | Directory | Symlink:
        """Return the node to open, made or emptied as `flags` ask."""
        fs = mount.fs
        if fs._interceptors:
            fs._ask("open", inner, changes=bool(flags & (_WRITES | os.O_CREAT | os.O_TRUNC)))
        if _O_TMPFILE and flags & _O_TMPFILE == _O_TMPFILE:
            return self._nameless_file(mount, inner, flags, mode)
        if flags & os.O_CREAT:
            if flags & os.O_DIRECTORY:
                raise os_error(errno.EINVAL, inner)
            try:
                if not fs._try_lock(False):
                    fs._wait_for_lock()
                exclusive = bool(flags & os.O_EXCL)
                if (
                    flags & os.O_NOFOLLOW
                    and not exclusive
                    and isinstance(fs._peek(inner, follow=False), Symlink)
                ):
                    raise os_error(errno.ELOOP, inner)
                is_new = fs._peek(inner, follow=not exclusive) is None
                file = fs._file_to_open(inner, create=True, exclusive=exclusive)
                if is_new and mode & 0o7777 & ~self._table.umask != _USUAL_MODE:
                    fs._set_mode(file, mode & 0o7777 & ~self._table.umask)
                if flags & os.O_TRUNC:
                    fs._empty(file)
                return file
            finally:
                fs._unlock()
        node = fs._find(inner, follow=not flags & os.O_NOFOLLOW)
        if isinstance(node, Symlink):
            if flags & os.O_DIRECTORY:
                raise os_error(errno.ENOTDIR, inner)
            if not flags & _O_PATH:
                raise os_error(errno.ELOOP, inner)
            return node
        if isinstance(node, Directory):
            if flags & _WRITES or flags & os.O_TRUNC:
                raise os_error(errno.EISDIR, inner)
            return node
        assert isinstance(node, File)
        if flags & os.O_DIRECTORY:
            raise os_error(errno.ENOTDIR, inner)
        if flags & os.O_TRUNC:
            fs._empty(node)
        return node

    def _nameless_file(self, mount: Mounted, inner: str, flags: int, mode: int) -> File:
        """Return a file that has no name from the beginning (O_TMPFILE)."""
        fs = mount.fs
        if not flags & _WRITES:
            raise os_error(errno.EINVAL, inner)
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            fs._find_directory(inner)
            path = f"{inner.rstrip('/')}/.nameless-{os.urandom(16).hex()}"
            file = fs._file_to_open(path, create=True, exclusive=True)
            fs._set_mode(file, mode & 0o7777 & ~self._table.umask)
            directory, name, _, _ = fs._place(path)
            fs._drop(directory, name, file)
            return file
        finally:
            fs._unlock()


def opener_of(frame: FrameType) -> tuple[Any, int]:
    """Return the code that opened a file, and where in it: the first that is not the library's."""
    here: FrameType | None = frame
    while here is not None:
        if here.f_globals.get("__name__", "").partition(".")[0] not in _LIBRARY:
            return here.f_code, here.f_lasti
        here = here.f_back
    return frame.f_code, frame.f_lasti


_LIBRARY = (sys.stdlib_module_names | {__name__.partition(".")[0]}) - {"__main__", "test"}
