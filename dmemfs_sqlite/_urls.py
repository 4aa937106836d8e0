"""Databases by URL, for programs that have a configuration and nothing else.

    sqlite+dmemfs:///PATH[?OPTIONS]         in the file system "sqlalchemy" of this process
    sqlite+dmemfs://NAME/PATH[?OPTIONS]     in the one of that name

A file system is found by the name under which it is published. Where there is none of that name,
one is made, and kept until `forget()`.
"""

from __future__ import annotations

import posixpath
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast, get_args

from dmemfs import MemoryFileSystem
from dmemfs._arguments import byte_count
from dmemfs._mutex import Mutex

from ._live.connect import Journal, connect

DEFAULT_NAME = "sqlalchemy"

_NUMBERS: dict[str, type] = {"timeout": float, "detect_types": int, "cached_statements": int}
_TEXTS = ("isolation_level",)
_OURS = ("quota", "journal")

_mutex = Mutex()  # taken to make a file system, and to let one go
_kept: dict[str, MemoryFileSystem] = {}


class Place:
    """What a URL says: which file of which file system, and how it is opened.

    Args:
        name: Of the file system; None for that of the process.
        path: Of the database in it.
        options: Those behind the question mark. `quota`: what a file system that is made for this
            URL may hold. `journal`: as for `connect`. `timeout`, `isolation_level`, `detect_types`
            and `cached_statements`: as for `sqlite3.connect`. All others are PRAGMAs.

    Raises:
        ValueError: It names no database, or an option has no such value.
    """

    def __init__(self, name: str | None, path: str | None, options: Mapping[str, Any]) -> None:
        if not path or path == ":memory:" or path.endswith("/"):
            raise ValueError(
                "the URL of a database in memory has a name: sqlite+dmemfs:///app.db, the file "
                "/app.db of the file system of this process"
            )
        several = [key for key, value in options.items() if not isinstance(value, str)]
        if several:
            raise ValueError(f"the option {several[0]!r} is given several times")
        self.name = name or DEFAULT_NAME
        self.path = posixpath.normpath(posixpath.join("/", path.lstrip("/")))
        self.quota: int | None = byte_count(options.get("quota"), "quota")
        self.journal = cast(Journal, options.get("journal", "file"))
        if self.journal not in get_args(Journal):
            raise ValueError(f"journal must be file or memory, not {self.journal!r}")
        self.connect_kwargs: dict[str, Any] = {
            key: _NUMBERS[key](value) for key, value in options.items() if key in _NUMBERS
        }
        self.connect_kwargs |= {key: options[key] for key in _TEXTS if key in options}
        known = (*_OURS, *_NUMBERS, *_TEXTS)
        self.pragmas = {key: value for key, value in options.items() if key not in known}

    def file_system(self) -> MemoryFileSystem:
        """Return the file system, which is made if there is none of that name.

        Raises:
            ValueError: It is there, with another quota than the URL says.
        """
        with _mutex:
            try:
                fs = MemoryFileSystem.published(self.name)
            except FileNotFoundError:
                fs = MemoryFileSystem(**({} if self.quota is None else {"max_quota": self.quota}))
                fs.publish(self.name)
                _kept[self.name] = fs
                return fs
        there = fs.quota("/").max_bytes
        if self.quota is not None and self.quota != there:
            raise ValueError(
                f"the file system {self.name!r} is there already, with a quota of {there} bytes "
                f"and not {self.quota}: say the same in each URL, or nothing"
            )
        return fs

    def connect(self, **connect_kwargs: Any) -> sqlite3.Connection:
        """Open the database, which is made if it is missing, and the directory that it is in.

        Args:
            connect_kwargs: As for `dmemfs_sqlite.connect`, before what the URL says.
        """
        fs = self.file_system()
        fs.makedirs(posixpath.dirname(self.path), exist_ok=True)
        pragmas = {**self.pragmas, **(connect_kwargs.pop("pragmas", None) or {})}
        options = {"journal": self.journal, **self.connect_kwargs, **connect_kwargs}
        return connect(fs, self.path, pragmas=pragmas, **options)


def forget(name: str) -> bool:
    """Let go of a file system that was made for a URL; return whether there was one."""
    with _mutex:
        fs = _kept.pop(name, None)
        if fs is not None:
            with suppress(FileNotFoundError):  # closed, or unpublished by whoever found it
                fs.unpublish(name)
    return fs is not None
