"""What programs do to a file system, and what they see of it."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem
from tests.support.kernel import POINT, TIMEOUT, Shown

PROJECT = Path(__file__).resolve().parents[2]


def test_it_behaves_as_other_file_systems_do(shown: Shown) -> None:
    """By the checks for any file system, in a program, on directories in the mount."""
    code = f"""
import itertools, os, sys
sys.path.insert(0, {str(PROJECT)!r})
from dmemfs.testing import check_filesystem
from tests.support.real_filesystem import RealFileSystem
from tests.support.kernel import POINT
from tests.testing.test_conformance import EXCUSED_CHECKS
numbers = itertools.count()
def make():
    directory = os.path.join(POINT, str(next(numbers)))
    os.mkdir(directory)
    return RealFileSystem(directory)
check_filesystem(make, exclude=EXCUSED_CHECKS)
"""
    shown.run(sys.executable, "-B", "-c", code)


def test_what_a_program_makes_is_there(shown: Shown) -> None:
    shown.shell(
        """
        umask 027
        mkdir -p a/b
        printf text > a/b/file
        chmod 751 a/b/file
        ln a/b/file a/hard
        ln -s b/file a/soft
        touch -d '1969-12-31 23:59:58.25 UTC' a/hard
        mv a/b a/c
        mkfifo a/fifo 2>/dev/null && exit 1
        rmdir a/c 2>/dev/null && exit 1
        printf more >> a/soft 2>/dev/null || true
        """
    )
    fs = shown.fs
    assert sorted(fs.listdir("/a")) == ["c", "hard", "soft"]
    assert fs.read_text("/a/hard") == "text"
    assert fs.readlink("/a/soft") == "b/file"
    status = fs.stat("/a/c/file")
    assert status.st_nlink == 2
    assert stat.S_IMODE(status.st_mode) == 0o751
    assert status.st_mtime_ns == -1_750_000_000
    assert stat.S_IMODE(fs.stat("/a").st_mode) == 0o750
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_a_program_sees_what_the_tree_says(shown: Shown) -> None:
    fs = shown.fs
    fs.write_bytes("/file", b"x" * 5000)
    fs.chmod("/file", 0o640)
    fs.chown("/file", 12, 34)
    fs.utime("/file", ns=(-1, 1_500_000_000_123_456_789))
    fs.link("/file", "/other")
    fs.symlink("file", "/link")
    fs.write_bytes("/caf\udce9", b"")
    program = shown.asked()
    told = program.ask(
        "tuple(os.stat('file')), os.stat('file').st_mtime_ns, os.stat('file').st_blocks"
    )
    expected = fs.stat("/file")
    mode, ino, _, nlink, uid, gid, size, *_ = told[0]
    assert (mode, ino, nlink, uid, gid, size) == (
        expected.st_mode, expected.st_ino, 2, 12, 34, 5000,
    )  # fmt: skip
    assert told[1:] == (expected.st_mtime_ns, expected.st_blocks)
    assert program.ask("os.stat('file').st_atime_ns") == -1
    assert program.ask("os.readlink('link')") == "file"
    assert program.ask("sorted(os.listdir('.'))") == sorted(fs.listdir("/"))
    assert program.ask("os.stat('nothing')") == errno.ENOENT
    assert program.ask("os.stat('file/nothing')") == errno.ENOTDIR
    assert program.ask("os.stat('n' * 256)") == errno.ENAMETOOLONG
    assert program.ask("os.getxattr('file', 'user.name')") == errno.EOPNOTSUPP
    assert program.ask("os.mknod('device', 0o20600)") == errno.EPERM


def test_what_this_process_changes_a_program_sees_at_once(shown: Shown) -> None:
    fs = shown.fs
    fs.write_bytes("/file", b"before")
    program = shown.asked()
    program.ask("globals().update(fd=os.open('file', os.O_RDONLY))")
    assert program.ask("os.pread(fd, 99, 0), os.stat('file').st_size") == (b"before", 6)
    fs.write_bytes("/file", b"behind")
    assert program.ask("os.pread(fd, 99, 0)") == b"behind"
    with fs.open("/file", "ab") as file:
        file.write(b", and more")
    assert program.ask("os.pread(fd, 99, 0), os.stat('file').st_size") == (b"behind, and more", 16)
    fs.truncate("/file", 2)
    assert program.ask("os.pread(fd, 99, 0), os.fstat(fd).st_size") == (b"be", 2)
    fs.rename("/file", "/renamed")
    assert program.ask("os.stat('file')") == errno.ENOENT
    assert program.ask("os.stat('renamed').st_size") == 2
    fs.makedirs("/directory/below")
    assert program.ask("os.stat('directory/below').st_nlink") == 2
    fs.rename("/directory", "/moved")
    assert program.ask("os.mkdir('moved/below/new')") is None
    assert fs.listdir("/moved/below") == ["new"]


def test_a_directory_in_which_a_program_works_may_move(shown: Shown) -> None:
    fs = shown.fs
    fs.makedirs("/a/work")
    program = shown.asked()
    program.ask("os.chdir('a/work')")
    fs.rename("/a", "/b")
    fs.mkdir("/a")
    assert program.ask("open('file', 'w').close(), os.mkdir('new'), os.rename('file', 'new/x')")
    assert fs.listdir("/b/work/new") == ["x"]
    assert fs.listdir("/a") == []
    fs.rmtree("/b")
    assert program.ask("os.mkdir('late')") == errno.ENOENT


def test_files_live_as_long_as_they_are_open(shown: Shown) -> None:
    fs = shown.fs
    fs.write_bytes("/file", b"x" * (1 << 20))
    program = shown.asked()
    program.ask("globals().update(fd=os.open('file', os.O_RDWR))")
    fs.remove("/file")
    assert fs.usage().bytes == 1 << 20
    assert program.ask("os.pwrite(fd, b'y', 7), os.pread(fd, 3, 6)") == (1, b"xyx")
    assert program.ask("os.fchmod(fd, 0o600), os.fstat(fd).st_nlink") == (None, 0)
    program.ask("os.close(fd)")
    wait_until(lambda: fs.usage().bytes == 0)


def test_a_file_is_gone_when_this_process_removes_it(shown: Shown) -> None:
    """Though the kernel remembers it."""
    fs = shown.fs
    fs.write_bytes("/file", b"x" * (1 << 20))
    shown.shell("cat file > /dev/null")
    wait_until(lambda: not shown.namespace.server(POINT).served.handles)
    fs.remove("/file")
    assert fs.usage().bytes == 0


def wait_until(condition: object) -> None:
    """Wait for what the kernel tells without being waited for, such as the last close of a file."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_shared_mapping_is_written_and_read(shown: Shown) -> None:
    shown.fs.write_bytes("/file", b"x" * 3 * mmap.PAGESIZE)
    shown.python(
        f"""
import mmap, os
fd = os.open({POINT!r} + "/file", os.O_RDWR)
with mmap.mmap(fd, 0) as memory:
    assert memory[:2] == b"xx"
    memory[{mmap.PAGESIZE}:{mmap.PAGESIZE} + 4] = b"here"
    memory.flush()
    assert os.pread(fd, 4, {mmap.PAGESIZE}) == b"here"
    memory[0] = 121
"""
    )
    content = shown.fs.read_bytes("/file")
    assert content[mmap.PAGESIZE : mmap.PAGESIZE + 5] == b"herex"
    assert content[:2] == b"yx"


