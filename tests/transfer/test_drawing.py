"""fs.tree(): a drawing of a tree, in text and in notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmemfs import Link, MemoryFileSystem


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem.from_tree(
        {"a": {"b.txt": "x" * 1234, "sub": {"deep": b""}, "last": Link("b.txt")}, "f": "12"}
    )


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_drawing(fs: MemoryFileSystem) -> None:
    assert str(fs.tree()) == "\n".join(
        [
            "/",
            "├── a/",
            f"{'│   ├── b.txt':<48} {1234:>11,}",
            "│   ├── sub/",
            f"{'│   │   └── deep':<48} {0:>11}",
            "│   └── last -> b.txt",
            f"{'└── f':<48} {2:>11}",
            "2 directories, 3 files, 1 link, 1,236 bytes",
        ]
    )


def test_below_a_path(fs: MemoryFileSystem) -> None:
    assert lines(fs.tree("/a/sub")) == ["/a/sub/", "└── deep 0", "1 file, 0 bytes"]
    assert lines(fs.tree(b"/f"))[0] == "/f 2"
    assert lines(MemoryFileSystem().tree()) == ["/", "0 files, 0 bytes"]
    with pytest.raises(FileNotFoundError):
        fs.tree("/missing")


def test_limits(fs: MemoryFileSystem) -> None:
    assert lines(fs.tree(depth=1)) == [
        *(
            "/",
            "├── a/",
            "└── f 2",
            "... and 4 more",
            "2 directories, 3 files, 1 link, 1,236 bytes",
        ),
    ]
    assert lines(fs.tree(max_lines=2))[1:4] == ["├── a/", "│ ├── b.txt 1,234", "... and 4 more"]
    for number in range(300):
        fs.write_bytes(f"/a/{number}", b"")
    text = lines(fs.tree())
    assert len(text) == 203
    assert text[-2:] == ["... and 106 more", "2 directories, 303 files, 1 link, 1,236 bytes"]


def test_names_of_one_file_and_names_that_do_not_show(fs: MemoryFileSystem) -> None:
    fs.link("/f", "/new\nline")
    text = fs.tree()
    assert "'new\\nline'" in text
    assert text.count("(2 names)") == 2


def test_shows_itself(fs: MemoryFileSystem) -> None:
    fs.write_bytes("/<b>", b"")
    tree = fs.tree()
    assert repr(tree) == str(tree) == f"{tree}"
    assert "<b>" not in tree._repr_html_().removeprefix("<pre>")
    assert "&lt;b&gt;" in tree._repr_html_()
    html = fs._repr_html_()
    assert tree._repr_html_() in html
    assert "MemoryFileSystem at" in html


def test_nothing_is_loaded_nor_gone_into(fs: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"12345")
    fs.add_real(tmp_path, "/real")
    assert "real/  (real, not looked into)" in fs.tree()
    fs.listdir("/real/sub")
    assert "file 5 (real, not read)" in lines(fs.tree())[-2]
    fs.attach("/other", MemoryFileSystem.from_tree({"x": "1"}))
    assert "other/  (another file system)" in fs.tree()
    assert lines(fs.tree("/other"))[1] == "└── x 1"
    with fs.fail("*"):
        fs.tree()
