"""The check that a read-only file system refuses every change."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from .._checking import Expectations, MissingMethodError, check_of, names

TREE: dict[str, Any] = {"file": b"content", "dir": {"inner": b"inner"}, "empty": {}}

# Calls that nothing but the file system's being read-only forbids.
CHANGES: tuple[Callable[[Any], tuple[Any, ...]], ...] = (
    lambda fs: (fs.open, "/file", "wb"),
    lambda fs: (fs.open, "/file", "r+b"),
    lambda fs: (fs.open, "/file", "a"),
    lambda fs: (fs.open, "/new", "w"),
    lambda fs: (fs.open, "/new", "xb"),
    lambda fs: (fs.open, b"/dir/new", "wb"),
    lambda fs: (fs.write_bytes, "/file", b"new"),
    lambda fs: (fs.write_text, "/new", "new", "utf-8"),
    lambda fs: (fs.truncate, "/file", 0),
    lambda fs: (fs.mkdir, "/new"),
    lambda fs: (fs.makedirs, "/new"),
    lambda fs: (fs.rmdir, "/empty"),
    lambda fs: (fs.remove, "/file"),
    lambda fs: (fs.unlink, "/dir/inner"),
    lambda fs: (fs.rename, "/file", "/new"),
    lambda fs: (fs.replace, "/file", "/dir/inner"),
    lambda fs: (fs.link, "/file", "/new"),
    lambda fs: (fs.symlink, "file", "/new"),
    lambda fs: (fs.chmod, "/file", 0o600),
    lambda fs: (fs.utime, "/file", (1, 2)),
)


@check_of(TREE)
def changes_are_refused(fs: Any, expect: Expectations) -> None:
    """Whatever would change a read-only file system is EROFS, or no method of it at all."""
    for change in CHANGES:
        try:
            call, *arguments = change(fs)
        except MissingMethodError:
            continue
        expect.refused(errno.EROFS, call, *arguments)
    expect.names(fs, "/", TREE)
    expect.names(fs, "/dir", TREE["dir"])
    expect.content(fs, "/file", b"content")
    expect.equal("names in '/empty'", names(fs, "/empty"), [])
