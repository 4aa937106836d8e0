"""What type checkers know: of right programs all that they return, of wrong ones that they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
RIGHT, WRONG = HERE / "right.py", HERE / "wrong.py"

Found = set[tuple[str, int]]
"""The name of a program, and a line of it in which an error was found."""


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, str(RIGHT), str(WRONG)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    # 0 is that it has found nothing, 1 that it has; anything else, that it could not do it.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def found_by_mypy() -> tuple[Found, str]:
    output = run("mypy", "--no-error-summary", "--no-pretty")
    errors = re.findall(r"([\w.]+):(\d+): error:", output)
    return {(name, int(line)) for name, line in errors}, output


def found_by_pyright() -> tuple[Found, str]:
    output = run("pyright", "--pythonpath", sys.executable, "--outputjson")
    if not output.startswith("{"):
        pytest.skip("pyright has not got its program yet, and cannot get it from npm here")
    errors = json.loads(output)["generalDiagnostics"]
    return {
        (Path(error["file"]).name, error["range"]["start"]["line"] + 1)
        for error in errors
        if error["severity"] == "error"
    }, output


def wrong_lines() -> Found:
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    return {(WRONG.name, number) for number, line in enumerate(lines, 1) if "# wrong: " in line}


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        find_spec(tool) is None, reason=f"{tool} is not installed: it is in the extra dev"
    )


@pytest.mark.timeout(330)
@pytest.mark.parametrize(
    "checker",
    [
        pytest.param(found_by_mypy, marks=needs("mypy"), id="mypy"),
        pytest.param(found_by_pyright, marks=needs("pyright"), id="pyright"),
    ],
)
def test_right_programs_pass_and_wrong_ones_do_not(
    checker: Callable[[], tuple[Found, str]],
) -> None:
    found, output = checker()
    expected = wrong_lines()
    assert len(expected) > 40
    assert sorted(found - expected) == [], output
    assert sorted(expected - found) == [], output
