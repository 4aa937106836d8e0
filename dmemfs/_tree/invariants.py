"""Recomputing what the file system keeps count of."""

from __future__ import annotations

import stat
from collections import defaultdict

from .._history.releasing import content_after
from .._history.versions import Version
from .._nodes.accounts import Account
from .._nodes.content import BlockList, content_size, kept_of
from .._nodes.kernel_files import KernelFile
from .._nodes.lazy import is_unloaded, is_unread
from .._nodes.nodes import Directory, File, Node, Symlink


def check_invariants(root: Directory, account: Account, remembered: dict[str, Directory]) -> None:
    """Raise AssertionError where the tree contradicts itself or its account."""
    names: dict[int, int] = {}
    nodes: dict[int, Node] = {}
    assert root.parent is root, "the root has a parent"
    counted: dict[Account, list[Node]] = defaultdict(list)
    counted[account].append(root)
    pending = [root]
    while pending:
        directory = pending.pop()
        assert id(directory) not in nodes, "a directory has two names"
        nodes[id(directory)] = directory
        if is_unloaded(directory):
            continue
        _check_directory(directory)
        for name, child in directory.children.items():
            assert name not in ("", ".", ".."), f"{name!r} is no name"
            assert "/" not in name, f"{name!r} is no name"
            assert isinstance(child.account, Account), f"{name!r} is counted as if removed"
            if isinstance(child, Directory):
                assert child.parent is directory, f"{name!r} has another parent"
                _check_accounts_of(child, directory.account)
                counted[directory.account].append(child)
                pending.append(child)
            else:
                nodes[id(child)] = child
                names[id(child)] = names.get(id(child), 0) + 1
    for ino, count in names.items():
        node = nodes[ino]
        assert node.nlink == count, f"{count} names, but a link count of {node.nlink}"
        assert type(node) in (File, KernelFile, Symlink), f"a {type(node).__name__} has a name"
    for node in nodes.values():
        if not isinstance(node, Directory):
            counted[node.account].append(node)  # type: ignore[index]
    account.settle()
    removed = account.unlinked_files()
    for file in removed:
        assert file.account.used == file.stored_bytes(), "bytes of a file without a name"
    for file in [node for node in nodes.values() if isinstance(node, File)] + removed:
        _check_file(file)
    held = account.aside - sum(
        file.account.used for file in removed if file.account.parent is account
    )
    for one in account.accounts:
        _check_account(one, counted[one], removed, held if one is account else 0)
    if account.min_free_memory is None:
        room = sum(one.max_bytes for one in account.accounts)
        assert room == account.byte_limit, "the shares are not the whole"
    room = sum(one.max_nodes for one in account.accounts)
    assert room == account.node_limit, "the shares of nodes are not the whole"
    assert set(counted) <= set(account.accounts), "nodes are counted in an account that is gone"
    for head, directory in remembered.items():
        above = directory
        while not directory.removed and above is not root:
            assert above.remembered, f"{head!r} is remembered, but not what it leads through"
            above = above.parent
        assert directory.removed or _lookup(root, head) is directory, (
            f"{head!r} is remembered wrong"
        )


def _check_accounts_of(directory: Directory, outer: Account) -> None:
    own = directory.account
    if own is not outer:
        assert own.in_use, "a directory has an account that is not in use"
        assert own in own.root.accounts, "a directory has an account that is not listed"
        assert own.parent is outer, "the account of a directory has another parent"


