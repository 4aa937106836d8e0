"""Paths as objects: those of a file system, with the methods of `pathlib.Path`."""
