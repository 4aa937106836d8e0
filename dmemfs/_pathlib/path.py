"""MemoryPath: a path of a file system in memory, as an object."""

from __future__ import annotations

import importlib
import os
import pathlib
from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from .. import _published
from .._paths import as_text
from .copying import copy, require_different_files, require_distinct
from .lexical import LexicalPath
from .operations import UsedPath
from .resolving import resolve

AnyPath = TypeVar("AnyPath", bound=LexicalPath | pathlib.Path)


class MemoryPath(UsedPath):
    """A path of one file system, with all that `pathlib.Path` of Python 3.14 has, on any Python.

    `fs.path("/a/b")` and `fs / "a" / "b"` make it. It is immutable, and equal to paths of the same
    text and the same file system. A relative one begins at the root, as all paths of a file system
    do. Results and errors are those of `pathlib` on Linux, with errno and filename; permissions are
    not enforced, as everywhere here.

    It is no `os.PathLike`, since what opens files by their text would open one of the disk: `open`
    it by its method, or mount the file system. It can be pickled if its file system is published.

    Args:
        fs: the file system.
        segments: what it is joined of, each a `str`, a path of `pathlib` or one of these.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        name = _published.name_of(self._fs)
        if name is None:
            raise TypeError(
                f"cannot pickle {self!r}: its file system has no name by which it is found again. "
                "Give it one, fs.publish(name), here and where the path is to be unpickled"
            )
        return _unpickled, (type(self), name, self._text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    # --- copies -----------------------------------------------------------------------------------

    @overload
    def copy(
        self, target: str, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Self: ...
    @overload
    def copy(
        self, target: AnyPath, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> AnyPath: ...
    @overload
    def copy(
        self, target: Any, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Any: ...
    def copy(
        self, target: Any, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Any:
        """Copy the file, or the directory with all below it, and return the path of the copy.

        In memory the content is shared until one of them is written. A copy of a directory that
        fails is removed again.

        Args:
            target: where: a path of this file system, of another one, or of the disk (a
                `pathlib.Path`), or one of any kind that `pathlib.types` allows.
            follow_symlinks: copy what links lead to, instead of the links.
            preserve_metadata: copy modes and times too.

        Raises:
            FileExistsError: `self` is a directory, and something is at `target`.
            OSError: EINVAL, `target` is the same path, the same file or below it.
        """
        if not isinstance(target, pathlib.Path) and not hasattr(target, "_copy_from"):
            target = self.with_segments(target)
        require_distinct(self, target)
        if isinstance(target, pathlib.Path):
            copy(self, target, follow_symlinks=follow_symlinks, preserve_metadata=preserve_metadata)
        else:
            options = {"preserve_metadata": True} if preserve_metadata else {}
            target._copy_from(self, follow_symlinks=follow_symlinks, **options)
        return target.joinpath()  # which knows nothing from before

    @overload
    def copy_into(
        self, target_dir: str, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Self: ...
    @overload
    def copy_into(
        self, target_dir: AnyPath, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> AnyPath: ...
    @overload
    def copy_into(
        self, target_dir: Any, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Any: ...
    def copy_into(
        self, target_dir: Any, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Any:
        """Copy it into a directory, under its own name; see `copy`."""
        return self.copy(
            self._inside(target_dir),
            follow_symlinks=follow_symlinks,
            preserve_metadata=preserve_metadata,
        )

    def _copy_from(
        self, source: Any, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> None:
        """Become a copy of a path of any kind: what `copy` of `pathlib` asks its target for."""
        copy(source, self, follow_symlinks=follow_symlinks, preserve_metadata=preserve_metadata)

    @overload
    def move(self, target: str) -> Self: ...
    @overload
    def move(self, target: AnyPath) -> AnyPath: ...
    @overload
    def move(self, target: Any) -> Any: ...
    def move(self, target: Any) -> Any:
        """Move the file, or the directory with all below it, and return where it is then.

        Args:
            target: as of `copy`. Within one file system it is renamed; else it is copied, with
                links, modes and times, and then removed.
        """
        if isinstance(target, LexicalPath):
            is_here = target._fs is self._fs
        else:
            is_here = isinstance(target, (str, pathlib.PurePath)) and not isinstance(
                target, pathlib.Path
            )
        if is_here:
            place = self.with_segments(target)
            require_different_files(self, place)
            return self.rename(place)
        copied = self.copy(target, follow_symlinks=False, preserve_metadata=True)
        self._delete()
        return copied

    @overload
    def move_into(self, target_dir: str) -> Self: ...
    @overload
    def move_into(self, target_dir: AnyPath) -> AnyPath: ...
    @overload
    def move_into(self, target_dir: Any) -> Any: ...
    def move_into(self, target_dir: Any) -> Any:
        """Move it into a directory, under its own name; see `move`."""
        return self.move(self._inside(target_dir))

    def _inside(self, directory: Any) -> Any:
        name = self.name
        if not name:
            raise ValueError(f"{self!r} has an empty name")
        is_path = isinstance(directory, pathlib.PurePath) or hasattr(directory, "with_segments")
        return directory / name if is_path else self.with_segments(directory, name)

    def _delete(self) -> None:
        """Remove what is here, whatever it is."""
        if self.is_dir(follow_symlinks=False):
            self._fs.rmtree(self._text)
        else:
            self.unlink()

    # --- other paths ------------------------------------------------------------------------------

    def absolute(self) -> Self:
        """Return it as a path that begins with a slash."""
        return self if self.is_absolute() else self.with_segments("/", self._text)

    def resolve(self, strict: bool = False) -> Self:
        """Return the absolute path that leads here without symbolic links and `..`.

        Args:
            strict: refuse a path that leads to nothing.

        Raises:
            FileNotFoundError: it leads to nothing, and `strict` is true.
        """
        return self.with_segments(resolve(self._fs, self._text, strict))

    def cwd(self) -> Self:
        """Return the root, where relative paths begin."""
        return self.with_segments("/")

    def home(self) -> Self:
        """Return the path here with the text of the user's home directory.

        Raises:
            RuntimeError: nothing tells which it is.
        """
        return self.with_segments(_home("~"))

    def expanduser(self) -> Self:
        """Return the path with `~` and `~user` at its beginning replaced; see `home`.

        Raises:
            RuntimeError: nothing tells which it is.
        """
        first, *rest = self.parts or ("",)
        return self.with_segments(_home(first), *rest) if first.startswith("~") else self

    def from_uri(self, uri: str) -> Self:
        """Return the path in this file system that a URI of the scheme `file` names.

        Raises:
            ValueError: it is none, or not absolute, or names another host.
        """
        from urllib.parse import unquote_to_bytes

        scheme, colon, rest = uri.partition(":")
        if not colon or scheme.lower() != "file":
            raise ValueError(f"URI is missing 'file:' scheme: {uri!r}")
        if rest.startswith("//"):
            host, slash, below = rest[2:].partition("/")
            if host not in ("", "localhost"):
                raise ValueError(f"file URI not hosted here: {uri!r}")
            rest = slash + below
        path = self.with_segments(as_text(unquote_to_bytes(rest)))
        if not path.is_absolute():
            raise ValueError(f"URI is not absolute: {uri!r}")
        return path


def _home(user: str) -> str:
    directory = os.path.expanduser(user)
    if directory.startswith("~"):
        raise RuntimeError("Could not determine home directory.")
    return directory


def _unpickled(kind: Callable[..., MemoryPath], name: str, text: str) -> MemoryPath:
    return kind(_published.published(name), text)


def _register() -> None:
    """Let `isinstance` know it by the classes of `pathlib.types` and pathlib-abc, if they exist."""
    for module, prefix in (("pathlib.types", "_"), ("pathlib_abc", "")):
        try:
            classes = importlib.import_module(module)
        except ImportError:
            continue
        for name in ("JoinablePath", "ReadablePath", "WritablePath"):
            getattr(classes, prefix + name).register(MemoryPath)


MemoryPath.__module__ = "dmemfs.paths"  # where users find it
_register()
