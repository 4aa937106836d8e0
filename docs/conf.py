"""Sphinx: the guides, the tutorials and the reference as one set of pages.

    python -m sphinx -q -E -W docs build/docs

It needs no network. Every warning is an error, a name in the reference without an explanation too.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import dmemfs  # noqa: E402
import dmemfs_sqlite  # noqa: E402
from dmemfs._version import __version__  # noqa: E402

_metadata = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _metadata["name"]
release = version = __version__
author = _metadata["authors"][0]["name"]
copyright = author  # noqa: A001

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
nitpicky = True

html_theme = "furo"
html_title = "dmemfs"
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 4

autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# In overloads, which `write_types_shortly` is not asked about.
autodoc_type_aliases = {"OpenTextMode": "str", "OpenBinaryMode": "str"}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Complexity", "returns_style")]
maximum_signature_line_length = 88
toc_object_entries = False
# A name in backticks is code, and a link where the reference explains it.
default_role = "backticks"

# Types that annotations name and this reference does not explain.
nitpick_ignore_regex = [
    ("py:.*", rf"({'|'.join(sorted(sys.stdlib_module_names))})(\..*)?"),
    ("py:.*", r"(dmemfs\._transfer\.differing\.)?Attributes"),
    ("py:.*", r"(sqlalchemy|Engine|AsyncEngine|URL)(\..*)?"),
    ("py:.*", r"dmemfs\._aio\.waiting\.Opened|Buffer"),
    ("py:.*", r"(dmemfs\._pathlib\.path\.)?AnyPath|(dmemfs\._tree\.listing\.)?ScandirIterator"),
]

# Whose public names have to be here.
PACKAGES = (dmemfs, dmemfs_sqlite)

# What lies outside of this directory, and the page here that shows it.
PAGES = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changes.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/measurements.md",
    "benchmarks/results/": "project/measurements.md",
}

# How annotations are shown: what a name stands for, where that says more, and the other way round.
TYPES = {
    r"str \| bytes \| ~os\.PathLike\[str\] \| ~os\.PathLike\[bytes\]": "StrPath",
    r"\bDiskPath\b": "StrPath",
    r"(~dmemfs\._transfer\.formats\.streams\.)?\b(Readable|Writable)\b": "~typing.BinaryIO",
    r"\bCompression\b": "~typing.Literal['gzip', 'bz2', 'xz']",
    r"\bProgress\b": "~collections.abc.Callable[[int, int, str], object]",
    r"(~dmemfs\._tree\.listing\.)?\bScandirIterator\b(\[[^]]*\])?": (
        "~collections.abc.Iterator[~os.DirEntry]"
    ),
    r"(~dmemfs\._tree\.listing\.|(?<![.\w]))DirEntry\b(\[[^]]*\])?": "~os.DirEntry",
    r"(~dmemfs\._aio\.waiting\.|(?<![.\w]))Opened\b": "~contextlib.AbstractAsyncContextManager",
    r"(~dmemfs\._interception\.attaching\.)?\bAttachments\b": "~dmemfs.MemoryFileSystem",
    r"(~dmemfs\._transfer\.dictionaries\.)?\bNested\b": "~collections.abc.Mapping",
    r"(~?typing\.)?\bUnpack\[(~?dmemfs\._transfer\.methods\.)?Limits\]": "int | None",
    r"~dmemfs\._tree\.tree\.Tree": "~dmemfs.MemoryFileSystem",
    r"(~dmemfs\._transfer\.drawing\.)?\bDrawing\b": "str",
    r"(~dmemfs\._entering\.)?\bBlock\b": "~contextlib.AbstractContextManager",
    r"(~dmemfs\._tree\.copying\.)?\bCopying\b": "~dmemfs.MemoryFileSystem",
    r"\bSegment\b": "str | ~os.PathLike[str] | ~dmemfs.paths.MemoryPath",
    r"(~dmemfs\._pathlib\.(lexical\.|path\.)|(?<![.\w]))(Lexical|Memory)Path\b": (
        "~dmemfs.paths.MemoryPath"
    ),
    r"~dmemfs\._transfer\.drawing\.Drawing": "str",
    r"~dmemfs\._entering\.Block": "~contextlib.AbstractContextManager",
    r"(~dmemfs_sqlite\._engine\.pragmas\.)?\bPragmas\b": "~collections.abc.Mapping[str, int | str]",
    r"\b_HALF_OF_MEMORY\b": "...",
    r"(?<![.\w])Path\b": "~pathlib.Path",
    r"(?<![.\w])Beginning\b": (
        "str | bytes | ~dmemfs_sqlite.DatabaseTemplate "
        "| ~collections.abc.Callable[[~sqlite3.Connection], object]"
    ),
}
_CONTEXT_MANAGER = "contextlib.AbstractContextManager"

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
_logger = logging.getLogger(__name__)


class Backticks(PyXRefRole):
    """A name of Python, which may be a link, or any other code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", self.text) is None:
            return [nodes.literal(self.rawtext, self.text)], []
        self.name = "py:obj"
        return super().run()


