"""What the process may use: control groups of both versions, and the machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from dmemfs._nodes import memory_limit as memory_limit_module
from dmemfs._nodes.memory_limit import (
    FALLBACK,
    Mount,
    Reader,
    available_memory,
    cgroup_memory,
    group_directories,
    memory_limit,
    parse_cgroup_mounts,
    parse_cgroup_paths,
    parse_fields,
    parse_limit,
    parse_meminfo,
)

MiB = 1 << 20

# A service of systemd: the unit has a limit, its slice has a smaller one, the root has no file.
SYSTEMD_V2 = {
    "/proc/self/cgroup": "0::/work.slice/batch.service\n",
    "/proc/self/mountinfo": (
        "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
        "29 23 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    ),
    "/sys/fs/cgroup/work.slice/batch.service/memory.max": f"{512 * MiB}\n",
    "/sys/fs/cgroup/work.slice/batch.service/memory.current": f"{100 * MiB}\n",
    "/sys/fs/cgroup/work.slice/batch.service/memory.stat": (
        f"anon {70 * MiB}\nfile {30 * MiB}\nshmem 0\n"
        f"inactive_file {20 * MiB}\nactive_file {10 * MiB}\n"
    ),
    "/sys/fs/cgroup/work.slice/memory.max": f"{256 * MiB}\n",
    "/sys/fs/cgroup/work.slice/memory.current": f"{200 * MiB}\n",
    "/sys/fs/cgroup/work.slice/memory.stat": "inactive_file 0\nactive_file 0\n",
}

# A container in a namespace of its own: all it sees is its group, as the root.
CONTAINER_V2 = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": (
        "1431 1430 0:28 / /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw,nsdelegate\n"
    ),
    "/sys/fs/cgroup/memory.max": f"{64 * MiB}\n",
    "/sys/fs/cgroup/memory.current": f"{10 * MiB}\n",
    "/sys/fs/cgroup/memory.stat": "inactive_file 0\nactive_file 0\n",
}

# A container without a namespace: the path counts from a root that is not mounted here.
CONTAINER_V1 = {
    "/proc/self/cgroup": (
        "11:cpu,cpuacct:/docker/0a1b\n5:memory:/docker/0a1b\n1:name=systemd:/docker/0a1b\n"
    ),
    "/proc/self/mountinfo": (
        "720 719 0:30 /docker/0a1b /sys/fs/cgroup/cpu ro master:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "724 719 0:33 /docker/0a1b /sys/fs/cgroup/memory ro master:12 - cgroup cgroup rw,memory\n"
    ),
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{300 * MiB}\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": f"{250 * MiB}\n",
    "/sys/fs/cgroup/memory/memory.stat": (
        f"cache {200 * MiB}\ninactive_file 1\nactive_file 1\n"
        f"total_inactive_file {150 * MiB}\ntotal_active_file {40 * MiB}\n"
    ),
}

# Version 1 with memory at "no limit", and version 2 beside it without a memory controller.
HYBRID_UNLIMITED = {
    "/proc/self/cgroup": "4:memory:/user\n0::/user.slice\n",
    "/proc/self/mountinfo": (
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    ),
    "/sys/fs/cgroup/memory/user/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/user/memory.usage_in_bytes": f"{5 * MiB}\n",
    "/sys/fs/cgroup/memory/user/memory.stat": "total_inactive_file 0\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}


def reader_of(files: Mapping[str, str]) -> Reader:
    def read(path: str) -> str:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return read


# --- control groups -------------------------------------------------------------------------------


def test_each_group_around_the_process_limits_it() -> None:
    assert cgroup_memory(reader_of(SYSTEMD_V2)) == [
        (512 * MiB, 70 * MiB),
        (256 * MiB, 200 * MiB),
    ]


def test_a_container_in_a_namespace_sees_its_own_limit() -> None:
    assert cgroup_memory(reader_of(CONTAINER_V2)) == [(64 * MiB, 10 * MiB)]


def test_version_1_counts_the_cache_of_the_groups_below() -> None:
    assert cgroup_memory(reader_of(CONTAINER_V1)) == [(300 * MiB, 60 * MiB)]


def test_no_limit_is_left_out() -> None:
    assert cgroup_memory(reader_of(HYBRID_UNLIMITED)) == []
    unlimited = SYSTEMD_V2 | {"/sys/fs/cgroup/work.slice/memory.max": "max\n"}
    assert cgroup_memory(reader_of(unlimited)) == [(512 * MiB, 70 * MiB)]


def test_cache_that_moved_between_two_reads_does_not_make_the_use_negative() -> None:
    files = CONTAINER_V2 | {"/sys/fs/cgroup/memory.stat": f"inactive_file {11 * MiB}\n"}
    assert cgroup_memory(reader_of(files)) == [(64 * MiB, 0)]


@pytest.mark.parametrize("missing", ["memory.current", "memory.stat"])
def test_a_limit_counts_even_where_the_use_is_not_told(missing: str) -> None:
    files = {path: text for path, text in CONTAINER_V2.items() if not path.endswith(missing)}
    assert cgroup_memory(reader_of(files)) == [(64 * MiB, None)]


@pytest.mark.parametrize("path", ["/proc/self/cgroup", "/proc/self/mountinfo"])
@pytest.mark.parametrize("text", [None, "nonsense", "1 2 3 - cgroup2\n", "\n\n"])
def test_what_cannot_be_understood_sets_no_limit(path: str, text: str | None) -> None:
    files = {name: content for name, content in SYSTEMD_V2.items() if name != path}
    if text is not None:
        files[path] = text
    assert cgroup_memory(reader_of(files)) == []


@pytest.mark.parametrize("text", ["", "much", "12 34"])
def test_a_limit_that_is_no_number_is_left_out(text: str) -> None:
    files = CONTAINER_V2 | {"/sys/fs/cgroup/memory.max": text}
    assert cgroup_memory(reader_of(files)) == []


@pytest.mark.parametrize(
    ("path", "root", "point", "expected"),
    [
        ("/", "/", "/cg", ["/cg"]),
        ("/a/b", "/", "/cg", ["/cg/a/b", "/cg/a", "/cg"]),
        ("/a/b", "/", "/", ["/a/b", "/a", ""]),
        ("/docker/x", "/docker/x", "/cg", ["/cg"]),
        ("/docker/x/y", "/docker/x", "/cg", ["/cg/y", "/cg"]),
        ("/docker/xy", "/docker/x", "/cg", ["/cg"]),
        ("/", "/docker/x", "/cg", ["/cg"]),
        ("/../other", "/", "/cg", ["/cg"]),
        ("/a b", "/", "/c g", ["/c g/a b", "/c g"]),
    ],
)
def test_where_a_group_and_those_around_it_are(
    path: str, root: str, point: str, expected: list[str]
) -> None:
    mount = Mount(root, point, "cgroup2", frozenset())
    assert group_directories(path, mount) == expected


def test_paths_of_groups() -> None:
    text = "12:cpu,cpuacct:/a\n4:memory:/with:colon\n1:name=systemd:/s\n0::/b\n"
    assert parse_cgroup_paths(text) == {
        "cpu": "/a",
        "cpuacct": "/a",
        "memory": "/with:colon",
        "name=systemd": "/s",
        "": "/b",
    }


def test_mounts_of_groups() -> None:
    text = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "31 22 0:27 /in\\040side /mnt/a\\134b\\011c rw shared:1 master:2 - cgroup none rw,memory\n"
    )
    assert parse_cgroup_mounts(text) == [
        Mount("/", "/sys/fs/cgroup", "cgroup2", frozenset({"rw"})),
        Mount("/in side", "/mnt/a\\b\tc", "cgroup", frozenset({"rw", "memory"})),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max\n", None), ("0\n", 0), ("4096\n", 4096), ("9223372036854771712\n", None)],
)
def test_limits(text: str, expected: int | None) -> None:
    assert parse_limit(text) == expected


def test_fields() -> None:
    assert parse_fields("MemFree:  2 kB\nHugePages_Total: 3\nanon 5\n") == {
        "MemFree": 2048,
        "HugePages_Total": 3,
        "anon": 5,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 60 kB\n", 60 * 1024),
        ("MemFree: 10 kB\nCached: 30 kB\nShmem: 5 kB\n", 35 * 1024),
        ("MemFree: 10 kB\nCached: 3 kB\nShmem: 5 kB\n", 10 * 1024),
        ("MemFree: 10 kB\n", 10 * 1024),
        ("MemTotal: 100 kB\n", None),
    ],
)
def test_available_memory_of_the_machine(text: str, expected: int | None) -> None:
    assert parse_meminfo(text) == expected


# --- both together --------------------------------------------------------------------------------

on_posix = pytest.mark.skipif(
    sys.platform == "win32", reason="control groups and sysconf are not asked on Windows"
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Stand in for a machine of 400 MiB, 390 of them available, without control groups."""
    monkeypatch.setattr(memory_limit_module, "_read", reader_of({}))
    monkeypatch.setattr(memory_limit_module, "_physical_memory", lambda: 400 * MiB)
    monkeypatch.setattr(memory_limit_module, "_available_in_machine", lambda: 390 * MiB)
    return monkeypatch


