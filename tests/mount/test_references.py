"""Functions that programs keep: where they are found, and what of others is left alone."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import inspect
import io
import logging
import os
import pickle
import subprocess
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest

from dmemfs import MemoryFileSystem, mount


class WithSlots:
    __slots__ = ("stat",)


class Instance:
    pass


class Static:
    stat = staticmethod(os.stat)
    plain = os.stat


def make_instance(value: Any) -> Any:
    instance = Instance()
    instance.stat = value  # type: ignore[attr-defined]
    return instance


def make_slots(value: Any) -> Any:
    instance: Any = WithSlots()
    instance.stat = value
    return instance


def with_default(value: Any) -> Any:
    def function(path: Any, stat: Any = value) -> Any:
        return stat(path)

    return function


def with_keyword_default(value: Any) -> Any:
    def function(path: Any, *, stat: Any = value) -> Any:
        return stat(path)

    return function


def with_closure(value: Any) -> Any:
    return lambda path: value(path)


# What makes a place of a function, and what takes the function out of it.
PLACES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "dictionary": (lambda it: {None: it}, lambda place: place[None]),
    "ordered dictionary": (lambda it: OrderedDict(a=it), lambda place: place["a"]),
    "list": (lambda it: [1, it], lambda place: place[1]),
    "deque": (lambda it: deque([1, it]), lambda place: place[1]),
    "tuple in a dictionary": (lambda it: {"a": (1, it)}, lambda place: place["a"][1]),
    "tuple in a list": (lambda it: [(1, it)], lambda place: place[0][1]),
    "tuple in a tuple in a list": (lambda it: [((it,),)], lambda place: place[0][0][0]),
    "dictionary in a dictionary": (lambda it: {"a": {"b": it}}, lambda place: place["a"]["b"]),
    "instance": (make_instance, lambda place: place.stat),
    "slots": (make_slots, lambda place: place.stat),
    "namespace": (lambda it: types.SimpleNamespace(stat=it), lambda place: place.stat),
    "partial": (lambda it: functools.partial(it, follow_symlinks=False), lambda place: place),
    "argument of a partial": (
        lambda it: functools.partial(lambda function, path: function(path), it),
        lambda place: place,
    ),
    "keyword of a partial": (
        lambda it: functools.partial(lambda path, function: function(path), function=it),
        lambda place: place,
    ),
    "default": (with_default, lambda place: place),
    "default of a keyword": (with_keyword_default, lambda place: place),
    "closure": (with_closure, lambda place: place),
    "stack of exits": (
        lambda it: [contextlib.ExitStack(), it],
        lambda place: place[1],
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_kept_is_found_wherever(name: str) -> None:
    make, take = PLACES[name]
    kept = make(os.stat)
    for _ in range(2):
        fs = MemoryFileSystem()
        fs.write_bytes("/file", bytes(7))
        with fs.mount("/mem"):
            assert take(kept)("/mem/file").st_size == 7
        with pytest.raises(FileNotFoundError):
            take(kept)("/mem/file")
    assert "built-in" in repr(os.stat)


@pytest.mark.parametrize("name", PLACES)
def test_what_is_kept_of_a_mount_is_no_stand_in_afterwards(name: str) -> None:
    make, take = PLACES[name]
    with mount(MemoryFileSystem(), "/mem"):
        stand_in = weakref.ref(os.stat.__self__)  # type: ignore[attr-defined]
        kept = make(os.stat)
        del stand_in
    taken = take(kept)
    assert taken is os.stat or not isinstance(taken, types.MethodType)
    fs = MemoryFileSystem()
    fs.write_bytes("/file", bytes(7))
    with fs.mount("/mem"):
        assert take(kept)("/mem/file").st_size == 7


def test_attributes_of_classes() -> None:
    before = dict(vars(Static))
    fs = MemoryFileSystem()
    fs.write_bytes("/file", bytes(7))
    with fs.mount("/mem"):
        kinds: tuple[Any, ...] = (Static, Static())
        for kind in kinds:
            assert kind.stat("/mem/file").st_size == 7
            assert kind.plain("/mem/file").st_size == 7
    assert dict(vars(Static)) == before
    assert Static.stat is Static.plain is os.stat


def test_a_log_file_that_is_opened_late_and_numpy(tmp_path: Path) -> None:
    numpy: Any = pytest.importorskip("numpy.lib._datasource")
    handler = logging.FileHandler("/mem/app.log", delay=True, encoding="utf-8")
    fs = MemoryFileSystem()
    with fs.mount("/mem"):
        handler.emit(logging.LogRecord("app", logging.INFO, "", 1, "text", (), None))
        handler.close()
        fs.write_text("/data", "1 2")
        with numpy.open("/mem/data") as file:
            assert file.read() == "1 2"
    assert fs.read_text("/app.log") == "text\n"
    assert "method" not in repr(handler._builtin_open)  # type: ignore[attr-defined]


def test_what_is_dropped_is_not_kept_alive() -> None:
    instance = make_instance(os.stat)
    instance.itself = instance
    vars(instance)
    with mount(MemoryFileSystem(), "/mem"):
        pass
    gone = weakref.ref(instance)
    del instance
    gc.collect()
    assert gone() is None


def test_a_module_that_comes_later_with_nothing_but_a_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mount(MemoryFileSystem(), "/mem"):
        pass
    module: Any = types.ModuleType("module_with_a_class")
    exec("from io import FileIO", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with mount(MemoryFileSystem(), "/mem"), module.FileIO("/mem/file", "w") as file:
        file.write(b"x")
    assert module.FileIO is io.FileIO


# What belongs to others


class Trap:
    """Raises whatever it is asked."""

    asked: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        Trap.asked.append(name)
        raise RuntimeError(f"not yet: {name}")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __hash__(self) -> int:
        raise RuntimeError("not hashable")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__dict__", "__mro__", "__class__", "__name__"):
            raise RuntimeError(f"not yet: {name}")
        return super().__getattribute__(name)

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("not an instance of anything")

    def __setattr__(cls, name: str, value: Any) -> None:
        raise RuntimeError("not to be changed")


class LazyModule(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"not imported yet: {name}")


def test_nothing_of_others_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("module_with_traps")
    trap = Trap()
    object.__setattr__(trap, "stat", os.stat)
    kind = Meta("Kind", (), {"stat": os.stat})
    vars(module).update(
        trap=trap, kind=kind, instance=kind(), stat=os.stat, traps=[trap, os.stat], key={1: trap}
    )
    lazy = LazyModule("lazy_module")
    vars(types.ModuleType)["__dict__"].__get__(lazy)["stat"] = os.stat
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "lazy_module", lazy)
    monkeypatch.setitem(sys.modules, "trap_module", trap)
    Trap.asked.clear()
    for _ in range(2):
        with mount(MemoryFileSystem(), "/mem"):
            assert type.__dict__["__dict__"].__get__(kind)["stat"] is os.stat
            assert object.__getattribute__(trap, "__dict__")["stat"] is os.stat
            assert vars(types.ModuleType)["__dict__"].__get__(lazy)["stat"] is os.stat
    assert Trap.asked == []
    assert type.__dict__["__dict__"].__get__(kind)["stat"] is os.stat


# Patches of others


def test_a_mock_that_is_there_before_stays_in_force(tmp_path: Path) -> None:
    real = tmp_path / "file"
    real.touch()
    with mock.patch("os.remove") as remove:
        with mount(MemoryFileSystem(), "/mem"):
            os.remove(real)
            os.remove("/mem/file")
        assert os.remove is remove
    assert [call.args for call in remove.call_args_list] == [(real,), ("/mem/file",)]
    assert real.exists()
    assert isinstance(os.remove, types.BuiltinFunctionType)


def test_a_mock_that_wraps_the_original_reaches_the_mount() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"x")
    with mock.patch("os.stat", wraps=os.stat) as stat, fs.mount("/mem"):
        assert os.stat("/mem/file").st_size == 1
        assert stat.call_count == 1


def test_a_patch_made_inside_and_undone_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = [mock.patch("os.remove"), mock.patch("builtins.open"), mock.patch.object(os, "stat")]
    with mount(MemoryFileSystem(), "/mem"):
        for patch in patches:
            patch.start()
        monkeypatch.setattr(os, "rename", print)
    assert isinstance(os.remove, mock.MagicMock)
    assert os.rename is print
    for patch in patches:
        patch.stop()
    monkeypatch.undo()
    for function in (os.remove, open, os.stat, os.rename):
        assert isinstance(function, types.BuiltinFunctionType)


def test_what_cannot_be_found_is_healed_by_the_next_mount() -> None:
    @contextlib.contextmanager
    def patched() -> Iterator[None]:
        former = os.remove  # a variable of a generator that waits
        os.remove = print  # type: ignore[assignment]
        yield
        os.remove = former

    manager = patched()
    with mount(MemoryFileSystem(), "/mem"):
        manager.__enter__()
    assert os.remove is print
    manager.__exit__(None, None, None)
    with mount(MemoryFileSystem(), "/mem"):
        pass
    assert isinstance(os.remove, types.BuiltinFunctionType)


# What stand-ins say of themselves


@pytest.mark.parametrize(
    "name", ["open", "os.stat", "os.open", "os.close", "os.fstat", "io.open_code"]
)
def test_stand_ins_can_be_copied_and_pickled(name: str) -> None:
    home, _, attribute = name.rpartition(".")
    module: Any = sys.modules[home or "builtins"]
    with mount(MemoryFileSystem(), "/mem"):
        function = getattr(module, attribute)
        assert copy.deepcopy({"a": function})["a"] == function
        assert copy.copy(function) == function
        pickled = pickle.dumps(function)
        assert pickle.loads(pickled) is function
        del function
    assert pickle.loads(pickled) is getattr(module, attribute)
    assert b"dmemfs" not in pickled


def signature_of(function: Any) -> inspect.Signature | None:
    """Return it, or None for one that cannot be read: that of os.chmod, from Python 3.14 on."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def test_signatures_are_those_of_the_builtins() -> None:
    names = ["stat", "open", "mkdir", "fstat", "listdir", "chmod", "rename", "read", "system"]
    expected = [signature_of(getattr(os, name)) for name in names]
    unreadable = {name for name, each in zip(names, expected, strict=True) if each is None}
    assert unreadable <= {"chmod"}  # whose default is an expression from Python 3.13 on
    of_open = inspect.signature(open)
    with mount(MemoryFileSystem(), "/mem"):
        assert [signature_of(getattr(os, name)) for name in names] == expected
        assert inspect.signature(open) == of_open


