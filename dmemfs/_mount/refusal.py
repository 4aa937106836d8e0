"""The error for what can never work on a mounted file."""

from __future__ import annotations

import errno
import os
from typing import Any


def refusal(what: str, path: Any) -> OSError:
    """Return the error for what needs a real file, naming the way out."""
    shown = os.fsdecode(path) if not isinstance(path, int) else "<path of the file>"
    return OSError(
        errno.ENOTSUP,
        f"{os.strerror(errno.ENOTSUP)}: {what}, since only this process can see it. Use a real "
        f"copy: with dmemfs.materialize({shown!r}) as real: ...",
        path,
    )
