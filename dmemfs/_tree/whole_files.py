"""Whole files, as bytes and as text."""

from __future__ import annotations

import io
from time import time_ns

from .._arguments import byte_count, bytes_of
from .._paths import StrPath
from .creation import Creation
from .cursors import FixedCursor


class WholeFiles(Creation):
    """Reads and writes whole files."""

    def read_bytes(self, path: StrPath) -> bytes:
        """Return the content of a file; without a copy if it was written in one piece.

        Raises:
            FileNotFoundError: there is nothing.
            IsADirectoryError: it is a directory.
        """
        node = self._find_file(path)
        content = node.content
        if content.__class__ is bytes and not self._interceptors:
            if node.atime <= node.ctime:
                node.atime = time_ns()
            return content
        cursor = FixedCursor(node, 0, path)
        try:
            return self._read(cursor, -1)
        except BaseException:
            del node, content, cursor  # see UnlinkedRecord
            raise

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
        content = (
            data
            if type(data) is bytes
            else bytes_of(data, path, for_text="for text there is write_text()")
        )
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            self._put(path, content)
        finally:
            self._unlock()
        return len(content)

    def read_text(
        self,
        path: StrPath,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> str:
        """Return the content of a file as text.

        Args:
            path: the file.
            encoding: the locale's by default.
            errors: how errors of the encoding are handled.
            newline: how line ends are translated, as by `open`.
        """
        encoding = io.text_encoding(encoding)
        data = io.BytesIO(self.read_bytes(path))
        with io.TextIOWrapper(data, encoding, errors, newline) as text:
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
            raise TypeError(
                f"data must be str, not {type(data).__name__}; for bytes there is write_bytes()"
            )
        encoding = io.text_encoding(encoding)
        buffer = io.BytesIO()
        text = io.TextIOWrapper(buffer, encoding, errors, newline)
        text.write(data)
        text.flush()
        self.write_bytes(path, buffer.getvalue())
        return len(data)

    def export_as_bytesio(self, path: StrPath, max_size: int | str | None = None) -> io.BytesIO:
        """Return a copy of a file in an `io.BytesIO`, which no quota counts.

        Args:
            path: the file.
            max_size: the most bytes to export, as a number or a text such as "64 MiB"; None sets
                no limit.

        Raises:
            ValueError: the file is larger than `max_size`.
        """
        most = byte_count(max_size, "max_size")
        data = self.read_bytes(path)
        if most is not None and len(data) > most:
            raise ValueError(f"{path!r} has {len(data):,} bytes, more than max_size={most:,}")
        return io.BytesIO(data)
