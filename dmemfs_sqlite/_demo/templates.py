"""The commands for directories of templates."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dmemfs import MemoryFileSystem

from .._errors import LiveDatabaseUnavailable
from .._live.image_cache import CachedImage, ImageCache
from .._live.template import DatabaseTemplate

Write = Callable[[str], object]


class TemplateError(Exception):
    """Raised where a template cannot be built, with what to say."""


def build_template(
    directory: str, key: str, sql: str | None, program: list[str] | None, write: Write
) -> None:
    """Build a template into a directory, unless it is there.

    Raises:
        TemplateError: There is not one thing to build it by, or that fails.
    """
    if (sql is None) == (not program):
        raise TemplateError("say what builds it: --sql FILE, or --program PROGRAM ARGUMENTS ...")
    build: Any = program if sql is None else Path(sql)
    before = {image.name for image in ImageCache(directory).images()}
    try:
        with DatabaseTemplate(MemoryFileSystem(), build, key=key, cache=directory) as template:
            size = len(template.to_bytes())
    except subprocess.CalledProcessError as error:
        raise TemplateError("\n".join([str(error), *error.__notes__])) from None
    except (
        OSError,
        ValueError,
        sqlite3.Error,
        subprocess.TimeoutExpired,
        LiveDatabaseUnavailable,
    ) as error:
        raise TemplateError(str(error)) from None
    new = [image for image in ImageCache(directory).images() if image.name not in before]
    write(f"{'built' if new else 'there already'}: {size:,} bytes\n")


def list_templates(directory: str, write: Write) -> None:
    """Show the templates of a directory, the newest first."""
    for image in ImageCache(directory).images():
        write(_line(image))


def prune_templates(directory: str, days: float | None, write: Write) -> None:
    """Remove what is damaged, and what is older than so many days; show it."""
    cache = ImageCache(directory)
    oldest = None if days is None else datetime.now(UTC) - timedelta(days=days)
    for image in cache.images():
        too_old = oldest is not None and image.built is not None and image.built < oldest
        if image.problem is not None or too_old:
            cache.remove(image)
            write(_line(image))


def _line(image: CachedImage) -> str:
    if image.problem is not None:
        return f"{image.name}  {image.problem}\n"
    return (
        f"{image.name}  {image.built:%Y-%m-%d %H:%M}  SQLite {image.sqlite_version}  "
        f"{image.size:>12,} bytes  {image.key}\n"
    )
