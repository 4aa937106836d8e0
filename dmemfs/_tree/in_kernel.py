"""What is done to files that the kernel has too, see `dmemfs._nodes.kernel_files`."""

from __future__ import annotations

import errno
from time import time_ns
from typing import Any, Protocol

from .._errors import os_error
from .._history.history import hand_to_kernel, keep_apart, newly_kept, preserve, take_from_kernel
from .._history.versions import Remembering
from .._nodes.blocks import BlockPool
from .._nodes.content import BlockList
from .._nodes.kernel_files import KernelContent, KernelFile
from .._nodes.nodes import LARGEST_FILE, File
from .opened import bring_back


class KernelTree(Remembering, Protocol):
    """A tree, as far as files go that the kernel has too."""

    _pool: BlockPool
    _writing: object

    def _wait_for_lock(self) -> None: ...


def lend_to_kernel(tree: KernelTree, node: File, path: Any) -> KernelContent:
    """Let the kernel have a file too, and return its content.

    Raises:
        QuotaExceededError: what a snapshot has of it would be kept twice, and does not fit.
        OSError: as `KernelContent`.

    Complexity: O(bytes), and O(1) where it was done before.
    """
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        if isinstance(node, KernelFile):
            return node.content  # type: ignore[no-any-return]
        if tree._newest is not None:
            preserve(tree, node)
            kept = newly_kept(tree, node, None)
            if kept:
                node.account.require(0, 0, path, kept)
        content = KernelContent(node.content, tree._lock, tree._pool)
        if isinstance(node.content, BlockList):
            node.content.leave()
        hand_to_kernel(tree, node, content)
        if tree._account.openings is not None and not node.nlink:
            bring_back(tree, node, path)
        return content
    finally:
        tree._unlock()


def take_back_from_kernel(tree: KernelTree, node: File) -> bool:
    """Let a file be an ordinary one again, if nobody uses the kernel's; tell whether it is."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        if not isinstance(node, KernelFile):
            return True
        if tree._writing is not None or node.content.is_used_elsewhere():
            return False
        take_from_kernel(tree, node).retire()
        openings = tree._account.openings
        if openings is not None and not node.nlink:
            openings.in_question.append(node.account)
        return True
    finally:
        tree._unlock()


def require_room(tree: KernelTree, node: KernelFile, position: int, count: int, path: Any) -> None:
    """Raise unless the kernel may write so many bytes there, whoever tells it to.

    Raises:
        QuotaExceededError: they do not fit.
    """
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        keep_apart(tree, node)
        content: KernelContent = node.content
        content.look(node)
        growth = content.growth_of_write(position, count)
        if growth > 0:
            node.account.require(growth, 0, path)
    finally:
        tree._unlock()


def require_room_to_extend(tree: KernelTree, node: KernelFile, size: int, path: Any) -> None:
    """Raise unless the kernel may cut or extend a file to `size` bytes; as `require_room`."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        keep_apart(tree, node)
        content: KernelContent = node.content
        content.look(node)
        growth = content.growth_of_extension(size)
        if growth > 0:
            node.account.require(growth, 0, path)
    finally:
        tree._unlock()


def write_to_kernel(
    tree: KernelTree, cursor: Any, data: bytes | memoryview, count: int, at_end: bool
) -> int:
    """Write as `Storage._write` does."""
    node: Any = cursor._node
    try:
        now = time_ns()
        content: KernelContent = node.content
        position = node.size if at_end else cursor._position
        if count:
            if position + count > LARGEST_FILE:
                raise os_error(errno.EFBIG, cursor.name)
            require_room(tree, node, position, count, cursor.name)
            content.write(position, data)
            content.acknowledge(node, now)
        cursor._position = position + count
        return count
    finally:
        node = None  # see UnlinkedRecord


def truncate_in_kernel(tree: KernelTree, node: Any, size: int, path: Any) -> None:
    """Cut or extend a file as `Storage._truncate` does."""
    require_room_to_extend(tree, node, size, path)
    content: KernelContent = node.content
    content.truncate(size)
    content.acknowledge(node, time_ns())


def replace_in_kernel(
    tree: KernelTree, node: Any, content: bytes | BlockList, stored: int, path: Any
) -> None:
    """Let `content`, of which `stored` bytes count, be all of it, as `Storage._put_content`."""
    keep_apart(tree, node)
    kernel: KernelContent = node.content
    kernel.look(node)
    growth = stored - kernel.counted
    if growth > 0:
        node.account.require(growth, 0, path)
    node.account.used += growth
    kernel.replace(content)
    kernel.acknowledge(node, time_ns())


def find_data(node: File, offset: int, *, is_hole: bool) -> int:
    """Return where data, or a hole, begins in any file from `offset` on.

    Raises:
        OSError: ENXIO, no data follows.
    """
    content: Any = node.content
    if isinstance(content, KernelContent):
        return content.find(offset, is_hole=is_hole)
    if not isinstance(content, BlockList):
        return node.size if is_hole else offset
    position: int | None = content.next_hole(offset) if is_hole else content.next_data(offset)
    if position is None:
        raise os_error(errno.ENXIO)
    return position
