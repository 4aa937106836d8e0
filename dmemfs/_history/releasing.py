"""Letting go of a version that no snapshot needs any more."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import TypeVar

from .._nodes.accounts import UnlinkedAccount
from .._nodes.content import Content, kept_of
from .._nodes.nodes import Directory, File, Node
from .versions import (
    FILE_NLINK,
    DirectoryState,
    Remembering,
    Version,
    all_versions,
    do_to_the_end,
)

_Node = TypeVar("_Node", bound=Node)


def release(fs: Remembering, version: Version) -> None:
    """Free what is kept for a version that nobody needs, and for others that only led to it.

    A version with several preceding ones stays, since they say what is different from it. Where
    this is interrupted, it can be done again.

    Complexity: O(changes preserved in it, or in the one before it if those are fewer). For a file
    that has no name and is still open, or known elsewhere, and for a directory that was removed
    with entries in it that a restore has put there, O(versions).
    """
    current: Version | None = version
    while current is not None and not current.holders and len(current.preceding) < 2:
        following = current.following
        is_between = bool(current.preceding)
        forgotten = _merge(fs, current, current.preceding[0]) if is_between else _drop(fs, current)
        _empty_removed(fs, forgotten.directories)
        _forget_nameless(fs, forgotten)
        if is_between:
            return
        current = following


class _Forgotten:
    """What one version less says something about.

    Attributes:
        earlier, following: the versions before and after it.
        files: files without a name at present, which may be gone by now.
        directories: directories.
    """

    def __init__(self, earlier: Version | None, following: Version | None) -> None:
        self.earlier = earlier
        self.following = following
        self.files: list[weakref.ref[File]] = []
        self.directories: list[Directory] = []

    def add(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if isinstance(node, Directory):
                self.directories.append(node)
            elif isinstance(node, File) and type(node.account) is UnlinkedAccount:
                self.files.append(weakref.ref(node))

    def nameless(self) -> set[File]:
        """Return the files that are still there, and that no version next to it has a name of."""
        return {file for file in _alive(self.files) if not self._is_named_nearby(file)}

    def _is_named_nearby(self, file: File) -> bool:
        near = next((one for one in _way_from(self.following) if file in one.files), self.following)
        return any(
            version.files[file][FILE_NLINK]
            for version in (self.earlier, near)
            if version is not None and file in version.files
        )


def _alive(references: list[weakref.ref[_Node]]) -> Iterator[_Node]:
    """Yield what is still there, one after the other."""
    return (node for reference in references if (node := reference()) is not None)


def _way_from(version: Version | None) -> Iterator[Version]:
    return iter(()) if version is None else version.on_the_way()


def _drop(fs: Remembering, version: Version) -> _Forgotten:
    """Let go of a version that none precedes."""
    following = version.following
    forgotten = _Forgotten(None, following)
    forgotten.add(version.files)
    forgotten.add(version.directories)
    left = (
        () if following is None else tuple(one for one in following.preceding if one is not version)
    )
    account = fs._account
    held = version.held
    account.used -= held
    account.aside -= held
    version.held = 0
    if following is None:
        fs._newest = None
    else:
        following.preceding = left
    version.forget_differences()
    return forgotten


def _empty_removed(fs: Remembering, directories: list[Directory]) -> None:
    """Let directories that are not there by now lose what no version has in them any more."""
    gone = [
        (directory.children, name)
        for directory in directories
        # Most are empty, and what was never looked into has no entries that changed.
        if directory.removed and dict.__len__(directory.children)
        for name in _entries_of_nobody(fs, directory)
    ]

    def forget() -> None:
        for children, name in gone:
            children.pop(name, None)

    do_to_the_end(forget)


def _entries_of_nobody(fs: Remembering, directory: Directory) -> list[str]:
    """Return the names in a removed directory that no version needs its `children` for.

    A version finds its entries in those of the next state of the directory on the way to the
    present, and `children` are what the last of these begins with. Where that one says of a name
    that it leads to nothing, it does not matter what `children` say.
    """
    nearest: list[DirectoryState] = []
    versions = [] if fs._newest is None else [fs._newest]
    for version in versions:
        state = version.directories.get(directory)
        if state is None:
            versions.extend(version.preceding)
        else:
            nearest.append(state)
    if not nearest:
        return []
    return [
        name
        for name in list(nearest[0].entries)
        if all(name in state.entries and state.entries[name] is None for state in nearest)
    ]


def _forget_nameless(fs: Remembering, forgotten: _Forgotten) -> None:
    """Forget what open files were that have no name, at present and in all versions.

    What is written to them stays from now on, whatever is restored.
    """
    nameless = forgotten.nameless()
    if not nameless:
        return
    versions = [] if fs._newest is None else all_versions(fs._newest)
    found = [(one, nameless & one.files.keys()) for one in versions]
    for version, known in found:
        nameless -= {file for file in known if version.files[file][FILE_NLINK]}
    for version, known in reversed(found):  # so that what follows a version is still there
        for file in known & nameless:
            _forget_file(fs, version, file)
        for file in nameless & version.created.keys():
            version.created.pop(file, None)
    openings = fs._account.openings
    if openings is not None:
        for file in nameless:
            file.account.kept = False  # type: ignore[attr-defined]
            openings.in_question.append(file.account)


def _forget_file(
    fs: Remembering, version: Version, file: File, earlier: Version | None = None
) -> None:
    """Let the file be in a version what it is in the following one.

    Args:
        fs: the file system.
        version: what says something of the file.
        file: the file.
        earlier: the version before, if that says something of it as well.
    """
    account = fs._account
    outer = fs._restoration
    watch = outer if isinstance(outer, _Watch) else _Watch()
    fs._restoration = watch
    try:
        while True:
            changes = watch.changes
            state = version.files[file]  # freed at the end, since that may run finalisers
            following = content_after(version, file)
            freed = kept_of(state[0], following)
            kept = 0
            if earlier is not None:
                image = earlier.files[file][0]
                kept = kept_of(image, following) - kept_of(image, state[0])
            if watch.changes != changes:
                continue
            del version.files[file]
            version.held -= freed
            if kept:
                earlier.held += kept  # type: ignore[union-attr]
            account.used += kept - freed
            account.aside += kept - freed
            return
    finally:
        fs._restoration = outer


class _Watch:
    """Notices whether a signal handler changes the tree meanwhile.

    Attributes:
        changes: how many it made.
    """

    def __init__(self) -> None:
        self.changes = 0

    def complete(self) -> None:
        self.changes += 1


def _merge(fs: Remembering, version: Version, earlier: Version) -> _Forgotten:
    """Let the version before `version` say what is different from the one after it.

    Nobody but the earlier version asks this one. So it can forget what that one knows, and, of what
    is left, they can exchange what they say: neither makes a difference, wherever it ends. What
    is less is then added to what is more.
    """
    following = version.following
    siblings: tuple[Version, ...] = ()
    if following is not None:
        siblings = tuple(earlier if one is version else one for one in following.preceding)
    merging = _Merging(fs, version, earlier)
    fs._restoration = watch = merging.watch
    try:
        while True:
            merging.changes = changes = watch.changes
            merging.forget_known()
            merging.unite()
            if watch.changes != changes:
                continue
            earlier.held += version.held
            version.held = 0
            earlier.following = following
            if following is None:
                fs._newest = earlier
            else:
                following.preceding = siblings
            break
    finally:
        fs._restoration = None
    version.forget_differences()
    _forget_removed(earlier, merging.created)
    return merging.forgotten


class _Merging:
    """A version that becomes a part of the one before it.

    A signal handler may change the tree at any call, and have something else remembered in the
    version. Where it has, this ends early, to be done again.

    Attributes:
        created: new nodes of the earlier version that are gone at present.
        forgotten: what the version said, and the earlier one says otherwise.
        watch: counts the changes that a signal handler makes.
        changes: its count at the beginning.
    """

    def __init__(self, fs: Remembering, version: Version, earlier: Version) -> None:
        self._fs = fs
        self._version = version
        self._earlier = earlier
        self.created: list[weakref.ref[Node]] = []
        self.forgotten = _Forgotten(earlier, version.following)
        self.watch = _Watch()
        self.changes = 0

    def forget_known(self) -> None:
        """Forget in the version what the earlier one knows, or what was not there by then.

        Complexity: O(what that one of them says that says less).
        """
        version, earlier = self._version, self._earlier
        for states in (version.files, version.links, version.directories):
            new = list(states.keys() & earlier.created.keys())
            self.created.extend(weakref.ref(node) for node in new if not node.nlink)
            self.forgotten.add(new)
        for file in list(version.files.keys() & earlier.created.keys()):
            _forget_file(self._fs, version, file)
        for file in list(version.files.keys() & earlier.files.keys()):
            self.forgotten.add((file,))
            _forget_file(self._fs, version, file, earlier)
        for links in (earlier.links, earlier.created):
            for link in list(version.links.keys() & links.keys()):
                version.links.pop(link, None)
        for directory in list(version.directories.keys() & earlier.created.keys()):
            version.directories.pop(directory, None)
        for directory in list(version.directories.keys() & earlier.directories.keys()):
            self.forgotten.add((directory,))
            after, before = version.directories[directory], earlier.directories[directory]
            if after is not before and not self._unite_directory(after, before):
                return
            version.directories.pop(directory, None)
        for known in (earlier.files, earlier.links, earlier.directories):
            for node in list(version.created.keys() & known.keys()):
                version.created.pop(node, None)

    def unite(self) -> None:
        """Let the earlier version say what the other one says, of which it knows nothing itself.

        Complexity: O(what that one of them says that says less).
        """
        version, earlier, watch = self._version, self._earlier, self.watch
        most_files = len(version.files) > len(earlier.files)
        most_links = len(version.links) > len(earlier.links)
        most_directories = len(version.directories) > len(earlier.directories)
        most_created = len(version.created) > len(earlier.created)
        if watch.changes != self.changes:
            return
        if most_files:
            version.files, earlier.files, version.held, earlier.held = (
                earlier.files, version.files, earlier.held, version.held,
            )  # fmt: skip
        if most_links:
            version.links, earlier.links = earlier.links, version.links
        if most_directories:
            version.directories, earlier.directories = earlier.directories, version.directories
        if most_created:
            version.created, earlier.created = earlier.created, version.created
        for file, file_state in list(version.files.items()):
            earlier.files.setdefault(file, file_state)
        for link, link_state in list(version.links.items()):
            earlier.links.setdefault(link, link_state)
        for directory, state in list(version.directories.items()):
            earlier.directories.setdefault(directory, state)
        for node in list(version.created):
            earlier.created.setdefault(node)

    def _unite_directory(self, after: DirectoryState, before: DirectoryState) -> bool:
        """Let a state of a directory say what the next one says of other names.

        Returns:
            Whether that is all; not if a signal handler had more remembered meanwhile.
        """
        for name in list(after.entries.keys() & before.entries.keys()):
            after.entries.pop(name, None)
        most = len(after.entries) > len(before.entries)
        if self.watch.changes != self.changes:
            return False
        if most:
            after.entries, before.entries, before.order = (
                before.entries, after.entries,
                after.order if before.order is None else before.order,
            )  # fmt: skip
        for name, child in list(after.entries.items()):
            before.entries.setdefault(name, child)
        if before.order is None:
            before.order = after.order
        return self.watch.changes == self.changes


def _forget_removed(earlier: Version, created: list[weakref.ref[Node]]) -> None:
    """Let go of new nodes that are gone by now, unless somebody still knows them.

    Complexity: O(versions) if there are any such, else O(nodes).
    """

    def let_go() -> None:
        for node in _alive(created):
            earlier.created.pop(node, None)
            del node
        left = set(_alive(created))
        if not left:
            return
        for later in _way_from(earlier.following):
            for states in (later.files, later.links, later.directories):
                known = left & states.keys()
                earlier.created.update(dict.fromkeys(known))
                left -= known

    if created:
        do_to_the_end(let_go)


def content_after(version: Version, node: File) -> Content:
    """Return the content that `node` has in the next version that has it, or at present."""
    following = version.following
    while following is not None:
        state = following.files.get(node)
        if state is not None:
            return state[0]
        following = following.following
    return node.content
