"""Giving entries other names, in other directories too."""

from __future__ import annotations

import errno
from contextlib import suppress
from time import time_ns
from typing import TypeAlias

from .. import _paths
from .._errors import errno_of, os_error
from .._history.history import forget_creation, preserve, preserve_all, preserve_entry
from .._nodes.accounts import Account
from .._nodes.nodes import Directory, Node
from .._paths import StrPath, directory_above
from .._platform import shared_dict
from .creation import Creation
from .lookup import Place, is_within
from .recounting import Crossing
from .removal import Removal

Made: TypeAlias = tuple[str, Directory, int, int]
"""A directory that was made: its path, the directory above, and the times that one had before."""


class Renaming(Creation, Removal):
    """Gives entries other names."""

    def rename(self, src: StrPath, dst: StrPath) -> None:
        """Give the entry `src` the name `dst`, replacing what is there in the same instant.

        Args:
            src: a file, a symbolic link (itself, not what it leads to) or a directory.
            dst: the new path; its directory must exist. A file replaces a file, a directory an
                empty directory.

        Raises:
            FileNotFoundError: `src` or the directory of `dst` is missing.
            IsADirectoryError: `src` is no directory, and `dst` is one.
            NotADirectoryError: `src` is a directory, and `dst` is something else.
            OSError: EINVAL, a directory into itself; ENOTEMPTY; EBUSY for `.`, `..` and the root.

        Complexity: O(1) in what is below a directory, O(depth) in the height of the tree.
        """
        crossing: Crossing | None = None
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()
            try:
                source, target = self._place(src), self._place(dst)
            except OSError as error:
                _paths.as_text(dst)  # os looks at both arguments first
                raise os_error(errno_of(error), src, dst) from None
            old, old_name, node, old_slash = source
            new, new_name, replaced, new_slash = target
            if not (
                old is new
                and replaced is None
                and node is not None
                and not (old_slash or new_slash or old.removed or self._attached)
                and old_name not in _paths.SPECIAL_NAMES
            ):  # else it gets a free name in the same directory, as it mostly does
                code = self._obstacle_to_rename(source, target)
                if code:
                    del source, target, node, replaced  # see UnlinkedRecord
                    raise os_error(code, src, dst)
                if node is None or node is replaced:  # two names of one file: POSIX leaves both
                    return
            moves_directory = isinstance(node, Directory)
            if old.account is not new.account:
                try:
                    crossing = self._prepare_crossing(node, old.account, new.account, dst)
                except BaseException:
                    del source, target, node, replaced  # see UnlinkedRecord
                    raise
            if self._newest is not None:
                self._preserve_rename(source, target)
            record = None
            if replaced is not None and not moves_directory:
                record = self._record_lost_link(replaced)
            remembered = self._directories
            if moves_directory and node.remembered:  # type: ignore[attr-defined]
                remembered = shared_dict({"": self._root})
            entries, taken = old.children, new_name in new.children
            if (
                old_name not in entries
                or entries[old_name] is not node
                or taken is (replaced is None)
            ):
                return self.rename(src, dst)  # a signal handler changed it a moment ago
            old.mtime = old.ctime = new.mtime = new.ctime = node.ctime = now
            if moves_directory:
                old.nlink -= 1
                new.nlink += 1
                node.parent = new  # type: ignore[attr-defined]
            if replaced is not None:
                replaced.ctime = now
                replaced.nlink -= 1
                if moves_directory:
                    new.nlink -= 1
                    replaced.nlink = 0
                    replaced.removed = True  # type: ignore[attr-defined]
                if record is not None:
                    record.counts = True
                    record.account.parent.aside += record.account.reserved
                    record.account.parent.aside_nodes += 1
                    replaced.account = record.account
                elif moves_directory:
                    new.account.nodes -= 1
                    if replaced.account is not new.account:
                        replaced.account.in_use = False  # type: ignore[attr-defined]
                elif not replaced.nlink:
                    replaced.account.nodes -= replaced.counts_as  # type: ignore[attr-defined]
            del old.children[old_name]
            new.children[new_name] = node
            if crossing is not None:
                crossing.begun = True
            if remembered is not self._directories:
                self._directories = remembered
                node.remembered = False  # type: ignore[attr-defined]
            if replaced is not None:
                if not replaced.nlink:
                    forget_creation(self, replaced)
                del source, target, node, replaced
                self._account.settle_gone()
        finally:
            try:
                if crossing is not None:
                    crossing.complete()
            finally:
                self._unlock()

    replace = rename

    def move(self, src: StrPath, dst: StrPath) -> None:
        """Rename, making the missing directories above `dst`.

        Raises:
            OSError: as `rename`; nothing has changed.
        """
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                self._find(src, follow=False)
            except OSError as error:
                _paths.as_text(dst)  # as in rename
                raise os_error(errno_of(error), src, dst) from None
            try:
                self._make_above(dst, made)
                self.rename(src, dst)
            except BaseException:
                self._unmake(made)
                raise
        finally:
            self._unlock()

    def makedirs(self, path: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory and the missing ones above it: all of them, or none.

        Args:
            path: where.
            mode: permission bits of the last directory, less the umask 0o022; the ones above it
                get 0o755.
            exist_ok: do nothing where a directory is there already.

        Raises:
            FileExistsError: something is there.
            NotADirectoryError: a component above is not a directory.
            QuotaExceededError: `max_nodes` is reached; nothing has changed.
        """
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                is_missing = self._make_above(path, made, exist_ok=True)
                if is_missing and _paths.as_text(path).rstrip("/").endswith("/."):
                    return
                self.mkdir(path, mode, exist_ok=exist_ok)
            except BaseException:
                self._unmake(made)
                raise
        finally:
            self._unlock()

    def _make_above(self, path: StrPath, made: list[Made], *, exist_ok: bool = False) -> bool:
        """Make the missing directories above `path`; before each, add it to `made`.

        Args:
            path: of what is to be made below them.
            made: what `_unmake` takes.
            exist_ok: leave it to whoever goes on that something else is in the way.

        Returns:
            Whether there was any that is missing.
        """
        all_missing = self._missing_above(_paths.as_text(path))
        for missing in all_missing:
            if not self.exists(missing):  # "new/.." is there as soon as "new" is
                above = self._peek(directory_above(missing) or "/")
                if isinstance(above, Directory):
                    made.append((missing, above, above.mtime, above.ctime))
                try:
                    self.mkdir(_paths.as_given(missing, path))
                except FileExistsError:
                    del made[-1:]  # a link that leads nowhere
                    if not exist_ok:
                        raise
        return bool(all_missing)

    def _prepare_crossing(
        self, node: Node, origin: Account, target: Account, path: StrPath
    ) -> Crossing:
        """Prepare for `node` to be counted elsewhere.

        Raises:
            QuotaExceededError: it does not fit there.

        Complexity: O(nodes below).
        """
        crossing = Crossing(node, origin, target)
        del node  # see UnlinkedRecord
        try:
            preserve_all(self, crossing.nodes)
            crossing.require(path)
        except BaseException:
            del crossing
            raise
        return crossing

    def _preserve_rename(self, source: Place, target: Place) -> None:
        """Keep what the entries and nodes are that a rename changes."""
        for directory, name, node, _ in (source, target):
            preserve_entry(self, directory, name)
            if node is not None:
                preserve(self, node)

    def _unmake(self, directories: list[Made]) -> None:
        """Remove the directories of a failed operation, as far as they were made."""
        for path, above, mtime, ctime in reversed(directories):
            with suppress(OSError):
                self._rmdir(path)
                above.mtime, above.ctime = mtime, ctime

    def _obstacle_to_rename(self, source: Place, target: Place) -> int:
        """Return the errno of what forbids a rename, 0 if nothing does, in the kernel's order."""
        _, name, node, wants_directory = source
        above, new_name, replaced, target_wants_directory = target
        if name in _paths.SPECIAL_NAMES or new_name in _paths.SPECIAL_NAMES:
            return errno.EBUSY
        if node is None or above.removed:
            return errno.ENOENT
        if not isinstance(node, Directory):
            if wants_directory or target_wants_directory:
                return errno.ENOTDIR
            if not isinstance(replaced, Directory):
                return 0
            return errno.ENOTEMPTY if is_within(source[0], replaced) else errno.EISDIR
        if (
            replaced is not node
            and isinstance(replaced, Directory)
            and is_within(source[0], replaced)
        ):
            return errno.ENOTEMPTY
        if is_within(above, node):
            return errno.EINVAL
        if replaced is node:
            return 0
        if replaced is not None and not isinstance(replaced, Directory):
            return errno.ENOTDIR
        if self._attached and (self._is_busy(node) or self._is_busy(replaced)):
            return errno.EBUSY
        return errno.ENOTEMPTY if replaced is not None and replaced.children else 0
