"""diff(unified=True): the text, which `git apply` takes; and attributes told from contents."""

from __future__ import annotations

import copy
import pickle
import random
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dmemfs import Difference, MemoryFileSystem
from tests.support.comparison import picture

GIT = shutil.which("git")


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem.from_tree(
        {"a.txt": "one\ntwo\nthree\n", "d": {"b.txt": "no newline"}, "bin": b"\0\1", "e": ""}
    )


def text_after(fs: MemoryFileSystem, change: Any, **options: Any) -> str:
    with fs.snapshot() as snap:
        change(fs)
        found: str = snap.diff(unified=True, **options)
        return found


class TestText:
    def test_lines(self, fs: MemoryFileSystem) -> None:
        assert text_after(fs, lambda fs: fs.write_text("/a.txt", "one\n2\nthree\n")) == (
            "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n"
            "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        )

    def test_no_context(self, fs: MemoryFileSystem) -> None:
        text = text_after(fs, lambda fs: fs.write_text("/a.txt", "one\n2\nthree\n"), context=0)
        assert text.endswith("@@ -2 +2 @@\n-two\n+2\n")

    def test_a_last_line_without_its_end(self, fs: MemoryFileSystem) -> None:
        text = text_after(fs, lambda fs: fs.write_text("/d/b.txt", "no newline\nyet"))
        end = "\\ No newline at end of file\n"
        assert text.endswith(f"-no newline\n{end}+no newline\n+yet\n{end}")

    def test_new_and_deleted(self, fs: MemoryFileSystem) -> None:
        def change(fs: MemoryFileSystem) -> None:
            fs.write_text("/new", "x\n")
            fs.remove("/a.txt")
            fs.mkdir("/made")

        assert text_after(fs, change) == (
            "diff --git a/a.txt b/a.txt\ndeleted file mode 100644\n--- a/a.txt\n+++ /dev/null\n"
            "@@ -1,3 +0,0 @@\n-one\n-two\n-three\n"
            "New directory made\n"
            "diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n"
            "@@ -0,0 +1 @@\n+x\n"
        )

    def test_what_is_no_text_by_its_size(self, fs: MemoryFileSystem) -> None:
        text = text_after(fs, lambda fs: fs.write_bytes("/bin", b"\0" * 5000))
        assert text.endswith("Binary files a/bin and b/bin differ: 2 bytes and 5,000 bytes\n")
        text = text_after(fs, lambda fs: fs.write_bytes("/e", b"\xff\xfe"))
        assert text.endswith("Binary files a/e and b/e differ: 0 bytes and 2 bytes\n")
        text = text_after(fs, lambda fs: fs.write_bytes("/e", b"long\n" * (1 << 18)))
        assert text.endswith("differ: 2 bytes and 1,310,720 bytes\n")

    def test_attributes(self, fs: MemoryFileSystem) -> None:
        def change(fs: MemoryFileSystem) -> None:
            fs.chmod("/a.txt", 0o755)
            fs.chown("/e", 1, 2)
            fs.chmod("/d", 0o700)

        owner = fs.stat("/e")
        assert text_after(fs, change) == (
            "diff --git a/a.txt b/a.txt\nold mode 100644\nnew mode 100755\n"
            "Changed directory d: mode 40755, now 40700\n"
            f"diff --git a/e b/e\nOwner of b/e: {owner.st_uid}:{owner.st_gid}, now 1:2\n"
        )

    def test_no_difference(self, fs: MemoryFileSystem) -> None:
        assert text_after(fs, lambda fs: fs.utime("/e", (1, 2))) == ""

    def test_between_snapshots(self, fs: MemoryFileSystem) -> None:
        with fs.snapshot() as one:
            fs.write_text("/a.txt", "changed\n")
            with fs.snapshot() as other:
                fs.write_text("/a.txt", "changed again\n")
                assert "+changed\n" in one.diff(other, unified=True)
                assert "-changed\n" in other.diff(one, unified=True)


class TestToldApart:
    def test_contents_and_attributes(self, fs: MemoryFileSystem) -> None:
        with fs.snapshot() as snap:
            fs.chmod("/a.txt", 0o600)
            fs.write_text("/e", "x")
            fs.write_text("/d/b.txt", "y")
            fs.chmod("/d/b.txt", 0o755)
            found = snap.diff()
        assert found.changed == {"/a.txt": (14, 14), "/d/b.txt": (10, 1), "/e": (0, 1)}
        assert found.contents == {"/d/b.txt": (10, 1), "/e": (0, 1)}
        owner = fs._owner
        assert found.attributes == {
            "/a.txt": ((0o644, *owner), (0o600, *owner)),
            "/d/b.txt": ((0o644, *owner), (0o755, *owner)),
        }
        assert found.attributes["/a.txt"][1].mode == 0o600

    def test_is_a_tuple_of_three(self) -> None:
        found = Difference({"/a": 1}, {}, {"/c": (1, 2)})
        assert tuple(found) == ({"/a": 1}, {}, {"/c": (1, 2)})
        assert (found.contents, found.attributes) == ({"/c": (1, 2)}, {})
        added, removed, changed = found
        assert (added, removed, changed) == tuple(found)

    def test_copies_have_all_of_it(self, fs: MemoryFileSystem) -> None:
        with fs.snapshot() as snap:
            fs.chmod("/a.txt", 0o600)
            found = snap.diff()
        for other in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
            assert type(other) is Difference
            assert other == found
            assert (other.attributes, other.contents) == (found.attributes, found.contents)


def become_link(fs: MemoryFileSystem, path: str) -> None:
    fs.remove(path)
    fs.symlink("x\ny", path)


NAMES = ["plain", "with blank", 'quo"te', "back\\slash", "tab\tin", "é", "trailing ", "d/e/f", "-x"]


@pytest.mark.skipif(GIT is None, reason="git is not installed")
class TestGitTakesIt:
    """What git makes of the text is the second state."""

    def apply(self, tmp_path: Path, before: MemoryFileSystem, text: str) -> MemoryFileSystem:
        place = tmp_path / "tree"
        before.export_tree(target=place)
        subprocess.run(
            [GIT, "apply", "--whitespace=nowarn", "-"],  # type: ignore[list-item]
            cwd=place,
            input=text.encode(),
            check=True,
            timeout=60,
        )
        after = MemoryFileSystem()
        after.import_tree(place)
        return after

    @staticmethod
    def files(fs: MemoryFileSystem) -> dict[str, Any]:
        """Return what git knows of: no directories, and of modes who may run a file."""
        return {
            path: (kind, bool(mode & 0o100), content)
            for path, (kind, mode, _, content) in picture(fs).items()
            if kind != "directory"
        }

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, tmp_path: Path, name: str) -> None:
        fs = MemoryFileSystem.from_tree({name: "old\n", "gone": {name: "x"}})
        before = fs.clone()
        with fs.snapshot() as snap:
            fs.write_text(f"/{name}", "new\n")
            fs.rmtree("/gone")
            fs.makedirs("/new")
            fs.write_text(f"/new/{name.replace('/', '_')}", "made")
            text = snap.diff(unified=True)
        assert self.files(self.apply(tmp_path, before, text)) == self.files(fs)

    @pytest.mark.parametrize("seed", range(12))
    def test_changes_by_chance(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        lines = ["a", "b", "", "\r", "\x0c", "\u2028", "é", "\\", "--- a", "+++ b", "@@"]

        def content() -> str:
            text = "\n".join(chance.choices(lines, k=chance.randrange(12)))
            return text + "\n" * chance.randrange(2)

        fs = MemoryFileSystem.from_tree({f"d{n % 2}/f{n}": content() for n in range(6)})
        fs.symlink("f1", "/d1/link")
        before = fs.clone()
        with fs.snapshot() as snap:
            for number in range(6):
                path = f"/d{number % 2}/f{number}"
                changes: list[Callable[[], Any]] = [
                    partial(fs.write_bytes, path, content().encode()),
                    partial(fs.remove, path),
                    partial(fs.chmod, path, 0o755),
                    partial(fs.rename, path, path + " moved"),
                    partial(become_link, fs, path),
                    partial(fs.write_bytes, f"/d0/new{number}", content().encode()),
                ]
                chance.choice(changes)()
            fs.remove("/d1/link")
            fs.symlink("elsewhere", "/d1/link")
            text = snap.diff(unified=True)
        assert self.files(self.apply(tmp_path, before, text)) == self.files(fs)
