"""A file system of SQLite's in memory, as one writes it with apsw: the peer of live databases.

It is the least that apsw needs: files are bytearrays in a dictionary, of one process and one
thread. It takes no locks, has no quota, no snapshots and no WAL, so it does less than ours does.
"""

from __future__ import annotations

import importlib
import itertools
from typing import Any

# Named at run time, so that types can be checked where it is not installed.
apsw: Any = importlib.import_module("apsw")
_numbers = itertools.count()


class MemoryVFS(apsw.VFS):  # type: ignore[misc]
    """Files by their names, each a bytearray.

    Attributes:
        name: under which SQLite knows it.
        files: the contents.
    """

    def __init__(self) -> None:
        self.name = f"benchmark-{next(_numbers)}"
        self.files: dict[str, bytearray] = {}
        super().__init__(self.name, "")

    def connect(self, name: str) -> Any:
        """Return a connection to the database of that name."""
        return apsw.Connection(f"/{name}", vfs=self.name)

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        """Return the name: there are no directories."""
        return name

    def xAccess(self, name: str, flags: int) -> bool:  # noqa: N802
        """Tell whether there is a file."""
        return name in self.files

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        """Remove a file."""
        try:
            del self.files[name]
        except KeyError:
            raise apsw.IOError(f"no file {name}") from None

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        """Open a file, or one without a name that nobody else opens."""
        flags[1] = flags[0]
        if name is None:
            return MemoryFile(bytearray())
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return MemoryFile(self.files.setdefault(path, bytearray()))


class MemoryFile:
    """One open file of a MemoryVFS."""

    def __init__(self, content: bytearray) -> None:
        self._content = content
        self._level = apsw.SQLITE_LOCK_NONE

    def xRead(self, amount: int, offset: int) -> bytearray:  # noqa: N802
        """Return what stands there; SQLite fills up with zeros what lies behind the end."""
        return self._content[offset : offset + amount]

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write, and fill a gap with zeros."""
        content = self._content
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data

    def xTruncate(self, length: int) -> None:  # noqa: N802
        """Cut the end off."""
        del self._content[length:]

    def xFileSize(self) -> int:  # noqa: N802
        """Return the length."""
        return len(self._content)

    def xLock(self, level: int) -> None:  # noqa: N802
        """Note what SQLite would lock."""
        self._level = level

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Note what SQLite would unlock."""
        self._level = level

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        """Tell whether somebody writes; there is nobody else."""
        return bool(self._level >= apsw.SQLITE_LOCK_RESERVED)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Do nothing: it is memory."""

    def xSectorSize(self) -> int:  # noqa: N802
        """Return what SQLite takes by default."""
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """Promise nothing."""
        return 0

    def xFileControl(self, operation: int, pointer: int) -> bool:  # noqa: N802
        """Know of no further operation."""
        return False

    def xClose(self) -> None:  # noqa: N802
        """Leave the content where it is."""
