"""Trees of nested dictionaries: a whole file system written down in one expression, and back."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from .. import _paths
from .._errors import os_error
from .._history.versions import sealed_content
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath
from .._tree.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    from _typeshed import ReadableBuffer


class Link(NamedTuple):
    """Stand for a symbolic link in a tree of nested dictionaries.

    Attributes:
        target: what the link says.
    """

    target: str


Content: TypeAlias = "str | ReadableBuffer | Link | Nested"
"""What there is by a name: a file of text or bytes, a symbolic link, or a directory."""

# All names of a mapping are of one type: `dict[str, str]` is no `Mapping[StrPath, str]`.
_ByText: TypeAlias = "Mapping[str, Content] | Mapping[bytes, Content]"
_ByPath: TypeAlias = "Mapping[Path, Content] | Mapping[PurePosixPath, Content]"
Nested: TypeAlias = "_ByText | _ByPath | Mapping[StrPath, Content]"
"""What is in a directory, by name."""


def plant(fs: Tree, tree: Nested) -> None:
    """Make the files that nested dictionaries describe, in an empty file system."""
    if not isinstance(tree, Mapping):
        raise TypeError(
            f"a tree is a mapping, such as {{'a.txt': 'text', 'dir': {{}}}}, not a "
            f"{type(tree).__name__}"
        )
    pending: list[tuple[str, Nested]] = [("/", tree)]
    for directory, entries in pending:
        for name, value in entries.items():
            if not isinstance(name, str | bytes | os.PathLike):
                raise TypeError(f"a name in {directory!r} is {name!r}: it must be str or a path")
            path = _paths.join(directory, _paths.as_text(name).lstrip("/"))
            if isinstance(value, Mapping):
                fs.makedirs(path, exist_ok=True)
                pending.append((path, value))
            else:
                _plant_leaf(fs, path, value)


def _plant_leaf(fs: Tree, path: str, value: Any) -> None:
    fs._make_above(path, [])
    if isinstance(value, Link):
        fs.symlink(value.target, path)
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
    if fs._peek(path, follow=False) is not None:
        raise os_error(errno.EEXIST, path)
    fs.write_bytes(path, content)


def gather(top: Directory, encoding: str | None) -> dict[str, Any]:
    """Return what is below a directory as nested dictionaries, with the lock held."""
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
