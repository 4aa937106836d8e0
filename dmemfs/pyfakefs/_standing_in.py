"""What `import pyfakefs` gives while this stands in for it."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import _filesystem, _helpers, _modules, _objects, _patcher, _unittest, _users

VERSION = "6.3.2"
"""The release of pyfakefs whose API this has."""

_NAME = "pyfakefs"
_MARK = "__stands_in__"

_PERMISSIONS = {
    "PERM_READ": 0o400,
    "PERM_WRITE": 0o200,
    "PERM_EXE": 0o100,
    "PERM_DEF": 0o777,
    "PERM_DEF_FILE": 0o666,
    "PERM_ALL": 0o7777,
}
_IDS = {
    name: getattr(_users, name)
    for name in ("get_gid", "get_uid", "is_root", "reset_ids", "set_gid", "set_uid")
}
_FILES = {
    "FakeDirectory": _objects.FakeDirectory,
    "FakeDirectoryFromRealDirectory": _objects.FakeDirectory,
    "FakeFile": _objects.FakeFile,
    "FakeFileFromRealFile": _objects.FakeFile,
}
_MODULES: dict[str, dict[str, Any]] = {
    "_version": {"__version__": VERSION},
    "fake_file": {
        **_FILES,
        "FakeLargeFileIoException": _objects.FakeLargeFileIoException,
    },
    "fake_filesystem": {
        **_PERMISSIONS,
        **_IDS,
        **_FILES,
        "FakeFileOpen": _modules.FakeFileOpen,
        "FakeFilesystem": _filesystem.FakeFilesystem,
        "FakeIoModule": _modules.FakeIoModule,
        "FakeOsModule": _modules.FakeOsModule,
        "FakePathModule": _modules.FakePathModule,
        "FSType": _filesystem.FSType,
        "OSType": _filesystem.OSType,
        "PatchMode": _filesystem.PatchMode,
    },
    "fake_filesystem_shutil": {"FakeShutilModule": _modules.FakeShutilModule},
    "fake_filesystem_unittest": {
        "FakeFilesystem": _filesystem.FakeFilesystem,
        "load_doctests": _unittest.load_doctests,
        "Patcher": _patcher.Patcher,
        "patchfs": _patcher.patchfs,
        "PatchMode": _filesystem.PatchMode,
        "Pause": _patcher.Pause,
        "reset_ids": _users.reset_ids,
        "set_gid": _users.set_gid,
        "set_uid": _users.set_uid,
        "TestCase": _unittest.TestCase,
        "TestCaseMixin": _unittest.TestCaseMixin,
    },
    "fake_io": {"FakeIoModule": _modules.FakeIoModule, "PatchMode": _filesystem.PatchMode},
    "fake_open": {"FakeFileOpen": _modules.FakeFileOpen},
    "fake_os": {
        "FakeOsModule": _modules.FakeOsModule,
        "use_original_os": _modules.use_original_os,
    },
    "fake_path": {"FakePathModule": _modules.FakePathModule},
    "fake_pathlib": {"FakePath": pathlib.Path, "FakePathlibModule": _modules.FakePathlibModule},
    "helpers": {
        **{name: value for name, value in vars(_helpers).items() if not name.startswith("_")},
        **_PERMISSIONS,
        **_IDS,
        "FSType": _filesystem.FSType,
        "reload_cleanup_handler": _modules.reload_cleanup_handler,
    },
    "pytest_plugin": {},
}


def replace_pyfakefs() -> None:
    """Let `import pyfakefs` and `from pyfakefs.X import Y` find this in its place from now on.

    `pytest -p dmemfs.pyfakefs` calls it; for other runners, a package of tests can do so in its
    `__init__.py`. Whether pyfakefs is installed does not matter.

    Raises:
        RuntimeError: pyfakefs is imported already, and whoever has something of it would keep it.
    """
    there = sys.modules.get(_NAME)
    if there is None:
        stand_in()
    elif not vars(there).get(_MARK):
        raise RuntimeError(
            "pyfakefs is imported already; call replace_pyfakefs before whatever imports it"
        )


def stand_in() -> Callable[[], None]:
    """Replace pyfakefs even if it is imported, and return what undoes that."""
    before = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == _NAME
    }
    package = _module("", {"__version__": VERSION, "__path__": [], _MARK: True})
    sys.modules[_NAME] = package
    for name, members in _MODULES.items():
        module = _module(f".{name}", members)
        sys.modules[module.__name__] = module
        setattr(package, name, module)

    def undo() -> None:
        if sys.modules.get(_NAME) is package:
            for name in [each for each in sys.modules if each.partition(".")[0] == _NAME]:
                del sys.modules[name]
            sys.modules.update(before)

    return undo


def _module(suffix: str, members: dict[str, Any]) -> ModuleType:
    module = ModuleType(f"{_NAME}{suffix}", f"What stands in for {_NAME}{suffix}: dmemfs.pyfakefs.")
    vars(module).update(members)
    return module
