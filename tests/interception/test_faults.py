"""Injected faults: `MemoryFileSystem.fail`."""

from __future__ import annotations

import errno
import gc
import threading
from collections.abc import Callable
from typing import Any, get_args

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs._interception.asking import Operation

TREE: dict[str, Any] = {
    "a.db": "0123456789",
    "b.txt": "text",
    "dir": {"c.db": "inner", "deep": {"d.db": "deep"}},
    "empty": {},
}


@pytest.fixture
def fs() -> Any:
    filesystem = MemoryFileSystem.from_tree(TREE)
    yield filesystem
    filesystem._check()


def call(method: str, *arguments: Any, **named: Any) -> Callable[[Any], Any]:
    return lambda fs: getattr(fs, method)(*arguments, **named)


def put(fs: MemoryFileSystem) -> None:
    with fs.open("/a.db", "r+b", buffering=0) as file:
        file.write(b"new")


def get(fs: MemoryFileSystem) -> bytes:
    with fs.open("/a.db", "rb") as file:
        content: bytes = file.read()
        return content


def cut(fs: MemoryFileSystem) -> None:
    with fs.open("/a.db", "r+b") as file:
        file.truncate(3)


CALLS: list[tuple[str, Callable[[Any], Any]]] = [
    ("open", call("open", "/a.db")),
    ("open", call("open", "/a.db", "w")),
    ("open", call("open", "/a.db", "r+b", 0, lock="exclusive")),
    ("open", call("read_bytes", "/a.db")),
    ("open", call("read_text", "/a.db")),
    ("open", call("write_bytes", "/a.db", b"new")),
    ("open", call("write_text", "/a.db", "new")),
    ("open", call("export_as_bytesio", "/a.db")),
    ("open", call("copy", "/a.db", "/new")),
    ("open", call("copy", "/b.txt", "/a.db")),
    ("open", call("import_tree", {"/x/y": b"1", "/a.db": b"2"})),
    ("read", call("read_bytes", "/a.db")),
    ("read", get),
    ("read", call("copy", "/a.db", "/new")),
    ("write", call("write_bytes", "/a.db", b"new")),
    ("write", put),
    ("write", call("copy", "/b.txt", "/a.db")),
    ("write", call("import_tree", {"/x/y": b"1", "/a.db": b"2"})),
    ("truncate", call("truncate", "/a.db", 3)),
    ("truncate", cut),
    ("mkdir", call("mkdir", "/a.db")),
    ("rmdir", call("rmdir", "/a.db")),
    ("rmtree", call("rmtree", "/a.db")),
    ("remove", call("remove", "/a.db")),
    ("remove", call("unlink", "/a.db")),
    ("rename", call("rename", "/a.db", "/new")),
    ("rename", call("rename", "/b.txt", "/a.db")),
    ("rename", call("replace", "/a.db", "/new")),
    ("rename", call("move", "/a.db", "/x/y/new")),
    ("link", call("link", "/a.db", "/new")),
    ("symlink", call("symlink", "anywhere", "/a.db")),
    ("readlink", call("readlink", "/a.db")),
    ("stat", call("stat", "/a.db")),
    ("stat", call("lstat", "/a.db")),
    ("stat", call("get_size", "/a.db")),
    ("listdir", call("listdir", "/a.db")),
    ("listdir", call("scandir", "/a.db")),
    ("chmod", call("chmod", "/a.db", 0o600)),
    ("chown", call("chown", "/a.db", 1, 1)),
    ("utime", call("utime", "/a.db")),
    ("copy_tree", call("copy_tree", "/dir", "/a.db")),
]


