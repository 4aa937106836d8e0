"""The benchmarks do the work that they time, refuse a peer that does not, and report it all."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dmemfs
from benchmarks import filesystem
from benchmarks._command import present_peers
from benchmarks._measure import QUICK, TINY, Figure, Rounds, Row, Sizes, Workload, measure
from benchmarks._peers import (
    DMEMFS_PEER_VARIABLE,
    PEERS,
    DMemFS,
    Dmemfs,
    Floor,
    NotOfferedError,
    Peer,
    Tmpfs,
)
from benchmarks._report import (
    Difference,
    Quotient,
    Report,
    cells,
    describe_machine,
    line,
    missed,
)
from benchmarks._results import as_json, interpreter, load, save, stored

WORKLOADS = {workload.name: workload for workload in filesystem.WORKLOADS}
NEEDS_KERNEL_FIGURES = {"memory-empty", "memory-100"}


def measured(name: str, peer: type[Peer], rounds: int = 2) -> Row:
    """Do `rounds` rounds of one workload at the smallest size."""
    return measure(WORKLOADS[name], [peer], TINY, rounds=rounds, budget=60.0, least_rounds=rounds)


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("peer", [Dmemfs, Tmpfs])
def test_every_workload_does_its_work(name: str, peer: type[Peer]) -> None:
    row = measured(name, peer)
    assert row.failures == {}
    if peer is Tmpfs and (
        name == "import" or (name in NEEDS_KERNEL_FIGURES and sys.platform != "linux")
    ):
        assert row.figures == {}
    else:
        assert len(row.figures[peer.name].rounds) == 2


@pytest.mark.parametrize("name", ["create", "text-create", "write-64k", "read-16", "lines-text"])
def test_floor_takes_part_where_no_tree_is_needed(name: str) -> None:
    assert measured(name, Floor).figures.keys() == {"floor"}


def test_floor_has_no_figure_where_a_tree_is_needed() -> None:
    row = measured("stat", Floor)
    assert (row.figures, row.failures) == ({}, {})


def test_tmpfs_leaves_no_directory_behind() -> None:
    peer = Tmpfs()
    peer.mkdir(f"{peer.root}/directory")
    peer.close()
    assert not os.path.exists(peer.root)


# A peer that cheats


def _cheating(**operations: Callable[..., Any]) -> type[Peer]:
    class Cheating(Dmemfs):
        def __init__(self) -> None:
            super().__init__()
            for name, operation in operations.items():
                setattr(self, name, operation)

    return Cheating


def _discard(*_: Any, **__: Any) -> Any:
    """Open a file that is empty again the next time."""
    return io.BytesIO()


def _discard_text(*_: Any, **__: Any) -> Any:
    return io.StringIO()


def _no_lines(*_: Any, **__: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    return iter([])


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        *(
            (name, {"open": _discard})
            for name in (
                "create",
                "overwrite",
                "read",
                "create-large-tree",
                "write-64k",
                "write-1m",
                "read-1m",
                "read-once-chunks",
                "read-once-whole",
                "random-read",
                "random-overwrite",
                "lines-binary",
                "read-16",
                "write-16",
                "threads-write",
                "threads-read",
                "listdir",
                "memory-100",
            )
        ),
        ("text-create", {"open_text": _discard_text}),
        ("text-read", {"open_text": _discard_text}),
        ("lines-text", {"open_text": _discard_text}),
        ("stat", {"stat": lambda path: None}),
        ("stat-deep", {"stat": lambda path: None}),
        ("stat-changed", {"stat": lambda path: None}),
        ("exists-hit", {"exists": lambda path: False}),
        ("exists-miss", {"exists": lambda path: True}),
        ("listdir", {"listdir": lambda path: []}),
        ("mkdir-rmdir", {"mkdir": lambda path: None, "rmdir": lambda path: None}),
        ("mkdir-rmdir", {"rmdir": lambda path: None}),
        ("rename-small", {"rename": lambda source, target: None}),
        ("rename-large", {"rename": lambda source, target: None}),
        ("walk", {"walk": _no_lines}),
        ("copy-tree", {"copy_tree": lambda source, target: None}),
    ],
)
def test_a_peer_that_does_not_do_the_work_gets_no_figure(
    name: str, operations: dict[str, Callable[..., Any]]
) -> None:
    row = measured(name, _cheating(**operations))
    assert row.figures == {}
    assert row.failures["dmemfs"].startswith(("WorkNotDoneError: ", "FileNotFoundError: "))


def test_a_peer_that_breaks_leaves_the_others_their_figures() -> None:
    def broken(path: str) -> None:
        raise RuntimeError("broken on purpose")

    class Broken(Dmemfs):
        name = "broken"

        def __init__(self) -> None:
            super().__init__()
            self.exists = broken  # type: ignore[assignment]

    row = measure(
        WORKLOADS["exists-hit"], [Broken, Dmemfs], TINY, rounds=2, budget=60.0, least_rounds=2
    )
    assert row.figures.keys() == {"dmemfs"}
    assert row.failures == {"broken": "RuntimeError: broken on purpose"}


def test_a_peer_that_cannot_start_leaves_the_others_their_figures() -> None:
    class Broken(Dmemfs):
        name = "broken"

        def __init__(self) -> None:
            raise OSError("no room")

    row = measure(WORKLOADS["create"], [Tmpfs, Broken], TINY, rounds=1, budget=60.0)
    assert row.figures.keys() == {"tmpfs"}
    assert row.failures == {"broken": "OSError: no room"}


# Measuring


def _workload(run: Callable[[Peer, Sizes], Rounds], **options: Any) -> Workload:
    return Workload("name", "title", "us", None, run, **options)


@pytest.mark.parametrize("alone", [False, True])
def test_peers_take_turns_unless_alone_and_are_closed(alone: bool) -> None:
    events: list[str] = []

    class First(Floor):
        name = "first"

        def close(self) -> None:
            events.append(f"close {self.name}")

    class Second(First):
        name = "second"

    def run(peer: Peer, sizes: Sizes) -> Rounds:
        try:
            while True:
                events.append(peer.name)
                yield 1.0
        finally:
            events.append(f"end {peer.name}")

    row = measure(_workload(run, alone=alone), [First, Second], TINY, rounds=2, budget=60.0)
    assert row.figures.keys() == {"first", "second"}
    if alone:
        assert events == [
            *("first", "first", "end first", "close first"),
            *("second", "second", "end second", "close second"),
        ]
    else:
        assert events == [
            *("first", "second", "first", "second"),
            *("end first", "end second", "close first", "close second"),
        ]


def test_rounds_end_with_the_budget_but_not_before_the_least() -> None:
    def run(peer: Peer, sizes: Sizes) -> Rounds:
        while True:
            yield 1.0

    def count(**options: Any) -> int:
        row = measure(_workload(run, most_rounds=7), [Floor], TINY, **options)
        return len(row.figures["floor"].rounds)

    assert count(rounds=9, budget=-1.0, least_rounds=4) == 4
    assert count(rounds=9, budget=60.0) == 7
    assert count(rounds=5, budget=60.0) == 5


def test_divisors_reduce_counts_and_are_reported() -> None:
    seen: list[Sizes] = []

    class Slow(Floor):
        divisors = {"name": 4}  # noqa: RUF012

    def run(peer: Peer, sizes: Sizes) -> Rounds:
        seen.append(sizes)
        yield 1.0

    row = measure(_workload(run), [Slow], QUICK, rounds=1, budget=60.0)
    assert row.divisors == {"floor": 4}
    assert seen[0].files == QUICK.files // 4
    assert seen[0].stream_bytes == QUICK.stream_bytes
    assert Sizes().divided(10**9).lines == 1


def test_a_figure_keeps_its_rounds() -> None:
    figure = Figure((3.0, 2.0, 5.0))
    assert (figure.minimum, figure.median, figure.spread) == (2.0, 3.0, 0.5)


def test_the_minimum_counts_for_times_and_the_median_for_memory_and_waiting() -> None:
    def run(peer: Peer, sizes: Sizes) -> Rounds:
        yield from ()

    figures = {"dmemfs": Figure((4.0, 2.0, 3.0)), "tmpfs": Figure((8.0, 9.0, 9.0))}
    assert Row(Workload("a", "a", "us", None, run), figures).ratio("dmemfs") == 2 / 8
    for unit in ("bytes", "copies"):
        assert Row(Workload("a", "a", unit, None, run), figures).ratio("dmemfs") == 3 / 9
    waiting = Workload("a", "a", "us", None, run, typical=True)
    assert Row(waiting, figures).ratio("dmemfs") == 3 / 9
    assert Row(Workload("a", "a", "us", None, run), {}).ratio("dmemfs") is None


# Targets and reports


def _row(ours: float, tmpfs: float, **options: Any) -> Row:
    def run(peer: Peer, sizes: Sizes) -> Rounds:
        yield from ()

    unit = "bytes" if "limit" in options else "us"
    workload = Workload("row", "a title", unit, options.pop("target", None), run, **options)
    return Row(workload, {"dmemfs": Figure((ours,)), "tmpfs": Figure((tmpfs,))})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (_row(2e-6, 8e-6, target=0.25), False),
        (_row(2.1e-6, 8e-6, target=0.25), True),
        (_row(5.0, 1.0), False),
        (_row(275, 1000, limit=275), False),
        (_row(276, 1000, limit=275), True),
    ],
)
def test_a_missed_target_is_marked(row: Row, expected: bool) -> None:
    assert missed(row) is expected
    assert cells(row, ["tmpfs", "dmemfs"])[-1].endswith("MISSED") is expected


def test_cells_show_figures_ratio_and_target() -> None:
    row = _row(2e-6, 8e-6, target=0.25)
    row.failures["fsspec"] = "no"
    row.figures["floor"] = Figure((1e-6,))
    row.divisors["floor"] = 10
    texts = cells(row, ["tmpfs", "dmemfs", "fsspec", "PyFS", "floor"])
    assert texts == ["a title", "8.00", "2.00", "failed", "-", "1.00*", ".25", ".25"]
    assert line(texts).split("  ")[0] == "a title"


def test_further_columns_of_ours_have_targets_too() -> None:
    row = _row(2e-6, 8e-6, target=0.25, also={"dmemfs memory": 0.5})
    assert not missed(row)
    row.figures["dmemfs memory"] = Figure((4e-6,))
    assert not missed(row)
    row.figures["dmemfs memory"] = Figure((5e-6,))
    assert missed(row)
    assert cells(row, ["tmpfs", "dmemfs"])[-1] == ".25; dmemfs memory .50 MISSED"


def test_a_row_may_have_another_base_than_the_others() -> None:
    row = _row(2e-6, 8e-6, base="naive")
    assert row.ratio("dmemfs") is None
    row.figures["naive"] = Figure((4e-6,))
    assert cells(row, ["dmemfs"], "tmpfs")[-2] == ".50 of naive"
    assert cells(row, ["dmemfs"], "naive")[-2] == ".50"


def test_a_quotient_divides_two_rows_of_one_peer() -> None:
    rows = {"above": _row(3.0, 8.0), "below": _row(2.0, 8.0)}
    quotient = Quotient("name", "title", "above", "below", 1.1)
    assert quotient.is_measured(rows)
    assert quotient.figure(rows, "dmemfs") == 1.5
    assert quotient.figure(rows, "floor") is None
    assert quotient.figure({"above": rows["above"]}, "dmemfs") is None
    assert quotient.cells(rows, ["tmpfs"]) == ["title", "1.00", "1.50", "1.10 MISSED"]


@pytest.mark.parametrize(("limit", "verdict"), [(0.25, "0.25 us MISSED"), (0.5, "0.5 us")])
def test_a_difference_is_what_ours_adds(limit: float, verdict: str) -> None:
    rows = {"row": _row(2e-6, 1.5e-6)}
    difference = Difference("name", "title", "row", limit)
    assert difference.cells(rows, ["tmpfs", "dmemfs"]) == ["title", "-", "0.50", "-", verdict]
    del rows["row"].figures["tmpfs"]
    assert not difference.is_measured(rows)


def test_sizes_stand_in_titles() -> None:
    assert TINY.in_title("{database_bytes} and {tenth}, {files} files") == (
        "0.2 MB and 0.02 MB, 3 files"
    )


def _report(rows: dict[str, Row]) -> Report:
    return Report(
        benchmark="filesystem",
        command="python -m benchmarks.filesystem --quick",
        base="tmpfs",
        machine=describe_machine(),
        sizes={"files": 3},
        notes=["times: of a clock"],
        peers={"tmpfs": "Linux 1", "dmemfs": "checkout"},
        absent={"fsspec": "not installed"},
        rows=rows,
        comparisons=[Quotient("same", "row / row", "row", "row", 1.0)],
    )


def test_the_saved_report_tells_what_was_measured_where(tmp_path: Path) -> None:
    row = _row(2e-6, 8e-6, target=0.25)
    row.figures["dmemfs"] = Figure((2e-6, 3e-6, 4e-6))
    report = _report({"row": row})
    markdown, data = save(tmp_path / "results", report)
    assert markdown.name == f"filesystem-{interpreter()}.md"
    text = markdown.read_text(encoding="utf-8")
    assert "| a title | 8.00 | 2.00 | .25 | .25 |" in text
    assert "| a title | 8.00 +0% | 3.00 +50% |" in text
    assert "| row / row | 1.00 | 1.00 | 1.00 | 1.00 |" in text
    assert "fsspec is absent: not installed" in text
    assert report.machine.python in text
    content = json.loads(data.read_text(encoding="utf-8"))
    assert content["benchmark"] == "filesystem"
    assert content["machine"]["cpu"] == report.machine.cpu
    assert content["machine"]["sqlite"] == sqlite3.sqlite_version
    assert content["peers"] == {"tmpfs": "Linux 1", "dmemfs": "checkout"}
    figure = content["rows"][0]["figures"]["dmemfs"]
    assert figure == {
        "best": 2e-6, "minimum": 2e-6, "median": 3e-6, "spread": 0.5, "rounds": [2e-6, 3e-6, 4e-6]
    }  # fmt: skip
    assert content["comparisons"] == {"same": {"tmpfs": 1.0, "dmemfs": 1.0}}


def test_results_are_found_by_benchmark_and_version(tmp_path: Path) -> None:
    path = tmp_path / "mount-cpython-3.13t.json"
    path.write_text(as_json(_report({})), encoding="utf-8")
    assert list(stored(tmp_path)) == [("mount", "3.13t")]
    assert load(tmp_path, "mount", "3.13") is None
    found = load(tmp_path, "mount", "3.13t")
    assert found is not None
    assert found["sizes"] == {"files": 3}
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="measure it again"):
        load(tmp_path, "mount", "3.13t")


# Peers


def test_an_operation_that_is_not_offered_says_so() -> None:
    with pytest.raises(NotOfferedError, match="has no walk"):
        _ = Floor().walk


def test_an_absent_d_memfs_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DMEMFS_PEER_VARIABLE, raising=False)
    peers, absent = present_peers(PEERS, ["dmemfs", "D-MemFS"])
    assert peers == [Dmemfs]
    assert "pip install --no-deps --target" in absent["D-MemFS"]


def test_d_memfs_is_loaded_beside_dmemfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "dmemfs"
    package.mkdir()
    (package / "__init__.py").write_text("from ._part import MemoryFileSystem\n__version__ = '0'\n")
    (package / "_part.py").write_text(
        "import io\n"
        "class MemoryFileSystem:\n"
        "    def __init__(self, max_quota): pass\n"
        "    def mkdir(self, path): self.made = path\n"
        "    open = exists = listdir = stat = walk = rmtree = rename = remove = copy_tree = mkdir\n"
    )
    monkeypatch.setenv(DMEMFS_PEER_VARIABLE, str(tmp_path))
    for name in ("_dmemfs_peer", "_dmemfs_peer._part"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        assert DMemFS.missing() is None
        assert DMemFS.version() == "0"
        assert DMemFS().open.__self__.made == DMemFS().root
        assert sys.modules["dmemfs"] is dmemfs
    finally:
        for name in ("_dmemfs_peer", "_dmemfs_peer._part"):
            sys.modules.pop(name, None)


def test_every_divisor_and_skip_names_a_workload() -> None:
    for peer in PEERS.values():
        assert {*peer.divisors, *peer.skipped} <= WORKLOADS.keys()


# Command line


@pytest.mark.parametrize(
    "arguments", [["--only", "nonsense"], ["--peers", "nonsense"], ["--rounds", "0"]]
)
def test_bad_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        filesystem.main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_list_names_every_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert filesystem.main(["--list"]) == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()] == list(WORKLOADS)


def test_a_run_prints_the_rows_asked_for_and_writes_only_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(filesystem, "QUICK", TINY)
    arguments = ["--quick", "--rounds", "2", "--peers", "tmpfs,dmemfs", "--only", "stat,stat-deep"]
    assert filesystem.main(arguments) == 0
    printed = capsys.readouterr().out
    for title in ("stat at depth 2 ", "stat at depth 20 ", "stat, depth 20 / depth 2 "):
        assert f"\n{title}" in printed
    assert filesystem.main([*arguments, "--output", str(tmp_path / "results")]) == 0
    saved = sorted(path.suffix for path in (tmp_path / "results").iterdir())
    assert saved == [".json", ".md"]
    text = next((tmp_path / "results").glob("*.md")).read_text(encoding="utf-8")
    assert "--quick --rounds 2 --only stat,stat-deep --peers tmpfs,dmemfs`" in text


def test_a_run_in_which_dmemfs_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(filesystem, "PEERS", {"dmemfs": _cheating(exists=lambda path: False)})
    monkeypatch.setattr(filesystem, "QUICK", TINY)
    assert filesystem.main(["--quick", "--only", "exists-hit"]) == 1
    assert "dmemfs failed exists-hit: WorkNotDoneError" in capsys.readouterr().out
