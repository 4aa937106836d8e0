"""Test databases of the backend: built once, cloned for workers, and gone back to after tests."""

from __future__ import annotations

import multiprocessing
import os
import secrets
from contextlib import suppress
from typing import Any

from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.backends.sqlite3 import creation

from .databases import NamedDatabase, forget, named

# In the settings of a test database: the file that --keepdb keeps it in, and what a process that
# was not forked begins with.
_IMAGE = "IMAGE"
_CLONE = "CLONE"


class DatabaseCreation(creation.DatabaseCreation):  # type: ignore[misc]
    """Makes and removes test databases.

    A worker of `test --parallel` has a copy of the memory of this process if it was forked. Any
    other one is given the bytes of the database with its settings.
    """

    @staticmethod
    def is_in_memory_db(database_name: Any) -> bool:
        """Tell Django to take it for a file: each thread has a connection, and may close it."""
        return False

    def create_test_db(
        self,
        verbosity: int = 1,
        autoclobber: bool = False,
        serialize: bool = True,
        keepdb: bool = False,
    ) -> str:
        name: str = super().create_test_db(verbosity, autoclobber, serialize, keepdb)
        self.connection.close()  # so that all is in the one file, with WAL too
        database = self._database()
        database.begin_here()
        image = self._settings().get(_IMAGE)
        if keepdb and image is not None:
            _replace_file(image, database.to_bytes())
        return name

    def begin_again(self) -> bool:
        """Go back to what tests begin with, and tell whether that could be done."""
        return not self.connection.in_atomic_block and self._database().begin_again()

    def setup_worker_connection(self, _worker_id: int) -> None:
        self.connection.close()
        image = self._settings().pop(_CLONE, None)
        if image is not None:
            database = self._database()
            database.take(image)
            database.begin_here()
            if os.environ.get("RUNNING_DJANGOS_TEST_SUITE") == "true":
                self.mark_expected_failures_and_skips()

    def _get_test_db_name(self) -> str:
        name = self._settings()["NAME"]
        return str(name or f"{TEST_DATABASE_PREFIX}{self.connection.settings_dict['NAME']}")

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._get_test_db_name()
        if not keepdb:
            forget(name)
            return name
        image = self._settings().get(_IMAGE)
        if image is not None:
            with suppress(FileNotFoundError), open(image, "rb") as file:
                if not named(name, self._max_quota()).take(file.read()):
                    self.log(f"{image} is no database; the test database is built anew")
        elif verbosity >= 1:
            self.log("It is kept in memory; a file that outlives the process is TEST['IMAGE'].")
        return name

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        if multiprocessing.get_start_method() != "fork":
            settings = self._settings()
            if _CLONE not in settings:
                settings[_CLONE] = self._database().to_bytes()

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        forget(test_database_name)

    def _database(self) -> NamedDatabase:
        return named(str(self.connection.settings_dict["NAME"]), self._max_quota())

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.connection.settings_dict["TEST"]
        return settings

    def _max_quota(self) -> int | str | None:
        quota: int | str | None = self.connection.settings_dict["OPTIONS"].get("max_quota")
        return quota


def _replace_file(path: Any, content: bytes) -> None:
    """Let a file on the disk have other content, at once or not at all."""
    new = f"{os.fspath(path)}.{secrets.token_hex(4)}"
    try:
        with open(new, "wb") as file:
            file.write(content)
        os.replace(new, path)
    except BaseException:
        with suppress(OSError):
            os.remove(new)
        raise
