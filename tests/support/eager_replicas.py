"""Replicas of live databases, made at every chance instead of beside a busy thread only.

As a plugin, for every test:

    python -m pytest -p tests.support.eager_replicas tests/sqlite/live
"""

from __future__ import annotations

import pytest

from dmemfs_sqlite._vfs import file_callbacks, replica


def make_eager(patch: pytest.MonkeyPatch) -> None:
    """Have every page looked at, and every transaction find that it has waited."""
    patch.setattr(file_callbacks, "MARK", 0)
    for threshold in ("_QUICK", "_PATIENCE"):
        patch.setattr(replica, threshold, float("-inf"))


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    make_eager(patch)
    config.add_cleanup(patch.undo)