@pytest.mark.parametrize(("op", "operate"), CALLS)
@pytest.mark.parametrize("snapshot", [False, True])
def test_what_fails_has_changed_nothing(
    fs: MemoryFileSystem, op: Any, operate: Callable[[Any], Any], snapshot: bool
) -> None:
    kept = fs.snapshot() if snapshot else None
    with fs.fail(op, "/a.db", errno.EREMOTEIO) as fault:
        with pytest.raises(OSError) as caught:
            operate(fs)
        assert fault.failures == 1
    assert caught.value.errno == errno.EREMOTEIO
    assert "/a.db" in (caught.value.filename, caught.value.filename2)
    assert fs.to_tree() == TREE
    fs._check()
    if kept is not None:
        assert kept.diff() == ({}, {}, {})
        kept.close()


def test_every_operation_is_tried_above() -> None:
    with pytest.raises(ValueError, match="op must be") as caught:
        MemoryFileSystem().fail("fsck")  # type: ignore[arg-type]
    known = str(caught.value).partition("one of ")[2].partition(", not")[0].split(", ")
    assert {op for op, _ in CALLS} == set(known)
    assert set(get_args(Operation)) == set(known)
    fail = MemoryFileSystem.fail.__doc__ or ""
    assert all(name in fail for name in known)


@pytest.mark.parametrize(("op", "operate"), CALLS)
def test_all_operations_fail_together(
    fs: MemoryFileSystem, op: str, operate: Callable[[Any], Any]
) -> None:
    with fs.fail(error=errno.EIO), pytest.raises(OSError) as caught:
        operate(fs)
    assert caught.value.errno == errno.EIO
    assert fs.to_tree() == TREE


# --- how often ------------------------------------------------------------------------------------


def outcomes(fs: MemoryFileSystem, count: int) -> str:
    """Return which of so many questions succeed (.) and fail (F)."""
    found = ""
    for _ in range(count):
        try:
            fs.stat("/a.db")
            found += "."
        except OSError:
            found += "F"
    return found


@pytest.mark.parametrize(
    ("after", "times", "expected"),
    [
        (0, None, "FFFFFF"),
        (0, 1, "F....."),
        (3, 1, "...F.."),
        (3, None, "...FFF"),
        (2, 2, "..FF.."),
        (0, 0, "......"),
        (9, 1, "......"),
    ],
)
def test_after_so_many_so_many_fail(
    fs: MemoryFileSystem, after: int, times: int | None, expected: str
) -> None:
    with fs.fail("stat", after=after, times=times) as fault:
        assert outcomes(fs, 6) == expected
        assert fault.calls == 6
        assert fault.failures == expected.count("F")
    assert outcomes(fs, 2) == ".."


def test_what_it_is_not_about_does_not_count(fs: MemoryFileSystem) -> None:
    with fs.fail("stat", "*.db", after=1) as fault:
        fs.stat("/b.txt")
        fs.read_bytes("/a.db")
        fs.stat("/a.db")
        assert fault.calls == 1
        with pytest.raises(OSError):
            fs.stat("/a.db")


def test_several_faults_count_each_for_itself(fs: MemoryFileSystem) -> None:
    first = fs.fail("stat", error=errno.EIO, after=1, times=1)
    second = fs.fail("*", error=errno.EACCES, after=2, times=1)
    codes = []
    for _ in range(5):
        try:
            fs.stat("/a.db")
            codes.append(0)
        except OSError as error:
            codes.append(error.errno or 0)
    # What the first one lets fail does not reach the second.
    assert codes == [0, errno.EIO, 0, errno.EACCES, 0]
    first.close()
    first.close()
    assert (first.closed, second.closed) == (True, False)
    assert outcomes(fs, 2) == ".."
    second.close()
    assert type(fs) is MemoryFileSystem


def test_threads_are_counted_exactly(fs: MemoryFileSystem) -> None:
    failed = []

    def ask() -> None:
        for _ in range(200):
            try:
                fs.stat("/a.db")
            except OSError:
                failed.append(1)

    with fs.fail("stat", after=300, times=100) as fault:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (fault.calls, fault.failures, len(failed)) == (800, 100, 100)