def test_renames_by_flags(shown: Shown) -> None:
    fs = shown.fs
    fs.import_tree({"/a": b"a", "/b": b"b", "/d/x": b""})
    shown.python(
        """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def rename(old, new, flags):
    if libc.renameat2(-100, old, -100, new, flags) == 0:
        return 0
    return ctypes.get_errno()
assert rename(b"a", b"b", 1) == errno.EEXIST
assert rename(b"a", b"c", 1) == 0
assert rename(b"c", b"b", 2) == 0
assert rename(b"c", b"d", 2) == 0
assert rename(b"c", b"none", 2) == errno.ENOENT
assert rename(b"b", b"none", 4) == errno.EINVAL
""".replace("import ctypes", f"import os; os.chdir({POINT!r}); import ctypes")
    )
    assert fs.read_bytes("/b") == b"a"
    assert fs.read_bytes("/d") == b"b"
    assert fs.listdir("/c") == ["x"]


def test_holes_and_room(shown: Shown) -> None:
    fs = shown.fs
    program = shown.asked()
    program.ask("globals().update(fd=os.open('file', os.O_RDWR | os.O_CREAT))")
    program.ask("os.pwrite(fd, b'end', 1 << 20)")
    assert fs.usage().bytes <= 1 << 16
    assert program.ask("os.lseek(fd, 0, os.SEEK_DATA)") == 1 << 20
    assert program.ask("os.lseek(fd, 0, os.SEEK_HOLE)") == 0
    assert program.ask("os.lseek(fd, 1 << 21, os.SEEK_DATA)") == errno.ENXIO
    assert program.ask("os.posix_fallocate(fd, 0, 2 << 20), os.fstat(fd).st_size")[1] == 2 << 20
    assert fs.usage().bytes == 2 << 20
    assert program.ask("os.pread(fd, 3, 1 << 20)") == b"end"
    assert program.ask("os.posix_fallocate(fd, 0, 1 << 30)") == errno.ENOSPC


def test_a_quota_is_a_full_disk(shown: Shown) -> None:
    fs = shown.fs
    fs.mkdir("/small")
    fs.set_quota("/small", 100_000)
    said = shown.run("dd", "if=/dev/zero", "of=small/file", "bs=10000", "count=11", status=1)
    assert os.strerror(errno.ENOSPC) in said
    assert fs.get_size("/small/file") == 100_000
    free = shown.asked().ask("(lambda s: s.f_bavail * s.f_frsize)(os.statvfs('.'))")
    assert 0 <= fs.statvfs().f_bavail - free < 512


