"""Context managers that do nothing until they are entered, and say so when they never were."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from types import TracebackType
from typing import Generic, TypeVar

_Entered = TypeVar("_Entered")


def warn_never_entered(source: object, call: str, what_came: str = "did nothing") -> None:
    """Warn of a context manager that is dropped and was never entered.

    Args:
        source: the context manager.
        call: what was called for it.
        what_came: what it did so.
    """
    warnings.warn(
        f"{call} was never entered, and {what_came}: write with {call}: ...",
        ResourceWarning,
        stacklevel=3,
        source=source,
    )


class Block(ContextDecorator, Generic[_Entered]):
    """One that is made of another when it is entered.

    Args:
        make: makes the other one.
        call: what a user writes for it.
    """

    def __init__(
        self, make: Callable[[], AbstractContextManager[_Entered, bool | None]], call: str
    ) -> None:
        self._within: AbstractContextManager[_Entered, bool | None] | None = None
        self._is_decorator = False
        self._make = make
        self._call = call

    def _recreate_cm(self) -> Block[_Entered]:
        """Return another one for a call of the function that this decorates."""
        self._is_decorator = True
        return Block(self._make, self._call)

    def __enter__(self) -> _Entered:
        if self._within is not None:
            raise RuntimeError(f"{self._call} was entered before: call it again")
        self._within = within = self._make()
        return within.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._within is not None
        return self._within.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        if self._within is None and not self._is_decorator:
            warn_never_entered(self, self._call)
