"""CPython's own tests of sqlite3 pass on live databases, apart from those named here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sqlite_modules import needs_standard_module

PROJECT = Path(__file__).resolve().parents[3]

DO_NOT_PASS = {
    "test_backup.BackupTests.test_modifying_progress": (
        "counts the steps of a backup while its source changes, which are those of ':memory:'; on "
        "files of the disk it does not pass either"
    ),
    "test_dbapi.MultiprocessTests.test_ctx_mgr_rollback_if_commit_failed": (
        "another process opens the file, which is in the memory of this one"
    ),
    "test_dbapi.ConnectionTests.test_connect_positional_arguments": (
        "looks for the file that a warning names, which is that of the stand-in for connect()"
    ),
    **dict.fromkeys(
        (
            "test_dbapi.CursorTests.test_execute_named_param_and_sequence",
            "test_types.DateTimeTests.test_sqlite_date",
            "test_types.DateTimeTests.test_sqlite_timestamp",
        ),
        "looks for the file that a warning names, which is that of the derived class",
    ),
    "test_dbapi.OpenTests.test_database_keyword": (
        "wants the very class of the module, and this is one derived from it"
    ),
}


def has_its_tests() -> bool:
    try:
        return importlib.util.find_spec("test.test_sqlite3") is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(
    not has_its_tests(),
    reason="this Python was installed without its tests",
)
@needs_standard_module
@pytest.mark.timeout(170)
def test_cpythons_tests_of_sqlite3() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-X", "faulthandler", "-m", "tests.support.cpython_sqlite_suite"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=160,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    unexpected = {
        name: text
        for name, text in outcome["failed"].items()
        if name.partition(" ")[0] not in DO_NOT_PASS  # without the parameters of a subtest
    }
    assert unexpected == {}
    assert outcome["ran"] > 400
    assert outcome["databases"] > 250
