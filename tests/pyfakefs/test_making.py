"""Files, directories and links that a test begins with: the same by pyfakefs itself."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_file_with_what_is_missing_above(fs: Any) -> None:
    made = fs.create_file("/a/b/c", contents="text")
    assert Path("/a/b/c").read_text(encoding="utf-8") == "text"
    assert (made.path, made.name, made.contents, made.size) == ("/a/b/c", "c", "text", 4)
    assert os.listdir("/a") == ["b"]


def test_relative_paths_begin_at_the_working_directory(fs: Any) -> None:
    fs.create_dir("/here")
    os.chdir("/here")
    assert fs.create_file("sub/../x").path == "/here/x"
    fs.cwd = "/"
    assert os.getcwd() == fs.cwd == "/"
    assert os.path.exists("here/x")


def test_contents_in_bytes_and_in_an_encoding(fs: Any) -> None:
    fs.create_file("/bytes", contents=b"\xff\x00")
    made = fs.create_file("/text", contents="grün", encoding="latin-1")
    assert Path("/bytes").read_bytes() == b"\xff\x00"
    assert Path("/text").read_bytes() == b"gr\xfcn"
    assert made.contents == "grün"
    assert made.byte_contents == b"gr\xfcn"
    assert made is fs.get_object("/text")


def test_modes_and_the_umask(fs: Any) -> None:
    os.umask(0o027)
    try:
        assert fs.umask == 0o027 or fs.umask == 0o022  # pyfakefs has one of its own
        fs.umask = 0o027
        assert stat.S_IMODE(fs.create_file("/a").st_mode) == 0o640
        assert stat.S_IMODE(fs.create_file("/b", apply_umask=False).st_mode) == 0o666
        assert stat.S_IMODE(fs.create_file("/c", st_mode=0o100600).st_mode) == 0o600
        assert stat.S_IMODE(fs.create_dir("/d").st_mode) == 0o750
        assert stat.S_IMODE(fs.create_dir("/e", perm_bits=0o700).st_mode) == 0o700
        assert stat.S_ISREG(os.stat("/a").st_mode)
    finally:
        os.umask(0o022)


def error_of(call: Callable[[], object]) -> tuple[type, int | None]:
    with pytest.raises(OSError) as info:
        call()
    return type(info.value), info.value.errno


def test_what_is_there_already(fs: Any) -> None:
    fs.create_file("/file")
    fs.create_dir("/dir")
    fs.create_symlink("/link", "/nowhere")
    there = (FileExistsError, errno.EEXIST)
    for path in ("/file", "/dir", "/link"):
        assert error_of(lambda path=path: fs.create_file(path)) == there  # type: ignore[misc]
        assert error_of(lambda path=path: fs.create_dir(path)) == there  # type: ignore[misc]
        assert error_of(lambda path=path: fs.create_link("/file", path)) == there  # type: ignore[misc]
    assert error_of(lambda: fs.create_file("/file/x"))[0] in (NotADirectoryError, FileNotFoundError)


def test_what_is_missing_is_not_made_where_that_is_not_wanted(fs: Any) -> None:
    assert error_of(lambda: fs.create_file("/a/b", create_missing_dirs=False)) == (
        FileNotFoundError,
        errno.ENOENT,
    )
    assert not fs.exists("/a")


def test_contents_in_the_place_of_a_mode(fs: Any) -> None:
    with pytest.raises(TypeError, match="st_mode"):
        fs.create_file("/x", "contents")


def test_a_size_without_content(fs: Any) -> None:
    made = fs.create_file("/large", st_size=1 << 40)
    assert made.is_large_file()
    assert os.stat("/large").st_size == made.size == 1 << 40
    made.set_contents("small")
    assert not made.is_large_file()
    assert Path("/large").read_text(encoding="utf-8") == "small"


def test_links(fs: Any) -> None:
    fs.create_file("/dir/file", contents="x")
    made = fs.create_symlink("/links/soft", "/dir/file")
    assert os.readlink("/links/soft") == "/dir/file"
    assert made.path == "/links/soft"
    assert stat.S_ISLNK(made.st_mode)
    assert fs.get_object("/links/soft").path == "/links/soft"
    assert fs.get_object("/links/soft").contents == "/dir/file"
    assert fs.lresolve("/links/soft").path == "/links/soft"
    assert fs.resolve("/links/soft").path == "/dir/file"
    fs.create_link("/dir/file", "/links/hard")
    assert os.path.samefile("/dir/file", "/links/hard")
    assert os.stat("/dir/file").st_nlink == 2
    Path("/links/hard").write_text("y", encoding="utf-8")
    assert Path("/links/soft").read_text(encoding="utf-8") == "y"
    assert error_of(lambda: fs.create_link("/dir", "/other"))[1] == errno.EPERM


def test_a_side_effect_is_called_after_each_write(fs: Any) -> None:
    seen: list[str] = []
    made = fs.create_file("/x", contents="0", side_effect=lambda file: seen.append(file.contents))
    assert seen == []
    Path("/x").write_text("one", encoding="utf-8")
    with open("/x", "a", encoding="utf-8") as file:
        file.write(" two")
    assert seen[-1] == "one two"
    assert "one" in seen
    made.set_contents("three")
    assert seen[-1] == "three"
    assert Path("/x").read_text(encoding="utf-8") == "three"


def test_objects_that_are_made_by_themselves(api: Any, fs: Any) -> None:
    directory = api.FakeDirectory("new", filesystem=fs)
    directory.add_entry(api.FakeFile("inner", contents="x", filesystem=fs))
    fs.add_object("/", directory)
    assert Path("/new/inner").read_text(encoding="utf-8") == "x"
    assert fs.get_object("/new") is directory
    fs.add_object("/new", api.FakeFile("late", filesystem=fs))
    assert sorted(os.listdir("/new")) == ["inner", "late"]
    with pytest.raises(ValueError, match="filesystem"):
        api.FakeFile("x")


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A real directory, made before the disk is hidden."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("real", encoding="utf-8")
    (tmp_path / "sub" / "inner").write_text("inner", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    os.chmod(tmp_path / "file", 0o764)
    return tmp_path


class TestRealFiles:
    @pytest.fixture
    def fs(self, real: Path, patcher: Any) -> Any:
        return patcher.fs

    def test_they_are_hidden_until_they_are_shown(self, real: Path, fs: Any) -> None:
        assert not real.exists()
        assert not os.path.exists(__file__)
        shown = fs.add_real_file(real / "file")
        assert (real / "file").read_text(encoding="utf-8") == "real"
        assert shown.contents == "real"
        assert shown.path == str(real / "file")
        assert os.listdir(real) == ["file"]

    def test_modes_without_what_lets_them_be_written(self, real: Path, fs: Any) -> None:
        assert stat.S_IMODE(fs.add_real_file(real / "file").st_mode) == 0o444
        fs.add_real_file(real / "file", read_only=False, target_path="/free")
        assert stat.S_IMODE(os.stat("/free").st_mode) == 0o764
        fs.add_real_directory(real / "sub")
        assert os.stat(real / "sub" / "inner").st_mode & 0o333 == 0

    def test_what_is_written_stays_in_memory(self, real: Path, patcher: Any, fs: Any) -> None:
        fs.add_real_directory(real, read_only=False)
        (real / "file").write_text("other", encoding="utf-8")
        (real / "new").touch()
        patcher.pause()
        assert (real / "file").read_text(encoding="utf-8") == "real"
        assert not (real / "new").exists()
        patcher.resume()
        assert (real / "file").read_text(encoding="utf-8") == "other"

    def test_directories(self, real: Path, fs: Any) -> None:
        shown = fs.add_real_directory(real, target_path="/shown")
        assert shown.path == "/shown"
        assert sorted(os.listdir("/shown")) == ["file", "link", "sub"]
        assert Path("/shown/sub/inner").read_text(encoding="utf-8") == "inner"
        assert os.readlink("/shown/link") == "file"
        assert Path("/shown/link").read_text(encoding="utf-8") == "real"

    def test_a_directory_is_merged_into_one_that_is_there(self, real: Path, fs: Any) -> None:
        fs.create_file("/into/sub/own")
        fs.add_real_directory(real, target_path="/into")
        assert sorted(os.listdir("/into/sub")) == ["inner", "own"]
        assert error_of(lambda: fs.add_real_directory(real, target_path="/into"))[0] is (
            FileExistsError
        )

    def test_all_at_once(self, real: Path, fs: Any) -> None:
        fs.add_real_directory(real, lazy_read=False)
        assert sorted(os.listdir(real)) == ["file", "link", "sub"]

    def test_several_and_links(self, real: Path, fs: Any) -> None:
        fs.add_real_paths([real / "file", real / "sub"])
        assert os.path.isfile(real / "sub" / "inner")
        assert os.path.isfile(real / "file")
        fs.add_real_symlink(real / "link")
        assert (real / "link").read_text(encoding="utf-8") == "real"

    def test_what_is_not_there(self, real: Path, fs: Any) -> None:
        missing = (FileNotFoundError, errno.ENOENT)
        assert error_of(lambda: fs.add_real_file(real / "none")) == missing
        assert error_of(lambda: fs.add_real_directory(real / "none")) == missing
        fs.add_real_file(real / "file")
        assert error_of(lambda: fs.add_real_file(real / "file"))[0] is FileExistsError

    def test_the_metadata_of_an_installed_package(self, fs: Any) -> None:
        from importlib import metadata

        fs.add_package_metadata("pytest")
        assert metadata.version("pytest") == pytest.__version__
        shown = fs.get_object(Path(pytest.__file__).parent.parent).entries
        assert f"pytest-{pytest.__version__}.dist-info" in shown
