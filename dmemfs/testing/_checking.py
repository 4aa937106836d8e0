"""How a file system is checked: what a check is, what it is given, and how it is run."""

from __future__ import annotations

import difflib
import io
import os
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ._report import Misbehaviour, shown, shown_call, shown_error

READING_METHODS = (
    *("open", "read_bytes", "read_text", "stat", "lstat", "exists", "is_file", "is_dir"),
    *("is_symlink", "access", "statvfs", "listdir", "scandir", "walk", "glob", "readlink"),
)
"""What a file system has that shows files."""

CHANGING_METHODS = (
    *("write_bytes", "write_text", "truncate", "mkdir", "makedirs", "rmdir", "rmtree", "remove"),
    *("unlink", "rename", "replace", "move", "copy", "copy_tree", "link", "symlink", "chmod"),
    *("chown", "utime"),
)
"""What a file system has besides, unless it is read-only."""

TWO_PATHS = frozenset(("rename", "replace", "move", "link", "symlink"))
"""Methods whose errors name both of their paths."""


class MissingMethodError(Exception):
    """End a check that needs a method which is not there, or is left out."""


class Method:
    """A method of the file system that is checked; lets the latter remember how it was called."""

    def __init__(self, subject: Subject, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self._subject = subject
        self._function = function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self._subject.remember_call(self.name, arguments, keywords)
        result = self._function(*arguments, **keywords)
        if self.name == "open":
            self._subject.remember_to_close(result)
        return result


class Subject:
    """The file system that is checked, as checks see it: the methods of the interface, no more.

    Args:
        fs: the file system.
        without: names of methods to treat as if they were not there.
    """

    def __init__(self, fs: object, without: Collection[str]) -> None:
        self._fs = fs
        self._without = without
        self._opened: list[Callable[[], Any]] = []
        self._last_call: tuple[Any, ...] | None = None
        self._last_change: tuple[Any, ...] | None = None

    def __getattr__(self, name: str) -> Method:
        if name not in READING_METHODS and name not in CHANGING_METHODS:
            raise AttributeError(f"{name} is no method that is checked")
        function = None if name in self._without else getattr(self._fs, name, None)
        if not callable(function):
            raise MissingMethodError(name)
        return Method(self, name, function)

    def remember_call(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        """Remember a call of a method, to say after which one something was found."""
        self._last_call = (name, arguments, keywords)
        opens_for_writing = name == "open" and set(str(arguments[1:2])) & set("wax+")
        if name in CHANGING_METHODS or opens_for_writing:
            self._last_change = self._last_call

    def after_last_call(self) -> str:
        """Return " after " and the last call of a method, if there was one."""
        return f" after {shown_call(*self._last_call)}" if self._last_call else ""

    def after_last_change(self) -> str:
        """Return " after " and the last call of a method that changes something, if any."""
        return f" after {shown_call(*self._last_change)}" if self._last_change else ""

    def remember_to_close(self, file: Any) -> None:
        """Remember an open file, without keeping it from being finalised."""
        with suppress(TypeError):  # no weak reference to it
            self._opened.append(weakref.ref(file))

    def close_files(self) -> None:
        """Close what a check has left open, most of all one that was ended by an error."""
        for opened in self._opened:
            with suppress(Exception):
                opened().close()
        self._opened.clear()


class Expectations:
    """Compares what a file system does with what it should do, and notes each difference.

    A difference does not end the check, so that one check may find several.
    """

    def __init__(self, check: str, make: Callable[[], Any]) -> None:
        self.misbehaviours: list[Misbehaviour] = []
        self.another_filesystem = make
        self._check = check

    def note(self, call: str, expected: str, got: str) -> None:
        """Note a misbehaviour."""
        self.misbehaviours.append(Misbehaviour(self._check, call, expected, got))

    def equal(self, what: str, got: Any, expected: Any) -> None:
        """Expect that `what`, which is `got`, equals `expected` and has its type."""
        if got != expected or type(got) is not type(expected):
            self.note(what, shown(expected), shown(got))

    def true(self, what: str, condition: object, *, got: object = None) -> None:
        """Expect that `what` holds; `got` says what is there instead."""
        if not condition:
            self.note(what, "True", "False" if got is None else shown(got))

    def result(
        self, expected: Any, call: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> None:
        """Expect that a call returns something that equals `expected` and has its type."""
        what = shown_call(call, arguments, keywords)
        self._compare(what, expected, lambda: call(*arguments, **keywords))

    def content(self, fs: Any, path: Any, expected: bytes) -> None:
        """Expect that a file has this content."""
        what = f"content of {shown(path)}{fs.after_last_change()}"
        self._compare(what, expected, lambda: content(fs, path))

    def names(self, fs: Any, path: Any, expected: Iterable[Any]) -> None:
        """Expect that a directory has entries of these names, in whatever order."""
        what = f"names in {shown(path)}{fs.after_last_change()}"
        self._compare(what, sorted(expected), lambda: names(fs, path))

    def _compare(self, what: str, expected: Any, call: Callable[[], Any]) -> None:
        try:
            got = call()
        except MissingMethodError:
            raise
        except Exception as error:
            self.note(what, shown(expected), shown_error(error))
        else:
            self.equal(what, got, expected)

    def raises(
        self,
        kinds: type[BaseException] | tuple[type[BaseException], ...],
        call: Callable[..., Any],
        *arguments: Any,
        **keywords: Any,
    ) -> None:
        """Expect that a call raises an exception of one of these kinds."""
        expected = " or ".join(
            kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))
        )
        what = shown_call(call, arguments, keywords)
        error = self._error_of(what, expected, call, arguments, keywords)
        if error is not None and not isinstance(error, kinds):
            self.note(what, expected, shown_error(error))

    def refused(
        self,
        code: int,
        call: Callable[..., Any],
        *arguments: Any,
        naming: tuple[Any, ...] | None = None,
        **keywords: Any,
    ) -> None:
        """Expect an OSError of the class that belongs to `code`, naming the paths of the call.

        Args:
            code: the errno.
            call: what is called with the other arguments.
            naming: the paths that the error has to name; by default the first argument, or the
                first two where `call` is a method for two paths.
        """
        if naming is None:
            naming = arguments[:2] if getattr(call, "name", None) in TWO_PATHS else arguments[:1]
        wanted = [os.fspath(path) for path in naming]
        model = OSError(code, os.strerror(code), *wanted[:1], *[None for _ in wanted[1:]])
        if len(wanted) > 1:
            model = OSError(code, os.strerror(code), wanted[0], None, wanted[1])
        expected = shown_error(model)
        what = shown_call(call, arguments, keywords)
        error = self._error_of(what, expected, call, arguments, keywords)
        if error is None:
            return
        found = [
            os.fspath(name) if isinstance(name, os.PathLike) else name
            for name in (getattr(error, "filename", None), getattr(error, "filename2", None))
            if name is not None
        ]
        if (
            not isinstance(error, type(model))
            or getattr(error, "errno", None) != code
            or found != wanted
        ):
            self.note(what, expected, shown_error(error))

    def _error_of(
        self,
        what: str,
        expected: str,
        call: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
    ) -> Exception | None:
        """Return what a call raises; if it does not, note so and return None."""
        try:
            result = call(*arguments, **keywords)
        except MissingMethodError:
            raise
        except Exception as error:
            return error
        self.note(what, expected, shown(result))
        if isinstance(result, io.IOBase):
            result.close()
        return None


# Checks


@dataclass(frozen=True)
class Check:
    """One named check.

    Attributes:
        name: how it is called in reports and in `exclude`.
        summary: what it expects, in one sentence.
        run: the check itself, of a file system and what to report to.
        tree: what has to be in the file system, which the check does not change; None for an
            empty file system, which it may change.
    """

    name: str
    summary: str
    run: Callable[[Any, Expectations], None]
    tree: Mapping[str, Any] | None = None


def check(run: Callable[[Any, Expectations], None]) -> Check:
    """Make a function a check, named as the function, that begins with an empty file system."""
    return Check(run.__name__, _first_line(run), run)


def check_of(tree: Mapping[str, Any]) -> Callable[[Callable[[Any, Expectations], None]], Check]:
    """Make a function a check that reads a file system in which there is `tree`."""

    def decorate(run: Callable[[Any, Expectations], None]) -> Check:
        return Check(run.__name__, _first_line(run), run, tree)

    return decorate


def checks_in(namespace: Mapping[str, object]) -> list[Check]:
    """Return the checks of a module, in their order: those by themselves and those in lists."""
    found: list[Check] = []
    for value in namespace.values():
        candidates = value if isinstance(value, list) else [value]
        found += [candidate for candidate in candidates if isinstance(candidate, Check)]
    return found


def _first_line(run: Callable[..., object]) -> str:
    return (run.__doc__ or "").partition("\n")[0]


def run_checks(
    checks: Iterable[Check],
    make: Callable[[Check], object],
    *,
    fills: bool,
    without: Collection[str] = (),
) -> tuple[list[Misbehaviour], list[str]]:
    """Run each check on a file system of its own.

    Args:
        checks: the checks.
        make: returns the file system for a check.
        fills: whether what `make` returns is empty, and the tree of a check has to be put into it.
        without: names of methods to treat as if they were not there.

    Returns:
        All misbehaviours, and the names of the methods for whose lack a check has ended early.
    """
    misbehaviours: list[Misbehaviour] = []
    missing: list[str] = []
    former: object = None
    for one in checks:
        fs = make(one)
        if fs is former:
            raise ValueError("make_fs returned one object twice: let it make a new one each time")
        former = fs
        subjects = [Subject(fs, without)]

        def another(check: Check = one, subjects: list[Subject] = subjects) -> Subject:
            subjects.append(Subject(make(check), without))
            return subjects[-1]

        expect = Expectations(one.name, another)
        try:
            if fills and one.tree is not None:
                fill(subjects[0], one.tree)
            one.run(subjects[0], expect)
        except MissingMethodError as error:
            missing.append(str(error))
        except Exception as error:
            where = f"the check{subjects[0].after_last_call()}"
            expect.note(where, "no exception", shown_error(error))
        finally:
            for subject in subjects:
                subject.close_files()
        misbehaviours += expect.misbehaviours
    return misbehaviours, missing


def require_known(exclude: Mapping[str, str], known: Collection[str]) -> None:
    """Raise ValueError unless all that is excluded is a check, and has a reason."""
    for name, reason in exclude.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "; CHECKS has their names"
            raise ValueError(f"exclude: there is no check {name!r}{hint}")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"exclude: say why {name!r} is left out, {{{name!r}: 'because ...'}}")


# What checks are made of


def put(fs: Any, path: Any, data: bytes = b"") -> None:
    """Make or replace a file by means of `open` alone."""
    with fs.open(path, "wb") as file:
        file.write(data)


def content(fs: Any, path: Any) -> bytes:
    """Return the content of a file by means of `open` alone."""
    with fs.open(path, "rb") as file:
        return bytes(file.read())


def names(fs: Any, path: Any) -> list[Any]:
    """Return the sorted names in a directory."""
    return sorted(fs.listdir(path))


def fill(fs: Any, tree: Mapping[str, Any], directory: str = "") -> None:
    """Put a tree, in the form of `MemoryFileSystem.from_tree`, into a file system."""
    for name, value in tree.items():
        path = f"{directory}/{name}"
        if isinstance(value, bytes):
            put(fs, path, value)
        elif isinstance(value, Mapping):
            fs.mkdir(path)
            fill(fs, value, path)
        else:
            fs.symlink(value.target, path)
