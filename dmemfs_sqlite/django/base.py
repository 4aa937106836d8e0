"""The backend: Django imports it for `"ENGINE": "dmemfs_sqlite.django"`."""

from __future__ import annotations

from typing import Any

from .._django import backend

DatabaseWrapper: Any = backend.DatabaseWrapper
"""A connection of Django's, which has no types."""

__all__ = ["DatabaseWrapper"]
