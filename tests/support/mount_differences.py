"""Where a mount is meant to differ from a real directory, and why.

Each entry has a test in `tests/mount/test_differences.py` that shows it, and a line in
`docs/mount.md`. What a MemoryFileSystem itself does differently stands in `differences.py`.
"""

from __future__ import annotations

from tests.support.differences import Difference

MOUNT_DIFFERENCES = [
    Difference(
        name="other programs",
        real="A program that is started sees the files.",
        memory="[So it does](programs.md) where the kernel lets them be shown. Elsewhere, and at "
        "`/`, one that is given a mounted path or directory is not started: ENOTSUP.",
        reason="The files are in the memory of this process, which has to answer for them.",
    ),
    Difference(
        name="libraries in C",
        real="They open paths, and load libraries.",
        memory="[Known ones](#libraries-in-c) are handed the file, or refuse it. Others find "
        "nothing (ENOENT), or what is on the disk at that path; imports of C modules name "
        "`materialize`. "
        "Descriptors of files they can use.",
        reason="They ask the kernel, which knows nothing of a mount.",
    ),
    Difference(
        name="special files",
        real="FIFOs, sockets and devices can be made.",
        memory="`mkfifo` and `mknod` raise EPERM, and binding a socket ENOENT.",
        reason="They lead to other processes or to the kernel.",
    ),
    Difference(
        name="extended attributes",
        real="Most file systems keep them.",
        memory="None are there, and none can be set: ENOTSUP.",
        reason="Nothing portable needs them; `shutil` goes on without.",
    ),
    Difference(
        name="types of binary files",
        real="`open(path, 'rb')` returns an `io.BufferedReader`, unbuffered an `io.FileIO`.",
        memory="It returns another `io.BufferedIOBase` or `io.RawIOBase`; the latter counts as an "
        "`io.FileIO`. Text files, and files opened on a descriptor, have the usual types.",
        reason="They need no buffer between two pieces of memory, which makes them quicker.",
    ),
    Difference(
        name="the directory above",
        real="A mount point is a directory that is there, listed in the one above.",
        memory="Nothing need be there, and the directory above does not list it.",
        reason="The directory above is real, and is not touched.",
    ),
    Difference(
        name="links from outside",
        real="A symbolic link leads to wherever it says.",
        memory="A link of the real file system does not lead into a mount.",
        reason="The kernel follows it. Links of a mounted file system lead anywhere.",
    ),
    Difference(
        name="numbers of descriptors",
        real="The lowest free number.",
        memory="Those of directories are numbers from 2**30 on; `select` and the kernel's own "
        "calls refuse them.",
        reason="The kernel has files in memory, and no directories of them.",
    ),
    Difference(
        name="quotas and code in C",
        real="A full file system refuses whoever writes.",
        memory="What code in C or another program writes by a descriptor is counted, and "
        "not refused.",
        reason="The kernel writes it, and knows nothing of the quota.",
    ),
    Difference(
        name="forked processes",
        real="Parent and child work on the same files.",
        memory="The child has a copy of its own, but for files whose descriptor is open.",
        reason="Memory is copied by a fork.",
    ),
]
