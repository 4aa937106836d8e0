"""The mode strings of `open`."""

from __future__ import annotations

import itertools
import operator
import os
import sys
import warnings
from types import FrameType

from .. import _platform
from .._errors import require_c_int
from .binary import BinaryFile, ReadFile, UpdateFile, WriteFile

_PACKAGE = __name__.partition(".")[0]


class OpenMode:
    """What a mode string asks for.

    Attributes:
        file_class: the class of the binary file object.
        name: the mode that the binary file object reports.
        text: whether a text file is put on it.
        direct: whether `open` returns the binary file object with nothing left to be done: not
            where it has to be noted as open.
        creates: whether a missing file is made (O_CREAT).
        exclusive: whether the file must be missing (O_EXCL).
        truncates: whether an existing file is emptied (O_TRUNC).
        appends: whether every write goes to the end (O_APPEND).
    """

    __slots__ = (
        "appends", "creates", "direct", "exclusive", "file_class", "name", "text", "truncates",
    )  # fmt: skip

    def __init__(self, letters: str, *, text: bool) -> None:
        action, update = letters[0], letters[1:]
        self.file_class: type[BinaryFile] = _FILE_CLASSES[letters]
        self.name = _NAME_OF_W_PLUS if letters == "w+" else f"{action}b{update}"
        self.text = text
        self.direct = not text and _platform.SEES_LAST_REFERENCE_GO
        self.creates = action != "r"
        self.exclusive = action == "x"
        self.truncates = action == "w"
        self.appends = action == "a"

    def os_flags(self) -> int:
        """Return the flags with which `os.open` makes or empties a file as this mode does."""
        flags = os.O_RDONLY if self.name == "rb" else os.O_RDWR
        flags |= os.O_CREAT * self.creates | os.O_EXCL * self.exclusive
        return flags | os.O_TRUNC * self.truncates


_NAME_OF_W_PLUS = "wb+" if sys.version_info >= (3, 15) else "rb+"

_FILE_CLASSES: dict[str, type[BinaryFile]] = {
    "r": ReadFile,
    "w": WriteFile,
    "x": WriteFile,
    "a": WriteFile,
    "r+": UpdateFile,
    "w+": UpdateFile,
    "x+": UpdateFile,
    "a+": UpdateFile,
}

OPEN_MODES = {
    "".join(spelling): OpenMode(letters, text=kind != "b")
    for letters in _FILE_CLASSES
    for kind in ("", "t", "b")
    for spelling in itertools.permutations(letters + kind)
}


class _OwnModes(dict[str, OpenMode]):
    """The modes of one file system, each a copy, made when it is first asked for."""

    def __missing__(self, mode: str) -> OpenMode:
        import copy

        self[mode] = own = copy.copy(OPEN_MODES[mode])
        return own


def modes_of_tree() -> dict[str, OpenMode]:
    """Return the modes by their spelling, for the `open` of one file system.

    Without the lock of the interpreter they are its own: threads that use others do not count
    together with them who refers to a mode.
    """
    return OPEN_MODES if _platform.HAS_INTERPRETER_LOCK else _OwnModes()


def mode_error(mode: object) -> Exception:
    """Return the error that the builtin `open` raises for a mode that is not in `OPEN_MODES`."""
    if not isinstance(mode, str):
        return TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    mode.encode()  # what cannot be encoded is the error of the builtin, too
    letters = set(mode)
    if len(letters) != len(mode) or letters - set("rwaxbt+"):
        return ValueError(f"invalid mode: {mode!r}")
    if {"t", "b"} <= letters:
        return ValueError("can't have text and binary mode at once")
    return ValueError(
        "must have exactly one of create/read/write/append mode and at most one plus"
        if not letters & set("rwax")
        else "must have exactly one of create/read/write/append mode"
    )


def check_text_arguments(how: OpenMode, encoding: object, errors: object, newline: object) -> None:
    """Raise as the builtin `open` does, before it looks at any file, for wrong text arguments."""
    for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
        if value is None:
            continue
        if not isinstance(value, str):
            kind = type(value).__name__
            raise TypeError(f"open() argument {name!r} must be str or None, not {kind}")
        if "\0" in value:
            raise ValueError("embedded null character")
        if not how.text:
            article = "a" if name == "newline" else "an"
            raise ValueError(f"binary mode doesn't take {article} {name} argument")


def check_buffering(how: OpenMode, buffering: int) -> int:
    """Return `buffering`, -1 for any negative one; raise or warn as the builtin `open` does."""
    buffering = operator.index(buffering)
    require_c_int(buffering)
    if how.text and buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    if not how.text and buffering == 1:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, "
            "the default buffer size will be used",
            RuntimeWarning,
            stacklevel=level_of_user(),
        )
    return max(buffering, -1)


def level_of_user() -> int:
    """Return the `stacklevel` of a warning that is to name the line that called this package.

    The builtin `open` is in C, so that its warnings name that line.
    """
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level += 1
        frame = frame.f_back
    return level


def flags_of_mode(mode: str) -> int:
    """Return the flags that the builtin `open` hands to an opener."""
    how = OPEN_MODES[mode]
    flags = _platform.O_CLOEXEC
    if "+" in mode:
        flags |= os.O_RDWR
    elif how.creates:
        flags |= os.O_WRONLY
    if how.creates:
        flags |= os.O_CREAT
    if how.exclusive:
        flags |= os.O_EXCL
    if how.truncates:
        flags |= os.O_TRUNC
    if how.appends:
        flags |= os.O_APPEND
    return flags
