"""Recomputing what the file system keeps count of."""

from __future__ import annotations

import stat

from ._content import BlockList
from ._nodes import Directory, File, Node, Symlink
from ._quota import Account


def check_invariants(root: Directory, account: Account, remembered: dict[str, Directory]) -> None:
    """Raise AssertionError where the tree contradicts itself or its account."""
    names: dict[int, int] = {}
    nodes: dict[int, Node] = {}
    assert root.parent is root, "the root has a parent"
    pending = [root]
    while pending:
        directory = pending.pop()
        assert id(directory) not in nodes, "a directory has two names"
        nodes[id(directory)] = directory
        _check_directory(directory)
        for name, child in directory.children.items():
            assert name not in ("", ".", ".."), f"{name!r} is no name"
            assert "/" not in name, f"{name!r} is no name"
            assert child.account is account, f"{name!r} is counted elsewhere"
            if isinstance(child, Directory):
                assert child.parent is directory, f"{name!r} has another parent"
                pending.append(child)
            else:
                nodes[id(child)] = child
                names[id(child)] = names.get(id(child), 0) + 1
    for ino, count in names.items():
        node = nodes[ino]
        assert node.nlink == count, f"{count} names, but a link count of {node.nlink}"
        assert type(node) in (File, Symlink), f"a {type(node).__name__} has a name"
    account.settle()
    open_only = account.unlinked_files()
    for file in open_only:
        assert file.account.used == file.stored_bytes(), "bytes of a file without a name"
    files = [node for node in nodes.values() if isinstance(node, File)] + open_only
    for file in files:
        _check_file(file)
    used = sum(file.stored_bytes() for file in files)
    assert account.used == used, f"{account.used} bytes counted, {used} in use"
    count = len(nodes) + len(open_only)
    assert account.nodes == count, f"{account.nodes} nodes counted, {count} in use"
    assert 0 <= account.used <= account.max_bytes, "more bytes than there may be"
    assert 1 <= account.nodes <= account.max_nodes, "more nodes than there may be"
    for head, directory in remembered.items():
        above = directory
        while not directory.removed and above is not root:
            assert above.remembered, f"{head!r} is remembered, but not what it leads through"
            above = above.parent
        assert directory.removed or _lookup(root, head) is directory, (
            f"{head!r} is remembered wrong"
        )


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
