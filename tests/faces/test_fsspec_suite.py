"""fsspec's own suite for file systems: copying, getting, putting, opening, piping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

pytest.importorskip("fsspec", reason="fsspec is not installed")

from fsspec.tests import abstract  # type: ignore[import-untyped]

from dmemfs.fsspec import DmemfsFileSystem


class Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]
    @pytest.fixture
    def fs(self) -> Iterator[Any]:
        with MemoryFileSystem(max_quota=1 << 20) as fs:
            yield DmemfsFileSystem(fs)
            fs._check()

    @pytest.fixture
    def fs_path(self) -> str:
        return "/suite"


class TestCopy(abstract.AbstractCopyTests, Fixtures):  # type: ignore[misc]
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):  # type: ignore[misc]
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):  # type: ignore[misc]
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):  # type: ignore[misc]
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):  # type: ignore[misc]
    pass
