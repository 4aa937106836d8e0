"""Taking a tree apart as soon as nobody refers to it."""

from __future__ import annotations

import weakref

from .._history.versions import Hold, Remembering, all_versions
from .._nodes.lazy import is_uncopied, loaded_entries
from .._nodes.nodes import Directory


class Dismantling(weakref.ref[Remembering]):
    """Takes a tree apart when its last reference goes.

    Its directories refer to each other in circles, and so do its versions and accounts. Without
    this, the bytes of its files would wait for the collector of garbage, which counts objects and
    not bytes. It keeps nothing alive: the tree alone refers to it.

    Attributes:
        root: the root of the tree.
        holds: what keeps versions of it.
    """

    __slots__ = ("holds", "root")

    holds: set[Hold]
    root: Directory


def dismantling_of(tree: Remembering) -> Dismantling:
    """Return what takes a tree apart when its last reference goes, for the tree to keep.

    Complexity: then, O(nodes).
    """
    dismantling = Dismantling(tree, _dismantle)
    dismantling.root = tree._root
    dismantling.holds = tree._holds
    return dismantling


def _dismantle(dismantling: weakref.ref[Remembering]) -> None:
    if all_versions is None:
        return  # the interpreter has ended, and so have the modules
    assert isinstance(dismantling, Dismantling)
    for version in {hold.version for hold in dismantling.holds if hold.version is not None}:
        for other in all_versions(version.latest()):
            other.following, other.preceding = None, ()
            other.forget_differences()
    root = dismantling.root
    directories = [root]
    for directory in directories:
        entries = {} if is_uncopied(directory) else loaded_entries(directory)
        directory.children = {}
        directories += [node for node in entries.values() if isinstance(node, Directory)]
    root.account.dismantle()
    del root.parent
