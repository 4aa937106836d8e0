"""What is replaced where, while something is mounted.

Everything in the standard library that opens a path ends at a function of `os`, at `open` or at
`io.FileIO`, and most of it looks that up in its module when it is called: so attributes of modules
are replaced. What had been copied before (`from os import stat`, an attribute of a class, a default
argument, what a decorator wraps, an item of a dictionary) is found by `references`. To look for it
takes a while; whether there is something new to find tell the numbers of references.
"""

from __future__ import annotations

import _imp
import _io
import _posixsubprocess
import builtins
import fcntl
import gc
import io
import math
import mmap
import os
import posix
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from operator import is_
from sys import getrefcount
from types import BuiltinFunctionType, ModuleType
from typing import Any

from .._platform import HAS_INTERPRETER_LOCK
from .collector import module_namespace, objects_of
from .descriptors import DescriptorTable
from .likeness import take_name
from .programs import Programs
from .references import PACKAGE, Pair, Place, find_places, held_weakly
from .stand_ins.attributes import PatchedAttributes, StandInStatxResult
from .stand_ins.descriptors import PatchedDescriptors
from .stand_ins.entries import PatchedEntries, StandInDirEntry
from .stand_ins.file_io import FileIOKind, StandInFileIO, SubclassesOfFileIO
from .stand_ins.open import PatchedOpen
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