def test_composed_methods_count_what_they_are_made_of(fs: MemoryFileSystem) -> None:
    def count(op: Any, operate: Callable[[], Any]) -> int:
        with fs.fail(op, times=0) as fault:
            operate()
        return fault.calls

    assert count("mkdir", lambda: fs.makedirs("/x/y/z")) == 3
    assert count("mkdir", lambda: fs.mkdir("/x/1/2", parents=True)) == 2
    assert count("rename", lambda: fs.move("/b.txt", "/m/n/b.txt")) == 1
    assert count("listdir", lambda: list(fs.walk("/dir"))) == 2
    assert count("open", lambda: fs.import_tree({"/1": b"", "/2": b""})) == 2
    assert count("*", lambda: fs.read_text("/a.db")) == 2
    assert count("*", lambda: fs.write_text("/a.db", "x")) == 2
    assert count("truncate", lambda: fs.open("/a.db", "w").close()) == 0


def test_what_was_made_before_a_failure_is_taken_back_whatever_else_fails(
    fs: MemoryFileSystem,
) -> None:
    with fs.fail("rename"), fs.fail("rmdir"), fs.fail("remove"), pytest.raises(OSError):
        fs.move("/a.db", "/x/y/z")
    tree = {"/x/first": b"1", "/x/second": b"2"}
    with fs.fail("write", "second"), fs.fail("rmdir"), fs.fail("remove"), pytest.raises(OSError):
        fs.import_tree(tree)
    assert fs.to_tree() == TREE


# --- which paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (None, "a.db b.txt dir/c.db dir/deep/d.db"),
        ("*.db", "a.db dir/c.db dir/deep/d.db"),
        ("[ab].*", "a.db b.txt"),
        ("?.txt", "b.txt"),
        ("/*.db", "a.db"),
        ("/dir/*", "dir/c.db"),
        ("dir/*", "dir/c.db"),
        ("/dir/**", "dir/c.db dir/deep/d.db"),
        ("/**/*.db", "a.db dir/c.db dir/deep/d.db"),
        ("/**/deep/*", "dir/deep/d.db"),
        ("/*/*/*", "dir/deep/d.db"),
        (b"/a.db", "a.db"),
        ("A.DB", ""),
        ("/nothing", ""),
    ],
)
def test_patterns(fs: MemoryFileSystem, pattern: Any, expected: str) -> None:
    failed = []
    with fs.fail("stat", pattern):
        for path in ("a.db", "b.txt", "dir/c.db", "dir/deep/d.db"):
            try:
                fs.stat(path)
            except OSError:
                failed.append(path)
    assert failed == expected.split()


@pytest.mark.parametrize("path", ["a.db", "//a.db", "./dir/../a.db", b"/a.db"])
def test_paths_are_compared_in_one_spelling(fs: MemoryFileSystem, path: Any) -> None:
    with fs.fail("stat", "/a.db"), pytest.raises(OSError) as caught:
        fs.stat(path)
    assert caught.value.filename == path


def test_the_root_and_default_arguments(fs: MemoryFileSystem) -> None:
    with fs.fail("listdir", "/", errno.EACCES):
        with pytest.raises(PermissionError):
            fs.listdir()
        assert fs.listdir("/dir") == ["c.db", "deep"]


@pytest.mark.parametrize("path", [None, 1, "\0", ""])
def test_wrong_paths_have_their_own_errors(fs: MemoryFileSystem, path: Any) -> None:
    with pytest.raises((TypeError, ValueError, OSError)) as plain:
        fs.stat(path)
    with fs.fail("*", "/a.db"), pytest.raises(type(plain.value)) as caught:
        fs.stat(path)
    assert str(caught.value) == str(plain.value)


# --- file objects ---------------------------------------------------------------------------------


def test_file_objects_that_were_open_before(fs: MemoryFileSystem) -> None:
    with fs.open("/a.db", "r+b") as file, fs.open("/a.db") as text:
        with fs.fail("read", "/a.db", times=2):
            with pytest.raises(OSError):
                file.read()
            with pytest.raises(OSError):
                text.read()
            assert file.read() == b"0123456789"
            assert text.read() == "0123456789"
        with fs.fail("write", "/a.db", times=1):
            with pytest.raises(OSError):
                file.write(bytes(5000))
            assert file.tell() == 10
            assert file.write(b"more") == 4
    assert fs.read_bytes("/a.db") == b"0123456789more"


