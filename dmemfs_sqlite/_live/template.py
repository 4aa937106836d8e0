"""Databases for tests: built once, and copied for each of them."""

from __future__ import annotations

import functools
import itertools
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from types import ModuleType
from typing import Any, Self

from dmemfs import MemoryFileSystem
from dmemfs._arguments import by_name, byte_count, bytes_of

from .._engine.image import BadImageError, read_header
from .._engine.pragmas import Pragmas, set_pragmas
from .._engine.waiting import Deadline, WorkMutex
from .._errors import BusyError, SnapshotError
from .._platform import callback_obstacle
from .._stores.filesystem import Directory
from .._vfs.paths import SIDECARS, require_memory_file_system
from .building import Build, builder
from .committed import needs_care, read_committed
from .connect import Journal, connect

_DIRECTORY = "/.templates"

Key = str | Callable[[], str]


class DatabaseTemplate:
    """A database that is built once, of which every `connect` opens a private copy.

    A copy shares all content with the template until it is written to, so that its cost does not
    depend on the size of the database. It goes when its connection is closed. All methods may be
    called from any thread.

    Args:
        fs: Where the template and its copies are kept, below "/.templates".
        build: Makes the content: SQL; a `Path` of a file of SQL; a function that is given a
            connection to an empty database, where what it leaves uncommitted is committed; or a
            command line as a list, such as `["alembic", "-x", "url={url}", "upgrade", "head"]`. A
            program is told a temporary path in place of `{path}` and `{url}`, and in its
            environment as DATABASE_PATH and DATABASE_URL; it has 300 seconds.
        key: What the content depends on, such as a hash of the migrations; or a function that
            returns it, which is asked at each `connect`. Under another key than before, `build` is
            called anew.
        cache: Where what was built is kept for others, and for later: a directory of the disk, or a
            pair of a file system, of fsspec too, and a directory there. Whoever is the first
            builds. What is torn, of another key or of another SQLite is built anew, and logged.

    Raises:
        TypeError: `fs` is no MemoryFileSystem, or `build` nothing that builds.
        ValueError: A `cache` needs a `key`, where SQL does not say what is built.
    """

    @by_name
    def __init__(
        self,
        fs: MemoryFileSystem,
        build: Build,
        *,
        key: Key = "",
        cache: Directory | None = None,
    ) -> None:
        require_memory_file_system(fs)
        self._fs = fs
        self._builder = builder(build)
        self._key = key
        self._cache = None if cache is None else _image_cache(cache)
        if cache is not None and not key and not isinstance(build, str | os.PathLike):
            raise ValueError(
                "what this builds cannot be told from what was built before: give key=, such as a "
                "hash of the migrations, beside cache="
            )
        self._built_for: str | None = None
        self._image: Any = None  # frozen, of what is built; False where that cannot be
        self._mutex = _BuildMutex()
        self._path = f"{_DIRECTORY}/{secrets.token_hex(8)}.db"
        self._numbers = itertools.count(1)

    @classmethod
    def from_bytes(cls, fs: MemoryFileSystem, image: bytes) -> Self:
        """Return a template of what `to_bytes` returned, perhaps in another process.

        Args:
            fs: Where it is kept.
            image: Any SQLite database file.

        Raises:
            SnapshotError: It is no such file, or not all of one.
            TypeError: It is not bytes-like.
        """
        image = bytes_of(image, "image")
        try:
            read_header(image)
        except BadImageError as error:
            raise SnapshotError("image", str(error)) from None

        def refuse(_connection: sqlite3.Connection) -> None:
            raise ValueError("the template holds the bytes that it was made of, and nothing else")

        self = cls(fs, refuse)
        fs._do_all_or_nothing(partial(_write_in_blocks, fs, self._path, image))
        self._built_for = ""
        return self

    def to_bytes(self) -> bytes:
        """Return the template as the bytes of an ordinary SQLite file, built if it is not yet.

        Complexity:
            Linear in its size.
        """
        with self._mutex:
            self._build_if_needed()
            return self._content()

    def connect(
        self,
        *,
        shared: bool = False,
        room: int | str | None = None,
        journal: Journal = "memory",
        module: ModuleType = sqlite3,
        pragmas: Pragmas | None = None,
        **connect_kwargs: Any,
    ) -> sqlite3.Connection:
        """Open a private copy, which goes when the connection is closed.

        It is this connection's alone, as ":memory:" is, and as quick; where it cannot be, or with
        `shared`, it is a file, which others may open too.

        Args:
            shared: Make it a file below "/.templates", whose path `PRAGMA database_list` tells.
            room: Bytes by which it may grow, if it is no file, as a number or a text such as
                "8 MiB"; more is SQLITE_FULL, "database or disk is full". They count, with its size,
                until it is closed. Usually a sixteenth of what the quota has left, and at most 64
                MiB.
            journal: "file" is for a file that is copied or restored in the middle of transactions,
                and makes it one.
            module: sqlite3, or one like it.
            pragmas: As for `dmemfs_sqlite.connect`.
            connect_kwargs: Further arguments of `sqlite3.connect`.

        Raises:
            BusyError: Another thread did not end building it in time.
            LiveDatabaseUnavailable: See `dmemfs_sqlite.connect`.
            QuotaExceededError: It does not fit.

        Complexity:
            Independent of the size of the database, but for a few bytes per block of 64 KiB.
        """
        room = byte_count(room, "room", none="what is usual")
        copy = f"{self._path[:-3]}-{next(self._numbers)}.db"
        if not shared and journal == "memory":
            with self._mutex:
                self._build_if_needed()
                image = self._frozen()
            if image:
                connection = _copies().open_copy(
                    self._fs, copy, image, room, module, connect_kwargs
                )
                if connection is not None:
                    set_pragmas(connection, pragmas)
                    return connection  # type: ignore[no-any-return]
        try:
            with self._mutex:
                self._build_if_needed()
                self._require_file()
                self._fs.copy(self._path, copy)
            return connect(
                self._fs,
                copy,
                journal=journal,
                module=module,
                delete_on_close=True,
                pragmas=pragmas,
                **connect_kwargs,
            )
        except BaseException:
            with suppress(OSError):
                self._fs.remove(copy)
            raise

    def close(self) -> None:
        """Remove the template; copies that are open live on. A later `connect` builds it anew."""
        with self._mutex, suppress(FileNotFoundError):
            self._built_for = self._image = None
            self._fs.remove(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _build_if_needed(self) -> None:
        """Build it, with the mutex held, unless it is there and of the present key."""
        key = self._key() if callable(self._key) else self._key
        if self._built_for != key:
            if self._cache is None:
                self._put(self._build_at)
            else:
                self._load_or_keep(self._cache, f"{key} {self._builder.digest()}".strip())
            self._built_for = key

    def _load_or_keep(self, cache: Any, key: str) -> None:
        image = cache.load(key)
        if image is None:
            self._put(self._build_at)
            cache.keep(key, self._content())
        else:
            self._put(lambda path: _write_in_blocks(self._fs, path, image))

    def _content(self) -> bytes:
        """Return what is built, with the mutex held."""
        if self._image:
            return self._image.read()  # type: ignore[no-any-return]
        return read_committed(self._fs, self._path, Deadline(0))

    def _frozen(self) -> Any:
        """Return the image of what is built, with the mutex held; False where that cannot be.

        Its file is of zeros from then on, which count as before and take no memory.
        """
        if self._image is None:
            self._image = False
            if _copies() is not None and not needs_care(self._fs, self._path):
                content = self._fs.read_bytes(self._path)
                self._image = _copies().freeze(content) or False
                if self._image:
                    self._fs.write_bytes(self._path, bytes(len(content)))
        return self._image

    def _require_file(self) -> None:
        """Have what is built in its file, with the mutex held: somebody needs one to copy."""
        if self._image:
            image, self._image = self._image, None
            try:
                self._fs._do_all_or_nothing(
                    partial(_write_in_blocks, self._fs, self._path, image.read())
                )
            except BaseException:
                self._image = image
                raise

    def _put(self, write: Callable[[str], object]) -> None:
        """Let a function write a new file, and put it in the place of the former one."""
        new = f"{self._path}.building"
        self._fs.makedirs(_DIRECTORY, exist_ok=True)
        try:
            write(new)
            # What is there from now on is not of the former key.
            self._built_for = self._image = None
            self._fs.replace(new, self._path)
        except BaseException:
            for suffix in (*SIDECARS, ""):
                with suppress(OSError):
                    self._fs.remove(new + suffix)
            raise

    def _build_at(self, path: str) -> None:
        with closing(connect(self._fs, path)) as connection:
            self._builder.build(connection)
            connection.commit()


def _image_cache(cache: Directory) -> Any:
    """Return what keeps images, loaded where it is used."""
    from .image_cache import ImageCache

    return ImageCache(cache)


@functools.cache
def _copies() -> Any:
    """Return what opens private copies, loaded where C can call back; None elsewhere."""
    if callback_obstacle() is not None:
        return None
    from . import copies

    return copies


def _write_in_blocks(fs: MemoryFileSystem, path: str, image: bytes) -> None:
    """Write a file so that copies of it share its blocks one by one: what was written into."""
    fs.makedirs(_DIRECTORY, exist_ok=True)
    fs.write_bytes(path, image)
    with fs.open(path, "r+b", buffering=0) as file:
        file.write(image[:1])


DatabaseTemplate.__module__ = "dmemfs_sqlite"  # where users find it


class _BuildMutex(WorkMutex):
    """Held while the template is built or copied."""

    __slots__ = ()

    work = "building the template"

    def __enter__(self) -> bool:
        if self._is_owned():
            raise BusyError("this very thread is building the template, and asks for it meanwhile")
        return super().__enter__()
