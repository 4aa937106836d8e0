"""Keeping versions of the file system, going back to them, and letting them go."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from .._nodes.nodes import Node
from .._tree.whole_files import Transfer
from .history import AccountState, Version, account_state
from .releasing import release
from .restoring import Restoration


class _BusyError(Exception):
    """Another thread has the lock."""


class Hold(weakref.ref[object]):
    """Notices when somebody who needs a version is gone; the callback is a method in C.

    Attributes:
        version: the version; None if it was let go of before.
    """

    __slots__ = ("version",)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    version: Version | None


class Versioning(Transfer):
    """Keeps versions of the whole tree.

    Attributes:
        _restore_guards: called before that, with the lock held and the nodes that will change; one
            that raises prevents it.
    """

    def __init__(self, max_bytes: int | None, max_nodes: int | None) -> None:
        super().__init__(max_bytes, max_nodes)
        self._restore_guards: list[Callable[[Collection[Node]], None]] = []
        self._holds: set[Hold] = set()
        self._dropped: deque[Hold] = deque()
        self._drop = self._dropped.append
        self._some_are_astray = False

    @abstractmethod
    def _new_like(self, max_bytes: int | None, max_nodes: int | None) -> Self:
        """Return an empty file system of the same class."""

    def _keep_version(self) -> Version:
        """Keep the present state as a version, with the lock held; the caller has to hold it."""
        self._some_are_astray = True  # until somebody holds it
        newest = self._newest
        version = Version((), () if newest is None else (newest,))
        root = self._account
        several = len(root.accounts) > 1
        # From here on no call that may be answered by other code, or it would be left out.
        accounts = self._account_states() if several else (account_state(root),)
        version.accounts = accounts
        if newest is not None:
            newest.following = version
        self._newest = version
        return version

    def _account_states(self) -> Sequence[AccountState]:
        """Return what all accounts are, at one moment."""
        root = self._account
        root.settle()
        while True:
            states = [account_state(one) for one in root.accounts]
            if states == [account_state(one) for one in root.accounts]:
                return states

    def _restore_version(self, version: Version) -> Restoration:
        """Bring the tree back to a version, with the lock held.

        Returns:
            What refers to all that was replaced, to be dropped when the lock is released.
        """
        restoration = Restoration(self, version)
        try:
            restoration.prepare()
            restoration.complete()
        finally:
            self._restoration = None
        if not all(version.holders for version in restoration.passed):
            self._release_astray()  # one may be at the end of a way by now, and of no more use
        return restoration

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo everything that is done inside of a `with` block, if it raises.

        With the lock held, nobody else sees what is undone; without it, what others do meanwhile is
        undone too.
        """
        with self._lock:
            astray = self._some_are_astray
            version = self._keep_version()
            version.holders = 1
            self._some_are_astray = astray
        try:
            yield
        except BaseException:
            with self._lock:
                self._restore_version(version)
            raise
        finally:
            with self._lock:
                version.holders = 0
                release(self, version)

    def _is_in_operation(self) -> bool:
        """Tell whether this thread has the lock: code that interrupts an operation asks."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    def _hold(self, version: Version, holder: object) -> Hold:
        """Keep a version, with the lock held, until `holder` is gone or the result is dropped.

        It is dropped by `_drop`; then what was kept is to be released.
        """
        hold = Hold(holder, self._drop)
        hold.version = version
        self._holds.add(hold)
        version.holders += 1
        return hold

    def _release_dropped(self, *, wait: bool = True) -> None:
        """Free the versions that nobody needs.

        Not in the middle of an operation of the same thread, nor, if `wait` is false, of another
        one: then it is done when a snapshot is taken, restored or closed again.
        """
        if not (self._dropped or self._some_are_astray) or self._is_in_operation():
            return
        try:
            try:
                if not self._try_lock(wait):
                    raise _BusyError
                self._release_all()
            finally:
                self._unlock()  # in any case: an interrupt may come as soon as the lock is taken
        except RuntimeError as error:
            if not isinstance(error.__context__, _BusyError):
                raise

    def _release_all(self) -> None:
        if self._some_are_astray:
            self._release_astray()
        while self._dropped:
            hold = self._dropped[0]
            version, hold.version = hold.version, None
            if version is not None:
                version.holders -= 1
                self._some_are_astray = not version.holders  # if this is interrupted
            del self._dropped[0]
            self._holds.discard(hold)
            if version is not None and not version.holders:
                release(self, version)
                self._some_are_astray = False
        self._account.settle_gone()

    def _release_astray(self) -> None:
        """Free all versions that nobody needs, wherever they are. Complexity: O(versions)."""
        self._some_are_astray = True
        while astray := [
            version
            for version in self._versions()
            if not version.holders and len(version.preceding) < 2
        ]:
            release(self, astray[0])
        self._some_are_astray = False
