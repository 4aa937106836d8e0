"""SQLite databases in a file system in memory: live there, or carried in and out."""

from __future__ import annotations

import sys

from dmemfs._late import late_names

TYPE_CHECKING = False
if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # to a type checker, a name that is missing is missing
    __getattr__ = late_names(
        sys.modules[__name__],
        {
            "BusyError": "_errors",
            "Commit": "_inspection.record",
            "DatabaseChanges": "_inspection.changes",
            "DatabaseTemplate": "_live.template",
            "IncompatibleTargetError": "_errors",
            "LiveDatabaseUnavailable": "_errors",
            "OpenTransactionError": "_errors",
            "Recording": "_inspection.record",
            "SchemaChanges": "_inspection.changes",
            "SharedDatabase": "_courier.shared",
            "SnapshotError": "_errors",
            "SnapshotStore": "_courier.store",
            "TableChanges": "_inspection.changes",
            "UnsafeURIError": "_errors",
            "UnsavedError": "_errors",
            "Version": "_courier.store",
            "changes": "_inspection.changes",
            "connect": "_live.connect",
            "copy_db": "_live.committed",
            "explain_uri": "_engine.uri",
            "live_uri": "_live.connect",
            "load_db": "_courier.load",
            "memory_uri": "_engine.uri",
            "record": "_inspection.record",
            "save_db": "_courier.save",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
