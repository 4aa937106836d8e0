"""The file system for coroutines, on asyncio and on trio.

For example::

    async with aio.open(fs, "/notes.txt", "w", encoding="utf-8") as file:
        await file.write("in memory")

    files = aio.AsyncFileSystem(fs)
    async with files.lock("/notes.txt"):
        print(await files.read_bytes("/notes.txt"))

Most calls take a few microseconds and wait for nothing, so they are made in the event loop itself:
a thread would cost twenty times as much. Each lets other tasks run, and may be cancelled, before it
begins; what has begun is done. Calls that use the real disk, or look at a whole tree, are made in a
thread. Nothing has to be installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial, update_wrapper
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from . import _paths
from ._aio.files import AsyncFile
from ._aio.running import runner
from ._aio.waiting import Opened, Steps, acquire, look_up
from ._files.locks import LockGrant, is_shared
from ._files.modes import check_buffering, check_text_arguments
from ._files.opening import mode_of, node_to_open, open_node
from ._memory_filesystem import MemoryFileSystem
from ._paths import StrPath
from ._tree.listing import DirEntry

__all__ = ["SYNCHRONOUS", "AsyncFile", "AsyncFileSystem", "open"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C", bound=Callable[..., object])

SYNCHRONOUS = frozenset(
    {
        *("fail", "mount", "rollback"),  # begin a `with` block
        *("from_tree", "path", "publish", "published", "unpublish"),  # wait for nothing
    }
)
"""The methods of `MemoryFileSystem` that have no coroutine here: call them on the file system."""


def open(  # noqa: A001  # as in os, io and gzip
    fs: MemoryFileSystem,
    path: StrPath,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *,
    lock: Literal["shared", "exclusive"] | None = None,
    lock_timeout: float | None = None,
) -> Opened[AsyncFile]:
    """Open a file: `async with aio.open(fs, path) as file`, or `file = await aio.open(fs, path)`.

    Args:
        fs: the file system.

    The other arguments and the errors are those of `MemoryFileSystem.open`. A lock is waited for
    without a thread.
    """
    arguments = (path, mode, buffering, encoding, errors, newline)
    if lock is None and lock_timeout is None:
        return Opened(partial(_open, fs, arguments), AsyncFile.aclose)
    return Opened(partial(_open_locked, fs, lock, lock_timeout, *arguments), AsyncFile.aclose)


async def _open(fs: MemoryFileSystem, arguments: tuple[Any, ...]) -> AsyncFile:
    await runner().checkpoint()
    return AsyncFile(fs.open(*arguments))


async def _open_locked(
    fs: MemoryFileSystem,
    lock: str | None,
    timeout: float | None,
    path: StrPath,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> AsyncFile:
    """Open a file when its lock is held, and before it is emptied."""
    how = mode_of(mode)
    check_text_arguments(how, encoding, errors, newline)
    buffering = check_buffering(how, buffering)
    path = _paths.fspath(path)
    shared = is_shared(lock)
    inner, node = look_up(fs, path, partial(node_to_open, how=how, truncate=False))
    grant = await acquire(inner, node, path, shared=shared, timeout=timeout)
    if how.truncates:
        inner._empty(node)
    return AsyncFile(
        open_node(inner, node, path, mode, buffering, encoding, errors, newline, grant)
    )


def _soon(
    method: Callable[Concatenate[MemoryFileSystem, _P], _R],
) -> Callable[Concatenate[AsyncFileSystem, _P], Coroutine[Any, Any, _R]]:
    """Return the coroutine of a method that waits for nothing."""

    async def call(self: AsyncFileSystem, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        await runner().checkpoint()
        result: _R = getattr(self.fs, method.__name__)(*args, **kwargs)
        return result

    return _named(call, method)


def _in_thread(
    method: Callable[Concatenate[MemoryFileSystem, _P], _R],
) -> Callable[Concatenate[AsyncFileSystem, _P], Coroutine[Any, Any, _R]]:
    """Return the coroutine of a method that uses the disk, or looks at a whole tree."""

    async def call(self: AsyncFileSystem, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        run = runner()
        await run.checkpoint()
        bound = getattr(self.fs, method.__name__)
        result: _R = await run.run_in_thread(partial(bound, *args, **kwargs))
        return result

    return _named(call, method)


def _named(call: _C, method: Callable[..., object]) -> _C:
    update_wrapper(call, method)
    call.__module__ = __name__
    call.__qualname__ = f"AsyncFileSystem.{method.__name__}"
    return call


class AsyncFileSystem:
    """The methods of a `MemoryFileSystem` as coroutines, with the same arguments, results, errors.

    `walk`, `scandir` and `iter_export_tree` are for `async for`; `open` and `lock` are awaited, or
    entered by `async with`. What waits for nothing and is no operation on files is called on the
    file system itself: those in `SYNCHRONOUS`, such as `mount` and `rollback`.

    Operations are atomic as between threads, and a task is suspended before one, never within it.

    Args:
        fs: the file system.

    Attributes:
        fs: the same.
    """

    def __init__(self, fs: MemoryFileSystem) -> None:
        self.fs = fs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.fs!r}>"

    # Files
    read_bytes = _soon(MemoryFileSystem.read_bytes)
    write_bytes = _soon(MemoryFileSystem.write_bytes)
    read_text = _soon(MemoryFileSystem.read_text)
    write_text = _soon(MemoryFileSystem.write_text)
    truncate = _soon(MemoryFileSystem.truncate)
    copy = _soon(MemoryFileSystem.copy)
    get_size = _soon(MemoryFileSystem.get_size)
    export_as_bytesio = _soon(MemoryFileSystem.export_as_bytesio)

    # What is there
    exists = _soon(MemoryFileSystem.exists)
    is_file = _soon(MemoryFileSystem.is_file)
    is_dir = _soon(MemoryFileSystem.is_dir)
    is_symlink = _soon(MemoryFileSystem.is_symlink)
    stat = _soon(MemoryFileSystem.stat)
    lstat = _soon(MemoryFileSystem.lstat)
    access = _soon(MemoryFileSystem.access)

    # Directories
    mkdir = _soon(MemoryFileSystem.mkdir)
    makedirs = _soon(MemoryFileSystem.makedirs)
    rmdir = _soon(MemoryFileSystem.rmdir)
    rmtree = _in_thread(MemoryFileSystem.rmtree)
    copy_tree = _in_thread(MemoryFileSystem.copy_tree)
    listdir = _soon(MemoryFileSystem.listdir)
    glob = _in_thread(MemoryFileSystem.glob)

    attach = _soon(MemoryFileSystem.attach)
    detach = _soon(MemoryFileSystem.detach)

    # Names
    rename = _soon(MemoryFileSystem.rename)
    replace = _soon(MemoryFileSystem.replace)
    move = _soon(MemoryFileSystem.move)
    remove = _soon(MemoryFileSystem.remove)
    unlink = _soon(MemoryFileSystem.unlink)
    link = _soon(MemoryFileSystem.link)
    symlink = _soon(MemoryFileSystem.symlink)
    readlink = _soon(MemoryFileSystem.readlink)

    # Attributes
    chmod = _soon(MemoryFileSystem.chmod)
    chown = _soon(MemoryFileSystem.chown)
    utime = _soon(MemoryFileSystem.utime)

    # Space
    usage = _soon(MemoryFileSystem.usage)
    stats = _soon(MemoryFileSystem.stats)
    statvfs = _soon(MemoryFileSystem.statvfs)
    quota = _soon(MemoryFileSystem.quota)
    set_quota = _in_thread(MemoryFileSystem.set_quota)

    # Snapshots
    snapshot = _soon(MemoryFileSystem.snapshot)
    restore = _in_thread(MemoryFileSystem.restore)
    clone = _in_thread(MemoryFileSystem.clone)

    # Whole trees, and the disk
    tree = _in_thread(MemoryFileSystem.tree)
    to_tree = _in_thread(MemoryFileSystem.to_tree)
    add_real = _in_thread(MemoryFileSystem.add_real)
    apply = _in_thread(MemoryFileSystem.apply)
    changes: Any = _in_thread(MemoryFileSystem.changes)
    discard = _in_thread(MemoryFileSystem.discard)
    pack = _in_thread(MemoryFileSystem.pack)
    import_archive = _in_thread(MemoryFileSystem.import_archive)
    export_archive = _in_thread(MemoryFileSystem.export_archive)
    import_tree: Any = _in_thread(MemoryFileSystem.import_tree)
    export_tree: Any = _in_thread(MemoryFileSystem.export_tree)
    close = _in_thread(MemoryFileSystem.close)

    @classmethod
    async def unpack(
        cls, file: Any, *, progress: Any = None, **limits: int | None
    ) -> AsyncFileSystem:
        """Return a new file system with the tree of a pack; see `MemoryFileSystem.unpack`."""
        run = runner()
        await run.checkpoint()
        unpack = partial(MemoryFileSystem.unpack, file, progress=progress, **limits)
        return cls(await run.run_in_thread(unpack))

    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> Opened[AsyncFile]:
        """Open a file; see `dmemfs.aio.open`."""
        arguments = (path, mode, buffering, encoding, errors, newline)
        return _open_later(self.fs, *arguments, lock=lock, lock_timeout=lock_timeout)

    def lock(
        self, path: StrPath, *, shared: bool = False, timeout: float | None = None
    ) -> Opened[LockGrant]:
        """Wait for the advisory lock of a node without a thread, and hold it.

        Tasks and threads wait in the same queue, in the order in which they came. A task that is
        cancelled leaves it. The arguments and errors are those of `MemoryFileSystem.lock`.
        """
        return Opened(partial(self._lock, path, shared, timeout), _release)

    async def _lock(self, path: StrPath, shared: bool, timeout: float | None) -> LockGrant:
        inner, node = look_up(self.fs, path, MemoryFileSystem._find)
        return await acquire(inner, node, path, shared=shared, timeout=timeout)

    def walk(
        self,
        top: StrPath = "/",
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
        followlinks: bool = False,
    ) -> AsyncIterator[tuple[Any, list[Any], list[Any]]]:
        """Yield the path, the directories and the files of each directory, as `os.walk` does."""
        return Steps(partial(self.fs.walk, top, topdown, onerror, followlinks))

    def scandir(self, path: StrPath = "/") -> AsyncIterator[DirEntry[Any]]:
        """Yield the entries of a directory as they are when the first one is asked for."""
        return Steps(lambda: iter(list(self.fs.scandir(path))))

    def iter_export_tree(self, prefix: StrPath = "/") -> AsyncIterator[tuple[str, bytes]]:
        """Yield path and content of each regular file below a directory, or of one file."""
        return Steps(partial(self.fs.iter_export_tree, prefix))


_open_later = open


async def _release(grant: LockGrant) -> None:
    grant.release()
