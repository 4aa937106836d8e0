"""Programs that people use, at work in a mount as on any disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.kernel import TIMEOUT, require_kernel

POINT = "/dmemfs-tools"


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    require_kernel()
    filesystem = MemoryFileSystem()
    with mount(filesystem, POINT, programs="kernel"):
        os.chdir(POINT)
        yield filesystem
    filesystem._check()


def shell(script: str, *needed: str) -> str:
    """Run lines of a shell, or skip the test if a program that they need is not installed."""
    for program in needed:
        if shutil.which(program) is None:
            pytest.skip(f"the program {program} is not installed")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": POINT,
        "LANG": "C",
        **{
            f"GIT_{who}_{what}": "x@y"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["sh", "-euc", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_git(fs: MemoryFileSystem) -> None:
    said = shell(
        """
        git init -q project && cd project
        for i in 1 2 3; do mkdir d$i; echo $i > d$i/file; git add .; git commit -qm $i; done
        git mv d1 renamed && git rm -q d2/file && git commit -qm moved
        git branch other HEAD~2 && git checkout -q other && git worktree add -q ../tree HEAD~1
        git checkout -q - && git merge -q -m merged other
        git gc -q --prune=now && git fsck --strict && git status --porcelain
        git log --oneline | wc -l && git clone -q . ../clone && cat ../clone/renamed/file
        """,
        "git",
    )
    assert said.split()[-2:] == ["4", "1"]
    assert sorted(fs.listdir("/clone")) == [".git", "d3", "renamed"]


def test_a_compiler_and_make(fs: MemoryFileSystem) -> None:
    fs.write_text(
        "/main.c", '#include <stdio.h>\nint f(void);\nint main(void) { printf("%d\\n", f()); }\n'
    )
    fs.write_text("/f.c", "int f(void) { return 42; }\n")
    fs.write_text("/Makefile", "program: main.o f.o\n\tcc -o $@ $^\nclean:\n\trm -f *.o\n")
    assert shell("make -s -j2 && ./program", "make", "cc") == "42\n"
    assert "up to date" in shell("make")
    fs.write_text("/f.c", "int f(void) { return 43; }\n")
    assert (
        shell("make -s && ./program && make -s clean && ls")
        == "43\nMakefile\nf.c\nmain.c\nprogram\n"
    )


def test_archives_and_copies(fs: MemoryFileSystem, tmp_path: Path) -> None:
    shell(
        """
        mkdir -p a/b && seq 10000 > a/b/numbers && ln a/b/numbers a/hard && ln -s b/numbers a/soft
        chmod 700 a/b && touch -d '2001-02-03 04:05:06.789 UTC' a/hard
        dd if=/dev/zero of=a/sparse bs=1 count=1 seek=2000000 2> /dev/null
        tar -cSf a.tar a && mkdir t && tar -xf a.tar -C t && cp -a a c
        diff -r a t/a && diff -r a c
        """,
        "tar", "diff", "seq",
    )  # fmt: skip
    for copy, fraction in (("/t/a", 0), ("/c", 789_000_000)):  # tar has whole seconds
        assert fs.stat(f"{copy}/hard").st_mtime_ns == 981_173_106_000_000_000 + fraction
        assert fs.stat(f"{copy}/hard").st_ino == fs.stat(f"{copy}/b/numbers").st_ino
        assert fs.stat(f"{copy}/b").st_mode & 0o777 == 0o700
        assert fs.readlink(f"{copy}/soft") == "b/numbers"
        assert fs.stat(f"{copy}/sparse").st_blocks * 512 < 200_000
    shell(
        f"cp -a a {tmp_path}/out && diff -r a {tmp_path}/out && mv {tmp_path}/out back && rm -r a"
    )
    assert sorted(fs.listdir("/back")) == ["b", "hard", "soft", "sparse"]


def test_rsync(fs: MemoryFileSystem) -> None:
    said = shell(
        """
        mkdir -p a/b && seq 1000 > a/b/x && seq 9 > a/y && rsync -a a/ c/ && echo more >> a/y
        rm a/b/x && rsync -ai --delete a/ c/ && diff -r a c
        """,
        "rsync",
    )
    assert ">f" in said
    assert not fs.exists("/c/b/x")


def test_find_and_grep(fs: MemoryFileSystem) -> None:
    fs.import_tree({f"/d{n % 7}/e/file{n}.c": b"int x;\n" * n for n in range(100)})
    assert shell("find . -type f | wc -l").strip() == "100"
    assert shell("find . -name 'file9*.c' -size +600c | wc -l").strip() == "10"
    assert shell("grep -rl 'int x' . | wc -l").strip() == "99"
    assert (
        shell("find . -name '*.c' -delete; find . -depth -mindepth 1 -type d -exec rmdir {} +")
        == ""
    )
    assert fs.listdir("/") == []


def test_python_packages(fs: MemoryFileSystem) -> None:
    """Imports, compiled files, a virtual environment."""
    fs.import_tree(
        {"/package/__init__.py": b"from .part import x\n", "/package/part.py": b"x = 7\n"}
    )
    assert shell("python3 -c 'import package; print(package.x)'", "python3") == "7\n"
    assert fs.exists("/package/__pycache__")
    shell("python3 -m venv --without-pip --copies env && env/bin/python -c 'import json'")
