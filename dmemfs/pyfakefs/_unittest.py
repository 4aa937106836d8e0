"""For unittest: test cases that hide the disk by a faked file system."""

from __future__ import annotations

import unittest
from types import ModuleType
from typing import Any, ClassVar, cast

from ._filesystem import FakeFilesystem
from ._patcher import Patcher

_OF_CLASS = ("additional_skip_names", "modules_to_reload", "modules_to_patch")


class TestCaseMixin:
    """Gives a test case `setUpPyfakefs`, to be called in `setUp`, and then `self.fs`.

    Attributes:
        additional_skip_names: as `Patcher` takes it.
        modules_to_reload: as `Patcher` takes it.
        modules_to_patch: as `Patcher` takes it.
    """

    additional_skip_names: ClassVar[Any] = None
    modules_to_reload: ClassVar[Any] = None
    modules_to_patch: ClassVar[Any] = None

    @property
    def patcher(self) -> Any:
        """What hides the disk."""
        return getattr(self, "_patcher", None) or Patcher.PATCHER

    @property
    def fs(self) -> FakeFilesystem:
        """The file system of the test."""
        return cast(FakeFilesystem, self.patcher.fs)

    def setUpPyfakefs(self, *arguments: Any, **options: Any) -> None:  # noqa: N802
        """Hide the disk until the end of the test; the arguments are those of `Patcher`."""
        if Patcher.PATCHER is not None:
            return
        self._patcher = _patcher_of(self, arguments, options)
        self._patcher.setUp()
        cast(Any, self).addCleanup(self._patcher.tearDown)

    @classmethod
    def setUpClassPyfakefs(cls, *arguments: Any, **options: Any) -> None:  # noqa: N802
        """Hide the disk for all tests of the class, to be called in `setUpClass`."""
        if Patcher.PATCHER is not None:
            return
        patcher = _patcher_of(cls, arguments, options)
        patcher.setUp()
        cast(Any, cls).addClassCleanup(patcher.tearDown)

    @classmethod
    def fake_fs(cls) -> FakeFilesystem | None:
        """Return the file system of the class."""
        return None if Patcher.PATCHER is None else Patcher.PATCHER.fs

    def pause(self) -> None:
        """Show the disk, until `resume`."""
        self.patcher.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.patcher.resume()


class TestCase(unittest.TestCase, TestCaseMixin):
    """A test case with `setUpPyfakefs`; see `TestCaseMixin`."""

    def __init__(
        self,
        methodName: str = "runTest",  # noqa: N803
        additional_skip_names: Any = None,
        modules_to_reload: Any = None,
        modules_to_patch: Any = None,
    ) -> None:
        super().__init__(methodName)
        given = (additional_skip_names, modules_to_reload, modules_to_patch)
        vars(self).update(zip(_OF_CLASS, given, strict=True))

    def tearDownPyfakefs(self) -> None:  # noqa: N802
        """Do nothing: the end of a test shows the disk."""


def load_doctests(
    loader: Any, tests: unittest.TestSuite, ignore: Any, module: ModuleType, **options: Any
) -> unittest.TestSuite:
    """Add the examples in a module's docstrings to tests; the disk is hidden while they run.

    Args:
        loader, tests, ignore: what `load_tests` is given.
        module: the module.
        options: those of `Patcher`.
    """
    import doctest  # which takes as long as all of this package

    del loader, ignore
    patchers: list[Patcher] = []

    def begin(_: Any) -> None:
        patchers.append(Patcher(**options))
        patchers[-1].setUp()

    def end(_: Any) -> None:
        patchers.pop().tearDown()

    tests.addTests(doctest.DocTestSuite(module, setUp=begin, tearDown=end))
    return tests


def _patcher_of(case: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Patcher:
    """Return a Patcher with these arguments, and for what is not given those of the test case."""
    given = dict(zip(_OF_CLASS, arguments, strict=False)) | options
    for name in _OF_CLASS:
        if given.get(name) is None:
            given[name] = getattr(case, name)
    return Patcher(*(given.pop(name) for name in _OF_CLASS), *arguments[3:], **given)
