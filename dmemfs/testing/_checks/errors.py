"""Checks of errors: errno and file names of whatever can go wrong with a path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..._transfer.dictionaries import Link
from .._checking import Check, Expectations, check, check_of, fill, put

TREE: dict[str, Any] = {
    "dir": {"inner": b"inner", "sub": {"deep": b"deep"}},
    "empty": {},
    "file": b"content",
}
LINKS: dict[str, Any] = {
    **TREE,
    "link": Link("dir"),
    "filelink": Link("file"),
    "dangling": Link("nowhere"),
    "loop": Link("loop"),
    "ping": Link("pong"),
    "pong": Link("ping"),
}

LONG_NAME = "n" * 256
LONG_PATH = "/dir" + "/." * 2100

# What no call can reach.
UNREACHABLE = {
    "": errno.ENOENT,
    "/file/x": errno.ENOTDIR,
    "/file/x/y": errno.ENOTDIR,
    f"/{LONG_NAME}": errno.ENAMETOOLONG,
    f"/dir/{LONG_NAME}": errno.ENAMETOOLONG,
    LONG_PATH: errno.ENAMETOOLONG,
}
NOT_MADE = {**UNREACHABLE, "/missing/x": errno.ENOENT, "/missing/x/y": errno.ENOENT}
NOT_FOUND = {
    **NOT_MADE,
    "/missing": errno.ENOENT,
    "/missing/": errno.ENOENT,
    "/missing/..": errno.ENOENT,
    "/missing/../file": errno.ENOENT,
}
NO_DIRECTORY = {"/file/": errno.ENOTDIR, "/file/.": errno.ENOTDIR, "/file/..": errno.ENOTDIR}
NO_FILE = {"/dir": errno.EISDIR, "/dir/": errno.EISDIR, "/dir/.": errno.EISDIR}
EXISTS = {"/file": errno.EEXIST, "/dir": errno.EEXIST, "/empty": errno.EEXIST}
UNUSABLE_FILE = {**NOT_MADE, **NO_FILE, "/new/": errno.EISDIR, "/file/": errno.EISDIR}

Call = Callable[[Any, Any], tuple[Any, ...]]
"""Returns a method and its arguments for a path."""


READING: dict[str, tuple[Call, Mapping[str, int]]] = {
    "stat": (lambda fs, path: (fs.stat, path), {**NOT_FOUND, **NO_DIRECTORY}),
    "lstat": (lambda fs, path: (fs.lstat, path), {**NOT_FOUND, **NO_DIRECTORY}),
    "listdir": (
        lambda fs, path: (fs.listdir, path),
        {**NOT_FOUND, **NO_DIRECTORY, "/file": errno.ENOTDIR},
    ),
    "scandir": (
        lambda fs, path: (fs.scandir, path),
        {**NOT_FOUND, **NO_DIRECTORY, "/file": errno.ENOTDIR},
    ),
    "readlink": (
        lambda fs, path: (fs.readlink, path),
        {**NOT_FOUND, "/file": errno.EINVAL, "/dir": errno.EINVAL, "/file/": errno.ENOTDIR},
    ),
    "open_for_reading": (
        lambda fs, path: (fs.open, path, "rb"),
        {**NOT_FOUND, **NO_DIRECTORY, **NO_FILE},
    ),
    "read_bytes": (
        lambda fs, path: (fs.read_bytes, path),
        {**NOT_FOUND, **NO_DIRECTORY, **NO_FILE},
    ),
    "read_text": (
        lambda fs, path: (fs.read_text, path, "utf-8"),
        {**NOT_FOUND, **NO_DIRECTORY, **NO_FILE},
    ),
}
"""What can be called with a path of a file system that is read-only, and what it refuses."""

CHANGING: dict[str, tuple[Call, Mapping[str, int]]] = {
    "open_for_writing": (lambda fs, path: (fs.open, path, "wb"), UNUSABLE_FILE),
    "open_for_appending": (lambda fs, path: (fs.open, path, "a"), UNUSABLE_FILE),
    "open_for_updating": (
        lambda fs, path: (fs.open, path, "r+b"),
        {**NOT_FOUND, **NO_DIRECTORY, **NO_FILE},
    ),
    "open_for_creating": (
        lambda fs, path: (fs.open, path, "xb"),
        {**NOT_MADE, **EXISTS, "/new/": errno.EISDIR},
    ),
    "write_bytes": (lambda fs, path: (fs.write_bytes, path, b"new"), UNUSABLE_FILE),
    "write_text": (lambda fs, path: (fs.write_text, path, "new", "utf-8"), UNUSABLE_FILE),
    "truncate": (
        lambda fs, path: (fs.truncate, path, 3),
        {**NOT_FOUND, **NO_DIRECTORY, **NO_FILE},
    ),
    "mkdir": (
        lambda fs, path: (fs.mkdir, path),
        {**NOT_MADE, **EXISTS, "/": errno.EEXIST, "/dir/": errno.EEXIST, "/file/": errno.EEXIST},
    ),
    "makedirs": (
        lambda fs, path: (fs.makedirs, path),
        {"": errno.ENOENT, "/file/x": errno.ENOTDIR, f"/{LONG_NAME}": errno.ENAMETOOLONG, **EXISTS},
    ),
    "rmdir": (
        lambda fs, path: (fs.rmdir, path),
        {
            **NOT_FOUND,
            "/file": errno.ENOTDIR,
            "/file/": errno.ENOTDIR,
            "/dir": errno.ENOTEMPTY,
            "/dir/": errno.ENOTEMPTY,
            "/empty/.": errno.EINVAL,
            "/dir/sub/..": errno.ENOTEMPTY,
        },
    ),
    "rmtree": (
        lambda fs, path: (fs.rmtree, path),
        {"/missing": errno.ENOENT, "/missing/x": errno.ENOENT, "/file": errno.ENOTDIR},
    ),
    "remove": (
        lambda fs, path: (fs.remove, path),
        {**NOT_FOUND, **NO_FILE, "/file/": errno.ENOTDIR},
    ),
    "unlink": (
        lambda fs, path: (fs.unlink, path),
        {**NOT_FOUND, **NO_FILE, "/file/": errno.ENOTDIR},
    ),
    "rename_from": (
        lambda fs, path: (fs.rename, path, "/new"),
        {**NOT_FOUND, "/dir/.": errno.EBUSY},
    ),
    "rename_to": (
        lambda fs, path: (fs.rename, "/file", path),
        {
            **NOT_MADE,
            "/dir": errno.EISDIR,
            "/empty": errno.EISDIR,
            "/new/": errno.ENOTDIR,
            "/dir/.": errno.EBUSY,
        },
    ),
    "rename_directory_to": (
        lambda fs, path: (fs.rename, "/dir", path),
        {**NOT_MADE, "/file": errno.ENOTDIR, "/dir/sub": errno.EINVAL, "/dir/new": errno.EINVAL},
    ),
    "replace_from": (lambda fs, path: (fs.replace, path, "/new"), NOT_FOUND),
    "replace_to": (
        lambda fs, path: (fs.replace, "/file", path),
        {**NOT_MADE, "/dir": errno.EISDIR, "/empty": errno.EISDIR},
    ),
    "move_from": (
        lambda fs, path: (fs.move, path, "/new/place"),
        {"": errno.ENOENT, "/missing": errno.ENOENT, "/file/x": errno.ENOTDIR},
    ),
    "link_from": (
        lambda fs, path: (fs.link, path, "/new"),
        {**NOT_FOUND, "/dir": errno.EPERM, "/file/": errno.ENOTDIR},
    ),
    "link_to": (lambda fs, path: (fs.link, "/file", path), {**NOT_MADE, **EXISTS}),
    "symlink": (
        lambda fs, path: (fs.symlink, "file", path),
        {**NOT_MADE, **EXISTS, "/new/": errno.ENOENT},
    ),
    "chmod": (lambda fs, path: (fs.chmod, path, 0o600), {**NOT_FOUND, "/file/": errno.ENOTDIR}),
    "chown": (lambda fs, path: (fs.chown, path, -1, -1), {**NOT_FOUND, "/file/": errno.ENOTDIR}),
    "utime": (lambda fs, path: (fs.utime, path, (1, 2)), {**NOT_FOUND, "/file/": errno.ENOTDIR}),
    "copy_from": (
        lambda fs, path: (fs.copy, path, "/new"),
        {"": errno.ENOENT, "/missing": errno.ENOENT, "/dir": errno.EISDIR},
    ),
    "copy_tree_from": (
        lambda fs, path: (fs.copy_tree, path, "/new"),
        {"/missing": errno.ENOENT, "/file": errno.ENOTDIR},
    ),
}
"""What can be called with a path besides, and what it refuses."""

BEHIND_LINKS = {
    "/loop": errno.ELOOP,
    "/ping": errno.ELOOP,
    "/loop/x": errno.ELOOP,
    "/dangling/x": errno.ENOENT,
    "/filelink/x": errno.ENOTDIR,
    "/filelink/": errno.ENOTDIR,
    "/filelink/..": errno.ENOTDIR,
}


def _check_of_errors(name: str, call: Call, cases: Mapping[str, int], *, reads: bool) -> Check:
    def run(fs: Any, expect: Expectations) -> None:
        if not reads:
            fill(fs, TREE)
        for path, code in cases.items():
            expect.refused(code, *call(fs, path))
        if not reads:
            _expect_tree(fs, expect)

    summary = f"{name.replace('_', ' ')}: errno and file names of each error, and no effect."
    return Check(f"errors_of_{name}", summary, run, TREE if reads else None)


def _expect_tree(fs: Any, expect: Expectations) -> None:
    """Expect that nothing has changed."""
    expect.names(fs, "/", TREE)
    expect.names(fs, "/dir", TREE["dir"])
    expect.names(fs, "/empty", [])
    expect.content(fs, "/file", b"content")
    expect.content(fs, "/dir/inner", b"inner")


reading_errors = [
    _check_of_errors(name, call, cases, reads=True) for name, (call, cases) in READING.items()
]
changing_errors = [
    _check_of_errors(name, call, cases, reads=False) for name, (call, cases) in CHANGING.items()
]


@check_of(LINKS)
def errors_behind_links_when_reading(fs: Any, expect: Expectations) -> None:
    """Links in a circle, to nothing and to files are refused as what they lead to."""
    for name in ("stat", "listdir", "scandir", "open_for_reading", "read_bytes"):
        for path, code in {**BEHIND_LINKS, "/dangling": errno.ENOENT}.items():
            expect.refused(code, *READING[name][0](fs, path))
    for path in ("/loop/x", "/dangling/x", "/filelink/x"):
        expect.refused(BEHIND_LINKS[path], fs.lstat, path)
        expect.refused(BEHIND_LINKS[path], fs.readlink, path)


@check
def errors_behind_links_when_changing(fs: Any, expect: Expectations) -> None:
    """What follows links refuses those that lead nowhere; what does not changes nothing behind."""
    fill(fs, LINKS)
    for name in ("open_for_writing", "write_bytes", "truncate", "chmod"):
        for path, code in BEHIND_LINKS.items():
            makes_files = name in ("open_for_writing", "write_bytes")
            expected = errno.EISDIR if makes_files and path == "/filelink/" else code
            expect.refused(expected, *CHANGING[name][0](fs, path))
    for name in ("open_for_creating", "mkdir", "link_to", "symlink"):
        for path in ("/loop", "/dangling", "/link", "/filelink"):
            expect.refused(errno.EEXIST, *CHANGING[name][0](fs, path))
    for path in ("/link", "/filelink", "/dangling", "/loop"):
        expect.refused(errno.ENOTDIR, fs.rmdir, path)
    expect.names(fs, "/", LINKS)
    expect.content(fs, "/file", b"content")


@check_of(TREE)
def errors_name_paths_as_they_were_given(fs: Any, expect: Expectations) -> None:
    """An error names the path as it was given: bytes as bytes, extra slashes and all."""
    for path in (b"/missing", b"missing/x", "missing", "//missing", "/dir/../missing", "./missing"):
        expect.refused(errno.ENOENT, fs.stat, path)
        expect.refused(errno.ENOENT, fs.open, path, "rb")
        expect.refused(errno.ENOENT, fs.listdir, path)
    expect.refused(errno.ENOENT, fs.stat, PurePosixPath("/missing"))
    expect.refused(errno.ENOENT, fs.open, PurePosixPath("/missing"))
    expect.refused(errno.ENOTDIR, fs.listdir, b"/file")


@check_of(TREE)
def reading_refuses_what_is_no_path(fs: Any, expect: Expectations) -> None:
    """A NUL character in a path is a ValueError, what is no path a TypeError."""
    for name, (call, _) in READING.items():
        for path in ("\0", "/file\0", "/dir\0/inner", b"/\0"):
            expect.raises(ValueError, *call(fs, path))
        expect.raises(TypeError, *call(fs, 1.5))
        if name not in ("listdir", "scandir"):  # os takes None there, for the current directory
            expect.raises(TypeError, *call(fs, None))


@check
def changing_refuses_what_is_no_path(fs: Any, expect: Expectations) -> None:
    """A NUL character in a path is a ValueError, what is no path a TypeError, without effect."""
    fill(fs, TREE)
    for name, (call, _) in CHANGING.items():
        if name in ("makedirs", "rmtree", "move_from", "copy_from", "copy_tree_from"):
            continue  # which os and shutil look at first with functions that forgive
        expect.raises(ValueError, *call(fs, "/dir\0"))
        expect.raises(TypeError, *call(fs, 1.5))
    _expect_tree(fs, expect)


@check_of(LINKS)
def questions_have_an_answer_for_every_path(fs: Any, expect: Expectations) -> None:
    """exists, is_file, is_dir and is_symlink are false where a path leads nowhere."""
    nowhere = [*NOT_FOUND, *NO_DIRECTORY, "/loop", "/dangling", "/loop/x", "/filelink/", "/\0"]
    for path in nowhere:
        expect.result(False, fs.exists, path)
        expect.result(False, fs.is_file, path)
        expect.result(False, fs.is_dir, path)
        if path not in ("/loop", "/dangling"):
            expect.result(False, fs.is_symlink, path)
    answers: tuple[tuple[Any, bool, bool, bool], ...] = (
        ("/", False, True, False),
        ("/dir", False, True, False),
        ("/dir/", False, True, False),
        ("/file", True, False, False),
        ("/link", False, True, True),
        ("/filelink", True, False, True),
        (b"/file", True, False, False),
        (PurePosixPath("/dir"), False, True, False),
    )
    for path, file, directory, link in answers:
        expect.result(True, fs.exists, path)
        expect.result(file, fs.is_file, path)
        expect.result(directory, fs.is_dir, path)
        expect.result(link, fs.is_symlink, path)
    expect.result(True, fs.is_symlink, "/dangling")
    expect.result(True, fs.is_symlink, "/loop")


@check_of(TREE)
def access_tells_what_is_there(fs: Any, expect: Expectations) -> None:
    """access(path, os.F_OK) is whether something is there."""
    for path in ("/", "/dir", "/file", b"/dir/inner"):
        expect.result(True, fs.access, path, os.F_OK)
        expect.result(True, fs.access, path, os.R_OK)
    for path in NOT_FOUND:
        expect.result(False, fs.access, path, os.F_OK)


@check
def refused_operations_leave_no_trace(fs: Any, expect: Expectations) -> None:
    """An operation that is refused makes, empties and removes nothing, not even a parent."""
    put(fs, "/file", b"content")
    expect.raises(OSError, fs.open, "/file", "x")
    expect.raises(OSError, fs.open, "/new/file", "w")
    expect.raises(OSError, fs.mkdir, "/new/directory")
    expect.raises(OSError, fs.rename, "/file", "/new/file")
    expect.raises(OSError, fs.rename, "/missing", "/file")
    expect.raises(OSError, fs.rmdir, "/file")
    expect.raises(ValueError, fs.open, "/new", "wq")
    expect.raises(ValueError, fs.open, "/file", "wb", encoding="utf-8")
    expect.names(fs, "/", ["file"])
    expect.content(fs, "/file", b"content")
