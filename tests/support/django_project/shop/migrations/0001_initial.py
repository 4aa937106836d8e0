"""The table, and a row that every database has."""

from typing import ClassVar

from django.db import migrations, models


def fill(apps, editor):
    apps.get_model("shop", "Item").objects.using(editor.connection.alias).create(text="first")


class Migration(migrations.Migration):
    operations: ClassVar = [
        migrations.CreateModel(
            "Item",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=50)),
            ],
        ),
        migrations.RunPython(fill),
    ]
