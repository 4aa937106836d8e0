"""How the face for fsspec gets into other processes."""

from __future__ import annotations

import io
import os
import uuid
import weakref
from typing import Any

from .._interception.real import refuse_changes
from .._memory_filesystem import MemoryFileSystem
from .._published import name_of

_tokens: weakref.WeakKeyDictionary[MemoryFileSystem, str] = weakref.WeakKeyDictionary()


def token_of(fs: MemoryFileSystem) -> str:
    """Return what tells a file system from all others, also those that come later."""
    return _tokens.setdefault(fs, uuid.uuid4().hex)


def reduce_face(face: Any) -> tuple[Any, ...]:
    """Return how `pickle` makes a face again: by the name of its file system, or by a pack."""
    fs = face.fs
    name = name_of(fs)
    if name is not None:
        return _by_name, (type(face), name, face.auto_mkdir)
    pack = io.BytesIO()
    fs.pack(pack)
    where = (os.getpid(), token_of(fs))
    return _by_pack, (type(face), where, pack.getvalue(), face.auto_mkdir)


def _by_name(cls: Any, name: str, auto_mkdir: bool) -> Any:
    return cls(name=name, auto_mkdir=auto_mkdir)


def _by_pack(cls: Any, where: tuple[int, str], pack: bytes, auto_mkdir: bool) -> Any:
    """Return the same file system in the same process, and in another one a copy."""
    process, token = where
    if process == os.getpid():
        for fs, other in list(_tokens.items()):
            if other == token:
                return cls(fs, auto_mkdir=auto_mkdir)
    copy = MemoryFileSystem.unpack(io.BytesIO(pack))
    refuse_changes(copy)
    return cls(copy, auto_mkdir=auto_mkdir)
