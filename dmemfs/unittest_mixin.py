"""For unittest: a file system in memory for each test, mounted or not."""

from __future__ import annotations

import os
import unittest
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ._memory_filesystem import MemoryFileSystem
from ._transfer.showing import list_tree


class MemoryFileSystemMixin(unittest.TestCase):
    """Gives each test a file system of its own, `self.memfs`.

    To be named among the base classes; a `setUp` of one's own calls that of `super()`. Where a test
    fails, the tree is listed behind its traceback.

    Attributes:
        memfs: the file system.
        memfs_quota: the most bytes in it, a number or a text such as "64 MiB"; None for no limit.
        memfs_tree: the files in it, as `MemoryFileSystem.from_tree` takes them.
        memfs_path: where it is mounted during each test, and which is the working directory then;
            "/" in the place of the disk; None for nowhere.
        memfs_passthrough: with "/", real directories that stay visible, read-only.
        memfs_writable: with "/", real directories that can be changed, in memory only.
    """

    memfs: MemoryFileSystem
    memfs_quota: ClassVar[int | str | None] = None
    memfs_tree: ClassVar[Mapping[Any, Any]] = {}
    memfs_path: ClassVar[str | None] = None
    memfs_passthrough: ClassVar[Iterable[str]] = ()
    memfs_writable: ClassVar[Iterable[str]] = ()

    def setUp(self) -> None:
        super().setUp()
        self.memfs = MemoryFileSystem.from_tree(self.memfs_tree, max_quota=self.memfs_quota)
        if self.memfs_path is not None:
            from ._mount.mount import mount

            self.enterContext(
                mount(
                    self.memfs,
                    self.memfs_path,
                    passthrough=self.memfs_passthrough,
                    writable=self.memfs_writable,
                )
            )
            os.chdir(self.memfs_path)

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, and list the tree behind what is reported of it."""
        known = _counts(result)
        outcome = super().run(result)
        fs = getattr(self, "memfs", None)
        if result is not None and fs is not None and known is not None:
            listing = "\n".join(["", "memfs:", *list_tree(fs), ""])
            for found, count in zip((result.failures, result.errors), known, strict=True):
                found[count:] = [(test, text + listing) for test, text in found[count:]]
        return outcome


def _counts(result: unittest.TestResult | None) -> tuple[int, int] | None:
    """Return how many failures and errors there are; None where they are kept by somebody else."""
    try:
        return len(result.failures), len(result.errors)  # type: ignore[union-attr]
    except AttributeError:  # pytest: its plugin lists the tree
        return None
