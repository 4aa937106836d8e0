"""A program that edits a git checkout on trial: in memory first, and on the disk when it is right.

What it writes is bounded by a quota, can be looked at as a difference before anything is on the
disk, and goes there as a whole or not at all. Run it: it makes a checkout of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import dmemfs

HELLO = """def greet(name):
    return "Hello " + name
"""


def git(checkout: Path, *arguments: str) -> str:
    """Run git in a checkout, and return what it says."""
    identity = ("-c", "user.name=Example", "-c", "user.email=example@example.org")
    environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *identity, *arguments]
    done = subprocess.run(
        command, cwd=checkout, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def make_checkout(place: Path) -> Path:
    """Make a checkout with one commit."""
    (place / "hello").mkdir(parents=True)
    (place / "hello/__init__.py").write_text(HELLO)
    (place / "README.md").write_text("# hello\n")
    if shutil.which("git"):
        git(place, "init", "--quiet")
        git(place, "add", ".")
        git(place, "commit", "--quiet", "--message", "First")
    return place


def rewrite(fs: dmemfs.MemoryFileSystem, top: str) -> None:
    """Change all modules, as a code generator or a migration does."""
    for path in fs.glob(f"{top}/**/*.py"):
        fs.write_text(path, fs.read_text(path).replace('"Hello " + name', 'f"Hello {name}!"'))
    fs.makedirs(f"{top}/tests", exist_ok=True)
    fs.write_text(
        f"{top}/tests/test_hello.py",
        'from hello import greet\n\n\ndef test_greet():\n    assert greet("you") == "Hello you!"\n',
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = make_checkout(Path(folder) / "checkout")
        fs = dmemfs.MemoryFileSystem(max_quota=10_000_000)
        fs.add_real(checkout, "/work", writable=True)

        # An attempt that goes wrong leaves nothing, in memory either.
        try:
            rewrite(fs, "/work")
            fs.write_bytes("/work/huge", bytes(20_000_000))
        except dmemfs.QuotaExceededError as error:
            print(f"refused: {error.strerror}")
            fs.discard("/work")

        rewrite(fs, "/work")
        print(fs.changes("/work", unified=True))
        print("on the disk still:", (checkout / "hello/__init__.py").read_text().splitlines()[1])

        done = fs.apply("/work")
        print("applied:", ", ".join(path for path in (*done.added, *done.changed)))
        print("on the disk now:", (checkout / "hello/__init__.py").read_text().splitlines()[1])
        if shutil.which("git"):
            print("git says:", " ".join(git(checkout, "status", "--short").split()))

        # Somebody else is at work in the same checkout: nothing is overwritten.
        fs.write_text("/work/README.md", "# hello\n\nMine.\n")
        (checkout / "README.md").write_text("# hello\n\nTheirs, and longer.\n")
        try:
            fs.apply("/work")
        except OSError as error:
            print(f"not applied: {os.path.basename(error.filename)}: {error.strerror}")
        fs.discard("/work")
        print("the workspace has:", fs.read_text("/work/README.md").splitlines()[-1])


if __name__ == "__main__":
    main()
