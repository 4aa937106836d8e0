"""A pipeline stages files in memory, and ships them to the disk when its quota is reached.

Batches arrive one by one and are collected in a MemoryFileSystem, so that the disk is written to
seldom and in one go. The quota bounds the memory of it: a write that does not fit changes nothing
and raises QuotaExceededError, and the pipeline makes room and writes again. A batch that is larger
than the whole quota can never be staged and goes to the disk at once.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem, QuotaExceededError

QUOTA = 1_000_000  # bytes


def batches() -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of what the pipeline receives."""
    for number, size in enumerate([300_000, 400_000, 250_000, 200_000, 1_500_000, 600_000], 1):
        yield f"batch-{number}.bin", bytes([number]) * size


def ship(staging: MemoryFileSystem, destination: Path) -> int:
    """Move every staged file to the disk, and return how many there were."""
    names = staging.listdir("/")
    for name in names:
        with staging.open(f"/{name}", "rb") as source, open(destination / name, "wb") as target:
            shutil.copyfileobj(source, target)
        # Only now, so that an error on the disk loses nothing.
        staging.remove(f"/{name}")
    return len(names)


def stage(staging: MemoryFileSystem, name: str, content: bytes, destination: Path) -> None:
    """Put a batch into memory, or on the disk if it is larger than the quota."""
    try:
        staging.write_bytes(f"/{name}", content)
    except QuotaExceededError as error:
        print(f"{name}: {error.requested:,} bytes do not fit into {error.available:,}")
        if len(content) > error.limit:
            (destination / name).write_bytes(content)
            print(f"{name}: larger than the quota, written to the disk")
            return
        print(f"shipped {ship(staging, destination)} files")
        staging.write_bytes(f"/{name}", content)
    print(f"{name}: staged, {staging.usage().bytes:,} of {QUOTA:,} bytes in use")


def main() -> None:
    """Run the pipeline, and check that every batch has arrived."""
    staging = MemoryFileSystem(max_quota=QUOTA)
    with tempfile.TemporaryDirectory() as directory:
        destination = Path(directory)
        for name, content in batches():
            stage(staging, name, content, destination)
        print(f"shipped {ship(staging, destination)} files")

        for name, content in batches():
            assert (destination / name).read_bytes() == content
        print(f"{len(list(destination.iterdir()))} files arrived whole")


if __name__ == "__main__":
    main()
