"""Errors of the SQLite adapter, in the order in which a user can meet them."""

from __future__ import annotations

import sqlite3
from typing import Any

# --- before anything is opened -------------------------------------------------


class UnsafeURIError(ValueError):
    """Raised for a URI that would reach the disk or be silently private.

    Attributes:
        uri: The URI as it was given.
        problem: What is wrong with it.
        suggestion: The URI to write instead, or None where none can be guessed.
    """

    def __init__(self, uri: str, problem: str, suggestion: str | None = None) -> None:
        self.uri = uri
        self.problem = problem
        self.suggestion = suggestion
        hint = "" if suggestion is None else f"; write {suggestion!r}"
        super().__init__(f"{uri!r}: {problem}{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.uri, self.problem, self.suggestion)


# --- reading a snapshot -----------------------------------------------------------


class SnapshotError(sqlite3.DatabaseError):
    """Raised when a stored file is not a whole, sound SQLite database.

    Attributes:
        path: The path of the file in its file system.
        problem: What is wrong with it.
    """

    def __init__(self, path: object, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path!s}: {problem}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.problem)


class IncompatibleTargetError(sqlite3.OperationalError):
    """Raised when a sound snapshot cannot be put into this target database."""


# --- waiting for other connections ------------------------------------------------


class OpenTransactionError(sqlite3.OperationalError):
    """Raised when the given connection itself has uncommitted changes."""


class BusyError(sqlite3.OperationalError):
    """Raised when another connection kept its lock for the whole timeout."""


# --- shared databases -------------------------------------------------------------


class UnsavedError(sqlite3.OperationalError):
    """Raised when the last connection has closed and its content could not be saved.

    The content is still in memory: `save()` or `close()` may be tried again. `__cause__`
    is the error that the save met.
    """


# --- live databases ---------------------------------------------------------------


class LiveDatabaseUnavailable(sqlite3.NotSupportedError):
    """Raised where SQLite cannot open databases inside of a file system; the text says why."""
