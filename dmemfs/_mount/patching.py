"""What is replaced where, while something is mounted.

Everything in the standard library that opens a path ends at a function of `os`, at `open` or at
`io.FileIO`, and most of it looks that up in its module when it is called: so attributes of modules
are replaced. What had been copied before (`from os import stat`, an attribute of a class, a default
argument, what a decorator wraps) is found by a look through all modules, once for each module.
"""

from __future__ import annotations

import _imp
import _io
import _posixsubprocess
import builtins
import fcntl
import io
import mmap
import os
import posix
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

from .descriptors import DescriptorTable
from .stand_ins.attributes import PatchedAttributes, StandInStatxResult
from .stand_ins.descriptors import PatchedDescriptors
from .stand_ins.entries import PatchedEntries, StandInDirEntry
from .stand_ins.open import FileIOKind, PatchedOpen, StandInFileIO
from .stand_ins.paths import PatchedPaths
from .stand_ins.processes import PatchedProcesses, StandInMmap
from .table import MountTable

_SETS = ("supports_fd", "supports_dir_fd", "supports_follow_symlinks", "supports_effective_ids")
_OF_PATHS = (
    "stat", "lstat", "access", "mkdir", "rmdir", "unlink", "remove", "readlink", "truncate",
    "mkfifo", "mknod",
)  # fmt: skip
_OF_ATTRIBUTES = (
    "chmod", "chown", "lchown", "utime", "statvfs", "pathconf", "getxattr", "setxattr",
    "listxattr", "removexattr", "statx",
)  # fmt: skip
_OF_ENTRIES = (
    "listdir", "scandir", "rename", "replace", "link", "symlink", "chdir", "fchdir",
    "getcwd", "getcwdb", "umask",
)  # fmt: skip
_OF_DESCRIPTORS = (
    "read", "readinto", "write", "close", "lseek", "pread", "pwrite", "readv", "preadv", "writev",
    "pwritev", "sendfile", "copy_file_range", "splice", "dup2", "closerange", "fchmod",
    "fchown",
)  # fmt: skip
_OF_PROCESSES = (
    "posix_spawn", "posix_spawnp", "execv", "execve", "system",
)  # fmt: skip
_OF_FCNTL = (
    "fcntl", "ioctl", "lockf", "flock",
)  # fmt: skip

_Namespace = dict[str, Any]


class _Copied(NamedTuple):
    """A place where a reference had been copied to.

    Attributes:
        replace: puts the stand-in there, and returns what puts the original back.
    """

    replace: Callable[[], Callable[[], None]]


class PatchPoints:
    """All that is replaced, with what it is replaced by."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        self._sites = _sites(table, descriptors)
        self._stand_ins: dict[int, Any] = {}
        self._originals: list[Any] = []  # so that none of the ids above can be another's
        for namespace, names in self._sites:
            for name, stand_in in names.items():
                original = namespace[name]
                self._stand_ins[id(original)] = stand_in
                self._originals.append(original)
                _take_name(stand_in, original)
        self._sets = [
            (which, self._members_for(which)) for which in (vars(os)[name] for name in _SETS)
        ]
        self._seen: dict[str, int] = {}
        self._last_module: object = None
        self._copied: list[_Copied] = []
        self._undo: list[Callable[[], None]] = []

    def _members_for(self, which: Any) -> frozenset[Any]:
        return frozenset(
            self._stand_ins[id(member)] for member in which if id(member) in self._stand_ins
        )

    def install(self) -> None:
        """Replace everything."""
        self._look_through_new_modules()
        undo = self._undo
        for namespace, names in self._sites:
            former = {name: namespace[name] for name in names}
            undo.append(_restorer(namespace, former))
            namespace.update(names)
        for which, members in self._sets:
            added = members - which
            undo.append(_remover(which, added))
            which |= added
        for copied in self._copied:
            undo.append(copied.replace())

    def remove(self) -> None:
        """Put everything back as it was."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()

    def replaced(self) -> Iterator[tuple[_Namespace, str]]:
        """Yield each namespace and name whose value is replaced, copied references aside."""
        for namespace, names in self._sites:
            for name in names:
                yield namespace, name

    # References that were copied

    def _look_through_new_modules(self) -> None:
        """Find where references to the originals were copied to.

        Complexity: O(names in modules that are new since the last time).
        """
        modules = sys.modules
        last = next(reversed(modules.values()), None)
        if last is self._last_module and len(modules) == len(self._seen):
            return
        for name, module in list(modules.items()):
            if self._seen.get(name) != id(module):
                if issubclass(type(module), ModuleType):  # what cffi makes only says that it is
                    self._look_through(name, module)
                self._seen[name] = id(module)
        for name in self._seen.keys() - modules.keys():
            del self._seen[name]
        self._last_module = last

    def _look_through(self, name: str, module: ModuleType) -> None:
        if name in _OWN_PLACES or name.partition(".")[0] == _PACKAGE:
            return
        namespace: _Namespace = object.__getattribute__(module, "__dict__")
        for key, value in list(namespace.items()):
            if id(value) in self._stand_ins:
                self._copied.append(_in_namespace(namespace, key, self._stand_ins[id(value)]))
            elif type(value) is FunctionType:
                # One that wraps an original in another says that it comes from there.
                if value.__module__ == name or value.__module__ in _OWN_PLACES:
                    self._look_at_function(value)
            elif isinstance(value, type) and value.__module__ == name:
                self._look_at_class(value)

    def _look_at_class(self, kind: type) -> None:
        for key, value in list(vars(kind).items()):
            plain = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            if id(plain) in self._stand_ins:
                stand_in = self._stand_ins[id(plain)]
                if plain is not value:
                    stand_in = type(value)(stand_in)
                self._copied.append(_in_class(kind, key, stand_in))
            elif type(plain) is FunctionType:
                self._look_at_function(plain)

    def _look_at_function(self, function: FunctionType) -> None:
        for cell in function.__closure__ or ():
            try:
                found = id(cell.cell_contents)
            except ValueError:  # nothing is in it yet
                continue
            if found in self._stand_ins:
                self._copied.append(_in_cell(cell, self._stand_ins[found]))
        positional = function.__defaults__
        if positional and any(id(value) in self._stand_ins for value in positional):
            changed = tuple(self._stand_ins.get(id(value), value) for value in positional)
            self._copied.append(_in_defaults(function, changed))
        by_keyword: _Namespace = function.__kwdefaults__ or {}
        for key, value in by_keyword.items():
            if id(value) in self._stand_ins:
                self._copied.append(_in_namespace(by_keyword, key, self._stand_ins[id(value)]))


