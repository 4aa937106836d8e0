"""What differs between two states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import Difference, MemoryFileSystem
from tests.support.comparison import outcome
from tests.support.snapshot_states import BLOCK, CHANGES, LARGE, difference_between, state_of

WHOLE = b"written in one piece"
LARGE_SIZE = LARGE + 2 * BLOCK


def same_difference(found: Difference, wanted: Difference) -> None:
    """Check names, sizes and the order of the paths."""
    assert found == wanted
    for name in ("added", "removed", "changed"):
        assert list(getattr(found, name)) == list(getattr(wanted, name)), name


@pytest.mark.parametrize("name", CHANGES)
class TestEveryChange:
    """Compared with two trees that were read in full."""

    def test_to_the_present(self, built: MemoryFileSystem, name: str) -> None:
        before = state_of(built)
        with built.snapshot() as snap:
            CHANGES[name](built)
            same_difference(snap.diff(), difference_between(before, state_of(built)))

    def test_between_snapshots(self, built: MemoryFileSystem, name: str) -> None:
        before = state_of(built)
        with built.snapshot() as older:
            CHANGES[name](built)
            after = state_of(built)
            with built.snapshot() as newer:
                CHANGES["everything"](built)
                same_difference(older.diff(newer), difference_between(before, after))
                same_difference(newer.diff(older), difference_between(after, before))
                built.restore(older)
                same_difference(older.diff(newer), difference_between(before, after))
                same_difference(newer.diff(), difference_between(after, before))

    def test_after_a_restore_there_is_none(self, built: MemoryFileSystem, name: str) -> None:
        with built.snapshot() as snap:
            CHANGES[name](built)
            built.restore(snap)
            assert snap.diff() == Difference({}, {}, {})


# What is changed, and what the difference is then.
CASES: list[tuple[str, Callable[[Any], object], Difference]] = [
    (
        "a new file",
        lambda fs: fs.write_bytes("/new", b"1234"),
        Difference({"/new": 4}, {}, {}),
    ),
    (
        "a new directory with a link in it",
        lambda fs: (fs.mkdir("/d"), fs.symlink("12345", "/d/link")),
        Difference({"/d": 0, "/d/link": 5}, {}, {}),
    ),
    ("a removed file", lambda fs: fs.remove("/pieces"), Difference({}, {"/pieces": 18}, {})),
    ("a removed link", lambda fs: fs.remove("/broken"), Difference({}, {"/broken": 7}, {})),
    (
        "another content",
        lambda fs: fs.write_bytes("/pieces", b"12"),
        Difference({}, {}, {"/pieces": (18, 2)}),
    ),
    (
        "another content of the same length",
        lambda fs: fs.write_bytes("/pieces", b"x" * 18),
        Difference({}, {}, {"/pieces": (18, 18)}),
    ),
    (
        "a file of two names",
        lambda fs: fs.write_bytes("/whole", b"12"),
        Difference({}, {}, {"/tree/link": (20, 2), "/whole": (20, 2)}),
    ),
    (
        "another mode",
        lambda fs: fs.chmod("/hollow", 0o700),
        Difference({}, {}, {"/hollow": (0, 0)}),
    ),
    ("another owner", lambda fs: fs.chown("/empty", 5, 5), Difference({}, {}, {"/empty": (0, 0)})),
    (
        "another target of a link",
        lambda fs: (fs.remove("/broken"), fs.symlink("12", "/broken")),
        Difference({}, {}, {"/broken": (7, 2)}),
    ),
    (
        "another kind",
        lambda fs: (fs.remove("/pieces"), fs.mkdir("/pieces")),
        Difference({}, {}, {"/pieces": (18, 0)}),
    ),
    (
        "a renamed directory",
        lambda fs: fs.rename("/tree/sub/deep", "/deep"),
        Difference(
            {"/deep": 0, "/deep/three": 3}, {"/tree/sub/deep": 0, "/tree/sub/deep/three": 3}, {}
        ),
    ),
    ("times alone", lambda fs: fs.utime("/pieces", (1, 2)), Difference({}, {}, {})),
    ("names in another order", lambda fs: _rename_there_and_back(fs), Difference({}, {}, {})),
    ("the same content anew", lambda fs: fs.write_bytes("/whole", WHOLE), Difference({}, {}, {})),
    (
        "a block written as it was",
        lambda fs: _write(fs, "/large", BLOCK, b"B" * BLOCK),
        Difference({}, {}, {}),
    ),
    (
        "the same content as another file",
        lambda fs: (fs.remove("/whole"), fs.write_bytes("/whole", WHOLE)),
        Difference({}, {}, {}),
    ),
    (
        "one byte of a large file",
        lambda fs: _write(fs, "/copy", LARGE, b"#"),
        Difference({}, {}, {"/copy": (LARGE_SIZE, LARGE_SIZE)}),
    ),
    (
        "zeros in a hole",
        lambda fs: _write(fs, "/sparse", 2 * BLOCK, bytes(BLOCK)),
        Difference({}, {}, {}),
    ),
    (
        "a hole instead of an end",
        lambda fs: fs.truncate("/sparse", 6 * BLOCK),
        Difference({}, {}, {"/sparse": (5 * BLOCK + 13, 6 * BLOCK)}),
    ),
    (
        "the mode of the root",
        lambda fs: fs.chmod("/", 0o700),
        Difference({}, {}, {"/": (0, 0)}),
    ),
]


def _rename_there_and_back(fs: Any) -> None:
    fs.rename("/pieces", "/aside")
    fs.rename("/aside", "/pieces")


def _write(fs: Any, path: str, position: int, data: bytes) -> None:
    with fs.open(path, "r+b", 0) as file:
        file.seek(position)
        file.write(data)


@pytest.mark.parametrize(
    ("change", "difference"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_case(
    built: MemoryFileSystem, change: Callable[[Any], object], difference: Difference
) -> None:
    with built.snapshot() as snap:
        change(built)
        same_difference(snap.diff(), difference)
        same_difference(
            built.snapshot().diff(snap),
            Difference(
                difference.removed,
                difference.added,
                {path: (new, old) for path, (old, new) in difference.changed.items()},
            ),
        )


def test_has_names(memory: MemoryFileSystem) -> None:
    with memory.snapshot() as snap:
        memory.write_bytes("/file", b"1")
        difference = snap.diff()
    assert isinstance(difference, Difference)
    assert (difference.added, difference.removed, difference.changed) == ({"/file": 1}, {}, {})


def test_paths_are_sorted(memory: MemoryFileSystem) -> None:
    names = ["b", "a", "a b", "a-", "a/x", "Z", "\N{GREEK SMALL LETTER ALPHA}", "10", "9"]
    with memory.snapshot() as snap:
        for name in reversed(names):
            memory.makedirs(f"/{name}", exist_ok=True)
        added = list(snap.diff().added)
        assert added == sorted(added) == sorted(f"/{name}" for name in names)


def test_changes_nothing(built: MemoryFileSystem) -> None:
    snap = built.snapshot()
    CHANGES["everything"](built)
    after = state_of(built)
    snap.diff()
    assert state_of(built) == after
    assert built.usage("/").bytes == built.usage("/").bytes
    built._check()


def test_closed_and_foreign_snapshots_are_refused(memory: MemoryFileSystem) -> None:
    closed = memory.snapshot()
    closed.close()
    other = MemoryFileSystem()
    with memory.snapshot() as snap, other.snapshot() as foreign:
        assert outcome(closed.diff)[0] == "ValueError"
        assert outcome(snap.diff, closed)[0] == "ValueError"
        assert outcome(snap.diff, foreign)[0] == "ValueError"
