"""A file system in memory: POSIX behaviour, hard quotas, true io objects."""

from ._errors import ArchiveError, PackError, QuotaExceededError
from ._memory_filesystem import MemoryFileSystem
from ._mount.disk_writes import no_disk_writes
from ._mount.materialize import materialize
from ._mount.mount import mount
from ._snapshots.snapshot import Snapshot
from ._transfer.dictionaries import Link
from ._transfer.differing import Difference
from ._tree.attributes import Usage
from ._tree.quotas import Quota

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
    "no_disk_writes",
]
