"""Random operations on a real directory and on MemoryFileSystem, compared after each step."""

from __future__ import annotations

import errno
import os
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dmemfs import MemoryFileSystem
from tests.support.comparison import outcome
from tests.support.machines import machine_test, run_machine
from tests.support.real_filesystem import RealFileSystem
from tests.support.tree_machine import AS_ROOT, TwoTrees
from tests.support.tree_paths import (
    BASE,
    BLOCK,
    DATA,
    DEEP,
    OFFSETS,
    PATHS,
    TARGETS,
    THERE,
    Pathlike,
    Recipe,
    Spelled,
)

SLOTS = st.integers(0, 3)
MODES = st.one_of(st.none(), st.integers(0, 0o7777))
TEXTS = st.text("aä€😀\r\n\udc80", max_size=12)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "latin-1", "ascii", "shift_jis", "no such"])
ERRORS = st.sampled_from([None, "strict", "replace", "surrogateescape", "ignore"])
NEWLINES = st.sampled_from([None, "", "\n", "\r", "\r\n", "bad"])
TIMES = st.one_of(
    st.tuples(st.integers(-(2**31), 2**30), st.integers(-(2**31), 2**30)),
    st.tuples(st.floats(0, 2**30), st.floats(0, 2**30)),
)
QUESTIONS = ("exists", "is_file", "is_dir", "is_symlink", "readlink", "read_bytes")

WITHOUT_COUNTERPART = {
    "add_real": "shows a real directory in the tree",
    "apply": "writes to real directories",
    "attach": "shows another file system in the tree",
    "changes": "compares with real directories",
    "clone": "copies a whole file system",
    "close": "lets go of a whole file system",
    "detach": "shows it no more",
    "discard": "forgets what was changed of real directories",
    "export_archive": "writes an archive of a tree",
    "export_as_bytesio": "returns an object of io",
    "export_tree": "returns a dictionary",
    "fail": "makes operations fail on purpose",
    "from_tree": "makes a file system of a dictionary",
    "import_archive": "reads an archive",
    "import_tree": "takes a dictionary",
    "iter_export_tree": "yields pairs of path and content",
    "lock": "is an advisory lock with a timeout of its own",
    "mount": "patches the process",
    "pack": "writes an image of the file system",
    "path": "returns an object",
    "publish": "gives the file system a name",
    "published": "finds a file system by its name",
    "quota": "tells the quota of a directory",
    "restore": "goes back to a snapshot",
    "rollback": "goes back to a snapshot",
    "set_quota": "limits a directory",
    "snapshot": "remembers a state",
    "stats": "tells what is in use as a dictionary",
    "to_tree": "returns a dictionary",
    "tree": "draws a tree",
    "unpack": "reads an image of a file system",
    "unpublish": "takes a name from it",
    "usage": "tells what is in use below a directory",
}
"""The methods that no operating system has, and what they do."""


