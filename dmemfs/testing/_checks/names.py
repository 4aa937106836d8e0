"""Checks of names: renaming over each other, removing, hard and symbolic links."""

from __future__ import annotations

import errno
import os
from typing import Any

from ..._transfer.dictionaries import Link
from .._checking import Expectations, check, content, fill, put

TREE: dict[str, Any] = {
    "file": b"one",
    "other": b"two",
    "empty": {},
    "empty2": {},
    "full": {"inner": b"inside", "sub": {}},
    "full2": {"inner": b"2"},
}

# errno by what is renamed and what is there already; 0 where it is replaced.
ONTO = {
    ("/file", "/other"): 0,
    ("/file", "/empty"): errno.EISDIR,
    ("/file", "/full"): errno.EISDIR,
    ("/file", "/file/"): errno.ENOTDIR,
    ("/file", "/new/"): errno.ENOTDIR,
    ("/empty", "/file"): errno.ENOTDIR,
    ("/empty", "/empty2"): 0,
    ("/empty", "/empty2/"): 0,
    ("/empty/", "/new/"): 0,
    ("/empty", "/full"): errno.ENOTEMPTY,
    ("/full", "/file"): errno.ENOTDIR,
    ("/full", "/empty"): 0,
    ("/full", "/full2"): errno.ENOTEMPTY,
    ("/full", "/full/sub"): errno.EINVAL,
    ("/full", "/full/new"): errno.EINVAL,
    ("/full", "/full/sub/new"): errno.EINVAL,
    ("/full/sub", "/full"): errno.ENOTEMPTY,
    ("/full/inner", "/full"): errno.ENOTEMPTY,
    ("/full/inner", "/file"): 0,
    ("/full/sub", "/empty"): 0,
    ("/full", "/full"): 0,
    ("/file", "/file"): 0,
}


def _tree(fs: Any) -> dict[str, object]:
    """Return each path with the content, None for directories and the target for links."""
    found: dict[str, object] = {}
    for directory, directories, files in fs.walk("/"):
        for name in (*directories, *files):
            path = f"{directory.rstrip('/')}/{name}"
            if fs.is_dir(path):
                found[path] = None
            else:
                found[path] = content(fs, path)
    return found


@check
def renames_onto_each_other(fs: Any, expect: Expectations) -> None:
    """Each kind is renamed onto each other as rename(2) does, refused without effect or done."""
    for method in ("rename", "replace"):
        for (src, dst), code in ONTO.items():
            one = expect.another_filesystem()
            fill(one, TREE)
            before = _tree(one)
            rename = getattr(one, method)
            if code:
                expect.refused(code, rename, src, dst)
            else:
                expect.result(None, rename, src, dst)
                src, dst = src.rstrip("/"), dst.rstrip("/")
                moved = {
                    dst + path[len(src) :]: before.pop(path)
                    for path in list(before)
                    if path == src or path.startswith(f"{src}/")
                }
                before.update(moved)
            expect.equal(f"the tree after {method}({src!r}, {dst!r})", _tree(one), before)


@check
def renamed_nodes_stay_the_same(fs: Any, expect: Expectations) -> None:
    """A rename keeps the node: its number, its mode, its times and all that is below."""
    fill(fs, TREE)
    for path in ("/file", "/full"):
        fs.utime(path, (1_000_000_000, 1_100_000_000))
    before = [fs.stat("/file"), fs.stat("/full")]
    fs.rename("/file", "/empty/moved")
    fs.rename("/full", "/empty/dir")
    after = [fs.stat("/empty/moved"), fs.stat("/empty/dir")]
    for old, new in zip(before, after, strict=True):
        expect.equal("st_ino after a rename", new.st_ino, old.st_ino)
        expect.equal("st_mode after a rename", new.st_mode, old.st_mode)
        expect.equal("st_mtime_ns after a rename", new.st_mtime_ns, old.st_mtime_ns)
    expect.content(fs, "/empty/dir/inner", b"inside")
    expect.names(fs, "/empty/dir/..", ["dir", "moved"])
    expect.refused(errno.ENOENT, fs.stat, "/full")
    expect.refused(errno.ENOENT, fs.stat, "/full/inner")


@check
def renames_take_every_spelling(fs: Any, expect: Expectations) -> None:
    """rename takes bytes, paths without a slash and with dots, and names both in its errors."""
    put(fs, "/a", b"content")
    fs.rename(b"/a", b"/b")
    fs.rename("b", "c")
    fs.rename("//c", "/./d")
    expect.content(fs, "/d", b"content")
    expect.refused(errno.ENOENT, fs.rename, b"/missing", b"/new")
    expect.refused(errno.ENOENT, fs.rename, "missing", "//new")
    expect.refused(errno.ENOENT, fs.rename, "/d", "/missing/new")
    expect.content(fs, "/d", b"content")


