"""A tree of plain Python objects that is copied whole: what snapshots are compared with."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping

from tests.support.file_model import BLOCK, ModelFile

DIRECTORY, FILE, LINK = 0o040000, 0o100000, 0o120000
Limits = tuple[int | None, int | None]
_keys = itertools.count()


class RefusedError(Exception):
    """Raised where a POSIX file system would refuse."""


class Entry:
    """A directory, a file or a symbolic link.

    Attributes:
        key: what stays the same in every copy of it.
        content: names and entries, or a file's bytes, or what a link says.
        limits: bytes and nodes, where a directory has a quota.
        was_linked: whether it ever had several names, so that it may be counted elsewhere.
    """

    def __init__(self, mode: int, owner: tuple[int, int]) -> None:
        self.key = next(_keys)
        self.mode = mode
        self.owner = owner
        self.names: dict[str, Entry] = {}
        self.file = ModelFile()
        self.target = ""
        self.limits: Limits | None = None
        self.was_linked = False

    @property
    def kind(self) -> int:
        return self.mode & 0o170000

    def below(self) -> Iterator[Entry]:
        """Yield every entry below a directory, one of several names several times."""
        for entry in self.names.values():
            yield entry
            yield from entry.below()

    def used(self) -> tuple[int, int]:
        """Return the bytes and nodes below a directory."""
        entries = {entry.key: entry for entry in self.below()}.values()
        return sum(entry.file.stored() for entry in entries), len(entries)


class Tree:
    """All entries, and what the methods of a file system do to them.

    A method that raises may leave it half changed: it is to be called on a copy.
    """

    def __init__(self, owner: tuple[int, int]) -> None:
        self.owner = owner
        self.root = Entry(DIRECTORY | 0o755, owner)

    def copy(self) -> Tree:
        return copy.deepcopy(self)

    def paths(self) -> dict[str, Entry]:
        """Return all entries by path, those above first."""
        found = {"/": self.root}
        pending = [("", self.root)]
        while pending:
            above, directory = pending.pop()
            for name, entry in directory.names.items():
                found[f"{above}/{name}"] = entry
                pending.append((f"{above}/{name}", entry))
        return found

    def files(self) -> dict[int, Entry]:
        """Return all files by key."""
        return {entry.key: entry for entry in self.root.below() if entry.kind == FILE}

    # Where paths lead

    def place(self, path: str, follow: bool, links: int = 0) -> tuple[Entry, str, Entry | None]:
        """Return the directory, the name and the entry that is there, if any."""
        if links > 40:
            raise RefusedError(path)
        directory, name = self.root, ""
        entry: Entry | None = self.root
        names = [part for part in path.split("/") if part]
        for position, name in enumerate(names):
            if entry is None or entry.kind != DIRECTORY:
                raise RefusedError(path)
            directory, entry = entry, entry.names.get(name)
            is_last = position == len(names) - 1
            if entry is not None and entry.kind == LINK and (follow or not is_last):
                rest = "/".join(names[position + 1 :])
                return self.place(f"{entry.target}/{rest}", follow, links + 1)
        return directory, name, entry

    def find(self, path: str, follow: bool = True) -> Entry:
        entry = self.place(path, follow)[2]
        if entry is None:
            raise RefusedError(path)
        return entry

    def exists(self, path: str) -> bool:
        try:
            self.find(path)
        except RefusedError:
            return False
        return True

    # Changes

    def _add(self, path: str, mode: int, follow: bool = False) -> Entry:
        directory, name, there = self.place(path, follow)
        if there is not None or not name:
            raise RefusedError(path)
        directory.names[name] = entry = Entry(mode, self.owner)
        return entry

    def file_at(self, path: str, create: bool) -> Entry:
        there = self.place(path, True)[2]
        if there is None and create:
            return self._add(path, FILE | 0o644, follow=True)
        if there is None or there.kind != FILE:
            raise RefusedError(path)
        return there

    def write_bytes(self, path: str, data: bytes) -> None:
        self.file_at(path, create=True).file = ModelFile().written(0, data)

    def truncate(self, path: str, size: int) -> None:
        entry = self.file_at(path, create=False)
        entry.file = entry.file.truncated(size)

    def mkdir(self, path: str) -> None:
        self._add(path, DIRECTORY | 0o755)

    def makedirs(self, path: str, exist_ok: bool) -> None:
        self._make_above(path)
        if exist_ok and self.exists(path) and self.find(path).kind == DIRECTORY:
            return
        self.mkdir(path)

    def _make_above(self, path: str) -> None:
        names = path.split("/")
        for count in range(2, len(names)):
            if not self.exists("/".join(names[:count])):
                self.mkdir("/".join(names[:count]))

    def symlink(self, target: str, path: str) -> None:
        self._add(path, LINK | 0o777).target = target

    def link(self, src: str, dst: str) -> None:
        entry = self.find(src, follow=False)
        directory, name, there = self.place(dst, False)
        if entry.kind == DIRECTORY or there is not None:
            raise RefusedError(dst)
        entry.was_linked = True
        directory.names[name] = entry

    def remove(self, path: str) -> None:
        directory, name, there = self.place(path, False)
        if there is None or there.kind == DIRECTORY:
            raise RefusedError(path)
        del directory.names[name]

    def rmdir(self, path: str) -> None:
        if self.find(path, follow=False).names:
            raise RefusedError(path)
        self.rmtree(path)

    def rmtree(self, path: str) -> None:
        directory, name, there = self.place(path, False)
        if there is None or there.kind != DIRECTORY or not name:
            raise RefusedError(path)
        del directory.names[name]

    def rename(self, src: str, dst: str) -> None:
        old, old_name, entry = self.place(src, False)
        new, new_name, there = self.place(dst, False)
        if entry is None or not old_name or not new_name:
            raise RefusedError(src)
        if entry is there:
            return
        if entry.kind == DIRECTORY:
            if new is entry or new in entry.below():
                raise RefusedError(dst)
            if there is not None and (there.kind != DIRECTORY or there.names):
                raise RefusedError(dst)
        elif there is not None and there.kind == DIRECTORY:
            raise RefusedError(dst)
        del old.names[old_name]
        new.names[new_name] = entry

    def move(self, src: str, dst: str) -> None:
        self.find(src, follow=False)
        self._make_above(dst)
        self.rename(src, dst)

    def copy_file(self, src: str, dst: str) -> None:
        source = self.file_at(src, create=False)
        if self.exists(dst) and self.find(dst).kind == DIRECTORY:
            dst = f"{dst}/{src.rpartition('/')[2]}"
        if self.exists(dst) and self.find(dst) is source:
            raise RefusedError(dst)
        target = self.file_at(dst, create=True)
        target.file, target.mode = source.file, source.mode

    def copy_tree(self, src: str, dst: str) -> None:
        top = self.find(src)
        if top.kind != DIRECTORY:
            raise RefusedError(src)
        self._make_above(dst)
        directory, name, there = self.place(dst, False)
        if there is not None:
            raise RefusedError(dst)
        self.attach(directory, name, self._duplicate(top))

    def attach(self, directory: Entry, name: str, copied: Entry) -> None:
        """Let a copy of a directory be in another one."""
        directory.names[name] = copied

    def _duplicate(self, entry: Entry) -> Entry:
        duplicate = Entry(entry.mode, self.owner)
        duplicate.file, duplicate.target = entry.file, entry.target
        duplicate.names = {name: self._duplicate(it) for name, it in entry.names.items()}
        return duplicate

    def import_tree(self, tree: Mapping[str, bytes]) -> None:
        for path, data in tree.items():
            self._make_above(path)
            self.write_bytes(path, data)

    def chmod(self, path: str, mode: int) -> None:
        entry = self.find(path)
        entry.mode = entry.kind | mode

    def chown(self, path: str, owner: tuple[int, int]) -> None:
        self.find(path).owner = owner

    def set_quota(self, path: str, limits: Limits) -> None:
        entry = self.find(path)
        if entry.kind != DIRECTORY:
            raise RefusedError(path)
        entry.limits = None if limits == (None, None) else limits

    # What can be seen

    def picture(self) -> dict[str, tuple[object, ...]]:
        """Return mode, owner, link count, stored size and content of every entry by path."""
        paths = self.paths()
        names: dict[int, int] = {}
        for entry in paths.values():
            names[entry.key] = names.get(entry.key, 0) + 1
        found: dict[str, tuple[object, ...]] = {}
        for path, entry in paths.items():
            content: object
            if entry.kind == DIRECTORY:
                links = 2 + sum(it.kind == DIRECTORY for it in entry.names.values())
                content = tuple(entry.names)
            else:
                links = names[entry.key]
                content = entry.file.content if entry.kind == FILE else entry.target
            found[path] = (entry.mode, entry.owner, links, -(-entry.file.stored() // 512), content)
        return found


__all__ = ["BLOCK", "DIRECTORY", "FILE", "LINK", "Entry", "Limits", "RefusedError", "Tree"]
