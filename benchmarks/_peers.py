"""The file systems that are compared, one small adapter class each.

An adapter gives a peer's own callables the names that the workloads use, so that the time of
adapter code is not measured. Every peer gets paths below a root of the same depth.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import io
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

MEMORY_ROOT = "/dev/shm/benchmark-00000000"
DMEMFS_PEER_VARIABLE = "DMEMFS_PEER"
DMEMFS_PEER_COMMAND = "python -m pip install --no-deps --target DIR D-MemFS==0.4.1"
QUOTA = 8 << 30


class NotOfferedError(Exception):
    """Raised when a workload asks a peer for an operation that it does not have."""


class Peer:
    """One file system under test.

    The operations are attributes that hold the peer's own bound callables: open(path, mode) for
    binary files, open_text(path, mode, encoding=...), stat, exists, listdir, walk, mkdir, rmdir,
    rename (of a directory), remove, copy_tree and remove_tree. One that is not set is not offered.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    #: Statement whose time is the import time; empty where there is nothing to import.
    import_statement: ClassVar[str] = ""
    #: Workload name -> divisor of its sizes, for peers that would take minutes.
    divisors: ClassVar[Mapping[str, int]] = {}
    #: Workloads that this peer cannot do in any reasonable time.
    skipped: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.root = MEMORY_ROOT

    def __getattr__(self, name: str) -> Any:
        raise NotOfferedError(f"{self.title} has no {name}")

    @classmethod
    def missing(cls) -> str | None:
        """Return why this peer cannot take part and how to get it; None when it can."""
        return None

    @classmethod
    def version(cls) -> str:
        """Return the version of the peer."""
        return ""

    @classmethod
    def import_path(cls) -> str | None:
        """Return the folder that must lead sys.path for `import_statement`, if any."""
        return None

    def make_directory(self, path: str) -> None:
        """Make a directory that a workload needs, untimed."""
        self.mkdir(path)

    def close(self) -> None:
        """Free what the peer holds."""

    @contextmanager
    def memory_counter(self) -> Iterator[Callable[[], int]]:
        """Give a function that returns the bytes of memory in use: those of Python objects."""
        tracemalloc.start()
        try:
            yield lambda: tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()


def kernel_version() -> str:
    """Return the name and the version number of the kernel, without what a builder appended."""
    return f"{platform.system()} {platform.release().partition('-')[0]}"


def shared_memory_directory() -> str | None:
    """Return the directory of the tmpfs that every Linux has; None where there is none."""
    path = "/dev/shm"
    return path if os.path.isdir(path) and os.access(path, os.W_OK) else None


class Tmpfs(Peer):
    """The builtin open() and os on a tmpfs directory, or a temporary one where there is none."""

    name = "tmpfs"
    title = "tmpfs"

    def __init__(self) -> None:
        directory = shared_memory_directory() or tempfile.gettempdir()
        self.root = f"{directory}/benchmark-{secrets.token_hex(4)}"
        os.mkdir(self.root)
        self.open = builtins.open
        self.open_text = builtins.open
        self.stat = os.stat
        self.exists = os.path.exists
        self.listdir = os.listdir
        self.walk = os.walk
        self.mkdir = os.mkdir
        self.rmdir = os.rmdir
        self.rename = os.rename
        self.remove = os.remove
        self.copy_tree = _copy_by_cp if shutil.which("cp") else shutil.copytree
        self.remove_tree = shutil.rmtree

    @classmethod
    def version(cls) -> str:
        """Return the release of the kernel, whose file system it is."""
        return kernel_version()

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)

    @contextmanager
    def memory_counter(self) -> Iterator[Callable[[], int]]:
        """Give a function that returns what the kernel uses for inodes, names and pages."""
        if not os.path.exists("/proc/meminfo"):
            raise NotOfferedError("no /proc/meminfo")
        yield kernel_memory


def _copy_by_cp(source: str, target: str) -> None:
    # Quicker than shutil.copytree, so it is what has to be beaten.
    subprocess.run(["cp", "-a", source, target], check=True, timeout=300)


def kernel_memory() -> int:
    """Return the bytes that the kernel holds in its own objects and in shared memory.

    The objects of all processes are counted. Without the right to read /proc/slabinfo it is
    pages instead of objects, which hides what fits into pages that are there already.
    """
    with open("/proc/meminfo", encoding="ascii") as lines:
        pages = {name: int(rest[0]) * 1024 for name, *rest in map(str.split, lines)}
    try:
        with open("/proc/slabinfo", encoding="ascii") as lines:
            slabs = [line.split() for line in lines][2:]
    except OSError:
        return pages["Shmem:"] + pages["Slab:"]
    return pages["Shmem:"] + sum(int(active) * int(size) for _, active, _, size, *_ in slabs)


