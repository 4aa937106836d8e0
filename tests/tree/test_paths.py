"""The path grammar: what every operation makes of every spelling of a path."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture
from tests.support.real_filesystem import RealFileSystem


def build(fs: Any) -> None:
    """Make one node of each kind, and links of every kind to them."""
    fs.mkdir("/dir")
    fs.mkdir("/dir/sub")
    fs.mkdir("/empty")
    fs.write_bytes("/dir/inner", b"inner")
    fs.write_bytes("/file", b"content")
    fs.symlink("dir", "/link")
    fs.symlink("dir/", "/slashlink")
    fs.symlink("file", "/filelink")
    fs.symlink("file/", "/fileslash")
    fs.symlink("/dir", "/absolute")
    fs.symlink("new", "/dangling")
    fs.symlink("new/", "/newslash")
    fs.symlink("nowhere/new", "/farlink")
    fs.symlink("file/x", "/throughfile")
    fs.symlink("loop", "/loop")
    fs.symlink("pong", "/ping")
    fs.symlink("ping", "/pong")
    fs.symlink("..", "/dir/up")
    fs.symlink(".", "/dot")


PATHS: list[Any] = [
    # the root and dots
    *("/", "//", "/.", "/./", "/./.", ".", "./", ".//.", "/dot", "/dot/", "/dot/dot/file"),
    # directories
    *("/dir", "/dir/", "/dir//", "//dir", "/dir/.", "/dir/./", "/dir/..", "/dir/../", "./dir/"),
    *("/dir/../dir", "/dir/sub/..", "/dir/sub/../..", "/dir/sub/../../file", "/dir/./sub/."),
    *("/empty", "/empty/", "/empty/.", "/empty/..", "/empty//..//empty", "/empty/new/"),
    *("dir", "dir/", "dir/sub/", "dir/..", "/dir/inner", "dir//inner"),
    # a file where a directory is wanted
    *("/file", "/file/", "/file//", "/file/.", "/file/..", "/file/../file", "/file/x", "/file/x/y"),
    # missing
    *("/new", "/new/", "/new//", "/new/.", "/new/..", "/new/x", "/new/../dir", "/new/../file"),
    *(
        "/dir/new",
        "/dir/new/",
        "new",
        "new/",
        "",
        "/dir/sub/new/x",
        "/new/x/",
        "/file/x/",
        "/loop/x/",
    ),
    *("/link/new/x/", "/throughfile/x/", "/farlink/x/"),
    # links
    *("/link", "/link/", "/link/.", "/link/..", "/link/sub", "/link/inner", "/link/../file"),
    *("/link/new", "/link/new/", "/link/sub/..", "/slashlink", "/slashlink/", "/slashlink/inner"),
    *("/filelink", "/filelink/", "/filelink/.", "/filelink/..", "/filelink/x", "/fileslash"),
    *("/absolute", "/absolute/", "/absolute/inner", "/absolute/new", "/absolute/../file"),
    *("/dangling", "/dangling/", "/dangling/.", "/dangling/..", "/dangling/x", "/farlink"),
    *("/farlink/", "/farlink/..", "/throughfile", "/throughfile/", "/throughfile/y"),
    *("/newslash", "/newslash/", "/newslash/x", "/newslash/."),
    *("/loop", "/loop/", "/loop/.", "/loop/..", "/loop/x", "/ping", "/ping/x"),
    *("/dir/up", "/dir/up/", "/dir/up/file", "/dir/up/dir/up/dir/inner", "/dir/up/new"),
    # names that only look special
    *("/...", "/.../x", "/dir/...", "/.hidden", "/..hidden", "/ ", "/new ", "/a\nb", "/a\\b"),
    *("/~", "/*", "/C:", "/\N{LATIN SMALL LETTER E WITH ACUTE}", "/e\N{COMBINING ACUTE ACCENT}"),
    # bytes, also such that are no UTF-8
    *(b"/dir", b"dir/", b"/file", b"/file/", b"/file/x", b"/new", b"/new/", b"", b"/loop", b"."),
    *(b"/\xff", b"/dir/\xff\xfe", "/\udcff"),
    # path objects
    *(PurePosixPath("/dir"), PurePosixPath("dir/inner"), PurePosixPath("/new"), PurePosixPath("/")),
]


def without_file_name(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Return ``function`` with errors that carry no file name (difference "errors of utime")."""

    def run(fs: Any, path: Any) -> Any:
        try:
            return function(fs, path)
        except OSError as error:
            error.filename = None
            raise

    return run


