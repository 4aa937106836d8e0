"""Quotas of directories."""

from __future__ import annotations

from typing import NamedTuple

from .._arguments import by_name, byte_count, whole_number
from .._history.history import preserve_all
from .._nodes.accounts import Account, limit_or_none
from .._nodes.nodes import Directory
from .._paths import StrPath
from .lookup import Lookup
from .recounting import Crossing


class Quota(NamedTuple):
    """A limit, and what is counted against it.

    Attributes:
        path: the directory below which it holds.
        max_bytes: the most bytes of content below it; None for no limit.
        used_bytes: the bytes in use below it.
        max_nodes: the most files, directories and links below it; None for no limit. Of the root
            directory, itself included.
        used_nodes: the files, directories and links in use below it.
    """

    path: str
    max_bytes: int | None
    used_bytes: int
    max_nodes: int | None
    used_nodes: int


class Quotas(Lookup):
    """Limits what is below single directories."""

    @by_name
    def set_quota(
        self, path: StrPath, max_bytes: int | str | None, *, max_nodes: int | None = None
    ) -> None:
        """Limit what is below a directory, in place of any limit that it had.

        Limits of directories around it and below it hold as well. A file is counted in the
        directory that held its first name, and stays counted there while it has any name, or is
        open; only the count of a file that never had a second one moves along with a rename. A
        rename or copy that would exceed a limit fails before anything changes. What only snapshots
        keep is counted by the file system as a whole.

        Args:
            path: the directory, which is not counted itself. For the root, the limits are those of
                the whole file system.
            max_bytes: the most bytes of content, as a number or a text such as "64 MiB"; None for
                no limit.
            max_nodes: the most files, directories and links; None for no limit.

        Raises:
            QuotaExceededError: what is there does not fit; nothing has changed.
            NotADirectoryError: `path` is no directory.
            ValueError: a limit is negative, or a text that says no size.

        Complexity: O(nodes below).
        """
        limits = byte_count(max_bytes, "max_bytes"), whole_number(max_nodes, "max_nodes")
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory = self._find_directory(path)
            if directory is self._root:
                self._account.set_limits(*limits, path)
                return
            account, outer = directory.account, directory.parent.account
            unlimited = limits == (None, None)
            if unlimited and account is not outer:
                self._change_account(directory, outer, path)
            elif account is not outer:
                account.set_limits(*limits, path)
            elif not unlimited:
                self._change_account(directory, Account(*limits, outer), path)
        finally:
            self._unlock()

    def quota(self, path: StrPath = "/") -> Quota:
        """Return the limit that holds for what is in a directory.

        Args:
            path: a directory, or a file.

        Returns:
            The limit of the nearest directory that has one, be it this one or one around it. The
            root directory always has one.

        Raises:
            FileNotFoundError: there is nothing.

        Complexity: O(quotas of directories + depth).
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory, _, node, _ = self._walk_path(path, follow=True, follow_with_slash=True)
            if node is None:
                self._find(path)  # which raises
            if isinstance(node, Directory):
                directory = node
            return self._quota_of(directory)
        finally:
            self._unlock()

    def _quota_of(self, directory: Directory) -> Quota:
        account = directory.account
        while directory.parent is not directory and directory.parent.account is account:
            directory = directory.parent
        account.root.settle()
        used, nodes = account.total()
        return Quota(
            self._path_of(directory),
            limit_or_none(account.byte_limit),
            used,
            limit_or_none(account.node_limit),
            nodes,
        )

    def _change_account(self, directory: Directory, new: Account, path: StrPath) -> None:
        """Count in `new` what is below a directory, and was counted around it or within it."""
        old = directory.account
        root = old.root
        move = Crossing(directory, old, new, itself=False)
        try:
            preserve_all(self, move.nodes)
            move.require(path)
        except BaseException:
            del move  # see UnlinkedRecord
            raise
        ends = old is not directory.parent.account
        accounts = root.accounts if ends else [*root.accounts, new]
        try:
            root.accounts = accounts
            old.in_use = not ends
            move.begun = True
        finally:
            move.complete()