@check
def removed_names_are_free(fs: Any, expect: Expectations) -> None:
    """remove takes away one name, which is free for any other node at once."""
    for method in ("remove", "unlink"):
        fill(fs, {"file": b"one", "keep": b"two"})
        expect.result(None, getattr(fs, method), "/file")
        expect.refused(errno.ENOENT, getattr(fs, method), "/file")
        expect.names(fs, "/", ["keep"])
        fs.mkdir("/file")
        expect.refused(errno.EISDIR, getattr(fs, method), "/file")
        fs.rmdir("/file")
        getattr(fs, method)(b"keep")
        expect.names(fs, "/", [])


@check
def moves_make_parents(fs: Any, expect: Expectations) -> None:
    """move renames, and makes the directories that are missing above the new name."""
    put(fs, "/file", b"content")
    expect.result(None, fs.move, "/file", "/a/b/moved")
    expect.content(fs, "/a/b/moved", b"content")
    fs.move("/a/b", "/c/d/e")
    expect.content(fs, "/c/d/e/moved", b"content")
    expect.names(fs, "/a", [])
    expect.refused(errno.ENOENT, fs.move, "/missing", "/x/y")
    expect.names(fs, "/", ["a", "c"])


@check
def refused_moves_make_no_parents(fs: Any, expect: Expectations) -> None:
    """A move that is refused has made nothing."""
    fs.mkdir("/dir")
    expect.refused(errno.EINVAL, fs.move, "/dir", "/dir/a/b/c")
    expect.names(fs, "/dir", [])


@check
def hard_links_are_names_of_one_file(fs: Any, expect: Expectations) -> None:
    """link gives a file another name: one node, which lives until the last is removed."""
    put(fs, "/one", b"content")
    fs.mkdir("/dir")
    expect.result(None, fs.link, "/one", "/dir/two")
    expect.equal("st_nlink", fs.stat("/one").st_nlink, 2)
    expect.equal("st_ino of the names", fs.stat("/dir/two").st_ino, fs.stat("/one").st_ino)
    put(fs, "/one", b"changed")
    expect.content(fs, "/dir/two", b"changed")
    fs.chmod("/dir/two", 0o640)
    expect.equal("mode by the other name", fs.stat("/one").st_mode & 0o777, 0o640)
    fs.link(b"/one", b"/three")
    expect.equal("st_nlink of three names", fs.stat("/three").st_nlink, 3)
    fs.remove("/one")
    expect.equal("st_nlink after a removal", fs.stat("/three").st_nlink, 2)
    expect.content(fs, "/dir/two", b"changed")
    fs.rmtree("/dir")
    expect.equal("st_nlink of the last name", fs.stat("/three").st_nlink, 1)
    expect.content(fs, "/three", b"changed")


@check
def renaming_one_name_of_a_file_to_another(fs: Any, expect: Expectations) -> None:
    """Two names of one file stay as they are when one is renamed to the other, as POSIX says."""
    put(fs, "/one", b"content")
    fs.link("/one", "/two")
    expect.result(None, fs.rename, "/one", "/two")
    expect.names(fs, "/", ["one", "two"])
    expect.equal("st_nlink", fs.stat("/one").st_nlink, 2)
    put(fs, "/three", b"other")
    fs.rename("/three", "/two")
    expect.equal("st_nlink after one was replaced", fs.stat("/one").st_nlink, 1)
    expect.content(fs, "/one", b"content")


@check
def hard_links_are_refused_where_they_cannot_be(fs: Any, expect: Expectations) -> None:
    """link refuses directories, names that are there, and missing places, naming both paths."""
    fill(fs, TREE)
    expect.refused(errno.EPERM, fs.link, "/full", "/new")
    expect.refused(errno.EEXIST, fs.link, "/file", "/other")
    expect.refused(errno.EEXIST, fs.link, "/file", "/file")
    expect.refused(errno.EEXIST, fs.link, "/file", "/empty")
    expect.refused(errno.ENOENT, fs.link, "/missing", "/new")
    expect.refused(errno.ENOENT, fs.link, "/file", "/missing/new")
    expect.refused(errno.ENOTDIR, fs.link, "/file", "/other/new")
    expect.names(fs, "/", TREE)
    expect.equal("st_nlink", fs.stat("/file").st_nlink, 1)