def all_or_none(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return ``function`` that leaves nothing if it fails (difference "failed makedirs")."""

    def run(fs: Any, path: Any) -> Any:
        before = picture(fs)
        try:
            return function(fs, path)
        except OSError:
            if isinstance(fs, RealFileSystem):
                for made in sorted(picture(fs).keys() - before.keys(), reverse=True):
                    fs.rmdir(made)
            raise

    return run


def shown(result: os.stat_result) -> tuple[Any, ...]:
    """Return what two file systems have in common of a status."""
    kind = stat.S_IFMT(result.st_mode)
    # Directories have no size in common: see the difference "size of a directory".
    size = result.st_size if kind == stat.S_IFREG else None
    return kind, stat.S_IMODE(result.st_mode), result.st_nlink, size


def open_and_read(mode: str) -> Callable[[Any, Any], tuple[Any, ...]]:
    def run(fs: Any, path: Any) -> tuple[Any, ...]:
        with fs.open(path, mode) as file:
            return file.name, file.read() if file.readable() else None, file.tell()

    return run


def entry(fs: Any, path: Any) -> list[tuple[Any, ...]]:
    with fs.scandir(path) as scan:
        return sorted((item.name, item.path, outcome(item.is_dir)) for item in scan)


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "stat": lambda fs, path: shown(fs.stat(path)),
    "lstat": lambda fs, path: shown(fs.lstat(path)),
    "exists": lambda fs, path: fs.exists(path),
    "is_file": lambda fs, path: fs.is_file(path),
    "is_dir": lambda fs, path: fs.is_dir(path),
    "is_symlink": lambda fs, path: fs.is_symlink(path),
    "access": lambda fs, path: fs.access(path, os.F_OK),
    "listdir": lambda fs, path: sorted(fs.listdir(path)),
    "scandir": entry,
    "readlink": lambda fs, path: fs.readlink(path),
    "open rb": open_and_read("rb"),
    "open wb": open_and_read("wb"),
    "open ab": open_and_read("ab"),
    "open r+b": open_and_read("r+b"),
    "open w+": open_and_read("w+"),
    "read_bytes": lambda fs, path: fs.read_bytes(path),
    "read_text": lambda fs, path: fs.read_text(path),
    "write_bytes": lambda fs, path: fs.write_bytes(path, b"written"),
    "write_text": lambda fs, path: fs.write_text(path, "written"),
    "truncate": lambda fs, path: fs.truncate(path, 3),
    "chmod": lambda fs, path: fs.chmod(path, 0o700),
    "chown": lambda fs, path: fs.chown(path, -1, -1),
    "chown link": lambda fs, path: fs.chown(path, -1, -1, follow_symlinks=False),
    "utime": without_file_name(lambda fs, path: fs.utime(path, (1, 2))),
    "utime link": without_file_name(lambda fs, path: fs.utime(path, (1, 2), follow_symlinks=False)),
    "mkdir": lambda fs, path: fs.mkdir(path),
    "mkdir parents": all_or_none(lambda fs, path: fs.mkdir(path, parents=True)),
    "mkdir exist_ok": lambda fs, path: fs.mkdir(path, exist_ok=True),
    "makedirs": all_or_none(lambda fs, path: fs.makedirs(path)),
    "makedirs exist_ok": all_or_none(lambda fs, path: fs.makedirs(path, exist_ok=True)),
    "remove": lambda fs, path: fs.remove(path),
    "unlink": lambda fs, path: fs.unlink(path),
    "symlink": lambda fs, path: fs.symlink("target", path),
    "symlink to": lambda fs, path: fs.symlink(os.fsdecode(path), "/made"),
    "link from": lambda fs, path: fs.link(path, "/made"),
    "link to": lambda fs, path: fs.link("/file", path),
    "statvfs": lambda fs, path: fs.statvfs(path).f_namemax,
    "walk": lambda fs, path: sorted((at, sorted(d), sorted(f)) for at, d, f in fs.walk(path)),
}
# What they do to the root itself cannot be compared (the difference "root"); see
# test_root_cannot_be_replaced.
UNROOTED_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "open xb": open_and_read("xb"),
    "rmdir": lambda fs, path: fs.rmdir(path),
    "rename file to": lambda fs, path: fs.rename("/file", path),
    "rename directory to": lambda fs, path: fs.rename("/empty", path),
    "rename link to": lambda fs, path: fs.rename("/link", path),
    "rename from": lambda fs, path: fs.rename(path, "/made"),
    "rename from to directory": lambda fs, path: fs.rename(path, "/made/"),
    "replace to": lambda fs, path: fs.replace("/file", path),
    "replace from": lambda fs, path: fs.replace(path, "/made"),
}


def pairs(tmp_path: Path) -> Iterator[Both]:
    """Yield pairs of file systems with the tree of ``build`` in each."""
    from dmemfs import MemoryFileSystem

    number = 0
    while True:
        number += 1
        root = tmp_path / str(number)
        root.mkdir()
        pair = Both(RealFileSystem(root), MemoryFileSystem(max_quota=None))
        for fs in pair:
            build(fs)
        yield pair


def differing(
    tmp_path: Path, operation: Callable[[Any, Any], Any], paths: list[Any]
) -> dict[str, Any]:
    """Return, by path, the outcomes and effects of ``operation`` that differ."""
    found: dict[str, Any] = {}
    pair_of_trees = pairs(tmp_path)
    real, memory = next(pair_of_trees)
    untouched = picture(real)
    for path in paths:
        results = [outcome(operation, fs, path) for fs in (real, memory)]
        trees = [picture(fs) for fs in (real, memory)]
        memory._check()
        if results[0] != results[1]:
            found[repr(path)] = tuple(results)
        elif trees[0] != trees[1]:
            found[repr(path)] = tuple(
                set(tree.items()) - set(other.items()) for tree, other in (trees, trees[::-1])
            )
        if trees != [untouched, untouched]:
            real, memory = next(pair_of_trees)
    return found


@pytest.mark.parametrize(
    "operation", [pytest.param(run, id=name) for name, run in OPERATIONS.items()]
)
def test_every_spelling(tmp_path: Path, operation: Callable[[Any, Any], Any]) -> None:
    assert differing(tmp_path, operation, PATHS) == {}


@pytest.mark.parametrize(
    "operation", [pytest.param(run, id=name) for name, run in UNROOTED_OPERATIONS.items()]
)
def test_every_spelling_below_the_root(
    tmp_path: Path, operation: Callable[[Any, Any], Any]
) -> None:
    below = [path for path in PATHS if os.fsencode(path).strip(b"/") or not os.fsencode(path)]
    assert differing(tmp_path, operation, below) == {}


def test_root_cannot_be_replaced(memory: Any) -> None:
    memory.mkdir("/d")
    memory.write_bytes("/f", b"")
    for root in ("/", "//", "/.", "/..", "/d/..", ".", ".."):
        assert memory.stat(root).st_ino == memory.stat("/").st_ino
    for root in ("/", "//"):
        assert outcome(memory.rmdir, root) == ("OSError", errno.EBUSY, root, None)
        assert outcome(memory.unlink, root) == (
            "IsADirectoryError",
            errno.EISDIR,
            root,
            None,
        )
    for root in ("/", "//", "/.", "/..", "/d/..", "..", "/d/."):
        for other in ("/d", "/f", "/new", "/"):
            expected = ("OSError", errno.EBUSY)
            assert outcome(memory.rename, root, other) == (*expected, root, other)
            assert outcome(memory.rename, other, root) == (*expected, other, root)
        for call, code in ((memory.mkdir, errno.EEXIST), (memory.makedirs, errno.EEXIST)):
            assert outcome(call, root) == ("FileExistsError", code, root, None)
        assert outcome(memory.open, root, "xb") == ("FileExistsError", errno.EEXIST, root, None)
        assert outcome(memory.open, root, "wb") == ("IsADirectoryError", errno.EISDIR, root, None)
    assert outcome(memory.rmdir, "/..") == ("OSError", errno.ENOTEMPTY, "/..", None)
    assert sorted(memory.listdir("/")) == ["d", "f"]


def test_parent_of_the_root_is_the_root(memory: Any) -> None:
    memory.makedirs("/a/b")
    memory.symlink("../../../../a", "/a/b/up")
    assert memory.listdir("/../../a") == ["b"]
    assert memory.listdir("..") == ["a"]
    assert memory.listdir("/a/b/up") == ["b"]
    memory.mkdir("/../c")
    assert sorted(memory.listdir("/")) == ["a", "c"]


NUL = ["\0", "/\0", "/file\0", "/file\0/x", "a\0b", b"\0", b"/file\0", PurePosixPath("/a\0b")]


@pytest.mark.parametrize(
    "operation",
    [pytest.param(run, id=name) for name, run in (OPERATIONS | UNROOTED_OPERATIONS).items()],
)
def test_nul_byte(tmp_path: Path, operation: Callable[[Any, Any], Any]) -> None:
    assert differing(tmp_path, operation, NUL) == {}


class ReturnsInteger:
    def __fspath__(self) -> int:
        return 3


class ReturnsBytes:
    def __fspath__(self) -> bytes:
        return b"/file"


class Raises:
    def __fspath__(self) -> str:
        raise LookupError("no path today")


class Text(str):
    """A str of another type, such as frameworks hand around."""

    __slots__ = ()


OBJECTS = [ReturnsInteger(), ReturnsBytes(), Raises(), Text("/file"), Text("/new"), object(), 1.5]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(run, id=name)
        for name, run in (OPERATIONS | UNROOTED_OPERATIONS).items()
        if name not in ("walk", "symlink to")
    ],
)
def test_objects_as_paths(tmp_path: Path, operation: Callable[[Any, Any], Any]) -> None:
    assert differing(tmp_path, operation, OBJECTS) == {}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(run, id=name)
        for name, run in (OPERATIONS | UNROOTED_OPERATIONS).items()
        if name not in ("walk", "symlink to")
    ],
)
@pytest.mark.parametrize("path", [0, -1, True, None, bytearray(b"/file"), memoryview(b"/file"), []])
def test_what_is_no_path(memory: Any, operation: Callable[[Any, Any], Any], path: Any) -> None:
    """See the difference "file descriptors as paths" and the difference "bytes-like paths"."""
    build(memory)
    before = picture(memory)
    with pytest.raises(TypeError):
        operation(memory, path)
    assert picture(memory) == before


LONG = "n" * 255
TOO_LONG = "n" * 256
LONG_UNICODE = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 127
TOO_LONG_UNICODE = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 128


@pytest.mark.parametrize(
    "operation",
    [pytest.param(run, id=name) for name, run in (OPERATIONS | UNROOTED_OPERATIONS).items()],
)
def test_long_names(tmp_path: Path, operation: Callable[[Any, Any], Any]) -> None:
    names = [LONG, TOO_LONG, LONG_UNICODE, TOO_LONG_UNICODE, LONG_UNICODE + "a"]
    paths: list[Any] = [f"/{name}{rest}" for name in names for rest in ("", "/", "/x", "/..")]
    paths += [os.fsencode(LONG), os.fsencode(TOO_LONG), f"/dir/{TOO_LONG}", f"/file/{TOO_LONG}"]
    paths += [f"/new/{TOO_LONG}", f"/loop/{TOO_LONG}"]
    assert differing(tmp_path, operation, paths) == {}


def path_of_length(fs: Any, length: int) -> str:
    """Return a path of an existing directory that the file system sees as ``length`` bytes."""
    own_length = length - getattr(fs, "prefix_length", 0)
    return "/" + "./" * ((own_length - 1) // 2) + "/" * ((own_length - 1) % 2)


@pytest.mark.parametrize(
    "name", ["stat", "lstat", "listdir", "access", "exists", "chmod", "utime", "is_dir", "statvfs"]
)
def test_path_of_4095_bytes(fs: Any, name: str) -> None:
    fits = outcome(OPERATIONS[name], fs, path_of_length(fs, 4095))
    too_long = path_of_length(fs, 4096)
    fails = outcome(OPERATIONS[name], fs, too_long)
    assert fits[0] == "ok"
    if name in ("exists", "access", "is_dir"):
        assert (fits[1], fails) == (True, ("ok", False))
    else:
        named = None if name == "utime" else too_long
        assert fails == ("OSError", errno.ENAMETOOLONG, named, None)


def test_path_limit_holds_for_directories_used_before(fs: Any) -> None:
    """The limit is that of the whole path, even if all but its last component is well known."""
    head = path_of_length(fs, 3990)
    short, long = f"{head}/short", f"{head}/{'n' * 200}"
    fs.write_bytes("/" + "n" * 200, b"")
    fs.write_bytes(short, b"")
    assert fs.stat(short).st_size == 0
    assert fs.exists(short)
    too_long = ("OSError", errno.ENAMETOOLONG, long, None)
    for call in (fs.stat, fs.lstat, fs.read_bytes, fs.unlink, fs.mkdir, fs.listdir, fs.open):
        assert outcome(call, long) == too_long
    assert outcome(fs.write_bytes, long, b"x") == too_long
    assert not fs.exists(long)
    head = path_of_length(fs, 4080)
    fs.write_bytes(f"{head}/short", b"")
    for name in ("n" * 20, "\xe9" * 10):
        new = f"{head}/{name}"
        assert outcome(fs.write_bytes, new, b"x") == ("OSError", errno.ENAMETOOLONG, new, None)
        assert outcome(fs.mkdir, new) == ("OSError", errno.ENAMETOOLONG, new, None)
        assert outcome(fs.symlink, "target", new)[1] == errno.ENAMETOOLONG


def test_path_limit_counts_bytes(fs: Any) -> None:
    name = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 100
    fs.mkdir(name)
    path = f"/{name}"
    while len(os.fsencode(path)) + 206 < 4095 - getattr(fs, "prefix_length", 0):
        path += f"/../{name}"
    assert fs.is_dir(path)
    path += f"/../{name}"
    assert outcome(fs.stat, path) == ("OSError", errno.ENAMETOOLONG, path, None)
    assert len(path) < 4095


def test_long_path_in_two_path_operations(fs: Any) -> None:
    fs.write_bytes("/f", b"")
    long = path_of_length(fs, 4097) + "x"
    for call in (fs.rename, fs.replace, fs.link):
        assert outcome(call, long, "/n")[:2] == ("OSError", errno.ENAMETOOLONG)
        assert outcome(call, "/f", long)[:2] == ("OSError", errno.ENAMETOOLONG)
    assert outcome(fs.symlink, long, "/n")[1] == errno.ENAMETOOLONG
    assert fs.listdir("/") == ["f"]


def test_deep_tree_beyond_the_path_limit(memory: Any) -> None:
    """A tree may be deeper than a path is long, when it is put together from pieces."""
    piece = "/" + "/".join(["d" * 200] * 15)
    for top in ("/a", "/b"):
        memory.makedirs(top + piece)
    memory.write_bytes(f"/b{piece}/f", b"deep")
    memory.rename("/b", f"/a{piece}/b")
    assert outcome(memory.stat, f"/a{piece}/b{piece}/f")[1] == errno.ENAMETOOLONG
    memory.symlink(f"a{piece}", "/half")
    assert memory.read_bytes(f"/half/b{piece}/f") == b"deep"


def test_forty_links(both: Both) -> None:
    for fs in both:
        fs.write_bytes("/0", b"end")
        fs.mkdir("/d0")
        fs.write_bytes("/d0/f", b"inner")
        for number in range(1, 43):
            fs.symlink(str(number - 1), f"/{number}")
            fs.symlink(f"d{number - 1}", f"/d{number}")
    for number in range(38, 43):
        for path in (f"/{number}", f"/d{number}", f"/d{number}/", f"/d{number}/f", f"/d{number}/n"):
            for name in ("stat", "lstat", "read_bytes", "exists", "listdir", "write_bytes"):
                real, memory = (outcome(OPERATIONS[name], fs, path) for fs in both)
                assert real == memory, (path, name)
    assert outcome(both.memory.stat, "/41") == ("OSError", errno.ELOOP, "/41", None)


def test_links_count_along_the_whole_path(both: Both) -> None:
    for fs in both:
        fs.mkdir("/d")
        fs.symlink(".", "/d/dot")
    for count in (39, 40, 41):
        path = "/d" + "/dot" * count
        real, memory = (outcome(fs.listdir, path) for fs in both)
        assert real == memory, count


def test_links_that_multiply(both: Both) -> None:
    """Each link names the former twice: 40 are followed, not two to the power of the depth."""
    for fs in both:
        fs.mkdir("/l0")
        for number in range(1, 20):
            fs.symlink(f"l{number - 1}/../l{number - 1}", f"/l{number}")
    for number in range(1, 20):
        real, memory = (outcome(fs.listdir, f"/l{number}") for fs in both)
        assert real == memory, number


def test_names_are_bytes(fs: Any) -> None:
    fs.write_bytes(b"/\xff\xfe", b"one")
    fs.write_bytes("/caf\N{LATIN SMALL LETTER E WITH ACUTE}", b"two")
    assert sorted(fs.listdir("/")) == ["caf\xe9", "\udcff\udcfe"]
    assert sorted(fs.listdir(b"/")) == [b"caf\xc3\xa9", b"\xff\xfe"]
    assert fs.read_bytes("/\udcff\udcfe") == b"one"
    assert fs.read_bytes(b"/caf\xc3\xa9") == b"two"
    # The same bytes, so the same name.
    assert fs.read_bytes("/caf\udcc3\udca9") == b"two"


def test_composed_and_decomposed_names_differ(fs: Any) -> None:
    fs.write_bytes("/\xe9", b"composed")
    fs.write_bytes("/e\u0301", b"decomposed")
    assert fs.read_bytes("/\xe9") == b"composed"
    assert len(fs.listdir("/")) == 2


def test_case_matters(fs: Any) -> None:
    fs.write_bytes("/A", b"upper")
    assert not fs.exists("/a")
    fs.write_bytes("/a", b"lower")
    assert (fs.read_bytes("/A"), fs.read_bytes("/a")) == (b"upper", b"lower")


def test_name_that_cannot_be_encoded(fs: Any) -> None:
    for name in (
        "stat",
        "lstat",
        "open rb",
        "write_bytes",
        "mkdir",
        "listdir",
        "unlink",
        "symlink",
    ):
        with pytest.raises(UnicodeEncodeError):
            OPERATIONS[name](fs, "/\ud800")
    for name in ("exists", "is_file", "is_dir", "is_symlink"):
        assert OPERATIONS[name](fs, "/\ud800") is False
    assert fs.listdir("/") == []


@pytest.mark.parametrize("nonsense", ["/nul\0", "/\ud800"])
def test_what_is_no_path_is_refused_before_anything_else_is_wrong(fs: Any, nonsense: str) -> None:
    acts: list[Callable[[], Any]] = [
        lambda: fs.rename("/missing", nonsense),
        lambda: fs.replace("", nonsense),
        lambda: fs.move("/missing", nonsense),
        lambda: fs.link("/missing", nonsense),
        lambda: fs.symlink("", nonsense),
        lambda: fs.truncate(nonsense, -1),
        lambda: fs.access(nonsense, 8),
    ]
    for act in acts:
        with pytest.raises(ValueError):
            act()


def test_errors_name_what_was_given(fs: Any) -> None:
    for given in ("/new//x/", "new/../x", "./new/x", b"new/x"):
        assert outcome(fs.stat, given) == (
            "FileNotFoundError",
            errno.ENOENT,
            given,
            None,
        )
    with pytest.raises(FileNotFoundError) as caught:
        fs.rename("/new", "/other")
    assert (caught.value.filename, caught.value.filename2) == ("/new", "/other")
    assert str(caught.value) == "[Errno 2] No such file or directory: '/new' -> '/other'"
    with pytest.raises(FileNotFoundError) as caught:
        fs.stat(PurePosixPath("/new"))
    assert (caught.value.filename, caught.value.strerror) == ("/new", "No such file or directory")
    assert str(caught.value) == "[Errno 2] No such file or directory: '/new'"
