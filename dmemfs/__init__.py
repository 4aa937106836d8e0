"""A file system in memory: POSIX behaviour, hard quotas, true io objects."""

from ._errors import QuotaExceededError
from ._memory_filesystem import MemoryFileSystem

__all__ = ["MemoryFileSystem", "QuotaExceededError"]
