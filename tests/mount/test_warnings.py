"""Warnings name the line of the caller, as those of the builtins in C do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import io, json, os, sys, warnings
from pathlib import Path

from dmemfs import MemoryFileSystem

def text(path): open(path).close()
def by_io(path): io.open(path, "a").close()
def by_path(path): Path(path).open().close()
def whole(path): Path(path).read_text()
def line_buffered(path): open(path, "rb", 1).close()
def not_closed(path): open(path, "rb")

def warned(path, calls):
    found = []
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(path)
        found += [[each.category.__name__, each.filename, each.lineno] for each in caught]
    return found

CALLS = [text, by_io, by_path, whole, line_buffered, not_closed]
path = sys.argv[1]
Path(path).write_text("text", encoding="utf-8")
real = warned(path, CALLS)
fs = MemoryFileSystem.from_tree({"file": b"text"})
with fs.mount("/mem"):
    mounted = warned("/mem/file", CALLS)
own = warned("/file", [
    lambda path: fs.open(path).close(),
    lambda path: fs.read_text(path),
    lambda path: fs.open(path, "rb", 1).close(),
])
print(json.dumps([real, mounted, own]))
"""


def test_warnings_name_the_line_of_the_caller(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", PROGRAM, tmp_path / "file"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    real, mounted, own = json.loads(done.stdout)
    assert len(real) == 6
    assert mounted == real
    assert [(category, file) for category, file, _ in own] == [
        ("EncodingWarning", "<string>"),
        ("EncodingWarning", "<string>"),
        ("RuntimeWarning", "<string>"),
    ]
