"""What puts a faked file system in the place of the disk, and takes it away again."""

from __future__ import annotations

import functools
import importlib
import inspect
import linecache
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType, TracebackType
from typing import Any, ClassVar

from ._filesystem import FakeFilesystem, PatchMode
from ._memory import is_of_python
from ._users import reset_ids, set_gid, set_uid

_OWN = frozenset(("dmemfs", "dmemfs_sqlite"))
"""The packages of this project, which import parts of themselves when these are needed."""


class Patcher:
    """A context manager within which the disk is hidden by a faked file system.

    There is one at a time: within another one, it gives that one's file system.

    Args:
        additional_skip_names: nothing here, since every reference to a function is found.
        modules_to_reload: loaded anew at the beginning and at the end, as what they did with files
            when they were imported may be needed in the faked file system.
        modules_to_patch: by their names, classes of which one instance, made with the file system,
            stands for a module meanwhile.
        allow_root_user: False to act as somebody whom modes forbid what they forbid.
        use_known_patches, patch_default_args, use_cache, use_dynamic_patch: nothing here.
        patch_open_code: nothing here: code is read from the disk, or else from memory.
        is_doc_test: nothing here.

    Attributes:
        fs: the file system.
        PATCHER: the one that there is at a time.
    """

    PATCHER: ClassVar[Patcher | None] = None
    DOC_PATCHER: ClassVar[Patcher | None] = None
    REF_COUNT: ClassVar[int] = 0
    SKIPMODULES: ClassVar[set[Any]] = {None, sys, linecache}
    RUNTIME_SKIPMODULES: ClassVar[dict[str, list[str]]] = {}
    SKIPNAMES: ClassVar[set[str]] = set()

    fs: FakeFilesystem

    def __new__(cls, *_: Any, **__: Any) -> Patcher:
        if Patcher.PATCHER is None:
            Patcher.PATCHER = super().__new__(cls)
        return Patcher.PATCHER

    def __init__(
        self,
        additional_skip_names: Iterable[Any] | None = None,
        modules_to_reload: Iterable[ModuleType] | None = None,
        modules_to_patch: Mapping[str, Any] | None = None,
        allow_root_user: bool = True,
        use_known_patches: bool = True,
        patch_open_code: Any = PatchMode.OFF,
        patch_default_args: bool = False,
        use_cache: bool = True,
        use_dynamic_patch: bool = True,
        is_doc_test: bool = False,
    ) -> None:
        del additional_skip_names, use_known_patches, patch_default_args, use_cache
        del use_dynamic_patch, is_doc_test
        if Patcher.REF_COUNT:
            if modules_to_reload or modules_to_patch or not allow_root_user:
                warnings.warn(
                    "a faked file system is there already, and is used as it is: the arguments of "
                    "the Patcher within are not heeded",
                    stacklevel=2,
                )
            return
        if not allow_root_user:
            set_uid(1)
            set_gid(1)
        self.modules_to_reload: list[ModuleType] = list(modules_to_reload or ())
        self.modules_to_patch: dict[str, Any] = dict(modules_to_patch or {})
        self.patch_open_code = patch_open_code
        self._patched: list[tuple[dict[str, Any], str, Any]] = []
        self._is_paused = False
        self.cleanup_handlers: dict[str, Callable[[str], bool]] = {}
        self._modules_before: list[str] = []

    def __enter__(self) -> Patcher:
        self.setUp()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.tearDown()

    def setUp(self, doctester: Any = None) -> None:
        """Hide the disk."""
        del doctester
        Patcher.REF_COUNT += 1
        if Patcher.REF_COUNT > 1:
            return
        try:
            self.fs = FakeFilesystem(patcher=self, create_temp_dir=True)
            self.fs.patch_open_code = self.patch_open_code
            self._start()
        except BaseException:
            self.tearDown()
            raise

    def tearDown(self, doctester: Any = None) -> None:
        """Show the disk again."""
        del doctester
        Patcher.REF_COUNT = max(0, Patcher.REF_COUNT - 1)
        if Patcher.REF_COUNT:
            return
        try:
            self._stop()
        finally:
            self._is_paused = False
            Patcher.PATCHER = Patcher.DOC_PATCHER = None
            reset_ids()

    def pause(self) -> None:
        """Show the disk, until `resume`."""
        if self.is_patching:
            self._stop()
            self._is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        if self._is_paused:
            self._is_paused = False
            self._start()

    @property
    def is_patching(self) -> bool:
        """Whether the disk is hidden."""
        return "fs" in vars(self) and self.fs._is_mounted

    def clear_cache(self) -> None:
        """Do nothing: there is no cache."""

    @classmethod
    def clear_fs_cache(cls) -> None:
        """Do nothing: there is no cache."""

    def register_cleanup_handler(self, name: str, handler: Callable[[str], bool]) -> None:
        """Have a callable decide about a module that is imported while the disk is hidden.

        Args:
            name: of the module.
            handler: called at the end with the name; where it returns a true value, the module is
                not removed from `sys.modules`.
        """
        self.cleanup_handlers[name] = handler

    def _start(self) -> None:
        self.fs._enter()
        self._modules_before = list(sys.modules)
        self._patch_modules()
        self._reload()

    def _stop(self) -> None:
        while self._patched:
            namespace, name, value = self._patched.pop()
            namespace[name] = value
        if "fs" in vars(self):
            self.fs._leave()
        self._remove_modules()
        self._reload()

    def _remove_modules(self) -> None:
        """Remove what was imported meanwhile, and may come from faked files or know of them.

        What is installed stays.
        """
        if len(sys.modules) == len(self._modules_before):
            return
        for name in sys.modules.keys() - set(self._modules_before):
            spec = getattr(sys.modules[name], "__spec__", None)
            if name.partition(".")[0] in _OWN or is_of_python(getattr(spec, "origin", None)):
                continue
            handler = self.cleanup_handlers.get(name)
            if handler is None or not handler(name):
                del sys.modules[name]

    def _reload(self) -> None:
        for module in self.modules_to_reload:
            if sys.modules.get(module.__name__) is module:
                importlib.reload(module)

    def _patch_modules(self) -> None:
        """Put what stands for modules where these are known by name."""
        for name, kind in self.modules_to_patch.items():
            original = sys.modules.get(name)
            if original is None:
                continue
            stand_in = kind(self.fs)
            for module in list(sys.modules.values()):
                if not inspect.ismodule(module):
                    continue
                for key, value in list(vars(module).items()):
                    if value is original:
                        self._patched.append((vars(module), key, original))
                        vars(module)[key] = stand_in
            self._patched.append((sys.modules, name, original))
            sys.modules[name] = stand_in


