"""What is open in a faked file system, by descriptors and by file objects."""

from __future__ import annotations

import errno
from typing import Any

from .._errors import os_error
from .._mount.mount import process
from ._calls import Calls
from ._objects import FakeFile


class OpenFile:
    """What a descriptor leads to."""

    def __init__(self, found: FakeFile) -> None:
        self._object = found

    def get_object(self) -> FakeFile:
        """Return the object of the file."""
        return self._object


class OpenFiles(Calls):
    """Tells what is open while it is mounted."""

    @property
    def open_files(self) -> list[Any]:
        """The file objects that are open."""
        return self._mount.open_files() if self._mount is not None else []

    def has_open_file(self, file_object: FakeFile) -> bool:
        """Tell whether a file is open."""
        return any(file._node is file_object._node for file in self.open_files)

    def get_open_file(self, file_des: int) -> OpenFile:
        """Return what a descriptor leads to.

        Raises:
            OSError: EBADF, nothing in here.
        """
        lent = process.descriptors.lent.find(file_des)
        if lent is None or lent.mount.fs is not self.memory:
            raise os_error(errno.EBADF)
        return OpenFile(self._object_of(lent.node))

    def get_open_files(self, file_des: int) -> list[OpenFile]:
        """Return what a descriptor leads to, in a list; see `get_open_file`."""
        return [self.get_open_file(file_des)]
