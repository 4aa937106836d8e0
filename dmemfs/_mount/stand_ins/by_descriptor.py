"""What `open` makes of a descriptor, and of what an `opener` gives."""

from __future__ import annotations

import _io
import contextlib
import io
import operator
import os
import posix
from typing import Any

from ..._files.modes import OpenMode, check_buffering, check_text_arguments, flags_of_mode
from ..._files.opening import mode_of, text_file
from ..descriptors import FIRST_DESCRIPTOR, LARGEST_DESCRIPTOR, DescriptorTable
from ..files import DescriptorFile, LentFile, MountedRawFile, flags_of
from ..lending import NoDescriptorError
from ..likeness import Home

_lseek = posix.lseek
_real_open = _io.open

_HOW = os.O_WRONLY | os.O_RDWR | os.O_APPEND
_BUFFERS: dict[str, Any] = {"r": io.BufferedReader, "w": io.BufferedWriter, "+": io.BufferedRandom}


class ByDescriptor(Home):
    """Opens files on descriptors."""

    _descriptors: DescriptorTable

    def _open_descriptor(
        self,
        file: Any,
        mode: str,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        closefd: bool,
        opener: Any,
    ) -> Any:
        """Open what `opener` gives, or what is a descriptor itself."""
        if opener is not None and not hasattr(file, "__index__"):
            how = mode_of(mode)
            check_text_arguments(how, encoding, errors, newline)
            if not closefd:
                raise ValueError("Cannot use closefd=False with file name")
            name = os.fspath(file)
            number = self._number_from(opener, name, flags_of_mode(mode))
            if not isinstance(number, int):
                raise TypeError("expected integer from opener")
            if number < 0:
                raise ValueError(f"opener returned {number}")
            if not self._is_ours(number):
                return _real_open(
                    file, mode, buffering, encoding, errors, newline, True, lambda *_: number
                )
        else:
            number = operator.index(file)
            name = file
            if not self._is_ours(number):
                return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            how = mode_of(mode)
            check_text_arguments(how, encoding, errors, newline)
        buffering = check_buffering(how, buffering)
        raw = self._raw_file(number, name, how, closefd, opener)
        if buffering == 0:
            return raw
        size = 8192 if buffering in (-1, 1) else buffering
        kind = "+" if "+" in mode else "r" if "r" in mode else "w"
        buffer = _BUFFERS[kind](raw, size)
        if not how.text:
            return buffer
        return text_file(buffer, mode, 0, buffering, encoding, errors, newline)

    def _number_from(self, opener: Any, name: Any, flags: int) -> Any:
        """Return what an opener returns.

        A number that `os.open` gives it is for nobody but the file object that is being made, which
        gets a real one when it is asked for it: as where it is opened by its path.
        """
        here = self._descriptors.lent.in_opener
        former = getattr(here, "deep", False)
        here.deep = True
        try:
            return opener(name, flags)
        finally:
            if not former:
                del here.deep

    def _is_ours(self, number: int) -> bool:
        """Tell whether a descriptor leads to a mounted file, or is virtual."""
        if number < FIRST_DESCRIPTOR:
            return self._descriptors.lent.find(number) is not None
        return number <= LARGEST_DESCRIPTOR

    def _raw_file(self, number: int, name: Any, how: OpenMode, closefd: bool, opener: Any) -> Any:
        """Return the unbuffered file on a descriptor."""
        if number >= FIRST_DESCRIPTOR and opener is not None:
            number, lazy = self._without_number(number, name, how)
            if lazy is not None:
                return lazy
        if number < FIRST_DESCRIPTOR:
            file = LentFile(name, how.name, closefd, opener and (lambda *_: number))
            file._lending = self._descriptors.lent
            return file
        try:
            raw = DescriptorFile(
                self._descriptors, number, name=name, mode=how.name, closefd=closefd
            )
        except OSError as error:
            if opener is not None:
                self._descriptors.close(number)
            elif error.filename is None:
                error.filename = name
            raise
        if how.appends:
            raw.seek(0, os.SEEK_END)
        return raw

    def _without_number(self, number: int, name: Any, how: OpenMode) -> tuple[int, Any]:
        """Return what stands for the number that an opener got: a real one, or a file object."""
        description = self._descriptors.find(number)
        mount, node, flags = description.mount, description.node, description.flags
        if description.cursor is None or description.numbers > 1:
            return number, None
        position = description.cursor._position
        origin = (mount, self._descriptors, *description.opened_by)
        grant = mount.fs._hold_open(node, name)
        raw = MountedRawFile(
            mount.fs, node, name=name, mode=how.name, position=position, grant=grant
        )
        raw._origin, raw._descriptor = origin, -1
        if (flags_of(raw) ^ flags) & _HOW:
            raw.close()
            with contextlib.suppress(NoDescriptorError):
                real = self._descriptors.lent.lend(mount, node, flags, name, description.opened_by)
                _lseek(real, position, os.SEEK_SET)
                self._descriptors.close(number)
                return real, None
            return number, None
        self._descriptors.close(number)
        mount.remember(raw)
        if how.appends:
            raw.seek(0, os.SEEK_END)
        return number, raw
