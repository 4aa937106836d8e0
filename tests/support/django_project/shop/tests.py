"""Tests of every kind that Django has; each begins with what the migrations made."""

import threading
import urllib.request

from django.db import connection
from django.test import LiveServerTestCase, TestCase, TransactionTestCase

from shop.models import Item


def texts(alias="default"):
    return sorted(Item.objects.using(alias).values_list("text", flat=True))


def in_threads(work, count):
    """Run it with a number in each of so many threads, and return what failed."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


class TwoDatabases:
    databases = ("default", "other")

    def test_eight_threads_write(self):
        assert texts() == ["first"]

        def work(number):
            for turn in range(25):
                Item.objects.create(text=f"{number}.{turn}")

        assert in_threads(work, 8) == []
        assert Item.objects.count() == 1 + 8 * 25
        Item.objects.using("other").create(text="second")

    def test_both_begin_anew(self):
        assert (texts(), texts("other")) == (["first"], ["first"])
        Item.objects.all().delete()


class TestTransactions(TwoDatabases, TransactionTestCase):
    pass


class TestSerialized(TwoDatabases, TransactionTestCase):
    serialized_rollback = True


class TestSequences(TransactionTestCase):
    reset_sequences = True

    def test_numbers_go_on_behind_the_first(self):
        assert Item.objects.create(text="second").pk == 2

    def test_numbers_go_on_again(self):
        assert Item.objects.create(text="second").pk == 2


class TestReaderAtWork(TransactionTestCase):
    """Where a statement is not finished, nothing can be gone back to: the tables are emptied."""

    def test_1_statement_is_left(self):
        Item.objects.create(text="second")
        TestReaderAtWork.left = connection.connection.execute("select id from shop_item")
        assert next(TestReaderAtWork.left) == (1,)

    def test_2_tables_are_empty(self):
        del TestReaderAtWork.left
        assert texts() == []


class TestEachInATransaction(TestCase):
    def test_once(self):
        assert texts() == ["first"]
        Item.objects.create(text="second")

    test_twice = test_once


class TestServer(LiveServerTestCase):
    def test_the_server_and_the_test_see_the_same(self):
        Item.objects.create(text="of the test")
        with urllib.request.urlopen(f"{self.live_server_url}/add", timeout=30) as answer:
            assert answer.read() == b"3"
        assert texts() == ["first", "of the server", "of the test"]
