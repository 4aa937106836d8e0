"""A file system in memory: POSIX behaviour, hard quotas, true io objects."""

from ._attributes import Usage
from ._difference import Difference
from ._directory_quotas import Quota
from ._errors import ArchiveError, PackError, QuotaExceededError
from ._materialize import materialize
from ._memory_filesystem import MemoryFileSystem
from ._mount import mount
from ._snapshot import Snapshot
from ._trees import Link

__all__ = [
    "ArchiveError",
    "Difference",
    "Link",
    "MemoryFileSystem",
    "PackError",
    "Quota",
    "QuotaExceededError",
    "Snapshot",
    "Usage",
    "materialize",
    "mount",
]
