"""The reference: nothing that is public is left out of it.

What Sphinx makes of the pages, continuous integration sees: it builds them with warnings as errors,
and `docs/conf.py` warns of each public name and method that the result does not explain. This here
needs no Sphinx.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import pickle
import pydoc
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, get_overloads

import pytest

import dmemfs
import dmemfs._cli
import dmemfs.testing
import dmemfs_sqlite
import dmemfs_sqlite._cli

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"

PACKAGES = (dmemfs, dmemfs.testing, dmemfs_sqlite)

# By their names alone: to import some of them needs the framework that they are for.
PUBLIC_MODULES = {
    f"{package}.{path.stem}"
    for package in ("dmemfs", "dmemfs_sqlite")
    for path in (PROJECT / package).glob("*.py")
    if not path.stem.startswith("_")
}

DIRECTIVE = re.compile(r"^\.\. auto(?P<kind>\w+):: (?P<name>[\w.]+)(?P<signature>\(\))?$")
OPTION = re.compile(r"^   :(?P<name>[\w-]+):(?: (?P<value>.*))?$")


class Directive(NamedTuple):
    """A request to Sphinx to explain something by its docstring."""

    kind: str
    options: dict[str, str]


def directives() -> dict[str, Directive]:
    found: dict[str, Directive] = {}
    for page in sorted((DOCS / "api").glob("*.md")):
        options: dict[str, str] = {}
        for line in page.read_text(encoding="utf-8").splitlines():
            directive = DIRECTIVE.match(line)
            option = OPTION.match(line)
            if line.startswith(".. "):
                options = {}
            if directive is not None:
                assert directive["name"] not in found, f"{directive['name']} comes twice"
                found[directive["name"]] = Directive(directive["kind"], options)
            elif option is not None:
                options[option["name"]] = option["value"] or ""
    return found


DIRECTIVES = directives()


def kind_of(value: object) -> str:
    if isinstance(value, type):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isfunction(value) else "data"


def own_methods(value: type) -> set[str]:
    """Return the public methods that it does not have from Python itself."""
    builtin = [base for base in value.__mro__ if base.__module__ == "builtins"]
    inherited = {name for base in builtin for name in dir(base)}
    return {
        name
        for name, _ in inspect.getmembers(value, callable)
        if not name.startswith("_") and name not in inherited
    }


def resolve(name: str) -> object:
    """Return what a dotted name leads to, importing the longest part of it that is a module."""
    module, _, rest = name.rpartition(".")
    try:
        value: object = importlib.import_module(module)
    except ModuleNotFoundError:
        value = resolve(module)
    return getattr(value, rest)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_in_the_reference(package: ModuleType) -> None:
    missing = [
        name
        for name in package.__all__
        if DIRECTIVES.get(f"{package.__name__}.{name}", Directive("", {})).kind
        != kind_of(getattr(package, name))
    ]
    assert missing == []


def test_every_method_of_the_file_system_is_in_the_reference() -> None:
    options = DIRECTIVES["dmemfs.MemoryFileSystem"].options
    assert options == {"members": "", "inherited-members": ""}
    # Without a docstring Sphinx would leave it out.
    assert [
        name
        for name in own_methods(dmemfs.MemoryFileSystem)
        if not inspect.getdoc(getattr(dmemfs.MemoryFileSystem, name))
    ] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_the_methods_of_public_classes_are_in_the_reference(package: ModuleType) -> None:
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type) and own_methods(value):
            assert DIRECTIVES[f"{package.__name__}.{name}"].options.get("members") == "", name


@pytest.mark.parametrize("name", DIRECTIVES)
def test_what_the_reference_names_exists(name: str) -> None:
    kind = DIRECTIVES[name].kind
    if name.startswith("dmemfs.fsspec"):
        pytest.importorskip("fsspec", reason="in the extra frameworks")
    value = importlib.import_module(name) if kind == "module" else resolve(name)
    # What explains data stands beside it, where only Sphinx finds it.
    assert kind == "data" or value.__doc__


def test_every_public_module_is_in_the_reference() -> None:
    explained = set(DIRECTIVES) | {name.rpartition(".")[0] for name in DIRECTIVES}
    assert PUBLIC_MODULES - explained == set()


@pytest.mark.parametrize("module", [dmemfs._cli, dmemfs_sqlite._cli], ids=lambda it: it.__name__)
def test_every_command_is_in_the_reference(module: ModuleType) -> None:
    page = " ".join((DOCS / "api" / "command-line.md").read_text(encoding="utf-8").split())
    for command in commands_of(module._parser()):
        usage = " ".join(command.format_usage().removeprefix("usage: ").split())
        assert usage.replace(" [-h]", "") in page


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the commands of a program, and those of commands that have some of their own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from [*commands_of(command)] or [command]


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {
        re.sub(r".*<(.*)>", r"\1", line)
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.glob("**/*.md")}
    assert listed == pages - {"index"}
    # Sphinx shows the tables at the side; who reads the page as it is has a list.
    for page in listed:
        assert page.startswith("project/") or f"]({page}.md)" in index


def test_the_documentation_is_in_the_source_distribution() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    # Pages of the site show these too.
    assert {"/docs", "/examples", "/benchmarks", "/CHANGELOG.md", "/CONTRIBUTING.md"} <= set(
        included
    )


class TestMemoryFileSystemSpeaksOfItself:
    """Where a method is written is nobody's concern who calls it."""

    def test_in_help(self) -> None:
        defined, *inherited = pydoc.render_doc(
            dmemfs.MemoryFileSystem,
            renderer=pydoc.plaintext,  # type: ignore[attr-defined]
        ).split("inherited from")
        for name in own_methods(dmemfs.MemoryFileSystem):
            assert re.search(rf"^ \|  {name}(\(| =)", defined, re.MULTILINE), name
        assert not any(re.search(r"^ \|  [a-z]\w*\(", part, re.MULTILINE) for part in inherited)

    def test_in_the_groups_of_the_guide(self) -> None:
        guide = (DOCS / "file-system.md").read_text(encoding="utf-8")
        table = guide[guide.index("|---") : guide.index("## Paths")]
        groups = [re.findall(r"`(\w+)", row) for row in table.splitlines() if row[:2] == "| "]
        text = re.findall(r"- [\w ]+: ([\w, ]+)\.", inspect.getdoc(dmemfs.MemoryFileSystem) or "")
        assert [group.split(", ") for group in text] == groups
        assert {name for group in groups for name in group} == own_methods(dmemfs.MemoryFileSystem)

    @pytest.mark.parametrize("is_intercepted", [False, True])
    def test_in_the_error_of_a_wrong_call(self, is_intercepted: bool) -> None:
        with contextlib.ExitStack() as stack:
            fs = dmemfs.MemoryFileSystem()
            if is_intercepted:
                stack.enter_context(fs.fail(path="/nowhere"))
            for name in own_methods(dmemfs.MemoryFileSystem) - {"path"}:  # which takes any number
                with pytest.raises(TypeError, match=r"^MemoryFileSystem\.\w+\(\) takes"):
                    getattr(fs, name)(*range(40))

    def test_in_a_pickle_of_a_method(self) -> None:
        for name in own_methods(dmemfs.MemoryFileSystem):
            method = getattr(dmemfs.MemoryFileSystem, name)
            assert pickle.loads(pickle.dumps(method)) == method

    def test_and_overloads_are_found(self) -> None:
        assert len(get_overloads(dmemfs.MemoryFileSystem.export_tree)) == 2
        assert len(get_overloads(dmemfs.MemoryFileSystem.import_tree)) == 2

    def test_and_what_it_returns_is_found_where_users_import_it(self) -> None:
        for name in ("Difference", "Link", "Quota", "Snapshot", "Usage"):
            assert getattr(dmemfs, name).__module__ == "dmemfs"
        fs = dmemfs.MemoryFileSystem()
        for value in (fs.usage(), fs.quota(), fs.snapshot().diff(), dmemfs.Link("there")):
            assert pickle.loads(pickle.dumps(value)) == value
