"""What nodes were before they changed, as far as a snapshot still needs it.

A snapshot keeps a `Version`. A version says only what is different from the next one on the way to
the present, which the tree itself is. So taking a snapshot costs nothing; a change has what was
before it remembered once, in the version next to the present; and to go back to a version, only
what differs on the way there is exchanged, in both directions (Henry G. Baker, "Shallow binding
makes functional arrays fast", 1991). Versions may form a tree, since after going back to one the
present moves on from there.

Whoever changes a node or an entry calls `preserve` or `preserve_entry` before, as the last call
that may be answered by other code (a signal handler, a finaliser), or before everything else: no
snapshot is taken or restored by code that interrupts an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._nodes.accounts import UnlinkedAccount
from .._nodes.content import BlockList, Content, content_size, kept_of
from .._nodes.kernel_files import KernelContent, KernelFile
from .._nodes.nodes import Directory, File, Node, Symlink
from .._nodes.places import Place
from .releasing import release
from .restoring import Restoration
from .versions import (
    MOST_ORDERED,
    AccountState,
    DirectoryState,
    Hold,
    Remembering,
    Version,
    account_state,
    all_versions,
    directory_attributes,
    file_state,
    link_state,
    shared_content,
)


class _BusyError(Exception):
    """Another thread has the lock."""


def preserve(tree: Remembering, node: Node) -> None:
    """Keep what `node` is by now, entries of a directory aside, unless that was done before.

    Complexity: O(blocks) of a large file, O(bytes) of a small one that was written bit by bit.
    """
    # What a signal handler preserves in between stays: it is older than what it writes.
    if tree._restoration is not None:
        tree._restoration.complete()
    newest = tree._newest
    if newest is None or node in newest.created:
        return
    if isinstance(node, File):
        if node not in newest.files and _can_come_back(tree, node):
            newest.files.setdefault(node, file_state(node, shared_content(node)))
    elif isinstance(node, Directory):
        if node not in newest.directories:
            state = DirectoryState(directory_attributes(node), {}, None)
            newest.directories.setdefault(node, state)
    elif isinstance(node, Symlink) and node not in newest.links:
        newest.links.setdefault(node, link_state(node))


def preserve_all(tree: Remembering, nodes: list[Node]) -> None:
    """Keep what all of them are. Complexity: as `preserve` for each."""
    if tree._newest is not None:
        for node in nodes:
            preserve(tree, node)


def _can_come_back(tree: Remembering, node: File) -> bool:
    """Tell whether `node` is in the tree, or in what a snapshot keeps.

    Complexity: O(versions) for a file without a name; else O(1).
    """
    account = node.account
    if type(account) is not UnlinkedAccount:
        return True
    return account.kept and any(node in version.files for version in versions_of(tree))


def preserve_entry(tree: Remembering, directory: Directory, name: str) -> None:
    """Keep what `name` leads to by now, and what the directory is.

    Complexity: O(1), and O(entries) once in a directory of up to `MOST_ORDERED` entries.
    """
    preserve(tree, directory)
    newest = tree._newest
    if newest is None:
        return
    state = newest.directories.get(directory)
    if state is None:  # a directory that is newer than the snapshot
        return
    children = directory.children
    node = children.get(name)
    if node is not None and state.order is None and len(children) <= MOST_ORDERED:
        state.order = list(children)
    state.entries.setdefault(name, node)


def preserve_all_entries(tree: Remembering, directory: Directory) -> None:
    """Keep what all names lead to, before the directory loses them. Complexity: O(entries)."""
    preserve(tree, directory)
    newest = tree._newest
    if newest is None:
        return
    state = newest.directories.get(directory)
    if state is not None:
        children = directory.children
        order = list(children) if len(children) <= MOST_ORDERED else None
        entries = {**children, **state.entries}
        if state.order is None:
            state.order = order
        state.entries = entries


def preserve_creation(tree: Remembering, directory: Directory, name: str, node: Node) -> None:
    """Note that the name leads elsewhere by now, and that `node`, which it will get, is new."""
    preserve_entry(tree, directory, name)
    if tree._newest is not None:
        tree._newest.created[node] = None


def forget_creation(tree: Remembering, node: Node) -> None:
    """Let go of a node that is gone, and that no snapshot knows."""
    if tree._newest is not None:
        tree._newest.created.pop(node, None)


def is_kept(tree: Remembering, node: Node) -> bool:
    """Tell whether a snapshot knows `node`, so that it lives on when its last name is gone."""
    return tree._newest is not None and node not in tree._newest.created


def shared_blocks(tree: Remembering, node: File) -> BlockList | None:
    """Return the blocks of `node` that the version next to the present keeps, if any."""
    image = image_of(tree, node)
    return image if isinstance(image, BlockList) else None


def image_of(tree: Remembering, node: File) -> bytes | BlockList | None:
    """Return the content of `node` that the version next to the present keeps."""
    newest = tree._newest
    state = None if newest is None else newest.files.get(node)
    return None if state is None else state[0]


def newly_kept(tree: Remembering, node: File, content: Content | None) -> int:
    """Return how many bytes more only a snapshot keeps if `content` replaces that of `node`.

    Fewer are a negative number; None stands for a content that shares nothing.

    Complexity: O(blocks).
    """
    image = image_of(tree, node)
    return 0 if image is None else kept_of(image, content) - kept_of(image, node.content)


def hand_to_kernel(tree: Remembering, node: File, content: KernelContent) -> None:
    """Let the kernel's file `content`, which has the same bytes, be the content of `node`.

    What a snapshot has of it is a copy of its own from then on: no other can be kept, since nobody
    is told before the kernel changes the file.
    """
    if tree._newest is not None:
        preserve(tree, node)
    _keep(tree, newly_kept(tree, node, None))
    node.account.used += content.counted - node.stored_bytes()
    node.content = content  # type: ignore[assignment]
    node.__class__ = KernelFile
    tree._in_kernel[content.key] = node  # type: ignore[assignment]


def take_from_kernel(tree: Remembering, node: File) -> KernelContent:
    """Let a file be an ordinary one again, with a copy of its content; return the kernel's."""
    kernel: Any = node.content
    kernel.look(node)
    content = kernel.plain()
    size, stored = content_size(content)
    node.__class__ = File
    node.content, node.size = content, size
    node.account.used += stored - kernel.counted
    tree._in_kernel.pop(kernel.key, None)
    return kernel  # type: ignore[no-any-return]


