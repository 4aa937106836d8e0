"""Copying a whole tree into an empty file system."""

from __future__ import annotations

from .._history.versions import shared_content
from .._nodes.accounts import Account, limit_or_none
from .._nodes.content import content_size
from .._nodes.kernel_files import KernelFile
from .._nodes.lazy import UncopiedFiles, Unloaded, copy_of_unread, fields_of_files
from .._nodes.nodes import Directory, File, Node, Symlink
from .._platform import shared_dict
from .._tree.tree import Tree


def copy_into(fs: Tree, source: Directory) -> None:
    """Let an empty file system have the tree below `source`, the root of another one.

    The lock of the other one is held. Complexity: O(nodes and blocks), without their bytes.
    """
    root = fs._root
    accounts = _copy_accounts(fs._account, source.account)
    _copy_attributes(source, root)
    several: dict[File | Symlink, Node] = {}
    pending = [(source, root)]
    while pending:
        old, new = pending.pop()
        fields = fields_of_files(old)
        if fields is not None:
            new.account.used += sum(map(len, fields[1]))
            new.account.nodes += len(fields[1])
            new.children = UncopiedFiles(new, fs._lock, fields)
            continue
        children = new.children
        for name, child in old.children.copy().items():
            kind = child.__class__
            if kind is File or kind is KernelFile:
                file = several.get(child) if child.nlink > 1 else None  # type: ignore[call-overload]
                if file is None:
                    file = _copy_of_file(fs, child, new, accounts)  # type: ignore[arg-type]
                    if child.nlink > 1:
                        several[child] = file  # type: ignore[index]
                children[name] = file
            elif isinstance(child, Directory):
                directory = Directory()
                _copy_attributes(child, directory)
                directory.account = accounts[child.account]
                directory.account.in_use = True
                directory.children = shared_dict()
                directory.parent = new
                directory.removed = directory.remembered = False
                new.account.nodes += 1
                children[name] = directory
                if type(child.children) is Unloaded and child.children.load_again is not None:
                    child.children.load_again(fs, directory)
                else:
                    pending.append((child, directory))
            elif isinstance(child, Symlink):
                link = several.get(child)
                if link is None:
                    several[child] = link = _copy_of_link(child, accounts)
                children[name] = link
    fs._account.settle()
    _, fs._account.nodes_restored = fs._account.total()


def _copy_accounts(root: Account, source: Account) -> dict[object, Account]:
    """Return the accounts of a copy by those that they are copies of, all empty."""
    accounts: dict[object, Account] = {source: root}
    waiting = source.accounts[1:]
    while waiting:
        for account in [one for one in waiting if one.parent in accounts]:
            limits = (limit_or_none(account.byte_limit), limit_or_none(account.node_limit))
            accounts[account] = copy = Account(*limits, accounts[account.parent])
            copy.in_use = False
            root.accounts.append(copy)
            waiting.remove(account)
    return accounts


def _copy_attributes(source: Node, copy: Node) -> None:
    copy.told = None
    copy.mode = source.mode
    copy.owner = source.owner
    copy.nlink = source.nlink
    copy.mtime, copy.ctime, copy.atime = source.mtime, source.ctime, source.atime


def _copy_of_file(
    fs: Tree, source: File, parent: Directory, accounts: dict[object, Account]
) -> File:
    copy = File()
    copy.told = None
    content = source.content
    copy.size = stored = source.size
    if content.__class__ is bytes:
        copy.content = content
    else:
        unread = copy_of_unread(content, fs, copy, parent)
        copy.content = shared_content(source) if unread is None else unread
        copy.size, stored = content_size(copy.content)
    copy.mode = source.mode
    copy.owner = source.owner
    copy.nlink = source.nlink
    copy.mtime, copy.ctime, copy.atime = source.mtime, source.ctime, source.atime
    copy.account = account = accounts[source.account]
    account.used += stored
    account.nodes += 1
    return copy


def _copy_of_link(source: Symlink, accounts: dict[object, Account]) -> Symlink:
    copy = Symlink()
    _copy_attributes(source, copy)
    copy.lead_to(source.target)
    copy.account = account = accounts[source.account]
    account.nodes += copy.counts_as
    return copy
