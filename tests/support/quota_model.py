"""Which bytes and nodes count where, and what does not fit: the model of quotas."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.file_model import ModelFile
from tests.support.tree_model import DIRECTORY, FILE, Entry, Limits, RefusedError, Tree


class FullError(Exception):
    """Raised where something does not fit.

    Args:
        requested: how much is to be added.
        available: how much there is room for.
        limit: how much there may be in all.
    """

    def __init__(self, requested: int, available: int, limit: int) -> None:
        super().__init__(requested, available, limit)


class Part:
    """One part of the tree: what is below a directory with a quota, or all of it."""

    def __init__(self, limits: Limits, outer: Part | None) -> None:
        self.limits = limits
        self.outer = outer

    def around(self) -> Iterator[Part]:
        """Yield this part and those around it."""
        part: Part | None = self
        while part is not None:
            yield part
            part = part.outer


class QuotaTree(Tree):
    """A tree of which every part may be limited.

    A method that raises may leave it half changed: it is to be called on a copy.

    Attributes:
        whole: the part that is everything.
        parts: those of directories with a quota, by the key of the directory.
        homes: the part in which a file or link counts, by its key.
        open: the files that are open, by the number of the handle.
    """

    def __init__(self, owner: tuple[int, int], limits: Limits) -> None:
        super().__init__(owner)
        self.whole = Part(limits, None)
        self.parts = {self.root.key: self.whole}
        self.homes: dict[int, Part] = {}
        self.open: dict[int, Entry] = {}

    # Where things count

    def directories(self) -> Iterator[tuple[Entry, Part]]:
        """Yield each directory with the part in which its entries count."""
        pending = [(self.root, self.whole)]
        while pending:
            directory, part = pending.pop()
            yield directory, part
            for entry in directory.names.values():
                if entry.kind == DIRECTORY:
                    pending.append((entry, self.parts.get(entry.key, part)))

    def part_of(self, directory: Entry) -> Part:
        """Return the part in which the entries of a directory count."""
        return next(part for it, part in self.directories() if it is directory)

    def total(self, part: Part) -> tuple[int, int]:
        """Return the bytes and nodes that count in a part, and in those within it."""
        used = nodes = 0
        counted = {entry.key: entry for entry in self.open.values()}
        for directory, its in self.directories():
            for entry in directory.names.values():
                if entry.kind == DIRECTORY:
                    nodes += part in its.around()
                else:
                    counted[entry.key] = entry
        for key, entry in counted.items():
            if part in self.homes[key].around():
                used += entry.file.stored()
                nodes += 1
        return used, nodes + (part is self.whole)

    def require(self, part: Part, growth: int, nodes: int, comes_from: Part | None = None) -> None:
        """Raise FullError unless so much more fits into a part and those around it."""
        for one in part.around():
            if comes_from is not None and one in comes_from.around():
                return
            used, count = self.total(one)
            for added, present, limit in zip(
                (growth, nodes), (used, count), one.limits, strict=True
            ):
                if limit is not None and added > 0 and present + added > limit:
                    raise FullError(added, limit - present, limit)

    def links_to(self, entry: Entry) -> int:
        return sum(it is entry for it in self.root.below())

    # What grows

    def _new(self, path: str, mode: int, file: ModelFile, follow: bool = False) -> Entry:
        directory = self.place(path, follow)[0]
        entry = self._add(path, mode, follow)
        entry.file = file
        part = self.part_of(directory)
        name = next(name for name, it in directory.names.items() if it is entry)
        del directory.names[name]
        self.require(part, file.stored(), 1)
        directory.names[name] = entry
        self.homes[entry.key] = part
        return entry

    def change(self, entry: Entry, file: ModelFile) -> None:
        self.require(self.homes[entry.key], file.stored() - entry.file.stored(), 0)
        entry.file = file

    def put(self, path: str, file: ModelFile) -> Entry:
        """Make or change a file."""
        there = self.place(path, True)[2]
        if there is None:
            return self._new(path, FILE | 0o644, file, follow=True)
        self.change(self.file_at(path, create=False), file)
        return there

    def write_bytes(self, path: str, data: bytes) -> None:
        self.put(path, ModelFile().written(0, data))

    def truncate(self, path: str, size: int) -> None:
        entry = self.file_at(path, create=False)
        self.change(entry, entry.file.truncated(size))

    def mkdir(self, path: str) -> None:
        entry = self._new(path, DIRECTORY | 0o755, ModelFile())
        del self.homes[entry.key]

    def symlink(self, target: str, path: str) -> None:
        self._new(path, 0o120777, ModelFile()).target = target

    def copy_file(self, src: str, dst: str) -> None:
        source = self.file_at(src, create=False)
        there = self.place(dst, True)[2]
        if there is not None and there.kind == DIRECTORY:
            dst = f"{dst}/{src.rpartition('/')[2]}"
            there = self.place(dst, True)[2]
        if there is source:
            raise RefusedError(dst)
        self.put(dst, source.file).mode = source.mode

    def attach(self, directory: Entry, name: str, copied: Entry) -> None:
        below = list(copied.below())
        part = self.part_of(directory)
        self.require(part, sum(it.file.stored() for it in below), len(below) + 1)
        self.homes.update((it.key, part) for it in below if it.kind != DIRECTORY)
        super().attach(directory, name, copied)

    # What moves or goes

    def rename(self, src: str, dst: str) -> None:
        old, _, entry = self.place(src, False)
        new, _, there = self.place(dst, False)
        origin, target = self.part_of(old), self.part_of(new)
        full: FullError | None = None
        moved: list[Entry] = []
        if entry is not None and origin is not target:
            # What is replaced is still there while it is asked whether the rest fits.
            moved, growth, nodes = self._crossing(entry, origin)
            try:
                self.require(target, growth, nodes + 1, comes_from=origin)
            except FullError as error:
                full = error
        super().rename(src, dst)
        if entry is there:
            return
        if full is not None:
            raise full
        for one in moved:
            if one.key in self.parts:
                self.parts[one.key].outer = target
            elif one.kind != DIRECTORY:
                self.homes[one.key] = target
        self._settle()

    def _crossing(self, top: Entry, origin: Part) -> tuple[list[Entry], int, int]:
        """Return what moves along with an entry, its bytes, and the nodes besides the entry."""
        moved: list[Entry] = []
        growth = nodes = 0
        pending = [top]
        while pending:
            entry = pending.pop()
            if entry.kind != DIRECTORY:
                if self.homes[entry.key] is not origin or self.links_to(entry) > 1:
                    nodes -= entry is top  # It goes on counting where it did.
                    continue
                growth += entry.file.stored()
            elif entry.key in self.parts and self.parts[entry.key] is not origin:
                used, count = self.total(self.parts[entry.key])
                growth += used
                nodes += count
            else:
                pending.extend(entry.names.values())
            nodes += entry is not top
            moved.append(entry)
        return moved, growth, nodes

    def remove(self, path: str) -> None:
        super().remove(path)
        self._settle()

    def rmtree(self, path: str) -> None:
        super().rmtree(path)
        self._settle()

    def _settle(self) -> None:
        """Let go of the quotas of directories that are gone; what counted there counts around."""
        present = {directory.key for directory, _ in self.directories()}
        for key in self.parts.keys() - present:
            self.parts.pop(key).limits = (None, None)

    def close(self, slot: int) -> None:
        del self.open[slot]

    # Quotas

    def set_quota(self, path: str, limits: Limits) -> None:
        directory = self.find(path)
        if directory.kind != DIRECTORY:
            raise RefusedError(path)
        own = self.parts.get(directory.key)
        if own is not None and (limits != (None, None) or own is self.whole):
            for used, limit in zip(self.total(own), limits, strict=True):
                if limit is not None and used > limit:
                    raise FullError(used, limit, limit)
            own.limits = limits
            return
        if own is None and limits == (None, None):
            return
        origin = self.part_of(directory)
        if own is None:
            target = Part(limits, origin)
        else:
            assert own.outer is not None
            target = own.outer
        growth = nodes = 0
        moved: list[Entry] = []
        for entry in directory.names.values():
            if entry not in moved:
                crossing = self._crossing(entry, origin)
                moved += crossing[0]
                growth += crossing[1]
                nodes += crossing[2] + 1
        self.require(target, growth, nodes, comes_from=origin)
        for one in moved:
            if one.key in self.parts:
                self.parts[one.key].outer = target
            elif one.kind != DIRECTORY:
                self.homes[one.key] = target
        if own is None:
            self.parts[directory.key] = target
        else:
            self.parts.pop(directory.key).limits = (None, None)