_PACKAGE = __name__.partition(".")[0]
_OWN_PLACES = {
    "os", "posix", "builtins", "io", "_io", "fcntl", "mmap", "_posixsubprocess", "_imp",
}  # fmt: skip


def _sites(
    table: MountTable, descriptors: DescriptorTable
) -> list[tuple[_Namespace, Mapping[str, Any]]]:
    """Return the namespaces, with what is put into each."""
    opens = PatchedOpen(table, descriptors)
    FileIOKind.opens = opens
    numbers = PatchedDescriptors(table, descriptors)
    processes = PatchedProcesses(table)
    of_os: dict[str, Any] = {
        "open": opens.os_open,
        "DirEntry": StandInDirEntry,
        "statx_result": StandInStatxResult,
    }
    for provider, names in (
        (PatchedPaths(table, descriptors), _OF_PATHS),
        (PatchedAttributes(table, descriptors), _OF_ATTRIBUTES),
        (PatchedEntries(table, descriptors), _OF_ENTRIES),
        (numbers, _OF_DESCRIPTORS),
        (processes, _OF_PROCESSES),
    ):
        of_os.update({name: getattr(provider, name) for name in names if hasattr(os, name)})
    of_os.update(numbers.simple)
    plain_open = opens.open  # one object: it is compared by identity
    of_io = {"open": plain_open, "open_code": opens.open_code, "FileIO": StandInFileIO}
    return [
        (namespace, {name: value for name, value in names.items() if name in namespace})
        for namespace, names in (
            (vars(os), of_os),
            (vars(posix), of_os),
            (vars(builtins), {"open": plain_open}),
            (vars(io), of_io),
            (vars(_io), of_io),
            (vars(fcntl), {name: getattr(numbers, name) for name in _OF_FCNTL}),
            (vars(mmap), {"mmap": StandInMmap}),
            (vars(_posixsubprocess), {"fork_exec": processes.fork_exec}),
            (vars(_imp), {"create_dynamic": processes.create_dynamic}),
        )
    ]


def _take_name(stand_in: Any, original: Any) -> None:
    """Let a bound method say of itself what the function says in whose place it stands."""
    function = getattr(stand_in, "__func__", None)
    if function is not None:
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(function, attribute, getattr(original, attribute))


def _restorer(namespace: _Namespace, former: Mapping[str, Any]) -> Callable[[], None]:
    return lambda: namespace.update(former)


def _remover(which: set[Any], added: frozenset[Any]) -> Callable[[], None]:
    return lambda: which.difference_update(added)


def _in_namespace(namespace: _Namespace, key: str, stand_in: Any) -> _Copied:
    def replace() -> Callable[[], None]:
        if key not in namespace:
            return lambda: None
        former = namespace[key]
        namespace[key] = stand_in
        return lambda: namespace.__setitem__(key, former)

    return _Copied(replace)


def _in_cell(cell: CellType, stand_in: Any) -> _Copied:
    def replace() -> Callable[[], None]:
        former = cell.cell_contents
        cell.cell_contents = stand_in
        return lambda: setattr(cell, "cell_contents", former)

    return _Copied(replace)


def _in_class(kind: type, key: str, stand_in: Any) -> _Copied:
    def replace() -> Callable[[], None]:
        former = vars(kind).get(key)
        try:
            setattr(kind, key, stand_in)
        except TypeError:  # a class written in C: its attributes are for ever
            return lambda: None
        return lambda: setattr(kind, key, former)

    return _Copied(replace)


def _in_defaults(function: FunctionType, defaults: tuple[Any, ...]) -> _Copied:
    def replace() -> Callable[[], None]:
        former = function.__defaults__
        function.__defaults__ = defaults
        return lambda: setattr(function, "__defaults__", former)

    return _Copied(replace)
