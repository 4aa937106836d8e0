"""The page for those who come from pyfakefs: each of its calls has a place there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from pyfakefs import fake_filesystem, fake_filesystem_unittest, pytest_plugin

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coming-from-pyfakefs.md").read_text(
    encoding="utf-8"
)
LEFT = {
    word
    for line in PAGE.splitlines()
    if line.startswith("|")
    for word in re.findall(r"\w+", line.split(" | ")[0])
}

# What sees to the replacing itself, and is called by nobody's test.
OF_THE_PATCHER_ALONE = {
    *("start_patching", "stop_patching", "patch_modules", "patch_functions", "patch_defaults"),
    *("unset_defaults", "replace_globs", "is_patching", "fcntl", "posix", "posixpath"),
}


def public(owner: object) -> set[str]:
    return {name for name in dir(owner) if name[0].islower() and name.isidentifier()}


def fixtures() -> set[str]:
    return {
        name
        for name, value in vars(pytest_plugin).items()
        if "fixture" in type(value).__name__.lower()
        or hasattr(value, "_pytestfixturefunction")
        or hasattr(value, "_fixture_function")
    }


def names() -> dict[str, set[str]]:
    patcher: Any = fake_filesystem_unittest.Patcher
    file_system = fake_filesystem.FakeFilesystem()
    mixin = vars(fake_filesystem_unittest.TestCaseMixin).keys()
    case = vars(fake_filesystem_unittest.TestCase).keys()
    return {
        "fixtures": fixtures(),
        "the fixture's methods and attributes": public(file_system),
        "the patcher's arguments": set(inspect.signature(patcher.__init__).parameters) - {"self"},
        "the patcher": public(patcher) - OF_THE_PATCHER_ALONE,
        "the test case": {name for name in {*mixin, *case} if not name.startswith("_")},
        "arguments": {
            argument
            for method in ("create_file", "create_dir", "add_real_file", "add_real_directory")
            for argument in inspect.signature(getattr(file_system, method)).parameters
            if argument not in ("file_path", "directory_path", "source_path", "contents")
        },
    }


@pytest.mark.parametrize("kind", names())
def test_every_name_has_a_place(kind: str) -> None:
    found = names()[kind]
    assert found, "pyfakefs has changed where it keeps these"
    assert sorted(found - LEFT) == []


def test_what_is_on_the_right_exists() -> None:
    from dmemfs import MemoryFileSystem

    right = " ".join(line.split(" | ", 1)[1] for line in PAGE.splitlines() if line.startswith("| "))
    methods = set(re.findall(r"`memfs\.(\w+)", right))
    assert {"add_real", "fail", "set_quota", "to_tree"} <= methods
    assert sorted(name for name in methods if not hasattr(MemoryFileSystem, name)) == []
