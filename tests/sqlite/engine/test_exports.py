"""Importing dmemfs_sqlite: what it leaves out, and by which names its classes are known."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import typing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import dmemfs_sqlite

PROJECT = Path(__file__).resolve().parents[3]


def test_importing_it_imports_no_framework_and_no_demo() -> None:
    program = (
        "import sys\n"
        "from dmemfs_sqlite import *\n"
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


PICKLED_BY_0_1_0 = {
    "UnsafeURIError": (
        b"\x80\x04\x95]\x00\x00\x00\x00\x00\x00\x00\x8c\x15dmemfs_sqlite._errors\x94"
        b"\x8c\x0eUnsafeURIError\x94\x93\x94\x8c\x06file:x\x94\x8c\rit is on disk\x94"
        b"\x8c\x11file:/x?vfs=memdb\x94\x87\x94R\x94."
    ),
    "SnapshotError": (
        b"\x80\x04\x95C\x00\x00\x00\x00\x00\x00\x00\x8c\x15dmemfs_sqlite._errors\x94"
        b"\x8c\rSnapshotError\x94\x93\x94\x8c\x05/a.db\x94\x8c\ttruncated\x94\x86\x94R\x94."
    ),
    **{
        name: f"cdmemfs_sqlite._errors\n{name}\n(S'a text'\ntR.".encode()
        for name in (
            *("BusyError", "IncompatibleTargetError", "LiveDatabaseUnavailable"),
            *("OpenTransactionError", "UnsavedError"),
        )
    },
}


def test_errors_pickled_by_version_0_1_0_load() -> None:
    errors = {name: getattr(dmemfs_sqlite, name) for name in dmemfs_sqlite.__all__}
    errors = {name: cls for name, cls in errors.items() if name.endswith(("Error", "Unavailable"))}
    assert PICKLED_BY_0_1_0.keys() == errors.keys()
    loaded = {name: pickle.loads(pickled) for name, pickled in PICKLED_BY_0_1_0.items()}
    assert {name: type(error) for name, error in loaded.items()} == errors
    unsafe, snapshot = loaded["UnsafeURIError"], loaded["SnapshotError"]
    assert (unsafe.uri, unsafe.suggestion) == ("file:x", "file:/x?vfs=memdb")
    assert (snapshot.path, snapshot.problem) == ("/a.db", "truncated")
    assert all(str(error) for error in loaded.values())


def test_classes_are_known_by_their_public_names() -> None:
    classes = [
        value
        for value in (getattr(dmemfs_sqlite, name) for name in dmemfs_sqlite.__all__)
        if inspect.isclass(value) and not issubclass(value, Exception)
    ]
    assert len(classes) == 9
    for cls in classes:
        assert cls.__module__ == "dmemfs_sqlite", cls
        for name, method in inspect.getmembers(cls, inspect.isroutine):
            if not name.startswith("_"):
                assert method.__qualname__ == f"{cls.__name__}.{name}"
                typing.get_type_hints(method)
        typing.get_type_hints(cls)


def test_a_version_travels_between_processes() -> None:
    version = dmemfs_sqlite.Version(1, datetime(2026, 1, 1, tzinfo=UTC), "a.db", None)
    pickled = pickle.dumps(version)
    assert b"dmemfs_sqlite\x94" in pickled
    assert pickle.loads(pickled) == version
    assert repr(version).startswith("Version(number=1, ")
    with pytest.raises(TypeError, match=r"^Version\.__init__\(\) missing"):
        dmemfs_sqlite.Version(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^SharedDatabase\.connect\(\) takes"):
        dmemfs_sqlite.SharedDatabase.connect(1, 2)  # type: ignore[call-arg, arg-type]
