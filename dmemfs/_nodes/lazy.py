"""Entries of directories and contents of files that are had when somebody first asks for them.

Each is a dictionary that fills itself, in the place of one that is full from the beginning. So no
code need ask which of both it is, and a directory or file that is there in full pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from .._mutex import Lock, wait_for
from .._platform import shared_dict
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


FileFields: TypeAlias = tuple[list[Any], ...]
"""Of the files in a directory: names, contents, modes, owners, mtimes, ctimes, atimes."""

_LEAST_FILES = 8


class UncopiedFiles(_Deferred[str, Node]):
    """The entries of a directory of a copy that nobody has looked into: files, and nothing else.

    What they were is kept field by field, which takes a third of the time that making nodes takes,
    and is nothing that the collector of garbage has to visit. They are counted already.

    Args:
        directory: whose entries they are.
        lock: that of its file system.
        fields: what the files are; copies of the copy have the same lists.
    """

    def __init__(self, directory: Directory, lock: Lock, fields: FileFields) -> None:
        super().__init__()
        self._directory = directory
        self._lock = lock
        self._entries: dict[str, Node] | None = None
        self.fields: FileFields | None = fields

    def _load(self) -> dict[str, Node]:
        try:
            if not self._lock.acquire(False):
                wait_for(self._lock)
            if self._entries is None:
                assert self.fields is not None
                self._entries = entries = _made_of(self.fields, self._directory)
                self._directory.children = entries
                self.fields = None
            return self._entries
        finally:
            self._lock.release()


def _made_of(fields: FileFields, directory: Directory) -> dict[str, Node]:
    entries: dict[str, Node] = shared_dict()
    account = directory.account
    for name, content, mode, owner, mtime, ctime, atime in zip(*fields, strict=True):
        node = File()
        node.told = None
        node.mode, node.owner, node.nlink = mode, owner, 1
        node.mtime, node.ctime, node.atime = mtime, ctime, atime
        node.account = account
        node.content, node.size = content, len(content)
        entries[name] = node
    return entries


def fields_of_files(directory: Directory) -> FileFields | None:
    """Return what the entries of a directory are, if there are several, and all plain files.

    Plain is one that has one name, is counted where the directory is, and is in one piece.
    """
    children = directory.children
    if type(children) is UncopiedFiles and children.fields is not None:
        return children.fields
    if len(children) < _LEAST_FILES:
        return None
    children = children.copy()  # in one step: signal handlers may change them
    files: list[Any] = list(children.values())
    account = directory.account
    for file in files:
        if file.__class__ is not File or file.nlink != 1 or file.account is not account:
            return None
    fields = (
        list(children),
        [file.content for file in files],
        [file.mode for file in files],
        [file.owner for file in files],
        [file.mtime for file in files],
        [file.ctime for file in files],
        [file.atime for file in files],
    )
    in_one_piece = {*map(type, fields[1])} == {bytes}
    return fields if in_one_piece else None


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


def is_uncopied(directory: Directory) -> bool:
    """Tell whether the files in a directory of a copy are still to be made."""
    return type(directory.children) is UncopiedFiles


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
