"""Carry SQLite databases between memory and a file system."""

from ._errors import (
    BusyError,
    IncompatibleTargetError,
    OpenTransactionError,
    SnapshotError,
    UnsafeURIError,
    UnsavedError,
)
from ._load import load_db
from ._save import save_db
from ._shared import SharedDatabase
from ._store import SnapshotStore, Version
from ._uri import explain_uri, memory_uri

__all__ = [
    "BusyError",
    "IncompatibleTargetError",
    "OpenTransactionError",
    "SharedDatabase",
    "SnapshotError",
    "SnapshotStore",
    "UnsafeURIError",
    "UnsavedError",
    "Version",
    "explain_uri",
    "load_db",
    "memory_uri",
    "save_db",
]
