"""Django's backend in memory: its test runner, its kinds of tests, and pytest-django.

Django's settings are global to a process, so that all is run by programs of their own, on a copy of
`tests/support/django_project`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

django = pytest.importorskip("django", reason="Django is not installed")

PROJECT = Path(__file__).resolve().parents[3]
SOURCE = PROJECT / "tests" / "support" / "django_project"
TESTS = 11
PYTESTS = 9


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "project"))


def run(project: Path, *arguments: str, **variables: str) -> str:
    """Run a program of the project, and return what it says; nothing is left on the disk."""
    before = sorted(project.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert sorted(project.rglob("*")) == before
    return done.stdout


def run_tests(project: Path, *arguments: str, count: int = TESTS, **variables: str) -> str:
    output = run(project, "manage.py", "test", *arguments, **variables)
    assert f"Ran {count} tests" in output
    assert "\nOK\n" in output
    return output


def test_in_one_process(project: Path) -> None:
    run_tests(project)


def understands_forkserver() -> bool:
    return bool(django.VERSION >= (6, 0))


@pytest.mark.parametrize(
    "method",
    [
        "fork",
        "spawn",
        pytest.param(
            "forkserver",
            marks=pytest.mark.skipif(
                not understands_forkserver(), reason="Django runs tests by it from 6.0 on"
            ),
        ),
    ],
)
def test_in_parallel(project: Path, method: str) -> None:
    output = run_tests(project, "--parallel", "2", START_METHOD=method)
    assert output.count("Cloning test database") == 4


def test_keeping_the_database(project: Path, tmp_path: Path) -> None:
    image = tmp_path / "kept"
    applied = "Applying shop.0001_initial"
    two = "shop.tests.TestSequences"

    def run_some(*options: str) -> str:
        return run_tests(project, "-v", "2", *options, two, count=2, IMAGE=str(image))

    assert run_some("--keepdb").count(applied) == 1
    assert image.read_bytes().startswith(b"SQLite format 3\0")
    assert run_some("--keepdb").count(applied) == 0
    image.write_bytes(b"garbage")
    output = run_some("--keepdb")
    assert f"{image} is no database" in output
    assert output.count(applied) == 1
    assert image.read_bytes().startswith(b"SQLite format 3\0")
    assert sorted(tmp_path.iterdir()) == [image, project]
    image.write_bytes(b"not looked at")
    assert run_some().count(applied) == 1
    assert image.read_bytes() == b"not looked at"
    output = run_tests(project, "--keepdb", "shop.tests.TestSequences", count=2)
    assert output.count("TEST['IMAGE']") == 1


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_django") is None, reason="pytest-django is not installed"
)
def test_with_pytest_django(project: Path, tmp_path: Path) -> None:
    image = tmp_path / "kept"

    def run_pytest(*options: str, count: int) -> str:
        output = run(
            project,
            *("-m", "pytest", "--ds=settings", "-c", os.devnull, "--rootdir", str(project)),
            *("-p", "no:cacheprovider", "-p", "no:asyncio", "shop/pytests.py", *options),
            IMAGE=str(image),
        )
        assert re.search(rf"\b{count} passed", output)
        return output

    run_pytest("-n", "2", "--reuse-db", count=PYTESTS)
    assert image.read_bytes().startswith(b"SQLite format 3\0")
    image.write_bytes(b"garbage")
    assert "is no database" in run_pytest("-s", "--reuse-db", "-k", "numbers", count=2)
    image.write_bytes(b"garbage")
    assert "is no database" not in run_pytest("-s", "--create-db", "-k", "numbers", count=2)


def test_for_use(project: Path) -> None:
    output = run(
        project,
        "-c",
        """if True:
        import os, sqlite3, threading
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        import django
        from django.conf import settings
        settings.DATABASES["default"]["OPTIONS"] = {"max_quota": "1 MiB"}
        django.setup()
        from contextlib import closing
        from django.core.management import call_command
        from django.db import OperationalError, connection, transaction
        from shop.models import Item
        from shop.tests import in_threads
        import dmemfs_sqlite
        from dmemfs_sqlite.django import file_system

        try:
            file_system("app")
        except KeyError as error:
            print(error)
        call_command("migrate", verbosity=0)

        def read_and_write(number):
            for turn in range(10):
                with transaction.atomic():
                    if django.VERSION >= (5, 1):  # before, it could not wait for a writer then
                        Item.objects.count()
                    Item.objects.create(text="more")

        print(in_threads(read_and_write, 16), Item.objects.count())
        with closing(dmemfs_sqlite.connect(file_system("app"), "/db.sqlite3")) as other:
            print(*other.execute("select count(*) from shop_item"))
        try:
            with transaction.atomic():
                for turn in range(1000):
                    Item.objects.bulk_create(Item(text="x" * 50) for _ in range(100))
        except OperationalError as error:
            print(error)
        call_command("flush", interactive=False, verbosity=0)
        print(Item.objects.count())
        try:
            call_command("dbshell")
        except Exception as error:
            print(type(error).__name__, error)
        """,
    )
    missing, threads, other, full, flushed, shell = output.splitlines()
    assert missing == "\"no database 'app' in this process yet; there are: none\""
    assert threads == "[] 161"
    assert other == "(161,)"
    assert full.startswith("database or disk is full: [Errno 28] ")
    assert flushed == "0"
    assert shell.startswith("CommandError the database is in the memory of this process")