def _check_account(account: Account, nodes: list[Node], removed: list[File], held: int) -> None:
    gone: list[File] = [file for file in removed if file.account.parent is account]  # type: ignore[attr-defined]
    aside = sum(file.stored_bytes() for file in gone)
    used = sum(node.stored_bytes() for node in nodes if isinstance(node, File)) + aside + held
    assert account.aside == aside + held, f"{account.aside} bytes aside, {aside + held} in use"
    assert account.used == used, f"{account.used} bytes counted, {used} in use"
    assert account.aside_nodes == len(gone), "nodes aside"
    count = sum(node.counts_as for node in nodes) + len(gone)
    assert account.nodes == count, f"{account.nodes} nodes counted, {count} in use"
    total, total_nodes = account.total()
    overdrawn = account.root.overdrawn
    assert account.used >= 0, "less than nothing"
    assert overdrawn or account.used <= account.max_bytes, "more bytes than its share"
    assert overdrawn or not account.in_use or total <= account.byte_limit, (
        "more bytes than there may be"
    )
    restored = account.root.nodes_restored if account is account.root else 0
    most = max(account.max_nodes, restored)
    assert 0 <= account.nodes <= most, "more nodes than its share"
    most = max(account.node_limit, restored)
    assert not account.in_use or total_nodes <= most, "more nodes than there may be"


def check_versions(newest: Version | None, root: Directory, account: Account) -> None:
    """Raise AssertionError where what snapshots keep contradicts itself or the account."""
    versions = [] if newest is None else [newest]
    held = 0
    for version in versions:
        versions.extend(version.preceding)
        assert all(one.following is version for one in version.preceding), "versions are astray"
        held += version.held
        expected = sum(
            kept_of(state[0], content_after(version, node)) for node, state in version.files.items()
        )
        assert version.held == expected, f"{version.held} bytes held, {expected} kept"
        for node in version.created:
            assert node not in version.files, "a file is new, and older"
        if version.holders or len(version.preceding) > 1:  # others are to be let go of
            _check_version(version, root)
    account.settle()
    removed = account.unlinked_files()
    aside = sum(file.account.used for file in removed if file.account.parent is account)
    assert account.aside == aside + held, f"{account.aside - aside} bytes kept, {held} held"


def _check_version(version: Version, root: Directory) -> None:
    """Check that the tree of a version holds together, and its counts."""
    names: dict[Node, int] = defaultdict(int)
    pending = [root]
    directories = 0
    while pending:
        directory = pending.pop()
        directories += 1
        *_, removed = version.state_of_directory(directory)
        assert not removed, "a directory of a snapshot says that it was removed"
        if is_unloaded(directory):
            continue
        for child in version.entries_of(directory).values():
            names[child] += 1
            if isinstance(child, Directory):
                parent = version.state_of_directory(child)[7]
                assert parent is directory, "a directory of a snapshot has another parent"
                pending.append(child)
    stored = 0
    for node, count in names.items():
        if isinstance(node, File):
            content, size, *_, nlink, _ = version.state_of_file(node)
            assert nlink == count, f"{count} names in a snapshot, but a link count of {nlink}"
            assert content_size(content)[0] == size, "the size of a file in a snapshot"
            stored += content_size(content)[1]
    used = sum(stored for *_, stored, _ in version.accounts)
    assert used == stored, f"{used} bytes counted in a snapshot, {stored} in use"
    count = sum(nodes for *_, nodes in version.accounts)
    found = sum(node.counts_as for node in names) + 1
    assert count == found, f"{count} nodes counted in a snapshot, {found} in use"


def _check_directory(directory: Directory) -> None:
    assert stat.S_ISDIR(directory.mode), "no directory's mode"
    assert not directory.removed, "a directory in the tree says that it was removed"
    assert directory.nlink == _expected_links(directory), "link count of a directory"


def _expected_links(directory: Directory) -> int:
    return 2 + sum(isinstance(child, Directory) for child in directory.children.values())


def _check_file(file: File) -> None:
    content = file.content
    assert stat.S_ISREG(file.mode)
    if isinstance(content, BlockList):
        if not is_unread(content):
            content.check()
        assert file.size == content.size
    else:
        assert file.size == len(content)


def _lookup(root: Directory, head: str) -> Node | None:
    node: Node | None = root
    for name in head.split("/"):
        if name and name != ".":
            node = node.children.get(name) if isinstance(node, Directory) else None
    return node