def keep_apart(tree: Remembering, node: KernelFile) -> None:
    """Keep a copy of what the kernel may change at any time, unless that was done before."""
    newest = tree._newest
    if newest is not None and node not in newest.files:
        preserve(tree, node)
        image = image_of(tree, node)
        if image is not None:
            _keep(tree, content_size(image)[1])


def _keep(tree: Remembering, kept: int) -> None:
    """Count bytes that only a snapshot keeps from now on."""
    if kept:
        tree._account.used += kept
        tree._account.aside += kept
        tree._newest.held += kept  # type: ignore[union-attr]


def keep_in_blocks(tree: Remembering, node: File, content: Content, blocks: BlockList) -> None:
    """Let `blocks` be the content of `node`, and a copy of them its image.

    A part of it is going to change, and only that is to be kept twice.
    """
    images = [
        (version, (blocks.share(), *state[1:]))
        for version in versions_of(tree)
        if (state := version.files.get(node)) is not None and state[0] is content
    ]
    node.content = blocks
    for version, state in images:
        version.files[node] = state


def settle_in_place(tree: Remembering, node: File, blocks: BlockList, place: Place) -> None:
    """Let `blocks`, which are the content of `node` or the same bytes, lie in a place.

    What a snapshot has of them lies there too, but for what another place needs.

    Raises:
        QuotaExceededError: that does not fit, twice.
        MemoryError: see `BlockList.settle`; nothing has changed.
    """
    shared = shared_blocks(tree, node)
    kept = 0 if shared is None else blocks.unshared_by_settling(place, shared)
    if kept:
        node.account.require(0, 0, None, kept)
    try:
        blocks.settle(place)
    except BaseException:
        settle_kept(tree)
        raise
    _keep(tree, kept)
    node.content = blocks


def settle_kept(tree: Remembering) -> None:
    """Count anew what the version next to the present keeps, after an interrupted change."""
    newest = tree._newest
    if newest is not None:
        held = sum(kept_of(state[0], node.content) for node, state in newest.files.items())
        account = tree._account
        account.used += held - newest.held
        account.aside += held - newest.held
        newest.held = held


def snapshot_bytes(tree: Remembering) -> int:
    """Return the bytes that only snapshots keep. Complexity: O(changes remembered)."""
    versions = versions_of(tree)
    removed = {
        node
        for version in versions
        for node in version.files
        if type(node.account) is UnlinkedAccount
    }
    held = sum(version.held for version in versions)
    return held + sum(node.stored_bytes() for node in removed)


