"""Versions of a database in one directory, in the order of their making."""

from __future__ import annotations

import os
import posixpath
import re
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_type_hints
from urllib.parse import quote, unquote

from dmemfs import MemoryFileSystem
from dmemfs._arguments import by_name, whole_number

from .._engine.waiting import Deadline, work_mutex
from .._errors import SnapshotError
from .._stores.filesystem import (
    SnapshotFileSystem,
    list_directory,
    remove_file,
)
from .._stores.publish import publish_file
from .._vfs.paths import PathLike
from .copy import Database, Progress
from .load import load_db

_NAME = re.compile(r"(\d{8,})-(\d{8}T\d{12}Z)-([0-9a-f]{8})(?:-(.+))?\.db")
_TIME = "%Y%m%dT%H%M%S%fZ"
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One stored state of a database.

    Attributes:
        number: Counts the saves of a store; later versions have greater ones.
        time: When it was saved, in UTC.
        label: The text that it was saved with, or None.
        name: Its file name in the directory of the store.
    """

    number: int
    time: datetime
    name: str
    label: str | None


# The names in them are known here only.
Version.__annotations__ = get_type_hints(Version)


class SnapshotStore:
    """A directory of versions, of which the newest ones are kept.

    In a MemoryFileSystem a version shares all unchanged blocks with the one before it; its
    quota counts every version in full all the same.

    Args:
        fs: A MemoryFileSystem or an fsspec file system.
        directory: Where the versions are; made by the first save.
        keep: How many versions are kept after a save; None keeps all.
    """

    @by_name
    def __init__(
        self, fs: SnapshotFileSystem, directory: PathLike, *, keep: int | None = None
    ) -> None:
        whole_number(keep, "keep", least=1, none="all")
        if not (hasattr(fs, "listdir") or hasattr(fs, "ls")):
            raise TypeError(
                f"fs must be a file system, and {fs!r} can neither listdir() nor ls(): write "
                "SnapshotStore(fs, directory)"
            )
        self._fs = fs
        self._directory = os.fsdecode(directory)
        self._keep = keep
        # Between choosing the next number and using it.
        self._mutex = work_mutex(f"saving a version in {self._directory!r}")

    def versions(self) -> list[Version]:
        """Return all versions, oldest first; other files in the directory are left out.

        Complexity:
            O(n log n) in the number of files.
        """
        names = list_directory(self._fs, self._directory)
        return sorted(version for version in map(_parse, names) if version is not None)

    @by_name
    def save(
        self,
        conn: sqlite3.Connection,
        label: str | None = None,
        *,
        name: str = "main",
        timeout: float = 5.0,
        progress: Progress | None = None,
    ) -> Version:
        """Store the committed content as the newest version, and prune.

        Args:
            conn: As for `save_db`.
            label: Any text, to find the version by.
            name: As for `save_db`.
            timeout: As for `save_db`.
            progress: As for `save_db`.

        Returns:
            The new version.

        Raises:
            ValueError: The label is empty or too long for a file name.
            BusyError, OpenTransactionError, OSError: As `save_db` raises them.

        Complexity:
            Linear in the size of the database; a save that prunes also reads the newest
            version back and checks it.
        """
        _check_label(label)
        image = Database(conn, Deadline(timeout), name).committed_image(progress)
        with self._mutex:
            former = self.versions()
            version = _next_version(former, label)
            if not (former and self._store_changes(former[-1], version, image)):
                publish_file(self._fs, self._path(version), image)
            self._prune()
        return version

    def load(self, version: Version | str, uri: str, **options: Any) -> sqlite3.Connection:
        """Load a version as `load_db` does.

        Args:
            version: One of `versions()`, its name, or the label of several, whose newest counts.
            uri: As for `load_db`.
            options: Further arguments of `load_db`.

        Raises:
            FileNotFoundError: There is no such version.
            SnapshotError: The version is damaged.
        """
        if isinstance(version, str):
            version = self._find(version)
        return load_db(self._fs, self._path(version), uri, **options)

    def remove(self, version: Version) -> None:
        """Remove a version; that it is gone already is no error."""
        remove_file(self._fs, self._path(version))

    def _find(self, text: str) -> Version:
        for version in reversed(self.versions()):
            if text in (version.name, version.label):
                return version
        raise FileNotFoundError(2, "No such version", posixpath.join(self._directory, text))

    def _path(self, version: Version) -> str:
        return posixpath.join(self._directory, version.name)

    def _prune(self) -> None:
        """Remove the oldest versions, but never the newest one that is sound."""
        versions = self.versions()
        surplus = [] if self._keep is None else versions[: -self._keep]
        if not surplus:
            return
        newest_sound = next((v for v in reversed(versions) if self._is_sound(v)), None)
        if newest_sound is None:
            return
        for version in surplus:
            if version != newest_sound:
                self.remove(version)

    def _is_sound(self, version: Version) -> bool:
        try:
            with closing(load_db(self._fs, self._path(version), ":memory:")):
                return True
        except (SnapshotError, OSError):
            return False

    def _store_changes(self, former: Version, version: Version, image: bytes) -> bool:
        """Store the image as a copy-on-write copy of the former version, if it pays."""
        fs = self._fs
        if not isinstance(fs, MemoryFileSystem):
            return False
        source, target = self._path(former), self._path(version)
        block = fs.stat(source).st_blksize
        changed = _changed_blocks(fs, source, image, block)
        # With most blocks changed, one piece that is adopted costs less.
        if 2 * len(changed) * block > len(image):
            return False
        fs._do_all_or_nothing(partial(_store_blocks, fs, source, target, image, changed, block))
        return True


for _public in (SnapshotStore, Version):
    _public.__module__ = "dmemfs_sqlite"  # where users find them, and pickle does


def _store_blocks(
    fs: MemoryFileSystem, source: str, target: str, image: bytes, changed: list[int], block: int
) -> None:
    temporary = posixpath.join(posixpath.dirname(target), f".{secrets.token_hex(8)}.saving")
    fs.copy(source, temporary)
    with fs.open(temporary, "r+b", buffering=0) as file:
        view = memoryview(image)
        for start in changed:
            file.seek(start)
            file.write(view[start : start + block])
        file.truncate(len(image))
    fs.utime(temporary)
    fs.replace(temporary, target)


def _changed_blocks(fs: MemoryFileSystem, path: str, image: bytes, block: int) -> list[int]:
    """Return the offsets of the blocks in which the image differs from the file."""
    view = memoryview(image)
    changed = []
    with fs.open(path, "rb", buffering=0) as file:
        for start in range(0, len(image), block):
            if file.read(block) != view[start : start + block]:
                changed.append(start)
    return changed


def _check_label(label: str | None) -> None:
    if label is not None and (not label or len(_name(0, datetime.now(UTC), label)) > _LONGEST_NAME):
        raise ValueError(f"a label must not be empty, nor too long for a file name: {label!r}")


def _next_version(former: list[Version], label: str | None) -> Version:
    number = former[-1].number + 1 if former else 1
    time = datetime.now(UTC)
    return Version(number, time, _name(number, time, label), label)


def _name(number: int, time: datetime, label: str | None) -> str:
    # Random, so that two programs that save at once do not replace each other's version.
    name = f"{number:08}-{time.strftime(_TIME)}-{secrets.token_hex(4)}"
    return f"{name}-{quote(label, safe=' ')}.db" if label is not None else f"{name}.db"


def _parse(name: str) -> Version | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        time = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Version(int(match[1]), time, name, None if match[4] is None else unquote(match[4]))
