"""dmemfs.testing: file systems that pass, defects that are found, and what is said of them."""

from __future__ import annotations

import ast
import errno
import itertools
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dmemfs.testing
from dmemfs import Link, MemoryFileSystem
from dmemfs.testing import (
    CHECKS,
    ConformanceError,
    check_filesystem,
    check_read_only_filesystem,
)
from tests.support.defective_filesystems import (
    FOUND_BY,
    AppendsWhereTheEndWas,
    HandleDiesWithItsName,
    LostFileName,
    LostSecondFileName,
    OpensRaw,
    TruncatesOneTooFew,
    WrongErrno,
)
from tests.support.differences import DIFFERENCES, EXCUSED_CHECKS
from tests.support.real_filesystem import RealFileSystem

PROJECT = Path(__file__).resolve().parents[2]
ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a real directory behaves as Linux has it there"
)


def with_history(fs: MemoryFileSystem) -> MemoryFileSystem:
    """Let something have been in a file system that is empty again."""
    fs.makedirs("/former/sub")
    fs.write_bytes("/former/file", b"former")
    fs.symlink("former", "/link")
    fs.rmtree("/former")
    fs.remove("/link")
    return fs


def with_quotas() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=16 << 20, max_nodes=5000)
    fs.set_quota("/", 8 << 20, max_nodes=2000)
    return fs


def restored() -> MemoryFileSystem:
    fs = MemoryFileSystem()
    empty = fs.snapshot()
    fs.makedirs("/a/b")
    fs.write_bytes("/a/file", b"content")
    fs.restore(empty)
    return fs


def watched() -> MemoryFileSystem:
    """Return a file system with a snapshot, for which every change has to be kept."""
    fs = with_history(MemoryFileSystem())
    fs.kept = fs.snapshot()  # type: ignore[attr-defined]
    return fs


KINDS: dict[str, Callable[[], MemoryFileSystem]] = {
    "new": lambda: MemoryFileSystem(max_quota=None),
    "quotas": with_quotas,
    "clone": lambda: with_history(MemoryFileSystem()).clone(),
    "restored snapshot": restored,
    "clone of a restored snapshot": lambda: restored().clone(),
    "with a snapshot": watched,
}


def findings(check: Callable[..., None], make: Callable[..., Any], **keywords: Any) -> Any:
    """Return the misbehaviours that a check reports."""
    with pytest.raises(ConformanceError) as caught:
        check(make, **keywords)
    return caught.value


def only(*names: str) -> dict[str, str]:
    """Return what to exclude so that just these checks are left."""
    others = (name for name in CHECKS if name not in names and not name.startswith("has_"))
    return dict.fromkeys(others, "it is not asked for in this test")


# --- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_memory(kind: str) -> None:
    made: list[MemoryFileSystem] = []

    def make() -> MemoryFileSystem:
        made.append(KINDS[kind]())
        return made[-1]

    check_filesystem(make)
    assert len(made) > 150
    made[-1]._check()


def numbered(root: Path) -> Callable[[], RealFileSystem]:
    """Return a maker of file systems that are new directories in `root`."""
    numbers = itertools.count()

    def make() -> RealFileSystem:
        directory = root / str(next(numbers))
        directory.mkdir()
        return RealFileSystem(directory)

    return make


@ON_LINUX
def test_real_directory(tmp_path: Path) -> None:
    check_filesystem(numbered(tmp_path), exclude=EXCUSED_CHECKS)


def test_mounted() -> None:
    with MemoryFileSystem().mount("/conformance") as mount:
        check_filesystem(numbered(Path(mount)), exclude=EXCUSED_CHECKS)


@ON_LINUX
def test_excuses_are_needed(tmp_path: Path) -> None:
    error = findings(check_filesystem, numbered(tmp_path), exclude=only(*EXCUSED_CHECKS))
    needless = {"errors_of_utime"} if sys.version_info >= (3, 13) else set()
    assert {found.check for found in error.misbehaviours} == set(EXCUSED_CHECKS) - needless


def test_files_made_of_what_io_has() -> None:
    """The files of MemoryFileSystem are no measure: others may be put together otherwise."""
    check_filesystem(OpensRaw)


