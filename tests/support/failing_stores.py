"""Stores of every kind that fail at one call, of all that are made to them and to their files."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from dmemfs import MemoryFileSystem

METHODS = (
    *("open", "replace", "mv", "cp_file", "rm_file", "remove", "makedirs", "mkdir", "rmdir"),
    *("exists", "isdir", "is_dir", "is_symlink", "ls", "listdir", "copy", "utime", "stat"),
)
FILE_METHODS = ("write", "flush", "close", "discard", "truncate", "seek", "read")
UPLOAD_METHODS = ("_initiate_upload", "_upload_chunk")


class Calls:
    """Counts calls, and fails at one of them, before it or after it.

    Attributes:
        at: at which call; 0 for none.
        after: whether it does what it should before it fails.
        error: what it raises.
        made: how many calls there were since `begin`.
        failed: the name of the method that has failed.
    """

    def __init__(self) -> None:
        self.at = self.made = 0
        self.failed = ""
        self.after = False
        self.error: type[BaseException] = OSError

    def begin(self, at: int = 0, after: bool = False, error: type[BaseException] = OSError) -> None:
        self.at, self.after, self.error, self.made = at, after, error, 0

    def end(self) -> None:
        self.at = 0

    def counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that fails when it is its turn.

        One that opens a file does not fail afterwards: who closes it then is nobody's to say.
        """

        def count(*arguments: Any, **options: Any) -> Any:
            self.made += 1
            due = self.made == self.at
            if due:
                self.failed = method.__name__
            if due and (not self.after or "open" in method.__name__):
                raise self.error("the network is gone")
            result = method(*arguments, **options)
            if due:
                raise self.error("the network is gone")
            return result

        return count

    def watch(self, thing: Any, names: tuple[str, ...]) -> Any:
        """Count the calls of these methods of an object."""
        for name in names:
            method = getattr(thing, name, None)
            if method is not None:
                setattr(thing, name, self.counted(method))
        return thing


class ObjectStore:
    """Has `open` alone; a file appears, or is replaced, when it is closed."""

    def __init__(self, calls: Calls) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls = calls
        self.open = calls.counted(self._open)

    def _open(self, path: str, mode: str) -> Any:
        objects = self.objects
        if mode == "rb":
            if path not in objects:
                raise FileNotFoundError(2, "No such object", path)
            return io.BytesIO(objects[path])

        class Upload(io.BytesIO):
            def close(self) -> None:
                if not self.closed:
                    objects[path] = self.getvalue()
                super().close()

        return self.calls.watch(Upload(), FILE_METHODS)

    def names(self) -> list[str]:
        return sorted(self.objects)


class BufferedObjectStore(ObjectStore):
    """Its uploads are raw files, in a buffer of `io`."""

    def _open(self, path: str, mode: str) -> Any:
        if mode == "rb":
            return super()._open(path, mode)
        objects, written = self.objects, bytearray()

        class Upload(io.RawIOBase):
            def writable(self) -> bool:
                return True

            def write(self, data: Any) -> int:
                piece = bytes(data[:3000])
                written.extend(piece)
                return len(piece)

            def close(self) -> None:
                if not self.closed:
                    super().close()
                    objects[path] = bytes(written)

        return io.BufferedWriter(self.calls.watch(Upload(), ("write", "close")), 1 << 16)


