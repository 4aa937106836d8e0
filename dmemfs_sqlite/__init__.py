"""SQLite databases in a file system in memory: live there, or carried in and out."""

from ._errors import (
    BusyError,
    IncompatibleTargetError,
    LiveDatabaseUnavailable,
    OpenTransactionError,
    SnapshotError,
    UnsafeURIError,
    UnsavedError,
)
from ._live import connect, live_uri
from ._live_copy import copy_db
from ._load import load_db
from ._save import save_db
from ._shared import SharedDatabase
from ._store import SnapshotStore, Version
from ._template import DatabaseTemplate
from ._uri import explain_uri, memory_uri

__all__ = [
    "BusyError",
    "DatabaseTemplate",
    "IncompatibleTargetError",
    "LiveDatabaseUnavailable",
    "OpenTransactionError",
    "SharedDatabase",
    "SnapshotError",
    "SnapshotStore",
    "UnsafeURIError",
    "UnsavedError",
    "Version",
    "connect",
    "copy_db",
    "explain_uri",
    "live_uri",
    "load_db",
    "memory_uri",
    "save_db",
]