class Dmemfs(Peer):
    """The MemoryFileSystem of this project, with its default quota."""

    name = "dmemfs"
    title = "dmemfs"
    import_statement = "import dmemfs"

    def __init__(self) -> None:
        super().__init__()
        from dmemfs import MemoryFileSystem

        fs = MemoryFileSystem()
        fs.makedirs(self.root)
        self.filesystem = fs
        self.open = fs.open
        self.open_text = fs.open
        self.stat = fs.stat
        self.exists = fs.exists
        self.listdir = fs.listdir
        self.walk = fs.walk
        self.mkdir = fs.mkdir
        self.rmdir = fs.rmdir
        self.rename = fs.rename
        self.remove = fs.remove
        self.copy_tree = fs.copy_tree
        self.remove_tree = fs.rmtree

    @classmethod
    def missing(cls) -> str | None:
        """Return why dmemfs cannot be imported."""
        try:
            from dmemfs import MemoryFileSystem  # noqa: F401
        except ImportError as error:
            return f"{error}; run this from the checkout, or install dmemfs-sqlite"
        return None

    @classmethod
    def version(cls) -> str:
        """Return the installed version, or that this is a checkout."""
        try:
            return metadata.version("dmemfs-sqlite")
        except metadata.PackageNotFoundError:
            return "checkout"

    @classmethod
    def import_path(cls) -> str | None:
        """Return the folder that holds the package."""
        spec = importlib.util.find_spec("dmemfs")
        if spec is None or spec.origin is None:
            return None
        return str(Path(spec.origin).parent.parent)


class DMemFS(Peer):
    """D-MemFS of PyPI, whose import name is `dmemfs` too: loaded under another name."""

    name = "D-MemFS"
    title = "D-MemFS"
    import_statement = "import dmemfs"
    divisors: ClassVar[Mapping[str, int]] = {"lines-binary": 500, "read-16": 10, "write-16": 10}

    def __init__(self) -> None:
        super().__init__()
        fs = _load_dmemfs_peer().MemoryFileSystem(max_quota=QUOTA)
        fs.mkdir(self.root)
        self.open = fs.open
        self.open_text = partial(_open_text_over, fs.open)
        self.stat = fs.stat
        self.exists = fs.exists
        self.listdir = fs.listdir
        self.walk = fs.walk
        self.mkdir = fs.mkdir
        # It has no rmdir; this is what removes a directory.
        self.rmdir = fs.rmtree
        self.rename = fs.rename
        self.remove = fs.remove
        self.copy_tree = fs.copy_tree
        self.remove_tree = fs.rmtree

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get it, unless a target folder with it is named."""
        folder = os.environ.get(DMEMFS_PEER_VARIABLE)
        if folder and (Path(folder) / "dmemfs" / "__init__.py").is_file():
            return None
        where = f"nothing in {DMEMFS_PEER_VARIABLE}" if folder else f"no {DMEMFS_PEER_VARIABLE}"
        return f"{where}; make a folder by `{DMEMFS_PEER_COMMAND}`, then --dmemfs-peer DIR"

    @classmethod
    def version(cls) -> str:
        """Return the version that the loaded package states."""
        return str(_load_dmemfs_peer().__version__)

    @classmethod
    def import_path(cls) -> str | None:
        """Return the target folder."""
        return os.environ[DMEMFS_PEER_VARIABLE]


def _load_dmemfs_peer() -> Any:
    name = "_dmemfs_peer"
    if name not in sys.modules:
        package = Path(os.environ[DMEMFS_PEER_VARIABLE]) / "dmemfs"
        spec = importlib.util.spec_from_file_location(
            name, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"no package in {package}")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def _open_text_over(open_: Callable[[str, str], Any], path: str, mode: str, encoding: str) -> Any:
    return io.TextIOWrapper(open_(path, mode + "b"), encoding=encoding)


class Fsspec(Peer):
    """The memory file system of fsspec, with a store of its own for each instance."""

    name = "fsspec"
    title = "fsspec memory"
    import_statement = "import fsspec.implementations.memory"
    divisors: ClassVar[Mapping[str, int]] = {
        "stat": 10,
        "stat-deep": 10,
        "stat-changed": 10,
        "exists-hit": 10,
        "exists-miss": 10,
        "mkdir-rmdir": 10,
        "rename-large": 20,
        "walk": 20,
        "copy-tree": 20,
    }

    def __init__(self) -> None:
        super().__init__()
        module: Any = importlib.import_module("fsspec.implementations.memory")
        fs = module.MemoryFileSystem(skip_instance_cache=True)
        fs.store = {}
        fs.pseudo_dirs = [""]
        fs.makedirs(self.root)
        self.open = fs.open
        self.open_text = fs.open
        self.stat = fs.info
        self.exists = fs.exists
        self.listdir = partial(fs.ls, detail=False)
        self.walk = fs.walk
        self.mkdir = fs.mkdir
        self.rmdir = fs.rmdir
        self.rename = partial(fs.mv, recursive=True)
        self.remove = fs.rm_file
        self.copy_tree = partial(fs.copy, recursive=True)
        self.remove_tree = partial(fs.rm, recursive=True)

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get fsspec."""
        return _not_importable("fsspec.implementations.memory", "pip install fsspec")

    @classmethod
    def version(cls) -> str:
        """Return the version of fsspec."""
        return metadata.version("fsspec")


