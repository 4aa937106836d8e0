"""How much memory this process may use, and how much of it is left.

The smallest of these counts: the physical memory of the machine, and on Linux the limit of the
process's control group (version 1 or 2) and of each group around it, which is what a container
sets. Not counted: swap, `ulimit`, the job objects of Windows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .. import _platform

# What both functions answer (bytes) where the system does not tell; 1 GiB, because a quota made
# from it should protect a small machine and still be of use on a large one.
FALLBACK = 1 << 30

# Reads a small text file of the kernel, by path; OSError where it does not exist.
Reader = Callable[[str], str]


def memory_limit() -> int:
    """Return how much memory this process may use at most, in bytes.

    Never fails: `FALLBACK` where the system does not tell.

    Complexity: O(mounted file systems + depth of the control group).
    """
    bounds = [] if sys.platform == "win32" else [limit for limit, _ in cgroup_memory(_read)]
    physical = _physical_memory()
    if physical is not None:
        bounds.append(physical)
    return min(bounds, default=FALLBACK)


def available_memory() -> int:
    """Return how much more memory this process could use now without swapping, in bytes.

    File cache that the kernel would give up counts as available. It is an estimate: other processes
    draw on the same memory. Never fails: `memory_limit()` where the system does not tell.

    Complexity: O(mounted file systems + depth of the control group).
    """
    bounds = []
    if sys.platform != "win32":
        bounds += [max(limit - used, 0) for limit, used in cgroup_memory(_read) if used is not None]
    available = _available_in_machine()
    if available is not None:
        bounds.append(available)
    return min(bounds) if bounds else memory_limit()


# --- control groups of Linux ----------------------------------------------------------------------


class Mount(NamedTuple):
    """A mounted hierarchy of control groups: `root` is the group that is seen at `point`."""

    root: str
    point: str
    kind: str
    options: frozenset[str]


class _Files(NamedTuple):
    """The names that a version of control groups gives to what both of them tell."""

    limit: str
    usage: str
    # In memory.stat, of the group and those below it. Shared memory and tmpfs are not in there.
    file_cache: tuple[str, ...]


_VERSION_1 = _Files(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
)
_VERSION_2 = _Files("memory.max", "memory.current", ("inactive_file", "active_file"))

# Version 1 says "no limit" by the largest multiple of the page size under 2**63.
_UNLIMITED = 1 << 62


def cgroup_memory(read: Reader) -> list[tuple[int, int | None]]:
    """Return the limits that the control groups of this process set, the innermost first.

    Args:
        read: Returns the text of the file of that path, or raises OSError.

    Returns:
        Of each group with a limit, the limit and what is used of it beyond file cache that can be
        given up, in bytes; None where the use is not told. Groups without a limit are left out.
    """
    try:
        groups = list(_memory_groups(read("/proc/self/cgroup"), read("/proc/self/mountinfo")))
    except (OSError, ValueError):
        return []
    found = []
    for directory, files in groups:
        try:
            limit = parse_limit(read(f"{directory}/{files.limit}"))
        except (OSError, ValueError):
            continue  # The topmost group of version 2 has no such file.
        if limit is not None:
            found.append((limit, _usage(read, directory, files)))
    return found


def _usage(read: Reader, directory: str, files: _Files) -> int | None:
    try:
        usage = int(read(f"{directory}/{files.usage}"))
        statistics = parse_fields(read(f"{directory}/memory.stat"))
    except (OSError, ValueError):
        return None
    return max(usage - sum(statistics.get(name, 0) for name in files.file_cache), 0)


def _memory_groups(cgroups: str, mountinfo: str) -> Iterator[tuple[str, _Files]]:
    """Yield the directory of the process's group, and of each one around it that can be seen."""
    paths = parse_cgroup_paths(cgroups)
    for mount in parse_cgroup_mounts(mountinfo):
        if mount.kind == "cgroup2" and "" in paths:
            path, files = paths[""], _VERSION_2
        elif mount.kind == "cgroup" and "memory" in mount.options and "memory" in paths:
            path, files = paths["memory"], _VERSION_1
        else:
            continue
        for directory in group_directories(path, mount):
            yield directory, files


def group_directories(path: str, mount: Mount) -> list[str]:
    """Return where a control group and those around it are mounted, the innermost first.

    Args:
        path: The group, as /proc/self/cgroup names it.
        mount: A mount of its hierarchy. A container often mounts its own group only; then `path`,
            which counts from the root of the hierarchy, begins with the root of the mount, or, in
            a namespace, leads out of what can be seen. The mount point is all there is then.
    """
    root = "" if mount.root == "/" else mount.root
    inside = path.startswith(f"{root}/") and ".." not in path.split("/")
    names = [name for name in path[len(root) :].split("/") if name] if inside else []
    point = mount.point.rstrip("/")
    return ["/".join([point, *names[:depth]]) for depth in range(len(names), -1, -1)]