FAULTS = {
    "open": "os.open('file', os.O_RDONLY)",
    "read": "os.read(os.open('file', os.O_RDONLY), 4)",
    "write": "os.write(os.open('file', os.O_WRONLY), b'x')",
    "truncate": "os.truncate('file', 1)",
    "mkdir": "os.mkdir('file.d')",
    "rmdir": "os.rmdir('d')",
    "remove": "os.remove('file')",
    "rename": "os.rename('file', 'other')",
    "link": "os.link('file', 'other')",
    "symlink": "os.symlink('file', 'other')",
    "readlink": "os.readlink('link')",
    "stat": "os.stat('file')",
    "listdir": "os.listdir('d')",
    "chmod": "os.chmod('file', 0)",
    "chown": "os.chown('file', 1, 1)",
    "utime": "os.utime('file')",
}


def test_faults_reach_a_program(shown: Shown) -> None:
    fs = shown.fs
    fs.write_bytes("/file", b"text")
    fs.mkdir("/d")
    fs.symlink("file", "/link")
    program = shown.asked()
    before = fs.to_tree()
    for operation, expression in FAULTS.items():
        with fs.fail(operation, error=errno.EDQUOT):  # type: ignore[arg-type]
            assert program.ask(expression) == errno.EDQUOT, operation
        assert fs.to_tree() == before, operation
    for expression in FAULTS.values():
        program.ask(expression)
    assert fs.to_tree() != before


def test_a_fault_strikes_where_and_when_it_is_to(shown: Shown) -> None:
    with shown.fs.fail("write", "*.o", errno.EIO, after=3) as fault:
        said = shown.shell("for i in 1 2 3 4 5; do echo $i >> a.c; echo $i >> a.o; done", status=1)
    assert os.strerror(errno.EIO).lower() in said.lower() or fault.failures
    assert shown.fs.read_text("/a.o") == "1\n2\n3\n"
    assert shown.fs.read_text("/a.c") == "1\n2\n3\n4\n"


def test_a_short_write_is_short_and_a_short_read_is_whole(shown: Shown) -> None:
    shown.fs.write_bytes("/file", bytes(range(256)) * 64)
    program = shown.asked()
    with shown.fs.fail("write", short=3):
        assert program.ask("os.write(os.open('new', os.O_WRONLY | os.O_CREAT), b'12345')") == 3
    with shown.fs.fail("read", short=1000):
        assert program.ask("os.read(os.open('file', os.O_RDONLY), 1 << 20)") == (
            bytes(range(256)) * 64
        )


def test_snapshots_hold_what_was(shown: Shown) -> None:
    fs = shown.fs
    fs.write_text("/file", "before")
    with fs.snapshot() as snapshot:
        shown.shell("printf after > file; mkdir new")
        changes = snapshot.diff()
        assert (sorted(changes.added), sorted(changes.changed)) == (["/new"], ["/file"])
    with pytest.raises(RuntimeError), fs.rollback():
        shown.shell("rm file; touch other")
        raise RuntimeError
    assert fs.read_text("/file") == "after"
    assert sorted(shown.asked().ask("os.listdir('.')")) == ["file", "new"]


def test_real_trees_are_read_only(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("real")
    shown.fs.add_real(tmp_path, "/real")
    program = shown.asked()
    assert program.ask("open('real/file').read()") == "real"
    assert program.ask("open('real/file', 'w')") == errno.EROFS
    assert program.ask("os.mkdir('real/new')") == errno.EROFS


def test_many_programs_at_once(shown: Shown) -> None:
    fs = shown.fs
    script = "for i in $(seq 40); do echo $i > $0-$i; cat $0-$i >> $0; rm $0-$i; done"
    programs = [shown.start("sh", "-euc", script, f"file{number}") for number in range(4)]
    for number in range(200):
        fs.write_bytes(f"/mine{number % 7}", bytes(number))
    for program in programs:
        _, errors = program.communicate(timeout=TIMEOUT)
        assert program.returncode == 0, errors
    expected = "".join(f"{number}\n" for number in range(1, 41))
    assert [fs.read_text(f"/file{number}") for number in range(4)] == [expected] * 4


def test_a_large_file_comes_whole(shown: Shown) -> None:
    data = os.urandom(5 << 20)
    shown.fs.write_bytes("/file", data)
    shown.shell(
        "cat file > copy; cmp file copy; tail -c 1000001 copy > end; truncate -s 70000 copy"
    )
    assert shown.fs.read_bytes("/end") == data[-1000001:]
    assert shown.fs.read_bytes("/copy") == data[:70000]


def test_a_defect_of_the_server_is_an_error_of_the_program(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    with shown.fs.fail("mkdir", error=LookupError("a defect")):
        assert shown.asked().ask("os.mkdir('x')") == errno.EIO
    assert len(reported) == 1


def test_the_file_system_that_is_seen_is_in_no_mount_of_this_process(shown: Shown) -> None:
    shown.fs.write_text("/file", "")
    assert not os.path.exists(POINT)
    assert POINT not in Path("/proc/self/mounts").read_text()
    assert POINT in shown.shell("cat /proc/self/mounts")
    assert isinstance(shown.fs, MemoryFileSystem)
