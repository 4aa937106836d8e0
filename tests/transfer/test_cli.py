"""The command line: pack, list, unpack, import, export, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._cli import main
from dmemfs._transfer.progress import ProgressBar, format_size
from tests.support.programs import check_a_closed_pipe

PROJECT = Path(__file__).resolve().parents[2]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "sub/file").write_bytes(b"content")
    os.utime(top / "sub/file", ns=(0, 1_700_000_000_123_456_789))
    if os.name == "posix":
        os.chmod(top / "sub/file", 0o640)
        os.symlink("sub/file", top / "symbolic")
        os.link(top / "sub/file", top / "zlinked")
    return top


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [(), ("--compress", "gzip"), ("--compress", "xz")])
def test_pack_and_unpack(
    capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path, compress: tuple[str, ...]
) -> None:
    assert run(capsys, "pack", tree, tmp_path / "p", *compress) == (0, "", "")
    assert run(capsys, "unpack", tmp_path / "p", tmp_path / "out") == (0, "", "")
    assert (tmp_path / "out/sub/file").read_bytes() == b"content"
    assert (tmp_path / "out/sub/file").stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert sorted(os.listdir(tmp_path)) == ["out", "p", "tree"]


@pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
def test_list(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    run(capsys, "pack", tree, tmp_path / "p")
    status, output, errors = run(capsys, "list", tmp_path / "p")
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert len(lines) == 5
    assert re.fullmatch(r"d[rwx-]{9} .* /", lines[0])
    assert lines[1].endswith(" /sub")
    assert lines[2].startswith(f"-rw-r----- {os.getuid()}/")
    assert lines[2].endswith(" 7 2023-11-14 22:13:20 /sub/file")
    assert lines[3].endswith("/symbolic -> sub/file")
    assert lines[4].endswith("/zlinked = /sub/file")


def test_import_and_export(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    run(capsys, "pack", tree, tmp_path / "p")
    assert run(capsys, "export", tmp_path / "p", tmp_path / "a.zip") == (0, "", "")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("sub/file") == b"content"
    assert run(capsys, "export", tmp_path / "p", tmp_path / "a", "--format", "gztar")[0] == 0
    for name in ("a", "a.zip"):
        assert run(capsys, "import", tmp_path / name, tmp_path / "q") == (0, "", "")
        assert MemoryFileSystem.unpack(tmp_path / "q").read_bytes("/sub/file") == b"content"


# --- what is refused ------------------------------------------------------------------------------


def test_what_is_no_pack(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"text" * 1000)
    for command in (("list",), ("unpack",), ("export",)):
        more = [] if command == ("list",) else [tmp_path / "out.zip"]
        status, output, errors = run(capsys, *command, tmp_path / "p", *more)
        assert (status, output) == (1, "")
        assert errors.startswith(f"error: {tmp_path / 'p'}: this is no pack")
    assert os.listdir(tmp_path) == ["p"]


def test_a_damaged_pack(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    run(capsys, "pack", tree, tmp_path / "p")
    data = bytearray((tmp_path / "p").read_bytes())
    data[data.index(b"content")] ^= 1
    (tmp_path / "p").write_bytes(data)
    for command, *more in (["list"], ["unpack", str(tmp_path / "out")]):
        status, _, errors = run(capsys, command, tmp_path / "p", *more)
        assert status == 1
        assert "use another copy" in errors
    assert not (tmp_path / "out").exists()


def test_an_archive_that_would_escape(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../up", b"1")
    status, output, errors = run(capsys, "import", tmp_path / "a.zip", tmp_path / "p")
    assert (status, output) == (1, "")
    assert "'../up'" in errors
    assert os.listdir(tmp_path) == ["a.zip"]


def test_what_does_not_fit(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    status, _, errors = run(capsys, "pack", tree, tmp_path / "p", "--max-quota", "6")
    assert status == 1
    assert "7 bytes requested" in errors
    assert errors.endswith("; give a larger --max-quota\n")
    assert run(capsys, "pack", tree, tmp_path / "p", "--max-quota", "7")[0] == 0
    assert run(capsys, "unpack", tmp_path / "p", tmp_path / "o", "--max-quota", "6")[0] == 1


def test_files_that_are_missing_or_there(
    capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path
) -> None:
    status, _, errors = run(capsys, "pack", tmp_path / "missing", tmp_path / "p")
    assert status == 1
    assert "missing" in errors
    run(capsys, "pack", tree, tmp_path / "p")
    status, _, errors = run(capsys, "unpack", tmp_path / "p", tree)
    assert status == 1
    assert "new or an empty directory" in errors
    status, _, errors = run(capsys, "export", tmp_path / "p", tmp_path / "a.rar")
    assert status == 1
    assert "format" in errors


# --- how it ends ----------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    output = capsys.readouterr().out
    assert all(name in output for name in ("pack", "list", "unpack", "import", "export"))


@pytest.mark.parametrize("arguments", [["unknown"], ["pack"], ["pack", "a", "b", "--x"]])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryFileSystem, "import_tree", interrupt)
    status, _, errors = run(capsys, "pack", tmp_path, tmp_path / "p")
    assert (status, errors) == (130, "\ninterrupted; nothing was left behind\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    fs = MemoryFileSystem()
    for number in range(5000):
        fs.write_bytes(f"/{number}", b"")
    fs.pack(tmp_path / "p")
    check_a_closed_pipe(tmp_path, "dmemfs", "list", str(tmp_path / "p"))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "top") + b"/caf\xe9")).write_bytes(b"1")
    for arguments in (["pack", "top", "p"], ["list", "p"], ["unpack", "p", "out"]):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "dmemfs", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9"]


# --- how it looks ---------------------------------------------------------------------------------


def test_there_is_a_bar_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tree: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    status, output, errors = run(capsys, "pack", tree, tmp_path / "p")
    assert (status, output) == (0, "")
    for title in ("reading", "packing"):
        assert f"\r{title} [" in errors
    assert "7 bytes of 7 bytes" in errors
    assert errors.endswith("\r\x1b[K")


def test_the_bar_grows_and_goes_away() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, "testing")
    bar.clear()
    assert stream.getvalue() == ""
    bar(0, 1000, "a")
    bar(1, 1000, "b")  # a moment later: not worth showing
    bar(1000, 1000, "c")
    bar.clear()
    lengths = [line.count("#") for line in stream.getvalue().split("\r")[1:]]
    assert lengths == [0, bar.WIDTH, 0]
    bar(0, 0, "nothing to do")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (999_950, "1.0 MB"), (2e9, "2.0 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(int(count)) == text
