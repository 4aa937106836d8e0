"""The one command that runs all benchmarks: each in a process of its own, then the pictures."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as whole
from benchmarks import draw
from benchmarks._figures import FIGURES
from benchmarks._results import RESULTS


class Processes:
    """Stand-in for the processes: notes their commands, and leaves stored results behind."""

    def __init__(self, failing: str = "", hanging: str = "") -> None:
        self.commands: list[list[str]] = []
        self.failing = failing
        self.hanging = hanging

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert options["timeout"] > 0
        self.commands.append(command)
        name = command[2].removeprefix("benchmarks.")
        if name == self.hanging:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        if "--output" in command:
            folder = Path(command[command.index("--output") + 1])
            folder.mkdir(exist_ok=True)
            shutil.copy(RESULTS / f"{name}-cpython-{draw.PREFERRED}.json", folder)
        return subprocess.CompletedProcess(command, int(name == self.failing))


def replaced(monkeypatch: pytest.MonkeyPatch, **options: str) -> Processes:
    processes = Processes(**options)
    monkeypatch.setattr(subprocess, "run", processes.run)
    return processes


def test_each_benchmark_has_a_process_and_pictures_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = replaced(monkeypatch)
    assert whole.main(["--output", str(tmp_path / "out")]) == 0
    assert [command[:3] for command in processes.commands] == [
        [sys.executable, "-m", f"benchmarks.{name}"] for name in whole.BENCHMARKS
    ]
    drawn = {path.stem for path in (tmp_path / "out").glob("*.svg")}
    assert drawn == {figure.name for figure in FIGURES}
    assert "failed: none" in capsys.readouterr().out


def test_only_some_run_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = replaced(monkeypatch)
    assert whole.main(["--quick", "--only", "mount", "--output", str(tmp_path)]) == 0
    (command,) = processes.commands
    assert command[2:] == ["benchmarks.mount", "--quick", "--output", str(tmp_path)]
    assert [path.name for path in tmp_path.glob("*.svg")] == ["mount.svg"]


def test_quick_figures_do_not_replace_the_stored_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = replaced(monkeypatch)
    monkeypatch.setattr(draw, "draw_all", lambda *_: pytest.fail("it has drawn quick figures"))
    assert whole.main(["--quick"]) == 0
    assert all("--output" not in command for command in processes.commands)


@pytest.mark.parametrize("how", ["failing", "hanging"])
def test_one_that_fails_leaves_the_others_their_turn(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = replaced(monkeypatch, **{how: "snapshots"})
    assert whole.main(["--quick"]) == 1
    assert len(processes.commands) == len(whole.BENCHMARKS)
    assert "failed: snapshots" in capsys.readouterr().out


def test_an_unknown_benchmark_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        whole.main(["--only", "none"])
    assert "there are filesystem" in capsys.readouterr().err


def test_every_benchmark_takes_the_options_that_it_is_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in whole.BENCHMARKS:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        assert benchmark.main(["--list", "--quick", "--output", "unused"]) == 0
        listed = capsys.readouterr().out
        assert [line.split()[0] for line in listed.splitlines()] == [
            workload.name for workload in benchmark.WORKLOADS
        ]


def test_a_benchmark_really_runs_in_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mount", "--only", "stat", "--peers", "tmpfs,dmemfs",
         "--rounds", "1"],
        cwd=whole.CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\nstat " in done.stdout
