"""Opening files, with their locks or without, and taking locks."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import _paths
from .._files.locks import LockGrant, is_shared
from .._files.modes import check_buffering, check_text_arguments
from .._files.opening import mode_of, node_to_open, open_node
from .._memory_filesystem import MemoryFileSystem
from .._paths import StrPath
from .files import AsyncFile
from .running import runner
from .waiting import Opened, acquire, look_up


def open_file(
    fs: MemoryFileSystem,
    path: StrPath,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    *,
    lock: str | None,
    lock_timeout: float | None,
) -> Opened[AsyncFile[Any]]:
    """Open a file; see `dmemfs.aio.open`."""
    arguments = (path, mode, buffering, encoding, errors, newline)
    if lock is None and lock_timeout is None:
        return Opened(partial(_open, fs, arguments), AsyncFile.aclose)
    return Opened(partial(_open_locked, fs, lock, lock_timeout, *arguments), AsyncFile.aclose)


async def _open(fs: MemoryFileSystem, arguments: tuple[Any, ...]) -> AsyncFile[Any]:
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
) -> AsyncFile[Any]:
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


def take_lock(
    fs: MemoryFileSystem, path: StrPath, shared: bool, timeout: float | None
) -> Opened[LockGrant]:
    """Wait for the lock of a node; see `AsyncFileSystem.lock`."""
    return Opened(partial(_take_lock, fs, path, shared, timeout), _release)


async def _take_lock(
    fs: MemoryFileSystem, path: StrPath, shared: bool, timeout: float | None
) -> LockGrant:
    inner, node = look_up(fs, path, MemoryFileSystem._find)
    return await acquire(inner, node, path, shared=shared, timeout=timeout)


async def _release(grant: LockGrant) -> None:
    grant.release()
