"""Tests with the fixtures of pytest-django."""

import pytest

from shop.models import Item
from shop.tests import in_threads, texts


@pytest.mark.parametrize("turn", range(2))
def test_a_transaction(db, turn):
    assert texts() == ["first"]
    Item.objects.create(text="second")


@pytest.mark.parametrize("turn", range(2))
def test_threads(transactional_db, turn):
    assert texts() == ["first"]
    assert in_threads(lambda number: Item.objects.create(text=str(number)), 4) == []
    assert Item.objects.count() == 5


@pytest.mark.parametrize("turn", range(2))
def test_numbers(django_db_reset_sequences, turn):
    assert Item.objects.create(text="second").pk == 2


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
@pytest.mark.parametrize("turn", range(2))
def test_both(turn):
    assert texts() == texts("other") == ["first"]
    Item.objects.using("other").all().delete()


def test_server(live_server, client):
    assert client.get("/add").content == b"2"
    assert texts() == ["first", "of the server"]
