"""From paths to nodes."""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from time import time_ns
from types import MappingProxyType
from typing import Any, TypeAlias

from .. import _paths, _platform
from .._errors import os_error
from .._mutex import Lock
from .._nodes.nodes import Directory, File, MountPoint, Node, Symlink
from .._paths import StrPath, is_plain_name
from .._platform import shared_dict
from .pages import Pages

_MOST_REMEMBERED = 1 << 16
_LONGEST_REMEMBERED = 512


Place: TypeAlias = tuple[Directory, str, Node | None, bool]
"""Where a path leads.

The directory that holds the last component, or would; the last component, which is `.`, `..` or
empty where the path ends in such a one; the node that is there, or None; and whether the path ends
in a slash and so asks for a directory.
"""


class LeadsOutsideError(FileNotFoundError):
    """A path that leads out of a file system, through a symbolic link, `..` or what is attached.

    Attributes:
        path: where it leads to in the process, an absolute path.
    """

    def __init__(self, path: str) -> None:
        super().__init__(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.path = path


class CrossingError(LeadsOutsideError):
    """A path that leads into a file system that is attached.

    Whoever is asked for a path of several file systems goes on there: see
    `dmemfs._interception.crossing`. To all others the entry is of another device.

    Attributes:
        point: the directory at which it is attached.
        fs: the file system.
        names: what is left of the path.
        is_directory: whether the path asks for a directory.
    """

    def __init__(
        self, tree: Lookup, point: MountPoint, names: list[str], is_directory: bool, path: StrPath
    ) -> None:
        seen_at = tree._seen_at
        where = "" if seen_at is None else seen_at(tree._path_of(point))
        super().__init__("/".join([where, *names]) + "/" * is_directory)
        self.errno, self.strerror = errno.EXDEV, os.strerror(errno.EXDEV)
        self.filename = os.fspath(path)
        self.point = point
        self.fs: Any = tree._attached.get(point)
        self.names = names
        self.is_directory = is_directory


class Lookup(Pages):
    """Resolves paths, and tells what is there.

    The directory that a path's head leads to is remembered by the text of the head, which makes a
    deep path as cheap as a shallow one. A head is remembered only if it has no `..` and leads
    through no symbolic link. All of them are forgotten when a directory moves through which one
    leads; one whose directory was removed finds no entries and is resolved anew.
    """

    # While the file system is mounted, absolute symbolic links begin at the root of the process:
    # this returns the path here of what such a link says, or raises LeadsOutsideError. It is asked
    # too where a relative one climbs above the root.
    _follow_absolute: Callable[[str, list[str], bool], str] | None = None
    _seen_at: Callable[[str], str] | None = None
    """While it is mounted: returns the path in the process of a path here."""

    _attached: Mapping[Directory, Any] = MappingProxyType({})
    """The file systems that are shown in this one, by the directory at which they are."""

    def __init__(
        self, max_bytes: int | None, max_nodes: int | None, lock: Lock | None = None
    ) -> None:
        super().__init__(max_bytes, max_nodes, lock)
        self._account.require(0, 1)
        self._account.nodes += 1
        self._root = root = Directory()
        root.mode = stat.S_IFDIR | 0o755
        root.owner = self._owner = _platform.process_owner()
        root.nlink = 2
        root.mtime = root.ctime = root.atime = time_ns()
        root.account = self._account
        root.children = shared_dict()
        root.parent = root
        root.told = None
        root.removed = False
        root.remembered = True
        self._directories: dict[str, Directory] = shared_dict({"": root})
        self._told: deque[weakref.ref[Node]] = deque()  # those of which it is remembered
        self._device = id(self) & 0xFFFFFFFF  # as large a number as os.major() and os.minor() take

    # Questions

    def exists(self, path: StrPath) -> bool:
        """Tell whether `path` leads to something; a broken symbolic link leads to nothing.

        Complexity: as that of `stat`.
        """
        try:
            given: Any = path
            head, _, name = given.rpartition("/")
            directory = self._directories[head]
            node = directory.children.get(name)
            if node is None:
                if is_plain_name(name) and not directory.removed:
                    return False
            elif type(node) is not Symlink:
                return True
        except (KeyError, AttributeError, TypeError):
            pass
        return self._peek(path) is not None

    def is_file(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a regular file."""
        return isinstance(self._peek(path), File)

    def is_dir(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a directory."""
        return isinstance(self._peek(path), Directory)

    def is_symlink(self, path: StrPath) -> bool:
        """Tell whether `path` itself is a symbolic link."""
        return isinstance(self._peek(path, follow=False), Symlink)

    def _peek(self, path: StrPath, *, follow: bool = True) -> Node | None:
        """Return the node that `path` leads to, None where it leads to nothing."""
        try:
            return self._resolve(path, follow=follow)[2]
        except OSError:
            return None
        except ValueError:
            _paths.fspath(path)  # has its say about paths of Windows
            return None

    # Resolution

    def _find(self, path: StrPath, *, follow: bool = True) -> Node:
        """Return the node that `path` leads to.

        Complexity: O(1) where its directory is remembered, else O(components).

        Raises:
            OSError: ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG as the kernel would.
        """
        try:
            given: Any = path
            head, _, name = given.rpartition("/")
            quick = self._directories[head].children[name]
            if not follow or type(quick) is not Symlink:
                return quick
        except (KeyError, AttributeError, TypeError):
            if given.__class__ is str and self._is_surely_missing(given):
                raise os_error(errno.ENOENT, path) from None
        _, _, node, _ = self._resolve(path, follow=follow)
        if node is None:
            raise os_error(errno.ENOENT, path)
        return node

    def _is_surely_missing(self, path: str) -> bool:
        """Tell quickly whether nothing is at `path`; False means that it is to be resolved."""
        head, _, name = path.rpartition("/")
        directory = self._directories.get(head)
        return (
            directory is not None
            and name not in directory.children
            and is_plain_name(name)
            and not directory.removed
        )

    def _find_directory(self, path: StrPath) -> Directory:
        node = self._find(path)
        if type(node) is not Directory:
            if isinstance(node, MountPoint):
                raise CrossingError(self, node, [], True, path)
            del node  # see UnlinkedRecord
            raise os_error(errno.ENOTDIR, path)
        return node

    def _find_file(self, path: StrPath) -> File:
        node = self._find(path)
        if type(node) is not File and not isinstance(node, File):
            raise os_error(errno.EISDIR, path)
        return node

    def _resolve(self, path: StrPath, *, follow: bool) -> Place:
        """Resolve as `stat` does, or `lstat`: a link with a slash behind it is always followed."""
        place = self._walk_path(path, follow=follow, follow_with_slash=True)
        if place[3] and place[2] is not None and not isinstance(place[2], Directory):
            del place  # see UnlinkedRecord
            raise os_error(errno.ENOTDIR, path)
        return place

    def _place(self, path: StrPath) -> Place:
        """Resolve as the calls do that change an entry: the last component is not followed."""
        try:
            given: Any = path
            head, _, name = given.rpartition("/")
            directory = self._directories[head]
            node = directory.children.get(name)
            if node is not None or (is_plain_name(name) and not directory.removed):
                return directory, name, node, False
        except (KeyError, AttributeError, TypeError):
            pass
        return self._walk_path(path, follow=False, follow_with_slash=False)

    def _walk_path(self, path: StrPath, *, follow: bool, follow_with_slash: bool) -> Place:
        """Resolve a path component by component, while none of them moves."""
        text = _paths.as_text(path)
        if not text:
            raise os_error(errno.ENOENT, path)
        if _paths.too_long(text, _paths.PATH_MAX):
            raise os_error(errno.ENAMETOOLONG, path)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            return self._walk_text(text, path, follow, follow_with_slash)
        finally:
            self._unlock()

    def _walk_text(self, text: str, path: StrPath, follow: bool, follow_with_slash: bool) -> Place:
        wants_directory = text.endswith("/")
        follow = follow or (wants_directory and follow_with_slash)
        pending = _components(text)
        given = len(pending)  # so many of them, at the most, are not of a link
        directory: Directory = self._root
        node: Node | None = directory
        name = ""
        links = 0
        plain = True
        while pending:
            name = pending.pop()
            if name == ".":
                node = directory
            elif name == "..":
                plain = False
                if (
                    directory is self._root
                    and len(pending) >= given
                    and self._follow_absolute is not None
                ):
                    self._follow_absolute(name, pending, wants_directory)
                node = directory = directory.parent
            else:
                if _paths.too_long(name, _paths.NAME_MAX):
                    raise os_error(errno.ENAMETOOLONG, path)
                node = directory.children.get(name)
                if type(node) is Symlink and (pending or follow):
                    links += 1
                    if links > _paths.MAX_LINKS:
                        raise os_error(errno.ELOOP, path)
                    target = node.target
                    wants_directory = wants_directory or (not pending and target.endswith("/"))
                    given = min(given, len(pending))
                    if target.startswith("/"):
                        directory = self._root
                        if self._follow_absolute is not None:
                            target = self._follow_absolute(target, pending, wants_directory)
                    pending.extend(_components(target))
                    name, node, plain = "", directory, False
                    continue
                if node is None and pending:
                    raise os_error(errno.ENOENT, path)
            if pending:
                if type(node) is not Directory:
                    if isinstance(node, MountPoint):
                        raise CrossingError(self, node, pending[::-1], wants_directory, path)
                    del node  # see UnlinkedRecord
                    raise os_error(errno.ENOTDIR, path)
                directory = node
        if plain and name and not wants_directory and name != ".":
            self._remember(text.rpartition("/")[0], directory)
        return directory, name, node, wants_directory

    def _path_of(self, directory: Directory) -> str:
        """Return the path of a directory that is in the tree. Complexity: O(entries on the way)."""
        names: list[str] = []
        while directory.parent is not directory:
            above = directory.parent
            names += [name for name, node in above.children.items() if node is directory]
            directory = above
        return "/" + "/".join(reversed(names))

    def _where(self, path: str) -> tuple[Any, str]:
        """Return the file system that a path leads into, and the path there: see `place_of`."""
        return self, path

    def _is_busy(self, node: Node | None) -> bool:
        """Tell whether a file system is attached at a directory, or somewhere below it."""
        return any(is_within(point, node) for point in self._attached)

    def _remember(self, head: str, directory: Directory) -> None:
        if len(head) > _LONGEST_REMEMBERED:
            return
        above = directory
        while not (above.remembered and above.parent is above):
            above.remembered = True  # before it is: an interrupt may come between
            above = above.parent
        if len(self._directories) >= _MOST_REMEMBERED:
            self._directories = shared_dict({"": self._root})
        self._directories[head] = directory


def is_within(directory: Directory, above: Node | None) -> bool:
    """Tell whether `directory` is `above` or lies below it."""
    while directory is not above:
        if directory.parent is directory:
            return False
        directory = directory.parent
    return True


def _components(path: str) -> list[str]:
    """Return the components of `path`, the last first."""
    return [name for name in reversed(path.split("/")) if name]
