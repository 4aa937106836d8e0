"""What has to work wherever Python runs: README.md's first examples, large files, archives,
snapshots and the courier. It needs the two packages and README.md, and says what it did.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import re
from pathlib import Path, PureWindowsPath
from typing import Any

README = Path(__file__).resolve().parents[2] / "README.md"


def is_there(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def run_readme(count: int) -> str:
    """Run the first examples of README.md; return what they print."""
    text = README.read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for example in examples[:count]:
            exec(example, namespace)
    status = namespace["fs"].stat("/reports/latest/sales.csv")
    assert (status.st_size, status.st_nlink) == (21, 1)
    namespace["fs"]._check()
    return printed.getvalue()


def use_large_files() -> None:
    """Use memory in blocks, with holes, up to the quota, and give it back."""
    from dmemfs import MemoryFileSystem, QuotaExceededError

    fs = MemoryFileSystem(max_quota=20 << 20)
    for _ in range(3):
        with fs.open("/large", "wb") as file:
            file.write(bytes(range(256)) * (64 << 10))
            file.seek(32 << 20)
            file.write(b"behind a hole")
        with fs.open("/large", "rb") as file:
            assert file.read(256) == bytes(range(256))
        try:
            fs.write_bytes("/more", bytes(8 << 20))
        except QuotaExceededError:
            pass
        else:
            raise AssertionError("the quota does not hold")
        fs.remove("/large")
        gc.collect()  # not every Python frees what nobody refers to at once
    fs._check()


def use_archives() -> None:
    """Write and read archives, compressed by what this Python was built with."""
    from dmemfs import MemoryFileSystem

    fs = MemoryFileSystem()
    fs.makedirs("/a/b")
    fs.write_bytes("/a/b/c", b"content" * 1000)
    fs.link("/a/b/c", "/a/d")
    formats: dict[Any, str | None] = {
        "tar": None,
        "gztar": "zlib",
        "bztar": "bz2",
        "xztar": "lzma",
        "zip": "zlib",
    }
    for name, module in formats.items():
        if module is None or is_there(module):
            archive = io.BytesIO()
            fs.export_archive(archive, "/a", format=name)
            archive.seek(0)
            fs.import_archive(archive, f"/{name}")
            assert fs.read_bytes(f"/{name}/d") == b"content" * 1000
    packed = io.BytesIO()
    fs.pack(packed)
    packed.seek(0)
    assert MemoryFileSystem.unpack(packed).read_bytes("/a/d") == b"content" * 1000


def use_snapshots() -> None:
    """Go back to a snapshot."""
    from dmemfs import MemoryFileSystem

    fs = MemoryFileSystem()
    fs.write_text("/notes", "before")
    with fs.snapshot() as before:
        fs.write_text("/notes", "after")
        fs.restore(before)
    assert fs.read_text("/notes") == "before"
    fs._check()


def use_the_courier() -> None:
    """Save and load a database, and hear what live databases say where they cannot be."""
    import sqlite3

    from dmemfs import MemoryFileSystem
    from dmemfs_sqlite import LiveDatabaseUnavailable, connect, load_db, save_db

    assert run_readme(2).splitlines()[-1] == "[('apples', 12)]"
    fs = MemoryFileSystem()
    conn = sqlite3.connect(":memory:")
    conn.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    save_db(fs, "/t.db", conn)
    conn.close()
    conn = load_db(fs, "/t.db", ":memory:")
    assert conn.execute("SELECT * FROM t").fetchall() == [(1,)]
    conn.close()
    try:
        live = connect(fs, "/live.db")
    except LiveDatabaseUnavailable as error:
        print("no live databases:", error)
    else:
        live.execute("CREATE TABLE orders (item TEXT)")
        live.close()


def meet_windows_paths() -> None:
    """Say what is wrong with a path object whose text has backslashes."""
    from dmemfs import MemoryFileSystem

    fs = MemoryFileSystem()
    message = ""
    try:
        fs.write_bytes(PureWindowsPath("/a/b"), b"")
    except ValueError as error:
        message = str(error)
    assert "as_posix" in message


def main() -> None:
    """Do all of it; without sqlite3, all but the courier."""
    assert "/reports/latest/sales.csv" in run_readme(1)
    use_large_files()
    use_archives()
    use_snapshots()
    meet_windows_paths()
    print("core works")
    if is_there("sqlite3"):
        use_the_courier()
        print("courier works")
    else:
        print("there is no sqlite3")


if __name__ == "__main__":
    main()
