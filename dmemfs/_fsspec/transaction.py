"""Transactions of fsspec, of which all appears or nothing."""

from __future__ import annotations

from collections import deque
from typing import Any

from .base import Transaction
from .staging import StagedFile


class MemoryTransaction(Transaction):
    """Files that are written within a `with` block and appear at its end: all of them, or none."""

    fs: Any  # None when it is complete

    def __init__(self, fs: Any, **options: Any) -> None:
        super().__init__(fs, **options)
        self.staged: list[StagedFile] = []

    def complete(self, commit: bool = True) -> None:
        """Let the files appear at once, or forget them.

        Raises:
            OSError: one of them cannot appear where it should; none has.
        """
        fs, staged = self.fs, self.staged
        self.staged = []
        self.files.clear()
        try:
            if commit:
                fs.fs._do_all_or_nothing(lambda: deque(map(StagedFile.appear, staged), 0))
        finally:
            for file in staged:
                file.discard()
            fs._intrans = False
            fs._transaction = None
            self.fs = None
