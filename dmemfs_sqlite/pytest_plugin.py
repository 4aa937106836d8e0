"""Fixtures for pytest: a SQLite database in memory for each test.

pytest finds this module by itself where the distribution is installed. It needs the plugin of
`dmemfs`, for the fixture `memfs`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

from ._live.private import Beginning, Images, open_private


@pytest.fixture(scope="session")
def memdb_template() -> Beginning | None:
    """What each `memdb` begins with: nothing.

    A fixture of one's own of this name, with the scope "session", gives something else: SQL, the
    bytes of a database file, a `DatabaseTemplate`, or a function that is given a connection to an
    empty database.
    """
    return None


@pytest.fixture(scope="session")
def _memdb_images() -> Images:
    return Images()


@pytest.fixture
def memdb(
    request: pytest.FixtureRequest,
    memfs: MemoryFileSystem,
    memdb_template: Any,
    _memdb_images: Images,
) -> Iterator[sqlite3.Connection]:
    """A connection to a database of the test's own, the file "/memdb.db" of its `memfs`.

    It begins with what the option `sqlite` of the marker `memfs` says, else with what the fixture
    `memdb_template` returns. That is built once in a session, and shared until it is written to.
    """
    beginning = memdb_template
    for marker in request.node.iter_markers("memfs"):
        if "sqlite" in marker.kwargs:
            beginning = marker.kwargs["sqlite"]
            break
    with closing(open_private(memfs, beginning, _memdb_images)) as connection:
        yield connection
