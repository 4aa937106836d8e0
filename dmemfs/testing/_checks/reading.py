"""Checks of what can be read: the path grammar, listings, attributes, whole files."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..._transfer.dictionaries import Link
from .._checking import Expectations, check_of

TEXT = "first\nse\u00e7ond\r\nthird\rend"
TREE: dict[str, Any] = {
    "dir": {"inner": b"inner", "sub": {"deep": b"deep"}},
    "empty": {},
    "file": b"content",
    "none": b"",
    "large": bytes(range(256)) * 1000,
    "text": TEXT.encode(),
    ".hidden": b"",
    "...": b"three dots",
    "sp ace\n\\*": b"odd",
    "\u00e9": b"composed",
    "e\u0301": b"decomposed",
}
LINKS: dict[str, Any] = {
    "dir": {"inner": b"inner", "sub": {"deep": b"deep"}, "up": Link("..")},
    "file": b"content",
    "link": Link("dir"),
    "link_with_slash": Link("dir/"),
    "filelink": Link("file"),
    "absolute": Link("/dir"),
    "far": Link("link/sub/../up/dir/./sub"),
    "dangling": Link("nowhere"),
}

# The path of a directory, what is in it that counts as a directory, and what else.
Walk = list[tuple[str, list[str], list[str]]]


# Paths


@check_of(TREE)
def paths_have_many_spellings(fs: Any, expect: Expectations) -> None:
    """Slashes are repeated, dots and parents resolved, str, bytes and path objects the same."""
    for path in (
        *(
            "/dir/inner",
            "//dir///inner",
            "/./dir/./inner",
            "/dir/../dir/inner",
            "/dir/sub/../inner",
        ),
        *(b"/dir/inner", b"//dir/./inner", PurePosixPath("/dir/inner"), "/empty/../dir/inner"),
    ):
        expect.content(fs, path, b"inner")
    number = fs.stat("/dir").st_ino
    for path in ("/dir", "/dir/", "/dir//", "/dir/.", "/dir/./", "/dir/sub/..", b"/dir/"):
        expect.equal(f"st_ino of {path!r}", fs.stat(path).st_ino, number)


@check_of(TREE)
def paths_without_a_slash_begin_at_the_root(fs: Any, expect: Expectations) -> None:
    """There is no current directory: "dir/inner" is "/dir/inner"."""
    expect.content(fs, "dir/inner", b"inner")
    expect.content(fs, b"dir/inner", b"inner")
    expect.content(fs, "./dir/inner", b"inner")
    expect.names(fs, "dir", ["inner", "sub"])
    expect.equal("st_ino of '.'", fs.stat(".").st_ino, fs.stat("/").st_ino)


@check_of(TREE)
def paths_do_not_lead_above_the_root(fs: Any, expect: Expectations) -> None:
    """The directory above the root is the root."""
    root = fs.stat("/").st_ino
    for path in ("/..", "/../..", "..", "/dir/../.."):
        expect.equal(f"st_ino of {path!r}", fs.stat(path).st_ino, root)
    expect.content(fs, "/../dir/../../file", b"content")


@check_of(TREE)
def names_may_be_odd(fs: Any, expect: Expectations) -> None:
    """Names hold every character but the slash and NUL, and are compared as they are."""
    for name in (".hidden", "...", "sp ace\n\\*", "\u00e9", "e\u0301"):
        expect.content(fs, f"/{name}", TREE[name])
        expect.content(fs, os.fsencode(f"/{name}"), TREE[name])
    expect.result(False, fs.exists, "/FILE")
    expect.result(False, fs.exists, "/file ")
    expect.result(False, fs.exists, "/*")


# Directories


@check_of(TREE)
def listdir_names_what_is_there(fs: Any, expect: Expectations) -> None:
    """listdir gives each name once, as bytes if it is asked in bytes; the root by default."""
    expect.names(fs, "/", TREE)
    expect.names(fs, "/dir", TREE["dir"])
    expect.names(fs, "/dir/", TREE["dir"])
    expect.names(fs, "/empty", [])
    expect.names(fs, b"/", [os.fsencode(name) for name in TREE])
    expect.names(fs, PurePosixPath("/dir"), TREE["dir"])
    expect.result(sorted(TREE), lambda: sorted(fs.listdir()))
    expect.true("listdir('/') is a list", isinstance(fs.listdir("/"), list))
    first = fs.listdir("/dir")
    first.clear()
    expect.names(fs, "/dir", TREE["dir"])


@check_of(TREE)
def scandir_describes_what_is_there(fs: Any, expect: Expectations) -> None:
    """Entries of scandir have name, path, kind, inode and stat, and are paths themselves."""
    with fs.scandir("/dir") as scan:
        entries = {entry.name: entry for entry in scan}
    expect.equal("names from scandir('/dir')", sorted(entries), sorted(TREE["dir"]))
    for name, entry in entries.items():
        path = f"/dir/{name}"
        is_file = isinstance(TREE["dir"][name], bytes)
        expect.equal(f"path of the entry {name!r}", entry.path, path)
        expect.equal(f"os.fspath of the entry {name!r}", os.fspath(entry), path)
        expect.result(is_file, entry.is_file)
        expect.result(not is_file, entry.is_dir)
        expect.result(False, entry.is_symlink)
        expect.equal(f"inode of the entry {name!r}", entry.inode(), fs.lstat(path).st_ino)
        expect.equal(f"mode of the entry {name!r}", entry.stat().st_mode, fs.stat(path).st_mode)
    for given, inner in (("/dir/", "/dir/inner"), ("dir", "dir/inner"), (b"/dir", b"/dir/inner")):
        with fs.scandir(given) as scan:
            paths = [entry.path for entry in scan]
        expect.true(f"scandir({given!r}) gives {inner!r}", inner in paths, got=paths)


@check_of(TREE)
def scandir_ends(fs: Any, expect: Expectations) -> None:
    """The iterator of scandir gives nothing more when it is closed or exhausted."""
    scan = fs.scandir("/")
    next(scan)
    scan.close()
    expect.raises(StopIteration, next, scan)
    scan.close()
    with fs.scandir("/empty") as scan:
        expect.raises(StopIteration, next, scan)
        expect.raises(StopIteration, next, scan)
    expect.equal("number of entries", len(list(fs.scandir())), len(TREE))


def _walked(fs: Any, *arguments: Any, **keywords: Any) -> Walk:
    """Return the steps of a walk, with sorted names."""
    found = fs.walk(*arguments, **keywords)
    return [(path, sorted(directories), sorted(files)) for path, directories, files in found]


def _expected_walk(tree: Mapping[str, Any], path: str) -> Walk:
    directories = sorted(name for name, value in tree.items() if isinstance(value, dict))
    steps = [(path, directories, sorted(set(tree) - set(directories)))]
    for name in directories:
        steps += _expected_walk(tree[name], f"{path.rstrip('/')}/{name}")
    return steps


@check_of(TREE)
def walk_visits_every_directory(fs: Any, expect: Expectations) -> None:
    """walk goes from the top down or from the bottom up, as os.walk does."""
    expected = _expected_walk(TREE, "/")
    expect.equal("walk('/')", sorted(_walked(fs, "/")), sorted(expected))
    upwards = _walked(fs, "/", topdown=False)
    expect.equal("walk('/', topdown=False)", sorted(upwards), sorted(expected))
    for steps, what, turn in ((_walked(fs, "/"), "first", 1), (upwards, "last", -1)):
        order = [path for path, _, _ in steps][::turn]
        above = order.index("/") < order.index("/dir") < order.index("/dir/sub")
        expect.true(f"a directory is {what} of those in it", above, got=order)
    expect.equal("walk('/dir/sub')", _walked(fs, "/dir/sub"), [("/dir/sub", [], ["deep"])])
    expect.equal("walk(b'/dir/sub')", _walked(fs, b"/dir/sub"), [(b"/dir/sub", [], [b"deep"])])
    expect.equal("walk('dir/sub')", _walked(fs, "dir/sub"), [("dir/sub", [], ["deep"])])


@check_of(TREE)
def walk_leaves_out_what_is_taken_from_its_list(fs: Any, expect: Expectations) -> None:
    """From the top down, who changes the list of directories says where the walk goes."""
    seen = []
    for path, directories, _ in fs.walk("/"):
        seen.append(path)
        if path == "/":
            directories[:] = ["empty"]
    expect.equal("directories visited", seen, ["/", "/empty"])


@check_of(TREE)
def walk_reports_errors_to_onerror(fs: Any, expect: Expectations) -> None:
    """What cannot be listed is passed over, and onerror is called with its OSError."""
    for path in ("/missing", "/file"):
        expect.equal(f"walk({path!r})", list(fs.walk(path)), [])
        errors: list[OSError] = []
        expect.equal("walk with onerror", list(fs.walk(path, onerror=errors.append)), [])
        expect.equal("file names in errors", [error.filename for error in errors], [path])


@check_of(TREE)
def glob_finds_names_by_pattern(fs: Any, expect: Expectations) -> None:
    """glob matches as glob.glob does, with `**` for any number of directories."""
    for pattern, expected in (
        ("/dir/*", ["/dir/inner", "/dir/sub"]),
        ("/d?r", ["/dir"]),
        ("/[de]*r", ["/dir"]),
        ("/*/inner", ["/dir/inner"]),
        ("/**/deep", ["/dir/sub/deep"]),
        ("/file", ["/file"]),
        ("/missing", []),
        ("/.h*", ["/.hidden"]),
        ("/*hidden", []),
        (b"/d*/sub", [b"/dir/sub"]),
    ):
        expect.result(expected, fs.glob, pattern)


# Attributes


@check_of(TREE)
def stat_tells_kind_size_and_links(fs: Any, expect: Expectations) -> None:
    """stat gives an os.stat_result with the kind, the length and the number of names."""
    for path, kind, size in (
        ("/file", stat.S_IFREG, 7),
        ("/none", stat.S_IFREG, 0),
        ("/large", stat.S_IFREG, 256_000),
        ("/dir", stat.S_IFDIR, None),
        ("/", stat.S_IFDIR, None),
    ):
        status = fs.stat(path)
        expect.true(f"stat({path!r}) is an os.stat_result", isinstance(status, os.stat_result))
        expect.equal(f"kind of {path!r}", stat.S_IFMT(status.st_mode), kind)
        if size is not None:
            expect.equal(f"st_size of {path!r}", status.st_size, size)
            expect.equal(f"st_nlink of {path!r}", status.st_nlink, 1)
        expect.equal(f"lstat({path!r})", fs.lstat(path).st_ino, status.st_ino)
        whole = status.st_mtime_ns // 1_000_000_000
        expect.equal(f"st_mtime of {path!r}", int(status[stat.ST_MTIME]), whole)


@check_of(TREE)
def inode_numbers_tell_nodes_apart(fs: Any, expect: Expectations) -> None:
    """Each node has a number of its own that does not change, on one device."""
    paths = ["/", "/dir", "/dir/inner", "/dir/sub", "/empty", "/file", "/none"]
    first = [(fs.stat(path).st_dev, fs.stat(path).st_ino) for path in paths]
    expect.equal("number of different nodes", len(set(first)), len(paths))
    expect.equal("number of devices", len({device for device, _ in first}), 1)
    again = [(fs.stat(path).st_dev, fs.stat(path).st_ino) for path in paths]
    expect.equal("inode numbers when asked again", again, first)


@check_of(TREE)
def statvfs_tells_about_the_whole(fs: Any, expect: Expectations) -> None:
    """statvfs gives an os.statvfs_result, whose free blocks are not more than there are."""
    status = fs.statvfs("/dir")
    expect.true("f_bsize is positive", status.f_bsize > 0, got=status)
    expect.true("f_bfree <= f_blocks", status.f_bfree <= status.f_blocks, got=status)
    expect.equal("f_namemax", status.f_namemax, 255)


# Files


@check_of(TREE)
def files_are_read_whole(fs: Any, expect: Expectations) -> None:
    """read_bytes, read_text and open give the content, bytes as bytes and text as str."""
    for name in ("file", "none", "large"):
        expect.result(TREE[name], fs.read_bytes, f"/{name}")
        expect.content(fs, f"/{name}", TREE[name])
    translated = TEXT.replace("\r\n", "\n").replace("\r", "\n")
    expect.result(translated, fs.read_text, "/text", encoding="utf-8")
    expect.result(
        TEXT.encode().decode("latin-1").replace("\r\n", "\n").replace("\r", "\n"),
        fs.read_text,
        "/text",
        encoding="latin-1",
    )
    expect.raises(UnicodeDecodeError, fs.read_text, "/large", encoding="utf-8")
    with fs.open("/text", encoding="utf-8") as file:
        expect.result(translated, file.read)


@check_of(TREE)
def reading_modes_are_read_only(fs: Any, expect: Expectations) -> None:
    """What is open for reading refuses to write and truncate, and the file stays as it is."""
    for mode in ("r", "rt", "tr", "rb", "br"):
        data: Any = b"x" if "b" in mode else "x"
        with fs.open("/file", mode) as file:
            expect.result(True, file.readable)
            expect.result(False, file.writable)
            expect.result(True, file.seekable)
            expect.raises(io.UnsupportedOperation, file.write, data)
            expect.raises(io.UnsupportedOperation, file.truncate, 0)
    with fs.open("/file", "rb", 0) as file:
        expect.raises(io.UnsupportedOperation, file.write, b"x")
    expect.content(fs, "/file", b"content")


@check_of(TREE)
def open_refuses_what_contradicts_itself(fs: Any, expect: Expectations) -> None:
    """Modes that do not exist, and arguments that do not go with the mode, are ValueErrors."""
    for mode in (
        "",
        "b",
        "t",
        "+",
        "rw",
        "ra",
        "rx",
        "rr",
        "r++",
        "rbt",
        "rbb",
        "U",
        "q",
        "R",
        " r",
    ):
        expect.raises(ValueError, fs.open, "/file", mode)
    expect.raises(ValueError, fs.open, "/file", "rb", encoding="utf-8")
    expect.raises(ValueError, fs.open, "/file", "rb", errors="strict")
    expect.raises(ValueError, fs.open, "/file", "rb", newline="")
    expect.raises(ValueError, fs.open, "/file", "r", newline="x")
    expect.raises(ValueError, fs.open, "/file", "r", buffering=0)
    expect.raises(LookupError, fs.open, "/file", "r", encoding="no-such-encoding")
    expect.raises(TypeError, fs.open, "/file", 3)


# Links


@check_of(LINKS)
def links_lead_to_what_they_name(fs: Any, expect: Expectations) -> None:
    """A link is followed from the directory that holds it, an absolute one from the root."""
    for path in ("/link/inner", "/link_with_slash/inner", "/absolute/inner", "/dir/up/dir/inner"):
        expect.content(fs, path, b"inner")
    expect.content(fs, "/filelink", b"content")
    expect.content(fs, "/far/deep", b"deep")
    expect.content(fs, "/dir/up/link/up/filelink", b"content")
    for path in ("/link", "/link/", "/absolute", "/dir/up/link"):
        expect.names(fs, path, ["inner", "sub", "up"])


@check_of(LINKS)
def parents_are_resolved_after_links(fs: Any, expect: Expectations) -> None:
    """What is above a link is what is above that to which it leads."""
    expect.names(fs, "/far/..", ["inner", "sub", "up"])
    expect.content(fs, "/far/../inner", b"inner")
    expect.content(fs, "/dir/sub/../up/file", b"content")


@check_of(LINKS)
def readlink_gives_what_a_link_says(fs: Any, expect: Expectations) -> None:
    """readlink gives the target as it was said, as bytes if it is asked in bytes."""
    for name, value in LINKS.items():
        if isinstance(value, Link):
            expect.result(value.target, fs.readlink, f"/{name}")
            expect.result(os.fsencode(value.target), fs.readlink, os.fsencode(f"/{name}"))
    expect.result("..", fs.readlink, "/link/up")


@check_of(LINKS)
def lstat_looks_at_the_link(fs: Any, expect: Expectations) -> None:
    """stat follows a link, lstat does not; one with a slash behind it is followed by both."""
    for path, kind in (("/link", stat.S_IFDIR), ("/filelink", stat.S_IFREG)):
        expect.equal(f"kind of {path!r}", stat.S_IFMT(fs.stat(path).st_mode), kind)
        status = fs.lstat(path)
        expect.equal(f"kind by lstat({path!r})", stat.S_IFMT(status.st_mode), stat.S_IFLNK)
        target = LINKS[path[1:]].target
        expect.equal(f"st_size by lstat({path!r})", status.st_size, len(target))
        same = fs.stat(path, follow_symlinks=False).st_ino
        expect.equal(f"stat({path!r}, follow_symlinks=False)", same, status.st_ino)
    expect.equal("lstat('/link/')", fs.lstat("/link/").st_ino, fs.stat("/dir").st_ino)


@check_of(LINKS)
def listings_tell_links_from_what_they_lead_to(fs: Any, expect: Expectations) -> None:
    """scandir and walk see links as what they lead to, and say that they are links."""
    with fs.scandir("/") as scan:
        entries = {entry.name: entry for entry in scan}
    for name, file, directory in (
        ("link", False, True),
        ("filelink", True, False),
        ("dangling", False, False),
    ):
        expect.result(True, entries[name].is_symlink)
        expect.result(file, entries[name].is_file)
        expect.result(directory, entries[name].is_dir)
        expect.result(False, entries[name].is_file, follow_symlinks=False)
        expect.result(False, entries[name].is_dir, follow_symlinks=False)
        number = entries[name].inode()
        expect.equal(f"inode of the entry {name!r}", number, fs.lstat(f"/{name}").st_ino)
    expect.refused(errno.ENOENT, entries["dangling"].stat, naming=("/dangling",))
    top = _walked(fs, "/")[0]
    expect.equal(
        "directories in '/'", top[1], ["absolute", "dir", "far", "link", "link_with_slash"]
    )
    expect.equal("other names in '/'", top[2], ["dangling", "file", "filelink"])
    expect.equal("walk('/')", [step[0] for step in _walked(fs, "/")], ["/", "/dir", "/dir/sub"])


@check_of({"dir": {"sub": {"deep": b"deep"}}, "link": Link("dir")})
def walk_follows_links_if_asked(fs: Any, expect: Expectations) -> None:
    """walk goes into links to directories with followlinks=True only."""
    straight = ["/", "/dir", "/dir/sub"]
    followed = [*straight, "/link", "/link/sub"]
    expect.equal("walk('/')", sorted(path for path, _, _ in fs.walk("/")), straight)
    found = sorted(path for path, _, _ in fs.walk("/", followlinks=True))
    expect.equal("walk('/', followlinks=True)", found, followed)