def test_snapshot() -> None:
    check_read_only_filesystem(
        lambda tree: MemoryFileSystem.from_tree(tree).snapshot(),
        exclude={
            "has_access": "a snapshot is read, and there is nothing else to be had",
            "has_statvfs": "it has no space of its own",
        },
    )


def test_directory_of_the_disk_shown_read_only(tmp_path: Path) -> None:
    numbers = itertools.count()

    def make(tree: dict[str, Any]) -> RealFileSystem:
        name = f"tree{next(numbers)}"
        fill(tmp_path / name, tree, root=f"/conformance/{name}")
        shown.add_real(tmp_path / name, f"/{name}")
        return RealFileSystem(f"/conformance/{name}")

    shown = MemoryFileSystem()
    with shown.mount("/conformance"):
        check_read_only_filesystem(make, exclude=EXCUSED_CHECKS)


def fill(directory: Path, tree: dict[str, Any], *, root: str) -> None:
    """Make a tree in a new real directory, which will be seen as `root`."""
    directory.mkdir()
    for name, value in tree.items():
        if isinstance(value, Link):
            absolute = value.target.startswith("/")
            (directory / name).symlink_to(root + value.target if absolute else value.target)
        elif isinstance(value, dict):
            fill(directory / name, value, root=root)
        else:
            (directory / name).write_bytes(value)


# --- what is found --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOUND_BY, ids=lambda kind: kind.__name__)
def test_defect_is_found(kind: type[MemoryFileSystem]) -> None:
    name = FOUND_BY[kind]
    check_filesystem(lambda: MemoryFileSystem(max_quota=None), exclude=only(name))
    error = findings(check_filesystem, kind, exclude=only(name))
    assert {found.check for found in error.misbehaviours} == {name}
    assert f"\n{name}:\n" in str(error)


class SeveralDefects(
    WrongErrno, LostSecondFileName, HandleDiesWithItsName, TruncatesOneTooFew, AppendsWhereTheEndWas
):
    """All of these at once."""


def test_several_defects_are_reported_at_once() -> None:
    error = findings(check_filesystem, SeveralDefects)
    found = {one.check for one in error.misbehaviours}
    assert found >= {FOUND_BY[kind] for kind in SeveralDefects.__bases__}
    assert len(found) < 30  # of 196: the others are as they were
    for one in error.misbehaviours:
        assert f"    {one.call}: expected {one.expected}, got {one.got}" in str(error)


def test_a_check_goes_on_after_what_it_has_found() -> None:
    error = findings(check_filesystem, LostFileName, exclude=only("errors_of_open_for_reading"))
    assert len(error.misbehaviours) > 10
    first = error.misbehaviours[0]
    assert first.check == "errors_of_open_for_reading"
    assert first.call == "open('', 'rb')"
    assert first.expected == "FileNotFoundError (ENOENT) naming ''"
    assert first.got == "FileNotFoundError (ENOENT) naming no file"


def hostile(act: Callable[..., Any]) -> Callable[[], Any]:
    """Return a maker of objects all of whose methods do the same."""

    class Hostile:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            if name.startswith("_"):
                raise AttributeError(name)
            return act

    return Hostile


def raises_lookup_error(*_: Any, **__: Any) -> Any:
    raise LookupError("nothing works today")


def raises_eio(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EIO, "nothing works today", "/elsewhere")


@pytest.mark.parametrize("act", [raises_lookup_error, raises_eio, lambda *_, **__: None])
def test_every_check_can_fail(act: Callable[..., Any]) -> None:
    """Where nothing works, each check says so, and none of them breaks down."""
    found = {one.check for one in findings(check_filesystem, hostile(act)).misbehaviours}
    checks = {name for name in CHECKS if not name.startswith("has_")}
    assert checks - found <= {"changes_are_refused"}  # that is for those which are read-only


def test_changes_of_read_only_ones_are_found() -> None:
    error = findings(check_read_only_filesystem, MemoryFileSystem.from_tree)
    assert {one.check for one in error.misbehaviours} == {"changes_are_refused"}
    first = error.misbehaviours[0]
    assert (first.call, first.expected) == (
        "open('/file', 'wb')",
        "OSError (EROFS) naming '/file'",
    )


