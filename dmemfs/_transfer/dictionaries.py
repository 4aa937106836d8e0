"""Trees of nested dictionaries: a whole file system written down in one expression, and back."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeAlias

from .. import _paths
from .._errors import os_error
from .._history.history import sealed_content
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath
from .methods import Moving


class Link(NamedTuple):
    """Stand for a symbolic link in a tree of nested dictionaries.

    Attributes:
        target: what the link says.
    """

    target: str


Tree: TypeAlias = Mapping[Any, Any]
"""What is in a directory, by name: str, bytes, a `Link`, or a directory as another such mapping."""


class Trees(Moving):
    """Makes file systems of nested dictionaries, and such dictionaries of file systems."""

    @classmethod
    def from_tree(cls, tree: Tree, **options: Any) -> Self:
        """Return a new file system with the files that nested dictionaries describe.

        Args:
            tree: what is in the root directory, by name. `str` is the content of a text file in
                UTF-8, its line ends as they are; `bytes` and other bytes-like objects are that of
                any file; a mapping is a directory; a `Link` is a symbolic link. A name with slashes
                makes the directories between, so `{"a": {"b": "x"}}` is `{"a/b": "x"}`.
            options: further arguments of the constructor, such as `max_quota`.

        Raises:
            FileExistsError: two names lead to the same place.
            NotADirectoryError: a name leads through a file.
            QuotaExceededError: it does not fit.
            TypeError: something in the tree is none of these.

        Complexity: O(nodes and bytes).
        """
        fs = cls(**options)
        fs._plant(tree)
        return fs

    def to_tree(self, path: StrPath = "/", *, encoding: str | None = "utf-8") -> dict[str, Any]:
        """Return what is below a directory as nested dictionaries, all as of one moment.

        `from_tree` makes the same files of it. Modes, times and owners are not part of it, and each
        name of a file with several stands for a file of its own.

        Args:
            path: the directory.
            encoding: content that is text in this encoding becomes `str`, all other `bytes`. None
                leaves all of it as bytes.

        Returns:
            Dictionaries of `str`, `bytes`, `Link` and further dictionaries by name, in the order of
            `listdir`.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.

        Complexity: O(nodes and bytes).
        """
        with self._lock:
            return self._gather(self._find_directory(path), encoding)

    def _plant(self, tree: Tree) -> None:
        pending: list[tuple[str, Tree]] = [("/", tree)]
        for directory, entries in pending:
            for name, value in entries.items():
                path = _paths.join(directory, _paths.as_text(name).lstrip("/"))
                if isinstance(value, Mapping):
                    self.makedirs(path, exist_ok=True)
                    pending.append((path, value))
                else:
                    self._plant_leaf(path, value)

    def _plant_leaf(self, path: str, value: Any) -> None:
        self._make_above(path, [])
        if isinstance(value, Link):
            self.symlink(value.target, path)
            return
        if isinstance(value, str):
            content = value.encode("utf-8")
        else:
            try:
                content = bytes(memoryview(value))
            except TypeError:
                raise TypeError(
                    f"{path!r} is a {type(value).__name__}: a tree holds str or bytes for files, "
                    "mappings for directories and dmemfs.Link for symbolic links"
                ) from None
        if self._peek(path, follow=False) is not None:
            raise os_error(errno.EEXIST, path)
        self.write_bytes(path, content)

    def _gather(self, top: Directory, encoding: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        pending = [(top, found)]
        while pending:
            directory, entries = pending.pop()
            for name, node in directory.children.items():
                if isinstance(node, Directory):
                    below: dict[str, Any] = {}
                    entries[name] = below
                    pending.append((node, below))
                else:
                    entries[name] = _leaf_of(node, encoding)
        return found


def _leaf_of(node: Node, encoding: str | None) -> Any:
    if isinstance(node, Symlink):
        return Link(node.target)
    assert isinstance(node, File)
    content = sealed_content(node)
    data = content if isinstance(content, bytes) else content.read(0, node.size)
    if encoding is None:
        return data
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data
