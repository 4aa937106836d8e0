"""Tests that were written for pyfakefs, on a file system in memory.

The disk is hidden while each of them runs, but for the moment in which it is wanted. Only one line
is not as in a project: what it imports from pyfakefs.
"""

# ruff: noqa: PT009, PT027 (the project tests with pytest, and this shows unittest)

from __future__ import annotations

import os
import shutil
import sys
import unittest
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# In a project: from pyfakefs.fake_filesystem_unittest import Pause, TestCase
# That finds the same, by `pytest -p dmemfs.pyfakefs` or after `dmemfs.pyfakefs.replace_pyfakefs()`.
from dmemfs.pyfakefs import Pause, TestCase


def rotate(log: str, keep: int) -> None:
    """The code under test: number the old copies of a log file, and begin a new one."""
    for number in range(keep - 1, 0, -1):
        if os.path.exists(f"{log}.{number}"):
            os.replace(f"{log}.{number}", f"{log}.{number + 1}")
    shutil.copyfile(log, f"{log}.1")
    Path(log).write_text("", encoding="utf-8")


class RotateTest(TestCase):
    def setUp(self) -> None:
        self.setUpPyfakefs()
        self.log = self.fs.create_file("/var/log/app.log", contents="new")
        self.fs.create_file("/var/log/app.log.1", contents="old")

    def test_copies_are_numbered(self) -> None:
        rotate("/var/log/app.log", keep=3)
        entries = self.fs.get_object("/var/log").entries
        contents = {name: entry.contents for name, entry in entries.items()}
        self.assertEqual(contents, {"app.log": "", "app.log.1": "new", "app.log.2": "old"})

    def test_a_full_disk(self) -> None:
        self.fs.set_disk_usage(7)
        with self.assertRaises(OSError):
            rotate("/var/log/app.log", keep=3)
        self.assertEqual(self.log.contents, "new")

    def test_the_disk_is_there_when_it_is_wanted(self) -> None:
        self.assertFalse(os.path.exists(__file__))
        with Pause(self):
            self.assertTrue(os.path.exists(__file__))
        self.fs.add_real_file(__file__, target_path="/shown.py")
        self.assertIn("RotateTest", Path("/shown.py").read_text(encoding="utf-8"))


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
