"""What the tree knows of that to which a descriptor leads."""

from __future__ import annotations

import os
from typing import Any

from .._errors import require_c_int
from .._tree.attributes import require_owner, times_of
from .table import Mounted


class Described:
    """A file or directory that is known by a descriptor.

    Attributes:
        mount: where it was opened.
        node: the file or directory.
    """

    __slots__ = ("mount", "node")

    mount: Mounted
    node: Any

    def status(self, **_: Any) -> os.stat_result:
        """Return the attributes, as `os.fstat` does."""
        self._ask("stat")
        return self.mount.fs._status(self.node)

    def set_mode(self, mode: int, **_: Any) -> None:
        """Set the permission bits, as `os.fchmod` does."""
        require_c_int(mode)
        self._ask("chmod")
        self.mount.fs._set_mode(self.node, mode)

    def set_owner(self, uid: int, gid: int, **_: Any) -> None:
        """Set the owner, as `os.fchown` does."""
        require_owner(uid, gid)
        self._ask("chown")
        self.mount.fs._set_owner(self.node, uid, gid)

    def set_times(self, times: Any = None, *, ns: Any = None, **_: Any) -> None:
        """Set the times of access and of modification, as `os.utime` does."""
        atime, mtime = times_of(times, ns)
        self._ask("utime")
        self.mount.fs._set_times(self.node, atime, mtime)

    def _ask(self, operation: str) -> None:
        fs = self.mount.fs
        if fs._interceptors:
            fs._ask(operation, node=self.node)
