"""Public names that are imported when they are first asked for, so that an import costs nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def late_names(package: ModuleType, modules: dict[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package: it imports what the package publishes.

    Args:
        package: which keeps what was imported.
        modules: for each name, the module in the package that has it.
    """

    def get(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{package.__name__}.{module}"), name)
        setattr(package, name, value)
        return value

    return get
