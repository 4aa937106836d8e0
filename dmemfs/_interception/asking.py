"""Asking before operations whether they may be done: for injected faults and read-only directories.

A file system that nobody intercepts has nothing of this in its way: while somebody does, its class
is another one, derived from its own, in which just the methods of the operations in question ask
first.
"""

from __future__ import annotations

import posixpath
import weakref
from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from time import sleep
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from .. import _paths
from .._errors import os_error
from .._files import binary
from .._files.modes import OPEN_MODES
from .._nodes.content import content_size
from .._nodes.nodes import Directory, File, Node
from .._paths import StrPath
from .._tree.cursors import Cursor
from .._tree.tree import Tree
from .crossing import crossing_class

_Method = Callable[..., Any]


class Request(NamedTuple):
    """What is about to be done.

    Attributes:
        operation: one of `OPERATIONS`.
        paths: what it is to be done to, as given; of a file object, its name; none of a
            descriptor.
        node: the file, of an operation of a file object or a descriptor.
        changes: whether it would change anything.
        span: of a read or write, where it begins and ends in the file, as far as is known.
        may_be_short: whether it may be done with fewer bytes.
    """

    operation: str
    paths: tuple[Any, ...]
    node: Node | None
    changes: bool
    span: tuple[int, int] | None = None
    may_be_short: bool = False

    def places(self) -> tuple[Any, ...]:
        """Return the paths, None for the one that a descriptor may have."""
        return self.paths or (None,)

    def error(self, code: int) -> OSError:
        """Return the error that the system would give, naming the paths as they were given."""
        return os_error(code, *self.paths)


class Effect(NamedTuple):
    """What becomes of an operation.

    Attributes:
        error: what is to be raised instead of doing it.
        delay: seconds to wait before.
        most: how many bytes may be read or written at once; None for all.
    """

    error: BaseException | None = None
    delay: float = 0
    most: int | None = None


class Interceptor(Protocol):
    """Who is asked.

    Attributes:
        operations: before which operations.
    """

    operations: frozenset[str]

    def obstacle(self, request: Request) -> BaseException | Effect | None:
        """Return what to raise instead of doing something, or what else becomes of it.

        None lets it be done.

        Called with the lock held.
        """
        ...


def intercept(tree: Tree, interceptors: Iterable[Interceptor]) -> None:
    """Let these and nobody else be asked from now on, with the lock held; tell the observers."""
    tree._interceptors = tuple(interceptors)
    tree.__class__ = class_of(tree, is_crossed=bool(tree._attached))
    operations = _operations_of(tree)
    (_read_by_asking.add if "read" in operations else _read_by_asking.discard)(tree)
    binary.read_through_file_system(bool(_read_by_asking))
    for observer in list(tree._interception_observers):
        observer()


def class_of(tree: Tree, *, is_crossed: bool) -> Any:
    """Return the class that a tree is to have.

    Args:
        tree: the tree, with those who are asked.
        is_crossed: whether other file systems are attached.
    """
    operations = _operations_of(tree)
    chosen: Any = tree._plain_class or type(tree)
    if operations:
        chosen = _asking_class(chosen, operations)
    return crossing_class(chosen) if is_crossed else chosen


def _operations_of(tree: Tree) -> frozenset[str]:
    return frozenset[str]().union(*(one.operations for one in tree._interceptors))


