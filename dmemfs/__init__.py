"""A file system in memory: POSIX behaviour, hard quotas, true io objects."""

from ._attributes import Usage
from ._difference import Difference
from ._directory_quotas import Quota
from ._errors import QuotaExceededError
from ._memory_filesystem import MemoryFileSystem
from ._snapshot import Snapshot

__all__ = [
    "Difference",
    "MemoryFileSystem",
    "Quota",
    "QuotaExceededError",
    "Snapshot",
    "Usage",
]
