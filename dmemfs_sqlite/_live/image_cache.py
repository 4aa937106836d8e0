"""Images of templates that last: in a directory of any file system, under their keys.

Each is a file with two lines before the image: what it is, and in JSON its key, the version of the
SQLite that built it, when that was, and the SHA-256 of the image. It appears at once or not at all;
of two that are built at the same time, the later one stays.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .._engine.image import BadImageError, read_header
from .._engine.log import logger
from .._stores.disk import Disk
from .._stores.filesystem import (
    Directory,
    as_text,
    list_directory,
    read_file,
    remove_file,
    require_file_system,
)
from .._stores.publish import publish_file

_FIRST_LINE = b"dmemfs template 1\n"
_SUFFIX = ".template"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CachedImage:
    """What a file of a cache says of itself.

    Attributes:
        name: that of the file.
        key: what it was built for.
        sqlite_version: that of the library that built it.
        built: when.
        size: bytes of the image.
        problem: why it cannot be used, None for one that is sound.
    """

    name: str
    key: str = ""
    sqlite_version: str = ""
    built: datetime | None = None
    size: int = 0
    problem: str | None = None


class ImageCache:
    """A directory of images."""

    def __init__(self, cache: Directory) -> None:
        """Choose the directory, which is made when there is something to keep.

        Raises:
            TypeError: It is neither a path nor a file system and a path.
        """
        self._fs, directory = cache if isinstance(cache, tuple) else (Disk(), cache)
        require_file_system(self._fs, "cache=(fs, directory), or cache=directory for the disk")
        self.directory = as_text(directory)

    def load(self, key: str) -> bytes | None:
        """Return the image of a key, None if there is none, or none that is right.

        What is not right is logged, and so is a store that cannot be reached: to build is slower,
        and never wrong.
        """
        path = self._path(key)
        try:
            found, image = _parse(path, read_file(self._fs, path))
        except FileNotFoundError:
            return None
        except OSError as error:
            logger().warning("the template %s cannot be loaded, and is built: %s", path, error)
            return None
        if found.problem is None and found.key != key:
            found, image = CachedImage(path, problem="it is of another key"), b""
        if found.problem is not None:
            logger().warning("the template %s is built anew: %s", path, found.problem)
            return None
        return image

    def keep(self, key: str, image: bytes) -> None:
        """Keep the image of a key; a store that cannot do that is logged."""
        path = self._path(key)
        about = {
            "key": key,
            "sqlite": sqlite3.sqlite_version,
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
            "sha256": hashlib.sha256(image).hexdigest(),
        }
        try:
            publish_file(self._fs, path, b"%s%s\n%s" % (_FIRST_LINE, _as_line(about), image))
        except OSError as error:
            logger().warning("the template %s cannot be kept: %s", path, error)

    def images(self) -> list[CachedImage]:
        """Return what is there, the newest first.

        Complexity: O(bytes of all images), which are read and checked.
        """
        found = []
        for name in list_directory(self._fs, self.directory):
            if name.endswith(_SUFFIX):
                content = read_file(self._fs, posixpath.join(self.directory, name))
                found.append(_parse(name, content)[0])
        return sorted(found, key=lambda image: image.built or _NEVER, reverse=True)

    def remove(self, image: CachedImage) -> None:
        """Remove an image; that it is gone already is no error."""
        remove_file(self._fs, posixpath.join(self.directory, image.name))

    def _path(self, key: str) -> str:
        # Of each version of SQLite another, so that two that share a cache do not build in turns.
        digest = hashlib.sha256(f"{sqlite3.sqlite_version}\n{key}".encode()).hexdigest()
        return posixpath.join(self.directory, digest[:32] + _SUFFIX)


def _as_line(about: dict[str, str]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()  # which has no line ends


def _parse(name: str, content: bytes) -> tuple[CachedImage, bytes]:
    """Return what a file of a cache is, and its image; none where there is a problem."""
    if not content.startswith(_FIRST_LINE):
        return CachedImage(name, problem="it is no template, or of a later version"), b""
    line, _, image = content.removeprefix(_FIRST_LINE).partition(b"\n")
    try:
        about: dict[str, Any] = json.loads(line)
        built = datetime.fromisoformat(about["built"])
        found = CachedImage(name, about["key"], about["sqlite"], built, len(image))
        if about["sha256"] != hashlib.sha256(image).hexdigest():
            return CachedImage(name, problem="it is torn: its bytes are others than it says"), b""
        read_header(image)
    except (BadImageError, ValueError, KeyError, TypeError) as error:
        return CachedImage(name, problem=f"it is damaged: {error}"), b""
    return found, image
