"""Real directories as workspaces: what was changed in memory, for the disk or for nobody."""

from __future__ import annotations

import errno
import os
from functools import partial
from typing import Literal, overload

from .._errors import os_error
from .._nodes.nodes import Directory
from .._paths import StrPath
from .._transfer.differing import Difference, difference_of, text_of
from .._tree.closing import forget_what_is_not_loaded, require_open
from .overlays import Change, Overlay, changes_of, place_shown
from .real import RealTrees

# What is mounted replaces these in their module, and the disk is meant here.
_stat = os.stat


class Workspaces(RealTrees):
    """Tells and applies what was changed of real directories that `add_real` shows writable."""

    @overload
    def changes(self, path: StrPath | None = None) -> Difference: ...
    @overload
    def changes(
        self, path: StrPath | None = None, *, unified: Literal[True], context: int = 3
    ) -> str: ...
    @overload
    def changes(
        self, path: StrPath | None = None, *, unified: bool = False, context: int = 3
    ) -> Difference | str: ...
    def changes(
        self, path: StrPath | None = None, *, unified: bool = False, context: int = 3
    ) -> Difference | str:
        """Return what was changed of real files and directories that are shown writable.

        Args:
            path: where one of them is shown; None for all of them.
            unified: return it as a text in the form of `git diff`; see `Snapshot.diff`. The paths
                of one directory begin there, so that `git apply` takes it in the real one.
            context: how many lines around each change that shows.

        Raises:
            ValueError: nothing real is shown writable there.
            OSError: ESTALE, the text is asked for of a file that has changed on the disk.

        Complexity: O(nodes looked at), and O(bytes) of the files that may have been changed.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            overlays = _chosen(self, path)
            found = [
                change.differing
                for overlay in overlays
                for change in changes_of(self, overlay, with_data=unified)
            ]
        finally:
            self._unlock()
        if not unified:
            return difference_of(found)
        if len(overlays) == 1:
            above = len(overlays[0].point.rstrip("/"))
            found = [one._replace(path=one.path[above:] or one.path) for one in found]
        return text_of(found, context)

    def apply(self, path: StrPath | None = None, *, to: StrPath | None = None) -> Difference:
        """Make on the disk what was changed in memory: all of it, or nothing.

        First it is checked that what is to be changed is on the disk as it was when it was looked
        at. Everything new is written beside, in a directory `.NAME.*.apply`, then moved to its
        place, and what was there aside. Whatever fails or interrupts, all of it is put back. If the
        process is killed in the middle, what was replaced lies there. Files get their content,
        mode, owner and time of modification from memory; other names that they have on the disk
        keep the old content. Nothing is changed in memory.

        Args:
            path: where a real file or directory is shown; None for all that are shown writable.
            to: another real directory with the same files, to be changed instead of that which is
                shown.

        Returns:
            What was changed.

        Raises:
            OSError: ESTALE, the disk has changed since it was looked at; EBUSY, this file system is
                mounted; ENOENT, what was shown is not there any more; and those of the disk.
            ValueError: nothing real is shown writable there, or several are, and `to` is given.

        Complexity: O(nodes looked at), and O(bytes) of what was changed.
        """
        from .applying import Application, apply_all

        target = None if to is None else os.path.abspath(os.fsdecode(to))
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._follow_absolute is not None:
                text = f"{os.strerror(errno.EBUSY)}: it is mounted; apply at the end of the mount"
                raise OSError(errno.EBUSY, text)
            overlays = _chosen(self, path)
            if target is not None and len(overlays) != 1:
                raise ValueError(f"to= is for one of {[one.point for one in overlays]}; give path")
            applications = [
                Application(one, self._changes_to_apply(one), target or one.real)
                for one in overlays
            ]
        finally:
            self._unlock()
        apply_all(applications)
        return difference_of(
            change.differing for application in applications for change in application.changes
        )

    def _changes_to_apply(self, overlay: Overlay) -> list[Change]:
        node = self._peek(overlay.point, follow=False)
        if node is None or isinstance(node, Directory) != overlay.seen[overlay.real].is_directory:
            del node  # see UnlinkedRecord
            raise os_error(errno.ENOENT, overlay.point)
        return changes_of(self, overlay, with_data=False)

    def discard(self, path: StrPath | None = None) -> None:
        """Forget what was changed: real files and directories are shown as they are by now.

        Args:
            path: where one of them is shown; None for all that are shown writable.

        Raises:
            FileNotFoundError: it is not on the disk any more; nothing has changed.
            ValueError: nothing real is shown writable there.

        Complexity: O(nodes looked at).
        """
        for overlay in _chosen(self, path):
            _stat(overlay.real)
            try:
                if not self._try_lock(False):
                    self._wait_for_lock()
                node = self._peek(overlay.point, follow=False)
                if self._newest is None and isinstance(node, Directory):
                    forget_what_is_not_loaded(node)
                self._do_all_or_nothing(partial(self._show_anew, overlay))
            finally:
                self._unlock()

    def _show_anew(self, overlay: Overlay) -> None:
        node = self._peek(overlay.point, follow=False)
        if isinstance(node, Directory):
            self.rmtree(overlay.point)
        elif node is not None:
            self.remove(overlay.point)
        former = self._overlays
        self._overlays = tuple(one for one in former if one is not overlay)
        try:
            self.add_real(overlay.real, overlay.point, writable=True)
        except BaseException:
            self._overlays = former
            raise


def _chosen(tree: RealTrees, path: StrPath | None) -> list[Overlay]:
    """Return what is shown writable at a path, or all of it."""
    require_open(tree)
    if path is None:
        if not tree._overlays:
            raise ValueError(
                "nothing real is shown writable; add_real(path, writable=True) does so"
            )
        return list(tree._overlays)
    point = place_shown(path)
    found = [one for one in tree._overlays if one.point == point]
    if not found:
        points = ", ".join(repr(one.point) for one in tree._overlays) or "nothing"
        raise ValueError(f"{path!r} is not where something real is shown writable; {points} is")
    return found
