"""The commands that look at trees: tree, cat, diff, apply, shell."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._cli import main
from dmemfs._shell import Shell
from tests.support.comparison import picture
from tests.support.real_filesystem import RealFileSystem

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
PROJECT = Path(__file__).resolve().parents[2]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def before(tmp_path: Path) -> Path:
    top = tmp_path / "before"
    (top / "sub").mkdir(parents=True)
    (top / "sub/f.txt").write_text("one\ntwo\n")
    (top / "gone").write_text("gone\n")
    (top / "same").write_bytes(b"\0same")
    (top / "link").symlink_to("same")
    return top


@pytest.fixture
def after(tmp_path: Path, before: Path) -> Path:
    top = tmp_path / "after"
    shutil.copytree(before, top, symlinks=True)
    (top / "sub/f.txt").write_text("one\n2\n")
    (top / "gone").unlink()
    (top / "new").mkdir()
    (top / "new/g").write_text("g\n")
    (top / "link").unlink()
    (top / "link").symlink_to("sub")
    (top / "same").chmod(0o755)
    return top


DIFFERENCE = """\
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/link b/link
--- a/link
+++ b/link
@@ -1 +1 @@
-same
\\ No newline at end of file
+sub
\\ No newline at end of file
New directory new
diff --git a/new/g b/new/g
new file mode 100644
--- /dev/null
+++ b/new/g
@@ -0,0 +1 @@
+g
diff --git a/same b/same
old mode 100644
new mode 100755
diff --git a/sub/f.txt b/sub/f.txt
--- a/sub/f.txt
+++ b/sub/f.txt
@@ -1,2 +1,2 @@
 one