def setup(app: Sphinx) -> None:
    """Connect what is special here."""
    app.add_role("backticks", Backticks())
    # Where a class is written is private; its name is that by which it is imported.
    for package in PACKAGES:
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                value.__module__ = package.__name__
    app.connect("source-read", lead_source_links_to_pages)
    app.connect("include-read", lead_included_links_to_pages)
    app.connect("autodoc-process-docstring", make_complexity_a_section, priority=400)
    app.connect("autodoc-process-signature", write_types_shortly)
    app.connect("missing-reference", leave_code_as_it_is)
    app.connect("env-check-consistency", require_the_public_surface)


def lead_source_links_to_pages(app: Sphinx, name: str, content: list[str]) -> None:
    """Let a link to a file that a page shows lead to the page."""
    _lead_links(PROJECT / "docs" / f"{name}.md", app, content)


def lead_included_links_to_pages(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    """Do so in a file that is included, whose links count from where it is."""
    _lead_links(PROJECT / "docs" / path, app, content)


def _lead_links(source: Path, app: Sphinx, content: list[str]) -> None:
    page_directory = (PROJECT / "docs" / app.env.docname).parent

    def lead(link: re.Match[str]) -> str:
        target = (source.parent / link["path"]).resolve()
        if not target.is_relative_to(PROJECT) or not target.exists():
            return link[0]
        inside = target.relative_to(PROJECT).as_posix() + "/" * link["path"].endswith("/")
        if inside in PAGES:
            target = PROJECT / "docs" / PAGES[inside]
        # Where the site is built, paths have slashes too.
        way = os.path.relpath(target, page_directory).replace(os.sep, "/")
        return way + (link["anchor"] or "")

    content[0] = _LINK.sub(lead, content[0])


def write_types_shortly(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, given: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Name types as a reader knows them; leave out what no caller gives."""
    if ".pytest_plugin." in name:
        # Of a fixture counts what a test gets. Types in a plugin are imported for checkers only.
        given = "()"
        result = re.sub(r"(~collections\.abc\.)?Iterator\[(.*)\]$", r"\2", result or "")
    if what in ("class", "exception") and given == "()":
        return "", None
    if inspect.isgeneratorfunction(inspect.unwrap(obj)) and hasattr(obj, "__wrapped__"):
        result = (result or "").replace("collections.abc.Iterator", _CONTEXT_MANAGER)
    for pattern, short in TYPES.items():
        given = re.sub(pattern, short, given) if given else given
        result = re.sub(pattern, short, result) if result else result
    return given, result


def make_complexity_a_section(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Give a paragraph "Complexity: ..." the form of the sections around it."""
    in_it = False
    whole = []
    for line in lines:
        start = re.match(r"Complexity: (?P<text>\S.*)", line)
        if start is not None:
            whole.append("Complexity:")
            line = start["text"]
        in_it = bool(line.strip()) and (in_it or start is not None)
        whole.append("    " + line.strip() if in_it else line)
    lines[:] = whole


def leave_code_as_it_is(
    app: Sphinx, env: BuildEnvironment, node: Any, content: nodes.TextElement
) -> nodes.Element | None:
    """Show as code what is in backticks and no name of the reference."""
    return content if node.get("reftype") == "obj" else None


def require_the_public_surface(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public name and method that the reference leaves out."""
    explained = env.domains.python_domain.objects
    for package in PACKAGES:
        for name in package.__all__:
            _require(f"{package.__name__}.{name}", explained)
            value = getattr(package, name)
            if inspect.isclass(value) and value.__module__ == package.__name__:
                for method in _methods_of(value):
                    _require(f"{package.__name__}.{name}.{method}", explained)


def _methods_of(value: type) -> list[str]:
    builtin = [base for base in value.__mro__ if base.__module__ == "builtins"]
    inherited = {name for base in builtin for name in dir(base)}
    return [
        name
        for name, member in inspect.getmembers(value, callable)
        if not name.startswith("_") and name not in inherited
    ]


def _require(name: str, explained: Any) -> None:
    if name not in explained:
        _logger.warning("%s is public, and not in docs/api", name)