@pytest.mark.parametrize("buffering", [0, 16, -1])
def test_reads_count_when_they_reach_the_file_system(fs: MemoryFileSystem, buffering: int) -> None:
    with fs.open("/a.db", "rb", buffering) as file, fs.fail("read", times=0) as fault:
        for _ in range(5):
            file.read(1)
    assert fault.calls == (5 if buffering == 0 else 1 if buffering == 16 else 2)


def test_small_writes_fail_when_their_buffer_is_flushed(fs: MemoryFileSystem) -> None:
    with fs.open("/new", "wb", buffering=16) as file, fs.fail("write", times=1) as fault:
        assert file.write(b"small") == 5
        assert fault.calls == 0
        with pytest.raises(OSError) as caught:
            file.flush()
        assert caught.value.errno == errno.EIO
        file.flush()
    assert fs.read_bytes("/new") == b"small"


def test_text_that_cannot_be_written_fails_at_the_latest_when_closed(fs: MemoryFileSystem) -> None:
    with fs.fail("write", error=errno.ENOSPC):
        file = fs.open("/new", "w")
        with pytest.raises(OSError) as caught:
            file.write("text")
            file.close()
        assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="closed"):
        file.write("more")


def test_readinto_iteration_and_truncate(fs: MemoryFileSystem) -> None:
    file: Any
    with fs.open("/a.db", "r+b") as file:
        with fs.fail("read"):
            with pytest.raises(OSError):
                file.readinto(bytearray(4000))
            with pytest.raises(OSError):
                list(file)
        with fs.fail("truncate", "a.db"), pytest.raises(OSError):
            file.truncate(0)
        assert file.seek(0, 2) == 10


def test_a_file_is_known_by_its_path_of_now(fs: MemoryFileSystem) -> None:
    with fs.open("/dir/../a.db", "rb") as file:
        fs.rename("/a.db", "/dir/moved")
        with fs.fail("read", "/a.db"):
            file.read()
        with fs.fail("read", "/dir/moved") as fault:
            for _ in range(2):
                with pytest.raises(OSError):
                    file.read()
            fs.rename("/dir/moved", "/again")
            file.read()
            assert fault.failures == 2
        fs.remove("/again")
        with fs.fail("read", "/dir/../a.db", times=0) as fault:
            file.read()
            assert fault.calls == 0
        with fs.fail("read", times=1), pytest.raises(OSError):
            file.read()


def test_closed_files_say_that_they_are_closed(fs: MemoryFileSystem) -> None:
    file = fs.open("/a.db", "rb")
    file.close()
    with fs.fail(), pytest.raises(ValueError, match="closed"):
        file.read()


# --- errors ---------------------------------------------------------------------------------------


def test_an_errno_gives_the_error_of_the_system(fs: MemoryFileSystem) -> None:
    with fs.fail("open", error=errno.EACCES), pytest.raises(PermissionError) as caught:
        fs.open("/a.db")
    error = caught.value
    assert (error.errno, error.strerror, error.filename) == (13, "Permission denied", "/a.db")


@pytest.mark.parametrize(
    "error", [TimeoutError("too slow"), KeyboardInterrupt(), MemoryError(), ValueError("x")]
)
def test_an_exception_is_raised_itself(fs: MemoryFileSystem, error: BaseException) -> None:
    with fs.fail("stat", error=error):
        for _ in range(2):
            with pytest.raises(type(error)) as caught:
                fs.stat("/a.db")
            assert caught.value is error


