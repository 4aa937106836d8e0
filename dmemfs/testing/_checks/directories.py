"""Checks of directories: making and removing them, and listings while they change."""

from __future__ import annotations

import errno
import stat
from typing import Any

from .._checking import Expectations, check, names, put


@check
def new_filesystems_are_empty_and_alone(fs: Any, expect: Expectations) -> None:
    """make_fs returns an empty file system each time, which shares nothing with another one."""
    expect.names(fs, "/", [])
    put(fs, "/file", b"content")
    fs.mkdir("/dir")
    other = expect.another_filesystem()
    expect.names(other, "/", [])
    put(other, "/file", b"other")
    expect.content(fs, "/file", b"content")


@check
def listings_follow_every_change(fs: Any, expect: Expectations) -> None:
    """listdir, scandir, walk, stat and exists agree after each change of a directory."""
    fs.mkdir("/d")
    there: set[str] = set()

    def agree(what: str) -> None:
        expect.equal(f"listdir {what}", names(fs, "/d"), sorted(there))
        with fs.scandir("/d") as scan:
            expect.equal(f"scandir {what}", sorted(entry.name for entry in scan), sorted(there))
        walked: Any = next(iter(fs.walk("/d")), ("", [], []))
        expect.equal(f"walk {what}", sorted([*walked[1], *walked[2]]), sorted(there))
        for name in ("file", "dir", "moved", "later"):
            expect.equal(f"exists {name!r} {what}", fs.exists(f"/d/{name}"), name in there)

    agree("of a new directory")
    put(fs, "/d/file")
    there.add("file")
    agree("after a file was made")
    fs.mkdir("/d/dir")
    there.add("dir")
    agree("after a directory was made")
    fs.rename("/d/file", "/d/moved")
    there = {"dir", "moved"}
    agree("after a rename")
    fs.rename("/d/moved", "/outside")
    there = {"dir"}
    agree("after a rename to elsewhere")
    fs.rename("/outside", "/d/later")
    there = {"dir", "later"}
    agree("after a rename from elsewhere")
    fs.rmdir("/d/dir")
    there = {"later"}
    agree("after rmdir")
    fs.mkdir("/d/dir")
    put(fs, "/d/dir/inner")
    fs.rename("/d", "/away")
    fs.mkdir("/d")
    there = set()
    agree("of a new directory at an old name")
    expect.names(fs, "/away", ["dir", "later"])
    fs.rmdir("/d")
    fs.rename("/away", "/d")
    there = {"dir", "later"}
    agree("after the directory itself was renamed")
    fs.rmtree("/d/dir")
    fs.remove("/d/later")
    there = set()
    agree("after all was removed")


@check
def mkdir_makes_one_directory(fs: Any, expect: Expectations) -> None:
    """mkdir makes an empty directory, with the mode that is asked for, and no parents."""
    expect.result(None, fs.mkdir, "/dir")
    expect.names(fs, "/dir", [])
    expect.equal("kind", stat.S_IFMT(fs.stat("/dir").st_mode), stat.S_IFDIR)
    fs.mkdir("/dir/slash/")
    fs.mkdir(b"/dir/bytes")
    fs.mkdir("relative")
    fs.mkdir("/dir/../beside")
    expect.names(fs, "/dir", ["bytes", "slash"])
    expect.names(fs, "/", ["beside", "dir", "relative"])
    fs.mkdir("/private", 0o700)
    expect.equal("mode", stat.S_IMODE(fs.stat("/private").st_mode), 0o700)
    fs.mkdir("/" + "n" * 255)
    expect.result(True, fs.is_dir, "/" + "n" * 255)


@check
def mkdir_makes_parents_if_asked(fs: Any, expect: Expectations) -> None:
    """mkdir(parents=True) is makedirs, and exist_ok=True forgives a directory that is there."""
    fs.mkdir("/a/b/c", parents=True)
    expect.names(fs, "/a/b", ["c"])
    expect.refused(errno.EEXIST, fs.mkdir, "/a/b/c", parents=True)
    expect.result(None, fs.mkdir, "/a/b/c", parents=True, exist_ok=True)
    expect.result(None, fs.mkdir, "/a", exist_ok=True)
    expect.refused(errno.ENOENT, fs.mkdir, "/new/d", exist_ok=True)
    put(fs, "/file")
    expect.refused(errno.EEXIST, fs.mkdir, "/file", exist_ok=True)


