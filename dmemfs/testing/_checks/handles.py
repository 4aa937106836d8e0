"""Checks of open files beside other changes: removal, renaming, other handles, being dropped."""

from __future__ import annotations

import errno
import gc
import warnings
from typing import Any

from .._checking import Expectations, check, content, put


@check
def open_files_outlive_removal(fs: Any, expect: Expectations) -> None:
    """A removed file is read, written and grows on for those who have it open."""
    for remove in (fs.remove, fs.unlink):
        put(fs, "/file", b"content")
        with fs.open("/file", "r+b", 0) as file, fs.open("/file", "rb") as reader:
            remove("/file")
            expect.names(fs, "/", [])
            expect.refused(errno.ENOENT, fs.open, "/file", "rb")
            expect.result(b"content", file.read)
            expect.result(5, file.write, b" more")
            expect.result(b"content more", reader.read)
            file.truncate(3)
            file.seek(0)
            expect.result(b"con", file.read)
            expect.equal("name of a removed file", file.name, "/file")
        expect.names(fs, "/", [])


@check
def a_new_file_at_the_old_name_is_another(fs: Any, expect: Expectations) -> None:
    """Who has a removed file open does not see what is made under its name, and the reverse."""
    put(fs, "/file", b"old")
    with fs.open("/file", "r+b", 0) as old:
        fs.remove("/file")
        put(fs, "/file", b"new")
        expect.result(b"old", old.read)
        old.write(b"!")
        expect.content(fs, "/file", b"new")
        fs.remove("/file")
        fs.mkdir("/file")
        old.seek(0)
        expect.result(b"old!", old.read)
    expect.names(fs, "/file", [])


@check
def open_files_follow_a_rename(fs: Any, expect: Expectations) -> None:
    """What is written to a renamed file, or in a renamed directory, is at the new name."""
    fs.mkdir("/dir")
    put(fs, "/dir/file", b"one")
    with fs.open("/dir/file", "ab", 0) as file:
        fs.rename("/dir/file", "/dir/renamed")
        file.write(b"-two")
        fs.rename("/dir", "/moved")
        file.write(b"-three")
        expect.content(fs, "/moved/renamed", b"one-two-three")
        expect.equal("name of a renamed file", file.name, "/dir/file")
    expect.names(fs, "/", ["moved"])


@check
def replaced_files_live_on(fs: Any, expect: Expectations) -> None:
    """A file that another was renamed over is still what it was to those who have it open."""
    put(fs, "/old", b"old")
    put(fs, "/new", b"new")
    with fs.open("/old", "r+b", 0) as old, fs.open("/new", "r+b", 0) as new:
        fs.rename("/new", "/old")
        old.write(b"OLD!")
        new.write(b"NEW")
        old.seek(0)
        expect.result(b"OLD!", old.read)
        expect.content(fs, "/old", b"NEW")
    expect.names(fs, "/", ["old"])


@check
def open_files_outlive_their_directory(fs: Any, expect: Expectations) -> None:
    """rmtree takes names away, not the content from those who have a file open."""
    fs.mkdir("/dir")
    fs.mkdir("/dir/sub")
    put(fs, "/dir/sub/file", b"content")
    with fs.open("/dir/sub/file", "r+b", 0) as file:
        fs.rmtree("/dir")
        expect.names(fs, "/", [])
        expect.result(b"content", file.read)
        file.write(b"!")
        file.seek(0)
        expect.result(b"content!", file.read)
        fs.mkdir("/dir")
        expect.names(fs, "/dir", [])


@check
def handles_see_each_other(fs: Any, expect: Expectations) -> None:
    """What one file object has written, another one of the same file reads, and the reverse."""
    put(fs, "/file", b"0123456789")
    with fs.open("/file", "r+b", 0) as one, fs.open("/file", "r+b", 0) as two:
        one.write(b"abc")
        expect.result(b"abc3456789", two.read)
        two.seek(5)
        two.write(b"XY")
        one.seek(4)
        expect.result(b"4XY789", one.read)
        expect.equal("tell() of the one", one.tell(), 10)
        expect.equal("tell() of the other", two.tell(), 7)
        two.truncate(2)
        one.seek(0)
        expect.result(b"ab", one.read)
        fs.truncate("/file", 4)
        one.seek(0)
        expect.result(b"ab\0\0", one.read)


@check
def opening_for_writing_empties_for_all(fs: Any, expect: Expectations) -> None:
    """Mode w empties the file that others have open, at once, without making another one."""
    put(fs, "/file", b"content")
    number = fs.stat("/file").st_ino
    with fs.open("/file", "r+b", 0) as file:
        file.seek(3)
        with fs.open("/file", "w"):
            expect.result(b"", file.read)
        file.write(b"x")
        expect.content(fs, "/file", b"\0\0\0x")
    expect.equal("st_ino", fs.stat("/file").st_ino, number)


@check
def handles_see_what_is_written_whole(fs: Any, expect: Expectations) -> None:
    """write_bytes writes to the file that is there, as its other names and handles see."""
    put(fs, "/file", b"old")
    number = fs.stat("/file").st_ino
    with fs.open("/file", "rb", 0) as file:
        fs.write_bytes("/file", b"longer than before")
        expect.result(b"longer than before", file.read)
    expect.equal("st_ino", fs.stat("/file").st_ino, number)


@check
def two_names_are_one_file_to_handles(fs: Any, expect: Expectations) -> None:
    """A file opened by one of its names is the same as by the other, also when one is removed."""
    put(fs, "/one", b"content")
    fs.link("/one", "/two")
    with fs.open("/one", "r+b", 0) as one, fs.open("/two", "rb", 0) as two:
        one.write(b"CON")
        expect.result(b"CONtent", two.read)
        fs.remove("/one")
        one.write(b"T")
        expect.content(fs, "/two", b"CONTent")


@check
def files_that_were_closed_say_nothing(fs: Any, expect: Expectations) -> None:
    """No warning comes of files that were closed, and of those used in a with block."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for mode in ("w", "wb", "r", "rb", "a+", "r+b"):
            with fs.open("/file", mode) as file:
                if "r" not in mode:
                    file.write(b"x" if "b" in mode else "x")
            file = fs.open("/file", mode)
            file.close()
            del file
        with fs.scandir("/") as scan:
            next(scan)
        del scan
    expect.equal("warnings", [str(one.message) for one in seen if _is_of_a_resource(one)], [])


@check
def files_that_were_dropped_warn(fs: Any, expect: Expectations) -> None:
    """Who drops an open file gets a ResourceWarning, and what was buffered is written."""
    for mode in ("w", "wb"):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            file = fs.open("/file", mode)
            file.write(b"kept" if "b" in mode else "kept")
            del file
            if not any(map(_is_of_a_resource, seen)):
                gc.collect()
        expect.true(
            f"a ResourceWarning for a file with mode {mode!r}", any(map(_is_of_a_resource, seen))
        )
        expect.equal(f"content after dropping mode {mode!r}", content(fs, "/file"), b"kept")


def _is_of_a_resource(one: warnings.WarningMessage) -> bool:
    return issubclass(one.category, ResourceWarning)
