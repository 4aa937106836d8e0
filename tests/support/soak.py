"""Whether the tests take their long form: see CONTRIBUTING.md."""

from __future__ import annotations

import os

SOAK = os.environ.get("DMEMFS_SOAK") == "1"
