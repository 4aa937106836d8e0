"""What runs the coroutines: asyncio, or trio where the task that asks is one of trio's.

Nothing has to be installed for asyncio; who runs trio has it. anyio runs on either.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

_Result = TypeVar("_Result")


class AsyncBell(Protocol):
    """What wakes a task: rung once, from any thread, a signal handler or a finaliser."""

    def release(self) -> None: ...

    async def wait(self, seconds: float) -> bool:
        """Wait until it is rung; tell whether it was, in time."""


class Runner(Protocol):
    """What is asked of whatever runs the coroutines."""

    def make_bell(self) -> AsyncBell: ...

    async def checkpoint(self) -> None:
        """Let other tasks run, and this one be cancelled."""

    async def run_in_thread(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in a thread, and wait for its end, even if the task is cancelled."""


def runner() -> Runner:
    """Return what runs the calling task.

    Raises:
        RuntimeError: nothing does.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _Trio(trio)
    asyncio.get_running_loop()
    return _ASYNCIO


class _Asyncio:
    def make_bell(self) -> AsyncBell:
        return _AsyncioBell()

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    async def run_in_thread(self, function: Callable[[], _Result]) -> _Result:
        call = partial(contextvars.copy_context().run, function)
        result = asyncio.get_running_loop().run_in_executor(None, call)
        cancelled: asyncio.CancelledError | None = None
        while not result.done():
            try:
                await asyncio.wait([result])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is None:
            return result.result()
        result.exception()  # looked at: nobody is told that it was not
        raise cancelled


class _AsyncioBell:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def release(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:
            pass  # the loop has ended, and who waited with it

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        return self._rung.is_set()


class _Trio:
    def __init__(self, trio: Any) -> None:
        self._trio = trio

    def make_bell(self) -> AsyncBell:
        return _TrioBell(self._trio)

    async def checkpoint(self) -> None:
        await self._trio.lowlevel.checkpoint()

    async def run_in_thread(self, function: Callable[[], _Result]) -> _Result:
        result: _Result = await self._trio.to_thread.run_sync(function)
        return result


class _TrioBell:
    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._rung = trio.Event()

    def release(self) -> None:
        try:
            self._token.run_sync_soon(self._rung.set)
        except self._trio.RunFinishedError:
            pass  # and who waited has ended with it

    async def wait(self, seconds: float) -> bool:
        with self._trio.move_on_after(seconds):
            await self._rung.wait()
        return bool(self._rung.is_set())


_ASYNCIO = _Asyncio()
