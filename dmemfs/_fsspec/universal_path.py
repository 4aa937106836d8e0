"""What universal_pathlib makes of URLs of file systems; it finds this by an entry point."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_UPath: Any = import_module("upath").UPath
# It asks the classes that fsspec has loaded how their paths look, and does not load any.
import_module("fsspec").get_filesystem_class("dmemfs")


class DmemfsPath(_UPath):  # type: ignore[misc]
    """A `UPath` that shows the name of its file system, and so is found again by its text."""

    __slots__ = ()

    def __str__(self) -> str:
        text: str = super().__str__()
        name = self.storage_options.get("name")
        if name is not None and text.startswith("dmemfs:///"):
            return text.replace("dmemfs://", f"dmemfs://{name}", 1)
        return text
