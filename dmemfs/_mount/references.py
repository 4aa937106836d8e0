"""Where a function is kept besides its module: what `from os import stat` has copied, and its like.

The garbage collector knows which objects refer to a function; each kind of them has its own way to
be given another one. Only types and raw slots are looked at: nothing that belongs to others is
evaluated, neither `__class__` nor `__eq__` nor `__getattr__`, which may do whatever they like.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any

from .collector import module_namespace, referrers

PACKAGE = __name__.partition(".")[0]

Pair = tuple[Any, Any]
"""A function, and what stands in for it. Either may be found, and is exchanged for the other."""

_ABSENT = object()
_raw_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_raw_namespace: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_raw_flags: Callable[[type], int] = type.__dict__["__flags__"].__get__
_IS_MADE_AT_RUN_TIME = 1 << 9
_MOST_LEVELS = 3
_LEVELS_TO_NAMESPACES = 3  # `sys.modules`, a module, its namespace
_FIELDS_OF_PARTIAL = ("func", "args")


class Place:
    """A place where one of a pair is kept.

    Attributes:
        key: tells it from other places.
        pair: what is there, one or the other.
    """

    __slots__ = ("_owner", "key", "pair")

    def __init__(self, owner: Any, name: Any, pair: Pair) -> None:
        self.key = (id(owner), name)
        self.pair = pair
        try:
            self._owner: Callable[[], Any] = weakref.ref(owner)
        except TypeError:
            self._owner = _Strong(owner)

    def exchange(self, *, forth: bool) -> None:
        """Put the stand-in there (`forth`) or the original, if the other one is there."""
        owner = self._owner()
        if owner is None:
            return
        wanted, expected = self.pair[forth], self.pair[not forth]
        # A place that takes nothing (a class written in C, a key that cannot be hashed) stays.
        try:
            if self._get(owner) is expected:
                self._put(owner, wanted)
        except Exception:
            return

    @property
    def is_gone(self) -> bool:
        """Whether nobody but this place refers to the owner any more."""
        if type(self._owner) is _Strong:
            return sys.getrefcount(self._owner.owner) <= 2
        return self._owner() is None

    @property
    def held(self) -> Any:
        """The owner, if this place keeps it alive; None if not."""
        return self._owner.owner if type(self._owner) is _Strong else None

    def _get(self, owner: Any) -> Any:
        raise NotImplementedError

    def _put(self, owner: Any, value: Any) -> None:
        raise NotImplementedError


class _Strong:
    """Gives an owner that cannot be referred to weakly."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __call__(self) -> Any:
        return self.owner


