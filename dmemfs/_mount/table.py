"""Which path belongs to which mounted file system.

There is one table for the process, as there is one set of functions in `os`: what is mounted is
seen by every thread. Everything that a call on an unmounted path has to look at is an attribute
here, changed by a single assignment.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import sys
import weakref
from functools import partial
from typing import Any

from .._errors import os_error
from .._nodes.nodes import Directory, Symlink
from .._paths import MAX_LINKS
from .._tree.lookup import LeadsOutsideError
from .._tree.tree import Tree
from .passed_through import (
    IN_MEMORY,
    is_free,
    name_of_descriptor,
    read_only,
)
from .real_directory import RealDirectory

# As they are before anything is replaced: these ask the kernel.
_getcwd = os.getcwd
_readlink = os.readlink
_fstat = os.fstat

_TAKES_BUFFERS = sys.version_info < (3, 12)
"""Whether functions of `os` take a bytearray for a path, with a warning."""

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

_NEVER = "\0"
"""What no path contains that the kernel takes."""


class Mounted:
    """One file system at one place.

    Attributes:
        fs: the file system.
        point: where it is, an absolute path without a slash at its end, but for the root.
        offset: how many characters of a path lead to `point`.
        passed: prefixes, each with a slash at its end, of what stays the real file system's.
        kept: likewise, of what is in `fs` all the same.
        handles: weak references to the file objects that were opened here by their path.
        programs: what becomes of programs that are started, as of `mount`.
        is_shown: whether programs that are started see it, see `dmemfs._mount.programs`.
    """

    __slots__ = (
        "_most_handles", "fs", "handles", "is_shown", "kept", "offset", "passed", "point",
        "programs",
    )  # fmt: skip

    def __init__(
        self,
        fs: Tree,
        point: str,
        passed: tuple[str, ...] = (),
        kept: tuple[str, ...] = (),
        programs: str | None = "refuse",
    ) -> None:
        self.fs = fs
        self.point = point
        self.offset = 0 if point == "/" else len(point)
        self.passed = passed
        self.kept = kept
        self.handles: list[weakref.ref[Any]] = []
        self.programs = programs
        self.is_shown = False
        self._most_handles = 64

    def outer(self, path: str) -> str:
        """Return the path in the process of `path` in the file system."""
        if not self.offset:
            return path
        return self.point if path == "/" else self.point + path

    def passes(self, path: str) -> bool:
        """Tell whether an absolute path below is left to the real file system."""
        if not self.passed:
            return False
        whole = f"{path}/"
        return whole.startswith(self.passed) and not whole.startswith(self.kept)

    def remember(self, file: Any) -> None:
        """Keep account of a file object; those that are closed are forgotten now and then.

        Complexity: O(1) amortised.
        """
        handles = self.handles
        handles.append(weakref.ref(file))
        if len(handles) > self._most_handles:
            self.handles = [weakref.ref(each) for each in self.open_files()]
            self._most_handles = max(64, 2 * len(self.handles))

    def open_files(self) -> list[Any]:
        """Return the file objects that were opened here by their path, and are open."""
        alive = [handle() for handle in self.handles]
        return [file for file in alive if file is not None and not file.closed]


class DirectoryPlace:
    """A directory that is held, not named: the working directory, or that of a descriptor."""

    __slots__ = ("_path", "mount", "node")

    def __init__(self, mount: Mounted, node: Directory) -> None:
        self.mount = mount
        self.node = node
        self._path = path_of(mount.fs, node)

    def inner(self) -> str:
        """Return its path in the file system, wherever it has been moved.

        Raises:
            FileNotFoundError: it was removed.
        """
        try:
            if self._path == "/" or self.mount.fs._find(self._path, follow=False) is self.node:
                return self._path
        except OSError:
            pass
        self._path = path_of(self.mount.fs, self.node)
        return self._path

    def outer(self) -> str:
        """Return its path in the process."""
        return self.mount.outer(self.inner())


def path_of(fs: Tree, directory: Directory) -> str:
    """Return the path of a directory that is known by its node.

    Raises:
        FileNotFoundError: it was removed.

    Complexity: O(depth and entries on the way).
    """
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        return "/" + "/".join(_names_to(directory))
    finally:
        fs._unlock()


def _names_to(directory: Directory) -> list[str]:
    names = []
    while directory.parent is not directory:
        if directory.removed:
            raise os_error(errno.ENOENT)
        above = directory.parent
        names += [name for name, node in above.children.items() if node is directory]
        directory = above
    return names[::-1]


class MountTable:
    """The mounted file systems, the working directory and the umask of the process.

    Attributes:
        marker: what each path that leads to a mount contains, however it is spelled, unless it is
            relative to a directory above or below the mount point. Most other paths do not.
        relative: whether such a relative path may come.
        mounts: them all, the longest mount point first, of equal ones the latest.
        cwd: the working directory, if it is in one of them.
        umask: that of the process; kept up to date while something is mounted.
        directories: gives the directory of a virtual descriptor.
        isolates: whether one of them is at the root, in the place of the real file system.
        real_directory: where the kernel takes the process to be, while it is in a mount.
    """

    def __init__(self) -> None:
        self.marker = _NEVER
        self.relative = False
        self.mounts: tuple[Mounted, ...] = ()
        self.cwd: DirectoryPlace | None = None
        self.umask = 0o022
        self.directories: Any = None
        self.isolates = False
        self.real_directory = RealDirectory()
        self._real_cwd: str | None = None
        self._shown: tuple[str, ...] = ()
        self._is_plain = False  # nothing is mounted within a mount, nor passed through

    def add(self, mount: Mounted) -> None:
        """Let a file system be found from now on."""
        self.mounts = tuple(sorted((mount, *self.mounts), key=lambda each: -each.offset))
        mount.fs._follow_absolute = partial(self._inside_of, mount.fs)
        mount.fs._seen_at = mount.outer
        self.working_directory_changed(self.cwd)

    def take_away(self, mount: Mounted) -> None:
        """Let a file system not be found any more."""
        self.mounts = tuple(each for each in self.mounts if each is not mount)
        if all(each.fs is not mount.fs for each in self.mounts):
            mount.fs._follow_absolute = mount.fs._seen_at = None
        self.working_directory_changed(self.cwd)

    def working_directory_changed(self, cwd: DirectoryPlace | None) -> None:
        """Learn what the working directory is: `cwd`, or if that is None, the kernel's."""
        if cwd is None:
            self.real_directory.come_back()
        else:
            self.real_directory.leave()
        real = None
        if cwd is None and self.mounts:
            try:
                real = _getcwd()
            except OSError:  # it was removed: no relative path leads anywhere
                real = None
        self.cwd = cwd
        self._real_cwd = real
        self.relative = cwd is not None or any(_overlap(real, each) for each in self.mounts)
        self.isolates = any(not each.offset for each in self.mounts)
        self._is_plain = len(self.mounts) == 1 and not self.mounts[0].passed
        names = [f"/{posixpath.basename(each.point)}" for each in self.mounts] or [_NEVER]
        self.marker = names[0] if len(names) == 1 else _common_beginning(names)

    def show_real(self, directory: str) -> None:
        """Let a real directory be seen, and written, through whatever is mounted above it."""
        self._shown = (*self._shown, f"{directory}/")

    def show_real_below(self, prefix: str) -> None:
        """Let everything real be seen, and written, whose path begins with a prefix."""
        self._shown = (*self._shown, prefix)

    def hide_real(self, directory: str) -> None:
        """Undo `show_real`."""
        shown = list(self._shown)
        if f"{directory}/" in shown:
            shown.remove(f"{directory}/")
        self._shown = tuple(shown)

    def has_real_below(self, mount: Mounted) -> bool:
        """Tell whether a real directory is seen through a mount."""
        return any(each.startswith(f"{mount.point}/") for each in self._shown)

    def shows(self, mount: Mounted) -> bool:
        """Tell whether programs that are started see a mount; they see nothing of isolation."""
        return mount.is_shown and not self.isolates

    def locate(
        self, path: Any, dir_fd: Any = None, *, changes: bool = False, writes: bool = False
    ) -> tuple[Mounted, str] | None:
        """Return where a path leads to.

        Args:
            path: as given to a function of `os`.
            dir_fd: the descriptor of the directory at which a relative path begins.
            changes: whether what is there is to be changed.
            writes: whether it is to be opened for writing, which devices in isolation may be too.

        Returns:
            The mount and the path in its file system; None for the real file system.

        Raises:
            LeadsOutsideError: the path begins below a mount point, but leads out of it.
            OSError: EROFS, it would change what is passed through to the real file system; EBADF
                or ENOTDIR for `dir_fd`; ENOENT, the directory was removed.
        """
        text = path
        if dir_fd is not None and not hasattr(dir_fd, "__index__"):
            return None  # the real function has the words for it
        if path.__class__ is not str:
            try:
                text = _text_of(path)
            except TypeError:
                return None
        if text[:1] != "/":
            directory = self.cwd if dir_fd is None else self.directories(dir_fd)
            if directory is not None and self._is_plain and text and ".." not in text:
                inner = directory.inner()
                return directory.mount, f"{inner}/{text}" if inner != "/" else f"/{text}"
            text = self._absolute(text, directory, dir_fd)
            if text is None:
                return None
        if ".." in text or "//" in text:
            try:
                text = self._normalised(text)
            except LeadsOutsideError:
                raise
            except OSError as error:
                error.filename = path
                raise
        mount = self.mount_of(text)
        if mount is None or (self._shown and f"{text}/".startswith(self._shown)):
            return None
        if mount.passed and mount.passes(text):
            if changes or (writes and not is_free(text)):
                raise read_only(path)
            return None
        return mount, text[mount.offset :] or "/"

    def mount_of(self, text: str) -> Mounted | None:
        """Return the mount at or below whose point an absolute path lies."""
        for mount in self.mounts:
            point, offset = mount.point, mount.offset
            if not offset or (text.startswith(point) and text[offset : offset + 1] in ("", "/")):
                return mount
        return None

    def require_changeable(self, descriptor: int) -> None:
        """Raise where a descriptor of the kernel's leads to what isolation keeps from changes.

        As in the kernel on what is mounted read-only: what is open for writing goes on to work, and
        was opened before, since nothing is opened so afterwards.

        Raises:
            OSError: EROFS; EBADF, nothing is open there.
        """
        if not self.isolates:
            return
        name = name_of_descriptor(descriptor)
        if name is not None:  # a pipe, a socket and the like has no path
            if name[:1] != "/" or name.startswith(IN_MEMORY):
                return
            if self._shown and f"{name}/".startswith(self._shown):
                return
        import fcntl

        is_device = stat.S_ISCHR(_fstat(descriptor).st_mode)
        if is_device or fcntl.fcntl(descriptor, fcntl.F_GETFL) & _ACCESS == os.O_RDONLY:
            raise read_only(None)

    def _absolute(self, text: str, directory: DirectoryPlace | None, dir_fd: Any) -> str | None:
        """Return a relative path from the root on; None for the real file system."""
        if directory is not None:
            if not text:
                raise os_error(errno.ENOENT, text)
            return posixpath.join(directory.outer(), text)
        if not text:
            return None
        if dir_fd is None:
            return None if self._real_cwd is None else posixpath.join(self._real_cwd, text)
        if self.marker not in f"/{text}":
            return None
        name = name_of_descriptor(dir_fd)
        return None if name is None or name[:1] != "/" else posixpath.join(name, text)

    def _normalised(self, text: str) -> str:
        """Return a path that climbs, so that its beginning tells where it leads to."""
        begin = self.mount_of(text)
        plain = self._physical(text)
        end = self.mount_of(plain)
        if end is None or end.passes(plain):
            if begin is not None and ".." in text:
                raise LeadsOutsideError(plain)
            return plain if end is begin else text
        return plain

    def _physical(self, text: str) -> str:
        """Return an absolute path without `..`, whose last component alone may be a link.

        The links before a `..` are followed, as by the kernel, in mounts as on the disk.

        Raises:
            OSError: ENOENT, ENOTDIR for what is above a `..` in a mount; ELOOP.
        """
        pending = _components(text)
        if ".." not in pending:
            plain = "/" + "/".join(reversed(pending))
            return f"{plain}/" if text.endswith("/") and pending else plain
        here = "/"
        links = 0
        while pending:
            name = pending.pop()
            if name == "..":
                here = posixpath.dirname(here)
                continue
            here = posixpath.join(here, name)
            if ".." not in pending:
                continue
            target = self._target_of(here)
            if target is not None:
                links += 1
                if links > MAX_LINKS:
                    raise os_error(errno.ELOOP, text)
                here = "/" if target[:1] == "/" else posixpath.dirname(here)
                pending += _components(target)
        return f"{here}/" if text.endswith("/") and here != "/" else here

    def _target_of(self, path: str) -> str | None:
        """Return what a link says that is above a `..`; None for a directory.

        Raises:
            OSError: ENOENT, ENOTDIR where it is neither, in a mount.
        """
        mount = self.mount_of(path)
        if mount is None or mount.passes(path):
            try:
                return _readlink(path)
            except OSError:
                return None  # the kernel will say what there is to say
        if path == mount.point:
            return None
        node = mount.fs._peek(path[mount.offset :], follow=False)
        if node.__class__ is Symlink:
            return node.target
        if node is None and self._is_above(f"{path}/"):
            return None
        if node.__class__ is not Directory:
            raise os_error(errno.ENOENT if node is None else errno.ENOTDIR, path)
        return None

    def _is_above(self, path: str) -> bool:
        """Tell whether something is mounted or passed through below a path, which ends in `/`."""
        passed = (prefix for mount in self.mounts for prefix in mount.passed)
        return any(each.startswith(path) for each in (*passed, *(m.point for m in self.mounts)))

    def _inside_of(self, fs: Tree, target: str, pending: list[str], is_directory: bool) -> str:
        """Return where in `fs` the target of an absolute symbolic link is.

        Args:
            fs: the file system in which the link is.
            target: what the link says; `..` for the directory above the mount point.
            pending: the components that follow it in the path, the last first.
            is_directory: whether the path asks for a directory.

        Raises:
            LeadsOutsideError: it is not in `fs`.
        """
        if target == "..":
            above = self._above(fs)
            if above is None:
                return "/"
            raise LeadsOutsideError(_joined(above, pending, is_directory))
        text = target
        if ".." in target or "//" in target:
            # Others have locks of their own, not to be taken here.
            text = self._physical(target) if len(self.mounts) == 1 else posixpath.normpath(target)
        mount = self.mount_of(text)
        if mount is None or mount.fs is not fs or mount.passes(text):
            raise LeadsOutsideError(_joined(target, pending, is_directory))
        return text[mount.offset :] or "/"

    def _above(self, fs: Tree) -> str | None:
        """Return the directory above the one at which `fs` is mounted, None above the root."""
        for mount in self.mounts:
            if mount.fs is fs:
                return posixpath.dirname(mount.point) if mount.offset else None
        return None


def _text_of(path: Any) -> str:
    """Return a path as text.

    Raises:
        TypeError: it is none.
    """
    if _TAKES_BUFFERS and isinstance(path, bytearray | memoryview):
        path = bytes(path)
    return os.fsdecode(path)


def _components(path: str) -> list[str]:
    """Return the components of a path, the last first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _joined(begin: str, pending: list[str], is_directory: bool) -> str:
    whole = "/".join([begin.rstrip("/"), *reversed(pending)])
    return f"{whole}/" if is_directory and whole else whole or "/"


def _common_beginning(texts: list[str]) -> str:
    """Return the characters with which all texts begin."""
    first, last = min(texts), max(texts)
    pairs = zip(first, last, strict=False)
    return first[: next((at for at, (one, other) in enumerate(pairs) if one != other), len(first))]


def _overlap(directory: str | None, mount: Mounted) -> bool:
    """Tell whether a path that begins at a real directory may lead into a mount."""
    if directory is None:
        return False
    below = f"{mount.point.rstrip('/')}/"
    here = f"{directory.rstrip('/')}/"
    return below.startswith(here) or here.startswith(below)
