"""Files as fsspec's users open them."""

from __future__ import annotations

import io
from typing import Any

from .._files.raw import RawFile


class _QuietRawFile(RawFile):
    """What is below a `ReadFile`, which may be dropped open."""

    __slots__ = ()

    def _dealloc_warn(self, source: object) -> None:
        pass

    _finalizing = property(fset=_dealloc_warn)


class ReadFile(io.BufferedReader):
    """A file that is read. It may be dropped open: nothing is lost, and many libraries do so.

    Attributes:
        path: the path that it was opened by.
    """

    def __init__(self, raw: Any, path: str) -> None:
        raw.__class__ = _QuietRawFile
        super().__init__(raw)
        self.path = path

    @property
    def size(self) -> int:
        """The number of bytes in it now."""
        raw: Any = self.raw
        size: int = raw._node.size
        return size


class CompressedFile(io.BufferedWriter):
    """A file whose content is compressed as it is written; closing it closes what is below too."""

    def __init__(self, compressing: Any, below: Any) -> None:
        super().__init__(compressing)
        self._below = below

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()
