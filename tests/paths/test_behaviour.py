"""What a path does: the same calls on `pathlib.Path` in a directory of the disk, and here.

Where `pathlib` of the running Python has something else than that of 3.14, or has not got it, the
call is compared on later ones only; `TestOnEachPython` says what is expected on all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dmemfs import Link, MemoryFileSystem, QuotaExceededError, _platform
from dmemfs.paths import MemoryPath
from tests.paths.conftest import TIMES, Pair

PLACES = [
    "", "file", "sub", "sub/", "empty", "to_file", "to_sub", "to_sub/x.txt", "broken", "loop",
    "there", "missing", "missing/below", "file/below", "sub/..", "b/up/file", "through", "second",
    "sub/absolute/y.py", ".hidden/in", "b/[x].txt", "nul\0",
]  # fmt: skip
# Some of each kind, for what changes them.
PLACES_TO_CHANGE = [
    "file", "sub", "empty/", "to_file", "to_sub", "broken", "loop", "missing", "missing/below",
    "file/below", "through", "nul\0",
]  # fmt: skip
needs_mounts = pytest.mark.skipif(not _platform.HAS_MOUNTS, reason="mounts need CPython on Linux")
LONG = "x" * 256  # exists() and its like raise for it up to Python 3.13


def since(*version: int, why: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        sys.version_info < version, reason=f"pathlib {why} from Python {version[0]}.{version[1]} on"
    )


def compare(pair: Pair, call: Callable[[Any], Any]) -> None:
    """Compare how a call ends."""
    theirs, ours = pair.outcomes(call)
    assert ours == theirs


LOOKING: dict[str, Callable[[Any], Any]] = {
    name: lambda path, name=name: getattr(path, name)()
    for name in (
        "exists", "is_dir", "is_file", "is_symlink", "is_mount", "is_block_device", "is_fifo",
        "is_char_device", "is_socket", "stat", "lstat", "owner", "group", "readlink", "read_bytes",
        "as_uri", "absolute", "is_absolute", "iterdir", "expanduser",
    )
} | {
    "text": lambda path: path.read_text("utf-8"),
    "text in another encoding": lambda path: path.read_text("ascii", "replace"),
    "opened": lambda path: read(path.open()),
    "opened for bytes": lambda path: read(path.open("rb")),
    "opened unbuffered": lambda path: read(path.open("rb", 0)),
    "opened with line ends": lambda path: read(path.open(newline="")),
    "opened in no mode": lambda path: path.open("rw"),
    "opened with wrong arguments": lambda path: path.open("rb", encoding="utf-8"),
    "entries": lambda path: sorted((each.name, each.is_dir()) for each in path.iterdir()),
    "same as itself": lambda path: path.samefile(path),
    "same as another": lambda path: path.samefile(path.parent / "second"),
    "same as text": lambda path: path.samefile(str(path.parent / "sub")),
    "written, wrongly": lambda path: path.write_bytes("text"),
    "text written, wrongly": lambda path: path.write_text(b"bytes", "utf-8"),
}  # fmt: skip
CHANGING: dict[str, Callable[[Any], Any]] = {
    "rmdir": lambda path: path.rmdir(),
    "unlink": lambda path: path.unlink(),
    "unlink, if there": lambda path: path.unlink(missing_ok=True),
    "touch": lambda path: path.touch(),
    "touch alone": lambda path: path.touch(exist_ok=False),
    "touch with a mode": lambda path: path.touch(0o600),
    "mkdir": lambda path: path.mkdir(),
    "mkdir with a mode": lambda path: path.mkdir(0o700),
    "mkdir, if missing": lambda path: path.mkdir(exist_ok=True),
    "mkdir, with those above": lambda path: (path / "x/y").mkdir(parents=True),
    "mkdir, with those above, if missing": lambda path: path.mkdir(0o750, True, True),
    "open to write": lambda path: path.open("w").close(),
    "open to append": lambda path: append(path),
    "open to make": lambda path: path.open("x").close(),
    "write": lambda path: path.write_bytes(memoryview(b"\0new")),
    "write text": lambda path: path.write_text("ä\r\nb\n", "utf-8", newline="\r\n"),
    "write text in another encoding": lambda path: path.write_text("ä", "ascii", "replace"),
    "chmod": lambda path: path.chmod(0o4711),
    "symlink to it": lambda path: (path.parent / "new").symlink_to(path),
    "symlink": lambda path: path.symlink_to("sub", target_is_directory=True),
    "hardlink to it": lambda path: path.parent.joinpath("new").hardlink_to(path),
    "hardlink": lambda path: path.hardlink_to(path.parent / "file"),
    "rename": lambda path: path.rename(path.parent / "new"),
    "rename to text": lambda path: path.rename(str(path.parent / "new")),
    "rename onto a file": lambda path: path.rename(path.parent / "one.txt"),
    "rename onto a directory": lambda path: path.replace(path.parent / "empty"),
    "rename below itself": lambda path: path.replace(path / "below"),
}
LINKS = {"to_file", "to_sub", "broken", "loop", "there", "through"}


def read(file: Any) -> Any:
    with file:
        return file.name, file.read()


def append(path: Any) -> Any:
    with path.open("ab", buffering=0) as file:
        return file.write(b"more")


@pytest.mark.parametrize("way", LOOKING)
def test_looking(pair: Pair, way: str) -> None:
    before = pair.pictures()
    for place in [*PLACES, LONG] if sys.version_info >= (3, 14) else PLACES:
        theirs, ours = pair.outcomes(lambda root: LOOKING[way](root / place))  # noqa: B023
        assert ours == theirs, place
    assert pair.pictures() == before


@pytest.mark.parametrize("way", CHANGING)
def test_changing(new_pair: Callable[[], Pair], way: str) -> None:
    for place in PLACES_TO_CHANGE:
        # os.link() follows links from Python 3.14 on, as no system call does.
        if way != "hardlink to it" or place not in LINKS:
            pair = new_pair()
            theirs, ours = pair.outcomes(lambda root: CHANGING[way](root / place))  # noqa: B023
            assert ours == theirs, place
            theirs, ours = pair.pictures()
            assert ours == theirs, place


GLOBS = [
    "*", "**", "*/", "**/", "**/*", "*.txt", "*.TXT", "?*.txt", ".*", "**/*.txt", "*/*", "*/*/*",
    "sub/**", "sub/*", "to_sub/*", "to_sub/**", "**/y.py", "*/deep/*", "file", "file/", "sub/",
    "missing", "missing/*", "broken", "loop", "*/..", "**/..", "sub/../file", "b/up/*", "[t]*",
    "[!t]*", "b/[[]x].txt", "b/[x].txt", "**/deep/**", "**/**", "./file", "sub//x.txt", "a**b",
    "file/**", "file/*", "**/absolute/*", "", "/abs", "/", ".", "..", "../*", "s*/x.txt",
    "SUB/X.txt",
]  # fmt: skip


@since(3, 13, why="has these patterns")
@pytest.mark.parametrize("name", ["glob", "rglob"])
@pytest.mark.parametrize("place", ["", "sub", "to_sub", "missing"])
@pytest.mark.parametrize(
    "options",
    [{}, {"recurse_symlinks": True}, {"case_sensitive": False}, {"case_sensitive": True}],
    ids=str,
)
def test_patterns(pair: Pair, place: str, name: str, options: dict[str, bool]) -> None:
    if options.get("recurse_symlinks") and place != "sub":
        pytest.skip("elsewhere links lead in circles")
    for pattern in GLOBS:
        if options.get("recurse_symlinks") and pattern == "**/deep/**":
            continue  # with this option alone, pathlib leaves "deep" itself out
        theirs, ours = pair.outcomes(
            lambda root: set(getattr(root / place, name)(pattern, **options))  # noqa: B023
        )
        assert ours == theirs, pattern


@since(3, 12, why="has walk()")
@pytest.mark.parametrize("place", ["", "sub", "to_sub", "missing", "file"])
@pytest.mark.parametrize("options", [{}, {"top_down": False}])
def test_walk(pair: Pair, place: str, options: dict[str, Any]) -> None:
    def walk(root: Any) -> Any:
        errors: list[OSError] = []
        steps = [
            (str(path), sorted(directories), sorted(files))
            for path, directories, files in (root / place).walk(on_error=errors.append, **options)
        ]
        return sorted(steps), [(error.errno, error.filename) for error in errors]

    compare(pair, walk)


@since(3, 12, why="has walk()")
def test_walk_through_links(pair: Pair) -> None:
    """Below "sub", where they do not lead in circles."""
    compare(
        pair,
        lambda root: sorted(
            (str(path), sorted(directories), sorted(files))
            for path, directories, files in (root / "sub").walk(follow_symlinks=True)
        ),
    )


@pytest.mark.parametrize(
    "strict",
    [
        pytest.param(False, marks=since(3, 13, why="resolves links in circles in this way")),
        pytest.param(True, marks=since(3, 14, why="names what is no directory")),
    ],
)
def test_resolve(pair: Pair, strict: bool) -> None:
    for place in [*PLACES, "loop/x", "sub/absolute/../..", "broken/../file", "file/..", "."]:
        theirs, ours = pair.outcomes(lambda root: (root / place).resolve(strict))  # noqa: B023
        assert ours == theirs, place


@since(3, 13, why="takes follow_symlinks=")
@pytest.mark.parametrize("name", ["exists", "is_file", "is_dir", "owner", "group", "stat"])
def test_questions_about_links_themselves(pair: Pair, name: str) -> None:
    for place in PLACES:
        theirs, ours = pair.outcomes(
            lambda root: getattr(root / place, name)(follow_symlinks=False)  # noqa: B023
        )
        assert ours == theirs, place


def all_of(info: Any) -> list[bool]:
    return [
        info.exists(),
        info.is_file(),
        info.is_dir(),
        info.is_symlink(),
        *(question(follow_symlinks=False) for question in (info.exists, info.is_file, info.is_dir)),
    ]


@since(3, 14, why="has info")
def test_info(pair: Pair) -> None:
    for place in PLACES:
        theirs, ours = pair.outcomes(lambda root: all_of((root / place).info))  # noqa: B023
        assert ours == theirs, place


@since(3, 14, why="has info")
def test_info_of_entries(pair: Pair) -> None:
    compare(pair, lambda root: sorted((each.name, all_of(each.info)) for each in root.iterdir()))


def test_info_is_remembered(memory: MemoryFileSystem) -> None:
    path = memory / "a"
    assert not path.info.exists()
    path.touch()
    assert not path.info.exists()
    assert path.joinpath().info.is_file()
    (entry,) = (memory / "").iterdir()
    path.unlink()
    assert entry.info.exists(follow_symlinks=False)


@since(3, 13, why="takes newline=")
def test_line_ends(pair: Pair) -> None:
    for newline in (None, "", "\n", "\r", "\r\n", "x"):
        compare(pair, lambda root: (root / "file").read_text("utf-8", newline=newline))  # noqa: B023


@since(3, 14, why="knows the host of a URI")
@pytest.mark.parametrize(
    "uri", ["file:///a/b", "file:/a%20b", "file://localhost/a", "file:a", "http://x/a", "/a", ""]
)
def test_uris(memory: MemoryFileSystem, uri: str) -> None:
    kinds: tuple[Any, ...] = (Path, memory.path())
    theirs, ours = [pathlib_outcome(partial(kind.from_uri, uri)) for kind in kinds]
    assert ours == theirs


def pathlib_outcome(call: Callable[[], Any]) -> Any:
    try:
        return str(call())
    except ValueError:
        return ValueError


def test_a_uri_leads_back(memory: MemoryFileSystem) -> None:
    for text in ("/a/b c", "/ü%?#", "/\udcff"):
        assert memory.path().from_uri(memory.path(text).as_uri()) == memory.path(text)
        assert memory.path(text).as_uri() == Path(text).as_uri()
    with pytest.raises(ValueError):
        memory.path("a").as_uri()
    with pytest.raises(ValueError, match="not hosted here"):
        memory.path().from_uri("file://elsewhere/a")


def test_home(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for text in ("~", "~/a/b", "a/~", "/~"):
        assert str(memory.path(text).expanduser()) == str(Path(text).expanduser())
    assert str(memory.path().home()) == str(Path.home())
    for kind in (Path, memory.path):
        with pytest.raises(RuntimeError):
            kind("~nobody_has_this_name/x").expanduser()


def test_without_a_user_of_that_number(memory: MemoryFileSystem) -> None:
    path = memory / "a"
    path.touch()
    memory.chown("/a", 4_000_000_000, 4_000_000_000)
    for question in (path.owner, path.group):
        with pytest.raises(KeyError):
            question()


class TestOnEachPython:
    """What only later Pythons have: here it is on all, and as there."""

    def test_walk(self, pair: Pair) -> None:
        root = pair.memory
        seen = []
        for path, directories, files in root.walk():
            seen.append(path.relative_to(root).as_posix())
            if path == root:
                assert {"to_sub", "loop"} < set(files)
                directories[:] = ["sub"]
        assert seen == [".", "sub", "sub/deep", "sub/deep/er"]
        assert [path.name for path, _, _ in (root / "sub").walk(top_down=False)] == [
            "er", "deep", "sub",
        ]  # fmt: skip

    def test_patterns(self, pair: Pair) -> None:
        def found(pattern: str, **options: bool) -> list[str]:
            paths = pair.memory.glob(pattern, **options)
            return sorted(str(path.relative_to(pair.memory)) for path in paths)

        assert found("sub/**") == [
            "sub", "sub/absolute", "sub/deep", "sub/deep/er", "sub/deep/er/z.tar.gz",
            "sub/deep/y.py", "sub/x.txt",
        ]  # fmt: skip
        assert found("s*/**/", recurse_symlinks=True) == [
            "sub", "sub/absolute", "sub/absolute/er", "sub/deep", "sub/deep/er",
        ]  # fmt: skip
        assert found(".*") == [".dot", ".hidden"]
        assert found("two.txt", case_sensitive=False) == ["Two.TXT"]
        assert found("**/deep/**/*.gz") == ["sub/deep/er/z.tar.gz"]
        for pattern, error in (("/a", NotImplementedError), ("", ValueError)):
            with pytest.raises(error):
                pair.memory.glob(pattern)
        with pytest.raises(NotImplementedError):
            pair.memory.rglob("/a")

    def test_what_matches_in_several_ways_is_found_once(self, memory: MemoryFileSystem) -> None:
        (memory / "a/a/a/b").mkdir(parents=True)
        found = sorted(str(path) for path in (memory / "").glob("**/a/**"))
        assert found == ["/a", "/a/a", "/a/a/a", "/a/a/a/b"]

    def test_resolve(self, pair: Pair) -> None:
        root = pair.memory
        assert (root / "through").resolve() == root / "sub/x.txt"
        assert (root / "loop/x").resolve() == root / "loop/x"
        assert (root / "missing/x").resolve() == root / "missing/x"
        assert root.fs.path("a/../b").resolve() == root.fs / "b"
        with pytest.raises(FileNotFoundError):
            (root / "broken").resolve(strict=True)
        with pytest.raises(OSError, match="symbolic links"):
            (root / "loop").resolve(strict=True)

    def test_questions(self, pair: Pair) -> None:
        root = pair.memory
        assert not (root / "to_file").is_file(follow_symlinks=False)
        assert not (root / "to_sub").is_dir(follow_symlinks=False)
        assert (root / "broken").exists(follow_symlinks=False)
        assert all_of((root / "to_sub").info) == [True, False, True, True, True, False, False]
        assert not root.is_junction()
        assert not root.is_reserved()
        assert root.fs.path("/").is_mount()
        (root / "to_root").symlink_to("/")
        assert not (root / "to_root").is_mount()

    def test_directories_above_with_a_mode(self, memory: MemoryFileSystem) -> None:
        (memory / "a/b/c").mkdir(0o711, parents=True, parent_mode=0o700)
        modes = [(memory / place).stat().st_mode & 0o777 for place in ("a", "a/b", "a/b/c")]
        assert modes == [0o700, 0o700, 0o711]

    def test_directories_above_that_do_not_all_fit(self) -> None:
        fs = MemoryFileSystem(max_nodes=3)
        with pytest.raises(QuotaExceededError):
            (fs / "a/b/c").mkdir(parents=True)
        assert fs.listdir() == []


class TestItsPlace:
    def test_a_relative_path_begins_at_the_root(self, memory: MemoryFileSystem) -> None:
        path = memory.path("a/b")
        path.mkdir(parents=True)
        assert memory.is_dir("/a/b")
        assert not path.is_absolute()
        assert path.absolute() == memory.path("/a/b")
        assert memory.path().cwd() == memory.path("/")
        assert list(memory.path().iterdir()) == [memory.path("a")]
        assert list(memory.path().glob("**/b")) == [path]
        assert [str(top) for top, _, _ in memory.path().walk()] == [".", "a", "a/b"]

    def test_it_knows_its_file_system(self, memory: MemoryFileSystem) -> None:
        assert memory.path("a").fs is memory
        assert repr(memory / "a") == "MemoryPath('/a')"

    def test_all_that_changes_it_is_seen_by_others(self, memory: MemoryFileSystem) -> None:
        path = memory / "a"
        path.write_bytes(b"12")
        assert memory.read_bytes("/a") == b"12"
        memory.write_bytes("/a", b"3")
        assert path.read_bytes() == b"3"

    def test_a_quota_names_the_path(self) -> None:
        fs = MemoryFileSystem(max_quota=10)
        with pytest.raises(QuotaExceededError) as caught:
            (fs / "a").write_bytes(bytes(11))
        assert caught.value.filename == "/a"

    def test_another_file_system_is_another_device(self, memory: MemoryFileSystem) -> None:
        path, elsewhere = memory / "a", MemoryFileSystem() / "b"
        path.touch()
        for call in (path.rename, path.replace, elsewhere.hardlink_to):
            with pytest.raises(OSError, match="cross-device") as caught:
                call(path if call == elsewhere.hardlink_to else elsewhere)
            assert (caught.value.filename, caught.value.filename2) == ("/a", "/b")
        with pytest.raises(OSError, match="cross-device"):
            path.rename(Path("/tmp/b"))

    def test_times(self, memory: MemoryFileSystem) -> None:
        path = memory / "a"
        path.touch()
        memory.utime("/a", ns=TIMES)
        path.touch()
        assert path.stat().st_mtime_ns > TIMES[1]

    def test_faults_reach_it(self, memory: MemoryFileSystem) -> None:
        (memory / "a").touch()
        with memory.fail("read", "a"), pytest.raises(OSError, match="Input/output error"):
            (memory / "a").read_bytes()


class TestOfOneThatIs:
    """Of a file system that is attached, mounted or closed."""

    def test_attached(self, memory: MemoryFileSystem) -> None:
        other = MemoryFileSystem.from_tree({"a": {"file": "inside"}, "to_a": Link("/a")})
        memory.attach("/mnt/other", other)
        top = memory / "mnt"
        assert [str(path) for path in top.rglob("file")] == ["/mnt/other/a/file"]
        assert [str(path) for path, _, _ in top.walk()] == ["/mnt", "/mnt/other", "/mnt/other/a"]
        assert (top / "other").is_mount()
        assert not top.is_mount()
        assert (top / "other/to_a/file").resolve() == top / "other/a/file"
        assert (top / "other/to_a/file").samefile(other / "a/file")
        (top / "other/a").copy(memory / "copy", preserve_metadata=True)
        assert (memory / "copy/file").read_bytes() == b"inside"
        with pytest.raises(OSError, match="cross-device"):
            (memory / "copy/file").rename(top / "other/file")
        (memory / "copy/file").copy(other / "file")
        (other / "file").move(top / "file")
        assert not (other / "file").exists()
        memory.detach("/mnt/other")
        other.close()

    @needs_mounts
    def test_mounted(self, memory: MemoryFileSystem) -> None:
        (memory / "a").mkdir()
        with memory.mount("/mem"):
            Path("/mem/link").symlink_to("/mem/a")
            Path("/mem/away").symlink_to("/etc")
            assert (memory / "link/x").resolve() == memory / "a/x"
            assert (memory / "away/x").resolve() == memory / "away/x"
            assert (memory / "link").is_dir()

    def test_closed(self) -> None:
        fs = MemoryFileSystem.from_tree({"a": "1"})
        path = fs / "a"
        fs.close()
        assert not path.exists()
        assert not path.info.exists()
        for call in (path.read_bytes, path.touch, path.stat, lambda: list(path.parent.iterdir())):
            with pytest.raises(ValueError, match="closed"):
                call()


def test_a_pattern_of_many_parts(memory: MemoryFileSystem) -> None:
    deep = memory.path("/", *["d"] * 1500)
    deep.mkdir(parents=True)
    pattern = "/".join(["d"] * 1500)
    assert list((memory / "").glob(pattern)) == [deep]
    assert list((memory / "").glob(f"{pattern}/missing")) == []


def test_warnings_of_encodings_name_who_called(tmp_path: Path) -> None:
    """As those of `pathlib`, from each method that takes an encoding."""
    import subprocess

    program = tmp_path / "program.py"
    program.write_text(
        "import warnings\n"
        "from dmemfs import MemoryFileSystem\n"
        "path = MemoryFileSystem() / 'a'\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    path.write_text('x')\n"
        "    path.read_text()\n"
        "    path.open().close()\n"
        "print([(each.category.__name__, each.lineno) for each in caught])\n",
        encoding="utf-8",
    )
    run = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", str(program)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert eval(run.stdout) == [("EncodingWarning", line) for line in (6, 7, 8)]


# --- nothing is left out --------------------------------------------------------------------------

GONE = {
    "link_to": "deprecated, and no more there from Python 3.12 on",
}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_every_name_of_pathlib_is_here() -> None:
    assert public(Path) - public(MemoryPath) - GONE.keys() == set()
    assert public(MemoryPath) - public(Path) - _of_later_pythons() == {"fs"}


def _of_later_pythons() -> set[str]:
    later = """
        copy copy_into from_uri full_match info is_junction is_reserved move move_into parser walk
        with_segments
    """
    return set(later.split())


CLASS_METHODS = {"cwd", "from_uri", "home"}
"""They are methods here: a class knows no file system."""


def parameters_of(kind: type) -> Iterator[tuple[str, str]]:
    import inspect

    for name in sorted(public(kind) - {"parser"}):
        member = getattr(kind, name)
        if callable(member):
            for parameter in inspect.signature(member).parameters.values():
                if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                    yield name, parameter.name


def test_every_parameter_of_pathlib_is_here() -> None:
    theirs, ours = set(parameters_of(Path)), set(parameters_of(MemoryPath))
    # In older ones their names differ: rglob(pattern), match(path_pattern) and the like.
    missing = {each for each in theirs - ours if each[0] not in GONE and each[1] != "self"}
    if sys.version_info >= (3, 13):
        assert missing == set()
    else:
        assert {name for name, _ in missing} <= {"relative_to", "is_relative_to", "samefile"} | {
            "joinpath", "rename", "replace", "match",
        }  # fmt: skip
