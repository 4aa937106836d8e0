"""A project with two databases of the backend."""

import os

SECRET_KEY = "of no use"
DATABASES = {
    "default": {
        "ENGINE": "dmemfs_sqlite.django",
        "NAME": "app",
        "TEST": {"IMAGE": os.environ.get("IMAGE")},
    },
    "other": {"ENGINE": "dmemfs_sqlite.django", "NAME": "other"},
}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
STATIC_URL, MEDIA_URL = "static/", "media/"
USE_TZ = True