def test_a_quota_that_is_exceeded_can_be_injected(fs: MemoryFileSystem) -> None:
    error = QuotaExceededError(10, 0, 100, path="/a.db")
    with fs.fail("write", error=error), pytest.raises(QuotaExceededError):
        fs.write_bytes("/a.db", b"1")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"op": "close"}, ValueError),
        ({"error": 0}, ValueError),
        ({"error": "EIO"}, TypeError),
        ({"error": OSError}, TypeError),
        ({"after": -1}, ValueError),
        ({"times": -1}, ValueError),
        ({"times": 1.5}, TypeError),
    ],
)
def test_wrong_arguments(fs: MemoryFileSystem, arguments: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        fs.fail(**arguments)
    assert type(fs) is MemoryFileSystem


def test_an_error_that_is_kept_holds_no_space(fs: MemoryFileSystem) -> None:
    kept = []
    fs.remove("/b.txt")
    before = fs.stats()["used_bytes"]
    for op in ("read", "write", "truncate"):
        fs.write_bytes("/large", bytes(1000))
        with fs.fail(op, times=1):
            for operate in (
                lambda: fs.read_bytes("/large"),
                lambda: fs.write_bytes("/large", b"1"),
                lambda: fs.truncate("/large", 1),
            ):
                try:
                    operate()
                except OSError as error:
                    kept.append(error)
        fs.remove("/large")
        assert fs.stats()["used_bytes"] == before
    assert len(kept) == 3


# --- what it costs, and what it leaves ------------------------------------------------------------


def test_only_the_methods_in_question_are_others_and_only_meanwhile(fs: MemoryFileSystem) -> None:
    with fs.fail("write"):
        assert isinstance(fs, MemoryFileSystem)
        assert repr(fs).startswith("<MemoryFileSystem at")
        assert type(fs).stat is MemoryFileSystem.stat
        assert type(fs).open is MemoryFileSystem.open
        assert type(fs)._read is MemoryFileSystem._read
        assert type(fs)._write is not MemoryFileSystem._write
    assert type(fs) is MemoryFileSystem


def test_methods_that_were_handed_out_go_on(fs: MemoryFileSystem) -> None:
    with fs.fail("stat", times=0) as fault:
        stat, clone = fs.stat, fs.clone()
        stat("/a.db")
        assert fault.calls == 1
    assert stat("/a.db").st_size == 10
    assert type(clone) is MemoryFileSystem
    assert clone.to_tree() == TREE


def test_other_file_systems_do_not_fail(fs: MemoryFileSystem) -> None:
    other = MemoryFileSystem.from_tree(TREE)
    with fs.fail(), other.open("/a.db", "rb") as file:
        assert file.read() == b"0123456789"


def test_a_file_system_that_goes_with_its_faults_leaves_nothing() -> None:
    other = MemoryFileSystem.from_tree(TREE)
    fault = other.fail("read")
    del other
    gc.collect()
    assert fault.failures == 0
    fs = MemoryFileSystem.from_tree(TREE)
    assert get(fs) == b"0123456789"


def test_classes_of_ones_own_keep_their_methods() -> None:
    class Own(MemoryFileSystem):
        def stat(self, path: Any, *, follow_symlinks: bool = True) -> Any:
            return "own"

        def added(self) -> str:
            return "added"

    fs: Any = Own.from_tree(TREE)
    with fs.fail("stat", "/a.db") as fault:
        assert fs.added() == "added"
        assert fs.stat("/b.txt") == "own"
        with pytest.raises(OSError):
            fs.stat("/a.db")
        assert fault.failures == 1
        assert isinstance(fs.clone(), Own)
    assert type(fs) is Own


def test_snapshots_go_on_under_faults(fs: MemoryFileSystem) -> None:
    with fs.fail(), fs.snapshot() as snapshot:
        assert snapshot.read_text("/b.txt") == "text"
        fs.restore(snapshot)
    with fs.rollback(), fs.fail("write", after=1):
        fs.write_bytes("/b.txt", b"1")
        with pytest.raises(OSError):
            fs.write_bytes("/a.db", b"2")
    assert fs.to_tree() == TREE
