"""SQLite's calls for files, answered from a tree."""