# --- what is left out -----------------------------------------------------------------------------


class WithoutLinks:
    """Has nothing but what is needed for directories and files."""

    def __init__(self) -> None:
        self._fs = MemoryFileSystem(max_quota=None)

    def __getattr__(self, name: str) -> Any:
        if name in ("link", "symlink", "readlink"):
            raise AttributeError(name)
        return getattr(self._fs, name)


def test_each_missing_method_is_reported_once() -> None:
    error = findings(check_filesystem, WithoutLinks)
    found = [one.check for one in error.misbehaviours]
    assert found == ["has_readlink", "has_link", "has_symlink"]
    assert str(error).startswith("misbehaviours: 3, found by checks: 3\nhas_readlink:\n")


def test_missing_methods_can_be_left_out() -> None:
    reason = "objects in a bucket have one name each"
    without = {f"has_{name}": reason for name in ("link", "symlink", "readlink")}
    check_filesystem(WithoutLinks, exclude=without)


class RefusesLinks(MemoryFileSystem):
    def symlink(self, src: Any, dst: Any, target_is_directory: bool = False) -> None:
        raise NotImplementedError("no links here")


def test_methods_that_are_there_can_be_left_out() -> None:
    check_filesystem(RefusesLinks, exclude={"has_symlink": "there are no links here"})


def test_checks_can_be_left_out() -> None:
    reason = "its users know ENOTDIR since long ago"
    names = ("errors_of_rmdir", "rmdir_removes_what_is_empty")
    check_filesystem(WrongErrno, exclude=dict.fromkeys(names, reason))


def test_exclusions_have_a_known_name_and_a_reason() -> None:
    with pytest.raises(ValueError, match="did you mean 'errors_of_stat'"):
        check_filesystem(MemoryFileSystem, exclude={"error_of_stat": "a reason"})
    with pytest.raises(ValueError, match="CHECKS has their names"):
        check_filesystem(MemoryFileSystem, exclude={"?": "a reason"})
    with pytest.raises(ValueError, match="say why"):
        check_read_only_filesystem(lambda tree: None, exclude={"errors_of_stat": " "})


def test_one_object_cannot_be_checked_again_and_again() -> None:
    fs = MemoryFileSystem()
    with pytest.raises(ValueError, match="one object twice"):
        check_filesystem(lambda: fs)


def test_errors_of_the_maker_are_its_own() -> None:
    def make() -> Any:
        raise ConnectionRefusedError("the server sleeps")

    with pytest.raises(ConnectionRefusedError):
        check_filesystem(make)


# --- the checks themselves ------------------------------------------------------------------------


def test_excuses_are_checks() -> None:
    assert set(EXCUSED_CHECKS) <= set(CHECKS)
    assert all(entry.reason for entry in DIFFERENCES)


def test_checks_say_what_they_expect() -> None:
    for name, summary in CHECKS.items():
        assert name.isidentifier()
        assert summary.endswith(".")
        assert len(summary) > 20
    assert len(CHECKS) > 180


def test_no_check_stands_alone_in_its_module() -> None:
    """A check that is in no module that the suite knows, or is there twice, would not be run."""
    checks = Path(dmemfs.testing.__file__).parent / "_checks"
    named = [
        statement.name
        for path in checks.glob("*.py")
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.FunctionDef)
        and any(ast.unparse(one).startswith("check") for one in statement.decorator_list)
    ]
    assert named
    assert len(named) == len(set(named))
    assert set(named) <= set(CHECKS)


def test_errors_can_be_sent_to_other_processes() -> None:
    error = findings(check_filesystem, WrongErrno, exclude=only("errors_of_rmdir"))
    again = pickle.loads(pickle.dumps(error))
    assert again.misbehaviours == error.misbehaviours
    assert str(again) == str(error)
    assert isinstance(error, AssertionError)  # a failure to pytest and unittest, not an error


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from dmemfs import MemoryFileSystem, testing
testing.check_filesystem(MemoryFileSystem)
print(*sys.modules)
"""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code, str(PROJECT)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    roots = {name.split(".")[0] for name in run.stdout.split()}
    assert roots - sys.stdlib_module_names - {"__main__"} == {"dmemfs"}