def versions_of(tree: Remembering) -> list[Version]:
    """Return all versions that are kept."""
    return [] if tree._newest is None else all_versions(tree._newest)


def keep_version(tree: Remembering) -> Version:
    """Keep the present state as a version, with the lock held; the caller has to hold it."""
    tree._some_are_astray = True  # until somebody holds it
    newest = tree._newest
    version = Version((), () if newest is None else (newest,))
    root = tree._account
    several = len(root.accounts) > 1
    # From here on no call that may be answered by other code, or it would be left out.
    accounts = _account_states(tree) if several else (account_state(root),)
    version.accounts = accounts
    if newest is not None:
        newest.following = version
    tree._newest = version
    if tree._in_kernel:
        for node in list(tree._in_kernel.values()):
            keep_apart(tree, node)
    return version


def _account_states(tree: Remembering) -> Sequence[AccountState]:
    """Return what all accounts are, at one moment."""
    root = tree._account
    root.settle()
    while True:
        states = [account_state(one) for one in root.accounts]
        if states == [account_state(one) for one in root.accounts]:
            return states


def restore_version(tree: Remembering, version: Version) -> Restoration:
    """Bring the tree back to a version, with the lock held.

    Returns:
        What refers to all that was replaced, to be dropped when the lock is released.
    """
    handed = [(node, take_from_kernel(tree, node)) for node in list(tree._in_kernel.values())]
    restoration = Restoration(tree, version)
    try:
        restoration.prepare()
        restoration.complete()
    finally:
        tree._restoration = None
        for node, content in handed:
            content.replace(node.content)
            hand_to_kernel(tree, node, content)
    if not all(version.holders for version in restoration.passed):
        _release_astray(tree)  # one may be at the end of a way by now, and of no more use
    return restoration


def do_all_or_nothing(tree: Remembering, operation: Callable[[], object]) -> None:
    """Do something with the lock held, and undo all of it if it raises.

    No context manager: an interrupt in between would find it unfinished, and would leave it to the
    garbage collector.
    """
    version: Version | None = None
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        astray = tree._some_are_astray
        try:
            version = keep_version(tree)
            version.holders = 1
            operation()
        except BaseException:
            if version is not None:
                restore_version(tree, version)
            raise
        finally:
            # What is interrupted here is done when a snapshot is taken, restored or closed.
            tree._some_are_astray = True
            if version is not None:
                version.holders = 0
                release(tree, version)
                tree._some_are_astray = astray
    finally:
        tree._unlock()


def is_in_operation(tree: Remembering) -> bool:
    """Tell whether this thread has the lock: code that interrupts an operation asks."""
    return tree._lock._is_owned()  # type: ignore[no-any-return]


def hold(tree: Remembering, version: Version, holder: object) -> Hold:
    """Keep a version, with the lock held, until `holder` is gone or the result is dropped.

    It is dropped by `_let_go`; then what was kept is to be released.
    """
    held = Hold(holder, tree._let_go)
    held.version = version
    tree._holds.add(held)
    version.holders += 1
    return held


def release_dropped(tree: Remembering, *, wait: bool = True) -> None:
    """Free the versions that nobody needs.

    Not in the middle of an operation of the same thread, nor, if `wait` is false, of another
    one: then it is done when a snapshot is taken, restored or closed again.
    """
    if not (tree._dropped or tree._some_are_astray) or is_in_operation(tree):
        return
    try:
        try:
            if not tree._try_lock(wait):
                raise _BusyError
            _release_all(tree)
        finally:
            tree._unlock()  # in any case: an interrupt may come as soon as the lock is taken
    except RuntimeError as error:
        if not isinstance(error.__context__, _BusyError):
            raise


def _release_all(tree: Remembering) -> None:
    if tree._some_are_astray:
        _release_astray(tree)
    while tree._dropped:
        hold = tree._dropped[0]
        version, hold.version = hold.version, None
        if version is not None:
            version.holders -= 1
            tree._some_are_astray = not version.holders  # if this is interrupted
        del tree._dropped[0]
        tree._holds.discard(hold)
        if version is not None and not version.holders:
            release(tree, version)
            tree._some_are_astray = False
    tree._account.settle_gone()


def _release_astray(tree: Remembering) -> None:
    """Free all versions that nobody needs, wherever they are. Complexity: O(versions)."""
    tree._some_are_astray = True
    while astray := [
        version
        for version in versions_of(tree)
        if not version.holders and len(version.preceding) < 2
    ]:
        release(tree, astray[0])
    tree._some_are_astray = False
