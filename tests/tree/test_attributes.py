"""What stat(), lstat(), access() and statvfs() report, and chmod(), chown() and utime() set."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome


def fill(fs: Any) -> None:
    fs.makedirs("/d/sub")
    fs.makedirs("/e/full/inner")
    fs.write_bytes("/d/f", b"content")
    fs.write_bytes("/d/g", b"another")
    fs.write_bytes("/d/nothing", b"")
    fs.link("/d/g", "/e/hard")
    fs.symlink("f", "/d/link")
    fs.symlink("sub", "/d/dirlink")
    fs.symlink("../../e/full", "/d/sub/far")


PATHS = [
    *("/", "/d", "/e", "/d/sub", "/e/full", "/e/full/inner", "/d/f", "/d/g", "/d/nothing"),
    *("/d/link", "/d/dirlink", "/d/sub/far"),
]
"""One path of each node."""


class TestStat:
    def test_is_what_os_gives(self, fs: Any) -> None:
        fill(fs)
        for path in ("/", "/d/f", "/d/link"):
            for result in (fs.stat(path), fs.lstat(path)):
                assert type(result) is os.stat_result
                assert len(result) == 10
                assert result[stat.ST_MODE] == result.st_mode
                assert result[stat.ST_MTIME] == result.st_mtime_ns // 10**9
                assert result.st_mtime == pytest.approx(result.st_mtime_ns / 1e9)
                assert result.st_ctime == pytest.approx(result.st_ctime_ns / 1e9)
                assert result.st_atime == pytest.approx(result.st_atime_ns / 1e9)

    def test_kinds_and_usual_modes(self, fs: Any) -> None:
        fill(fs)
        assert fs.stat("/d/f").st_mode == stat.S_IFREG | 0o644
        assert fs.stat("/d").st_mode == stat.S_IFDIR | 0o755
        assert fs.stat("/").st_mode == stat.S_IFDIR | 0o755
        assert fs.lstat("/d/link").st_mode == stat.S_IFLNK | 0o777
        assert fs.stat("/d/link").st_mode == stat.S_IFREG | 0o644

    def test_owner_is_who_made_it(self, fs: Any) -> None:
        fill(fs)
        for path in ("/", "/d", "/d/f", "/d/link"):
            result = fs.lstat(path)
            assert (result.st_uid, result.st_gid) == (os.geteuid(), os.getegid())

    def test_numbers_name_nodes(self, fs: Any) -> None:
        fill(fs)
        numbers = {fs.lstat(path).st_ino for path in PATHS}
        assert len(numbers) == len(PATHS)
        assert 0 not in numbers
        assert {fs.lstat(path).st_dev for path in PATHS} == {fs.stat("/").st_dev}
        assert os.path.samestat(fs.stat("/d/g"), fs.stat("/e/hard"))
        assert not os.path.samestat(fs.stat("/d/g"), fs.stat("/d/f"))

    def test_instances_are_different_devices(self, memory: Any) -> None:
        from dmemfs import MemoryFileSystem

        other = MemoryFileSystem(max_quota=None)
        assert not os.path.samestat(memory.stat("/"), other.stat("/"))

    def test_number_stays_while_the_node_changes(self, fs: Any) -> None:
        fill(fs)
        number = fs.stat("/d/f").st_ino
        fs.write_bytes("/d/f", b"x" * 200_000)
        fs.truncate("/d/f", 3)
        fs.chmod("/d/f", 0o600)
        fs.rename("/d/f", "/e/new")
        assert fs.stat("/e/new").st_ino == number

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, 65535, 65536, 65537, 1_000_000])
    def test_size_and_blocks_of_a_file(self, fs: Any, size: int) -> None:
        fs.write_bytes("/f", b"x" * size)
        with fs.open("/f", "rb+") as file:
            file.read()
        result = fs.stat("/f")
        assert result.st_size == size
        assert result.st_blksize > 0
        # How far st_blocks is rounded up is the file system's own affair.
        assert size <= result.st_blocks * 512 or hasattr(fs, "root")
        assert (result.st_blocks == 0) == (size == 0) or hasattr(fs, "root")

    def test_hole_has_no_blocks(self, fs: Any) -> None:
        """See the difference "holes": none is smaller than 64 KiB here."""
        fs.write_bytes("/f", b"")
        fs.truncate("/f", 10 * 65536)
        assert (fs.stat("/f").st_size, fs.stat("/f").st_blocks) == (10 * 65536, 0)
        with fs.open("/f", "r+b") as file:
            file.seek(5 * 65536)
            file.write(b"x" * 65536)
            os.fsync(file.fileno()) if hasattr(fs, "root") else file.flush()
        assert fs.stat("/f").st_size == 10 * 65536
        assert 0 < fs.stat("/f").st_blocks <= 2 * 65536 // 512

    def test_unflushed_bytes_are_not_seen(self, fs: Any) -> None:
        with fs.open("/f", "wb") as file:
            file.write(b"12345")
            file.flush()
            assert fs.stat("/f").st_size == 5
        assert fs.stat("/f").st_size == 5

    def test_links_have_the_length_of_their_target(self, fs: Any) -> None:
        fill(fs)
        assert fs.lstat("/d/link").st_size == 1
        assert fs.lstat("/d/sub/far").st_size == len("../../e/full")


class TestChmod:
    @pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o777, 0o1777, 0o4755, 0o6755, 0o7777])
    @pytest.mark.parametrize("path", ["/d/f", "/d"])
    def test_sets_all_twelve_bits(self, fs: Any, path: str, mode: int) -> None:
        fill(fs)
        kind = stat.S_IFMT(fs.stat(path).st_mode)
        assert fs.chmod(path, mode) is None
        assert fs.stat(path).st_mode == kind | mode

    @pytest.mark.parametrize("mode", [0o100600, 0o40700, 0o20000, 2**31 - 1, -1])
    def test_other_bits_are_dropped(self, fs: Any, mode: int) -> None:
        fill(fs)
        fs.chmod("/d/f", mode)
        assert fs.stat("/d/f").st_mode == stat.S_IFREG | mode & 0o7777

    def test_set_group_id_of_a_directory_is_inherited(self, fs: Any) -> None:
        fill(fs)
        fs.chmod("/d", 0o2755)
        fs.mkdir("/d/new")
        fs.makedirs("/d/new/er/still")
        fs.write_bytes("/d/new/f", b"")
        modes = [fs.stat(f"/d/{path}").st_mode for path in ("new", "new/er/still", "new/f", "sub")]
        assert list(map(stat.S_IMODE, modes)) == [0o2755, 0o2755, 0o644, 0o755]

    def test_group_of_a_set_group_id_directory_is_inherited(self, memory: Any) -> None:
        fill(memory)
        memory.chown("/d", -1, 4321)
        memory.chmod("/d", 0o2755)
        memory.mkdir("/d/new")
        memory.write_bytes("/d/new/f", b"")
        memory.symlink("x", "/d/new/l")
        groups = [memory.lstat(f"/d/{path}").st_gid for path in ("new", "new/f", "new/l", "sub")]
        assert groups == [4321, 4321, 4321, os.getegid()]

    def test_follows_links(self, fs: Any) -> None:
        fill(fs)
        fs.chmod("/d/link", 0o600)
        assert stat.S_IMODE(fs.stat("/d/f").st_mode) == 0o600
        assert stat.S_IMODE(fs.lstat("/d/link").st_mode) == 0o777
        fs.symlink("nowhere", "/dangling")
        assert outcome(fs.chmod, "/dangling", 0o600)[:2] == ("FileNotFoundError", errno.ENOENT)

    def test_mode_of_a_new_file(self, fs: Any) -> None:
        fs.write_bytes("/f", b"")
        fs.chmod("/f", 0o600)
        fs.write_bytes("/f", b"written again")
        assert stat.S_IMODE(fs.stat("/f").st_mode) == 0o600

    def test_wrong_types(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        for mode in ("644", None, 1.5, 2**40, -(2**40)):
            real, memory = (outcome(fs.chmod, "/d/f", mode)[0] for fs in both)
            assert real == memory, mode
        assert stat.S_IMODE(both.memory.stat("/d/f").st_mode) == 0o644

    def test_permissions_are_not_enforced(self, memory: Any) -> None:
        """See the difference "permissions"."""
        fill(memory)
        for path in ("/d/f", "/d/sub", "/d", "/"):
            memory.chmod(path, 0)
        assert memory.read_bytes("/d/f") == b"content"
        memory.write_bytes("/d/f", b"new")
        memory.mkdir("/d/sub/new")
        assert memory.access("/d/f", os.R_OK | os.W_OK)


class TestChown:
    def test_keeping_the_owner(self, fs: Any) -> None:
        fill(fs)
        assert fs.chown("/d/f", -1, -1) is None
        fs.chown("/d/f", os.geteuid(), os.getegid())
        assert (fs.stat("/d/f").st_uid, fs.stat("/d/f").st_gid) == (os.geteuid(), os.getegid())

    def test_takes_away_set_user_id(self, fs: Any) -> None:
        fill(fs)
        for path in ("/d/f", "/d/sub"):
            fs.chmod(path, 0o6755)
            fs.chown(path, -1, -1)
        assert stat.S_IMODE(fs.stat("/d/f").st_mode) == 0o755
        assert stat.S_IMODE(fs.stat("/d/sub").st_mode) == 0o6755

    def test_changing_the_owner(self, memory: Any) -> None:
        fill(memory)
        memory.chown("/d/link", 1000, 1001)
        assert (memory.stat("/d/f").st_uid, memory.stat("/d/f").st_gid) == (1000, 1001)
        assert memory.lstat("/d/link").st_uid == os.geteuid()
        memory.chown("/d/link", 7, -1, follow_symlinks=False)
        assert (memory.lstat("/d/link").st_uid, memory.lstat("/d/link").st_gid) == (7, os.getegid())
        memory.chown("/d/f", -1, 5)
        assert (memory.stat("/d/f").st_uid, memory.stat("/d/f").st_gid) == (1000, 5)
        memory.chown("/d", 2**32 - 2, 0)
        assert memory.stat("/d").st_uid == 2**32 - 2

    def test_wrong_types(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        for owner in ("root", None, 1.5, 2**32, -2):
            real, memory = (outcome(fs.chown, "/d/f", owner, -1)[0] for fs in both)
            assert real == memory, owner
            real, memory = (outcome(fs.chown, "/d/f", -1, owner)[0] for fs in both)
            assert real == memory, owner


class TestUtime:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"times": (1, 2)},
            {"times": (1.5, 2.25)},
            {"times": (1_000_000_000.123456789, 0)},
            {"times": (-1.5, -1000)},
            {"ns": (1, 2)},
            {"ns": (1_700_000_000_123_456_789, 1_600_000_000_987_654_321)},
            {"ns": (-1, -1_500_000_000)},
            {"ns": (0, 0)},
            {"times": (0, 0)},
            {"times": (True, False)},
        ],
    )
    def test_sets_both_times(self, both: Both, arguments: dict[str, Any]) -> None:
        seen = []
        for fs in both:
            fill(fs)
            for path in ("/d/f", "/d/sub", "/d/sub/far"):
                assert fs.utime(path, **arguments) is None
            results = [fs.stat("/d/f"), fs.stat("/d/sub"), fs.stat("/e/full")]
            seen.append([(result.st_atime_ns, result.st_mtime_ns) for result in results])
        assert seen[0] == seen[1]
        assert seen[1][0] == seen[1][1] == seen[1][2]

    @pytest.mark.parametrize(
        "arguments",
        [
            {"times": (1, 2), "ns": (1, 2)},
            {"times": (1,)},
            {"times": (1, 2, 3)},
            {"times": [1, 2]},
            {"times": 5},
            {"times": ("1", "2")},
            {"times": (None, None)},
            {"times": (float("nan"), 0)},
            {"times": (float("inf"), 0)},
            {"times": (10**30, 0)},
            {"ns": (1.5, 2)},
            {"ns": (1,)},
            {"ns": [1, 2]},
            {"ns": 5},
            {"ns": ("1", "2")},
            {"ns": (10**30, 0)},
        ],
    )
    def test_refuses(self, both: Both, arguments: dict[str, Any]) -> None:
        results = []
        for fs in both:
            fill(fs)
            fs.utime("/d/f", (1, 2))
            results.append(outcome(fs.utime, "/d/f", **arguments)[0])
            assert (fs.stat("/d/f").st_atime, fs.stat("/d/f").st_mtime) == (1, 2)
        assert results[0] == results[1]
        assert results[1] != "ok"

    def test_none_is_now(self, fs: Any) -> None:
        fill(fs)
        for arguments in ({}, {"times": None}):
            fs.utime("/d/f", (1, 2))
            fs.utime("/d/f", **arguments)
            result = fs.stat("/d/f")
            assert result.st_atime_ns == result.st_mtime_ns
            assert abs(result.st_mtime - time.time()) < 60

    def test_of_the_link_itself(self, fs: Any) -> None:
        fill(fs)
        before = fs.stat("/d/f").st_mtime_ns
        fs.utime("/d/link", ns=(5, 6), follow_symlinks=False)
        result = fs.lstat("/d/link")
        assert (result.st_atime_ns, result.st_mtime_ns) == (5, 6)
        assert fs.stat("/d/f").st_mtime_ns == before


class TestAccess:
    MODES = (os.F_OK, os.R_OK, os.W_OK, os.X_OK, os.R_OK | os.W_OK, os.R_OK | os.X_OK, 7)

    @pytest.mark.parametrize("permissions", [0o600, 0o644, 0o700, 0o755, 0o777])
    def test_what_the_owner_may_do(self, both: Both, permissions: int) -> None:
        answers = []
        for fs in both:
            fill(fs)
            fs.chmod("/d/f", permissions)
            fs.chmod("/d/sub", permissions | 0o700)
            answers.append(
                [
                    fs.access(path, mode)
                    for path in ("/d/f", "/d/link", "/d/sub", "/", "/none", "/d/f/x", "")
                    for mode in self.MODES
                ]
            )
        assert answers[0] == answers[1]

    def test_executing_needs_a_permission_bit_even_for_root(self, memory: Any) -> None:
        memory.write_bytes("/f", b"")
        answers = []
        for permissions in (0o666, 0o001, 0o010, 0o100):
            memory.chmod("/f", permissions)
            answers.append(memory.access("/f", os.X_OK))
        assert answers == [False, True, True, True]

    def test_wrong_modes(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        for mode in (8, -1, 255, "r", None, 1.5):
            real, memory = (outcome(fs.access, "/d/f", mode)[:2] for fs in both)
            assert real == memory, mode


class TestStatvfs:
    def test_limits_of_names(self, fs: Any) -> None:
        result = fs.statvfs("/")
        assert type(result) is os.statvfs_result
        assert result.f_namemax == 255
        assert result.f_frsize > 0
        assert result.f_bavail <= result.f_blocks

    def test_free_space_is_what_the_quota_leaves(self) -> None:
        from dmemfs import MemoryFileSystem

        fs = MemoryFileSystem(max_quota=10 * 2**20, max_nodes=100)
        before = fs.statvfs("/")
        assert before.f_blocks * before.f_frsize == 10 * 2**20
        assert before.f_bfree == before.f_bavail == before.f_blocks
        assert (before.f_files, before.f_ffree) == (100, 99)
        fs.write_bytes("/f", b"x" * 2**20)
        after = fs.statvfs("/f")
        assert (before.f_bfree - after.f_bfree) * after.f_frsize == 2**20
        assert after.f_ffree == 98
        fs.unlink("/f")
        assert fs.statvfs("/") == before
