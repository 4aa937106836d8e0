"""File objects whose calls are coroutines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, AnyStr, Generic, Self, overload

from .running import runner

if TYPE_CHECKING:
    from typing_extensions import Buffer


class AsyncFile(Generic[AnyStr]):
    """A file object of the file system, whose reads and writes are coroutines.

    `async for` gives its lines, and `async with` closes it. What is not here is asked of `wrapped`.

    Attributes:
        wrapped: the file object, as `MemoryFileSystem.open` returns it.
    """

    def __init__(self, wrapped: IO[Any]) -> None:
        self.wrapped: Any = wrapped

    @property
    def name(self) -> Any:
        """The path that it was opened by."""
        return self.wrapped.name

    @property
    def mode(self) -> str:
        """The mode."""
        mode: str = self.wrapped.mode
        return mode

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        closed: bool = self.wrapped.closed
        return closed

    async def aclose(self) -> None:
        """Write what is still to be written and close it, also if the task is cancelled."""
        self.wrapped.close()
        await runner().checkpoint()

    async def read(self, size: int = -1) -> AnyStr:
        """Return the next `size` characters or bytes; by default all that follow."""
        data: AnyStr = await self._call("read", size)
        return data

    async def read1(self, size: int = -1) -> bytes:
        """Return some of the next bytes."""
        data: bytes = await self._call("read1", size)
        return data

    async def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with the next bytes, and return how many there were."""
        return await self._count("readinto", buffer)

    async def readline(self, size: int = -1) -> AnyStr:
        """Return the next line, or as much of it as `size` says."""
        line: AnyStr = await self._call("readline", size)
        return line

    async def readlines(self, hint: int = -1) -> list[AnyStr]:
        """Return the lines that follow."""
        lines: list[AnyStr] = await self._call("readlines", hint)
        return lines

    @overload
    async def write(self: AsyncFile[str], data: str) -> int: ...
    @overload
    async def write(self: AsyncFile[bytes], data: Buffer) -> int: ...
    async def write(self, data: Any) -> int:
        """Write, and return how many characters or bytes."""
        return await self._count("write", data)

    @overload
    async def writelines(self: AsyncFile[str], lines: Iterable[str]) -> None: ...
    @overload
    async def writelines(self: AsyncFile[bytes], lines: Iterable[Buffer]) -> None: ...
    async def writelines(self, lines: Iterable[Any]) -> None:
        """Write each of these."""
        await self._call("writelines", lines)

    async def flush(self) -> None:
        """Write what is still to be written."""
        await self._call("flush")

    async def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, and return it."""
        return await self._count("seek", offset, whence)

    async def tell(self) -> int:
        """Return the position."""
        return await self._count("tell")

    async def truncate(self, size: int | None = None) -> int:
        """Cut the file, or extend it; by default at the position."""
        return await self._count("truncate", size)

    async def _call(self, name: str, *arguments: Any) -> Any:
        await runner().checkpoint()
        return getattr(self.wrapped, name)(*arguments)

    async def _count(self, name: str, *arguments: Any) -> int:
        count: int = await self._call(name, *arguments)
        return count

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyStr:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
