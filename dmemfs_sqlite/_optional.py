"""Packages that only one part needs."""

from __future__ import annotations

import importlib
from typing import Any


def require(module: str, extra: str) -> Any:
    """Import a module, or say which extra installs it.

    Raises:
        ImportError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        # What a package needs itself may be what is missing.
        missing = (error.name or module).partition(".")[0]
        for_what = "" if module.startswith(missing) else f", by {module}"
        raise ImportError(
            f"{missing} is needed here{for_what}: python3 -m pip install 'dmemfs-sqlite[{extra}]', "
            f"or '.[{extra}]' in a checkout",
            name=missing,
        ) from error