class PartStore(ObjectStore):
    """Its uploads are of parts, which stay behind unless they are put together or given up."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self.pending: dict[int, bytes] = {}

    def _open(self, path: str, mode: str) -> Any:
        if mode == "rb":
            return super()._open(path, mode)
        store = self

        class Upload:
            def __init__(self) -> None:
                store.pending[id(self)] = b""

            def write(self, data: Any) -> int:
                store.pending[id(self)] += bytes(data[:3000])
                return min(len(data), 3000)

            def close(self) -> None:
                if id(self) in store.pending:
                    store.objects[path] = store.pending.pop(id(self))

            def abort(self) -> None:
                store.pending.pop(id(self), None)

            def __del__(self) -> None:
                self.close()

        return self.calls.watch(Upload(), ("write", "close"))

    def names(self) -> list[str]:
        return sorted([*self.objects, *map(str, self.pending)])


class RenamingStore(ObjectStore):
    """Has directories, and renames; a file appears when it is closed."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self.directories = {"", "/"}
        calls.watch(self, METHODS[1:])

    def _open(self, path: str, mode: str) -> Any:
        if mode == "wb" and posixpath.dirname(path) not in self.directories:
            raise FileNotFoundError(2, "No such directory", path)
        return super()._open(path, mode)

    def replace(self, source: str, target: str) -> None:
        self.objects[target] = self.objects.pop(source)

    def remove(self, path: str) -> None:
        if self.objects.pop(path, None) is None:
            raise FileNotFoundError(2, "No such object", path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        while path not in self.directories:
            self.directories.add(path)
            path = posixpath.dirname(path)

    def rmdir(self, path: str) -> None:
        if any(posixpath.dirname(other) == path for other in {*self.objects, *self.directories}):
            raise OSError(39, "Directory not empty", path)
        self.directories.remove(path)

    def exists(self, path: str) -> bool:
        return path in self.objects or path in self.directories

    def isdir(self, path: str) -> bool:
        return path in self.directories

    def listdir(self, path: str) -> list[str]:
        return [name.rpartition("/")[2] for name in self.objects if posixpath.dirname(name) == path]

    def names(self) -> list[str]:
        return sorted([*self.objects, *self.directories])


class OwnFileSystem(MemoryFileSystem):
    """The file system of this project, which fails from outside as well as by its own faults."""

    def names(self) -> list[str]:
        found = []
        for top, directories, files in self.walk("/"):
            found += [os.path.join(top, name) for name in (*directories, *files)]
        return sorted(found)


def own_store(calls: Calls) -> Any:
    fs = OwnFileSystem(max_quota=1 << 20)

    def open_counted(*arguments: Any, **options: Any) -> Any:
        file = type(fs).open(fs, *arguments, **options)
        return calls.watch(file, FILE_METHODS) if arguments[1] == "wb" else file

    calls.watch(fs, METHODS[1:])
    fs.open = calls.counted(open_counted)  # type: ignore[method-assign]
    return fs


def fsspec_store(kind: str, calls: Calls, root: str) -> Any:
    """Return a file system of fsspec's: "memory", "file", or "parts", which uploads in parts."""
    fsspec: Any = import_module("fsspec")
    fs: Any
    if kind == "parts":
        fs = _parts_class()()
    else:
        fs = fsspec.filesystem(
            kind, skip_instance_cache=True, **({"global_store": False} if kind == "memory" else {})
        )
    open_plainly = fs._open

    def open_counted(path: str, mode: str = "rb", *arguments: Any, **options: Any) -> Any:
        file = open_plainly(path, mode, *arguments, **options)
        return file if mode == "rb" else calls.watch(file, FILE_METHODS + UPLOAD_METHODS)

    fs._open = open_counted
    calls.watch(fs, METHODS)
    fs.names = lambda: sorted(
        [*fs.find(root, withdirs=True), *map(str, getattr(fs, "pending", ()))]
    )
    return fs


def _parts_class() -> Any:
    base: Any = import_module("fsspec.implementations.memory").MemoryFileSystem
    buffered_file: Any = import_module("fsspec.spec").AbstractBufferedFile

    class Upload(buffered_file):  # type: ignore[misc]
        def _initiate_upload(self) -> None:
            self.fs.pending[id(self)] = b""

        def _upload_chunk(self, final: bool = False) -> bool:
            self.fs.pending[id(self)] += self.buffer.getvalue()
            if final and self.autocommit:
                self.commit()
            return True

        def commit(self) -> None:
            self.fs.pipe_file(self.path, self.fs.pending.pop(id(self)))

        def discard(self) -> None:
            self.fs.pending.pop(id(self), None)

    class Parts(base):  # type: ignore[misc]
        cachable = False

        def __init__(self) -> None:
            super().__init__(global_store=False)
            self.pending: dict[int, bytes] = {}

        def _open(self, path: str, mode: str = "rb", *_: Any, **options: Any) -> Any:
            if mode != "wb" or "data" in options:
                return super()._open(path, mode, **options)
            return Upload(self, path, mode, 5000, options.get("autocommit", True))

    return Parts


STORES: dict[str, Callable[[Calls, str], Any]] = {
    "open alone": lambda calls, _: ObjectStore(calls),
    "open alone, buffered": lambda calls, _: BufferedObjectStore(calls),
    "open alone, parts": lambda calls, _: PartStore(calls),
    "replace": lambda calls, _: RenamingStore(calls),
    "dmemfs": lambda calls, _: own_store(calls),
    "fsspec memory": lambda calls, root: fsspec_store("memory", calls, root),
    "fsspec file": lambda calls, root: fsspec_store("file", calls, root),
    "fsspec parts": lambda calls, root: fsspec_store("parts", calls, root),
}
"""Each kind of store by its name, made for calls to be counted and the directory it is used in."""


def failures(calls: Calls) -> Iterator[tuple[int, bool, type[BaseException]]]:
    """Yield where to fail, and how; to be left when there were not so many calls."""
    for at in range(1, 500):
        for after in (False, True):
            for error in (OSError, KeyboardInterrupt, RuntimeError):
                yield at, after, error
    raise AssertionError("it does not end")
