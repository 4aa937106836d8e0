"""What a stand-in says of itself: what the function says in whose place it stands."""

from __future__ import annotations

from importlib import import_module
from types import MethodType
from typing import Any


class Home:
    """What stand-ins are bound to. Pickled and copied, they are the functions of their module."""

    _module = "posix"

    def __reduce__(self) -> Any:
        return import_module, (self._module,)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _: Any) -> Any:
        return self


class _Signature:
    """Has the signature of a builtin function, with the one argument more that a method has."""

    def __init__(self, original: Any) -> None:
        self._original = original

    @property
    def __signature__(self) -> Any:
        """The signature, made when it is asked for: nearly nobody does."""
        from inspect import Parameter, signature

        of_builtin = signature(self._original)
        bound = Parameter("self", Parameter.POSITIONAL_ONLY)
        return of_builtin.replace(parameters=[bound, *of_builtin.parameters.values()])


def take_name(stand_in: Any, original: Any) -> None:
    """Let a bound method say of itself what the function says in whose place it stands."""
    if type(stand_in) is not MethodType:
        return
    function: Any = stand_in.__func__
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute))
    function.__wrapped__ = _Signature(original)
    home: Any = stand_in.__self__
    home._module = original.__module__
    vars(home)[original.__name__] = stand_in  # so that it is the same object each time
