"""Keeping versions of the file system, going back to them, and letting them go."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Self

from ._history import Version, account_state
from ._merging import release
from ._nodes import Node
from ._restoring import Restoration
from ._transfer import Transfer


class Versioning(Transfer):
    """Keeps versions of the whole tree.

    Attributes:
        _generation: an object of its own for each time that the tree was brought back to a version.
        _restore_guards: called before that, with the lock held and the nodes that will change; one
            that raises prevents it.
        _hold: what is to be kept while this file system is in use, if it shows another one's past.
    """

    _hold: object = None

    def __init__(self, max_bytes: int | None, max_nodes: int | None) -> None:
        super().__init__(max_bytes, max_nodes)
        self._generation = object()
        self._restore_guards: list[Callable[[Collection[Node]], None]] = []
        self._dropped: deque[Version] = deque()

    @abstractmethod
    def _new_like(self, max_bytes: int | None, max_nodes: int | None) -> Self:
        """Return an empty file system of the same class."""

    def _keep_version(self) -> Version:
        """Keep the present state as a version, with the lock held."""
        root = self._account
        if len(root.accounts) == 1:
            accounts = [account_state(root)]
        else:
            root.settle()
            accounts = [account_state(one) for one in root.accounts if one.in_use]
        version = Version(accounts)
        newest = self._newest
        if newest is not None:
            version.preceding.append(newest)
            newest.following = version
        self._newest = version
        return version

    def _restore_version(self, version: Version) -> Restoration:
        """Bring the tree back to a version, with the lock held.

        Returns:
            What refers to all that was replaced, to be dropped when the lock is released.
        """
        restoration = Restoration(self, version)
        restoration.prepare()
        restoration.complete()
        for passed in restoration.passed:
            # It may be at the end of a way by now, and of no more use.
            if not passed.wanted and passed in self._versions():
                release(self, passed)
        return restoration

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo everything that is done inside of a `with` block, if it raises.

        With the lock held, nobody else sees what is undone; without it, what others do meanwhile is
        undone too.
        """
        with self._lock:
            version = self._keep_version()
        try:
            yield
        except BaseException:
            with self._lock:
                self._restore_version(version)
            raise
        finally:
            with self._lock:
                release(self, version)

    def _is_in_operation(self) -> bool:
        """Tell whether this thread has the lock: code that interrupts an operation asks."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    def _release_dropped(self, *, wait: bool = True) -> None:
        """Free the versions that were dropped.

        Not in the middle of an operation of the same thread, nor, if `wait` is false, of another
        one: then it is done when a snapshot is taken, restored or closed again.
        """
        if self._dropped and not self._is_in_operation() and self._lock.acquire(wait):
            try:
                self._release_all()
            finally:
                self._lock.release()

    def _release_all(self) -> None:
        while self._dropped:
            release(self, self._dropped.popleft())
        self._account.settle_gone()
