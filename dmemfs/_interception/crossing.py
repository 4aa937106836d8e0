"""Going on in another file system, where a path leads into one that is attached.

As with those who are asked (see `asking`), a file system in which none is attached has nothing of
this in its way. While one is, the class is another one, whose methods first look where their paths
lead to, and call the same method there.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import Any, TypeAlias

from .. import _paths
from .._errors import errno_of, os_error
from .._nodes.nodes import MountPoint
from .._paths import MAX_LINKS, StrPath
from .._tree.lookup import CrossingError
from .._tree.tree import Tree

_Method: TypeAlias = Callable[..., Any]

_Names: TypeAlias = tuple[tuple[Any, Any], ...]
"""Pairs of a path as it was given, and as it is called where it leads to."""


def place_of(
    tree: Tree, path: StrPath, *, follow: bool = True, stays: bool = False
) -> tuple[Tree, Any]:
    """Return the file system in which a path is, and the path there.

    Args:
        tree: where it begins.
        path: the path.
        follow: whether a symbolic link at its end is followed.
        stays: whether a directory at its end at which something is attached is meant itself, and
            not what is attached.

    Raises:
        OSError: EXDEV, it leads into another file system in the middle of an operation of this one.
            Nobody waits for the lock of one while holding that of another.
    """
    here: Any = path
    for _ in range(MAX_LINKS):
        try:
            node = tree._walk_path(here, follow=follow, follow_with_slash=True)[2]
            if stays or not isinstance(node, MountPoint):
                return tree, here
            raise CrossingError(tree, node, [], False, here)
        except CrossingError as crossing:
            fs, names, is_directory = crossing.fs, crossing.names, crossing.is_directory
            parent = crossing.point.parent
            if fs is None:  # it was detached a moment ago
                continue
        except (OSError, ValueError, TypeError):
            return tree, here  # the method finds the same error
        if tree._lock._is_owned():
            raise os_error(errno.EXDEV, path)
        left = _left_behind(fs, names)
        above = "/"
        if left is None:
            tree = fs
        else:
            names, above = left, tree._path_of(parent)
        text = _paths.join(above, "/".join(names)) + "/" * (is_directory and bool(names))
        here = _paths.as_given(text, path)
    raise os_error(errno.ELOOP, path)


def _left_behind(fs: Tree, names: list[str]) -> list[str] | None:
    """Return what of a path follows the `..` that leads out of an attached file system again."""
    for count, name in enumerate(names):
        if name == "..":
            other, there = fs._where("/" + "/".join(names[:count]))
            if other is fs and fs._peek(there) is fs._root:
                return names[count + 1 :]
    return None


def called_here(name: Any, names: _Names) -> Any:
    """Return what a path is called where the call came from."""
    if isinstance(name, str | bytes):
        text = _paths.as_text(name)
        for given, there in names:
            if given is not there and text == _paths.as_text(there):
                return os.fspath(given)
        for given, there in names:
            if given is not there:
                base = _paths.as_text(there).rstrip("/")
                if text.startswith(f"{base}/"):
                    outer = _paths.as_text(given).rstrip("/") + text[len(base) :]
                    return _paths.as_given(outer, given)
    return name


def _call(names: _Names, method: _Method, *arguments: Any, **named: Any) -> Any:
    """Call a method of another file system; its errors say the paths that were given."""
    try:
        return method(*arguments, **named)
    except OSError as error:
        error.filename = called_here(error.filename, names)
        if error.filename2 is not None:
            error.filename2 = called_here(error.filename2, names)
        raise


# Methods of one path


def _goes_on(
    name: str,
    method: _Method,
    key: str = "path",
    position: int = 0,
    *,
    follow: bool | Callable[..., bool] = True,
    stays: bool = False,
    is_question: bool = False,
    convert: Callable[[Any, _Names], Any] | None = None,
) -> _Method:
    """Return a method that goes on where its path leads to.

    Args:
        name: of the method.
        method: the one of a file system in which nothing is attached.
        key: the name of the argument that is the path.
        position: which of the arguments it is.
        follow: as for `place_of`; or what tells it from the arguments behind the path.
        stays: as for `place_of`.
        is_question: whether it answers False where others raise an OSError.
        convert: makes of a result there what it is here.
    """

    def going_on(self: Tree, *arguments: Any, **named: Any) -> Any:
        if len(arguments) > position:
            path = arguments[position]
        elif key in named:
            path = named[key]
        else:
            return method(self, *arguments, **named)  # for the root, or wrong
        others = arguments[position + 1 :]
        follows = follow(*others, **named) if callable(follow) else follow
        try:
            fs, there = place_of(self, path, follow=follows, stays=stays)
        except OSError:
            if is_question:
                return False
            raise
        if there is path:
            return method(self, *arguments, **named)
        if len(arguments) > position:
            arguments = (*arguments[:position], there, *arguments[position + 1 :])
        else:
            named[key] = there
        names = ((path, there),)
        if fs is self:
            return _call(names, method, self, *arguments, **named)
        result = _call(names, getattr(fs, name), *arguments, **named)
        return result if convert is None else convert(result, names)

    return going_on


def _follow_symlinks(*_: Any, follow_symlinks: bool = True, **__: Any) -> bool:
    return follow_symlinks


def _unless_exclusive(mode: Any = "r", *_: Any, **__: Any) -> bool:
    return "x" not in mode if isinstance(mode, str) else True


def _with_name(file: Any, names: _Names) -> Any:
    binary = file.buffer if isinstance(file, io.TextIOWrapper) else file
    binary.name = called_here(binary.name, names)
    return file


def _with_path(quota: Any, names: _Names) -> Any:
    """Name the directory that has a quota, which is the one that was asked about or one above."""
    given, there = (_paths.as_text(path).rstrip("/") for path in names[0])
    below = there[len(quota.path.rstrip("/")) :]
    if not there.startswith(quota.path.rstrip("/")) or not given.endswith(below):
        return quota  # which no path here leads to, but for a link or `..`
    return quota._replace(path=given.removesuffix(below))


def _with_paths(files: Any, names: _Names) -> Any:
    if isinstance(files, Mapping):
        return {called_here(path, names): data for path, data in files.items()}
    return files if files is None else _each_with_path(files, names)


def _each_with_path(files: Iterator[tuple[str, bytes]], names: _Names) -> Iterator[Any]:
    for path, data in files:
        yield called_here(path, names), data


_FOLLOWING = (
    *("_directory_to_list", "chmod", "export_as_bytesio", "get_size", "lock", "read_bytes"),
    *("read_text", "set_quota", "statvfs", "to_tree", "tree", "truncate", "usage", "write_bytes"),
    "write_text",
)
_OF_ENTRIES = ("attach", "detach", "makedirs", "mkdir", "remove", "rmdir", "rmtree", "unlink")
_OF_AN_ENTRY: dict[str, Any] = {"follow": False, "stays": True}
_METHODS_OF_ONE_PATH: dict[str, dict[str, Any]] = {
    **{name: {} for name in _FOLLOWING},
    **dict.fromkeys(_OF_ENTRIES, _OF_AN_ENTRY),
    **{name: {"is_question": True} for name in ("access", "exists", "is_dir", "is_file")},
    "is_symlink": {"follow": False, "is_question": True},
    "lstat": {"follow": False},
    "readlink": {"follow": False},
    **{name: {"follow": _follow_symlinks} for name in ("chown", "stat", "utime")},
    "export_archive": {"position": 1},
    "export_tree": {"key": "prefix", "convert": _with_paths},
    "import_archive": {"position": 1},
    "iter_export_tree": {"key": "prefix", "convert": _with_paths},
    "open": {"follow": _unless_exclusive, "convert": _with_name},
    "quota": {"convert": _with_path},
    "symlink": {"key": "dst", "position": 1, **_OF_AN_ENTRY},
    # What another file system has copied into this one, see `dmemfs._tree.copying`.
    "_plant": {"convert": called_here, **_OF_AN_ENTRY},
    "_put_copy": {"position": 2, "convert": called_here},
    "_require_room_for_file": {"position": 2},
    "_require_room_for_tree": _OF_AN_ENTRY,
}


# Methods of two paths


def _of_one_device(name: str, method: _Method) -> _Method:
    def going_on(self: Tree, src: StrPath, dst: StrPath) -> None:
        fs, old = place_of(self, src, **_OF_AN_ENTRY)
        other, new = place_of(self, dst, **_OF_AN_ENTRY)
        names = ((src, old), (dst, new))
        if fs is other:
            _call(names, method if fs is self else getattr(type(fs), name), fs, old, new)
            return
        try:
            fs._place(old)
            other._place(new)
            if name == "link":
                fs._find(old, follow=False)
        except OSError as error:
            raise os_error(errno_of(error), src, dst) from None
        raise os_error(errno.EXDEV, src, dst)

    return going_on


def _copying(name: str, method: _Method) -> _Method:
    def going_on(self: Tree, src: StrPath, dst: StrPath, *, to: Any = None) -> Any:
        fs, old = place_of(self, src)
        other, new = to, dst
        if to is None or to is self:
            other, new = place_of(self, dst, **({} if name == "copy" else _OF_AN_ENTRY))
        names = ((src, old), (dst, new))
        copy = method if fs is self else getattr(type(fs), name)
        return called_here(_call(names, copy, fs, old, new, to=other), names[1:])

    return going_on


# Methods of something real


def _importing(_name: str, method: _Method) -> _Method:
    def going_on(self: Tree, tree: Any, path: StrPath = "/", **named: Any) -> None:
        if isinstance(tree, Mapping):
            for each in tree:
                fs, _ = place_of(self, each)
                if fs is not self:
                    raise os_error(errno.EXDEV, each)
            method(self, tree, path, **named)
            return
        fs, there = place_of(self, path)
        importing = method if fs is self else type(fs).import_tree  # type: ignore[attr-defined]
        _call(((path, there),), importing, fs, tree, there, **named)

    return going_on


def _adding_real(_name: str, method: _Method) -> _Method:
    def going_on(self: Tree, path: StrPath, target: Any = None, **named: Any) -> None:
        shown = os.path.abspath(os.fsdecode(path)) if target is None else target
        fs, there = place_of(self, shown, **_OF_AN_ENTRY)
        if there is shown:
            method(self, path, target, **named)
        else:
            adding = method if fs is self else type(fs).add_real  # type: ignore[attr-defined]
            _call(((shown, there),), adding, fs, path, there, **named)

    return going_on


_OTHER_METHODS: dict[str, Callable[[str, _Method], _Method]] = {
    "add_real": _adding_real,
    "copy": _copying,
    "copy_tree": _copying,
    "import_tree": _importing,
    "link": _of_one_device,
    "move": _of_one_device,
    "rename": _of_one_device,
    "replace": _of_one_device,
}


@lru_cache(maxsize=64)
def crossing_class(plain: Any) -> Any:
    """Return a class derived from `plain` whose methods go on in what is attached.

    They call the methods of `plain` by its name, as those do that ask.
    """
    members: dict[str, Any] = {
        "__doc__": plain.__doc__,
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__slots__": (),
        "_plain_class": plain._plain_class or plain,
        "_where": place_of,
    }
    for name, options in _METHODS_OF_ONE_PATH.items():
        method = getattr(plain, name)
        members[name] = wraps(method)(_goes_on(name, method, **options))
    for name, derive in _OTHER_METHODS.items():
        method = getattr(plain, name)
        members[name] = wraps(method)(derive(name, method))
    return type(plain.__name__, (plain,), members)