class _InDictionary(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return dict.get(owner, self.key[1], _ABSENT)

    def _put(self, owner: Any, value: Any) -> None:
        dict.__setitem__(owner, self.key[1], value)


class _InModule(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return module_namespace(owner).get(self.key[1], _ABSENT)

    def _put(self, owner: Any, value: Any) -> None:
        module_namespace(owner)[self.key[1]] = value


class _InClass(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return _raw_namespace(owner).get(self.key[1], _ABSENT)

    def _put(self, owner: Any, value: Any) -> None:
        type.__setattr__(owner, self.key[1], value)


class _InInstance(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return _raw_dictionary(owner).get(self.key[1], _ABSENT)

    def _put(self, owner: Any, value: Any) -> None:
        _raw_dictionary(owner)[self.key[1]] = value


class _InSlot(Place):
    """The name is the descriptor of the slot."""

    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return self.key[1].__get__(owner)

    def _put(self, owner: Any, value: Any) -> None:
        self.key[1].__set__(owner, value)


class _InList(Place):
    """The name is the position: that of before, or wherever it is now."""

    __slots__ = ()

    def exchange(self, *, forth: bool) -> None:
        owner = self._owner()
        if owner is None:
            return
        wanted, expected = self.pair[forth], self.pair[not forth]
        kind = deque if issubclass(type(owner), deque) else list
        for number in range(kind.__len__(owner)):
            with suppress(IndexError):
                if kind.__getitem__(owner, number) is expected:
                    kind.__setitem__(owner, number, wanted)


class _InCell(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return owner.cell_contents

    def _put(self, owner: Any, value: Any) -> None:
        owner.cell_contents = value


class _InDefaults(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return owner.__defaults__

    def _put(self, owner: Any, value: Any) -> None:
        owner.__defaults__ = value


class _InKeywordDefaults(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return (owner.__kwdefaults__ or {}).get(self.key[1], _ABSENT)

    def _put(self, owner: Any, value: Any) -> None:
        owner.__kwdefaults__[self.key[1]] = value


class _InMethod(Place):
    """What a staticmethod or a classmethod wraps."""

    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return _wrapped_by(owner)

    def _put(self, owner: Any, value: Any) -> None:
        kind = staticmethod if issubclass(type(owner), staticmethod) else classmethod
        kind.__init__(owner, value)


class _InPartial(Place):
    __slots__ = ()

    def _get(self, owner: Any) -> Any:
        return _of_partial(owner)[_FIELDS_OF_PARTIAL.index(self.key[1])]

    def _put(self, owner: Any, value: Any) -> None:
        state = list(_of_partial(owner))
        state[_FIELDS_OF_PARTIAL.index(self.key[1])] = value
        functools.partial.__setstate__(owner, tuple(state))  # type: ignore[attr-defined]


def _wrapped_by(method: Any) -> Any:
    kind = staticmethod if issubclass(type(method), staticmethod) else classmethod
    return vars(kind)["__func__"].__get__(method)


def _of_partial(partial: Any) -> tuple[Any, ...]:
    state: tuple[Any, ...] = functools.partial.__reduce__(partial)[2]  # type: ignore[assignment]
    return state


def find_places(
    wanted: Iterable[Any],
    pair_of: Mapping[int, Pair],
    own: set[int],
    *,
    anew: bool,
    levels: int = _MOST_LEVELS,
) -> list[Place]:
    """Return where something is kept.

    Args:
        wanted: what to look for.
        pair_of: by its id, the pair of which it is one.
        own: ids of objects that are to keep what they have.
        anew: whether nobody has looked before.
        levels: in how many tuples within each other.

    Complexity: O(objects in the process), some 100 ns for each.
    """
    own = {*own, id(wanted), id(pair_of), *map(id, pair_of.values())}
    wanted = tuple(wanted)
    places: list[Place] = []
    tuples: list[Any] = []
    for referrer in referrers(wanted, None if anew else _LEVELS_TO_NAMESPACES):
        kind = type(referrer)
        if id(referrer) in own or issubclass(kind, (Place, _Strong)):
            continue
        if kind is tuple:
            tuples.append(referrer)
        elif not issubclass(kind, (type, ModuleType, FrameType, CodeType, BuiltinFunctionType)):
            places += _places_in(referrer, kind, pair_of)
    changed: dict[int, Pair] = {}
    for each in tuples:
        pair = _exchanged(each, pair_of)
        if pair is not None and not _in_known_defaults(pair, places):
            changed[id(each)] = pair
    if changed and levels:
        found = [each for each in tuples if id(each) in changed]
        own |= {id(tuples), id(found)}
        places += find_places(found, changed, own, anew=anew, levels=levels - 1)
    return places


def held_weakly(places: list[Place]) -> list[tuple[Place, Place]]:
    """Return, with each that keeps a dictionary alive, one that does not, as far as possible.

    A dictionary may be that of an instance, or the defaults of a function.
    """
    if not places:
        return []
    held = {id(place.held): place.held for place in places}
    owners: dict[int, tuple[Any, type[Place]]] = {}
    for referrer in referrers(tuple(held.values()), 0):
        kind = type(referrer)
        if kind is FunctionType:
            if id(referrer.__kwdefaults__) in held:
                owners[id(referrer.__kwdefaults__)] = referrer, _InKeywordDefaults
        elif not issubclass(kind, (type, ModuleType)) and _raw_flags(kind) & _IS_MADE_AT_RUN_TIME:
            number = id(_raw_dictionary(referrer))
            if number in held:
                owners[number] = referrer, _InInstance
    found = []
    for place in places:
        if place.key[0] in owners:
            owner, made = owners[place.key[0]]
            found.append((place, made(owner, place.key[1], place.pair)))
    return found


def _exchanged(found: tuple[Any, ...], pair_of: Mapping[int, Pair]) -> Pair | None:
    """Return a tuple as it is to be with originals and with stand-ins.

    None for one of classes: those of which a class is derived stay what they are.
    """
    if any(id(item) in pair_of and issubclass(type(item), type) for item in found):
        return None
    before = tuple(pair_of[id(item)][0] if id(item) in pair_of else item for item in found)
    after = tuple(pair_of[id(item)][1] if id(item) in pair_of else item for item in found)
    has_originals = all(one is other for one, other in zip(before, found, strict=True))
    return (found, after) if has_originals else (before, found)


def _in_known_defaults(pair: Pair, places: list[Place]) -> bool:
    """Find a tuple where the standard library has one, which spares to look for it everywhere."""
    module = sys.modules.get("tempfile")
    if type(module) is not ModuleType:
        return False
    closer = module_namespace(module).get("_TemporaryFileCloser")
    if type(closer) is not type:
        return False
    for function in _raw_namespace(closer).values():
        if type(function) is FunctionType and any(function.__defaults__ is one for one in pair):
            places.append(_InDefaults(function, "__defaults__", pair))
            return True
    return False


def _places_in(referrer: Any, kind: type, pair_of: Mapping[int, Pair]) -> Iterator[Place]:
    """Yield the places in an object that refers to one of the pairs."""
    if issubclass(kind, dict):
        yield from _places_in_dictionary(referrer, pair_of)
    elif kind is CellType:
        pair = pair_of.get(id(referrer.cell_contents))
        if pair is not None:
            yield _InCell(referrer, "cell_contents", pair)
    elif kind is FunctionType:
        pair = pair_of.get(id(referrer.__defaults__))
        if pair is not None and not _is_of_package(referrer.__globals__):
            yield _InDefaults(referrer, "__defaults__", pair)
    elif issubclass(kind, (list, deque)):
        raw = deque if issubclass(kind, deque) else list
        for pair in {
            id(each): pair_of[id(each)] for each in raw.copy(referrer) if id(each) in pair_of
        }.values():
            yield _InList(referrer, id(pair), pair)
    elif issubclass(kind, (staticmethod, classmethod)):
        pair = pair_of.get(id(_wrapped_by(referrer)))
        if pair is not None:
            yield _InMethod(referrer, "__func__", pair)
    else:
        if issubclass(kind, functools.partial):
            for name, value in zip(_FIELDS_OF_PARTIAL, _of_partial(referrer), strict=False):
                if id(value) in pair_of:
                    yield _InPartial(referrer, name, pair_of[id(value)])
        yield from _places_in_instance(referrer, kind, pair_of)


def _places_in_dictionary(referrer: Any, pair_of: Mapping[int, Pair]) -> Iterator[Place]:
    found = [
        (key, pair_of[id(value)])
        for key, value in list(dict.items(referrer))
        if id(value) in pair_of
    ]
    if not found or _is_of_package(referrer):
        return
    owner, kind = _owner_of_namespace(referrer)
    for key, pair in found:
        yield kind(owner, key, pair)


def _is_of_package(namespace: dict[str, Any]) -> bool:
    """Tell whether a namespace is that of a module or a class of this package."""
    for key in ("__name__", "__module__"):
        name = dict.get(namespace, key)
        if type(name) is str and name.partition(".")[0] == PACKAGE:
            return key == "__module__" or "__builtins__" in namespace
    return False


def _owner_of_namespace(namespace: dict[str, Any]) -> tuple[Any, type[Place]]:
    """Return the module or class whose namespace this is, or a dictionary that is just that."""
    name = dict.get(namespace, "__name__")
    if type(name) is str:
        module = sys.modules.get(name)
        if issubclass(type(module), ModuleType) and module_namespace(module) is namespace:
            return module, _InModule
    if type(dict.get(namespace, "__module__")) is str:
        for kind in _classes_of(namespace):
            if gc.get_referents(_raw_namespace(kind))[0] is namespace:
                return kind, _InClass
    return namespace, _InDictionary


def _classes_of(namespace: dict[str, Any]) -> Iterator[type]:
    """Yield classes whose namespace this may be, the likely ones first."""
    for value in list(dict.values(namespace)):
        if type(value) in (GetSetDescriptorType, MemberDescriptorType):
            yield value.__objclass__
    module = sys.modules.get(dict.get(namespace, "__module__", ""))
    if issubclass(type(module), ModuleType):
        values = list(module_namespace(module).values())
        yield from (value for value in values if issubclass(type(value), type))
    for referrer in gc.get_referrers(namespace):
        if issubclass(type(referrer), type):
            yield referrer


def _places_in_instance(referrer: Any, kind: type, pair_of: Mapping[int, Pair]) -> Iterator[Place]:
    if not _raw_flags(kind) & _IS_MADE_AT_RUN_TIME:
        return
    for name, value in list(_raw_dictionary(referrer).items()):
        if id(value) in pair_of:
            yield _InInstance(referrer, name, pair_of[id(value)])
    for base in _raw_mro(kind):
        for descriptor in list(_raw_namespace(base).values()):
            if type(descriptor) is MemberDescriptorType:
                with suppress(AttributeError, TypeError):  # nothing is in it yet
                    value = descriptor.__get__(referrer)
                    if id(value) in pair_of:
                        yield _InSlot(referrer, descriptor, pair_of[id(value)])


def _raw_dictionary(instance: Any) -> dict[str, Any]:
    for kind in _raw_mro(type(instance)):
        descriptor = _raw_namespace(kind).get("__dict__")
        if type(descriptor) is GetSetDescriptorType:
            found = descriptor.__get__(instance)
            return found if type(found) is dict else {}
    return {}
