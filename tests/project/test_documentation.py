"""The documents: their Python blocks run, their links lead somewhere, their commands are the ones
that continuous integration runs."""

from __future__ import annotations

import re
import runpy
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.support.differences import DIFFERENCES
from tests.support.entry_points import needs_fsspec_entry_point
from tests.support.sqlite_modules import needs_serialize

PROJECT = Path(__file__).resolve().parents[2]

# Named, not searched for: a virtual environment in the checkout holds Markdown files too.
DOCUMENTS = sorted(
    path
    for place in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in PROJECT.glob(place)
)
EXAMPLES = sorted(PROJECT.glob("examples/**/*.py"))

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[^\s`]*)")
NOT_RUN = re.compile(r"<!--\s*not run:\s*(?P<reason>\S.*?)\s*-->")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(?P<target>[^\s>]+)>?", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block; `line` is that of its first line of code, counted from 1."""

    language: str
    line: int
    code: str
    is_run: bool


def blocks_of(text: str) -> Iterator[Block]:
    lines = text.splitlines()
    number = 0
    above = ""
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening is None:
            if lines[number - 1].strip():
                above = lines[number - 1]
            continue
        first = number
        closing = re.compile(rf" *{opening['fence']}+\s*$")
        while not closing.match(lines[number]):
            number += 1
        code = textwrap.dedent("\n".join(lines[first:number]))
        yield Block(opening["language"], first + 1, code, NOT_RUN.search(above) is None)
        above = ""
        number += 1


def without_code(text: str) -> str:
    """Return the text with what stands in code blanked out, line for line."""
    kept = []
    fence = None
    for line in text.splitlines():
        mark = FENCE.match(line)
        if fence is None and mark is not None:
            fence = mark["fence"]
        elif fence is not None and line.strip().startswith(fence):
            fence = None
            mark = None
        kept.append("" if fence is not None else re.sub(r"(`+).+?\1", "", line))
    return "\n".join(kept)


def anchors_of(text: str) -> set[str]:
    """Return what may follow `#` in a link to this text: its headings, in the form of GitHub."""
    anchors: set[str] = set()
    fenced = {
        line
        for block in blocks_of(text)
        for line in range(block.line, block.line + block.code.count("\n") + 1)
    }
    for number, line in enumerate(text.splitlines(), start=1):
        heading = re.match(r"#{1,6}\s+(?P<title>.*?)\s*#*$", line)
        if heading is None or number in fenced:
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"]).lower()
        slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        unique, count = slug, 0
        while unique in anchors:
            count += 1
            unique = f"{slug}-{count}"
        anchors.add(unique)
    return anchors


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


WITH_PYTHON = [
    path
    for path in DOCUMENTS
    if any(block.language == "python" for block in blocks_of(path.read_text(encoding="utf-8")))
]
# What their blocks need, which is not everywhere.
NEEDS = {
    "fsspec": needs_fsspec_entry_point,
    "tutorial-sqlite-in-tests": needs_serialize,  # they start from what sqlite3 alone does
}


@pytest.mark.parametrize(
    "document",
    [pytest.param(path, marks=NEEDS.get(path.stem, ())) for path in WITH_PYTHON],
    ids=name_of,
)
def test_python_blocks_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(document.read_text(encoding="utf-8")):
        if block.language == "python" and block.is_run:
            # The empty lines make a traceback show the line of the document.
            source = "\n" * (block.line - 1) + block.code
            try:
                exec(compile(source, document, "exec"), namespace)
            except ImportError as error:
                skip_without(error)


