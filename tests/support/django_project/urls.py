"""One page: it adds an item, and says how many there are."""

from django.http import HttpResponse
from django.urls import path
from shop.models import Item


def add(_request):
    Item.objects.create(text="of the server")
    return HttpResponse(str(Item.objects.count()))


urlpatterns = [path("add", add)]
