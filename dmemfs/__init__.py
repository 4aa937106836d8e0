"""A file system in memory: POSIX behaviour, hard quotas, true io objects."""

from __future__ import annotations

import sys

from ._late import late_names

TYPE_CHECKING = False
if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # to a type checker, a name that is missing is missing
    __getattr__ = late_names(
        sys.modules[__name__],
        {
            "ArchiveError": "_errors",
            "Difference": "_transfer.differing",
            "Link": "_transfer.dictionaries",
            "MemoryFileSystem": "_memory_filesystem",
            "PackError": "_errors",
            "Quota": "_tree.quotas",
            "QuotaExceededError": "_errors",
            "Snapshot": "_snapshots.snapshot",
            "Usage": "_tree.attributes",
            "materialize": "_mount.materialize",
            "mount": "_mount.mount",
            "no_disk_writes": "_mount.disk_writes",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
