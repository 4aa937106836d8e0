"""What is found only where the project is installed."""

from __future__ import annotations

from importlib import metadata

import pytest

needs_fsspec_entry_point = pytest.mark.skipif(
    "dmemfs" not in metadata.entry_points(group="fsspec.specs").names,
    reason="the project is not installed, so fsspec does not find it",
)
