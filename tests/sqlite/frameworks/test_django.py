"""Django: a database in memory that threads share, for use and for tests.

Django's settings are global to a process, so that every test is a program of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("django", reason="Django is not installed")

PROJECT = Path(__file__).resolve().parents[3]

PREAMBLE = """
    import sys, threading, time
    import django
    from django.conf import settings

    if "shared cache" in sys.argv:
        import dmemfs_sqlite._engine.uri
        dmemfs_sqlite._engine.uri.memdb_is_sound = lambda: False
    from dmemfs_sqlite.django import database, options, test_database

    def start(default):
        settings.configure(DATABASES={"default": default}, INSTALLED_APPS=[], USE_TZ=True)
        django.setup()
        global connection, models, transaction
        from django.db import connection, models, transaction

        class Item(models.Model):
            text = models.CharField(max_length=50)
            class Meta:
                app_label = "shop"
        return Item

    def create(Item):
        with connection.schema_editor() as editor:
            editor.create_model(Item)

    def in_threads(work, count):
        failures = []
        barrier = threading.Barrier(count)
        def guarded(number):
            barrier.wait(30)
            try:
                work(number)
            except Exception as error:
                failures.append(error)
            finally:
                # What Django does between requests; a database in memory stays open.
                connection.close()
                if connection.connection is not None:
                    connection.connection.close()
        threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return failures
"""


def run(tmp_path: Path, program: str, *arguments: str) -> str:
    """Run a program in an empty directory and return what it prints."""
    source = textwrap.dedent(PREAMBLE) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-B", "-c", source, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    return done.stdout


kinds = pytest.mark.parametrize("kind", ["memdb", "shared cache"])


@kinds
def test_sixteen_threads_write_at_once(kind: str, tmp_path: Path) -> None:
    output = run(
        tmp_path,
        """
        Item = start(database("shop"))
        create(Item)

        def work(number):
            for turn in range(10):
                with transaction.atomic():
                    # Read first and write later: what two writers at once cannot wait for.
                    Item.objects.count()
                    Item.objects.create(text=f"{number}.{turn}")

        failures = in_threads(work, 16)
        print(len(failures), failures[:1], Item.objects.count())
        """,
        kind,
    )
    assert output.split() == ["0", "[]", "160"]


@kinds
def test_the_data_outlives_all_connections_of_django(kind: str, tmp_path: Path) -> None:
    output = run(
        tmp_path,
        """
        Item = start(database("shop"))
        in_threads(lambda number: create(Item), 1)
        in_threads(lambda number: Item.objects.create(text="kept"), 1)
        print(Item.objects.get().text)
        """,
        kind,
    )
    assert output.split() == ["kept"]


TEST_RUN = """
    from django.test import TransactionTestCase
    from django.test.utils import get_runner
    import unittest

    Item = start({entry})

    class Threads(TransactionTestCase):
        def test_threads(self):
            def work(number):
                for turn in range(25):
                    Item.objects.create(text=f"{{number}}.{{turn}}")
            failures = in_threads(work, 4)
            print("failed", len(failures), "written", Item.objects.count())

        def test_second_writer(self):
            inside, tried = threading.Event(), threading.Event()
            def work(number):
                if number == 0:
                    with transaction.atomic():
                        Item.objects.create(text="first")
                        inside.set()
                        tried.wait(30)
                        time.sleep(0.2)
                else:
                    inside.wait(30)
                    tried.set()
                    Item.objects.create(text="second")
            failures = in_threads(work, 2)
            print("failed", len(failures), "written", Item.objects.count())

    from django.test.utils import setup_test_environment
    setup_test_environment()
    # As the test runner does it.
    name = connection.creation.create_test_db(verbosity=0, serialize=False)
    create(Item)
    result = unittest.TestResult()
    unittest.TestSuite([Threads("{test}")]).run(result)
    connection.creation.destroy_test_db("x", verbosity=0)
    print([text for _, text in result.errors + result.failures])
"""


@kinds
def test_the_test_database_takes_threads(kind: str, tmp_path: Path) -> None:
    entry = """{
        "ENGINE": "django.db.backends.sqlite3", "NAME": "never-opened.sqlite3",
        "OPTIONS": options(), "TEST": test_database("shop"),
    }"""
    entry = " ".join(entry.split())
    output = run(tmp_path, TEST_RUN.format(entry=entry, test="test_threads"), kind)
    assert output.splitlines() == ["failed 0 written 100", "[]"]
    output = run(tmp_path, TEST_RUN.format(entry=entry, test="test_second_writer"), kind)
    assert output.splitlines() == ["failed 0 written 2", "[]"]


def test_the_default_test_database_does_not(tmp_path: Path) -> None:
    entry = '{"ENGINE": "django.db.backends.sqlite3", "NAME": "never-opened.sqlite3"}'
    output = run(tmp_path, TEST_RUN.format(entry=entry, test="test_second_writer"))
    assert output.splitlines() == ["failed 1 written 1", "[]"]


WITHOUT_DJANGO = """
import sys
sys.modules["django"] = None
from dmemfs_sqlite.django import database
try:
    database("x")
except ImportError as error:
    print(error)
"""


def test_without_django_the_extra_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WITHOUT_DJANGO],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "dmemfs-sqlite[django]" in done.stdout, done.stderr
