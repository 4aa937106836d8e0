"""The tutorials: the programs and tests that they show are run by pytest, as their readers do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.project.test_documentation import blocks_of

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = ("-p", "dmemfs.pytest_plugin", "-p", "dmemfs_sqlite.pytest_plugin")
TUTORIALS = sorted((PROJECT / "docs").glob("tutorial-*.md"))

SHOWN_FILE = re.compile(r"<!-- not run: pytest \w+ it, as (?P<name>[\w/.]+) -->")


def files_of(text: str) -> dict[str, str]:
    """Return the files that a tutorial shows, by name."""
    lines = text.splitlines()
    files = {}
    for block in blocks_of(text):
        above = [line for line in lines[: block.line - 2] if line.strip()][-1:]
        shown = SHOWN_FILE.fullmatch(above[0]) if above else None
        if shown is not None:
            files[shown["name"]] = block.code + "\n"
    return files


def test_there_is_one_for_each_kind_of_user() -> None:
    assert [path.stem for path in TUTORIALS] == [
        "tutorial-bounded-staging",
        "tutorial-mock-file-system",
        "tutorial-sqlite-in-tests",
    ]


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_the_tests_that_it_shows_pass(
    tutorial: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    files = files_of(tutorial.read_text(encoding="utf-8"))
    for name, content in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    tests = sum(
        len(re.findall(r"^def test_", content, re.MULTILINE))
        for name, content in files.items()
        if name.startswith("test_")
    )
    assert tests
    # In a process of its own: pytester takes back what a run in this one has imported, and packages
    # that stay would keep modules of the run before.
    run = pytester.runpytest_subprocess(
        *PLUGINS, "-W", "error", "-p", "no:cacheprovider", "--strict-markers", timeout=50
    )
    run.assert_outcomes(passed=tests)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_every_block_is_run_by_somebody(tutorial: Path) -> None:
    text = tutorial.read_text(encoding="utf-8")
    blocks = [block for block in blocks_of(text) if block.language == "python"]
    not_run = [block.code + "\n" for block in blocks if not block.is_run]
    assert not_run == list(files_of(text).values())


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_leads_to_examples_and_to_the_limits(tutorial: Path) -> None:
    text = tutorial.read_text(encoding="utf-8")
    assert "](../examples/" in text
    assert "](limits.md" in text
