"""The handle on sqlite3's own library: proven, used for what it is for, and done without."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dmemfs_sqlite._engine import library as library_module
from dmemfs_sqlite._engine.library import native_library, uninitialized_bytes
from tests.support.sqlite_databases import (
    connect,
    fill,
    marks,
    unique_uri,
)

cpython = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="only CPython's connections are understood"
)


@cpython
@pytest.mark.skipif(sys.platform != "linux", reason="proven to be reachable on Linux only")
def test_the_library_of_sqlite3_is_found() -> None:
    with closing(connect(":memory:")) as connection:
        library = native_library(connection)
        assert library is not None
        assert native_library(connection) is library


@cpython
def test_a_subclass_has_the_library_of_its_base() -> None:
    import sqlite3

    class Owner(sqlite3.Connection):
        """What applications do."""

    with closing(connect(":memory:", factory=Owner)) as owner, closing(connect(":memory:")) as base:
        assert native_library(owner) is native_library(base)


def test_another_sqlite_library_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    class Impostor:
        """A library with all the functions, in which connect() does not run."""

        def __init__(self, name: object) -> None:
            def do_nothing(*_: object) -> int:
                return 0

            self.sqlite3_auto_extension = do_nothing
            self.sqlite3_cancel_auto_extension = do_nothing

    monkeypatch.setattr(ctypes, "CDLL", Impostor)
    assert library_module._library_of.__wrapped__(sqlite3.Connection) is None


def test_connections_of_nobody_have_no_library() -> None:
    class Connection:
        """Something that only looks like one."""

    assert native_library(Connection()) is None  # type: ignore[arg-type]


@cpython
def test_the_proof_disturbs_no_other_connection() -> None:
    program = (
        "import sqlite3, threading\n"
        "from dmemfs_sqlite._engine.library import native_library\n"
        "stop, errors = threading.Event(), []\n"
        "def open_many():\n"
        "    while not stop.is_set():\n"
        "        try: sqlite3.connect(':memory:').close()\n"
        "        except BaseException as error: errors.append(error)\n"
        "threads = [threading.Thread(target=open_many) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "connection = sqlite3.connect(':memory:')\n"
        "from dmemfs_sqlite._engine import library\n"
        "for _ in range(50):\n"
        "    library._library_of.cache_clear()\n"
        "    native_library(connection)\n"
        "stop.set()\n"
        "for thread in threads: thread.join(60)\n"
        "print(len(errors))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


@cpython
def test_a_closed_connection_is_an_error_and_no_crash() -> None:
    import sqlite3

    connection = connect(":memory:")
    library = native_library(connection)
    if library is None:
        pytest.skip("the SQLite library of this Python cannot be reached by ctypes")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        library.has_open_write(connection, "main")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        library.set_busy_timeout(connection, 1)


@cpython
def test_uninitialized_bytes_are_bytes_of_their_own() -> None:
    for size in (0, 1, 100, 1 << 20):
        one, other = uninitialized_bytes(size), uninitialized_bytes(size)
        assert type(one) is bytes
        assert len(one) == size
        if size > 1:
            assert one is not other
            ctypes.memset(library_module._address(one), 7, size)
            assert one == b"\x07" * size


@cpython
def test_only_the_own_write_is_an_open_write() -> None:
    uri = unique_uri()
    with closing(connect(uri)) as one, closing(connect(uri)) as two:
        fill(one)
        library = native_library(one)
        if library is None:
            pytest.skip("the SQLite library of this Python cannot be reached by ctypes")
        for connection in (one, two):
            assert not library.has_open_write(connection, "main")
        one.execute("BEGIN")
        assert marks(one) == {"row"}
        assert not library.has_open_write(one, "main")
        one.execute("DELETE FROM t")
        assert library.has_open_write(one, "main")
        assert not library.has_open_write(two, "main")
        assert not library.has_open_write(one, "nobody")
        one.execute("ROLLBACK")
        assert not library.has_open_write(one, "main")
