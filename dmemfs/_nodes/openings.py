"""What is open, where the interpreter does not see at once that a last reference goes.

PyPy sees it when it collects garbage; CPython without its lock, of what a thread has made that
waits, when that goes on. There, whatever has a file open is noted, and a file is gone that has no
name, that no snapshot knows, and that nobody has open. Elsewhere `UnlinkedRecord` alone notices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from .. import _platform
from .accounts import Account, Stored, UnlinkedAccount, UnlinkedRecord

_LEAST_LINGERING = 1 << 20
_MOST_LINGERING = 256 << 20


def account_of_tree(max_bytes: int | None, max_nodes: int | None) -> Account:
    """Return the account of a new tree, which finds out what is gone as it has to here."""
    if _platform.SEES_LAST_REFERENCE_GO:
        return Account(max_bytes, max_nodes)
    return AccountWithOpenings(max_bytes, max_nodes)


class Openings:
    """The files of a tree that are open, and those without a name that may be gone.

    Notes are made without the lock of the file system: by finalisers too, which wait for nothing.
    Who opens a file notes that first, and then looks whether it has a name. Who takes the name away
    does that first, and then looks who has opened it. So one of them sees the other.

    Attributes:
        nodes: the identity of each file that is open, by that of what has it open, which keeps
            neither alive. What an interrupt leaves here lets a file wait for the collector.
        in_question: where files are counted that may be gone: those that lost their name, and those
            that were closed without one.
        lingering: the bytes of files that were gone when something still referred to them.
    """

    __slots__ = ("in_question", "lingering", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[int, int] = {}
        self.in_question: deque[Any] = deque()
        self.lingering = 0

    def take_questions(self) -> set[Any]:
        """Return where files are counted of which it is to be found out whether they are gone.

        Whoever closes one from now on asks anew.
        """
        asked = set()
        with suppress(IndexError):  # that is the end, or a signal handler has taken the rest
            while True:
                asked.add(self.in_question.popleft())
        return asked

    def closed(self, records: Iterable[UnlinkedRecord]) -> list[UnlinkedRecord]:
        """Return the records of files that nobody has open.

        Those are among them of which PyPy knows that they are freed, and has not told yet.

        Complexity: O(records and openings).
        """
        opened = set(self.nodes.copy().values())  # which other threads open and close meanwhile
        files = ((record, record()) for record in records)
        return [
            record
            for record, file in files
            if file is None or (id(file) not in opened and not file.kernel_has_it)
        ]

    def let_linger(self, gone: list[UnlinkedRecord], limit: int) -> None:
        """Note what is gone and still takes memory; when that is much, collect garbage.

        Args:
            gone: the records of files.
            limit: the most bytes that there may be in the file system.
        """
        self.lingering += sum(one.account.reserved for one in gone if one() is not None)
        if self.lingering > max(_LEAST_LINGERING, min(_MOST_LINGERING, limit)):
            self.lingering = 0
            _platform.collect_garbage()


class AccountWithOpenings(Account):
    """The account of a whole tree where it is noted what is open."""

    __slots__ = ("openings",)

    openings: Openings

    def __init__(self, max_bytes: int | None, max_nodes: int | None) -> None:
        super().__init__(max_bytes, max_nodes)
        self.openings = Openings()

    def record_unlinking(self, file: Stored, account: Account) -> UnlinkedRecord:
        record = super().record_unlinking(file, account)
        self.openings.in_question.append(record.account)
        return record

    def settle_gone(self) -> None:
        """Give back what unlinked files had that are closed and gone.

        Complexity: O(files gone since); and if there are any, O(what is open, or kept).
        """
        if self.openings.in_question:
            self._find_closed(self.openings)
        super().settle_gone()

    def _find_closed(self, openings: Openings) -> None:
        asked = openings.take_questions()
        records = [record for record in list(self._unlinked) if record.account in asked]
        openings.in_question.extend(record.account for record in records if not record.counts)
        gone = openings.closed(
            record for record in records if record.counts and not record.account.kept
        )
        self._gone.extend(gone)
        openings.let_linger(gone, self.byte_limit)

    def bring_back(self, file: Stored, path: Any) -> None:
        """Count a file again if it was let go of between being found and being opened.

        Raises:
            QuotaExceededError: others have its room by now.
        """
        own = file.account
        if type(own) is not UnlinkedAccount or not own.gone:
            return
        account = own.parent if own.parent in self.accounts else self
        account.require(file.stored_bytes(), 1, path)
        record = self.record_unlinking(file, account)
        stored = record.account.reserved
        account.used += stored
        account.aside += stored
        account.nodes += 1
        account.aside_nodes += 1
        record.counts = True
        file.account = record.account