def parse_cgroup_paths(text: str) -> dict[str, str]:
    """Return the path of each controller's group from /proc/self/cgroup; "" means version 2."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def parse_cgroup_mounts(text: str) -> list[Mount]:
    """Return those mounts in /proc/self/mountinfo that show control groups."""
    mounts = []
    for line in text.splitlines():
        # Between the two halves stand any number of optional fields, and then a lone hyphen.
        place, _, file_system = line.partition(" - ")
        if file_system.startswith("cgroup"):
            _, _, _, root, point, *_ = place.split(" ")
            kind, _, options = file_system.split(" ", 2)
            mounts.append(
                Mount(_unescape(root), _unescape(point), kind, frozenset(options.split(",")))
            )
    return mounts


def _unescape(path: str) -> str:
    """Undo what the kernel does to spaces and the like in mountinfo: a blank reads as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def parse_limit(text: str) -> int | None:
    """Return the limit in a control group's file, in bytes; None for no limit."""
    text = text.strip()
    if text == "max":
        return None
    limit = int(text)
    return limit if limit < _UNLIMITED else None


def parse_fields(text: str) -> dict[str, int]:
    """Return the numbers of a file of named values (memory.stat, /proc/meminfo), kB as bytes."""
    fields = {}
    for line in text.splitlines():
        name, number, *unit = line.split()
        fields[name.rstrip(":")] = int(number) * (1024 if unit == ["kB"] else 1)
    return fields


def parse_meminfo(text: str) -> int | None:
    """Return the available memory that /proc/meminfo tells, in bytes."""
    fields = parse_fields(text)
    if "MemAvailable" in fields:
        return fields["MemAvailable"]
    # Kernels before 3.14 leave the sum to the reader.
    free, cached, shared = (fields.get(name) for name in ("MemFree", "Cached", "Shmem"))
    if free is None or cached is None:
        return free
    return free + max(cached - (shared or 0), 0)


def _read(path: str) -> str:
    # A group may be called anything but NUL and slash, in any encoding.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


# --- the machine ----------------------------------------------------------------------------------

if sys.platform == "win32":
    import ctypes

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX."""

        _fields_ = [
            ("length", ctypes.c_uint32),
            ("load_percent", ctypes.c_uint32),
            ("total_physical", ctypes.c_uint64),
            ("available_physical", ctypes.c_uint64),
            ("total_page_file", ctypes.c_uint64),
            ("available_page_file", ctypes.c_uint64),
            ("total_virtual", ctypes.c_uint64),
            ("available_virtual", ctypes.c_uint64),
            ("available_extended_virtual", ctypes.c_uint64),
        ]

    def _memory_status() -> _MemoryStatus | None:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        try:
            answered = ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
        except (OSError, AttributeError):
            return None
        return status if answered else None

    def _physical_memory() -> int | None:
        status = _memory_status()
        return None if status is None else int(status.total_physical)

    def _available_in_machine() -> int | None:
        status = _memory_status()
        return None if status is None else int(status.available_physical)

else:

    def _system_pages(name: str) -> int | None:
        """Return a number of pages that sysconf tells, in bytes."""
        try:
            pages, page_size = _platform.sysconf(name), _platform.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None
        return pages * page_size if pages > 0 and page_size > 0 else None

    def _physical_memory() -> int | None:
        return _system_pages("SC_PHYS_PAGES")

    if sys.platform == "darwin":

        def _available_in_machine() -> int | None:
            """Return the free and the inactive memory, as `vm_stat` counts them."""
            try:
                import ctypes

                system = ctypes.CDLL(None)
                # HOST_VM_INFO64 fills a vm_statistics64, which begins with four 32-bit counts:
                # free, active, inactive, wired. The size goes in and out in 32-bit units.
                statistics = (ctypes.c_uint32 * 38)()
                size = ctypes.c_uint32(len(statistics))
                system.mach_host_self.restype = ctypes.c_uint32
                host = ctypes.c_uint32(system.mach_host_self())
                if system.host_statistics64(host, 4, statistics, ctypes.byref(size)) != 0:
                    return None
                free, _, inactive, _ = statistics[:4]
                return (free + inactive) * _platform.sysconf("SC_PAGE_SIZE")
            except (ImportError, OSError, AttributeError, ValueError):
                return None

    else:

        def _available_in_machine() -> int | None:
            try:
                available = parse_meminfo(_read("/proc/meminfo"))
            except (OSError, ValueError):
                available = None
            # A BSD has no such file, or one that says less.
            return _system_pages("SC_AVPHYS_PAGES") if available is None else available
