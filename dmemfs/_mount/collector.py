"""What refers to an object and what can be reached from one, as the garbage collector knows it."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

module_namespace: Callable[[Any], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__

_AT_ONCE = 256


def referrers(wanted: tuple[Any, ...], depth: int | None) -> list[Any]:
    """Return the objects that refer to one of those wanted, each once.

    Args:
        depth: how far from `sys.modules` to look at what the garbage collector leaves alone.
    """
    found = gc.get_referrers(*wanted)
    if gc.get_freeze_count():  # the collector no longer looks at what `gc.freeze` was told of
        known = set(map(id, found))
        found += [each for each in _reachable_referrers(wanted, depth) if id(each) not in known]
    return found


def _reachable_referrers(wanted: tuple[Any, ...], depth: int | None) -> Iterator[Any]:
    """Yield those of them that can be reached from a module, which takes ten times as long.

    Objects that come into being meanwhile, such as those of the search itself, do not keep it busy:
    it ends when it has looked at twice as many as there were.
    """
    ids = set(map(id, wanted))
    seen = {*ids, id(sys.modules)}
    left = 2 * (gc.get_freeze_count() + len(gc.get_objects()))
    level: list[Any] = [sys.modules]
    while level and depth != 0 and left > 0:
        left -= len(level)
        depth = None if depth is None else depth - 1
        deeper: list[Any] = []
        for start in range(0, len(level), _AT_ONCE):
            some = level[start : start + _AT_ONCE]
            referents = _referents(some)
            if not ids.isdisjoint(map(id, referents)):
                for each in some:
                    if not ids.isdisjoint(map(id, _referents([each]))):
                        yield each
            reached = {id(each): each for each in filter(gc.is_tracked, referents)}
            new = reached.keys() - seen
            seen |= new
            deeper += map(reached.__getitem__, new)
        level = deeper


def _referents(things: list[Any]) -> list[Any]:
    """Return what they refer to, of modules only what has a name there.

    In CPython 3.12 the module `_asyncio` refers to iterators that are freed already, and who asks
    the collector for these has them freed once more: asyncio then goes round in circles.
    """
    modules = [each for each in things if issubclass(type(each), ModuleType)]
    others = [each for each in things if not issubclass(type(each), ModuleType)]
    return gc.get_referents(*others) + [module_namespace(each) for each in modules]


def objects_of(roots: Iterable[Any], borders: Iterable[Any]) -> list[Any]:
    """Return all that belongs to stand-ins: what they reach without leaving the package.

    Args:
        roots: the stand-ins.
        borders: what belongs to others, or to no search.
    """
    seen = set(map(id, borders))
    found: list[Any] = []
    level = list(roots)
    while level:
        found += level
        seen.update(map(id, level))
        reached = {id(each): each for each in gc.get_referents(*level)}
        level = [each for number, each in reached.items() if number not in seen and _belongs(each)]
    return found


def _belongs(thing: Any) -> bool:
    kind = type(thing)
    if issubclass(kind, (type, ModuleType, CodeType, BuiltinFunctionType, weakref.ref)):
        return False
    if kind is dict and "__builtins__" in thing:
        return False
    return gc.is_tracked(thing)
