"""The log: what is done in another way than was asked for, and why."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def logger() -> Any:
    """Return `logging.getLogger("dmemfs")`, which is silent unless the program sets handlers."""
    import logging  # late: it takes as long to import as this package

    log = logging.getLogger("dmemfs")
    log.addHandler(logging.NullHandler())
    return log
