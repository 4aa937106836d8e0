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
        raise ImportError(
            f"{module} is needed here: python3 -m pip install 'dmemfs-sqlite[{extra}]'",
            name=module,
        ) from error
