"""What is told to worker processes: that they cannot see what is mounted here.

A worker that is started anew (by "spawn", "forkserver" or loky) gets its tasks later, through a
pipe, and they may name mounted paths. It would find the real disk there, and write to it without a
word.
"""

from __future__ import annotations

import os
from typing import Any

from .table import MountTable

_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def worker_code(table: MountTable, what: str, *, is_module: bool) -> str:
    """Return what a new Python is to run instead.

    Args:
        table: what is mounted.
        what: the code that it was to run, or the module.
        is_module: which of them.
    """
    mounts = [(each.point, each.passed) for each in table.mounts if not table.shows(each)]
    cwd = table.cwd
    own_code = _running(what) if is_module else what
    module = f"{what.rpartition('.')[0]}.spawn" if is_module else "multiprocessing.spawn"
    arguments: tuple[Any, ...] = (mounts, module, cwd is not None and not table.shows(cwd.mount))
    # Where this package is may be known to this process alone.
    return (
        f"import sys; sys.path.append({_FOLDER!r}); from dmemfs._worker import refuse; "
        f"sys.path.remove({_FOLDER!r}); refuse(*{arguments!r}); {own_code}"
    )


def _running(module: str) -> str:
    return f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
