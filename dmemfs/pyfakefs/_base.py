"""What every part of a faked file system uses: its memory, its paths, its objects."""

from __future__ import annotations

import os
import posixpath
import weakref
from typing import Any

from .._nodes.nodes import Directory, Node
from .._paths import StrPath
from ._memory import FakedMemory, FakedMount
from ._objects import FakeDirectory, FakeFile


class Base:
    """A file system in memory, mounted in the place of the disk or not.

    Attributes:
        memory: the file system itself.
    """

    def __init__(self) -> None:
        self._mount: FakedMount | None = None
        self._real_cwd = "/"

    def _set_up(self) -> None:
        """Begin with nothing but the root."""
        self.memory: FakedMemory = FakedMemory()
        self._cwd = "/"
        self._objects: weakref.WeakValueDictionary[int, FakeFile] = weakref.WeakValueDictionary()
        self._remembered: dict[Node, FakeFile] = {}
        with self.memory.permissions.suspended():
            self.memory.chmod("/", 0o777)

    @property
    def _is_mounted(self) -> bool:
        return self._mount is not None and self._mount._session is not None

    def _text(self, path: StrPath) -> str:
        """Return a path as text from the root on, without `..` and the like."""
        text = os.fsdecode(path)
        joined = text if text[:1] == "/" else posixpath.join(self.cwd, text)
        plain = posixpath.normpath(joined)
        return plain[1:] if plain.startswith("//") else plain

    def _as_given(self, path: StrPath) -> str:
        """Return a path as text from the root on, as it is otherwise: `..` is for the kernel."""
        text = os.fsdecode(path)
        return text if text[:1] == "/" or not text else posixpath.join(self.cwd, text)

    @property
    def cwd(self) -> str:
        """The working directory."""
        if not self._is_mounted:
            return self._cwd
        try:
            return os.getcwd()
        except FileNotFoundError:  # it was removed
            return self._cwd

    @cwd.setter
    def cwd(self, path: str) -> None:
        target = self._text(path)
        with self.memory.permissions.suspended():
            if not self.memory.exists(target):
                self.memory.makedirs(target)
            if self._is_mounted:
                os.chdir(target)
        self._cwd = target

    def _object_of(self, node: Node, memory: FakedMemory | None = None) -> FakeFile:
        """Return the object of a node: one, as long as anybody has it."""
        found = self._objects.get(id(node))
        if found is None or found._node is not node:
            kind: Any = FakeDirectory if isinstance(node, Directory) else FakeFile
            found = kind.__new__(kind)
            found._bind(self, memory or self.memory, node)
            self._objects[id(node)] = found
        return found

    def _remember(self, found: FakeFile) -> None:
        """Keep an object as the one of its node, with its encoding and its side effect."""
        self._objects[id(found._node)] = found
        if found._side_effect is not None or found.encoding is not None:
            self._remembered[found._node] = found
        if found._side_effect is not None:
            self.memory.written[found._node] = found.call_side_effect

    def _show(self, path: str) -> None:
        """Let what was made be seen in the mount."""
        if self._mount is not None:
            self._mount.keep(path)
