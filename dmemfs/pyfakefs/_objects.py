"""Files, directories and links as objects: what `get_object` and `create_file` return."""

from __future__ import annotations

import errno
import locale
import os
import stat
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from .._errors import os_error
from .._interception.asking import find_path
from .._mount.table import path_of
from .._nodes.nodes import Directory, File, Node, Symlink
from ._memory import FakedMemory

_OF_STATUS = frozenset(
    f"st_{name}"
    for name in (
        *("mode", "ino", "dev", "nlink", "uid", "gid", "size", "atime", "mtime", "ctime"),
        *("atime_ns", "mtime_ns", "ctime_ns", "blocks", "blksize"),
    )
)
_NANO = 1_000_000_000


class FakeLargeFileIoException(OSError):  # noqa: N818
    """What pyfakefs raises for files without content; here they read as zeros."""


class FakeFile:
    """A file, or a link, in a faked file system.

    One that is made by itself lies in a file system of its own until `add_object` or `add_entry`
    adds it to the one of the test.

    Args:
        name: its name, without the directory.
        st_mode: its type and permission bits; a regular file if no type is given.
        contents: what is in it, as text or bytes; of a link its target.
        filesystem: the faked file system for which it is meant.
        encoding: of text; the locale's by default.
        errors: how errors of the encoding are handled.
        side_effect: called with this object after each write.

    Attributes:
        encoding, errors: as given.
        st_mode, st_size and the like: as `os.stat` has them of the object itself; those of modes,
            owners and times can be set.
    """

    filesystem: Any
    encoding: str | None
    errors: str
    _side_effect: Callable[[FakeFile], object] | None

    def __init__(
        self,
        name: str,
        st_mode: int = stat.S_IFREG | 0o666,
        contents: str | bytes | None = None,
        filesystem: Any = None,
        encoding: str | None = None,
        errors: str | None = None,
        side_effect: Callable[[FakeFile], object] | None = None,
        open_modes: object = None,
    ) -> None:
        if filesystem is None:
            raise ValueError("filesystem must be the FakeFilesystem for which the file is meant")
        del open_modes  # pyfakefs's own
        memory = FakedMemory()
        path = f"/{os.fsdecode(name)}"
        if stat.S_ISDIR(st_mode):
            memory.mkdir(path)
        elif stat.S_ISLNK(st_mode):
            memory.symlink(os.fsdecode(contents or ""), path)
        else:
            memory.write_bytes(path, as_bytes(contents or "", encoding, errors))
        if not stat.S_ISLNK(st_mode):
            memory.chmod(path, stat.S_IMODE(st_mode))
        self._bind(filesystem, memory, memory._find(path, follow=False))
        self.encoding, self.errors = encoding, errors or "strict"
        self._side_effect = side_effect

    def _bind(self, filesystem: Any, memory: FakedMemory, node: Node) -> None:
        """Be the object of a node."""
        self.filesystem = filesystem
        self._memory = memory
        self._node = node
        self.encoding, self.errors = None, "strict"
        self._side_effect = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"

    def __str__(self) -> str:
        return f"{self.name!r}({self.st_mode:o})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeFile) and other._node is self._node

    def __hash__(self) -> int:
        return hash(self._node)

    @property
    def name(self) -> str:
        """Its name; `/` for the root."""
        return os.path.basename(self.path) or "/"

    @name.setter
    def name(self, name: str) -> None:
        path = self.path
        self._memory.rename(path, os.path.join(os.path.dirname(path), name))

    @property
    def path(self) -> str:
        """The path at which it is, or was when it was removed."""
        if isinstance(self._node, Directory):
            try:
                return path_of(self._memory, self._node)
            except FileNotFoundError:
                return "/"
        return find_path(self._memory, self._node)

    @property
    def parent_dir(self) -> Any:
        """A callable that gives the directory in which it is."""
        parent = self.filesystem.get_object(os.path.dirname(self.path) or "/")
        return lambda: parent

    @property
    def stat_result(self) -> os.stat_result:
        """What `os.lstat` says of it."""
        return self._memory._status(self._node)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_STATUS:
            return getattr(self.stat_result, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _OF_STATUS:
            object.__setattr__(self, name, value)
            return
        memory, node = self._memory, self._node
        status = self.stat_result
        if name == "st_mode":
            memory._set_mode(node, stat.S_IMODE(value))
        elif name in ("st_uid", "st_gid"):
            owner = (value, status.st_gid) if name == "st_uid" else (status.st_uid, value)
            memory._set_owner(node, *owner)
        elif name in ("st_atime", "st_atime_ns"):
            memory._set_times(node, _nanoseconds(name, value), status.st_mtime_ns)
        elif name in ("st_mtime", "st_mtime_ns"):
            memory._set_times(node, status.st_atime_ns, _nanoseconds(name, value))
        elif name in ("st_ctime", "st_ctime_ns"):
            node.ctime = _nanoseconds(name, value)
        elif name == "st_size":
            self.size = value
        else:
            raise AttributeError(f"{name} is what the file system says, and cannot be set")

    @property
    def byte_contents(self) -> bytes | None:
        """What is in it; of a link its target; None for a directory."""
        if isinstance(self._node, Symlink):
            return os.fsencode(self._node.target)
        return self._memory.read_whole(self._node) if isinstance(self._node, File) else None

    @property
    def contents(self) -> Any:
        """The same as text; of a directory its entries."""
        data = self.byte_contents
        return None if data is None else data.decode(_real_encoding(self.encoding), self.errors)

    def set_contents(self, contents: str | bytes, encoding: str | None = None) -> bool:
        """Replace what is in it, and call its side effect.

        Args:
            contents: text or bytes.
            encoding: of text, from now on.

        Returns:
            Whether it is something else than before.
        """
        self.encoding = encoding
        changed = self.set_initial_contents(contents)
        self.call_side_effect()
        return changed

    def call_side_effect(self) -> None:
        """Call what was given to be called after each write."""
        if self._side_effect is not None:
            self._side_effect(self)

    def set_initial_contents(self, contents: str | bytes) -> bool:
        """Replace what is in it; see `set_contents`."""
        if not isinstance(self._node, File):
            raise os_error(errno.EISDIR, self.path)
        data = as_bytes(contents, self.encoding, self.errors)
        changed = len(data) != self.size or data != self.byte_contents
        self._memory.replace_whole(self._node, data, self.path)
        return changed

    @property
    def size(self) -> int:
        """How many bytes are in it; of a directory, in all files below."""
        return int(self.stat_result.st_size)

    @size.setter
    def size(self, size: int) -> None:
        if not isinstance(self._node, File):
            raise os_error(errno.EISDIR, self.path)
        if size < 0:
            raise os_error(errno.ENOSPC, self.name)
        self._memory._truncate(self._node, size, self.path)

    def set_large_file_size(self, st_size: int) -> None:
        """Let it have a size and no content: zeros, which take no memory."""
        if not isinstance(st_size, int) or st_size < 0:
            raise os_error(errno.ENOSPC, self.name)
        self._memory.show_size(self._node, st_size, self.path)

    def is_large_file(self) -> bool:
        """Tell whether it has a size and no content."""
        return self._node in self._memory.large

    def has_permission(self, permission_bits: int) -> bool:
        """Tell whether its mode gives whoever acts the permissions of these bits of an owner."""
        return self._memory.permissions.gives(self._node, permission_bits >> 6)

    @property
    def is_junction(self) -> bool:
        """False: Windows has them."""
        return False


class FakeDirectory(FakeFile):
    """A directory in a faked file system; see `FakeFile`."""

    def __init__(self, name: str, perm_bits: int = 0o777, filesystem: Any = None) -> None:
        super().__init__(name, stat.S_IFDIR | perm_bits, filesystem=filesystem)

    def __str__(self) -> str:
        lines = [f"{super().__str__()}:\n"]
        for entry in self.entries.values():
            lines += [f"  {line}\n" for line in str(entry).split("\n") if line]
        return "".join(lines)

    @property
    def entries(self) -> MutableMapping[str, FakeFile]:
        """Its entries by their names."""
        return Entries(self)

    @property
    def contents(self) -> Any:
        """Its entries by their names."""
        return self.entries

    @property
    def ordered_dirs(self) -> list[str]:
        """The names of its entries in the order in which they were made."""
        return list(self.entries)

    def set_contents(self, contents: str | bytes, encoding: str | None = None) -> bool:
        """Raise OSError (EISDIR)."""
        raise os_error(errno.EISDIR, self.path)

    @property
    def size(self) -> int:
        """How many bytes are in all files below."""
        return sum(entry.size for entry in self.entries.values())

    @size.setter
    def size(self, size: int) -> None:
        raise os_error(errno.EISDIR, self.path)

    def get_entry(self, pathname_name: str) -> FakeFile:
        """Return what has a name here.

        Raises:
            KeyError: nothing has.
        """
        return self.entries[os.fsdecode(pathname_name)]

    def add_entry(self, path_object: FakeFile) -> None:
        """Put an object here, by its own name.

        Raises:
            FileExistsError: something has that name.
        """
        memory = self._memory
        if not memory.permissions.gives(self._node, os.W_OK):
            raise os_error(errno.EACCES, self.path)
        if path_object.name in self.entries:
            raise os_error(errno.EEXIST, self.path)
        path = os.path.join(self.path, path_object.name)
        source = path_object.path
        with memory.permissions.suspended():
            if path_object._memory is memory:
                memory.link(source, path)
                return
            memory.take_over(path_object._memory, source, path)
        path_object._memory, path_object._node = memory, memory._find(path, follow=False)
        self.filesystem._remember(path_object)
        self.filesystem._show(path)

    def remove_entry(self, pathname_name: str, recursive: bool = True) -> None:
        """Remove what has a name here, with all below.

        Raises:
            KeyError: nothing has.
            PermissionError: modes forbid it.
        """
        entry = self.get_entry(pathname_name)
        if not self._memory.permissions.gives(self._node, os.W_OK | os.X_OK):
            raise os_error(errno.EACCES, pathname_name)
        path = os.path.join(self.path, os.fsdecode(pathname_name))
        if isinstance(entry, FakeDirectory) and recursive:
            for name in list(entry.entries):
                entry.remove_entry(name)
        with self._memory.permissions.suspended():
            if isinstance(entry, FakeDirectory):
                self._memory.rmdir(path)
            else:
                self._memory.remove(path)

    def has_parent_object(self, dir_object: FakeDirectory) -> bool:
        """Tell whether this is a directory or is somewhere below it."""
        node: Any = self._node
        while node is not dir_object._node and node.parent is not node:
            node = node.parent
        return node is dir_object._node


class Entries(MutableMapping[str, FakeFile]):
    """The entries of a directory, as they are whenever somebody looks."""

    def __init__(self, directory: FakeDirectory) -> None:
        self._directory = directory

    @property
    def _children(self) -> dict[str, Node]:
        node: Any = self._directory._node
        children: dict[str, Node] = node.children
        return children

    def __getitem__(self, name: str) -> FakeFile:
        filesystem = self._directory.filesystem
        found: FakeFile = filesystem._object_of(self._children[name], self._directory._memory)
        return found

    def __setitem__(self, name: str, entry: FakeFile) -> None:
        self._directory.add_entry(entry)

    def __delitem__(self, name: str) -> None:
        self._directory.remove_entry(name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._children))

    def __len__(self) -> int:
        return len(self._children)

    def __repr__(self) -> str:
        return repr(dict(self))


def as_bytes(contents: Any, encoding: str | None, errors: str | None) -> bytes:
    """Return contents given as text or bytes in bytes."""
    if isinstance(contents, str):
        return contents.encode(_real_encoding(encoding), errors or "strict")
    return bytes(contents)


def _real_encoding(encoding: str | None) -> str:
    return encoding if encoding and encoding != "locale" else locale.getpreferredencoding(False)


def _nanoseconds(name: str, value: float) -> int:
    return int(value) if name.endswith("_ns") else round(value * _NANO)
