"""Who goes on to see the disk while it is hidden: the import system, and what shows source lines.

A test's own modules lie in a directory that the test is not to see. They are imported all the same,
and a traceback shows their lines.
"""

from __future__ import annotations

import importlib
import io
import linecache
import os
import sys
import tokenize
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

from .._mount.mount import process

_external: Any = importlib._bootstrap_external


def _as_on_disk(module: ModuleType) -> dict[str, Any]:
    """Return what is in a module while nothing is mounted."""
    names = dict(vars(module))
    points = process._points
    for site in points._sites if points is not None else ():
        if site.namespace is vars(module):
            names.update(site.originals)
    return names


def _copy(name: str) -> ModuleType:
    """Return a copy of a module of the import system, whose functions ask the kernel."""
    original = getattr(_external, name)
    copy = ModuleType(f"{__name__}.{name}")
    # By its name, and by builtins in it, a mount knows what belongs to this package.
    namespace = {**_as_on_disk(original), "__name__": copy.__name__, "__builtins__": __builtins__}
    vars(copy).update(namespace)
    return copy


def _disk_first(name: str, functions: tuple[str, ...]) -> ModuleType:
    """Return a copy that asks the disk, and what is mounted where the disk has nothing."""
    copy = _copy(name)
    original = getattr(_external, name)

    def either(function: str) -> Any:
        on_disk = f"{function}_on_disk"  # in the module: a mount exchanges what closures have

        def ask(path: Any, *arguments: Any, **options: Any) -> Any:
            is_relative = isinstance(path, str) and path[:1] != "/"
            place = os.path.join(_here[0], path) if is_relative else path
            try:
                return getattr(copy, on_disk)(place, *arguments, **options)
            except FileNotFoundError:
                return getattr(original, function)(path, *arguments, **options)

        return ask

    for function in functions:
        setattr(copy, f"{function}_on_disk", getattr(copy, function))
        setattr(copy, function, either(function))
    return copy


_here = ["/"]
"""The real working directory."""

_modules: dict[str, tuple[ModuleType, ModuleType]] = {}
_line_functions: dict[str, tuple[Any, Any]] = {}


def _prepare() -> None:
    """Make what sees the disk."""
    if not _modules:
        for name, functions in (
            ("_os", ("stat", "listdir")),
            ("_io", ("FileIO",)),
            ("_imp", ()),
        ):
            _modules[name] = (getattr(_external, name), _disk_first(name, functions))
        of_os: Any = _modules["_os"][1]
        of_os.getcwd = lambda: _here[0]
        of_io: Any = _modules["_io"][1]
        of_io.open_code = of_io.FileIO  # the builtin calls `open`, wherever that leads
        _line_functions.update(
            checkcache=(linecache.checkcache, _check_lines),
            updatecache=(linecache.updatecache, _read_lines),
        )


def see_the_disk(here: str) -> None:
    """Let imports and source lines come from the disk from now on, whatever is mounted.

    Args:
        here: the real working directory.
    """
    _prepare()
    _here[0] = here
    for name, (_, asks_disk) in _modules.items():
        setattr(_external, name, asks_disk)
    for name, (_, reads_disk) in _line_functions.items():
        setattr(linecache, name, reads_disk)
    if _FinderInMount not in sys.meta_path:
        sys.meta_path.append(_FinderInMount)


class _FinderInMount:
    """Finds modules that are not on the disk, by `sys.path` as it is in the mount."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Return where a module is that nobody else has found."""
        del target
        for directory in sys.path if path is None else path:
            place = os.path.join(os.getcwd(), directory, name.rpartition(".")[2])
            package = os.path.join(place, "__init__.py")
            if os.path.isfile(package):
                return spec_from_file_location(name, package, submodule_search_locations=[place])
            if os.path.isfile(f"{place}.py"):
                return spec_from_file_location(name, f"{place}.py")
        return None


def see_what_is_mounted() -> None:
    """Undo `see_the_disk`."""
    if _FinderInMount in sys.meta_path:
        sys.meta_path.remove(_FinderInMount)
    for name, (original, asks_disk) in _modules.items():
        if getattr(_external, name) is asks_disk:
            setattr(_external, name, original)
    for name, (original, reads_disk) in _line_functions.items():
        if getattr(linecache, name) is reads_disk:
            setattr(linecache, name, original)


def _check_lines(filename: str | None = None) -> None:
    """Forget the lines of what has changed on the disk, or in the mount if it is there."""
    for name in [filename] if filename is not None else list(linecache.cache):
        entry: Any = linecache.cache.get(name)
        if entry is None or len(entry) == 1 or entry[1] is None:
            continue
        size, changed, _, path = entry
        try:
            status = _modules["_os"][1].stat(path)
        except (OSError, ValueError):
            linecache.cache.pop(name, None)
            continue
        if (size, changed) != (status.st_size, status.st_mtime):
            linecache.cache.pop(name, None)


def _read_lines(filename: str, module_globals: Any = None) -> list[str]:
    """Return the lines of a file on the disk; those of any other as `linecache` finds them."""
    try:
        status = _modules["_os"][1].stat(filename)
        with _modules["_io"][1].FileIO(filename) as file:
            data = io.BytesIO(file.read())
        encoding, _ = tokenize.detect_encoding(data.readline)
        data.seek(0)
        lines = io.TextIOWrapper(data, encoding).readlines()
    except (OSError, ValueError, UnicodeDecodeError, SyntaxError):
        original: Any = _line_functions["updatecache"][0]
        found: list[str] = original(filename, module_globals)
        return found
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    linecache.cache[filename] = status.st_size, status.st_mtime, lines, filename
    return lines


def of_disk(name: str) -> Any:
    """Return a function of `os` that asks the disk, whatever is mounted."""
    _prepare()
    of_os = vars(_modules["_os"][1])
    return of_os.get(f"{name}_on_disk", of_os[name])
