"""CPython in WebAssembly: the core works in Pyodide, run by Node.js.

    npm install --prefix DIR pyodide
    NODE_PATH=DIR/node_modules python -m pytest tests/project/test_pyodide.py

DMEMFS_NODE is the command of Node.js, if it is another than `node`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NODE = shutil.which(os.environ.get("DMEMFS_NODE", "node"))


def has_pyodide() -> bool:
    if NODE is None:
        return False
    command = [NODE, "--print", "require.resolve('pyodide')"]
    found = subprocess.run(command, capture_output=True, timeout=50, check=False, cwd=PROJECT)
    return found.returncode == 0


@pytest.mark.timeout(300)
@pytest.mark.skipif(not has_pyodide(), reason="Node.js and its package pyodide are not there")
def test_the_core_works_in_webassembly(tmp_path: Path) -> None:
    assert NODE is not None
    archive = tmp_path / "project.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for pattern in ("dmemfs/**/*.py", "dmemfs_sqlite/**/*.py", "tests/support/core.py"):
            for path in sorted(PROJECT.glob(pattern)):
                file.write(path, path.relative_to(PROJECT))
        file.write(PROJECT / "README.md", "README.md")
    script = PROJECT / "tests" / "support" / "pyodide.js"
    command = [NODE, str(script), str(archive)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
    assert "core works" in run.stdout
    if "there is no sqlite3" in run.stdout:
        pytest.skip("this Pyodide has sqlite3 in a package that could not be fetched")
    assert "courier works" in run.stdout
