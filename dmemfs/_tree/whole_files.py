"""Files into and out of the file system, as plain bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import _paths
from .._history.history import shared_content
from .._nodes.content import BlockList
from .._nodes.nodes import Directory, File, Node
from .._paths import StrPath
from .listing import Traversal
from .removal import Made
from .storage import FixedCursor


class Transfer(Traversal):
    """Reads and writes whole files, one or a tree at a time."""

    def read_bytes(self, path: StrPath) -> bytes:
        """Return the content of a file; without a copy if it was written in one piece.

        Raises:
            FileNotFoundError: there is nothing.
            IsADirectoryError: it is a directory.
        """
        return self._read(FixedCursor(self._find_file(path), 0, path), -1)

    def write_bytes(self, path: StrPath, data: bytes | bytearray | memoryview) -> int:
        """Make a file of this content, or replace that of the file which is there, at once.

        Args:
            path: the file; a symbolic link is followed.
            data: the content; `bytes` are adopted without a copy.

        Returns:
            The number of bytes.

        Raises:
            FileNotFoundError: its directory is missing.
            IsADirectoryError: it is a directory.
            QuotaExceededError: it does not fit; nothing has changed.
        """
        content = data if type(data) is bytes else bytes(memoryview(data))
        with self._lock:
            self._put(path, content)
        return len(content)

    def read_text(
        self, path: StrPath, encoding: str | None = None, errors: str | None = None
    ) -> str:
        """Return the content of a file as text, line ends translated.

        Args:
            path: the file.
            encoding: the locale's by default.
            errors: how errors of the encoding are handled.
        """
        encoding = io.text_encoding(encoding)
        with io.TextIOWrapper(io.BytesIO(self.read_bytes(path)), encoding, errors) as text:
            return text.read()

    def write_text(
        self,
        path: StrPath,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make a file of this text, or replace the content of the file which is there, at once.

        Args:
            path: the file.
            data: the text.
            encoding: the locale's by default.
            errors: how errors of the encoding are handled.
            newline: how line ends are translated, as by `open`.

        Returns:
            The number of characters.
        """
        if not isinstance(data, str):
            raise TypeError(f"data must be str, not {type(data).__name__}")
        encoding = io.text_encoding(encoding)
        buffer = io.BytesIO()
        text = io.TextIOWrapper(buffer, encoding, errors, newline)
        text.write(data)
        text.flush()
        self.write_bytes(path, buffer.getvalue())
        return len(data)

    def export_as_bytesio(self, path: StrPath, max_size: int | None = None) -> io.BytesIO:
        """Return a copy of a file in an `io.BytesIO`, which no quota counts.

        Args:
            path: the file.
            max_size: the most bytes to export; None sets no limit.

        Raises:
            ValueError: the file is larger than `max_size`.
        """
        data = self.read_bytes(path)
        if max_size is not None and len(data) > max_size:
            raise ValueError(f"{path!r} has {len(data):,} bytes, more than max_size={max_size:,}")
        return io.BytesIO(data)

    def iter_export_tree(self, prefix: StrPath = "/") -> Iterator[tuple[str, bytes]]:
        """Yield path and content of each regular file below a directory, or of one file.

        Symbolic links are left out. A file removed before its turn comes is left out too.

        Args:
            prefix: the directory or file.

        Raises:
            FileNotFoundError: there is nothing at `prefix`.

        Complexity: O(nodes); one file's content at a time.
        """
        top = _paths.as_text(prefix)
        if isinstance(self._find(prefix), File):
            yield top, self.read_bytes(top)
            return
        for directory, _, names in self.walk(top):
            for name in names:
                path = _paths.join(directory, name)
                try:
                    node = self._find(path, follow=False)
                    if isinstance(node, File):
                        yield path, self.read_bytes(path)
                except FileNotFoundError:
                    continue

    def export_tree(self, prefix: StrPath = "/") -> dict[str, bytes]:
        """Return path and content of each regular file below a directory, all as of one moment.

        See `iter_export_tree`.
        """
        with self._lock:
            return dict(self.iter_export_tree(prefix))

    def import_tree(self, tree: Mapping[Any, bytes]) -> None:
        """Make or replace many files at once: all of them, or none.

        Args:
            tree: the content by path; missing directories are made.

        Raises:
            QuotaExceededError: they do not all fit; nothing has changed.
            OSError: a path leads through a file, or to a directory; nothing has changed.
            TypeError: a content is not bytes-like; nothing has changed.

        Complexity: O(files and their path components).
        """
        contents = {
            _paths.as_text(path): data if type(data) is bytes else bytes(memoryview(data))
            for path, data in dict(tree).items()
        }
        undo: list[Callable[[], object]] = []
        with self._lock:
            try:
                self._import_files(contents, undo)
            except BaseException:
                _do_backwards(undo)
                raise

    def _import_files(
        self, contents: Mapping[str, bytes], undo: list[Callable[[], object]]
    ) -> None:
        for path, data in contents.items():
            self._import_file(path, data, undo)

    def _import_file(self, path: str, data: bytes, undo: list[Callable[[], object]]) -> None:
        """Put one file into the tree; before each step, add to `undo` what takes it back."""
        made: list[Made] = []
        undo.append(partial(self._unmake, made))
        self._make_above(path, made)
        undo.append(self._undo_of_put(path))
        self._put(path, data)

    def _undo_of_put(self, path: str) -> Callable[[], object]:
        directory, name, node, _ = self._walk_path(path, follow=True, follow_with_slash=True)
        times = (directory.mtime, directory.ctime)
        if isinstance(node, File):
            content = shared_content(node)
            return partial(self._restore, node, content, node.mtime, node.ctime)
        return partial(self._remove_if_made, directory, name, node, *times)

    def _remove_if_made(
        self, directory: Directory, name: str, before: Node | None, mtime: int, ctime: int
    ) -> None:
        node = directory.children.get(name)
        if node is not None and before is None:
            self._remove_entry(directory, name, node, mtime)
        directory.mtime, directory.ctime = mtime, ctime

    def _restore(self, node: File, content: bytes | BlockList, mtime: int, ctime: int) -> None:
        self._replace_content(node, content)
        node.mtime, node.ctime = mtime, ctime


def _do_backwards(steps: list[Callable[[], object]]) -> None:
    while steps:
        steps.pop()()
