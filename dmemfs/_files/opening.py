"""From the node of a file to the file object that `open` returns."""

from __future__ import annotations

import io
import sys
from typing import IO, TYPE_CHECKING, Any

from .. import _paths
from .._nodes.nodes import File
from .._paths import StrPath
from .._tree.opened import hold_open
from .modes import (
    OPEN_MODES,
    OpenMode,
    check_buffering,
    check_text_arguments,
    level_of_user,
    mode_error,
)

if TYPE_CHECKING:
    from .._tree.tree import Tree
    from .binary import BinaryFile
    from .locks import LockGrant

_TEXT_CHUNK = 1 << 16


def open_file(
    tree: Tree,
    path: StrPath,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """Open a file of a tree as the builtin `open` does, without any haste."""
    how = mode_of(mode)
    check_text_arguments(how, encoding, errors, newline)
    buffering = check_buffering(how, buffering)
    path = _paths.fspath(path)
    node = node_to_open(tree, path, how)
    return open_node(tree, node, path, mode, buffering, encoding, errors, newline)


def open_node(
    tree: Tree,
    node: File,
    path: str | bytes,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    grant: LockGrant | None = None,
) -> IO[Any]:
    """Return a file object on a node that `node_to_open` returned, by arguments that were checked.

    Args:
        grant: the lock that it holds until it is closed.
    """
    how = mode_of(mode)
    file = how.file_class()
    file._fs = tree
    file._node = node
    file._position = node.size if how.appends else 0
    file._grant = grant
    file._how = how
    file.name = path
    file.closed = False
    return finish(file, node, mode, buffering, encoding, errors, newline)


def mode_of(mode: str) -> OpenMode:
    """Return what a mode asks for, or raise as the builtin `open` does."""
    try:
        return OPEN_MODES[mode]
    except (KeyError, TypeError):
        raise mode_error(mode) from None


def node_to_open(tree: Tree, path: StrPath, how: OpenMode, *, truncate: bool = True) -> File:
    """Return the node to open, made or emptied as `how` asks."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        node = tree._file_to_open(path, create=how.creates, exclusive=how.exclusive)
        if how.truncates and truncate:
            tree._empty(node)
        return node
    finally:
        tree._unlock()


def finish(
    file: BinaryFile,
    node: File,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """Return what `open` returns for a binary file: it, what is below it, or a text file on it."""
    openings = file._fs._account.openings
    if openings is not None:
        try:
            file._grant = hold_open(file._fs, openings, node, file.name, file._grant)
        except BaseException:
            file.close()
            raise
    if buffering == 0:
        return file.detach()  # type: ignore[return-value]
    if buffering > 1:
        file._put_buffer(buffering)
    if not file._how.text:
        return file  # type: ignore[return-value]
    return text_file(file, mode, node.size, buffering, encoding, errors, newline)


def text_file(
    file: Any,
    mode: str,
    size: int,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> io.TextIOWrapper:
    """Return a text file on a binary one that has `size` bytes by now."""
    try:
        if encoding is None and sys.flags.warn_default_encoding:
            encoding = io.text_encoding(None, level_of_user())
        text = io.TextIOWrapper(file, encoding, errors, newline, buffering == 1)
    except BaseException:
        file.close()
        raise
    text.mode = mode  # type: ignore[misc]
    if size > _TEXT_CHUNK and mode in ("r", "rt"):
        # Eight times as much per call as by default: the calls are in Python here. Where it is
        # written too, the size shows in where a write after a read goes.
        text._CHUNK_SIZE = _TEXT_CHUNK  # type: ignore[attr-defined]
    return text
