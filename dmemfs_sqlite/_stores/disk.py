"""The disk, as a store of files."""

from __future__ import annotations

import builtins
import os
from typing import Any


class Disk:
    """The file system of the machine, with the methods that stores have."""

    listdir = staticmethod(os.listdir)
    makedirs = staticmethod(os.makedirs)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    remove = staticmethod(os.remove)
    replace = staticmethod(os.replace)
    is_dir = staticmethod(os.path.isdir)
    is_symlink = staticmethod(os.path.islink)
    readlink = staticmethod(os.readlink)

    @staticmethod
    def open(path: Any, mode: str = "rb", /) -> Any:
        """Open a file, in binary mode."""
        return builtins.open(path, mode)
