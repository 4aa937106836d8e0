"""What is used of fsspec, which has no types; and the hint for those who have not got it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from fsspec.compression import compr  # type: ignore[import-untyped]
    from fsspec.core import get_compression  # type: ignore[import-untyped]
    from fsspec.spec import AbstractFileSystem as _FileSystem  # type: ignore[import-untyped]
    from fsspec.transaction import Transaction as _Transaction  # type: ignore[import-untyped]
    from fsspec.utils import read_block, stringify_path, tokenize  # type: ignore[import-untyped]
except ImportError as _error:
    raise ImportError(
        "fsspec is needed here: python3 -m pip install 'dmemfs-sqlite[fsspec]', or '.[fsspec]' "
        "in a checkout",
        name="fsspec",
    ) from _error

__all__ = [
    "AbstractFileSystem",
    "Transaction",
    "compr",
    "get_compression",
    "read_block",
    "stringify_path",
    "tokenize",
]

if TYPE_CHECKING:

    class AbstractFileSystem:
        """What a file system has from fsspec."""

        transaction: Any
        _intrans: bool

        def __init__(self, **options: Any) -> None: ...
        @classmethod
        def _parent(cls, path: str) -> str: ...
        def expand_path(self, path: Any, *args: Any, **kwargs: Any) -> list[str]: ...
        def open(self, path: Any, mode: str = "rb", *args: Any, **kwargs: Any) -> Any: ...
        def mv(self, path1: Any, path2: Any, *args: Any, **kwargs: Any) -> None: ...
        def cat_ranges(
            self, paths: Any, starts: Any, ends: Any, *args: Any, **kwargs: Any
        ) -> Any: ...

    class Transaction:
        """What a transaction has from fsspec."""

        fs: Any
        files: Any

        def __init__(self, fs: Any, **options: Any) -> None: ...

else:
    AbstractFileSystem, Transaction = _FileSystem, _Transaction