def test_without_groups_the_machine_is_the_limit(machine: pytest.MonkeyPatch) -> None:
    assert memory_limit() == 400 * MiB
    assert available_memory() == 390 * MiB


@on_posix
@pytest.mark.parametrize(
    ("files", "limit", "available"),
    [
        (SYSTEMD_V2, 256 * MiB, 56 * MiB),
        (CONTAINER_V2, 64 * MiB, 54 * MiB),
        (CONTAINER_V1, 300 * MiB, 240 * MiB),
        (HYBRID_UNLIMITED, 400 * MiB, 390 * MiB),
    ],
    ids=["systemd, version 2", "container, version 2", "container, version 1", "no limit"],
)
def test_the_smallest_bound_counts(
    machine: pytest.MonkeyPatch, files: dict[str, str], limit: int, available: int
) -> None:
    machine.setattr(memory_limit_module, "_read", reader_of(files))
    assert memory_limit() == limit
    assert available_memory() == available


@on_posix
def test_a_group_larger_than_the_machine_does_not_count(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(memory_limit_module, "_read", reader_of(SYSTEMD_V2))
    machine.setattr(memory_limit_module, "_physical_memory", lambda: 100 * MiB)
    machine.setattr(memory_limit_module, "_available_in_machine", lambda: 7 * MiB)
    assert memory_limit() == 100 * MiB
    assert available_memory() == 7 * MiB


@on_posix
def test_a_full_group_leaves_nothing(machine: pytest.MonkeyPatch) -> None:
    files = CONTAINER_V2 | {"/sys/fs/cgroup/memory.current": f"{65 * MiB}\n"}
    machine.setattr(memory_limit_module, "_read", reader_of(files))
    assert available_memory() == 0


def test_a_system_that_tells_nothing_gets_the_fallback(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(memory_limit_module, "_physical_memory", lambda: None)
    machine.setattr(memory_limit_module, "_available_in_machine", lambda: None)
    assert memory_limit() == FALLBACK
    assert available_memory() == FALLBACK


@on_posix
@pytest.mark.parametrize("answer", [-1, 0, ValueError(), OSError()])
def test_a_system_call_that_fails_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, answer: int | Exception
) -> None:
    def sysconf(name: str) -> int:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(memory_limit_module, "_read", reader_of({}))
    monkeypatch.setattr("os.sysconf", sysconf)
    assert memory_limit() == FALLBACK


def test_this_machine_answers_sensibly() -> None:
    physical = memory_limit_module._physical_memory()
    assert physical is not None
    assert 0 < memory_limit() <= physical
    assert 0 <= available_memory() <= physical
