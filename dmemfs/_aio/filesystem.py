"""The file system for coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .._files.locks import LockGrant
from .._memory_filesystem import MemoryFileSystem
from .._paths import StrPath
from .._transfer.formats.streams import DiskPath, Readable
from .._transfer.progress import Progress
from .._tree.listing import DirEntry
from .files import AsyncFile
from .methods import AsyncMethods, in_thread
from .opening import open_file, take_lock
from .waiting import Opened, Steps

if TYPE_CHECKING:
    from _typeshed import OpenBinaryMode, OpenTextMode


_Result = TypeVar("_Result")

SYNCHRONOUS = frozenset(
    {
        *("fail", "mount", "rollback"),  # begin a `with` block
        *("from_tree", "path", "publish", "published", "unpublish"),  # wait for nothing
    }
)
"""The methods of `MemoryFileSystem` that have no coroutine here: call them on the file system."""


class AsyncFileSystem(AsyncMethods):
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

    @classmethod
    async def unpack(
        cls, file: DiskPath | Readable, *, progress: Progress | None = None, **limits: int | None
    ) -> AsyncFileSystem:
        """Return a new file system with the tree of a pack; see `MemoryFileSystem.unpack`."""
        unpack = partial(MemoryFileSystem.unpack, file, progress=progress, **limits)
        return cls(await in_thread(unpack))

    @overload
    def open(
        self,
        path: StrPath,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> Opened[AsyncFile[str]]: ...
    @overload
    def open(
        self,
        path: StrPath,
        mode: OpenBinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> Opened[AsyncFile[bytes]]: ...
    @overload
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
    ) -> Opened[AsyncFile[Any]]: ...
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
    ) -> Opened[AsyncFile[Any]]:
        """Open a file; see `dmemfs.aio.open`."""
        arguments = (path, mode, buffering, encoding, errors, newline)
        return open_file(self.fs, *arguments, lock=lock, lock_timeout=lock_timeout)

    def lock(
        self, path: StrPath, *, shared: bool = False, timeout: float | None = None
    ) -> Opened[LockGrant]:
        """Wait for the advisory lock of a node without a thread, and hold it.

        Tasks and threads wait in the same queue, in the order in which they came. A task that is
        cancelled leaves it. The arguments and errors are those of `MemoryFileSystem.lock`.
        """
        return take_lock(self.fs, path, shared, timeout)

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
