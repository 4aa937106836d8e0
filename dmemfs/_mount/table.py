"""Which path belongs to which mounted file system.

There is one table for the process, as there is one set of functions in `os`: what is mounted is
seen by every thread. Everything that a call on an unmounted path has to look at is an attribute
here, changed by a single assignment.
"""

from __future__ import annotations

import errno
import os
import posixpath
import weakref
from functools import partial
from typing import Any

from .._errors import os_error
from .._nodes.nodes import Directory
from .._tree.tree import Tree

_real_getcwd = os.getcwd

# What is not a file of the disk, though it has a name, is there in isolation too.
DEVICES = tuple(
    f"/dev/{name}/" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
)
SYSTEM_VIEWS = ("/proc/", "/sys/")


_NEVER = "\0"
"""What no path contains that the kernel takes."""


class LeadsOutsideError(FileNotFoundError):
    """A path below a mount point that leads out of it, through a symbolic link or `..`.

    Attributes:
        path: where it leads to, an absolute path.
    """

    def __init__(self, path: str) -> None:
        super().__init__(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.path = path


class Mounted:
    """One file system at one place.

    Attributes:
        fs: the file system.
        point: where it is, an absolute path without a slash at its end, but for the root.
        offset: how many characters of a path lead to `point`.
        passed: prefixes, each with a slash at its end, of what stays the real file system's.
        handles: weak references to the file objects that were opened here by their path.
    """

    __slots__ = ("_most_handles", "fs", "handles", "offset", "passed", "point")

    def __init__(self, fs: Tree, point: str, passed: tuple[str, ...] = ()) -> None:
        self.fs = fs
        self.point = point
        self.offset = 0 if point == "/" else len(point)
        self.passed = passed
        self.handles: list[weakref.ref[Any]] = []
        self._most_handles = 64

    def outer(self, path: str) -> str:
        """Return the path in the process of `path` in the file system."""
        if not self.offset:
            return path
        return self.point if path == "/" else self.point + path

    def passes(self, path: str) -> bool:
        """Tell whether an absolute path below is left to the real file system."""
        return bool(self.passed) and f"{path}/".startswith(self.passed)

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
    with fs._lock:
        return "/" + "/".join(_names_to(directory))


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
    """

    def __init__(self) -> None:
        self.marker = _NEVER
        self.relative = False
        self.mounts: tuple[Mounted, ...] = ()
        self.cwd: DirectoryPlace | None = None
        self.umask = 0o022
        self.directories: Any = None
        self._real_cwd: str | None = None
        self._shown: tuple[str, ...] = ()
        self._is_plain = False  # nothing is mounted within a mount, nor passed through

    def add(self, mount: Mounted) -> None:
        """Let a file system be found from now on."""
        self.mounts = tuple(sorted((mount, *self.mounts), key=lambda each: -each.offset))
        mount.fs._follow_absolute = partial(self._inside_of, mount.fs)
        self.working_directory_changed(self.cwd)

    def take_away(self, mount: Mounted) -> None:
        """Let a file system not be found any more."""
        self.mounts = tuple(each for each in self.mounts if each is not mount)
        if all(each.fs is not mount.fs for each in self.mounts):
            mount.fs._follow_absolute = None
        self.working_directory_changed(self.cwd)

    def working_directory_changed(self, cwd: DirectoryPlace | None) -> None:
        """Learn what the working directory is: `cwd`, or if that is None, the kernel's."""
        real = None
        if cwd is None and self.mounts:
            try:
                real = _real_getcwd()
            except OSError:  # it was removed: no relative path leads anywhere
                real = None
        self.cwd = cwd
        self._real_cwd = real
        self.relative = cwd is not None or any(_overlap(real, each) for each in self.mounts)
        self._is_plain = len(self.mounts) == 1 and not self.mounts[0].passed
        names = [f"/{posixpath.basename(each.point)}" for each in self.mounts] or [_NEVER]
        self.marker = names[0] if len(names) == 1 else _common_beginning(names)

    def show_real(self, directory: str) -> None:
        """Let a real directory be seen, and written, through whatever is mounted above it."""
        self._shown = (*self._shown, f"{directory}/")

    def hide_real(self, directory: str) -> None:
        """Undo `show_real`."""
        self._shown = tuple(each for each in self._shown if each != f"{directory}/")

    def locate(
        self, path: Any, dir_fd: Any = None, *, changes: bool = False
    ) -> tuple[Mounted, str] | None:
        """Return where a path leads to.

        Args:
            path: as given to a function of `os`.
            dir_fd: the descriptor of the directory at which a relative path begins.
            changes: whether what is there is to be changed.

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
                text = os.fsdecode(path)
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
            text = self._normalised(text)
        mount = self.mount_of(text)
        if mount is None or (self._shown and f"{text}/".startswith(self._shown)):
            return None
        if mount.passed and mount.passes(posixpath.normpath(text) if ".." in text else text):
            if changes and not f"{text}/".startswith(DEVICES):
                raise OSError(
                    errno.EROFS,
                    f"{os.strerror(errno.EROFS)}: it is passed through from the real file system; "
                    "write to another path",
                    path,
                )
            return None
        return mount, text[mount.offset :] or "/"

    def mount_of(self, text: str) -> Mounted | None:
        """Return the mount at or below whose point an absolute path lies."""
        for mount in self.mounts:
            point, offset = mount.point, mount.offset
            if not offset or (text.startswith(point) and text[offset : offset + 1] in ("", "/")):
                return mount
        return None

    def _absolute(self, text: str, directory: DirectoryPlace | None, dir_fd: Any) -> str | None:
        """Return a relative path from the root on; None for the real file system."""
        if directory is None:
            if dir_fd is not None or not text or self._real_cwd is None:
                return None
            return posixpath.join(self._real_cwd, text)
        if not text:
            raise os_error(errno.ENOENT, text)
        return posixpath.join(directory.outer(), text)

    def _normalised(self, text: str) -> str:
        """Return a path that climbs, so that its beginning tells where it leads to."""
        plain = posixpath.normpath(text)
        if plain[:2] == "//":
            plain = plain[1:]
        begin, end = self.mount_of(text), self.mount_of(plain)
        if begin is end:
            return text
        if end is None:
            raise LeadsOutsideError(plain)
        return f"{plain}/" if text.endswith("/") else plain

    def _inside_of(self, fs: Tree, target: str, pending: list[str], is_directory: bool) -> str:
        """Return where in `fs` the target of an absolute symbolic link is.

        Args:
            fs: the file system in which the link is.
            target: what the link says.
            pending: the components that follow it in the path, the last first.
            is_directory: whether the path asks for a directory.

        Raises:
            LeadsOutsideError: it is not in `fs`.
        """
        text = posixpath.normpath(target) if ".." in target or "//" in target else target
        mount = self.mount_of(text)
        if mount is None or mount.fs is not fs or mount.passes(text):
            whole = "/".join([target.rstrip("/"), *reversed(pending)])
            raise LeadsOutsideError(f"{whole}/" if is_directory and whole else whole or "/")
        return text[mount.offset :] or "/"


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
