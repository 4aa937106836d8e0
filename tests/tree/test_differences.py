"""The table of justified differences: what tests leave out, it says, and it says nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.differences import DIFFERENCES

TESTS = Path(__file__).resolve().parents[1]
MENTION = re.compile(r'difference\s+"([^"]+)"')


def test_tests_and_table_agree() -> None:
    mentioned: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        mentioned.update(MENTION.findall(path.read_text(encoding="utf-8")))
    assert mentioned == {entry.name for entry in DIFFERENCES}


def test_names_are_unique_and_everything_is_said() -> None:
    assert len({entry.name for entry in DIFFERENCES}) == len(DIFFERENCES)
    for entry in DIFFERENCES:
        assert entry.real
        assert entry.memory
        assert entry.reason
