"""What stands at `io.FileIO`, and above what is derived from it."""

from __future__ import annotations

import _io
import contextlib
import weakref
from typing import Any

from ..files import DescriptorFile, LentFile, MountedRawFile
from .open import PatchedOpen

RealFileIO = _io.FileIO


class FileIOKind(type(RealFileIO)):  # type: ignore[misc]
    """Lets `io.FileIO` open what is mounted, and be the class of all that it opens."""

    opens: PatchedOpen

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        if cls is StandInFileIO:
            found = FileIOKind.opens.file_io(*arguments, **keywords)
            return RealFileIO(*arguments, **keywords) if found is None else found
        return super().__call__(*arguments, **keywords)

    def __instancecheck__(cls, instance: object) -> bool:
        if cls is StandInFileIO:
            return isinstance(instance, (RealFileIO, MountedRawFile, DescriptorFile))
        return bool(super().__instancecheck__(instance))

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is StandInFileIO:
            return issubclass(subclass, (RealFileIO, MountedRawFile, DescriptorFile))
        return bool(super().__subclasscheck__(subclass))


class StandInFileIO(RealFileIO, metaclass=FileIOKind):
    """What stands at `io.FileIO` while something is mounted, and above what is derived from it."""

    __slots__ = ()

    def __init__(
        self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None
    ) -> None:
        if opener is None and isinstance(mode, str):
            opener = FileIOKind.opens.opener_for(file, mode)
        RealFileIO.__init__(self, file, mode, closefd, opener)


StandInFileIO.__name__ = StandInFileIO.__qualname__ = "FileIO"
StandInFileIO.__module__ = "_io"


class SubclassesOfFileIO:
    """The classes that were derived from `io.FileIO` before it was replaced."""

    def __init__(self) -> None:
        self._adopted: weakref.WeakSet[Any] = weakref.WeakSet()

    def exchange(self, *, forth: bool) -> None:
        """Let them open mounted files, or have them as they were. May be done again."""
        if forth:
            found = RealFileIO.__subclasses__()
            self._adopted.update(kind for kind in found if kind not in (StandInFileIO, LentFile))
        here, there = (RealFileIO, StandInFileIO) if forth else (StandInFileIO, RealFileIO)
        for kind in list(self._adopted):
            if here in kind.__bases__:
                with contextlib.suppress(TypeError):  # one written in C is what it is
                    bases = (there if base is here else base for base in kind.__bases__)
                    kind.__bases__ = tuple(bases)