class PyFilesystem(Peer):
    """MemoryFS of PyFilesystem2."""

    name = "PyFS"
    title = "PyFilesystem2 MemoryFS"
    import_statement = "import fs.memoryfs"
    divisors: ClassVar[Mapping[str, int]] = {"read-16": 10, "write-16": 10}

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # It reports that pkg_resources, which it imports, is deprecated.
            warnings.simplefilter("ignore")
            module: Any = importlib.import_module("fs.memoryfs")
        fs = module.MemoryFS()
        fs.makedirs(self.root)
        self.open = fs.openbin
        self.open_text = fs.open
        self.stat = partial(fs.getinfo, namespaces=("details",))
        self.exists = fs.exists
        self.listdir = fs.listdir
        self.walk = fs.walk
        self.mkdir = fs.makedir
        self.rmdir = fs.removedir
        self.rename = partial(fs.movedir, create=True)
        self.remove = fs.remove
        self.copy_tree = partial(fs.copydir, create=True)
        self.remove_tree = fs.removetree

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get PyFilesystem2."""
        return _not_importable("fs.memoryfs", 'pip install fs "setuptools<80"')

    @classmethod
    def version(cls) -> str:
        """Return the version of PyFilesystem2."""
        return metadata.version("fs")


class PyFakeFS(Peer):
    """pyfakefs: its stand-ins for open and os, called directly and without patching."""

    name = "pyfakefs"
    title = "pyfakefs"
    import_statement = "import pyfakefs.fake_filesystem, pyfakefs.fake_os, pyfakefs.fake_open"
    divisors: ClassVar[Mapping[str, int]] = {
        "create": 20,
        "overwrite": 20,
        "read": 20,
        "text-create": 20,
        "text-read": 20,
        "stat": 10,
        "stat-deep": 10,
        "stat-changed": 10,
        "exists-hit": 10,
        "exists-miss": 10,
        "mkdir-rmdir": 20,
        "listdir": 5,
        "rename-large": 5,
        "walk": 100,
        "create-large-tree": 100,
        "random-read": 20,
        "random-overwrite": 2000,
        "read-16": 20,
        "write-16": 20,
        "memory-empty": 10,
        "memory-100": 10,
        "threads-write": 20,
        "threads-read": 20,
    }
    skipped: ClassVar[frozenset[str]] = frozenset(
        {
            "write-64k",
            "write-1m",
            "write-64k-cold",
            "write-1m-cold",
            "read-1m",
            "read-once-chunks",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        filesystems: Any = importlib.import_module("pyfakefs.fake_filesystem")
        opens: Any = importlib.import_module("pyfakefs.fake_open")
        operating_systems: Any = importlib.import_module("pyfakefs.fake_os")
        filesystem = filesystems.FakeFilesystem(path_separator="/", total_size=QUOTA)
        fake_os = operating_systems.FakeOsModule(filesystem)
        fake_os.makedirs(self.root, exist_ok=True)
        self.open = self.open_text = opens.FakeFileOpen(filesystem)
        self.stat = fake_os.stat
        self.exists = fake_os.path.exists
        self.listdir = fake_os.listdir
        self.walk = fake_os.walk
        self.mkdir = fake_os.mkdir
        self.rmdir = fake_os.rmdir
        self.rename = fake_os.rename
        self.remove = fake_os.remove

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get pyfakefs."""
        return _not_importable("pyfakefs.fake_filesystem", "pip install pyfakefs")

    @classmethod
    def version(cls) -> str:
        """Return the version of pyfakefs."""
        return metadata.version("pyfakefs")


class _StoredFile(io.BytesIO):
    def close(self) -> None:
        """Stay open: the dictionary goes on holding the content."""


class Floor(Peer):
    """A dictionary of BytesIO objects: the least that Python code can do, without a tree."""

    name = "floor"
    title = "dict + BytesIO"

    def __init__(self) -> None:
        super().__init__()
        files: dict[str, _StoredFile] = {}

        def open_(path: str, mode: str) -> _StoredFile:
            if mode == "wb":
                files[path] = file = _StoredFile()
            else:
                file = files[path]
                file.seek(0)
            return file

        self.open = open_
        self.open_text = partial(_open_text_over, open_)
        self.remove = files.__delitem__

    def make_directory(self, path: str) -> None:
        """Do nothing: a dictionary has no directories."""

    @classmethod
    def version(cls) -> str:
        """Return the version of Python, whose types they are."""
        return sys.version.split()[0]


def _not_importable(module: str, hint: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    except ImportError as error:
        return f"{error}; {hint}"
    return None


PEERS: Mapping[str, type[Peer]] = {
    kind.name: kind for kind in (Tmpfs, Dmemfs, DMemFS, Fsspec, PyFilesystem, PyFakeFS, Floor)
}