@check
def makedirs_makes_what_is_missing(fs: Any, expect: Expectations) -> None:
    """makedirs makes each missing directory; one that is there needs exist_ok=True."""
    expect.result(None, fs.makedirs, "/a/b/c")
    fs.makedirs("/a/b/d/")
    fs.makedirs("relative/e")
    expect.names(fs, "/a/b", ["c", "d"])
    expect.names(fs, "/", ["a", "relative"])
    expect.refused(errno.EEXIST, fs.makedirs, "/a/b")
    expect.result(None, fs.makedirs, "/a/b", exist_ok=True)
    put(fs, "/a/file", b"content")
    expect.refused(errno.EEXIST, fs.makedirs, "/a/file", exist_ok=True)
    expect.content(fs, "/a/file", b"content")


@check
def refused_makedirs_make_no_parents(fs: Any, expect: Expectations) -> None:
    """A makedirs that is refused has made nothing."""
    expect.refused(errno.ENAMETOOLONG, fs.makedirs, "/a/b/" + "n" * 256)
    expect.names(fs, "/", [])


@check
def rmdir_removes_what_is_empty(fs: Any, expect: Expectations) -> None:
    """rmdir removes an empty directory only, whose name is free again at once."""
    fs.makedirs("/a/b")
    put(fs, "/a/file", b"content")
    expect.refused(errno.ENOTEMPTY, fs.rmdir, "/a")
    expect.result(None, fs.rmdir, "/a/b/")
    expect.refused(errno.ENOENT, fs.rmdir, "/a/b")
    expect.refused(errno.ENOENT, fs.listdir, "/a/b")
    expect.refused(errno.ENOENT, fs.open, "/a/b/file", "w")
    put(fs, "/a/b", b"a file now")
    expect.content(fs, "/a/b", b"a file now")
    expect.refused(errno.ENOTEMPTY, fs.rmdir, "/a")
    fs.remove("/a/b")
    fs.remove("/a/file")
    expect.result(None, fs.rmdir, "/a")
    expect.names(fs, "/", [])


@check
def the_root_stays(fs: Any, expect: Expectations) -> None:
    """The root can neither be removed nor renamed nor made."""
    put(fs, "/file", b"content")
    fs.mkdir("/dir")
    expect.refused(errno.EEXIST, fs.mkdir, "/")
    expect.refused(errno.EISDIR, fs.remove, "/")
    expect.refused(errno.EBUSY, fs.rmdir, "/")
    expect.refused(errno.EBUSY, fs.rename, "/", "/dir/new")
    expect.refused(errno.EBUSY, fs.rename, "/dir", "/")
    expect.refused(errno.EBUSY, fs.rename, "/file", "/")
    expect.refused(errno.EISDIR, fs.open, "/", "wb")
    expect.names(fs, "/", ["dir", "file"])


@check
def rmtree_removes_all_that_is_below(fs: Any, expect: Expectations) -> None:
    """rmtree removes a directory with all that is in it, and nothing that links in it lead to."""
    fs.makedirs("/tree/a/b/c")
    fs.makedirs("/tree/empty")
    for path in ("/tree/file", "/tree/a/file", "/tree/a/b/c/file", "/kept"):
        put(fs, path, b"content")
    expect.result(None, fs.rmtree, "/tree/a")
    expect.names(fs, "/tree", ["empty", "file"])
    expect.result(None, fs.rmtree, "/tree")
    expect.names(fs, "/", ["kept"])
    expect.raises(FileNotFoundError, fs.rmtree, "/tree")
    expect.result(None, fs.rmtree, "/tree", ignore_errors=True)


@check
def rmtree_leaves_what_links_lead_to(fs: Any, expect: Expectations) -> None:
    """rmtree removes links as links, and refuses to begin at one."""
    fs.mkdir("/target")
    put(fs, "/target/file", b"content")
    fs.mkdir("/tree")
    fs.symlink("/target", "/tree/link")
    fs.symlink("target", "/link")
    expect.raises(OSError, fs.rmtree, "/link")
    fs.rmtree("/tree")
    expect.names(fs, "/", ["link", "target"])
    expect.content(fs, "/target/file", b"content")


