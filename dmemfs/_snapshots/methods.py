"""Snapshots: keeping a state of the whole file system, and going back to it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from .._entering import Block
from .._errors import os_error
from .._history.history import is_in_operation, keep_version, release_dropped, restore_version
from .._history.versions import Version
from .._tree.closing import require_open
from .._tree.tree import Tree
from .snapshot import Snapshot, version_in


class Snapshots(Tree):
    """Takes snapshots of the file system and restores them."""

    def snapshot(self) -> Snapshot:
        """Keep the present state of the file system.

        Any number of snapshots may be kept at once, each as long as it is wanted. What changes
        afterwards is kept as it was, once for each snapshot that needs it, and counts against the
        quota: to rewrite a file after a snapshot takes room for both contents.

        Returns:
            The snapshot, to restore, to read and to compare. It is let go by its `close()`, at the
            end of a `with` block, or when the last reference to it is dropped.

        Raises:
            RuntimeError: a signal handler or a finaliser calls this in the middle of another
                operation of the same thread.

        Complexity: O(1), and O(quotas of directories).
        """
        refuse_in_operation(self, "snapshot")
        require_open(self)
        if self._dropped or self._some_are_astray:
            release_dropped(self)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            snapshot = Snapshot(self, keep_version(self))
            self._some_are_astray = False
        finally:
            self._unlock()
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Bring the whole file system back to the state that a snapshot keeps.

        Files, directories and links that are in both states remain what they are: open file objects
        and inode numbers stay valid. A file that is not in the snapshot is as after `unlink`: who
        has it open can go on. Contents, entries, links, modes, owners, times of modification and
        quotas of directories come back; times of access only where something else had changed.
        Locks, positions and buffers of file objects and the limits of the file system itself stay.

        All snapshots stay valid, also those taken after this one, and may be restored in any order.

        Args:
            snapshot: one of this file system.

        Raises:
            ValueError: it is closed, or of another file system.
            TypeError: it is something else.
            OSError: EBUSY, a live database is in the middle of a transaction, or something is
                attached at a directory that was not there or was elsewhere.
            RuntimeError: as `snapshot`.

        Complexity: O(changes between then and now), whatever the size of the tree. To a snapshot
            that is not the newest, also O(changes between those on the way).
        """
        refuse_in_operation(self, "restore")
        release_dropped(self)
        version = version_in(snapshot, self)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._attached:
                _refuse_to_move(self, version)
            replaced = restore_version(self, version)
        finally:
            self._unlock()
        del replaced  # nobody waits for the lock while all that is freed
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            self._account.settle_gone()
        finally:
            self._unlock()

    def rollback(self) -> Block[Snapshot]:
        """Undo everything that is done inside of a `with` block, on success too.

        Returns:
            The context manager of the block, which gives the snapshot that is restored at the end
            of the block, and closed. It is a decorator, too.

        Raises:
            OSError, RuntimeError: as `restore`.

        Without a block it does nothing; a ResourceWarning says so.
        """
        return Block(self._rolling_back, "fs.rollback()")

    @contextmanager
    def _rolling_back(self) -> Iterator[Snapshot]:
        with self.snapshot() as snapshot:
            try:
                yield snapshot
            finally:
                try:
                    self.restore(snapshot)
                except KeyboardInterrupt:
                    self.restore(snapshot)
                    raise


def _refuse_to_move(tree: Tree, version: Version) -> None:
    """Raise OSError (EBUSY) where something is attached at what was not there, or elsewhere."""
    for point in tree._attached:
        directory = point
        while directory is not tree._root:
            parent = directory.parent
            there = version.has_directory(directory)
            if not there or version.state_of_directory(directory)[7] is not parent:
                raise os_error(errno.EBUSY, tree._path_of(point))
            directory = parent


def refuse_in_operation(tree: Tree, what: str) -> None:
    """Raise RuntimeError where code that interrupts an operation calls."""
    if is_in_operation(tree):
        raise RuntimeError(
            f"{what}() in the middle of another operation, from a signal handler or a "
            "finaliser: call it when the operation is complete"
        )
