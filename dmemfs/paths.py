"""Paths of a file system as objects, with the methods of `pathlib.Path`: see `MemoryPath`."""

from ._pathlib.path import MemoryPath

__all__ = ["MemoryPath"]
