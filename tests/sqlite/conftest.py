"""What all tests of dmemfs_sqlite share."""

from tests.support.sqlite_databases import no_database_on_disk

__all__ = ["no_database_on_disk"]
