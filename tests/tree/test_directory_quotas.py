"""Quotas by directory: what is below one is limited, whatever way it gets there."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable

import pytest

from dmemfs import MemoryFileSystem, Quota, QuotaExceededError
from tests.support.comparison import outcome
from tests.support.snapshot_states import BLOCK, LARGE, state_of, used_bytes, used_nodes

LIMIT = 1000


@pytest.fixture
def limited(memory: MemoryFileSystem) -> MemoryFileSystem:
    """Return a file system with a directory /limited of 1000 bytes and 10 nodes at most."""
    memory.makedirs("/limited/sub")
    memory.mkdir("/free")
    memory.set_quota("/limited", LIMIT, max_nodes=10)
    return memory


def refuses(fs: MemoryFileSystem, act: Callable[[], object]) -> QuotaExceededError:
    """Check that an operation is refused and changes nothing; return the error."""
    before, counts = state_of(fs), (used_bytes(fs), used_nodes(fs), fs.quota("/limited"))
    with pytest.raises(QuotaExceededError) as caught:
        act()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.requested > caught.value.available >= 0
    assert state_of(fs) == before
    assert (used_bytes(fs), used_nodes(fs), fs.quota("/limited")) == counts
    fs._check()
    return caught.value


class TestAsking:
    """quota() tells which limit holds, and what is used of it."""

    def test_the_root_always_has_one(self) -> None:
        fs = MemoryFileSystem(max_quota=None)
        assert fs.quota("/") == Quota("/", None, 0, None, used_nodes(fs))
        fs = MemoryFileSystem(max_quota=100, max_nodes=5)
        fs.write_bytes("/file", bytes(30))
        found = fs.quota("/")
        assert found == ("/", 100, 30, 5, used_nodes(fs))
        assert found == fs.quota("/file") == fs.quota()
        assert (found.path, found.max_bytes, found.used_bytes) == ("/", 100, 30)
        assert (found.max_nodes, found.used_nodes) == (5, 2)

    def test_the_nearest_one_at_or_above(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/sub/file", bytes(30))
        expected = Quota("/limited", LIMIT, 30, 10, 2)
        for path in ("/limited", "/limited/", "/limited/sub", "/limited/sub/file"):
            assert limited.quota(path) == expected
        assert limited.quota("/free").path == "/"
        limited.set_quota("/limited/sub", 50)
        assert limited.quota("/limited/sub/file") == ("/limited/sub", 50, 30, None, 1)
        assert limited.quota("/limited") == expected

    def test_follows_a_directory_that_moves(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/sub/file", bytes(30))
        limited.rename("/limited", "/free/moved")
        assert limited.quota("/free/moved/sub") == ("/free/moved", LIMIT, 30, 10, 2)

    def test_bytes_paths(self, limited: MemoryFileSystem) -> None:
        assert limited.quota(b"/limited/sub").max_bytes == LIMIT

    @pytest.mark.parametrize("path", ["/missing", "/limited/missing", ""])
    def test_there_has_to_be_something(self, limited: MemoryFileSystem, path: str) -> None:
        assert outcome(limited.quota, path)[:3] == ("FileNotFoundError", errno.ENOENT, path)
        assert outcome(limited.set_quota, path, 5)[:3] == ("FileNotFoundError", 2, path)


class TestSetting:
    """set_quota() gives a directory a limit, another one, or none."""

    def test_only_directories_have_one(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/free/file", b"")
        assert outcome(limited.set_quota, "/free/file", 5)[:3] == (
            "NotADirectoryError",
            errno.ENOTDIR,
            "/free/file",
        )

    @pytest.mark.parametrize(("max_bytes", "max_nodes"), [(-1, None), (None, -1)])
    def test_limits_are_not_negative(
        self, limited: MemoryFileSystem, max_bytes: int | None, max_nodes: int | None
    ) -> None:
        with pytest.raises(ValueError):
            limited.set_quota("/free", max_bytes, max_nodes=max_nodes)
        assert limited.quota("/free").path == "/"

    def test_what_is_there_has_to_fit(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/sub/file", bytes(500))
        error = refuses(limited, lambda: limited.set_quota("/limited", 499))
        assert error.filename == "/limited"
        refuses(limited, lambda: limited.set_quota("/limited/sub", 499))
        refuses(limited, lambda: limited.set_quota("/limited", None, max_nodes=1))
        limited.set_quota("/limited", 500, max_nodes=2)
        assert limited.quota("/limited") == ("/limited", 500, 500, 2, 2)
        refuses(limited, lambda: limited.write_bytes("/limited/new", b"1"))

    def test_an_error_that_is_kept_keeps_no_file(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/free/file", bytes(50))
        kept = refuses(limited, lambda: limited.set_quota("/free", 10))
        limited.remove("/free/file")
        assert used_bytes(limited) == 0
        assert kept.limit == 10

    def test_one_can_be_taken_away(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/file", bytes(500))
        limited.set_quota("/limited", None)
        assert limited.quota("/limited").path == "/"
        limited.write_bytes("/limited/file", bytes(5000))
        limited.set_quota("/limited", 6000)
        assert limited.quota("/limited") == ("/limited", 6000, 5000, None, 2)
        limited._check()

    def test_none_to_take_away_is_no_error(self, limited: MemoryFileSystem) -> None:
        limited.set_quota("/free", None)
        assert limited.quota("/free").path == "/"

    def test_only_nodes_can_be_limited(self, limited: MemoryFileSystem) -> None:
        limited.set_quota("/free", None, max_nodes=1)
        limited.write_bytes("/free/file", bytes(LARGE))
        with pytest.raises(QuotaExceededError) as caught:
            limited.mkdir("/free/d")
        assert (caught.value.unit, caught.value.limit) == ("nodes", 1)

    def test_an_inner_one_taken_away_leaves_the_outer(self, limited: MemoryFileSystem) -> None:
        limited.set_quota("/limited/sub", 100)
        limited.write_bytes("/limited/sub/file", bytes(60))
        limited.set_quota("/limited/sub", None)
        limited._check()
        assert limited.quota("/limited/sub") == ("/limited", LIMIT, 60, 10, 2)
        limited.write_bytes("/limited/sub/file", bytes(LIMIT))
        refuses(limited, lambda: limited.write_bytes("/limited/sub/file", bytes(LIMIT + 1)))

    def test_of_the_root_is_that_of_the_file_system(self) -> None:
        fs = MemoryFileSystem(max_quota=100, max_nodes=3)
        fs.write_bytes("/file", bytes(80))
        with pytest.raises(QuotaExceededError):
            fs.set_quota("/", 79)
        fs.set_quota("/", 80)
        assert fs.quota("/") == ("/", 80, 80, None, 2)
        assert fs.stats()["quota_bytes"] == 80
        with pytest.raises(QuotaExceededError):
            fs.write_bytes("/file", bytes(81))
        fs.set_quota("/", None, max_nodes=2)
        fs.write_bytes("/file", bytes(LARGE))
        with pytest.raises(QuotaExceededError):
            fs.mkdir("/d")
        fs._check()

    def test_does_not_change_the_directory_for_others(self, limited: MemoryFileSystem) -> None:
        before = state_of(limited)
        limited.set_quota("/free", 10)
        assert {**state_of(limited), "/free": None} == {**before, "/free": None}


GROWTH: dict[str, Callable[[MemoryFileSystem], object]] = {
    "write_bytes": lambda fs: fs.write_bytes("/limited/new", bytes(LIMIT)),
    "write_bytes over a file": lambda fs: fs.write_bytes("/limited/file", bytes(LIMIT + 1)),
    "write": lambda fs: append(fs, "/limited/file"),
    "write by a link": lambda fs: fs.write_bytes("/by link", bytes(LIMIT + 1)),
    "write blocks": lambda fs: append(fs, "/limited/file", bytes(2 * LARGE)),
    "copy": lambda fs: fs.copy("/free/large", "/limited/new"),
    "copy into": lambda fs: fs.copy("/free/large", "/limited/sub"),
    "copy over a file": lambda fs: fs.copy("/free/large", "/limited/file"),
    "copy_tree": lambda fs: fs.copy_tree("/free", "/limited/new"),
    "rename": lambda fs: fs.rename("/free/large", "/limited/new"),
    "rename over a file": lambda fs: fs.rename("/free/large", "/limited/file"),
    "rename a directory": lambda fs: fs.rename("/free", "/limited/new"),
    "rename a directory over an empty one": lambda fs: fs.rename("/free", "/limited/sub"),
    "move": lambda fs: fs.move("/free", "/limited/n1/n2"),
    "import_tree": lambda fs: fs.import_tree(
        {"/limited/a/b": bytes(500), "/limited/c": bytes(401)}
    ),
    "many directories": lambda fs: fs.rename("/many", "/limited/many"),
    "copies of many directories": lambda fs: fs.copy_tree("/many", "/limited/many"),
}


def append(fs: MemoryFileSystem, path: str, data: bytes = bytes(LIMIT)) -> None:
    with fs.open(path, "ab", 0) as file:
        file.write(data)


@pytest.mark.parametrize("name", GROWTH)
def test_growth_beyond_it_is_refused_and_changes_nothing(
    limited: MemoryFileSystem, name: str
) -> None:
    limited.write_bytes("/limited/file", bytes(100))
    limited.write_bytes("/free/large", bytes(LIMIT + 1))
    limited.symlink("/limited/file", "/by link")
    limited.makedirs("/many/1/2/3/4/5/6/7/8/9")
    error = refuses(limited, lambda: GROWTH[name](limited))
    assert error.limit in (LIMIT, 10)
    assert error.filename is not None
    limited.set_quota("/limited", 100 * LARGE, max_nodes=100)
    GROWTH[name](limited)
    limited._check()


@pytest.mark.parametrize("make", ["mkdir", "write_bytes", "symlink", "open"])
def test_nodes_are_limited(limited: MemoryFileSystem, make: str) -> None:
    for number in range(9):
        limited.mkdir(f"/limited/{number}")
    calls: dict[str, Callable[[], object]] = {
        "mkdir": lambda: limited.mkdir("/limited/sub/new"),
        "write_bytes": lambda: limited.write_bytes("/limited/sub/new", b""),
        "symlink": lambda: limited.symlink("x", "/limited/sub/new"),
        "open": lambda: limited.open("/limited/sub/new", "w"),
    }
    assert refuses(limited, calls[make]).unit == "nodes"
    limited.rmdir("/limited/0")
    if make == "open":
        limited.open("/limited/sub/new", "w").close()
    else:
        calls[make]()


class TestNested:
    """All quotas at and above a directory hold."""

    def test_the_inner_one_counts_in_the_outer(self, limited: MemoryFileSystem) -> None:
        limited.set_quota("/limited/sub", 600)
        limited.write_bytes("/limited/sub/file", bytes(600))
        assert limited.quota("/limited").used_bytes == 600
        refuses(limited, lambda: limited.write_bytes("/limited/sub/new", b"1"))
        refuses(limited, lambda: limited.write_bytes("/limited/new", bytes(401)))
        limited.write_bytes("/limited/new", bytes(400))
        limited.remove("/limited/sub/file")
        limited.write_bytes("/limited/new", bytes(500))
        refuses(limited, lambda: limited.write_bytes("/limited/sub/new", bytes(501)))

    def test_moves_between_the_inner_and_the_outer_one(self, limited: MemoryFileSystem) -> None:
        """What stays within the outer one needs no room there."""
        limited.set_quota("/limited/sub", 600)
        limited.write_bytes("/limited/file", bytes(600))
        limited.write_bytes("/limited/rest", bytes(400))
        limited.rename("/limited/file", "/limited/sub/file")
        assert limited.quota("/limited/sub").used_bytes == 600
        refuses(limited, lambda: limited.rename("/limited/rest", "/limited/sub/rest"))
        limited.rename("/limited/sub/file", "/limited/file")
        assert limited.quota("/limited/sub").used_bytes == 0
        assert limited.quota("/limited").used_bytes == LIMIT
        limited._check()

    def test_the_file_system_itself_is_the_outermost(self) -> None:
        fs = MemoryFileSystem(max_quota=100)
        fs.mkdir("/d")
        fs.set_quota("/d", 1000)
        with pytest.raises(QuotaExceededError) as caught:
            fs.write_bytes("/d/file", bytes(101))
        assert caught.value.limit == 100
        fs.write_bytes("/d/file", bytes(100))
        fs._check()

    def test_many_levels(self, memory: MemoryFileSystem) -> None:
        path = ""
        for number in range(20):
            path += f"/{number}"
            memory.mkdir(path)
            memory.set_quota(path, 1000 - number)
        memory.write_bytes(f"{path}/file", bytes(981))
        with pytest.raises(QuotaExceededError):
            memory.write_bytes("/0/1/file", bytes(19))
        memory.write_bytes("/0/1/file", bytes(18))
        assert memory.quota("/0").used_bytes == 999
        memory._check()


class TestMoving:
    """A rename across a boundary is checked before it happens, and moves the counts."""

    def test_in_and_out(self, limited: MemoryFileSystem) -> None:
        limited.makedirs("/free/a/b")
        limited.write_bytes("/free/a/b/file", bytes(600))
        limited.rename("/free/a", "/limited/a")
        assert limited.quota("/limited") == ("/limited", LIMIT, 600, 10, 4)
        limited.rename("/limited/a/b", "/free/b")
        assert limited.quota("/limited") == ("/limited", LIMIT, 0, 10, 2)
        assert limited.read_bytes("/free/b/file") == bytes(600)
        limited._check()

    def test_within_needs_no_room(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/file", bytes(LIMIT))
        limited.rename("/limited/file", "/limited/sub/file")
        limited.rename("/limited/sub", "/limited/other")
        assert limited.quota("/limited").used_bytes == LIMIT
        limited._check()

    def test_over_a_file_needs_room_for_both(self, limited: MemoryFileSystem) -> None:
        """Nobody can know whether the one that is replaced is open, and so stays for a while."""
        limited.write_bytes("/limited/file", bytes(500))
        limited.write_bytes("/free/file", bytes(501))
        refuses(limited, lambda: limited.rename("/free/file", "/limited/file"))
        limited.write_bytes("/free/file", bytes(500))
        limited.rename("/free/file", "/limited/file")
        assert limited.quota("/limited") == ("/limited", LIMIT, 500, 10, 2)
        limited._check()

    def test_a_directory_with_a_quota_of_its_own(self, limited: MemoryFileSystem) -> None:
        limited.set_quota("/free", 2000)
        limited.write_bytes("/free/file", bytes(1001))
        refuses(limited, lambda: limited.rename("/free", "/limited/free"))
        limited.truncate("/free/file", 900)
        limited.rename("/free", "/limited/free")
        assert limited.quota("/limited/free") == ("/limited/free", 2000, 900, None, 1)
        assert limited.quota("/limited").used_bytes == 900
        refuses(limited, lambda: limited.write_bytes("/limited/free/file", bytes(1001)))

    def test_names_both_paths_or_the_new_one(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/free/file", bytes(LIMIT + 1))
        error = refuses(limited, lambda: limited.rename("/free/file", "/limited/file"))
        assert error.filename in ("/free/file", "/limited/file")

    def test_handles_that_are_open_count_where_the_file_went(
        self, limited: MemoryFileSystem
    ) -> None:
        with limited.open("/free/file", "wb", 0) as file:
            file.write(bytes(900))
            limited.rename("/free/file", "/limited/file")
            with pytest.raises(QuotaExceededError):
                file.write(bytes(101))
            limited.rename("/limited/file", "/free/file")
            file.write(bytes(LARGE))
        limited._check()


class TestHardLinks:
    """A file of several names counts once, where it held its first name."""

    def test_a_link_from_outside_costs_nothing_inside(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/free/file", bytes(5000))
        limited.link("/free/file", "/limited/link")
        assert limited.quota("/limited") == ("/limited", LIMIT, 0, 10, 1)
        limited.write_bytes("/limited/link", bytes(6000))
        assert limited.read_bytes("/free/file") == bytes(6000)
        limited._check()

    def test_it_counts_where_it_was_until_the_last_name_goes(
        self, limited: MemoryFileSystem
    ) -> None:
        limited.write_bytes("/limited/file", bytes(600))
        limited.link("/limited/file", "/free/link")
        limited.remove("/limited/file")
        assert limited.quota("/limited").used_bytes == 600
        refuses(limited, lambda: limited.write_bytes("/free/link", bytes(LIMIT + 1)))
        limited.remove("/free/link")
        assert limited.quota("/limited").used_bytes == 0
        limited._check()

    def test_moving_one_of_several_names_moves_no_count(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/file", bytes(600))
        limited.link("/limited/file", "/limited/link")
        limited.rename("/limited/file", "/free/file")
        limited.rename("/limited/link", "/free/link")
        assert limited.quota("/limited").used_bytes == 600
        limited.remove("/free/link")
        limited.rename("/free/file", "/free/alone")
        assert limited.quota("/limited").used_bytes == 600
        limited.remove("/free/alone")
        assert limited.quota("/limited").used_bytes == 0
        limited._check()

    @pytest.mark.parametrize("end", ["set_quota", "rmtree"])
    def test_a_quota_that_is_gone_limits_nothing(self, limited: MemoryFileSystem, end: str) -> None:
        limited.write_bytes("/limited/file", bytes(LIMIT))
        limited.link("/limited/file", "/free/file")
        if end == "rmtree":
            limited.rmtree("/limited")
        else:
            limited.set_quota("/limited", None)
        limited.write_bytes("/free/file", bytes(3 * LIMIT))
        limited.truncate("/free/file", 2 * LIMIT)
        assert used_bytes(limited) == 2 * LIMIT
        limited._check()


class TestFilesWithoutAName:
    """What was removed and is open counts where it was until it is closed."""

    def test_counts_until_closed(self, limited: MemoryFileSystem) -> None:
        with limited.open("/limited/file", "wb", 0) as file:
            file.write(bytes(600))
            limited.remove("/limited/file")
            assert limited.quota("/limited").used_bytes == 600
            refuses(limited, lambda: limited.write_bytes("/limited/new", bytes(401)))
            with pytest.raises(QuotaExceededError):
                file.write(bytes(401))
            file.write(bytes(100))
            limited._check()
            assert limited.quota("/limited").used_bytes == 700
        del file
        gc.collect()
        assert limited.quota("/limited").used_bytes == 0
        limited.write_bytes("/limited/new", bytes(LIMIT))
        limited._check()

    def test_of_a_removed_tree(self, limited: MemoryFileSystem) -> None:
        with limited.open("/limited/sub/file", "wb", 0) as file:
            file.write(bytes(600))
            limited.rmtree("/limited/sub")
            assert limited.quota("/limited").used_bytes == 600
            limited._check()
            limited.rmtree("/limited")
            limited._check()
            file.write(bytes(10))
        del file
        gc.collect()
        limited._check()
        assert used_bytes(limited) == 0


class TestWithSnapshots:
    """What only snapshots keep counts for the file system, not for a directory."""

    def test_rewriting_needs_no_room_in_the_directory(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/file", bytes(LIMIT))
        with limited.snapshot():
            limited.write_bytes("/limited/file", b"x" * LIMIT)
            assert limited.quota("/limited").used_bytes == LIMIT
            limited.remove("/limited/file")
            assert limited.quota("/limited") == ("/limited", LIMIT, 0, 10, 1)
            limited.write_bytes("/limited/other", bytes(LIMIT))
            limited._check()

    def test_quotas_and_counts_come_back(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/sub/file", bytes(400))
        before = limited.quota("/limited")
        snap = limited.snapshot()
        limited.set_quota("/free", 5)
        limited.set_quota("/limited", 5000)
        limited.set_quota("/limited/sub", 900)
        limited.write_bytes("/limited/sub/file", bytes(800))
        limited.rename("/limited/sub", "/sub")
        limited._check()
        changed = [limited.quota(path) for path in ("/free", "/limited", "/sub")]
        newer = limited.snapshot()
        limited.restore(snap)
        limited._check()
        assert limited.quota("/limited/sub") == before
        assert limited.quota("/free").path == "/"
        refuses(limited, lambda: limited.write_bytes("/limited/sub/file", bytes(LIMIT + 1)))
        limited.restore(newer)
        limited._check()
        assert [limited.quota(path) for path in ("/free", "/limited", "/sub")] == changed

    def test_a_removed_directory_comes_back_with_its_quota(self, limited: MemoryFileSystem) -> None:
        limited.write_bytes("/limited/file", bytes(400))
        before = limited.quota("/limited")
        with limited.snapshot() as snap:
            limited.rmtree("/limited")
            limited.mkdir("/limited")
            limited.write_bytes("/limited/file", bytes(5 * BLOCK))
            limited.restore(snap)
        assert limited.quota("/limited") == before
        limited._check()
