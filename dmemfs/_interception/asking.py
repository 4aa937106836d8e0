"""Asking before operations whether they may be done: for injected faults and read-only directories.

A file system that nobody intercepts has nothing of this in its way: while somebody does, its class
is another one, derived from its own, in which just the methods of the operations in question ask
first.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import Any, ClassVar, NamedTuple, Protocol

from .._errors import os_error
from .._files import binary
from .._files.modes import OPEN_MODES
from .._nodes.nodes import File, Node
from .._paths import StrPath
from .._transfer.dictionaries import Trees
from .._tree.storage import Cursor

_Method = Callable[..., Any]


class Request(NamedTuple):
    """What is about to be done.

    Attributes:
        operation: one of `OPERATIONS`.
        paths: what it is to be done to, as given; of a file object, its name; of a descriptor in a
            mount, the node.
        node: the file, of an operation of a file object.
        changes: whether it would change anything.
    """

    operation: str
    paths: tuple[Any, ...]
    node: File | None
    changes: bool

    def error(self, code: int) -> OSError:
        """Return the error that the system would give, naming the paths as they were given."""
        return os_error(code, *(path for path in self.paths if not isinstance(path, Node)))


class Interceptor(Protocol):
    """Who is asked.

    Attributes:
        operations: before which operations.
    """

    operations: frozenset[str]

    def obstacle(self, request: Request) -> BaseException | None:
        """Return what to raise instead of doing something, None to let it be done.

        Called with the lock held.
        """
        ...


class Interception(Trees):
    """Lets interceptors be asked before operations.

    Attributes:
        _interceptors: who is asked, in this order.
        _plain_class: the class without interception, if this is one with it.
    """

    _interceptors: tuple[Interceptor, ...] = ()
    _plain_class: ClassVar[Any] = None

    def _intercept(self, interceptors: Iterable[Interceptor]) -> None:
        """Let these and nobody else be asked from now on, with the lock held."""
        self._interceptors = tuple(interceptors)
        operations = frozenset[str]().union(*(one.operations for one in self._interceptors))
        plain: Any = self._plain_class or type(self)
        self.__class__ = _asking_class(plain, operations) if operations else plain
        (_read_by_asking.add if "read" in operations else _read_by_asking.discard)(self)
        binary.read_through_file_system(bool(_read_by_asking))

    def _ask(
        self, operation: str, *paths: Any, node: File | None = None, changes: bool | None = None
    ) -> None:
        """Raise what somebody has against an operation.

        Also for stand-ins of functions of `os` that do what is no method here.

        Args:
            operation: what is about to be done.
            paths: to what, as given.
            node: the file, of an operation of a file object.
            changes: whether anything is changed, where the operation does not tell.
        """
        if changes is None:
            changes = operation not in _QUESTIONS
        request = Request(operation, paths, node, changes)
        error = None
        try:
            with self._lock:
                error = self._obstacle_to(request)
            if error is not None:
                raise error
        finally:
            del request, paths, node, error  # see UnlinkedRecord

    def _obstacle_to(self, request: Request) -> BaseException | None:
        for interceptor in self._interceptors:
            if request.operation in interceptor.operations:
                error = interceptor.obstacle(request)
                if error is not None:
                    return error
        return None


_read_by_asking: weakref.WeakSet[Interception] = weakref.WeakSet()
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
    "copy_tree": "copy_tree",
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
        "_new_like": _new_like,
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


def _new_like(self: Any, max_bytes: int | None, max_nodes: int | None) -> Any:
    return self._plain_class(max_quota=max_bytes, max_nodes=max_nodes)


def _asks_for_path(method: _Method, operation: str) -> _Method:
    @wraps(method)
    def ask(self: Interception, path: StrPath = "/", *arguments: Any, **named: Any) -> Any:
        self._ask(operation, path)
        return method(self, path, *arguments, **named)

    return ask


def _asks_for_paths(method: _Method, operation: str) -> _Method:
    @wraps(method)
    def ask(self: Interception, src: StrPath, dst: StrPath) -> Any:
        self._ask(operation, src, dst)
        return method(self, src, dst)

    return ask


# The methods that are not as simple.


def _asking_open(method: _Method) -> _Method:
    def ask(
        self: Interception, path: StrPath, mode: str = "r", *arguments: Any, **named: Any
    ) -> Any:
        if mode in OPEN_MODES:  # else it is wrong, and that is the error to raise
            self._ask("open", path, changes=bool(set(mode) & set("wax+")))
        return method(self, path, mode, *arguments, **named)

    return ask


def _asking_read_bytes(method: _Method) -> _Method:
    def ask(self: Interception, path: StrPath) -> Any:
        self._ask("open", path, changes=False)
        return method(self, path)

    return ask


def _asking_copy(method: _Method) -> _Method:
    def ask(self: Interception, src: StrPath, dst: StrPath) -> Any:
        self._ask("open", src, changes=False)
        self._ask("read", src)
        return method(self, src, dst)

    return ask


def _asking_put(method: _Method) -> _Method:
    def ask(self: Interception, path: StrPath, *arguments: Any, **named: Any) -> None:
        self._ask("open", path, changes=True)
        self._ask("write", path)
        method(self, path, *arguments, **named)

    return ask


def _asking_mkdir(method: _Method) -> _Method:
    def ask(
        self: Interception,
        path: StrPath,
        mode: int = 0o777,
        *,
        parents: bool = False,
        exist_ok: bool = False,
    ) -> None:
        if not parents:  # else each directory comes here by itself
            self._ask("mkdir", path)
        method(self, path, mode, parents=parents, exist_ok=exist_ok)

    return ask


def _asking_symlink(method: _Method) -> _Method:
    def ask(self: Interception, src: StrPath, dst: StrPath, *arguments: Any, **named: Any) -> None:
        self._ask("symlink", dst)
        method(self, src, dst, *arguments, **named)

    return ask


def _asking_read(method: _Method) -> _Method:
    def ask(self: Interception, cursor: Cursor, target: Any) -> Any:
        try:
            _ask_for_cursor(self, "read", cursor)
        except BaseException:
            del cursor  # see UnlinkedRecord
            raise
        return method(self, cursor, target)

    return ask


def _asking_read_page(method: _Method) -> _Method:
    def ask(self: Interception, node: File, *arguments: Any) -> Any:
        try:
            self._ask("read", node, node=node)
        except BaseException:
            del node  # see UnlinkedRecord
            raise
        return method(self, node, *arguments)

    return ask


def _asking_write(method: _Method) -> _Method:
    def ask(self: Interception, cursor: Cursor, data: Any, count: int, at_end: bool = False) -> Any:
        _ask_for_cursor(self, "write", cursor)
        return method(self, cursor, data, count, at_end)

    return ask


def _asking_write_page(_method: _Method) -> _Method:
    def ask(
        self: Interception, cursor: Cursor, position: int, count: int, memory: Any, start: int
    ) -> Any:
        cursor._position = position
        return self._write(cursor, memory[start : start + count], count)  # which asks

    return ask


def _asking_truncate(method: _Method) -> _Method:
    def ask(self: Interception, node: File, size: int, path: Any) -> None:
        try:
            self._ask("truncate", path, node=node)
        except BaseException:
            del node  # see UnlinkedRecord
            raise
        method(self, node, size, path)

    return ask


def _ask_for_cursor(fs: Interception, operation: str, cursor: Cursor) -> None:
    node = cursor._node
    try:
        if type(node) is File:  # else the file object is closed, and that is the error to raise
            fs._ask(operation, cursor.name, node=node)
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
    "mkdir": (_asking_mkdir, frozenset(("mkdir",))),
    "open": (_asking_open, frozenset(("open",))),
    "read_bytes": (_asking_read_bytes, frozenset(("open",))),
    "symlink": (_asking_symlink, frozenset(("symlink",))),
}

OPERATIONS = frozenset(_METHODS_OF_ONE_PATH.values()).union(
    _METHODS_OF_TWO_PATHS.values(), *(operations for _, operations in _OTHER_METHODS.values())
)
"""The names of all operations before which somebody can be asked."""
