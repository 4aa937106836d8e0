"""Entries of directories and contents of files that are had when somebody first asks for them.

Each is a dictionary that fills itself, in the place of one that is full from the beginning. So no
code need ask which of both it is, and a directory or file that is there in full pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .blocks import Block, BlockPool
from .content import BlockList, Content
from .nodes import Directory, File, Node

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Deferred(dict[_Key, _Value]):
    """A dictionary that stands for another one, which is made when it is first asked for."""

    def _load(self) -> dict[_Key, _Value]:
        """Return the other one, the same one each time."""
        raise NotImplementedError

    def __getitem__(self, key: _Key) -> _Value:
        return self._load()[key]

    def __setitem__(self, key: _Key, value: _Value) -> None:
        self._load()[key] = value

    def __delitem__(self, key: _Key) -> None:
        del self._load()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._load()

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def get(self, key: Any, default: Any = None) -> Any:
        return self._load().get(key, default)

    def copy(self) -> dict[_Key, _Value]:
        return self._load().copy()

    def items(self) -> Any:
        return self._load().items()

    def keys(self) -> Any:
        return self._load().keys()

    def values(self) -> Any:
        return self._load().values()

    def update(self, other: Any = (), /, **more: Any) -> None:
        self._load().update(other, **more)


class Unloaded(_Deferred[str, Node]):
    """The entries of a directory that nobody has looked into.

    Args:
        load: returns the entries, the same each time.
        load_again: has the same entries shown by a directory of another file system; None where
            nobody can copy them.
    """

    def __init__(
        self,
        load: Callable[[], dict[str, Node]],
        load_again: Callable[[Any, Directory], None] | None = None,
    ) -> None:
        super().__init__()
        self._make = load
        self.load_again = load_again

    def _load(self) -> dict[str, Node]:
        return self._make()


class UnreadBlocks(_Deferred[int, Block]):
    """The blocks of a file that nobody has read.

    They refer neither to their content nor to their file: a file without a name is gone when the
    last reference to it goes, and must not wait for the collector of garbage.

    Args:
        read: calls `fill`.
        read_again: returns the same content, not read, for a file in a directory of another file
            system; None where nobody can copy it.
    """

    def __init__(
        self,
        read: Callable[[UnreadBlocks], None],
        read_again: Callable[[Any, File, Directory], BlockList] | None = None,
    ) -> None:
        super().__init__()
        self._read = read
        self._blocks: dict[int, Block] | None = None
        self.read_again = read_again

    def _load(self) -> dict[int, Block]:
        if self._blocks is None:
            self._read(self)
        assert self._blocks is not None
        return self._blocks

    def are_of(self, file: File | None) -> bool:
        """Tell whether these are the blocks of what a file has for its content."""
        content = None if file is None else file.content
        return type(content) is BlockList and content._blocks is self

    def fill(self, read: BlockList, file: File | None) -> None:
        """Be the blocks of `read`, which nobody else holds; and so its content, if it is still."""
        blocks, counted, token = read._blocks, read.counted, read._token
        content: Any = file.content if file is not None and self.are_of(file) else None
        self._blocks = blocks
        if content is not None:
            content._token = token
            content._blocks = blocks
            content.counted = counted


def loaded_entries(directory: Directory) -> Mapping[str, Node]:
    """Return the entries of a directory, none if nobody has looked into it."""
    return {} if type(directory.children) is Unloaded else directory.children


def is_unloaded(directory: Directory) -> bool:
    """Tell whether nobody has looked into a directory."""
    return type(directory.children) is Unloaded


def is_unread(content: Content) -> bool:
    """Tell whether content is still to be read."""
    return type(content) is BlockList and type(content._blocks) is UnreadBlocks


def stored_when_read(file: File) -> int:
    """Return the bytes that the quota counts for a file, which is read if nobody has done so."""
    content = file.content
    if type(content) is BlockList:
        len(content._blocks)
    return file.stored_bytes()


def unread_content(pool: BlockPool, size: int, blocks: UnreadBlocks) -> BlockList:
    """Return content of so many bytes, of which nothing is counted until it is read."""
    content = BlockList(pool)
    content.size = size
    content._blocks = blocks
    return content


def unread_like(content: BlockList, blocks: UnreadBlocks) -> BlockList:
    """Return unread content of the size of another one."""
    return unread_content(content._pool, content.size, blocks)


def copy_of_unread(content: Content, fs: Any, file: File, parent: Directory) -> BlockList | None:
    """Return unread content for a copy of a file in another file system, None if it cannot be."""
    blocks = content._blocks if type(content) is BlockList else None
    if type(blocks) is not UnreadBlocks or blocks.read_again is None:
        return None
    return blocks.read_again(fs, file, parent)
