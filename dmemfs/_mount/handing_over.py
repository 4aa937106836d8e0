"""Ways to hand a mounted file to a library in C that takes a path.

It is given a Python file object, or the path of the file in memory that the kernel has for it
(`/proc/self/fd/N`); or it is refused, with what helps.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any, NamedTuple

from .._errors import refusal
from .._tree.lookup import LeadsOutsideError
from .descriptors import FIRST_DESCRIPTOR
from .table import MountTable

_CLOSES = "_closes_mounted_file"
_MOST_TURNS = 40
_READING = frozenset(("r", "rb", None))
_MAKES_FILES = re.compile(r"\b(ATTACH|COPY|EXPORT)\b", re.IGNORECASE)
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")


class Parameter(NamedTuple):
    """Where a path is among the arguments of a function.

    Attributes:
        position: its place, where it is not given by name.
        name: its name.
        use: `r` reads, `w` writes, `m` is told by the mode, the next parameter.
    """

    position: int
    name: str
    use: str

    def find(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return what is given for it, None where nothing is."""
        if self.position < len(arguments):
            return arguments[self.position]
        return options.get(self.name)

    def mode(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return what is given for the mode, which follows it."""
        return Parameter(self.position + 1, "mode", "").find(arguments, options)

    def writes(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> bool:
        """Tell whether the file is to be written."""
        if self.use != "m":
            return self.use == "w"
        return self.mode(arguments, options) not in _READING

    def exchange(
        self, value: Any, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments with something else for it."""
        if self.position < len(arguments):
            changed = [*arguments]
            changed[self.position] = value
            return changed, options
        return arguments, {**options, self.name: value}


def by_path(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Call a function with the path of the file in memory.

    What it returns may read and write on: the file stays open as long as that.
    """

    def open_file(given: str, writes: bool, stack: ExitStack) -> str:
        number = os.open(given, (os.O_RDWR | os.O_CREAT) if writes else os.O_RDONLY, 0o666)
        stack.callback(os.close, number)
        if number >= FIRST_DESCRIPTOR:
            raise refusal("this library opens it by itself", given)
        return f"/proc/self/fd/{number}"

    return _hand_over(table, real, path, arguments, options, open_file)


def by_file(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Call a function with a file object, which stays open as long as what it returns."""

    def open_file(given: str, writes: bool, stack: ExitStack) -> Any:
        return stack.enter_context(open(given, "wb" if writes else "rb"))

    return _hand_over(table, real, path, arguments, options, open_file)


def by_content(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Call a function that reads on later with a file object of what the file holds now."""

    def open_file(given: str, writes: bool, stack: ExitStack) -> Any:
        with open(given, "rb") as file:
            return io.BytesIO(file.read())

    return _hand_over(table, real, path, arguments, options, open_file)


def by_file_to_close(
    table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any
) -> Any:
    """Call a function with a file object, which what it returns closes."""

    def open_file(given: str, writes: bool, stack: ExitStack) -> Any:
        return open(given, "wb" if writes else "rb")

    given = path.find(arguments, options)
    if isinstance(given, str | os.PathLike):
        options = {**options, "close": True}
    return _hand_over(table, real, path, arguments, options, open_file)


def by_hdf5_file(
    table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any
) -> Any:
    """Call `h5py.File.__init__` with a file object, opened as its mode says."""

    def open_file(given: str, writes: bool, stack: ExitStack) -> Any:
        mode = path.mode(arguments, options) or "r"
        if mode == "a":
            mode = "r+" if os.path.exists(given) else "w"
        opened = {"r": "rb", "r+": "r+b", "w": "w+b", "w-": "x+b", "x": "x+b"}.get(mode)
        if opened is None or options.get("driver") is not None:
            raise refusal("HDF5 opens it by itself", given)
        return stack.enter_context(open(given, opened, buffering=0))

    return _hand_over(table, real, path, arguments, options, open_file)


def closing_hdf5_file(
    table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any
) -> Any:
    """Call `h5py.File.close`, and close the file object that was handed over."""
    try:
        return real(*arguments, **options)
    finally:
        close = vars(path.find(arguments, options)).get(_CLOSES)
        if close is not None:
            close()


def lxml_tree(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Return a tree of lxml's that can be written to a mounted file too."""
    tree = by_file(table, real, path, arguments, options)
    root = tree.getroot()
    if root is None:
        return tree
    kind: Any = type(tree)
    found = _tree_class(kind, table)()
    found._setroot(root)
    return found


@cache
def _tree_class(kind: Any, table: Any) -> Any:
    """Return the class of lxml's trees, with methods that are handed file objects."""

    class _ElementTree(kind):  # type: ignore[misc]
        def write(self, *arguments: Any, **options: Any) -> None:
            by_file(table, super().write, Parameter(0, "file", "w"), arguments, options)

        def write_c14n(self, *arguments: Any, **options: Any) -> None:
            by_file(table, super().write_c14n, Parameter(0, "file", "w"), arguments, options)

    _ElementTree.__module__ = kind.__module__
    return _ElementTree


def refuse(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Call a function, or refuse what is mounted."""

    def open_file(given: str, writes: bool, stack: ExitStack) -> Any:
        raise refusal("this library opens it by itself", given)

    return _hand_over(table, real, path, arguments, options, open_file)


def refuse_sql(table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any) -> Any:
    """Call a function that takes SQL, or refuse what names a mounted file in quotes."""
    text = path.find(arguments, options)
    if isinstance(text, str):
        makes_files = _MAKES_FILES.search(text) is not None
        for found in _QUOTED.finditer(text):
            name = found[1] or found[2] or ""
            is_file = stat.S_ISREG(_mode_of(name))
            if not is_file and not (makes_files and "/" in name and name != "/"):
                continue
            if _place(table, name, writes=makes_files and not is_file) is not None:
                raise refusal("this library opens it by itself", name)
    return real(*arguments, **options)


def refuse_socket(
    table: MountTable, real: Any, path: Parameter, arguments: Any, options: Any
) -> Any:
    """Bind a socket, or refuse one with a mounted path, with the error that it has got before."""
    address = path.find(arguments, options)
    if isinstance(address, str | bytes | bytearray) and address[:1] not in ("\0", b"\0", "", b""):
        plain = os.fsdecode(bytes(address) if isinstance(address, bytearray) else address)
        if _place(table, plain, writes=True) is not None:
            raise OSError(
                errno.ENOENT,
                f"{os.strerror(errno.ENOENT)}: a file system in memory has no sockets; bind it in "
                "a real directory, such as that of dmemfs.materialize(directory)",
                plain,
            )
    return real(*arguments, **options)


def _hand_over(
    table: MountTable,
    real: Any,
    path: Parameter,
    arguments: Any,
    options: Any,
    open_file: Callable[[str, bool, ExitStack], Any],
) -> Any:
    given = path.find(arguments, options)
    writes = path.writes(arguments, options)
    with ExitStack() as stack:
        changed = _exchanged(table, given, writes, open_file, stack)
        if changed is given:
            return real(*arguments, **options)
        arguments, options = path.exchange(changed, arguments, options)
        result = real(*arguments, **options)
        user = arguments[0] if getattr(real, "__name__", "") == "__init__" else result
        _keep_open(stack.pop_all(), user)
    return result


def _exchanged(
    table: MountTable,
    given: Any,
    writes: bool,
    open_file: Callable[[str, bool, ExitStack], Any],
    stack: ExitStack,
) -> Any:
    """Return what is handed over for a path, or for a list of them; else what was given."""
    if isinstance(given, list | tuple):
        changed = [_exchanged(table, each, writes, open_file, stack) for each in given]
        same = all(one is other for one, other in zip(changed, given, strict=True))
        return given if same else changed
    if not isinstance(given, str | os.PathLike):
        return given
    text = os.fspath(given)
    if not isinstance(text, str) or "://" in text or not text or text.startswith(":memory:"):
        return given
    place = _place(table, text, writes=writes)
    if place is None:
        return given
    if stat.S_ISDIR(_mode_of(text)):
        raise refusal("this library opens it by itself", text)
    return open_file(text, writes, stack)


def _place(table: MountTable, path: str, *, writes: bool) -> Any:
    """Return where a path leads in a mount, links included; None for the real file system.

    Raises:
        OSError: EROFS, it is passed through, and is to be written.
    """
    for _ in range(_MOST_TURNS):
        try:
            place = table.locate(path, writes=writes)
            if place is not None:
                place[0].fs._find(place[1])
        except LeadsOutsideError as leads:
            path = leads.path
            continue
        except FileNotFoundError:
            pass
        return place
    return None


def _mode_of(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _keep_open(opened: ExitStack, user: Any) -> None:
    """Close what was opened when nobody uses it any more: at once, if nothing can."""
    if user is None or isinstance(user, str | bytes | int | tuple | list | dict):
        opened.close()
        return
    try:
        close = weakref.finalize(user, opened.close)
    except TypeError:  # it takes no weak references
        opened.close()
        return
    close.atexit = False
    with suppress(AttributeError):
        setattr(user, _CLOSES, close)
