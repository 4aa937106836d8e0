"""Django's backend for SQLite, on live databases."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db.backends.sqlite3 import base, client, operations
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from .._live.connect import explain, live_uri
from .creation import DatabaseCreation
from .databases import PATH, named

# Seconds that a statement waits for the locks of other threads, unless OPTIONS say it.
_TIMEOUT = 30.0


class DatabaseClient(client.DatabaseClient):  # type: ignore[misc]
    """What `manage.py dbshell` runs."""

    def runshell(self, parameters: Any) -> None:
        raise CommandError(
            "the database is in the memory of this process, where the program sqlite3 is not: "
            "write it to a file first, by dmemfs_sqlite.save_db()"
        )


class FlushAfterTest(list[str]):
    """The SQL that empties all tables after a `TransactionTestCase`."""


class DatabaseOperations(operations.DatabaseOperations):  # type: ignore[misc]
    """Django's own, but for what follows a `TransactionTestCase`.

    The command `flush` empties all tables then, and sends signals for their first rows to be made
    again. To go back to the state that tests begin with takes neither.
    """

    def sql_flush(
        self, style: Any, tables: Any, *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> Any:
        statements = super().sql_flush(
            style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade
        )
        # By the command line, and as the command's default, sequences are reset.
        return statements if reset_sequences else FlushAfterTest(statements)

    def execute_sql_flush(self, sql_list: Any) -> None:
        if isinstance(sql_list, FlushAfterTest) and self.connection.creation.begin_again():
            sql_list.clear()  # with nothing executed, the command sends no signals
        else:
            super().execute_sql_flush(sql_list)


class ExplainedErrors(DatabaseErrorWrapper):  # type: ignore[misc]
    """Where SQLite's errors become Django's: with what the file system answered, the quota say.

    To explain them here costs nothing where there are none; a factory would cost each call.
    """

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if isinstance(exc_value, (self.wrapper.Database.Error, MemoryError)):
            explain(exc_value)
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """A connection of Django's to a live database.

    `NAME` names the database, which lives as long as the process; each thread has a connection of
    its own. Beside the OPTIONS of Django's backend there are `journal`, as of
    `dmemfs_sqlite.connect`, and `max_quota`, as of `MemoryFileSystem`. With Django 5.1 or later a
    transaction begins by BEGIN IMMEDIATE, unless OPTIONS have a `transaction_mode`.
    """

    client_class = DatabaseClient
    creation_class = DatabaseCreation
    ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        if "transaction_mode" not in self.settings_dict["OPTIONS"]:
            # Else a transaction that reads first and writes later could not wait for a writer.
            self.transaction_mode = "IMMEDIATE"
        database = named(str(parameters["database"]), parameters.pop("max_quota", None))
        usual = "file" if database.beginning is None else "memory"
        journal = parameters.pop("journal", usual)
        parameters["database"] = live_uri(database.fs, PATH, journal=journal)
        parameters.setdefault("timeout", _TIMEOUT)
        return parameters

    @cached_property  # type: ignore[untyped-decorator]
    def wrap_database_errors(self) -> ExplainedErrors:
        return ExplainedErrors(self)