class TreeMachine(TwoTrees):
    """Every method of the file system, and several open files."""

    # -- making --------------------------------------------------------------------------------

    @rule(path=PATHS, data=DATA, kind=st.sampled_from([bytes, bytearray, memoryview]))
    def write_bytes(self, path: Recipe, data: bytes, kind: Any) -> None:
        if where := self.where(path):
            self.on_both("write_bytes", where, kind(data))

    @rule(path=PATHS, text=TEXTS, encoding=ENCODINGS, errors=ERRORS, newline=NEWLINES)
    def write_text(
        self, path: Recipe, text: str, encoding: str, errors: str | None, newline: str | None
    ) -> None:
        if where := self.where(path):
            before = outcome(self.memory.read_bytes, where.memory)
            real, memory = self.outcomes("write_text", where, text, encoding, errors, newline)
            if memory[0] in ("LookupError", "UnicodeEncodeError", "ValueError"):
                # See the difference "refused text".
                assert real[0] != "ok"
                assert outcome(self.memory.read_bytes, where.memory) == before
                if outcome(self.real.is_file, where.real) == ("ok", True):
                    self.on_both("write_bytes", where, b"")
            else:
                assert memory == real

    @rule(path=PATHS, mode=MODES, parents=st.booleans(), exist_ok=st.booleans())
    def mkdir(self, path: Recipe, mode: int | None, parents: bool, exist_ok: bool) -> None:
        if where := self.where(path):
            how = {} if mode is None else {"mode": usable(mode)}
            # os.makedirs() takes a path apart without a look at the tree.
            parents = parents and b"/." not in as_bytes(where.real) and self.is_possible(path)
            if parents:
                self.make_all("mkdir", where, **how, parents=True, exist_ok=exist_ok)
            else:
                self.on_both("mkdir", where, **how, exist_ok=exist_ok)

    @rule(path=DEEP, mode=MODES, exist_ok=st.booleans())
    def makedirs(self, path: Recipe, mode: int | None, exist_ok: bool) -> None:
        if (where := self.where(path)) and self.is_possible(path):
            how = {} if mode is None else {"mode": usable(mode)}
            self.make_all("makedirs", where, **how, exist_ok=exist_ok)

    def make_all(self, name: str, where: Spelled, **how: Any) -> None:
        """Make directories; of those that are refused the real side has made some.

        See the difference "failed makedirs".
        """
        real, memory = self.outcomes(name, where, **how)
        assert memory == real, (name, where, how)
        if real[0] != "ok":
            self.unmake_above(os.fsdecode(where.real))

    def is_possible(self, path: Recipe) -> bool:
        """Tell whether the kernel would be asked."""
        return not any("\0" in self.names[it] or "\ud800" in self.names[it] for it in path.names)

    @rule(src=PATHS, dst=PATHS)
    def link(self, src: Recipe, dst: Recipe) -> None:
        if (one := self.where(src)) and (two := self.where(dst)):
            self.on_both_paths("link", one, two)

    @rule(points_to=TARGETS, path=PATHS)
    def symlink(self, points_to: Any, path: Recipe) -> None:
        if isinstance(points_to, Recipe):
            points_to = self.where(points_to)
        elif isinstance(points_to, tuple):
            points_to = "/".join(self.names[number] for number in points_to)
        if points_to is not None and (where := self.where(path)):
            self.on_both("symlink", points_to, where)

    def on_both_paths(self, name: str, one: Spelled, two: Spelled) -> None:
        real, memory = self.outcomes(name, one, two)
        if "ok" in (real[0], memory[0]) or errno.ENAMETOOLONG not in (real[1], memory[1]):
            assert memory == real, (name, one, two)
        else:  # See the difference "two wrong paths".
            assert memory[2:] == real[2:], (name, one, two)

    # -- taking away and moving ------------------------------------------------------------------

    @rule(path=PATHS)
    def rmdir(self, path: Recipe) -> None:
        if where := self.where(path):
            self.on_both("rmdir", where)

    @rule(path=PATHS)
    def unlink(self, path: Recipe) -> None:
        if where := self.where(path):
            self.on_both("unlink", where)

    @rule(path=PATHS)
    def remove(self, path: Recipe) -> None:
        if where := self.where(path):
            self.on_both("remove", where)

    @rule(path=THERE, ignore_errors=st.booleans())
    def rmtree(self, path: Recipe, ignore_errors: bool) -> None:
        # Where shutil looks at a path before it removes what is there, it may see another error.
        if where := self.where(path._replace(spelling=0)):
            link = self.memory.is_symlink(where.memory)
            real, memory = self.outcomes("rmtree", where, ignore_errors=ignore_errors)
            # See the difference "errors of shutil".
            if "ok" in (real[0], memory[0]) or not (link or real[1] is None):
                assert memory[:2] == real[:2], (where, real, memory)

    @rule(src=PATHS, dst=PATHS)
    def rename(self, src: Recipe, dst: Recipe) -> None:
        if (one := self.where(src)) and (two := self.where(dst)):
            self.on_both_paths("rename", one, two)

    @rule(src=PATHS, dst=PATHS)
    def replace(self, src: Recipe, dst: Recipe) -> None:
        if (one := self.where(src)) and (two := self.where(dst)):
            self.on_both_paths("replace", one, two)

    @rule(src=PATHS, dst=DEEP)
    def move(self, src: Recipe, dst: Recipe) -> None:
        if (one := self.where(src)) and (two := self.where(dst._replace(form="str"))):
            real, memory = self.outcomes("move", one, two)
            assert (memory[0] == "ok") == (real[0] == "ok")
            if real[0] != "ok":
                self.unmake_above(two.real)

    def unmake_above(self, path: str) -> None:
        """Remove the directories that only the real side has: see the difference "failed move"."""
        above = set()
        while path := path.rpartition("/")[0]:
            if path.rpartition("/")[2] in (".", ".."):
                continue
            if self.real.exists(path) and not self.memory.exists(path):
                self.real.rmdir(path)
                above.add(path.rpartition("/")[0])
        for directory in above:
            if self.memory.exists(directory):
                for fs in self.sides():
                    fs.utime(directory, ns=(0, 0))

    @rule(src=PATHS, dst=PATHS)
    def copy(self, src: Recipe, dst: Recipe) -> None:
        # shutil joins names, which have to be of one kind, and makes longer paths of them.
        src, dst = src._replace(form="str"), dst._replace(form="str", length=None)
        if (one := self.where(src)) and (two := self.where(dst)):
            real, memory = self.outcomes("copy", one, two)
            assert (memory[0] == "ok") == (real[0] == "ok")
            # See the difference "errors of shutil" for errors without an errno.
            assert real[0] == "ok" or real[1] is None or memory == real

    @rule(src=DEEP, dst=DEEP)
    def copy_tree(self, src: Recipe, dst: Recipe) -> None:
        src, dst = src._replace(form="str"), dst._replace(form="str")
        one, two = self.where(src), self.where(dst)
        if one and two and self.can_be_copied(one.real, two.real):
            real, memory = self.outcomes("copy_tree", one, two)
            assert memory[0] == real[0]

    def can_be_copied(self, src: Any, dst: str) -> bool:
        """Tell whether shutil does it all or not at all: not into itself, which has no end."""
        above = dst.rpartition("/")[0]
        try:
            led_to = [os.path.realpath(self.real.to_real(path)) for path in (src, above)]
        except ValueError:
            return False
        return self.real.is_dir(above) and not f"{led_to[1]}/".startswith(f"{led_to[0]}/")

    # -- attributes ------------------------------------------------------------------------------

    @rule(path=PATHS, mode=st.integers(0, 0o7777), follow=st.sampled_from([True, True, False]))
    def chmod(self, path: Recipe, mode: int, follow: bool) -> None:
        if where := self.where(path):
            self.on_both("chmod", where, usable(mode), follow_symlinks=follow)

    @rule(path=PATHS, uid=st.integers(-1, 9), gid=st.integers(-1, 9), follow=st.booleans())
    def chown(self, path: Recipe, uid: int, gid: int, follow: bool) -> None:
        if where := self.where(path):
            if not AS_ROOT:  # See the difference "permissions".
                uid, gid = min(uid, os.geteuid()), -1
            self.on_both("chown", where, uid, gid, follow_symlinks=follow)

    @rule(path=PATHS, times=TIMES, in_ns=st.booleans(), follow=st.booleans())
    def utime(self, path: Recipe, times: tuple[Any, Any], in_ns: bool, follow: bool) -> None:
        if where := self.where(path):
            keywords: dict[str, Any] = {"follow_symlinks": follow}
            if in_ns and isinstance(times[0], int):
                keywords["ns"] = times
                real, memory = self.outcomes("utime", where, **keywords)
            else:
                real, memory = self.outcomes("utime", where, times, **keywords)
            # See the difference "errors of utime"; the times that were set, the trees show.
            assert memory[:2] == real[:2]

    @rule(path=PATHS, length=st.one_of(OFFSETS, st.just(-1)))
    def truncate(self, path: Recipe, length: int) -> None:
        if where := self.where(path):
            self.on_both("truncate", where, length)

    # -- questions -------------------------------------------------------------------------------

    @rule(path=PATHS, name=st.sampled_from(QUESTIONS))
    def ask(self, path: Recipe, name: str) -> None:
        if where := self.where(path):
            self.on_both(name, where)

    @rule(path=PATHS, encoding=ENCODINGS, errors=ERRORS)
    def read_text(self, path: Recipe, encoding: str, errors: str | None) -> None:
        if where := self.where(path):
            self.on_both("read_text", where, encoding, errors)

    @rule(path=PATHS, follow=st.booleans())
    def stat(self, path: Recipe, follow: bool) -> None:
        if where := self.where(path):
            self.same_attributes("stat" if follow else "lstat", where)

    @rule(path=PATHS)
    def lstat(self, path: Recipe) -> None:
        if where := self.where(path):
            self.same_attributes("lstat", where)

    def same_attributes(self, name: str, where: Spelled) -> None:
        real, memory = self.outcomes(name, where)
        assert memory[0] == real[0]
        if real[0] == "ok":
            assert self.attributes(self.memory, memory[1]) == self.attributes(self.real, real[1])
        else:
            assert memory == real

    @rule(path=PATHS)
    def get_size(self, path: Recipe) -> None:
        # See the difference "size of a directory".
        if (where := self.where(path)) and not self.real.is_dir(where.real):
            self.on_both("get_size", where)

    @rule(path=PATHS, mode=st.sampled_from([os.F_OK, os.R_OK, os.W_OK, os.X_OK, 3, 7, 8, -1]))
    def access(self, path: Recipe, mode: int) -> None:
        if where := self.where(path):
            self.on_both("access", where, mode)

    @rule(path=PATHS)
    def statvfs(self, path: Recipe) -> None:
        if where := self.where(path):
            real, memory = self.outcomes("statvfs", where)
            if real[0] == "ok":
                assert memory[1].f_namemax == real[1].f_namemax
            else:
                assert memory == real

    # -- directories -----------------------------------------------------------------------------

    @rule(path=PATHS)
    def listdir(self, path: Recipe) -> None:
        if where := self.where(path):
            real, memory = self.outcomes("listdir", where)
            if real[0] == "ok":  # See the difference "order of entries".
                real, memory = (("ok", sorted(it[1])) for it in (real, memory))
            assert memory == real

    @rule(path=PATHS, follow=st.booleans())
    def scandir(self, path: Recipe, follow: bool) -> None:
        if where := self.where(path):
            real, memory = (
                outcome(self.describe, fs, path, follow)
                for fs, path in zip(self.sides(), where, strict=True)
            )
            if where.real is where.memory:
                assert memory == real
            else:
                assert memory[:1] == real[:1]

    def describe(self, fs: Any, path: Any, follow: bool) -> list[Any]:
        """Return all that a scan says of the entries of a directory."""
        found = []
        with fs.scandir(path) as entries:
            for entry in entries:
                link = entry.is_symlink()
                status = outcome(entry.stat, follow_symlinks=follow)
                if status[0] == "ok":
                    assert entry.inode() == fs.lstat(entry.path).st_ino
                    status = self.attributes(fs, status[1])
                is_dir = outcome(entry.is_dir, follow_symlinks=follow)
                is_file = outcome(entry.is_file, follow_symlinks=follow)
                found.append((entry.name, entry.path, link, is_dir, is_file, status))
        return sorted(found, key=lambda it: it[0])

    @rule(top=PATHS, topdown=st.booleans(), followlinks=st.booleans())
    def walk(self, top: Recipe, topdown: bool, followlinks: bool) -> None:
        # Links that lead back up would make the walk one of 40 rounds.
        if (where := self.where(top)) and where.real is where.memory:
            followlinks = followlinks and not self.has_links()
            real, memory = (
                outcome(self.steps_of_a_walk, fs, where.real, topdown, followlinks)
                for fs in self.sides()
            )
            assert memory == real

    @staticmethod
    def steps_of_a_walk(fs: Any, top: Any, topdown: bool, followlinks: bool) -> Any:
        errors: list[Any] = []

        def report(error: OSError) -> None:
            errors.append((type(error), error.errno, error.filename))

        steps = fs.walk(top, topdown, report, followlinks)
        return sorted((at, sorted(inner), sorted(files)) for at, inner, files in steps), errors

    def has_links(self) -> bool:
        return any(self.memory.is_symlink(path) for path in self.present)

    @rule(
        pattern=st.sampled_from(
            ["/*", "", "/*/*", "/**/", "/a/**/b", "/[ab]/*", "/**/c*", "/?/.", "/.*", "/[[]a]"]
        ),
        form=st.sampled_from([str, str.strip, os.fsencode, Pathlike]),
    )
    def glob(self, pattern: str, form: Any) -> None:
        # As with walk; see the difference "glob finds once", and the difference "glob in bytes".
        form = str if "?" in pattern and form is os.fsencode else form
        if "**" not in pattern or not self.has_links():
            self.on_both("glob", form(BASE + pattern))

    # -- open files ------------------------------------------------------------------------------

    @rule(
        slot=SLOTS,
        path=PATHS,
        mode=st.sampled_from(["rb", "wb", "ab", "xb", "r+b", "w+b", "a+b", "x+b"]),
    )
    def open(self, slot: int, path: Recipe, mode: str) -> None:
        if where := self.where(path):
            self.close_file(slot)
            real, memory = self.outcomes("open", where, mode, buffering=0)
            if real[0] == memory[0] == "ok":
                self.handles[slot] = real[1], memory[1]
                if where.real is where.memory:
                    assert memory[1].name == real[1].name
            else:
                assert memory == real

    def on_handles(self, slot: int, name: str, *arguments: Any) -> None:
        if slot in self.handles:
            real, memory = (outcome(getattr(file, name), *arguments) for file in self.handles[slot])
            assert memory[:2] == real[:2], (name, arguments)
            assert self.handles[slot][0].tell() == self.handles[slot][1].tell()
            self.changed = True

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, data=DATA)
    def write(self, slot: int, data: bytes) -> None:
        self.on_handles(slot, "write", data)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=st.integers(-1, 2 * BLOCK))
    def read(self, slot: int, size: int) -> None:
        self.on_handles(slot, "read", size)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, offset=st.integers(-30, 3 * BLOCK), whence=st.sampled_from([0, 0, 1, 2, 9]))
    def seek(self, slot: int, offset: int, whence: int) -> None:
        self.on_handles(slot, "seek", offset, whence)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=st.one_of(st.none(), OFFSETS))
    def resize(self, slot: int, size: int | None) -> None:
        self.on_handles(slot, "truncate", size)

    @rule(slot=SLOTS)
    def close_file(self, slot: int) -> None:
        for file in self.handles.pop(slot, ()):
            file.close()
        self.changed = True


def usable(mode: int) -> int:
    """Return a mode that leaves the owner access, so that an ordinary user can run this too."""
    if not AS_ROOT:  # Who is not root loses the set-user-ID bit by writing.
        mode &= 0o1777
    return mode | 0o700


def as_bytes(path: Any) -> bytes:
    given = os.fspath(path)
    return given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")


@machine_test
def test_both_trees_stay_the_same(part: int) -> None:
    run_machine(TreeMachine, cases=12)


def test_no_method_that_the_os_has_is_forgotten() -> None:
    public = {name for name in dir(MemoryFileSystem) if not name.startswith("_")}
    compared = {name for name in public if name in vars(TreeMachine)} | set(QUESTIONS)
    assert not compared & WITHOUT_COUNTERPART.keys()
    assert compared | WITHOUT_COUNTERPART.keys() == public
    assert all(hasattr(RealFileSystem, name) for name in compared)
