"""Small functions that tests import from `pyfakefs.helpers`."""

from __future__ import annotations

import locale
import os
import platform
import time
from typing import Any

IS_PYPY = platform.python_implementation() == "PyPy"
IS_WIN = False


def is_int_type(val: object) -> bool:
    """Tell whether something is an integer."""
    return isinstance(val, int)


def is_byte_string(val: object) -> bool:
    """Tell whether something is no text, as far as paths go."""
    return not hasattr(val, "encode")


def is_unicode_string(val: object) -> bool:
    """Tell whether something is text."""
    return hasattr(val, "encode")


def make_string_path(dir_name: Any) -> Any:
    """Return a path as text or bytes."""
    return os.fspath(dir_name)


def to_string(path: str | bytes) -> str:
    """Return text or bytes as text."""
    return path.decode(locale.getencoding()) if isinstance(path, bytes) else path


def to_bytes(path: str | bytes) -> bytes:
    """Return text or bytes as bytes."""
    return path.encode(locale.getencoding()) if isinstance(path, str) else path


def now() -> float:
    """Return the time in seconds since the epoch."""
    return time.time()


def matching_string(matched: Any, string: Any) -> Any:
    """Return a path in the type, text or bytes, of another one."""
    if string is None:
        return None
    return to_bytes(string) if isinstance(matched, bytes) else to_string(string)


def get_locale_encoding() -> str:
    """Return the encoding of text by default."""
    return locale.getencoding()