def remove_interceptors(tree: Tree) -> None:
    """Let nobody be asked any more."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        intercept(tree, ())
    finally:
        tree._unlock()


def ask(
    tree: Tree,
    operation: str,
    *paths: Any,
    node: Node | None = None,
    changes: bool | None = None,
    span: tuple[int, int] | None = None,
    may_be_short: bool = False,
) -> int | None:
    """Raise what somebody has against an operation; see `Tree._ask`.

    Returns:
        How many bytes may be read or written at once; None for all.
    """
    if changes is None:
        changes = operation not in _QUESTIONS
    request = Request(operation, paths, node, changes, span, may_be_short)
    effect = _NONE
    try:
        try:
            if not tree._try_lock(False):
                tree._wait_for_lock()
            effect = _effect_on(tree, request)
        finally:
            tree._unlock()
        if effect.delay:
            sleep(effect.delay)
        if effect.error is not None:
            raise effect.error
        return effect.most
    finally:
        del request, paths, node, effect  # see UnlinkedRecord


_NONE = Effect()


def _effect_on(tree: Tree, request: Request) -> Effect:
    delay, most = 0.0, None
    for interceptor in tree._interceptors:
        if request.operation in interceptor.operations:
            found = interceptor.obstacle(request)
            effect = found if isinstance(found, Effect) else Effect(found)
            delay += effect.delay
            if effect.error is not None:
                return Effect(effect.error, delay)
            if effect.most is not None:
                most = effect.most if most is None else min(most, effect.most)
    return Effect(None, delay, most) if delay or most is not None else _NONE


def path_asked_for(tree: Tree, path: Any, node: Node | None) -> str | None:
    """Return the path in this file system of what an operation is about, None for a wrong one.

    That of a file that was opened by another path, in a mount or before a rename, is found by
    a look through the tree.
    """
    try:
        text = posixpath.normpath("/" + _paths.as_text(path).lstrip("/"))
    except (TypeError, ValueError):
        return None if node is None else find_path(tree, node)
    if node is None or tree._peek(text) is node:
        return text
    return find_path(tree, node) or text


def find_path(tree: Tree, node: Node) -> str:
    """Return a path of a node, the last known one of a file without a name.

    Complexity: O(nodes), unless the path that was found before is still right.
    """
    if node is tree._root:
        return "/"
    known = tree._paths_found.get(node, "") if isinstance(node, File) else ""
    if known and tree._peek(known, follow=False) is node:
        return known
    pending: list[tuple[str, Directory]] = [("/", tree._root)]
    while pending:
        base, directory = pending.pop()
        for name, child in directory.children.items():
            path = _paths.join(base, name)
            if child is node:
                if isinstance(child, File):
                    tree._paths_found[child] = path
                return path
            if isinstance(child, Directory):
                pending.append((path, child))
    return known


_read_by_asking: weakref.WeakSet[Tree] = weakref.WeakSet()
"""The file systems in which somebody is asked before each read."""

_QUESTIONS = {"listdir", "read", "readlink", "stat"}

_METHODS_OF_ONE_PATH = {
    "_directory_to_list": "listdir",  # of listdir, scandir and walk
    "chmod": "chmod",
    "chown": "chown",
    "get_size": "stat",
    "readlink": "readlink",
    "remove": "remove",
    "rmdir": "rmdir",
    "rmtree": "rmtree",
    "stat": "stat",
    "unlink": "remove",
    "utime": "utime",
}
_METHODS_OF_TWO_PATHS = {
    "link": "link",
    "rename": "rename",
    "replace": "rename",
}


@lru_cache(maxsize=64)
def _asking_class(plain: Any, operations: frozenset[str]) -> Any:
    """Return a class derived from `plain` whose methods ask before these operations.

    They call the methods of `plain` by its name, not by `super()`: a method may have been handed
    out, or be under way, when the file system is of its plain class again.
    """
    members: dict[str, Any] = {
        "__doc__": plain.__doc__,
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__slots__": (),
        "_ask": ask,
        "_plain_class": plain,
    }
    for name, operation in _METHODS_OF_ONE_PATH.items():
        if operation in operations:
            members[name] = _asks_for_path(getattr(plain, name), operation)
    for name, operation in _METHODS_OF_TWO_PATHS.items():
        if operation in operations:
            members[name] = _asks_for_paths(getattr(plain, name), operation)
    for name, (derive, of_operations) in _OTHER_METHODS.items():
        if operations & of_operations:
            members[name] = wraps(getattr(plain, name))(derive(getattr(plain, name)))
    return type(plain.__name__, (plain,), members)


def _asks_for_path(method: _Method, operation: str) -> _Method:
    @wraps(method)
    def asking(self: Tree, path: StrPath, *arguments: Any, **named: Any) -> Any:
        ask(self, operation, path)
        return method(self, path, *arguments, **named)

    return asking


def _asks_for_paths(method: _Method, operation: str) -> _Method:
    @wraps(method)
    def asking(self: Tree, src: StrPath, dst: StrPath) -> Any:
        ask(self, operation, src, dst)
        return method(self, src, dst)

    return asking


# The methods that are not as simple.


def _asking_open(method: _Method) -> _Method:
    def asking(self: Tree, path: StrPath, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if mode in OPEN_MODES:  # else it is wrong, and that is the error to raise
            ask(self, "open", path, changes=bool(set(mode) & set("wax+")))
        return method(self, path, mode, *arguments, **named)

    return asking


def _asking_read_bytes(method: _Method) -> _Method:
    def asking(self: Tree, path: StrPath) -> Any:
        ask(self, "open", path, changes=False)
        return method(self, path)

    return asking


def _asking_copy(method: _Method) -> _Method:
    def asking(self: Tree, src: StrPath, dst: StrPath, *, to: Any = None) -> Any:
        ask(self, "open", src, changes=False)
        ask(self, "read", src)
        return method(self, src, dst, to=to)

    return asking


def _asking_copy_tree(method: _Method) -> _Method:
    def asking(self: Tree, src: StrPath, dst: StrPath, *, to: Any = None) -> Any:
        if to is None or to is self:
            ask(self, "copy_tree", src, dst)
        else:
            ask(self, "copy_tree", src, changes=False)
        return method(self, src, dst, to=to)

    return asking


def _asking_incoming_tree(method: _Method) -> _Method:
    def asking(self: Tree, dst: StrPath, *arguments: Any) -> Any:
        ask(self, "copy_tree", dst)
        return method(self, dst, *arguments)

    return asking


def _asking_put(method: _Method) -> _Method:
    def asking(self: Tree, path: StrPath, content: Any, *arguments: Any, **named: Any) -> None:
        ask(self, "open", path, changes=True)
        ask(self, "write", path, span=(0, content_size(content)[0]))
        method(self, path, content, *arguments, **named)

    return asking


def _asking_mkdir(method: _Method) -> _Method:
    def asking(
        self: Tree,
        path: StrPath,
        mode: int = 0o777,
        *,
        parents: bool = False,
        exist_ok: bool = False,
    ) -> None:
        if not parents:  # else each directory comes here by itself
            ask(self, "mkdir", path)
        method(self, path, mode, parents=parents, exist_ok=exist_ok)

    return asking


def _asking_symlink(method: _Method) -> _Method:
    def asking(self: Tree, src: StrPath, dst: StrPath, *arguments: Any, **named: Any) -> None:
        ask(self, "symlink", dst)
        method(self, src, dst, *arguments, **named)

    return asking


def _asking_read(method: _Method) -> _Method:
    def asking(self: Tree, cursor: Cursor, target: Any) -> Any:
        try:
            wanted = target if isinstance(target, int) else len(target)
            most = _ask_for_cursor(self, "read", cursor, wanted)
            if most is not None and wanted > most:
                target = most if isinstance(target, int) else target[:most]
        except BaseException:
            del cursor  # see UnlinkedRecord
            raise
        return method(self, cursor, target)

    return asking


def _asking_read_page(method: _Method) -> _Method:
    def asking(self: Tree, node: File, position: int, count: int, *arguments: Any) -> Any:
        try:
            ask(self, "read", node=node, span=(position, position + count))
        except BaseException:
            del node  # see UnlinkedRecord
            raise
        return method(self, node, position, count, *arguments)

    return asking


def _asking_write(method: _Method) -> _Method:
    def asking(self: Tree, cursor: Cursor, data: Any, count: int, at_end: bool = False) -> Any:
        most = _ask_for_cursor(self, "write", cursor, count, at_end)
        if most is not None and count > most:
            data, count = data[:most], most
        return method(self, cursor, data, count, at_end)

    return asking


def _asking_write_page(_method: _Method) -> _Method:
    def asking(
        self: Tree, cursor: Cursor, position: int, count: int, memory: Any, start: int
    ) -> Any:
        cursor._position = position
        return self._write(cursor, memory[start : start + count], count)  # which asks

    return asking


def _asking_truncate(method: _Method) -> _Method:
    def asking(self: Tree, node: File, size: int, path: Any) -> None:
        try:
            ask(self, "truncate", path, node=node)
        except BaseException:
            del node  # see UnlinkedRecord
            raise
        method(self, node, size, path)

    return asking


def _ask_for_cursor(
    fs: Tree, operation: str, cursor: Cursor, count: int, at_end: bool = False
) -> int | None:
    """Ask before a file object or descriptor reads or writes so many bytes, all if negative.

    Returns:
        How many it may at once, if it is one that may read or write fewer than it was asked to.
    """
    node = cursor._node
    try:
        if not isinstance(node, File):
            return None  # the file object is closed, and that is the error to raise
        begin = node.size if at_end else cursor._position
        end = begin + count if count >= 0 else max(begin, node.size)
        may_be_short = count >= 0 and not isinstance(cursor, binary.BinaryFile)
        span = (begin, end)
        most = ask(fs, operation, cursor.name, node=node, span=span, may_be_short=may_be_short)
        return most if may_be_short else None
    finally:
        del cursor, node  # see UnlinkedRecord


_OTHER_METHODS: dict[str, tuple[Callable[[_Method], _Method], frozenset[str]]] = {
    "_put": (_asking_put, frozenset(("open", "write"))),
    "_read": (_asking_read, frozenset(("read",))),
    "_read_page": (_asking_read_page, frozenset(("read",))),
    "_read_into": (_asking_read, frozenset(("read",))),
    "_truncate": (_asking_truncate, frozenset(("truncate",))),
    "_write": (_asking_write, frozenset(("write",))),
    "_write_page": (_asking_write_page, frozenset(("write",))),
    "copy": (_asking_copy, frozenset(("open", "read"))),
    "_require_room_for_tree": (_asking_incoming_tree, frozenset(("copy_tree",))),
    "copy_tree": (_asking_copy_tree, frozenset(("copy_tree",))),
    "mkdir": (_asking_mkdir, frozenset(("mkdir",))),
    "open": (_asking_open, frozenset(("open",))),
    "read_bytes": (_asking_read_bytes, frozenset(("open",))),
    "symlink": (_asking_symlink, frozenset(("symlink",))),
}

OPERATIONS = frozenset(_METHODS_OF_ONE_PATH.values()).union(
    _METHODS_OF_TWO_PATHS.values(), *(operations for _, operations in _OTHER_METHODS.values())
)
"""The names of all operations before which somebody can be asked."""

Operation: TypeAlias = Literal[
    "open", "read", "write", "truncate", "mkdir", "rmdir", "rmtree", "remove", "rename", "link",
    "symlink", "readlink", "stat", "listdir", "chmod", "chown", "utime", "copy_tree",
]  # fmt: skip
"""The same for type checkers, which a test compares with it."""
