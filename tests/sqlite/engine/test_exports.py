"""What importing dmemfs_sqlite does not import, and what of it can be pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import dmemfs_sqlite

PROJECT = Path(__file__).resolve().parents[3]


def test_importing_it_imports_no_framework_and_no_demo() -> None:
    program = (
        "import sys, dmemfs_sqlite\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] in "
        "{'sqlalchemy', 'django', 'aiosqlite', 'fsspec', 'argparse'} or 'demo' in name))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize(
    "error",
    [
        dmemfs_sqlite.UnsafeURIError("file:x", "it is on disk", "file:/x?vfs=memdb"),
        dmemfs_sqlite.SnapshotError("/a.db", "truncated"),
        dmemfs_sqlite.BusyError("database is locked"),
    ],
)
def test_errors_travel_between_processes(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__
