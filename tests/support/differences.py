"""Where MemoryFileSystem is meant to differ from a file system of the kernel, and why.

This is the one table. A test that leaves something out of a comparison names the entry here that
says so, as in: see the difference "holes". Checks of `dmemfs.testing.check_filesystem` that a real
directory is excused from stand in its entries.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One justified difference.

    Attributes:
        name: how tests call it.
        real: what the real one does.
        memory: what happens here instead.
        reason: why.
        checks: names of conformance checks that expect what happens here.
    """

    name: str
    real: str
    memory: str
    reason: str
    checks: tuple[str, ...] = ()


DIFFERENCES = [
    Difference(
        name="permissions",
        real="Permission bits are enforced unless the user is root.",
        memory="Permission bits are kept and reported by stat(), never enforced.",
        reason="All callers share one process, so a bit could keep nobody from the bytes.",
    ),
    Difference(
        name="order of entries",
        real="listdir() gives an order of the file system's own (hashes on ext4).",
        memory="listdir() gives the order in which the names were made.",
        reason="POSIX promises no order; this one costs nothing and is the same in every run.",
    ),
    Difference(
        name="size of a directory",
        real="st_size is that of the disk blocks or entries that hold the names.",
        memory="st_size says nothing about how many names there are.",
        reason="No bytes are kept for names, and POSIX leaves the size unspecified.",
    ),
    Difference(
        name="holes",
        real="A hole has the granularity of the file system's block (usually 4 KiB).",
        memory="A hole is a whole aligned 64 KiB block; st_blocks and quotas count accordingly.",
        reason="Large blocks keep a file's block list short, which is what makes it fast.",
    ),
    Difference(
        name="root",
        real="A path may leave a directory through '..'.",
        memory="'..' of the root is the root, as in the kernel for the real root.",
        reason="The stand-in for comparisons is a directory in the middle of a real tree.",
        checks=("paths_do_not_lead_above_the_root", "the_root_stays"),
    ),
    Difference(
        name="failed move",
        real="The parents that a move made before it failed stay.",
        memory="A move that fails has made nothing.",
        reason="move() is one operation here, and a refused operation changes nothing.",
        checks=("refused_moves_make_no_parents",),
    ),
    Difference(
        name="failed makedirs",
        real="The parents that makedirs() made before it failed stay.",
        memory="A makedirs() that fails has made nothing.",
        reason="makedirs() is one operation here, and a refused operation changes nothing.",
        checks=("refused_makedirs_make_no_parents",),
    ),
    Difference(
        name="refused text",
        real="A file is made or emptied before it turns out that a text cannot be encoded.",
        memory="write_text() encodes first; what it refuses changes nothing.",
        reason="write_text() is one operation here, and a refused operation changes nothing.",
    ),
    Difference(
        name="two wrong paths",
        real="Where both paths of rename() or link() are wrong, a directory that is missing counts "
        "before a name that is too long.",
        memory="What is wrong with the first path counts.",
        reason="Each path is resolved at once; the errors name the same paths.",
    ),
    Difference(
        name="file descriptors as paths",
        real="Many functions of os take an open descriptor instead of a path.",
        memory="An integer is a TypeError.",
        reason="There are no descriptors: files are objects of this process alone.",
    ),
    Difference(
        name="errors of utime",
        real="Before Python 3.13, the OSError of os.utime() names no file.",
        memory="It names the file, as every other one does.",
        reason="CPython left it out because the times could be at fault; a path helps more.",
        checks=("errors_of_utime",),
    ),
    Difference(
        name="bytes-like paths",
        real="bytearray and memoryview are taken with a DeprecationWarning, or refused.",
        memory="They are a TypeError.",
        reason="Python itself removes what is left of this habit.",
    ),
    Difference(
        name="access times",
        real="Reading moves st_atime as the mount options say: usually where it is not newer than "
        "st_mtime or st_ctime, and once a day (relatime); never with noatime.",
        memory="Reading a file moves st_atime where it is not newer than st_ctime.",
        reason="It is what relatime is for: to tell what was read since it was changed.",
    ),
    Difference(
        name="errors of shutil",
        real="shutil.copy2() and shutil.rmtree() find some errors themselves (a missing directory "
        "with a slash behind it, a directory onto itself, a link to a directory) and raise an "
        "OSError without errno.",
        memory="copy() and rmtree() raise the error that the system call gives: EISDIR, ENOTDIR.",
        reason="An error with errno and file name says more, and is the same in every version.",
    ),
    Difference(
        name="glob finds once",
        real="glob.glob() gives a path once for each way in which '**/**' matches it.",
        memory="glob() gives every path once.",
        reason="Nobody wants a file twice.",
    ),
    Difference(
        name="glob in bytes",
        real="A '?' in a pattern of bytes stands for one byte.",
        memory="It stands for one character.",
        reason="Names are text here; as text, patterns mean the same on both.",
    ),
    Difference(
        name="iteration over a binary file",
        real="iter(file) is the file.",
        memory="iter(file) is the buffer of io below it.",
        reason="Lines come at the speed of C.",
    ),
    Difference(
        name="refused binary write",
        real="ENOSPC comes at the next flush, where a buffer is in use.",
        memory="ENOSPC comes at once for a binary write of 2 KiB or more.",
        reason="The sooner the better; text files keep what was refused for the next flush, as the "
        "builtin does.",
    ),
    Difference(
        name="position after appending",
        real="The position of a buffered file open for appending moves to the end at the flush.",
        memory="It is at the end as soon as a write is done.",
        reason="What is written directly is there at once.",
    ),
    Difference(
        name="attributes of file objects",
        real="closed and name are read-only.",
        memory="They can be assigned.",
        reason="They are slots, which io finds faster.",
    ),
    Difference(
        name="text that cannot be decoded",
        real="It is noticed in pieces of 8 KiB.",
        memory="It is noticed in pieces of 64 KiB in large files, and up to that much earlier.",
        reason="Fewer and larger pieces are quicker.",
    ),
]
"""Every justified difference; tests name them, see test_differences.py."""

EXCUSED_CHECKS = {name: entry.reason for entry in DIFFERENCES for name in entry.checks}
"""The conformance checks that a real directory is excused from, each with its reason."""