class Pause:
    """A context manager within which the disk is shown.

    Args:
        caller: what hides it: a FakeFilesystem, a Patcher or a test case.
    """

    def __init__(self, caller: Any) -> None:
        fs = caller if isinstance(caller, FakeFilesystem) else getattr(caller, "fs", None)
        if not isinstance(fs, FakeFilesystem):
            raise TypeError(
                f"Pause takes a FakeFilesystem, a Patcher or a test case, not {caller!r}"
            )
        self._fs = fs

    def __enter__(self) -> FakeFilesystem:
        self._fs.pause()
        return self._fs

    def __exit__(self, *_: object) -> None:
        self._fs.resume()


def patchfs(_func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Hide the disk while a function runs, which gets the file system as its last argument.

    Args:
        _func: the function, where the decorator has no arguments.
        options: those of `Patcher`.
    """
    if _func is not None and not callable(_func):
        raise TypeError("patchfs takes its options by name: @patchfs(allow_root_user=False)")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        patchings = getattr(function, "patchings", None)
        if patchings is not None:  # mock.patch gives arguments to as many functions as it counts
            function.nr_patches = len(patchings)  # type: ignore[attr-defined]

        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            with Patcher(**options) as patcher:
                return function(*arguments, patcher.fs, **named)

        return wrapped

    return decorate if _func is None else decorate(_func)