@check
def symbolic_links_may_lead_nowhere(fs: Any, expect: Expectations) -> None:
    """symlink keeps what it is told, whether or not anything is there, now or later."""
    expect.result(None, fs.symlink, "later", "/link")
    expect.result("later", fs.readlink, "/link")
    expect.result(False, fs.exists, "/link")
    expect.result(True, fs.is_symlink, "/link")
    expect.names(fs, "/", ["link"])
    put(fs, "/later", b"content")
    expect.content(fs, "/link", b"content")
    fs.remove("/later")
    expect.refused(errno.ENOENT, fs.open, "/link", "rb")
    fs.mkdir("/later")
    expect.names(fs, "/link", [])
    fs.symlink("a/../b//c/.", "/odd")
    expect.result("a/../b//c/.", fs.readlink, "/odd")
    expect.refused(errno.EEXIST, fs.symlink, "new", "/link")
    expect.refused(errno.ENOENT, fs.symlink, "", "/nothing")


@check
def writing_goes_through_links(fs: Any, expect: Expectations) -> None:
    """open makes and changes what a link leads to, but mode x refuses the link itself."""
    fs.mkdir("/dir")
    fs.symlink("dir/made", "/link")
    expect.refused(errno.EEXIST, fs.open, "/link", "xb")
    expect.names(fs, "/dir", [])
    put(fs, "/link", b"content")
    expect.content(fs, "/dir/made", b"content")
    with fs.open("/link", "ab") as file:
        file.write(b" more")
    fs.truncate("/link", 9)
    expect.content(fs, "/dir/made", b"content m")
    fs.chmod("/link", 0o640)
    expect.equal("mode of the target", fs.stat("/dir/made").st_mode & 0o777, 0o640)
    expect.result(True, fs.is_symlink, "/link")
    fs.symlink("dir", "/way")
    put(fs, "/way/other", b"other")
    fs.mkdir("/way/sub")
    expect.names(fs, "/dir", ["made", "other", "sub"])


@check
def links_are_removed_and_renamed_themselves(fs: Any, expect: Expectations) -> None:
    """remove and rename act on a link, not on what it leads to."""
    fill(fs, {**TREE, "link": Link("full"), "filelink": Link("file")})
    fs.rename("/filelink", "/moved")
    expect.result("file", fs.readlink, "/moved")
    fs.rename("/other", "/moved")
    expect.result(False, fs.is_symlink, "/moved")
    expect.content(fs, "/file", b"one")
    fs.rename("/link", "/empty/link")
    expect.result(True, fs.is_symlink, "/empty/link")
    expect.refused(errno.ENOENT, fs.listdir, "/empty/link")
    fs.symlink("file", "/again")
    fs.rename("/again", "/moved")
    expect.result("file", fs.readlink, "/moved")
    fs.remove("/moved")
    fs.unlink("/empty/link")
    expect.content(fs, "/file", b"one")
    expect.names(fs, "/full", ["inner", "sub"])
    fs.symlink("full", "/link")
    expect.refused(errno.ENOTDIR, fs.rename, "/empty", "/link")
    expect.refused(errno.ENOTDIR, fs.rename, "/link/", "/new")


@check
def links_are_followed_up_to_forty(fs: Any, expect: Expectations) -> None:
    """A chain of forty links is followed, one of forty-one is refused with ELOOP."""
    put(fs, "/0", b"content")
    for number in range(1, 42):
        fs.symlink(str(number - 1), f"/{number}")
    expect.content(fs, "/40", b"content")
    expect.refused(errno.ELOOP, fs.open, "/41", "rb")
    expect.refused(errno.ELOOP, fs.stat, "/41")
    expect.result("40", fs.readlink, "/41")


@check
def names_have_255_bytes(fs: Any, expect: Expectations) -> None:
    """A name of 255 bytes is the longest, whatever number of characters that is."""
    for name in ("n" * 255, "\u00e9" * 127 + "n", "\U0001f40d" * 63 + "nnn"):
        put(fs, f"/{name}", b"content")
        expect.content(fs, f"/{name}", b"content")
        expect.content(fs, os.fsencode(f"/{name}"), b"content")
        expect.refused(errno.ENAMETOOLONG, fs.open, f"/{name}n", "wb")
        expect.refused(errno.ENAMETOOLONG, fs.rename, f"/{name}", f"/{name}n")
        fs.remove(f"/{name}")
    expect.names(fs, "/", [])


@check
def names_need_not_be_utf8(fs: Any, expect: Expectations) -> None:
    """Bytes that are not UTF-8 come back as they were, in str as surrogate escapes."""
    put(fs, b"/\xff\xfe", b"content")
    expect.names(fs, b"/", [b"\xff\xfe"])
    expect.names(fs, "/", ["\udcff\udcfe"])
    expect.content(fs, "/\udcff\udcfe", b"content")
    expect.refused(errno.ENOENT, fs.stat, b"/\xff")
