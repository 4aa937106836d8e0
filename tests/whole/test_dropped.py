"""A file system that is dropped is freed at once: nothing waits for the collector of garbage."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import dmemfs
import dmemfs_sqlite
from dmemfs import MemoryFileSystem

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="only CPython counts references"
)


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def nothing(fs: MemoryFileSystem) -> None:
    pass


def files(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "r+b") as file:
        file.write(b"1")
        file.readline()
    with fs.open("/file", "w") as text:
        text.write("2")
    fs.open("/file", "rb", buffering=0).close()


def dropped_files(fs: MemoryFileSystem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fs.open("/file", "w").write("unflushed")
        fs.open("/file", "rb", buffering=0)


def errors(fs: MemoryFileSystem) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: fs.open("/missing"),
        lambda: fs.remove("/tree"),
        lambda: fs.write_bytes("/file", bytes(1 << 25)),
        lambda: fs.rename("/tree", "/tree/below/it"),
    )
    for call in calls:
        with pytest.raises(OSError, match="Errno"):
            call()


def trees(fs: MemoryFileSystem) -> None:
    list(fs.walk("/"))
    list(fs.scandir("/"))
    fs.glob("/**/*")
    fs.copy_tree("/tree", "/copy")
    fs.rename("/copy", "/moved")
    fs.rmtree("/moved")
    fs.symlink("/tree", "/link")
    fs.rmdir("/tree/below/it")


def quotas(fs: MemoryFileSystem) -> None:
    fs.set_quota("/tree", max_bytes=200_000)
    fs.write_bytes("/tree/file", bytes(100))
    fs.usage("/tree")
    fs.set_quota("/tree", None)


def advisory_locks(fs: MemoryFileSystem) -> None:
    with fs.lock("/file"), fs.open("/tree/file", "wb", lock="exclusive"):
        pass
    fs.lock("/file")


def snapshots(fs: MemoryFileSystem) -> None:
    with fs.snapshot() as first, fs.snapshot() as second:
        fs.write_bytes("/file", b"changed")
        fs.remove("/tree/file")
        first.read_bytes("/file")
        list(second.walk("/"))
        first.diff(second)
        fs.restore(first)


def dropped_snapshots(fs: MemoryFileSystem) -> None:
    first = fs.snapshot()
    fs.write_bytes("/file", b"changed")
    second = fs.snapshot()
    fs.rmtree("/tree")
    first.read_bytes("/file")
    list(second.walk("/"))


def rollbacks(fs: MemoryFileSystem) -> None:
    with contextlib.suppress(KeyError), fs.rollback():
        fs.write_bytes("/file", b"changed")
        raise KeyError


def clones(fs: MemoryFileSystem) -> None:
    fs.clone().write_bytes("/file", b"changed")


def transfers(fs: MemoryFileSystem) -> None:
    stream = io.BytesIO()
    fs.pack(stream)
    stream.seek(0)
    MemoryFileSystem.unpack(stream)
    MemoryFileSystem.from_tree(fs.to_tree())
    fs.import_tree(fs.export_tree("/tree"))
    archive = io.BytesIO()
    fs.export_archive(archive, format="zip")
    archive.seek(0)
    fs.import_archive(archive, "/archive")


KEPT: list[object] = []


def faults(fs: MemoryFileSystem) -> None:
    KEPT.append(fs.fail("write", "/else*"))
    with fs.fail("open"), pytest.raises(OSError, match="Errno"):
        fs.open("/file")


def real_trees(fs: MemoryFileSystem) -> None:
    here = Path(__file__).parent
    fs.add_real(here, "/looked_into")
    fs.add_real(here, "/not_looked_into")
    fs.add_real(here, "/writable", writable=True)
    fs.read_bytes(f"/looked_into/{Path(__file__).name}")
    fs.listdir("/writable")
    fs.clone().listdir("/looked_into")
    with fs.snapshot() as kept:
        kept.listdir("/looked_into")


def threads(fs: MemoryFileSystem) -> None:
    thread = threading.Thread(target=files, args=(fs,))
    thread.start()
    thread.join()


def mounts(fs: MemoryFileSystem) -> None:
    with fs.mount("/dmemfs_dropped") as mounted:
        Path(mounted, "file").read_bytes()
        os.listdir(mounted)
        descriptor = os.open(Path(mounted, "tree"), os.O_RDONLY)
        os.close(os.open("file", os.O_CREAT | os.O_RDWR, dir_fd=descriptor))
        os.close(descriptor)
        former = os.getcwd()
        os.chdir(Path(mounted, "tree"))
        os.chdir(former)
        with dmemfs.materialize(mounted) as real:
            os.listdir(real)


def databases(fs: MemoryFileSystem) -> None:
    with closing(dmemfs_sqlite.connect(fs, "/live.db")) as live:
        live.execute("CREATE TABLE t(x)")
        live.commit()
        dmemfs_sqlite.copy_db(fs, "/live.db", "/copy.db")
    with dmemfs_sqlite.DatabaseTemplate(fs, lambda connection: None) as template:
        template.connect().close()
    with dmemfs_sqlite.SharedDatabase(fs, "/shared.db") as shared, closing(shared.connect()) as one:
        one.execute("CREATE TABLE t(x)")


USES: dict[str, Callable[[MemoryFileSystem], None]] = {
    use.__name__: use
    for use in (
        *(nothing, files, dropped_files, errors, trees, quotas, advisory_locks, snapshots),
        *(dropped_snapshots, rollbacks, clones, transfers, faults, real_trees, threads),
        *(mounts, databases),
    )
}


def prepared() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=1 << 24)
    fs.makedirs("/tree/below/it")
    fs.write_bytes("/file", b"content")
    fs.write_bytes("/tree/file", bytes(100_000))
    return fs


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=ON_LINUX if name == "mounts" else ()) for name in USES]
)
def test_it_is_freed_with_all_that_is_in_it(name: str) -> None:
    USES[name](prepared())  # what is made once, such as modules
    gc.collect()
    fs = prepared()
    parts: list[Callable[[], object]] = [weakref.ref(fs)]
    parts += (weakref.ref(fs._find(path)) for path in ("/file", "/tree/file"))
    USES[name](fs)
    del fs
    assert [part() for part in parts] == [None] * 3
    assert gc.collect() == 0


def test_a_file_keeps_it(recwarn: pytest.WarningsRecorder) -> None:
    file = prepared().open("/file", "rb")
    assert file.read() == b"content"
    reference = weakref.ref(file._fs)  # type: ignore[attr-defined]
    assert reference().read_bytes("/tree/file") == bytes(100_000)  # type: ignore[union-attr]
    file.close()
    assert reference() is None


def test_a_fault_does_not_keep_it() -> None:
    fault = prepared().fail("open")
    assert gc.collect() == 0
    fault.close()
    assert fault.closed


def test_a_deep_tree_is_freed() -> None:
    fs = MemoryFileSystem(max_quota=None, max_nodes=None)
    path = ""
    for _ in range(1500):
        path += "/d"
        fs.mkdir(path)
    fs.write_bytes("/file", b"")
    file = weakref.ref(fs._find("/file"))
    del fs
    assert file() is None
    assert gc.collect() == 0