-two
+2
"""


def forms(capsys: pytest.CaptureFixture[str], top: Path) -> list[Path]:
    """Return a directory, and a pack and an archive of it."""
    pack, archive = top.with_suffix(".pack"), top.with_suffix(".tar")
    assert run(capsys, "pack", top, pack)[0] == 0
    assert run(capsys, "export", pack, archive)[0] == 0
    return [top, pack, archive]


def test_tree(capsys: pytest.CaptureFixture[str], before: Path) -> None:
    for source in forms(capsys, before):
        status, out, err = run(capsys, "tree", source)
        assert (status, err) == (0, "")
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert sum("f.txt 8" in line for line in lines) == 1
        assert lines[-1] == "1 directory, 3 files, 1 link, 18 bytes"
        assert "real" not in out
        assert "f.txt" not in run(capsys, "tree", source, "--depth", "1")[1]
        assert "... and 3 more" in run(capsys, "tree", source, "--lines", "2")[1]
        assert run(capsys, "tree", source, "/sub")[1].splitlines()[1].startswith("└── f.txt")


def test_cat(capsysbinary: pytest.CaptureFixture[bytes], before: Path) -> None:
    assert main(["cat", str(before), "/same", "sub/f.txt"]) == 0
    assert capsysbinary.readouterr().out == b"\0sameone\ntwo\n"
    assert main(["cat", str(before), "/same", "/missing"]) == 1
    captured = capsysbinary.readouterr()
    assert captured.out == b""
    assert b"missing" in captured.err


def test_diff(capsys: pytest.CaptureFixture[str], before: Path, after: Path) -> None:
    for one in forms(capsys, before):
        for other in forms(capsys, after):
            assert run(capsys, "diff", one, other) == (1, DIFFERENCE, "")
    assert run(capsys, "diff", before, before) == (0, "", "")
    _, out, _ = run(capsys, "diff", "--names", before, after)
    assert [line.split() for line in out.splitlines()] == [
        *(["A", "0", "/new"], ["A", "2", "/new/g"], ["D", "5", "/gone"], ["M", "3", "/link"]),
        *(["M", "5", "/same"], ["M", "6", "/sub/f.txt"]),
    ]


def test_git_takes_it(capsys: pytest.CaptureFixture[str], before: Path, after: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    text = run(capsys, "diff", before, after)[1]
    subprocess.run([git, "apply", "-"], cwd=before, input=text, text=True, check=True, timeout=60)
    assert run(capsys, "diff", before, after) == (0, "", "")


@pytest.mark.parametrize("form", [0, 1, 2])
def test_apply(capsys: pytest.CaptureFixture[str], before: Path, after: Path, form: int) -> None:
    source = forms(capsys, after)[form]
    former = picture(RealFileSystem(before))
    status, out, err = run(capsys, "apply", "--delete", "--dry-run", source, before)
    assert (status, out, err) == (0, DIFFERENCE, "")
    assert picture(RealFileSystem(before)) == former
    status, out, err = run(capsys, "apply", source, before)
    assert (status, out, err) == (0, f"5 paths changed in {before}\n", "")
    assert (before / "gone").exists()
    assert run(capsys, "apply", "--delete", source, before)[0] == 0
    assert picture(RealFileSystem(before)) == picture(RealFileSystem(after))
    assert run(capsys, "apply", "--delete", source, before)[1] == f"0 paths changed in {before}\n"


def test_what_is_none_of_these(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no pack")
    wrong: tuple[list[str | Path], ...] = (
        ["tree", tmp_path / "x"],
        ["diff", tmp_path, tmp_path / "x"],
    )
    for arguments in wrong:
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (1, "")
        assert err.startswith(f"error: {tmp_path / 'x'}: ")
    assert run(capsys, "tree", tmp_path / "missing")[0] == 1
    assert run(capsys, "apply", tmp_path, tmp_path / "x")[0] == 1
    assert (tmp_path / "x").read_text() == "no pack"


def in_shell(monkeypatch: pytest.MonkeyPatch, source: Path | None, *lines: str) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    shell = Shell(None if source is None else str(source))
    shell.stdin, shell.stdout = sys.stdin, io.StringIO()
    shell.run()
    return shell.stdout.getvalue()


class TestShell:
    def test_looks_around(self, monkeypatch: pytest.MonkeyPatch, before: Path) -> None:
        out = in_shell(
            monkeypatch, before, "ls", "cd sub", "pwd", "ls", "", "cd", "pwd", "quit", "ls"
        )
        assert out.count("\n") == 7
        assert "           8  f.txt\n" in out
        assert "           0  sub/\n" in out
        assert "/work/sub\n" in out
        assert out.endswith("/\n")

    def test_changes_a_directory(
        self, monkeypatch: pytest.MonkeyPatch, before: Path, tmp_path: Path
    ) -> None:
        lines = ["write note 'a line'", "rm gone", "mkdir d/e", "cp sub d/copy", "mv link d/link"]
        out = in_shell(monkeypatch, before, *lines, "diff")
        assert "+a line\n" in out
        assert "-gone\n" in out
        assert (before / "gone").exists()
        out = in_shell(
            monkeypatch, before, *lines, "apply", "diff", "write more x", "discard", "diff"
        )
        assert out == "8 paths changed on the disk\n"
        assert (before / "note").read_text() == "a line\n"
        assert (before / "d/copy/f.txt").read_text() == "one\ntwo\n"
        assert not (before / "more").exists()

    def test_changes_what_is_in_memory(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        pack = tmp_path / "p"
        out = in_shell(
            monkeypatch,
            None,
            "write f 1",
            "diff",
            "discard",
            "diff",
            "write g 2",
            f"pack {pack}",
            "tree",
        )
        assert out.count("diff --git a/f b/f") == 1
        assert "└── g" in out
        assert MemoryFileSystem.unpack(pack).to_tree() == {"g": "2\n"}
        assert "error: nothing real is shown writable" in in_shell(monkeypatch, pack, "apply")

    def test_errors_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = in_shell(monkeypatch, None, "rm x", "cp a", "cd 'open", "nonsense y", "cat /", "ls")
        assert len(out.splitlines()) == 5
        assert all(line.startswith("error: ") for line in out.splitlines())
        assert "no command 'nonsense'" in out

    def test_help(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = in_shell(monkeypatch, None, "help", "help cp")
        assert "cp FROM TO: copy a file or a directory." in out
        assert "EOF" not in out

    def test_as_a_program(self, before: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "dmemfs", "shell", str(before)],
            input="cat sub/f.txt\nls sub\n",
            capture_output=True,
            text=True,
            timeout=60,
            cwd=PROJECT,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "one\ntwo\n           8  f.txt\n"
