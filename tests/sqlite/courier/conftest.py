"""What the tests of saving and loading share."""

from __future__ import annotations

import pytest

from tests.support.sqlite_modules import needs_serialize


@pytest.fixture(
    params=["with the library", pytest.param("without the library", marks=needs_serialize)]
)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test on both ways of opening and copying: ctypes, and the sqlite3 module alone."""
    if request.param == "without the library":
        monkeypatch.setattr("dmemfs_sqlite._courier.copy.native_library", lambda connection: None)
    return str(request.param)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let copies of a few megabytes take several steps."""
    monkeypatch.setattr("dmemfs_sqlite._courier.copy._STEP", 1 << 16)