def test_what_a_decorated_method_wraps_is_found_without_asking_it() -> None:
    class Asked(staticmethod):  # type: ignore[type-arg]
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    gc.collect()
    with mount(MemoryFileSystem(), "/mem"):
        pass  # what other tests have dropped is noticed here
    method = Asked(os.stat)
    wrapped: Any = vars(staticmethod)["__func__"]
    with mount(MemoryFileSystem(), "/mem"):
        assert wrapped.__get__(method) is os.stat
    assert wrapped.__get__(method) is os.stat


def test_a_dictionary_of_a_derived_class_is_not_asked() -> None:
    class Asked(dict):  # type: ignore[type-arg]
        def __contains__(self, key: object) -> bool:
            raise AssertionError(key)

        def __getitem__(self, key: object) -> Any:
            raise AssertionError(key)

    gc.collect()
    with mount(MemoryFileSystem(), "/mem"):
        pass  # what other tests have dropped is noticed here
    kept = Asked(stat=os.stat)
    with mount(MemoryFileSystem(), "/mem"):
        assert dict.get(kept, "stat") is os.stat
    assert dict.get(kept, "stat") is os.stat


def test_functions_that_are_chosen_by_the_class_know_unbuffered_files() -> None:
    def chosen_by(cls: type) -> Callable[[object], str]:
        @functools.singledispatch
        def choose(_file: object) -> str:
            return "something else"

        choose.register(cls, lambda _file: cls.__name__)
        return choose

    before = chosen_by(io.FileIO)
    with mount(MemoryFileSystem(), "/mem"):
        inside = chosen_by(io.FileIO)
        with open("/mem/file", "wb", buffering=0) as file:
            assert isinstance(file, io.FileIO)
            assert (before(file), inside(file)) == ("FileIO", "FileIO")
        with os.fdopen(os.open("/mem/file", os.O_RDONLY), "rb", buffering=0) as file:
            assert (before(file), inside(file)) == ("FileIO", "FileIO")
    with mount(MemoryFileSystem(), "/mem"), open("/mem/file", "wb", buffering=0) as file:
        assert (before(file), inside(file)) == ("FileIO", "FileIO")


WITH_FROZEN_OBJECTS = """
import asyncio, gc, os, types
from dmemfs._mount.references import find_places

get_referents = gc.get_referents
made = []


def always_more(*objects):
    # In CPython 3.12 it is not safe to ask for what _asyncio as a whole refers to.
    assert types.ModuleType not in map(type, objects)
    # As in a process whose other threads make objects as quickly as these are looked at.
    made.append([])
    return [*get_referents(*objects), made[-1]]


kept = types.SimpleNamespace(stat=os.stat)
gc.freeze()
gc.get_referents = always_more
for place in find_places([os.stat], {id(os.stat): (os.stat, os.lstat)}, set(), anew=True):
    place.exchange(forth=True)
print(kept.stat is os.lstat)
"""


def test_objects_that_come_into_being_do_not_keep_the_search_busy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_FROZEN_OBJECTS], capture_output=True, text=True, timeout=50
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
