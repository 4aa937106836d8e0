"""Modules that work on a faked file system by themselves, for tests that patch by hand."""

from __future__ import annotations

import importlib
import pathlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from ._filesystem import FakeFilesystem


@contextmanager
def seen(filesystem: FakeFilesystem) -> Iterator[None]:
    """Mount a file system for the length of one call, unless it is mounted."""
    if filesystem._is_mounted:
        yield
        return
    filesystem._enter()
    try:
        yield
    finally:
        filesystem._leave()


class FakeModule:
    """A module whose functions work on a faked file system.

    Args:
        filesystem: the file system.

    Each call mounts it and takes it away again, which takes some 100 us.
    """

    _of: ClassVar[str]

    def __init__(self, filesystem: FakeFilesystem, *_: Any, **__: Any) -> None:
        self.filesystem = filesystem
        self._module = importlib.import_module(self._of)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, types.ModuleType) and name == "path":
            return FakePathModule(self.filesystem)
        if isinstance(value, type) or not callable(value):
            return value
        return self._calling(name)

    def _calling(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with seen(self.filesystem):
                found = getattr(self._module, name)(*arguments, **options)
                return iter(list(found)) if isinstance(found, types.GeneratorType) else found

        call.__name__ = name
        return call


class FakePathModule(FakeModule):
    """`os.path` on a faked file system; see `FakeModule`."""

    _of = "posixpath"


class FakeOsModule(FakeModule):
    """`os` on a faked file system; see `FakeModule`."""

    _of = "os"


class FakeIoModule(FakeModule):
    """`io` on a faked file system; see `FakeModule`."""

    _of = "io"


class FakeShutilModule(FakeModule):
    """`shutil` on a faked file system; see `FakeModule`."""

    _of = "shutil"


class FakePathlibModule:
    """`pathlib`, whose paths lead to a faked file system while it is mounted."""

    PurePath = pathlib.PurePath
    Path = pathlib.Path
    PosixPath = pathlib.PosixPath

    def __init__(self, *_: object) -> None:
        pass


class FakeFileOpen:
    """`open` on a faked file system.

    Args:
        filesystem: the file system.
        delete_on_close: nothing here.
        raw_io: nothing here.
    """

    def __init__(
        self, filesystem: FakeFilesystem, delete_on_close: bool = False, raw_io: bool = False
    ) -> None:
        del delete_on_close, raw_io
        self.filesystem = filesystem

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        with seen(self.filesystem):
            return open(*arguments, **options)  # of builtins, this may be in its place


def reload_cleanup_handler(name: str) -> bool:
    """Load a module anew; for `Patcher.register_cleanup_handler`."""
    if name in sys.modules:
        importlib.reload(sys.modules[name])
    return True


@contextmanager
def use_original_os() -> Iterator[None]:
    """Show the disk within the block, if a Patcher hides it."""
    from ._patcher import Patcher

    patcher = Patcher.PATCHER
    if patcher is None or not patcher.is_patching:
        yield
        return
    patcher.pause()
    try:
        yield
    finally:
        patcher.resume()
