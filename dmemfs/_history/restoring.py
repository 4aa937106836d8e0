"""Going back to a version."""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import Any

from .._nodes.accounts import UnlinkedRecord
from .._nodes.content import BlockList, Content, content_size, kept_of
from .._nodes.nodes import Directory, File, Node, Symlink
from .._platform import shared_dict
from .versions import (
    FILE_NLINK,
    LINK_NLINK,
    MOST_ORDERED,
    REMOVED,
    DirectoryState,
    Remembering,
    Version,
    all_versions,
    directory_attributes,
    file_state,
    link_state,
    sealed_content,
    shared_content,
)

_contents = attrgetter("content")


class Restoration:
    """Makes the present what a version says, and the versions on the way what the present was.

    All is prepared first, which changes nothing. What `complete` begins it does to its end,
    interrupted or not: it only assigns what was prepared, and can begin anew at any point.

    Args:
        fs: the file system, with its lock held.
        target: the version to go back to.
    """

    def __init__(self, fs: Remembering, target: Version) -> None:
        self._fs = fs
        self._target = target
        self._ready = False
        self._stale = False
        self._done = False

    @property
    def passed(self) -> list[Version]:
        """The versions on the way, the one gone back to not included."""
        return self._way[1:]

    @property
    def nodes(self) -> set[Node]:
        """The nodes that will change."""
        goal = self._goal
        return {*goal.files, *goal.created, *goal.links, *goal.directories}

    # Preparing

    def prepare(self) -> None:
        """Prepare all; anew, if a signal handler changed anything meanwhile."""
        self._fs._restoration = self
        try:
            while not self._ready:
                self._stale = False
                self._prepare()
                for guard in list(self._fs._restore_guards):
                    guard(self.nodes)
                self._ready = not self._stale
        except BaseException:
            self._fs._restoration = None
            raise

    def _prepare(self) -> None:
        target = self._target
        self._way = list(target.on_the_way())
        newest = self._way[-1]
        self._reversed: list[Version] = []
        # What files become that nobody finds any more, but somebody may have open: what the
        # nearest version has that knows them, since anything else would take more room.
        self._orphans: dict[File, bytes | BlockList] = {}
        # What the nearest version that knows them has of the directories that will not be there.
        self._left: dict[Directory, DirectoryState] = {}
        self._goal = _copy_of(newest)
        for version in self._way[-2::-1]:
            self._reversed.append(self._turn_around(version))
        self._orphan_contents = [
            (file, content.share() if isinstance(content, BlockList) else content)
            for file, content in self._orphans.items()
        ]
        self._directories = [
            (directory, state, _all_entries(directory, state))
            for directory, state in self._goal.directories.items()
        ]
        # Freed at the very end, since that may run finalisers.
        self._replaced = [*map(_contents, self._goal.files), *map(_contents, self._orphans)]
        self._prepare_counts(target)

    def _turn_around(self, version: Version) -> Version:
        """Go one version further; return what the one after it is then different in."""
        goal = self._goal
        back = Version()
        for node in version.created:
            if node in goal.created:
                continue
            goal.created[node] = None
            if isinstance(node, File):
                changed = goal.files.pop(node, None)
                file_now = changed or file_state(node, shared_content(node))
                if file_now[FILE_NLINK]:
                    back.files[node] = file_now
                if changed is not None:
                    self._orphans[node] = changed[0]
            elif isinstance(node, Symlink):
                link_now = goal.links.pop(node, None) or link_state(node)
                if link_now[LINK_NLINK]:
                    back.links[node] = link_now
            elif isinstance(node, Directory):
                now = goal.directories.pop(node, None) or DirectoryState(
                    directory_attributes(node), {}, None
                )
                if not now.attributes[REMOVED]:
                    back.directories[node] = self._left[node] = now
        for file, file_before in version.files.items():
            file_now = goal.files.get(file) or file_state(file, sealed_content(file))
            if file in goal.created or not file_now[FILE_NLINK]:
                goal.created.pop(file, None)
                back.created[file] = None
            else:
                back.files[file] = file_now
            goal.files[file] = file_before
            self._orphans.pop(file, None)
        for link, link_before in version.links.items():
            link_now = goal.links.get(link) or link_state(link)
            if link in goal.created or not link_now[LINK_NLINK]:
                goal.created.pop(link, None)
                back.created[link] = None
            else:
                back.links[link] = link_now
            goal.links[link] = link_before
        for directory, before in version.directories.items():
            self._turn_directory(directory, before, back)
        return back

    def _turn_directory(self, directory: Directory, before: DirectoryState, back: Version) -> None:
        goal = self._goal
        now = goal.directories.get(directory) or DirectoryState(
            directory_attributes(directory), {}, None
        )
        children, known = directory.children, now.entries
        entries = {name: known.get(name, children.get(name)) for name in before.entries}
        if directory in goal.created or now.attributes[REMOVED]:
            goal.created.pop(directory, None)
            back.created[directory] = None
        else:
            order = None
            if entries and len(children) + len(known) <= MOST_ORDERED:
                order = list(now.entries_before(children))
            back.directories[directory] = DirectoryState(now.attributes, entries, order)
        goal.directories[directory] = DirectoryState(
            before.attributes, {**known, **before.entries}, before.order or now.order
        )

    def _prepare_counts(self, target: Version) -> None:
        root = self._fs._account
        root.settle()
        goal = self._goal
        self._cancelled: list[UnlinkedRecord] = []
        self._remaining: list[tuple[UnlinkedRecord, int]] = []
        for record in [record for record in root.all_records() if record.counts]:
            file: Any = record()
            state = goal.files.get(file)
            if state is not None and state[FILE_NLINK]:
                self._cancelled.append(record)
                continue
            if state is not None:  # it may have come back since, and lost its name once more
                goal.files[file] = (*state[:-1], record.account)
            content = self._orphans.get(file) if state is None else state[0]
            stored = record.account.reserved if content is None else content_size(content)[1]
            self._remaining.append((record, stored))
        self._lost: list[tuple[File, UnlinkedRecord]] = []
        self._known: set[Node] = {
            node for version in self._reversed for node in [*version.files, *version.directories]
        }
        for node in goal.created:
            if isinstance(node, File) and node.nlink:
                record = root.record_unlinking(node, root)
                record.account.kept = node in self._known
                if node in self._orphans:
                    stored = content_size(self._orphans[node])[1]
                    record.account.used = record.account.reserved = stored
                self._lost.append((node, record))
        way = self._way
        held = sum(version.held for version in way)
        for back, following in zip(self._reversed, way[-2::-1], strict=True):
            back.following = following
        self._held = [self._held_by(index) for index in range(len(self._reversed))]
        everything = [version.held for version in all_versions(way[-1])]
        self._held_in_all = sum(everything) - held + sum(self._held)
        self._inner = [state for state in target.accounts if state[0] is not root]
        listed = {state[0] for state in target.accounts}
        self._unused = [account for account in root.accounts if account not in listed]
        self._room = sum(account.max_bytes for account in root.accounts)
        self._node_room = sum(account.max_nodes for account in root.accounts)

    def _held_by(self, index: int) -> int:
        """Return the bytes that a version turned around does not share with what will follow it."""
        return sum(
            kept_of(state[0], self._content_after(node, index))
            for node, state in self._reversed[index].files.items()
        )

    def _content_after(self, node: File, index: int) -> Content:
        for version in self._reversed[index + 1 :]:
            state = version.files.get(node)
            if state is not None:
                return state[0]
        if node in self._goal.files:
            return self._goal.files[node][0]
        return self._orphans.get(node, node.content)

    # Doing

    def complete(self) -> None:
        """Do all of it; a change that comes before all is prepared has that done again."""
        if not self._ready:
            self._stale = True
            return
        interrupt: BaseException | None = None
        try:
            while not self._done:
                try:
                    self._apply()
                except BaseException as error:
                    interrupt = error
            if interrupt is not None:
                raise interrupt
        finally:
            interrupt = None  # refers to this frame, and so to whatever the callers refer to

    def _apply(self) -> None:
        if self._done:
            return
        fs = self._fs
        fs._directories = shared_dict({"": fs._root})  # so that everybody waits for the lock
        self._set_files()
        self._set_links()
        self._set_directories()
        self._remove_what_is_new()
        self._set_counts()
        self._set_versions()

    def _set_files(self) -> None:
        for node, state in self._goal.files.items():
            if self._done:
                return
            (
                node.content, node.size, node.mode, node.mtime, node.ctime, node.atime,
                node.owner, node.nlink, node.account,
            ) = state  # fmt: skip

    def _set_links(self) -> None:
        for node, state in self._goal.links.items():
            if self._done:
                return
            (
                node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink, node.account
            ) = state  # fmt: skip

    def _set_directories(self) -> None:
        for node, state, children in self._directories:
            if self._done:
                return
            (
                node.mode, node.mtime, node.ctime, node.atime, node.owner, node.nlink,
                node.account, node.parent, node.removed,
            ) = state.attributes  # fmt: skip
            if children is not None:
                node.children = children
            else:
                self._set_entries(node.children, state)

    def _set_entries(self, children: dict[str, Node], state: DirectoryState) -> None:
        for name, child in state.entries.items():
            if self._done:
                return
            if child is not None:
                children[name] = child
            elif name in children:
                del children[name]

    def _remove_what_is_new(self) -> None:
        for node in self._goal.created:
            if self._done:
                return
            node.nlink = 0
            if isinstance(node, Directory):
                node.removed = True
                # Else it and those below would be garbage that only the collector frees. Where a
                # snapshot knows it, its state says what is above.
                node.parent = self._fs._root
                if node not in self._known:  # else it is to come back with its entries
                    node.children = {}
                elif node in self._left:  # and those that nobody knows are gone
                    self._set_entries(node.children, self._left[node])
        for file, record in self._lost:
            if self._done:
                return
            record.counts = True
            file.account = record.account
        for file, content in self._orphan_contents:
            size, _ = content_size(content)
            if self._done:
                return
            file.content, file.size = content, size

    def _set_counts(self) -> None:
        root = self._fs._account
        for record in self._cancelled:
            if self._done:
                return
            record.counts = False
        for record, stored in self._remaining:
            if self._done:
                return
            record.account.parent = root
            record.account.used = record.account.reserved = stored
        for state in self._inner:
            if self._done:
                return
            account = state[0]
            (
                _, account.parent, account.byte_limit, account.node_limit, account.in_use,
                used, nodes,
            ) = state  # fmt: skip
            account.used = account.max_bytes = used
            account.nodes = account.max_nodes = nodes
            account.aside = account.aside_nodes = 0
        for account in self._unused:
            if self._done:
                return
            account.used = account.max_bytes = account.aside = 0
            account.nodes = account.max_nodes = account.aside_nodes = 0
            account.in_use = False
        *_, own, own_nodes = self._target.accounts[0]
        accounts = [root, *(account for account, *_ in self._inner)]
        room = self._room - sum(used for *_, used, _ in self._inner)
        node_room = self._node_room - sum(nodes for *_, nodes in self._inner)
        aside, aside_nodes = self._held_in_all, 0
        for record in root.all_records():
            if record.counts:
                aside += record.account.reserved
                aside_nodes += 1
        restored = own_nodes + aside_nodes + sum(nodes for *_, nodes in self._inner)
        if self._done:
            return
        root.accounts = accounts
        root.used = own + aside
        root.nodes = own_nodes + aside_nodes
        root.nodes_restored = restored
        root.aside, root.aside_nodes = aside, aside_nodes
        root.max_bytes = room
        root.max_nodes = node_room

    def _set_versions(self) -> None:
        """Turn the versions on the way around, the one gone back to being the newest now."""
        fs, way = self._fs, self._way
        target = way[0]
        new = way[:0:-1]
        for version, back, held in zip(new, self._reversed, self._held, strict=True):
            if self._done:
                return
            version.files, version.links = back.files, back.links
            version.directories, version.created = back.directories, back.created
            version.held = held
            version.following = back.following
        for before, after in pairwise(way):
            if self._done:
                return
            after.preceding = tuple(one for one in after.preceding if one is not before)
            before.preceding = (*(one for one in before.preceding if one is not after), after)
        empty = Version()
        if self._done:
            return
        target.files, target.links = empty.files, empty.links
        target.directories, target.created = empty.directories, empty.created
        target.held = 0
        target.following = None
        fs._newest = target
        fs._restoration = None
        self._done = True


def _copy_of(version: Version) -> Version:
    """Return what a version is different in, to be changed further."""
    copy = Version()
    copy.created, copy.files = dict(version.created), dict(version.files)
    copy.links, copy.directories = dict(version.links), dict(version.directories)
    return copy


def _all_entries(directory: Directory, state: DirectoryState) -> dict[str, Node] | None:
    """Return all entries there were, if their order is known; else only some are to be changed."""
    if state.order is None:
        return None
    return shared_dict(state.entries_before(directory.children))
