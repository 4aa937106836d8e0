"""Django with its data in memory, for use and for tests.

In `settings.py`, for live databases that threads share and tests clone::

    DATABASES = {"default": {"ENGINE": "dmemfs_sqlite.django", "NAME": "app"}}

or, with Django's own backend, for databases of other kinds::

    from dmemfs_sqlite.django import database, live_database, test_database

    DATABASES = {"default": database("app")}               # lives as long as the process
    DATABASES = {"default": live_database(fs, "/app.db")}  # a file of the file system
    DATABASES["default"]["TEST"] = test_database("app")    # or only the tests in memory

Django's default test database in memory is on a shared cache, where a second writer fails
at once with "table is locked".
"""

from __future__ import annotations

from .._django.databases import file_system
from .._django.settings import database, live_database, options, test_database

__all__ = ["database", "file_system", "live_database", "options", "test_database"]
