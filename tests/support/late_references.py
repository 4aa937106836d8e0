"""An interpreter that does not see at once that a last reference goes, as PyPy is one.

File systems then note what is open. As a plugin, for every test:

    python -m pytest -p tests.support.late_references tests/tree
"""

from __future__ import annotations

import pytest

from dmemfs import _platform
from dmemfs._files.modes import OPEN_MODES


def see_references_late(patch: pytest.MonkeyPatch) -> None:
    """Have file systems that are made from now on told that they run on such an interpreter."""
    patch.setattr(_platform, "SEES_LAST_REFERENCE_GO", False)
    for mode in OPEN_MODES.values():
        patch.setattr(mode, "direct", False)


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    see_references_late(patch)
    config.add_cleanup(patch.undo)
