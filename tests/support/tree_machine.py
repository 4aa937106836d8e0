"""Two trees, a real one and one in memory, to which the same is done."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from typing import Any

from hypothesis.stateful import initialize, invariant

from dmemfs import MemoryFileSystem
from tests.support.comparison import outcome
from tests.support.machines import CountedMachine
from tests.support.real_filesystem import RealFileSystem
from tests.support.tree_paths import BASE, BLOCK, NAMES_OF_A_CASE, Recipe, Spelled, spell

AS_ROOT = os.geteuid() == 0

# Beyond this a tree is emptied: one move can double the length of paths, and no step may make one
# that is too long to be looked at.
_LONGEST_PATH = 1500


class TwoTrees(CountedMachine):
    """Does the same to a temporary directory and to a MemoryFileSystem, and expects the same."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = contextlib.ExitStack()
        root = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        self.real = RealFileSystem(root)
        self.real.chmod("/", 0o755)
        self.memory = MemoryFileSystem(max_quota=None)
        self.names: tuple[str, ...] = ("a",)
        self.present = [BASE]
        self.handles: dict[int, tuple[Any, Any]] = {}
        # What was made or written after this has times of which only that can be said.
        self.began = time.time_ns() - 10**9
        self.marks = 0
        self.changed = True

    def sides(self) -> tuple[Any, Any]:
        return self.real, self.memory

    @initialize(names=NAMES_OF_A_CASE)
    def fill(self, names: tuple[str, ...]) -> None:
        self.names = names
        for fs in self.sides():
            fs.makedirs(f"{BASE}/a/b/c")
            fs.makedirs(f"{BASE}/b/a")
            fs.write_bytes(f"{BASE}/a/a", b"first")
            fs.write_bytes(f"{BASE}/c", b"second" * BLOCK)
            fs.link(f"{BASE}/c", f"{BASE}/b/b")
            fs.symlink(f"{BASE}/a/b", f"{BASE}/b/c")
            fs.mkdir(f"{BASE}/{names[3]}")
            fs.write_bytes(f"{BASE}/{names[4]}", b"odd")
        self.trees_are_the_same()

    def teardown(self) -> None:
        with self.cleanup:
            for pair in self.handles.values():
                for handle in pair:
                    handle.close()
            self.memory._check()

    # -- paths -----------------------------------------------------------------------------------

    def where(self, recipe: Recipe) -> Spelled | None:
        """Return the path for both sides, or None where it would leave the real directory."""
        path = spell(recipe, self.present, self.names, self.real.prefix_length)
        return None if self.leaves(path.real) else path

    def leaves(self, path: Any) -> bool:
        """Tell whether a path leads out of the real directory: see the difference "root"."""
        try:
            led_to = os.fsdecode(os.path.realpath(self.real.to_real(path)))
        except (ValueError, OSError):
            return False  # It leads nowhere.
        return not f"{led_to}/".startswith(f"{self.real.root}/")

    # -- doing the same ----------------------------------------------------------------------------

    def outcomes(
        self, name: str, *arguments: Any, **keywords: Any
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Call a method of both; arguments that are Spelled are paths."""
        self.changed = True
        same_paths: dict[Any, Any] = {}
        for argument in arguments:
            if isinstance(argument, Spelled):
                same_paths[os.fspath(argument.memory)] = os.fspath(argument.real)
        results = []
        for number, fs in enumerate(self.sides()):
            own = [it[number] if isinstance(it, Spelled) else it for it in arguments]
            results.append(outcome(getattr(fs, name), *own, **keywords))
        real, memory = results
        return real, tuple(same_paths.get(it, it) if _is_path(it) else it for it in memory)

    def on_both(self, name: str, *arguments: Any, **keywords: Any) -> tuple[Any, ...]:
        real, memory = self.outcomes(name, *arguments, **keywords)
        assert memory == real, (name, arguments, keywords)
        return memory

    # -- what can be seen --------------------------------------------------------------------------

    def attributes(self, fs: Any, status: os.stat_result, target: str | None = None) -> Any:
        """Return what two file systems have in common of the attributes of a node."""
        size: int | None = None
        if stat.S_ISREG(status.st_mode):
            size = status.st_size
        elif target is not None:
            # On the real side an absolute target begins with the path of the root.
            prefix = fs.prefix_length if fs is self.real and target.startswith("/") else 0
            size = status.st_size - prefix
        modified = status.st_mtime_ns if status.st_mtime_ns < self.began else "just now"
        return status.st_mode, status.st_nlink, status.st_uid, status.st_gid, size, modified

    def look(self, fs: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """Return every node by its path, and the paths of each by its number."""
        nodes: dict[str, Any] = {}
        numbers: dict[int, list[str]] = {}
        waiting = ["/"]
        while waiting:
            path = waiting.pop()
            status = fs.lstat(path)
            target = None
            content: Any
            if stat.S_ISDIR(status.st_mode):
                content = sorted(fs.listdir(path))  # See the difference "order of entries".
                waiting += [f"{path.rstrip('/')}/{name}" for name in content]
            elif stat.S_ISLNK(status.st_mode):
                content = target = fs.readlink(path)
            else:
                content = fs.read_bytes(path)
            numbers.setdefault(status.st_ino, []).append(path)
            nodes[path] = (self.attributes(fs, status, target), content)
        return nodes, {min(paths): sorted(paths) for paths in numbers.values()}

    @invariant()
    def trees_are_the_same(self) -> None:
        if not self.changed:
            return
        self.memory._check()
        (real, real_links), (memory, memory_links) = (self.look(fs) for fs in self.sides())
        if memory != real:
            differing = {it for it in real.keys() | memory if real.get(it) != memory.get(it)}
            first = min(differing)
            assert memory.get(first) == real.get(first), (first, sorted(differing))
        assert memory_links == real_links
        for pair in self.handles.values():
            if pair[0].readable():
                contents = [self.whole(file) for file in pair]
                assert contents[0] == contents[1], pair
        self.mark_times(real)
        self.present = sorted(path for path in real if path.startswith(f"{BASE}/")) or [BASE]
        self.changed = False
        if max(len(os.fsencode(path)) for path in real) > _LONGEST_PATH:
            self.start_again()

    @staticmethod
    def whole(file: Any) -> bytes:
        """Return all of an open file, whose name may be gone; its position stays."""
        position = file.seek(0, os.SEEK_CUR)
        file.seek(0)
        content: bytes = file.read()
        file.seek(position)
        return content

    def mark_times(self, nodes: dict[str, Any]) -> None:
        """Give both sides of what has just changed the same old time, another one each."""
        for path, (attributes, _) in nodes.items():
            if attributes[-1] == "just now":
                self.marks += 1
                for fs in self.sides():
                    fs.utime(path, ns=(self.marks, self.marks), follow_symlinks=False)

    def start_again(self) -> None:
        for fs in self.sides():
            fs.rmtree(BASE)
            fs.mkdir(BASE)
        self.changed = True
        self.trees_are_the_same()


def _is_path(value: object) -> bool:
    return isinstance(value, str | bytes)
