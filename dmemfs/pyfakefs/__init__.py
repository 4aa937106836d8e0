"""A drop-in for pyfakefs: `pytest -p dmemfs.pyfakefs`. Imported only where it is named."""

from ._filesystem import FakeFilesystem, OSType, PatchMode
from ._objects import FakeDirectory, FakeFile
from ._patcher import Patcher, Pause, patchfs
from ._standing_in import replace_pyfakefs
from ._unittest import TestCase, TestCaseMixin, load_doctests
from ._users import reset_ids, set_gid, set_uid

pytest_plugins: tuple[str, ...] = ("dmemfs.pyfakefs._plugin",)

__all__ = [
    "FakeDirectory",
    "FakeFile",
    "FakeFilesystem",
    "OSType",
    "PatchMode",
    "Patcher",
    "Pause",
    "TestCase",
    "TestCaseMixin",
    "load_doctests",
    "patchfs",
    "replace_pyfakefs",
    "reset_ids",
    "set_gid",
    "set_uid",
]
