"""Trees without directories: the content of each regular file by its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import _paths
from .._arguments import bytes_of
from .._history.versions import shared_content
from .._nodes.content import BlockList
from .._nodes.nodes import Directory, File, MountPoint, Node
from .._paths import StrPath
from .._tree.renaming import Made
from .._tree.tree import Tree


def each_file(tree: Tree, prefix: StrPath) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each regular file; see `MemoryFileSystem.iter_export_tree`."""
    top = _paths.as_text(prefix)
    if isinstance(tree._find(prefix), File):
        yield top, tree.read_bytes(top)
        return
    for directory, below, names in tree.walk(top):
        if tree._attached:  # which is another file system, under another lock
            below[:] = [name for name in below if not _is_point(tree, directory, name)]
        for name in names:
            path = _paths.join(directory, name)
            try:
                node = tree._find(path, follow=False)
                if isinstance(node, File):
                    yield path, tree.read_bytes(path)
            except FileNotFoundError:
                continue


def _is_point(tree: Tree, directory: str, name: str) -> bool:
    return isinstance(tree._peek(_paths.join(directory, name), follow=False), MountPoint)


def put_files(tree: Tree, files: Mapping[Any, bytes]) -> None:
    """Make or replace many files at once: all of them, or none.

    Args:
        tree: where.
        files: the content by path.
    """
    if not isinstance(files, Mapping):
        raise TypeError(
            "tree must be a mapping from paths to bytes, or a directory of the disk, not "
            f"{type(files).__name__}"
        )
    contents = {_paths.as_text(path): bytes_of(data, path) for path, data in files.items()}
    undo: list[Callable[[], object]] = []
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        try:
            _put_all(tree, contents, undo)
        except BaseException:
            _do_backwards(undo)
            raise
    finally:
        tree._unlock()


def _put_all(tree: Tree, contents: Mapping[str, bytes], undo: list[Callable[[], object]]) -> None:
    for path, data in contents.items():
        _put_one(tree, path, data, undo)


def _put_one(tree: Tree, path: str, data: bytes, undo: list[Callable[[], object]]) -> None:
    """Put one file into the tree; before each step, add to `undo` what takes it back."""
    made: list[Made] = []
    undo.append(partial(tree._unmake, made))
    tree._make_above(path, made)
    undo.append(_undo_of_put(tree, path))
    tree._put(path, data)


def _undo_of_put(tree: Tree, path: str) -> Callable[[], object]:
    directory, name, node, _ = tree._walk_path(path, follow=True, follow_with_slash=True)
    times = (directory.mtime, directory.ctime)
    if isinstance(node, File):
        content = shared_content(node)
        return partial(_restore, tree, node, content, node.mtime, node.ctime)
    return partial(_remove_if_made, tree, directory, name, node, *times)


def _remove_if_made(
    tree: Tree, directory: Directory, name: str, before: Node | None, mtime: int, ctime: int
) -> None:
    node = directory.children.get(name)
    if node is not None and before is None:
        tree._drop(directory, name, node)
    directory.mtime, directory.ctime = mtime, ctime


def _restore(tree: Tree, node: File, content: bytes | BlockList, mtime: int, ctime: int) -> None:
    tree._replace_content(node, content)
    node.mtime, node.ctime = mtime, ctime


def _do_backwards(steps: list[Callable[[], object]]) -> None:
    while steps:
        steps.pop()()
