"""Tests that share one tree: it is built once, and each test starts from it.

Building what the tests need may take longer than the tests. Here it is built once per class, and
`rollback` undoes whatever a test does to it, so that their order does not matter. What a test has
changed can be asked for with `diff`.
"""

# ruff: noqa: PT009 (the project tests with pytest, and this shows unittest)

from __future__ import annotations

import sys
import unittest
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem


def archive_reports(fs: MemoryFileSystem, year: int) -> int:
    """Move the reports of a year into the archive, and return how many there were."""
    reports = fs.glob(f"/reports/{year}-*.txt")
    for report in reports:
        fs.move(report, report.replace("/reports/", f"/archive/{year}/"))
    return len(reports)


class ReportsTest(unittest.TestCase):
    """Tests of `archive_reports`, all on the same tree."""

    fs: MemoryFileSystem

    @classmethod
    def setUpClass(cls) -> None:
        """Build the tree once."""
        cls.fs = MemoryFileSystem(max_quota=1 << 20)
        cls.fs.mkdir("/reports")
        for year in (2024, 2025):
            for month in range(1, 13):
                cls.fs.write_text(f"/reports/{year}-{month:02}.txt", f"{year}, {month}\n")

    def setUp(self) -> None:
        """Undo after each test what it has done, whether it fails or not."""
        self.before = self.enterContext(self.fs.rollback())

    def test_moves_the_reports_of_the_year(self) -> None:
        """Exactly twelve files have another place, and nothing else has changed."""
        self.assertEqual(archive_reports(self.fs, 2024), 12)
        difference = self.before.diff()
        self.assertEqual(len(difference.removed), 12)
        self.assertEqual(difference.changed, {})
        self.assertIn("/archive/2024/2024-07.txt", difference.added)

    def test_leaves_the_other_year_alone(self) -> None:
        """All reports are there again, whichever test came first."""
        self.assertEqual(len(self.fs.listdir("/reports")), 24)
        archive_reports(self.fs, 2025)
        self.assertEqual(len(self.fs.glob("/reports/2024-*.txt")), 12)

    def test_content_survives(self) -> None:
        """What was in a report before is in the archive now."""
        path = "/reports/2025-03.txt"
        archive_reports(self.fs, 2025)
        self.assertFalse(self.fs.exists(path))
        self.assertEqual(
            self.fs.read_text("/archive/2025/2025-03.txt"), self.before.read_text(path)
        )


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