class _Site:
    """A module in which functions are replaced.

    Only what is there as Python made it is replaced, and only that is put back: who has put
    something else in its place, such as a mock, is left in force.
    """

    def __init__(self, namespace: _Namespace, stand_ins: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.names = tuple(stand_ins)
        self.stand_ins = dict(stand_ins)
        self.originals = {name: _original(namespace, name) for name in stand_ins}

    def exchange(self, *, forth: bool) -> None:
        """Put the stand-ins there (`forth`) or the originals."""
        there, wanted = (self.originals, self.stand_ins)[:: 1 if forth else -1]
        namespace = self.namespace
        if all(map(is_, map(namespace.get, self.names), there.values())):
            namespace.update(wanted)
            return
        for name in self.names:
            if namespace.get(name) is there[name]:
                namespace[name] = wanted[name]


class PatchPoints:
    """All that is replaced, with what it is replaced by."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable, programs: Programs) -> None:
        self._sites = [_Site(*each) for each in _sites(table, descriptors, programs)]
        pairs: dict[int, Pair] = {}
        for site in self._sites:
            for name, stand_in in site.stand_ins.items():
                original = site.originals[name]
                if id(original) not in pairs:
                    pairs[id(original)] = (original, stand_in)
                    take_name(stand_in, original)
        self._pairs = tuple(pairs.values())
        self._sets = [
            (which, {pairs[id(member)] for member in which if id(member) in pairs})
            for which in (vars(os)[name] for name in _SETS)
        ]
        self._subclasses = SubclassesOfFileIO()
        self._is_installed = False
        self._has_looked = False
        self._places: dict[tuple[int, Any], Place] = {}
        self._known: set[tuple[int, Any]] = set()
        functions = [pair for pair in self._pairs if type(pair[0]) is not type]
        self._classes = tuple(pair for pair in self._pairs if type(pair[0]) is type)
        self._class_ids = {id(each) for pair in self._classes for each in pair}
        self._seen: dict[str, int] = {}
        self._originals, self._stand_ins = zip(*functions, strict=True)
        self._position = {id(each): number for number, each in enumerate(self._originals)}
        self._pair_of = {id(each): pair for pair in self._pairs for each in pair}
        self._own = objects_of(
            (self, *self._stand_ins),
            (table, descriptors, programs, *(each.namespace for each in self._sites)),
        )
        self._own_ids = {id(self._own), *map(id, self._own)}
        self._own_ids.update(id(site.namespace) for site in self._sites)
        self._at_rest = self._counts_without_copies()

    def install(self) -> None:
        """Replace everything.

        May be interrupted anywhere, and is undone by `remove`, also where it did a part.
        """
        if any(place.is_gone for place in self._places.values()):
            self._forget_what_is_gone()
        if self._has_module_with_a_class() or self._counts() != self._at_rest:
            self._look_for_copies()
            self._at_rest = self._counts()
        self._is_installed = True
        for site in self._sites:
            site.exchange(forth=True)
        for which, members in self._sets:
            which.update([stand_in for _, stand_in in members])
        for place in self._places.values():
            place.exchange(forth=True)
        self._subclasses.exchange(forth=True)

    def remove(self) -> None:
        """Put everything back as it was. What was interrupted is done anew, and does no harm."""
        if not self._is_installed:
            return
        for site in self._sites:
            site.exchange(forth=False)
        for which, members in self._sets:
            which.difference_update([stand_in for _, stand_in in members])
        for place in self._places.values():
            place.exchange(forth=False)
        self._subclasses.exchange(forth=False)
        if self._counts()[1] != self._at_rest[1]:  # somebody keeps a stand-in
            self._look_for_copies()
            for place in self._places.values():
                place.exchange(forth=False)
        self._hold_weakly()
        self._forget_what_is_gone()
        self._at_rest = self._counts()
        self._is_installed = False

    def replaced(self) -> Iterator[tuple[_Namespace, str]]:
        """Yield each namespace and name whose value is replaced, copied references aside."""
        for site in self._sites:
            for name in site.names:
                yield site.namespace, name

    # References that were copied

    def _counts(self) -> tuple[list[float], list[float]]:
        """Return how many references there are to each original, and to each stand-in.

        Those to classes would tell nothing: each instance is one.
        """
        return list(map(_count, self._originals)), list(map(_count, self._stand_ins))

    def _counts_without_copies(self) -> tuple[list[float], list[float]]:
        """Return how many references there are if nobody has copied any."""
        containers = [self._own, *self._own, *(each.namespace for each in self._sites)]
        containers += [
            vars(module)
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] == PACKAGE and type(module) is ModuleType
        ]
        known = Counter(map(id, gc.get_referents(*containers)))
        probe = [object()]
        more = next(map(_count, probe)) - 1
        return (
            [known[id(each)] + more for each in self._originals],
            [known[id(each)] + more for each in self._stand_ins],
        )

    def _look_for_copies(self) -> None:
        """Find where references to the originals or to stand-ins are kept.

        Complexity: O(objects in the process), where somebody has a reference since the last time.
        """
        now, before = self._counts(), self._at_rest
        wanted = [
            function
            for functions, counts, former in zip(
                (self._originals, self._stand_ins), now, before, strict=True
            )
            for function, count, known in zip(functions, counts, former, strict=True)
            if count != known
        ]
        wanted += [pair[self._is_installed] for pair in self._classes]
        for place in find_places(wanted, self._pair_of, self._own_ids, anew=not self._has_looked):
            self._places.setdefault(place.key, place)
        self._has_looked = True

    def _has_module_with_a_class(self) -> bool:
        """Tell whether one that is new since the last time has a class that is replaced."""
        modules, seen = sys.modules, self._seen
        if len(modules) == len(seen) and next(reversed(modules)) == next(reversed(seen)):
            return False
        new = [name for name, module in list(modules.items()) if seen.get(name) != id(module)]
        namespaces = [
            module_namespace(modules[name])
            for name in new
            if issubclass(type(modules.get(name)), ModuleType)
        ]
        self._seen = {name: id(module) for name, module in list(modules.items())}
        return any(not self._class_ids.isdisjoint(map(id, each.values())) for each in namespaces)

    def _forget_what_is_gone(self) -> None:
        """Drop the places that are gone, and their references from what is expected."""
        gone = [place for place in self._places.values() if place.is_gone]
        for place in gone:
            del self._places[place.key]
            self._known.discard(place.key)
            for function in _functions_in(place.pair[0]):
                if id(function) in self._position:
                    self._at_rest[0][self._position[id(function)]] -= 1

    def _hold_weakly(self) -> None:
        """Keep alive as little as possible of what others have."""
        held = [place for key, place in self._places.items() if key not in self._known]
        self._known.update(place.key for place in held)
        held = [place for place in held if type(place.held) is dict]
        for place, better in held_weakly(held):
            self._places.pop(place.key, None)
            self._places[better.key] = better
            self._known.add(better.key)


def _count_or_nan(function: Any) -> float:
    """Return how many references there are, no number twice where nobody counts them.

    Without the lock of the interpreter, CPython 3.13 counts none to functions when it has threads.
    """
    count = getrefcount(function)
    return math.nan * count if count >= _NOT_COUNTED else count - 1  # one is in this function


_NOT_COUNTED = 1 << 30
_count: Callable[[Any], float] = getrefcount if HAS_INTERPRETER_LOCK else _count_or_nan


def _functions_in(value: Any) -> Iterator[Any]:
    """Yield the functions of a place, which may be in a tuple."""
    if type(value) is tuple:
        for item in value:
            yield from _functions_in(item)
    else:
        yield value


def _sites(
    table: MountTable, descriptors: DescriptorTable, programs: Programs
) -> list[tuple[_Namespace, Mapping[str, Any]]]:
    """Return the namespaces, with what is put into each."""
    opens = PatchedOpen(table, descriptors)
    FileIOKind.opens = opens
    numbers = PatchedDescriptors(table, descriptors)
    processes = PatchedProcesses(table, programs)
    # Each module's functions are bound to an object of their own, which tells where they are found.
    of_fcntl = PatchedDescriptors(table, descriptors)
    of_subprocess, of_imports = (PatchedProcesses(table, programs) for _ in range(2))
    of_os: dict[str, Any] = {
        "open": PatchedOpen(table, descriptors).os_open,
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
            (vars(fcntl), {name: getattr(of_fcntl, name) for name in _OF_FCNTL}),
            (vars(mmap), {"mmap": StandInMmap}),
            (vars(_posixsubprocess), {"fork_exec": of_subprocess.fork_exec}),
            (vars(_imp), {"create_dynamic": of_imports.create_dynamic}),
        )
    ]


def _original(namespace: _Namespace, name: str) -> Any:
    """Return what Python itself has put there, though somebody may have replaced it."""
    for home in _HOMES.get(namespace["__name__"], (namespace,)):
        found = home.get(name)
        if type(found) in (BuiltinFunctionType, type):
            return found
    return namespace[name]


_HOMES: dict[str, tuple[_Namespace, ...]] = {
    "os": (vars(posix), vars(os)),
    "builtins": (vars(_io), vars(builtins)),
    "io": (vars(_io), vars(io)),
}
"""Where the functions of a module come from: nobody replaces them there."""
