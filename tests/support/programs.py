"""Programs of this project, run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `python ARGUMENTS` in a directory, with this project to be imported."""
    return subprocess.Popen(
        [sys.executable, "-B", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_a_closed_pipe(directory: Path, *arguments: str) -> None:
    """Run `python -m ARGUMENTS`, close its output after a line, and see it end without a word."""
    with started(directory, "-m", *arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(60)
    assert errors == ""
    assert process.returncode == 141
