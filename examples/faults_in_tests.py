"""Tests of what a program does when the disk is full, or broken.

The program saves its settings so that they are never half-written. That it really does so shows
only when something fails: here the write, the rename and the quota, one after the other. Each test
begins with a few files, and compares all that is there in the end.
"""

# ruff: noqa: PT009, PT027 (the project tests with pytest, and this shows unittest)

from __future__ import annotations

import errno
import json
import os
import sys
import unittest
from pathlib import Path
from typing import Any, ClassVar

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs.unittest_mixin import MemoryFileSystemMixin


def save_settings(path: Path, settings: dict[str, str]) -> None:
    """Replace the settings as a whole, or leave them as they are; the code under test."""
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps(settings), encoding="utf-8")
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


class SettingsTest(MemoryFileSystemMixin, unittest.TestCase):
    """Each test has a file system of its own, mounted while it runs."""

    memfs_tree: ClassVar[dict[str, Any]] = {"etc": {"app.json": '{"colour": "red"}'}}
    memfs_path = "/mem"
    memfs_quota = 100
    path = Path("etc/app.json")  # the mount point is the working directory

    def assert_nothing_has_changed(self) -> None:
        """Compare with what was there in the beginning, names and contents."""
        self.assertEqual(self.memfs.to_tree(), self.memfs_tree)

    def test_settings_are_replaced(self) -> None:
        save_settings(self.path, {"colour": "blue"})
        self.assertEqual(self.memfs.to_tree("/etc"), {"app.json": '{"colour": "blue"}'})

    def test_a_full_disk(self) -> None:
        with self.assertRaises(OSError) as caught:
            save_settings(self.path, {"colour": "blue" * 100})
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.assert_nothing_has_changed()

    def test_a_write_that_fails(self) -> None:
        with self.memfs.fail("write", "*.draft", errno.EIO) as fault, self.assertRaises(OSError):
            save_settings(self.path, {"colour": "blue"})
        self.assertEqual(fault.failures, 1)
        self.assert_nothing_has_changed()

    def test_a_rename_that_is_refused(self) -> None:
        with (
            self.memfs.fail("rename", "/etc/*", errno.EACCES),
            self.assertRaises(PermissionError),
        ):
            save_settings(self.path, {"colour": "blue"})
        self.assert_nothing_has_changed()


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
