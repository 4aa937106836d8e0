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

from typing import TYPE_CHECKING, Any, Literal, overload

from ._aio.files import AsyncFile
from ._aio.filesystem import SYNCHRONOUS, AsyncFileSystem
from ._aio.opening import open_file
from ._aio.waiting import Opened
from ._memory_filesystem import MemoryFileSystem
from ._paths import StrPath

if TYPE_CHECKING:
    from _typeshed import OpenBinaryMode, OpenTextMode

__all__ = ["SYNCHRONOUS", "AsyncFile", "AsyncFileSystem", "open"]


@overload
def open(  # noqa: A001
    fs: MemoryFileSystem,
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
def open(  # noqa: A001
    fs: MemoryFileSystem,
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
def open(  # noqa: A001
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
) -> Opened[AsyncFile[Any]]: ...
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
) -> Opened[AsyncFile[Any]]:
    """Open a file: `async with aio.open(fs, path) as file`, or `file = await aio.open(fs, path)`.

    Args:
        fs: the file system.

    The other arguments and the errors are those of `MemoryFileSystem.open`. A lock is waited for
    without a thread.
    """
    arguments = (path, mode, buffering, encoding, errors, newline)
    return open_file(fs, *arguments, lock=lock, lock_timeout=lock_timeout)


for _public in (AsyncFile, AsyncFileSystem):
    _public.__module__ = __name__
