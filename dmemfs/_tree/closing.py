"""Closing a tree: all that is in it goes, and no path leads anywhere any more."""

from __future__ import annotations

from typing import Any, NoReturn

from .._nodes.lazy import is_unloaded
from .._nodes.nodes import Directory
from .tree import Tree


class _Closed(Directory):
    """Stands in for the root of a tree that is closed.

    So no operation need ask whether it is.
    """

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":  # whoever looks through all objects asks for it
            return _Closed
        _refuse()


_CLOSED = _Closed()


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ValueError("the file system is closed")


def is_closed(tree: Tree) -> bool:
    """Tell whether a tree is closed."""
    return tree._root is _CLOSED


def require_open(tree: Tree) -> None:
    """Raise ValueError for a tree that is closed."""
    if tree._root is _CLOSED:
        _refuse()


def close_tree(tree: Tree) -> None:
    """Remove all that is in a tree, and let no path lead anywhere any more.

    Files that are open live on, as files without a name do.

    Complexity: O(nodes).
    """
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        if tree._root is not _CLOSED:
            forget_what_is_not_loaded(tree._root)
            _remove_all(tree)
            tree._directories = {}
            tree._root = _CLOSED
            tree._walk_path = _refuse  # type: ignore[method-assign]
    finally:
        tree._unlock()


def forget_what_is_not_loaded(top: Directory) -> None:
    """Let real directories that nobody has looked into be empty: they are about to go."""
    directories = [top]
    for directory in directories:
        if is_unloaded(directory):
            directory.children = {}
        directories += [one for one in directory.children.values() if isinstance(one, Directory)]


def _remove_all(tree: Tree) -> None:
    entries = tree._root.children
    for name in list(entries):
        remove = tree.rmtree if isinstance(entries[name], Directory) else tree.remove
        remove(f"/{name}")
