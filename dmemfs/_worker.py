"""Worker processes of one in which something is mounted: they refuse what they cannot see."""

from __future__ import annotations

import errno
import importlib
import os
from typing import Any

from ._memory_filesystem import MemoryFileSystem
from ._mount.mount import Mount, process
from ._mount.real_directory import SCRATCH_PREFIXES

_kept: list[object] = []


def refuse(mounts: list[tuple[str, tuple[str, ...]]], spawning: str, stays: bool) -> None:
    """Let everything below the mount points of another process fail in this one.

    Args:
        mounts: the mount points, with what is passed through there.
        spawning: the module that prepares a worker for its work.
        stays: whether it is to stay where it is, since its working directory would be mounted.
    """
    for point, passed in reversed(mounts):
        fs = MemoryFileSystem(max_quota=1 << 20, max_nodes=100)
        mount = Mount(fs, point, passthrough=passed if point == "/" else ())
        mount.__enter__()
        _kept.append(mount)
        text = (
            f"{os.strerror(errno.ENOTSUP)}: it is mounted at {point!r} in the process that started "
            "this worker, and only that one can see it. Give the worker bytes, or a real copy: "
            f"with dmemfs.materialize({point!r}, write_back=True) as real: ..."
        )
        _kept.append(fs.fail(error=OSError(errno.ENOTSUP, text)))
    for prefix in SCRATCH_PREFIXES:  # where real copies are
        process.table.show_real_below(prefix)
    if stays or any(point == "/" for point, _ in mounts):
        module: Any = importlib.import_module(spawning)
        prepare = module.prepare
        module.prepare = lambda data, *more: prepare(_without_directory(data), *more)


def _without_directory(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "dir"}