def skip_without(error: ImportError) -> None:
    """Skip the rest of a document, which needs a package that is in an extra."""
    name = (error.name or "").partition(".")[0]
    if name in {"", "dmemfs", "dmemfs_sqlite"} or name in sys.stdlib_module_names:
        raise error
    pytest.skip(f"{name} is not installed: in the extra frameworks or test-all")


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_run(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_python_blocks_are_marked_as_python(document: Path) -> None:
    """A block under another name for Python would quietly not run."""
    for block in blocks_of(document.read_text(encoding="utf-8")):
        assert block.language not in {"py", "python3", "pycon", "Python", "doctest"}, block
        assert block.language or ">>> " not in block.code, block


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    targets = [match["target"] for match in [*LINK.finditer(text), *REFERENCE.finditer(text)]]
    broken = []
    for target in targets:
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        if (
            not linked.is_relative_to(PROJECT)
            or not linked.exists()
            or (anchor and anchor not in anchors_of(linked.read_text(encoding="utf-8")))
        ):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize(
    "command",
    [
        '-m pip install --editable ".[test,dev]"',
        '-m pip install --editable ".[test]"',
        '-m pip install --editable ".[frameworks]"',
        '-m pip install --editable ".[test-all]"',
        "-m pytest -n 2",
        "ruff check .",
        "ruff format --check .",
        "bin/mypy",
        "-m sphinx -q -E -W docs",
        "python3 -m dmemfs_sqlite demo",
    ],
)
def test_continuous_integration_runs_what_contributors_are_told(command: str) -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    # There the paths of the environments are in quotes, and pip is told to be quiet.
    assert command in re.sub(r'/bin/(\w+)"', r"/bin/\1", script).replace(" --quiet", "")
    assert command in (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_where_it_runs_is_what_continuous_integration_runs() -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    page = (PROJECT / "docs" / "limits.md").read_text(encoding="utf-8")
    table = page.partition("### Where it runs")[2]
    (versions,) = re.findall(r"^versions=\((.*)\)", script, re.MULTILINE)
    metadata = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    for version in versions.split():
        assert re.search(rf"CPython [^|]*\b{re.escape(version)}\b", table)
        assert f'"Programming Language :: Python :: {version}"' in metadata
    for names in re.findall(
        r"^declare -A (?:other_sqlites|pyodides)=\((.*)\)", script, re.MULTILINE
    ):
        for key, value in re.findall(r"\[([^]]+)\]=(\S*)", names):
            assert (f"Pyodide {key} " if key[0].isdigit() else f"`{value}`") in table


def test_the_readme_tells_how_to_install_and_test() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert '-m pip install --editable ".[test]"' in readme
    assert "-m pytest -n 2" in readme
    assert "python3 -m dmemfs_sqlite demo" in readme


def test_every_difference_is_documented() -> None:
    page = (PROJECT / "docs" / "file-system.md").read_text(encoding="utf-8")
    for entry in DIFFERENCES:
        assert f"| {entry.name} | {entry.real} | {entry.memory} | {entry.reason} |" in page


@pytest.mark.parametrize("picture", sorted(PROJECT.glob("docs/*.svg")), ids=name_of)
def test_pictures_can_be_read_in_the_dark_and_aloud(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{svg}title", f"{svg}desc"]
    assert "@media (prefers-color-scheme: dark)" in text
    assert "href" not in text  # it needs nothing but itself


# --- the checks themselves ------------------------------------------------------------------------

SAMPLE = """\
# The `first` part: one

```python
answer = 42
```

<!-- not run: it needs a server -->

```python
connect()
```

1. In a list:

   ```python
   assert answer == 42
   ```

Text after a block is not `[code](nowhere)` but [a link](other.md#here "title").

````console
```
# not a heading
````

[reference]: <ref.md>

## The `first` part: one
"""


def test_blocks_are_found_with_their_lines() -> None:
    assert list(blocks_of(SAMPLE)) == [
        Block("python", 4, "answer = 42", True),
        Block("python", 10, "connect()", False),
        Block("python", 16, "assert answer == 42", True),
        Block("console", 22, "```\n# not a heading", True),
    ]


def test_links_and_anchors_are_found_outside_code() -> None:
    text = without_code(SAMPLE)
    assert [match["target"] for match in LINK.finditer(text)] == ["other.md#here"]
    assert [match["target"] for match in REFERENCE.finditer(text)] == ["ref.md"]
    assert anchors_of(SAMPLE) == {"the-first-part-one", "the-first-part-one-1"}
