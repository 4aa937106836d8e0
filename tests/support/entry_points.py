"""What is found only where the project is installed."""

from __future__ import annotations

import importlib
from importlib import metadata

import pytest


def is_installed(group: str, name: str = "dmemfs") -> bool:
    """Tell whether an entry point for this project is found."""
    return name in metadata.entry_points(group=group).names


needs_fsspec_entry_point = pytest.mark.skipif(
    not is_installed("fsspec.specs"),
    reason="the project is not installed, so fsspec does not find it",
)


def make_known_to_fsspec() -> None:
    """Do what the entry point does, where the project is not installed."""
    if not is_installed("fsspec.specs"):
        face = importlib.import_module("dmemfs.fsspec").DmemfsFileSystem
        importlib.import_module("fsspec").register_implementation("dmemfs", face, clobber=True)


def make_known_to_sqlalchemy() -> None:
    """Do what the entry points do, where the project is not installed."""
    registry = importlib.import_module("sqlalchemy.dialects").registry
    for name, dialect in (("dmemfs", "DmemfsDialect"), ("aiodmemfs", "AsyncDmemfsDialect")):
        if not is_installed("sqlalchemy.dialects", f"sqlite.{name}"):
            registry.register(f"sqlite.{name}", "dmemfs_sqlite._dialects", dialect)
