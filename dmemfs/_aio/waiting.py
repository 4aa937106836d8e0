"""Advisory locks, waited for without a thread; and what is awaited or entered."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from time import monotonic
from typing import Any, Generic, TypeVar

from .._files.locks import (
    DEFAULT_LOCK_TIMEOUT,
    LONGEST_NAP,
    LockGrant,
    not_granted,
    require_timeout,
)
from .._memory_filesystem import MemoryFileSystem
from .._nodes.nodes import Node
from .._paths import StrPath
from .running import runner

_Value = TypeVar("_Value")


class Opened(Generic[_Value]):
    """What is to be awaited, for a value, or entered by `async with`, which ends it too."""

    def __init__(
        self,
        begin: Callable[[], Coroutine[Any, Any, _Value]],
        end: Callable[[_Value], Awaitable[object]],
    ) -> None:
        self._begin = begin
        self._end = end
        self._value: list[_Value] = []

    def __await__(self) -> Generator[Any, Any, _Value]:
        return self._begin().__await__()

    async def __aenter__(self) -> _Value:
        value = await self._begin()
        self._value.append(value)
        return value

    async def __aexit__(self, *_: object) -> None:
        await self._end(self._value.pop())


class Steps(AsyncIterator[_Value]):
    """An iterator for `async for`, which lets other tasks run before each step.

    No asynchronous generator: one that is left before its end would have to be closed.
    """

    def __init__(self, begin: Callable[[], Iterator[_Value]]) -> None:
        self._begin = begin
        self._values: Iterator[_Value] | None = None

    async def __anext__(self) -> _Value:
        await runner().checkpoint()
        if self._values is None:
            self._values = self._begin()
        for value in self._values:
            return value
        raise StopAsyncIteration


def look_up(
    fs: MemoryFileSystem, path: Any, find: Callable[[Any, Any], Any]
) -> tuple[MemoryFileSystem, Any]:
    """Return what is found at a path, and the file system that it is in.

    Args:
        fs: where the path begins; it may lead into another one, which is attached.
        path: the path.
        find: called with that file system and the path in there.
    """
    inner, there = fs._where(path)
    try:
        return inner, find(inner, there)
    except OSError as error:
        if error.filename == there:
            error.filename = os.fspath(path)
        raise


async def acquire(
    fs: MemoryFileSystem, node: Node, path: StrPath, *, shared: bool, timeout: float | None
) -> LockGrant:
    """Wait for the lock of a node, in the same queue as threads do; see `MemoryFileSystem.lock`.

    A task that is cancelled has neither the lock nor a place in the queue.
    """
    timeout = DEFAULT_LOCK_TIMEOUT if timeout is None else timeout
    require_timeout(timeout)
    run = runner()
    await run.checkpoint()
    table = fs._locks
    grant = LockGrant(table, node, shared)
    try:
        bell: Any = table.enter(grant, None if timeout == 0 else run.make_bell)
        deadline = monotonic() + timeout
        while not grant.held and bell is not None:
            nap = min(deadline - monotonic(), LONGEST_NAP)
            if nap <= 0:
                break
            if not await bell.wait(nap):
                table.look_again(grant)
        if grant.held:
            return grant
        obstacle = table.give_up(grant)
        if obstacle is None:
            return grant
    except BaseException:
        grant.release()
        raise
    raise not_granted(timeout, obstacle, os.fspath(path))
