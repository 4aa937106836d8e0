"""Reading and writing pages, as SQLite does: many, small, and each at a place of its own."""

from __future__ import annotations

from time import time_ns
from typing import Any

from .._history.history import settle_in_place
from .._nodes.blocks import BLOCK_SHIFT, BLOCK_SIZE
from .._nodes.content import SMALL_FILE_LIMIT, BlockList
from .._nodes.kernel_files import KernelContent
from .._nodes.nodes import File
from .._nodes.places import Place
from .cursors import Cursor, FixedCursor
from .storage import Storage

_OFFSET = BLOCK_SIZE - 1


class Pages(Storage):
    """Copies pages between files and a memory that is not theirs.

    What is usual is done here, in one function, without an object for each step: it costs less than
    the call of a function does. Whatever is not usual `Storage` does.
    """

    def _read_page(
        self, node: File, position: int, count: int, memory: memoryview, start: int
    ) -> int:
        """Copy up to `count` bytes to `memory[start:]` and return how many there were.

        Needs no lock within a block: the one copy comes whole before or after any change.
        """
        content: Any = node.content
        if node.atime <= node.ctime:
            node.atime = time_ns()
        if type(content) is not BlockList:
            data = content[position : position + count]
            count = len(data)
            memory[start : start + count] = data
            return count
        block = content._blocks.get(position >> BLOCK_SHIFT)
        offset = position & _OFFSET
        if block is None or offset + count > BLOCK_SIZE or position + count > content.size:
            target = memory[start : start + count]
            return self._read_into(FixedCursor(node, position, None), target)
        while True:
            view = block.view
            memory[start : start + count] = view[offset : offset + count]
            if block.view is view:  # else it has moved, see Block
                return count

    def _settle_in_place(self, node: File, place: Place | None) -> Place | None:
        """Let the content of a file lie in one piece of memory, for those who read by an address.

        Args:
            node: the file.
            place: where it lay before, which is used again if it is large enough.

        Returns:
            Where it lies, until `on_leave` of that is called; None where that cannot be.

        Complexity: O(blocks), and O(bytes) of those that lie elsewhere.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._writing is not None or node.__class__ is not File:
                return None
            content = self._in_blocks(node)
            if content.place is not None:
                return content.place
            if type(content._blocks) is not dict:
                len(content._blocks)  # which reads what nobody has read
                content = self._in_blocks(node)
            if place is None or place.is_retired or content.size > place.capacity:
                place = Place(content.size, self._pool)
            try:
                self._writing = node  # what comes in between would miss what has moved
                settle_in_place(self, node, content, place)
            finally:
                self._writing = None
                if self._deferred:
                    self._run_deferred()
            return content.place
        except (OSError, MemoryError):
            return None
        finally:
            self._unlock()

    def _write_page(
        self, cursor: Cursor, position: int, count: int, memory: memoryview, start: int
    ) -> int:
        """Write `memory[start : start + count]` at a position; otherwise as `_write`.

        At once where it goes into one block of the file's own, or to the end of a small file, and
        no snapshot has to be told.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()  # a call, so before what is looked at
            data = memory[start : start + count]
            if self._newest is None and self._writing is None:
                try:
                    self._writing = cursor  # from here on nothing comes between, see _write_later
                    node = cursor._node
                    content: Any = node.content
                    size = node.size
                    end = position + count
                    if type(content) is BlockList:
                        block = content._blocks.get(position >> BLOCK_SHIFT)
                        offset = position & _OFFSET
                        if (
                            block is not None
                            and block.owner is content._token
                            and offset + count <= len(block.view)
                        ):
                            if end <= size:
                                block.view[offset : offset + count] = data
                                node.mtime = node.ctime = now
                                return count
                            account = node.account
                            growth = end - size
                            if position <= size and account.used + growth <= account.max_bytes:
                                block.view[offset : offset + count] = data
                                account.used += growth
                                content.counted += growth
                                content.size = node.size = end
                                node.mtime = node.ctime = now
                                return count
                    elif type(content) is KernelContent:
                        pass
                    elif position == size and end <= SMALL_FILE_LIMIT:
                        account = node.account
                        if account.used + count <= account.max_bytes:
                            if type(content) is bytearray:
                                content += data
                            else:
                                content = bytearray(content + data)
                            node.content = content
                            account.used += count
                            node.size = end
                            node.mtime = node.ctime = now
                            return count
                    elif type(content) is bytearray and end <= size:
                        content[position:end] = data
                        node.mtime = node.ctime = now
                        return count
                finally:
                    self._writing = None
                    if self._deferred:
                        self._run_deferred()
            cursor._position = position
            return self._write(cursor, data, count)
        except BaseException:
            node = None  # see UnlinkedRecord
            raise
        finally:
            self._unlock()
