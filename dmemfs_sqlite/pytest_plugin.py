"""Fixtures for pytest: a SQLite database in memory for each test.

pytest finds this module by itself where the distribution is installed. It needs the plugin of
`dmemfs`, for the fixture `memfs`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # a pytest that uses no fixture of ours loads nothing but this module
    import sqlite3

    from dmemfs import MemoryFileSystem

    from ._live.private import Beginning, Images

_MOST_ROWS = 20
"""Rows of each kind that a report shows for each table."""

_opened = pytest.StashKey["tuple[MemoryFileSystem, sqlite3.Connection, bytes]"]()


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
    from ._live.private import Images

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
    Where the test fails, its report says what has changed since.
    """
    from ._inspection import changes  # noqa: F401  # for the report, where the disk may be hidden
    from ._live.private import open_private

    beginning = memdb_template
    for marker in request.node.iter_markers("memfs"):
        if "sqlite" in marker.kwargs:
            beginning = marker.kwargs["sqlite"]
            break
    with closing(open_private(memfs, beginning, _memdb_images)) as connection:
        image = b"" if beginning is None else _memdb_images.of(beginning)
        request.node.stash[_opened] = memfs, connection, image
        yield connection


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in the report of a test that failed what it has changed in its `memdb`."""
    report = yield
    opened = item.stash.get(_opened, None)
    if opened is not None and call.when == "teardown":
        del item.stash[_opened]  # items live as long as the session
    elif opened is not None and report.failed:
        report.sections.append((f"memdb ({call.when})", _changes_of(*opened)))
    return report


def _changes_of(fs: MemoryFileSystem, connection: sqlite3.Connection, image: bytes) -> str:
    import sqlite3

    from ._inspection.changes import changes
    from ._live.private import PATH

    with suppress(sqlite3.Error):  # it may be closed; what is not committed is seen by it alone
        return str(changes(image, connection, limit=_MOST_ROWS))
    try:
        return str(changes(image, (fs, PATH), limit=_MOST_ROWS))
    except (OSError, sqlite3.Error, ValueError) as error:
        return f"what has changed cannot be told: {error}"
