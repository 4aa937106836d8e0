"""SQLite databases in a file system in memory: live there, or carried in and out."""

from ._courier.load import load_db
from ._courier.save import save_db
from ._courier.shared import SharedDatabase
from ._courier.store import SnapshotStore, Version
from ._engine.uri import explain_uri, memory_uri
from ._errors import (
    BusyError,
    IncompatibleTargetError,
    LiveDatabaseUnavailable,
    OpenTransactionError,
    SnapshotError,
    UnsafeURIError,
    UnsavedError,
)
from ._inspection.changes import DatabaseChanges, SchemaChanges, TableChanges, changes
from ._inspection.record import Commit, Recording, record
from ._live.committed import copy_db
from ._live.connect import connect, live_uri
from ._live.template import DatabaseTemplate

__all__ = [
    "BusyError",
    "Commit",
    "DatabaseChanges",
    "DatabaseTemplate",
    "IncompatibleTargetError",
    "LiveDatabaseUnavailable",
    "OpenTransactionError",
    "Recording",
    "SchemaChanges",
    "SharedDatabase",
    "SnapshotError",
    "SnapshotStore",
    "TableChanges",
    "UnsafeURIError",
    "UnsavedError",
    "Version",
    "changes",
    "connect",
    "copy_db",
    "explain_uri",
    "live_uri",
    "load_db",
    "memory_uri",
    "record",
    "save_db",
]
