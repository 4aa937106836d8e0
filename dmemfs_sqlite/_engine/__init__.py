"""SQLite as it is, without any file system."""
