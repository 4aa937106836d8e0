"""Recording the commits to a live database, each as a snapshot."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import Any, Self, get_type_hints

from dmemfs import MemoryFileSystem, Snapshot
from dmemfs._arguments import by_name, byte_count, whole_number

from .._live.connect import connect, live_uri
from .._vfs.paths import PathLike, canonical_path, require_memory_file_system, text_of
from .changes import DatabaseChanges, changes

_BY_QUOTA: Any = "a quarter of the quota, and at most 256 MiB"
_MOST_BYTES = 256 << 20
_PART_OF_QUOTA = 4
"""Which part of the quota the snapshots take at most, where nobody says how much."""


class Commit:
    """A state of a database that was recorded.

    Attributes:
        number: 1 for the first commit that was recorded; 0 for what was there before.
        time: When it was, in seconds since the epoch.
        snapshot: The whole file system at that moment.
    """

    __slots__ = ("_before", "_path", "number", "snapshot", "time")

    def __init__(self, number: int, snapshot: Snapshot, path: str, before: Commit | None) -> None:
        self.number: int = number
        self.time: float = time.time()
        self.snapshot: Snapshot = snapshot
        self._path = path
        self._before = before

    def __repr__(self) -> str:
        return f"<Commit {self.number} of {self._path!r}{' (let go)' * self.snapshot.closed}>"

    def connect(self, **connect_kwargs: Any) -> sqlite3.Connection:
        """Open the database as it was after this commit, read-only.

        Args:
            connect_kwargs: As for `dmemfs_sqlite.connect`.

        Raises:
            ValueError: It was let go.
        """
        return connect(self.snapshot, self._path, **connect_kwargs)

    def changes(self, *, limit: int | None = None) -> DatabaseChanges:
        """Return what this commit changed; see `dmemfs_sqlite.changes`.

        Raises:
            ValueError: It was let go, or the one before it, as bounds ask for.
        """
        before = self._before
        former = b"" if before is None else (before.snapshot, self._path)
        return changes(former, (self.snapshot, self._path), limit=limit)


class Recording:
    """The commits to a live database, since `record` was called and until this is closed.

    It ends, and all that it keeps is let go, by `close()`, at the end of a `with` block, or when
    the last reference to it is dropped. A database that is replaced by another file goes on
    being recorded for connections that are opened from then on.

    Attributes:
        missed: How many commits could not be kept, for want of memory.
    """

    def __init__(
        self, fs: MemoryFileSystem, path: str, max_commits: int | None, max_bytes: int | None
    ) -> None:
        self.missed: int = 0
        self._fs = fs
        self._path = path
        self._max_commits = max_commits
        self._max_bytes = max_bytes
        self._commits: deque[Commit] = deque()
        self._number = 0
        self._last: object = None
        self._closed = False

    @property
    def commits(self) -> tuple[Commit, ...]:
        """The states that are kept, the oldest first."""
        return tuple(self._commits)

    def first_failing(self, check: Callable[[sqlite3.Connection], object]) -> Commit | None:
        """Return the commit after which a check fails, found by bisection.

        As in every bisection, what fails at last has to have gone on failing since it first did.

        Args:
            check: Given a read-only connection to one state after another; it fails where it
                raises an exception or returns False.

        Returns:
            The commit; the oldest that is kept, if it fails there already; None if it passes in
            the last one, or nothing was recorded.

        Complexity:
            O(log(commits)) calls.
        """
        commits = self.commits
        if not commits or _passes(check, commits[-1]):
            return None
        low, high = 0, len(commits) - 1
        while low < high:
            middle = (low + high) // 2
            if _passes(check, commits[middle]):
                low = middle + 1
            else:
                high = middle
        return commits[high]

    def close(self) -> None:
        """Record no more, and let go of what is kept; connections that are open live on."""
        from .._vfs.open_file import unwatch_commits

        self._closed = True
        unwatch_commits(self._fs, self._path, self)
        while self._commits:
            self._let_go_of_oldest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def note_commit(self, transaction: object) -> None:
        """Keep the present state; called by connections when they commit, and for them alone."""
        if transaction is self._last or self._closed:
            return
        self._number += 1
        try:
            self._keep()
        except Exception:  # the commit itself is done, and nothing may make it fail
            self.missed += 1
        self._last = transaction

    def _keep(self) -> None:
        before = self._commits[-1] if self._commits else None
        self._commits.append(Commit(self._number, self._fs.snapshot(), self._path, before))
        while self._is_beyond_bounds():
            self._let_go_of_oldest()

    def _let_go_of_oldest(self) -> None:
        oldest = self._commits.popleft()
        oldest._before = None  # each would keep the one before it
        oldest.snapshot.close()

    def _is_beyond_bounds(self) -> bool:
        count = len(self._commits)
        if self._max_commits is not None and count > self._max_commits:
            return True
        if self._max_bytes is None or count <= 1:
            return False
        return self._fs.usage("/").snapshot_bytes > self._max_bytes


@by_name
def record(
    fs: MemoryFileSystem,
    path: PathLike,
    *,
    max_commits: int | None = 1000,
    max_bytes: int | str | None = _BY_QUOTA,
) -> Recording:
    """Keep a snapshot of each commit to a live database, by whatever connection.

    Args:
        fs: The file system.
        path: The database, which need not be there yet. What it is now is kept as commit 0.
        max_commits: How many are kept; the oldest go first. None for all.
        max_bytes: How many bytes snapshots may keep in the file system, as a number or a text such
            as "64 MiB"; beyond that the oldest go, but never the last one. They count against the
            quota. By default a quarter of the quota, and at most 256 MiB. None for no limit.

    Returns:
        The recording, which lasts as long as it is referred to. It lists its `commits`, connects to
        any, and finds the `first_failing(check)`.

    Raises:
        LiveDatabaseUnavailable: See `dmemfs_sqlite.connect`.
        TypeError, ValueError: A bound is none.

    Complexity:
        O(1) for each commit, and O(nodes of the file system and changes kept) with `max_bytes`.

    Connections with `PRAGMA locking_mode = exclusive` are not seen, as private copies of a template
    are.
    """
    require_memory_file_system(fs)
    live_uri(fs, path)  # which refuses what every connection would refuse
    fs, text = fs._where(text_of(path))
    if max_bytes is _BY_QUOTA:
        quota = fs.quota("/").max_bytes
        max_bytes = _MOST_BYTES if quota is None else min(_MOST_BYTES, quota // _PART_OF_QUOTA)
    recording = Recording(
        fs,
        canonical_path(fs, text),
        whole_number(max_commits, "max_commits", least=1),
        byte_count(max_bytes, "max_bytes"),
    )
    if fs.exists(recording._path):
        recording._keep()
    from .._vfs.open_file import watch_commits  # late: it needs ctypes

    watch_commits(fs, recording._path, recording)
    return recording


def _passes(check: Callable[[sqlite3.Connection], object], commit: Commit) -> bool:
    with closing(commit.connect()) as connection:
        try:
            return check(connection) is not False
        except Exception:
            return False


for _public in (Commit, Recording):
    _public.__annotations__ = get_type_hints(_public)  # the names in them are known here only
    _public.__module__ = "dmemfs_sqlite"  # where users find them
