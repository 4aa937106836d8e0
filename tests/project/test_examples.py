"""The examples: each runs from a plain checkout, and does what its first lines say."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

# Lines that the program prints, in this order, other lines between them.
EXPECTED = {
    "bounded_staging.py": [
        "batch-3.bin: staged, 950,000 of 1,000,000 bytes in use",
        "batch-4.bin: 200,000 bytes do not fit into 50,000",
        "shipped 3 files",
        "batch-4.bin: staged, 200,000 of 1,000,000 bytes in use",
        "batch-5.bin: larger than the quota, written to the disk",
        "6 files arrived whole",
    ],
    "faults_in_tests.py": ["Ran 4 tests", "OK"],
    "mounted_program.py": [
        "in the mount: app.ini app.log results results.tar.gz",
        "outside of it: False",
        "the log:",
        "  working on north",
        "  working on south",
        "on a full disk: /mem/results/south.txt",
    ],
    "rollback_in_tests.py": ["Ran 3 tests", "OK"],
    "live_templates.py": ["Ran 3 tests", "OK"],
    "sqlite_in_tests.py": ["Ran 3 tests", "OK"],
    "tests_for_pyfakefs.py": ["Ran 3 tests", "OK"],
    "workspace.py": [
        "refused: No space left on device: 20,000,000 bytes requested",
        "--- a/hello/__init__.py",
        '-    return "Hello " + name',
        '+    return f"Hello {name}!"',
        'on the disk still:     return "Hello " + name',
        "applied: /work/tests, /work/tests/test_hello.py, /work/hello/__init__.py",
        'on the disk now:     return f"Hello {name}!"',
        "not applied: README.md: ",
        "the workspace has: Theirs, and longer.",
    ],
    "zip_in_memory.py": [
        "files: /reports.tar.gz /reports.zip /reports/north.csv /reports/south.csv",
        "sum of the counts in the ZIP archive: 54",
        "south, from the tar archive: ['item', 'count'] ['apples', '30'] ['plums', '5']",
    ],
}


def run(example: str) -> subprocess.CompletedProcess[str]:
    """Run an example as its reader does, without any package that may be installed."""
    return subprocess.run(
        [sys.executable, "-B", "-I", "-S", "-W", "error", f"examples/{example}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_example_is_tested() -> None:
    assert sorted(path.name for path in (PROJECT / "examples").glob("*.py")) == sorted(EXPECTED)


@pytest.mark.parametrize("example", EXPECTED)
def test_it_runs_from_a_plain_checkout(example: str) -> None:
    files = set(PROJECT.glob("*")) | set(PROJECT.glob("examples/*"))
    done = run(example)
    assert done.returncode == 0, done.stderr
    # unittest writes its report to stderr.
    output = iter((done.stdout + done.stderr).splitlines())
    for line in EXPECTED[example]:
        assert any(printed.startswith(line) for printed in output), (line, done)
    left = {path.name for path in {*PROJECT.glob("*"), *PROJECT.glob("examples/*")} - files}
    assert not {name for name in left if name.endswith((".bin", ".db", ".zip")) or ":" in name}


@pytest.mark.parametrize("example", EXPECTED)
def test_it_says_what_it_shows(example: str) -> None:
    source = (PROJECT / "examples" / example).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring is not None
    assert docstring.partition("\n")[0].endswith(".")


def test_a_failing_test_is_a_failing_program(tmp_path: Path) -> None:
    source = (PROJECT / "examples" / "sqlite_in_tests.py").read_text(encoding="utf-8")
    program = tmp_path / "broken.py"
    program.write_text(source.replace('"apples"), 40)', '"apples"), 41)'), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-B", str(program)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert "40 != 41" in done.stderr
