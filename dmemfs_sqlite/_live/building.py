"""How the content of a template is made: by SQL, a function, or a program."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple, TypeAlias

Build: TypeAlias = str | os.PathLike[str] | Sequence[str] | Callable[[sqlite3.Connection], object]
"""SQL; the path of a file of SQL; a command line; a function of a connection."""

# Seconds: as long as others wait for a template that is built.
_LONGEST_COMMAND = 300.0
_MOST_OUTPUT = 2000


class Builder(NamedTuple):
    """What makes the content of a database.

    Attributes:
        build: makes it, given a connection to an empty database.
        digest: says by what, so that other SQL is another content; "" where only a key can tell.
    """

    build: Callable[[sqlite3.Connection], object]
    digest: Callable[[], str]


def builder(build: Any) -> Builder:
    """Return what makes the content of a database.

    Raises:
        TypeError: It is none of what can.
    """
    if isinstance(build, str):
        return Builder(lambda connection: connection.executescript(build), lambda: _digest(build))
    if isinstance(build, os.PathLike):
        return Builder(
            lambda connection: connection.executescript(_text_of(build)),
            lambda: _digest(_text_of(build)),
        )
    if isinstance(build, list | tuple) and build:
        return Builder(lambda connection: _run(build, connection), str)
    if not callable(build):
        raise TypeError(
            "build must be SQL, the Path of a file of SQL, a command line as a list or a function "
            f"of a connection, not a {type(build).__name__}; for the bytes of a database file "
            "there is from_bytes(fs, image)"
        )
    return Builder(build, str)


def _text_of(path: os.PathLike[str]) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def _run(command: Sequence[str], connection: sqlite3.Connection) -> None:
    """Let a program fill a database file, and take over what it holds.

    The file is in a temporary directory, which is gone afterwards.
    """
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="dmemfs-") as directory:
        path = os.path.join(directory, "template.db")
        url = f"sqlite:///{path}"
        done = subprocess.run(
            [part.replace("{path}", path).replace("{url}", url) for part in command],
            env={**os.environ, "DATABASE_PATH": path, "DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_COMMAND,
            check=False,
        )
        if done.returncode or not os.path.exists(path):
            error = subprocess.CalledProcessError(done.returncode, list(command), done.stdout)
            error.add_note(
                "It is to fill the database at {path} in its arguments, or at DATABASE_PATH or "
                "DATABASE_URL of its environment; "
                + ("it failed" if done.returncode else "no file was there when it ended")
                + f", and said:\n{done.stdout[-_MOST_OUTPUT:].decode(errors='replace')}"
            )
            raise error
        with closing(sqlite3.connect(path)) as source:
            source.backup(connection)
