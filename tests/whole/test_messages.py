"""What is said to whoever wrote something else than was meant: what it is about, and what to write.

Each row is what was written, the error, and its whole text.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem, materialize, mount
from dmemfs._arguments import parse_size
from dmemfs._version import __version__

PROJECT = Path(__file__).resolve().parents[2]

BYTES = "must be a number of bytes, such as 64 << 20, or a size, such as '64 MiB'; not"
TREE = "a tree is a mapping, such as {'a.txt': 'text', 'dir': {}}, not a"
NO_DIRECTORY = "[Errno 2] No such file or directory; make the directory first, by os.makedirs()"
NO_FILE_SYSTEM = "fs must be a file system, with open(path, mode), and not '/a.db': write"

Row = tuple[Callable[[Any], object], type[Exception], str]


# Called wrongly on purpose, which type checkers would see.
FileSystem: Any = MemoryFileSystem
mounted: Any = mount
sqlite: Any = dmemfs_sqlite

ROWS: dict[str, Row] = {
    # --- sizes and limits
    "max_quota='much'": (
        lambda fs: FileSystem(max_quota="much"),
        ValueError,
        f"max_quota {BYTES} 'much'",
    ),
    "max_quota='-1'": (
        lambda fs: FileSystem(max_quota="-1"),
        ValueError,
        f"max_quota {BYTES} '-1'",
    ),
    "max_quota=1.5": (lambda fs: FileSystem(max_quota=1.5), TypeError, f"max_quota {BYTES} 1.5"),
    "max_quota=-1": (
        lambda fs: FileSystem(max_quota=-1),
        ValueError,
        "max_quota must be None (no limit) or at least 0 bytes",
    ),
    "min_free_memory=b'1'": (
        lambda fs: FileSystem(min_free_memory=b"1"),
        TypeError,
        f"min_free_memory {BYTES} b'1'",
    ),
    "min_free_memory=-1": (
        lambda fs: FileSystem(min_free_memory=-1),
        ValueError,
        "min_free_memory must be None (no guard) or at least 0 bytes",
    ),
    "max_nodes='1K'": (
        lambda fs: FileSystem(max_nodes="1K"),
        TypeError,
        "max_nodes must be a whole number or None, not '1K'",
    ),
    "max_nodes=0": (
        lambda fs: FileSystem(max_nodes=0),
        ValueError,
        "max_nodes must be None (no limit) or at least 1, for the root",
    ),
    "set_quota('/', 'x')": (
        lambda fs: fs.set_quota("/", "x"),
        ValueError,
        f"max_bytes {BYTES} 'x'",
    ),
    "set_quota('/', -1)": (
        lambda fs: fs.set_quota("/", -1),
        ValueError,
        "max_bytes must be None (no limit) or at least 0 bytes",
    ),
    "set_quota(max_nodes='x')": (
        lambda fs: fs.set_quota("/", None, max_nodes="x"),
        TypeError,
        "max_nodes must be a whole number or None, not 'x'",
    ),
    "export_as_bytesio(max_size='x')": (
        lambda fs: fs.export_as_bytesio("/file", max_size="x"),
        ValueError,
        f"max_size {BYTES} 'x'",
    ),
    "lock(timeout='1')": (
        lambda fs: fs.lock("/", timeout="1"),
        TypeError,
        "timeout must be a number of seconds, not '1'",
    ),
    # --- what has a name
    "MemoryFileSystem(1000)": (
        lambda fs: FileSystem(1000),
        TypeError,
        (
            "MemoryFileSystem() takes max_quota, max_nodes and min_free_memory by name: write "
            "max_quota=1000"
        ),
    ),
    "export_tree('/', 'd')": (
        lambda fs: fs.export_tree("/", "d"),
        TypeError,
        "MemoryFileSystem.export_tree() takes target and progress by name: write target='d'",
    ),
    "export_tree('/', 'd', target='e')": (
        lambda fs: fs.export_tree("/", "d", target="e"),
        TypeError,
        "MemoryFileSystem.export_tree() takes target and progress by name: write progress='d'",
    ),
    "set_quota('/', 1, 2)": (
        lambda fs: fs.set_quota("/", 1, 2),
        TypeError,
        "MemoryFileSystem.set_quota() takes max_nodes by name: write max_nodes=2",
    ),
    "pack('p', 'gzip')": (
        lambda fs: fs.pack("p", "gzip"),
        TypeError,
        "MemoryFileSystem.pack() takes compress and progress by name: write compress='gzip'",
    ),
    "unpack('p', 5)": (
        lambda fs: FileSystem.unpack("p", 5),
        TypeError,
        "MemoryFileSystem.unpack() takes progress by name: write progress=5",
    ),
    "export_archive('a', '/', 'zip')": (
        lambda fs: fs.export_archive("a", "/", "zip"),
        TypeError,
        "MemoryFileSystem.export_archive() takes format and progress by name: write format='zip'",
    ),
    "connect(fs, path, 'memory')": (
        lambda fs: sqlite.connect(fs, "/a.db", "memory"),
        TypeError,
        (
            "connect() takes journal, module, delete_on_close and pragmas by name: write "
            "journal='memory'"
        ),
    ),
    # --- contents and trees
    "from_tree([1])": (
        lambda fs: FileSystem.from_tree([1]),
        TypeError,
        f"{TREE} list",
    ),
    "from_tree('text')": (
        lambda fs: FileSystem.from_tree("text"),
        TypeError,
        f"{TREE} str",
    ),
    "from_tree({'a': 1})": (
        lambda fs: FileSystem.from_tree({"a": 1}),
        TypeError,
        (
            "'/a' is a int: a tree holds str or bytes for files, mappings for directories and "
            "dmemfs.Link for symbolic links"
        ),
    ),
    "from_tree({1: 'a'})": (
        lambda fs: FileSystem.from_tree({"d": {1: "a"}}),
        TypeError,
        "a name in '/d' is 1: it must be str or a path",
    ),
    "write_bytes('/a', 'text')": (
        lambda fs: fs.write_bytes("/a", "text"),
        TypeError,
        "'/a': a bytes-like object is required, not 'str'; for text there is write_text()",
    ),
    "write_bytes('/a', 1)": (
        lambda fs: fs.write_bytes("/a", 1),
        TypeError,
        "'/a': a bytes-like object is required, not 'int'",
    ),
    "write_text('/a', b'')": (
        lambda fs: fs.write_text("/a", b""),
        TypeError,
        "data must be str, not bytes; for bytes there is write_bytes()",
    ),
    "import_tree({'/a': 'text'})": (
        lambda fs: fs.import_tree({"/b": b"", "/a": "text"}),
        TypeError,
        "'/a': a bytes-like object is required, not 'str'; encode it first",
    ),
    "import_tree([1])": (
        lambda fs: fs.import_tree([1]),
        TypeError,
        "tree must be a mapping from paths to bytes, or a directory of the disk, not list",
    ),
    # --- the disk, and what is here
    "export_tree(target='no/sub/x')": (
        lambda fs: fs.export_tree("/", target="no/sub/x"),
        FileNotFoundError,
        f"{NO_DIRECTORY}: '{{cwd}}/no/sub'",
    ),
    "pack('no/p')": (
        lambda fs: fs.pack("no/p"),
        FileNotFoundError,
        f"{NO_DIRECTORY}: '{{cwd}}/no'",
    ),
    "export_archive('no/a.zip')": (
        lambda fs: fs.export_archive("no/a.zip"),
        FileNotFoundError,
        f"{NO_DIRECTORY}: '{{cwd}}/no'",
    ),
    "import_archive('/file')": (
        lambda fs: fs.import_archive("/file"),
        FileNotFoundError,
        (
            "[Errno 2] No such file or directory on the disk; for a file in here give "
            "fs.open(path, 'rb'): '/file'"
        ),
    ),
    "import_tree('/dir')": (
        lambda fs: fs.import_tree("/dir"),
        FileNotFoundError,
        (
            "[Errno 2] No such file or directory on the disk; for a directory in here there is "
            "copy_tree(): '/dir'"
        ),
    ),
    "import_archive('missing')": (
        lambda fs: fs.import_archive("missing"),
        FileNotFoundError,
        "[Errno 2] No such file or directory: 'missing'",
    ),
    # --- mounts
    "mount('/mem', fs)": (
        lambda fs: mounted("/mem", fs),
        TypeError,
        "a file system is mounted at a path, as mount(fs, '/mem'): not str at MemoryFileSystem",
    ),
    "mount('/mem')": (
        lambda fs: mounted("/mem"),
        TypeError,
        "a file system is mounted at a path, as mount(fs, '/mem'): not str at str",
    ),
    "fs.mount(fs)": (
        lambda fs: fs.mount(fs),
        TypeError,
        (
            "a file system is mounted at a path, as mount(fs, '/mem'): not MemoryFileSystem at "
            "MemoryFileSystem"
        ),
    ),
    "mount(passthrough='/tmp')": (
        lambda fs: mounted(fs, "/", passthrough="/tmp"),
        TypeError,
        "passthrough must be several paths; for one, write passthrough=['/tmp']",
    ),
    "mount(writable=b'/tmp')": (
        lambda fs: mounted(fs, "/", writable=b"/tmp"),
        TypeError,
        "writable must be several paths; for one, write writable=[b'/tmp']",
    ),
    "mount(fs, '/mem', ['/tmp'])": (
        lambda fs: mounted(fs, "/mem", ["/tmp"]),
        TypeError,
        "mount() takes passthrough, writable and programs by name: write passthrough=['/tmp']",
    ),
    # --- databases
    "load_db(path, fs, uri)": (
        lambda fs: sqlite.load_db("/a.db", fs, ":memory:"),
        TypeError,
        f"{NO_FILE_SYSTEM} load_db(fs, path, uri)",
    ),
    "save_db(path, fs, conn)": (
        lambda fs: sqlite.save_db("/a.db", fs, None),
        TypeError,
        f"{NO_FILE_SYSTEM} save_db(fs, path, conn)",
    ),
    "save_db(fs, path, 'conn')": (
        lambda fs: sqlite.save_db(fs, "/a.db", "conn"),
        TypeError,
        "conn must be a connection of sqlite3, not str",
    ),
    "SharedDatabase(path, fs)": (
        lambda fs: sqlite.SharedDatabase("/a.db", fs),
        TypeError,
        f"{NO_FILE_SYSTEM} SharedDatabase(fs, path)",
    ),
    "SharedDatabase(timeout='5')": (
        lambda fs: sqlite.SharedDatabase(fs, "/a.db", timeout="5"),
        TypeError,
        "timeout must be a number of seconds, not '5'",
    ),
    "SnapshotStore(path, fs)": (
        lambda fs: sqlite.SnapshotStore("/a.db", fs),
        TypeError,
        (
            "fs must be a file system, and '/a.db' can neither listdir() nor ls(): write "
            "SnapshotStore(fs, directory)"
        ),
    ),
    "SnapshotStore(keep='3')": (
        lambda fs: sqlite.SnapshotStore(fs, "/v", keep="3"),
        TypeError,
        "keep must be a whole number or None, not '3'",
    ),
    "SnapshotStore(keep=0)": (
        lambda fs: sqlite.SnapshotStore(fs, "/v", keep=0),
        ValueError,
        "keep must be None (all) or at least 1",
    ),
    "connect(path, fs)": (
        lambda fs: sqlite.connect("/a.db", fs),
        TypeError,
        "fs must be a MemoryFileSystem, not str",
    ),
    "copy_db(path, fs, path)": (
        lambda fs: sqlite.copy_db("/a.db", fs, "/b.db"),
        TypeError,
        "fs must be a MemoryFileSystem, not str",
    ),
    "copy_db(timeout='5')": (
        lambda fs: sqlite.copy_db(fs, "/a.db", "/b.db", timeout="5"),
        TypeError,
        "timeout must be a number of seconds, not '5'",
    ),
    "DatabaseTemplate(build, fs)": (
        lambda fs: sqlite.DatabaseTemplate(lambda connection: None, fs),
        TypeError,
        "fs must be a MemoryFileSystem, not function",
    ),
    "DatabaseTemplate(fs, 3)": (
        lambda fs: sqlite.DatabaseTemplate(fs, 3),
        TypeError,
        (
            "build must be SQL, the Path of a file of SQL, a command line as a list or a function "
            "of a connection, not a int; for the bytes of a database file there is from_bytes(fs, "
            "image)"
        ),
    ),
    "DatabaseTemplate(fs, b'')": (
        lambda fs: sqlite.DatabaseTemplate(fs, b""),
        TypeError,
        (
            "build must be SQL, the Path of a file of SQL, a command line as a list or a function "
            "of a connection, not a bytes; for the bytes of a database file there is "
            "from_bytes(fs, image)"
        ),
    ),
    "DatabaseTemplate(fs, build, 'key')": (
        lambda fs: sqlite.DatabaseTemplate(fs, "SELECT 1", "key"),
        TypeError,
        "DatabaseTemplate() takes key and cache by name: write key='key'",
    ),
    "template.connect(room='much')": (
        lambda fs: sqlite.DatabaseTemplate(FileSystem(), "SELECT 1").connect(room="much"),
        ValueError,
        f"room {BYTES} 'much'",
    ),
    "from_bytes(fs, b'garbage')": (
        lambda fs: sqlite.DatabaseTemplate.from_bytes(fs, b"garbage" * 1000),
        sqlite.SnapshotError,
        (
            "image: not a SQLite database, or an encrypted one (it does not begin with 'SQLite "
            "format 3')"
        ),
    ),
    "from_bytes(fs, 'text')": (
        lambda fs: sqlite.DatabaseTemplate.from_bytes(fs, "text"),
        TypeError,
        "'image': a bytes-like object is required, not 'str'; encode it first",
    ),
    "memory_uri(3)": (
        lambda fs: sqlite.memory_uri(3),
        TypeError,
        "the name of a database must be str, not int",
    ),
    "explain_uri(3)": (
        lambda fs: sqlite.explain_uri(3),
        TypeError,
        "the URI of a database must be str, not int",
    ),
}


def test_a_template_of_sql(fs: MemoryFileSystem) -> None:
    """As whatever else a database begins with."""
    template = dmemfs_sqlite.DatabaseTemplate(fs, "CREATE TABLE t(a); INSERT INTO t VALUES (1);")
    with closing(template.connect(pragmas={"foreign_keys": "on"}, room="1 MiB")) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
        assert connection.execute("PRAGMA foreign_keys").fetchall() == [(1,)]
    template.close()


@pytest.fixture
def fs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryFileSystem:
    monkeypatch.chdir(tmp_path)
    return MemoryFileSystem.from_tree({"file": "x", "dir": {}})


@pytest.mark.parametrize("written", ROWS)
def test_what_is_said(fs: MemoryFileSystem, written: str) -> None:
    attempt, kind, text = ROWS[written]
    before = fs.to_tree()
    with pytest.raises(kind) as caught:
        attempt(fs)
    assert type(caught.value) is kind
    assert str(caught.value) == text.replace("{cwd}", os.getcwd())
    assert fs.to_tree() == before
    assert os.listdir() == []
    fs._check()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1000", 1000),
        ("12 B", 12),
        ("12 bytes", 12),
        ("1k", 1024),
        ("1K", 1024),
        ("1 KiB", 1024),
        ("1kB", 1000),
        ("10MB", 10_000_000),
        ("64 MiB", 64 << 20),
        ("64MiB", 64 << 20),
        (" 64 mib ", 64 << 20),
        ("1.5 GiB", 3 << 29),
        ("0.1 KB", 100),
        ("2T", 2 << 40),
        ("1 PiB", 1 << 50),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count
    fs = MemoryFileSystem(max_quota=text)
    assert fs.quota().max_bytes == count
    fs.mkdir("/d")
    fs.set_quota("/d", text)
    assert fs.quota("/d").max_bytes == count


@pytest.mark.parametrize(
    "text",
    ["", " ", "MiB", "1.", ".5", "-1", "1 XB", "1 Ki", "1i", "1iB", "0x10", "1e3", "٣", "1 2"],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="max_quota must be"):
        MemoryFileSystem(max_quota=text)


# --- what does nothing until it is entered --------------------------------------------------------

UNENTERED: dict[str, Callable[[MemoryFileSystem], object]] = {
    "fs.rollback()": lambda fs: fs.rollback(),
    "mount(fs, '/mem')": lambda fs: mount(fs),
    "mount(fs, '/')": lambda fs: fs.mount("/"),
    "materialize('/file')": lambda fs: materialize("/file"),
}


@pytest.mark.parametrize("call", UNENTERED)
def test_what_was_never_entered_says_so(fs: MemoryFileSystem, call: str) -> None:
    with pytest.warns(ResourceWarning) as caught:
        UNENTERED[call](fs)
        gc.collect()
    assert [str(warning.message) for warning in caught] == [
        f"{call} was never entered, and did nothing: write with {call}: ..."
    ]
    assert caught[0].filename == __file__


@pytest.mark.parametrize("call", UNENTERED)
@pytest.mark.skipif(sys.platform != "linux", reason="mounts need Linux")
def test_what_was_entered_says_nothing(fs: MemoryFileSystem, call: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Path("file").write_text("real")
        manager: Any = UNENTERED[call](fs) if "file" not in call else materialize("file")
        with manager:
            pass
        del manager
        gc.collect()


def test_a_rollback_that_decorates(fs: MemoryFileSystem) -> None:
    @fs.rollback()
    def change(name: str) -> bool:
        fs.write_bytes(name, b"")
        return fs.exists(name)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert change("/a")
        assert change("/b")
        del change
        gc.collect()
    assert fs.listdir("/") == ["file", "dir"]


def test_a_rollback_is_for_one_block(fs: MemoryFileSystem) -> None:
    undone = fs.rollback()
    with undone as snapshot:
        assert snapshot.listdir("/") == ["file", "dir"]
        with pytest.raises(RuntimeError, match=r"fs\.rollback\(\) was entered before"):
            undone.__enter__()
        fs.remove("/file")
    assert fs.exists("/file")
    with pytest.raises(RuntimeError, match=r"fs\.rollback\(\) was entered before"), undone:
        pass


# --- both command lines ---------------------------------------------------------------------------

FS, SQL = "dmemfs", "dmemfs_sqlite"

COMMANDS: dict[str, tuple[str, str, int, str]] = {
    "list": (
        FS,
        "list garbage",
        1,
        (
            "error: garbage: this is no pack; the command pack makes one, and import reads other "
            "archives"
        ),
    ),
    "unpack": (
        FS,
        "unpack garbage out",
        1,
        (
            "error: garbage: this is no pack; the command pack makes one, and import reads other "
            "archives"
        ),
    ),
    "import": (
        FS,
        "import garbage x.pack",
        1,
        "error: garbage: it is neither a zip nor a tar archive, or a damaged one: invalid header",
    ),
    "import as tar": (
        FS,
        "import garbage x.pack --format tar",
        1,
        "error: garbage: it is no tar archive, or a damaged one: invalid header",
    ),
    "export": (
        FS,
        "export good x.foo",
        1,
        (
            "error: which format? Give one, as --format zip or --format gztar, or a name that ends "
            "in .zip or .tar.gz"
        ),
    ),
    "quota": (
        FS,
        "pack directory x.pack --max-quota 10",
        1,
        (
            "error: No space left on device: 100 bytes requested, 10 of 10 available; give a "
            "larger --max-quota"
        ),
    ),
    "quota of a pack": (
        FS,
        "unpack good out --max-quota 1K",
        1,
        (
            "error: No space left on device: 2,000 bytes requested, 1,024 of 1,024 available; give "
            "a larger --max-quota"
        ),
    ),
    "size": (
        FS,
        "pack directory x.pack --max-quota 10X",
        2,
        (
            "python3 -m dmemfs pack: error: argument --max-quota: must be a number of bytes, or a "
            "size such as 64MiB; not '10X'"
        ),
    ),
    "missing": (FS, "list missing", 1, "error: [Errno 2] No such file or directory: 'missing'"),
    "no directory": (
        FS,
        "unpack good no/out",
        1,
        "error: [Errno 2] No such file or directory; make the directory first: '{cwd}/no'",
    ),
    "command": (
        FS,
        "pakc",
        2,
        "python3 -m dmemfs: error: argument COMMAND: invalid choice: 'pakc'",
    ),
    "demo": (
        SQL,
        "demo garbage",
        1,
        (
            "error: garbage: not a SQLite database, or an encrypted one (it does not begin with "
            "'SQLite format 3')"
        ),
    ),
    "demo of nothing": (SQL, "demo missing", 1, "error: missing: no such file or directory"),
    "inspect": (
        SQL,
        "inspect garbage",
        1,
        (
            "error: garbage: not a SQLite database, or an encrypted one (it does not begin with "
            "'SQLite format 3')"
        ),
    ),
}


def main_of(package: str) -> Callable[[list[str]], int]:
    if package == FS:
        from dmemfs._cli import main
    else:
        from dmemfs_sqlite._cli import main
    return main


@pytest.mark.parametrize("what", COMMANDS)
def test_what_a_command_says(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package, command, status, text = COMMANDS[what]
    monkeypatch.chdir(tmp_path)
    Path("garbage").write_bytes(b"garbage" * 1000)
    Path("directory").mkdir()
    Path("directory/file").write_bytes(bytes(100))
    MemoryFileSystem.from_tree({"file": "x" * 2000}).pack("good")
    there = sorted(os.listdir())
    try:
        found = main_of(package)(command.split())
    except SystemExit as error:
        found = error.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert found == status
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith(text.replace("{cwd}", str(tmp_path)))
    if status == 1:
        assert captured.err == text.replace("{cwd}", str(tmp_path)) + "\n"
    assert sorted(os.listdir()) == there


def test_a_size_on_the_command_line(tmp_path: Path) -> None:
    MemoryFileSystem.from_tree({"file": "x" * 2000}).pack(tmp_path / "good")
    arguments = ["unpack", str(tmp_path / "good"), str(tmp_path / "out"), "--max-quota", "2 KiB"]
    assert main_of(FS)(arguments) == 0
    assert (tmp_path / "out/file").read_bytes() == b"x" * 2000


@pytest.mark.parametrize("package", [FS, SQL])
def test_without_a_command_it_helps(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main_of(package)([]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"usage: python3 -m {package} [-h] [--version] COMMAND ...\n")
    assert captured.err == ""


@pytest.mark.parametrize("package", [FS, SQL])
def test_the_version(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-m", package, "--version"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    library = f", SQLite {sqlite3.sqlite_version}" if package == SQL else ""
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"dmemfs-sqlite {__version__}{library}\n"