@check
def directories_count_those_in_them(fs: Any, expect: Expectations) -> None:
    """st_nlink of a directory is two and one for each directory in it."""
    fs.makedirs("/a/b")
    fs.mkdir("/a/c")
    put(fs, "/a/file")
    expect.equal("st_nlink of '/a'", fs.stat("/a").st_nlink, 4)
    expect.equal("st_nlink of '/a/b'", fs.stat("/a/b").st_nlink, 2)
    fs.rename("/a/b", "/a/c/b")
    expect.equal("st_nlink of '/a' after a move", fs.stat("/a").st_nlink, 3)
    expect.equal("st_nlink of '/a/c' after a move", fs.stat("/a/c").st_nlink, 3)
    fs.rmdir("/a/c/b")
    expect.equal("st_nlink of '/a/c' after rmdir", fs.stat("/a/c").st_nlink, 2)


@check
def scans_go_on_while_the_directory_changes(fs: Any, expect: Expectations) -> None:
    """A scan gives each entry that stays exactly once, whatever is made and removed meanwhile."""
    fs.mkdir("/d")
    for number in range(40):
        put(fs, f"/d/stays{number}")
        put(fs, f"/d/goes{number}")
    seen = []
    with fs.scandir("/d") as scan:
        for count, entry in enumerate(scan):
            seen.append(entry.name)
            if count < 40:
                fs.remove(f"/d/goes{count}")
                put(fs, f"/d/comes{count}")
    stayed = sorted(name for name in seen if name.startswith("stays"))
    expect.equal("entries that stayed", stayed, sorted(f"stays{number}" for number in range(40)))
    expect.equal("entries seen twice", len(seen) - len(set(seen)), 0)


@check
def scans_outlive_the_directory(fs: Any, expect: Expectations) -> None:
    """A scan that has begun ends in peace when its directory is removed."""
    fs.mkdir("/d")
    put(fs, "/d/file")
    with fs.scandir("/d") as scan:
        fs.rmtree("/d")
        seen = [entry.name for entry in scan]
    expect.true("what the scan gives was there", seen in ([], ["file"]), got=seen)


@check
def walks_go_on_while_the_tree_changes(fs: Any, expect: Expectations) -> None:
    """A walk passes over what was removed before its turn, and sees what was made before it."""
    for name in ("a", "b", "c"):
        fs.makedirs(f"/tree/{name}/sub")
    visited = []
    errors: list[OSError] = []
    for path, directories, _ in fs.walk("/tree", onerror=errors.append):
        visited.append(path)
        if path == "/tree":
            directories.sort()
            fs.rmtree("/tree/b")
            fs.makedirs("/tree/c/made")
    expected = ["/tree", "/tree/a", "/tree/a/sub", "/tree/c", "/tree/c/made", "/tree/c/sub"]
    expect.equal("directories visited", sorted(visited), expected)
    found = [(error.errno, error.filename) for error in errors]
    expect.equal("errors of the walk", found, [(errno.ENOENT, "/tree/b")])
    for path, directories, files in fs.walk("/tree", topdown=False):
        for name in [*directories, *files]:
            fs.rmdir(f"{path}/{name}")
    expect.names(fs, "/tree", [])


@check
def walks_see_directories_added_to_their_list(fs: Any, expect: Expectations) -> None:
    """Who makes a directory during a walk and adds it to the list has it visited."""
    fs.mkdir("/tree")
    visited = []
    for path, directories, _ in fs.walk("/tree"):
        visited.append(path)
        if path == "/tree":
            fs.mkdir("/tree/new")
            directories.append("new")
    expect.equal("directories visited", visited, ["/tree", "/tree/new"])


@check
def deep_and_wide_trees_work(fs: Any, expect: Expectations) -> None:
    """Sixty levels and five hundred entries are no special case."""
    path = "/deep" * 60
    fs.makedirs(path)
    put(fs, f"{path}/file", b"content")
    expect.content(fs, f"{path}/file", b"content")
    expect.equal("levels", len(list(fs.walk("/"))), 61)
    fs.mkdir("/wide")
    wide = [f"entry{number:03}" for number in range(500)]
    for name in wide:
        put(fs, f"/wide/{name}")
    expect.names(fs, "/wide", wide)
    for name in wide[::2]:
        fs.remove(f"/wide/{name}")
    expect.names(fs, "/wide", wide[1::2])
    fs.rmtree("/deep")
    expect.names(fs, "/", ["wide"])
