"""Live databases of which every page is read by a call, as where nothing can be read in C.

As a plugin, for every test:

    python -m pytest -p tests.support.reads_by_calls tests/sqlite/live
"""

from __future__ import annotations

import pytest

from dmemfs_sqlite._vfs.reading import ReadsInC
from dmemfs_sqlite._vfs.registration import VfsLibrary


def read_by_calls(patch: pytest.MonkeyPatch) -> None:
    """Let nothing that is opened from now on be read in C."""
    patch.setattr(ReadsInC, "begin", lambda _self, _reader: None)


def pytest_configure(config: pytest.Config) -> None:
    """Before anybody asks a library for what reads in C."""
    patch = pytest.MonkeyPatch()
    patch.setattr(VfsLibrary, "reads", None)
    config.add_cleanup(patch.undo)
