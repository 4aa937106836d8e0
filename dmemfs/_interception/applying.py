"""Making on the disk what was changed in memory: all of it, or nothing as far as a disk allows.

Everything new is first written beside the directory that is to be changed. Then each step is a
rename, or a change of attributes, and is noted before it is done: whatever fails or interrupts, the
steps are taken back, the last one first. What was replaced lies beside, too, until all is done.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from .. import _platform
from .._errors import report_unraisable
from .._transfer.entries import Entry
from .._transfer.formats.disk import make_entry, native_path, set_metadata
from .._transfer.grafting import entries_below
from .._transfer.progress import Meter
from .overlays import Change, Overlay, Seen, is_still, mark_of, moved_on, seen_as


class Application:
    """One change of a directory or file on the disk, from its preparation to its end.

    Args:
        overlay: what is shown in memory.
        changes: what was changed there, with the lock held.
        target: the real path to change.
    """

    def __init__(self, overlay: Overlay, changes: list[Change], target: str) -> None:
        self.changes = changes
        self._overlay = overlay
        self._target = target
        self._is_elsewhere = os.path.realpath(target) != os.path.realpath(overlay.real)
        self._times = [None if one.node is None else one.node.ctime for one in changes]
        self._removed = _topmost(one.real for one in changes if _goes(one))
        self._added = _topmost(one.real for one in changes if _comes(one))
        nodes: dict[str, Any] = {one.real: one.node for one in changes}
        self._entries: dict[str, list[Entry]] = {
            real: entries_below(nodes[real]) for real in self._added
        }
        self._place = ""
        self._undo: list[Callable[[], object]] = []

    def check(self) -> None:
        """Raise OSError (ESTALE) where the disk is otherwise than when it was looked at."""
        for one in self.changes:
            place = self._on_disk(one.real)
            seen = self._overlay.seen.get(one.real)
            if seen is not None:
                self._require_same(seen, one.real, place)
            elif os.path.lexists(place):
                raise moved_on(place)
        for real in self._removed:
            for directory, directories, files in os.walk(self._on_disk(real)):
                for name in (*directories, *files):
                    place = os.path.join(directory, name)
                    known = self._overlay.seen.get(self._in_overlay(place))
                    if known is None:
                        raise moved_on(place)
                    self._require_same(known, self._in_overlay(place), place)

    def prepare(self) -> None:
        """Write everything new beside the target."""
        self._place = _make_place(self._target)
        for number, entries in enumerate(self._entries.values()):
            meter = Meter(None, 0)
            directories: list[tuple[Any, Entry]] = []
            for entry in entries:
                path = f"new{number}/{entry.path}" if entry.path else f"new{number}"
                target = entry.target
                if entry.kind == "link":
                    target = f"new{number}/{target}" if target else f"new{number}"
                made = entry._replace(path=path, target=target)
                make_entry(made, native_path(self._place), directories, meter)
            for path, entry in reversed(directories):
                set_metadata(path, entry)

    def do(self) -> None:
        """Change the target."""
        for number, real in enumerate(self._removed):
            stash = os.path.join(self._place, f"old{number}")
            place = self._on_disk(real)
            self._undo.append(partial(_move_if_there, stash, place))
            os.rename(place, stash)
        for number, real in enumerate(self._entries):
            staged = os.path.join(self._place, f"new{number}")
            place = self._on_disk(real)
            if os.path.lexists(place):
                raise moved_on(place)
            self._undo.append(partial(_move_if_gone, staged, place))
            os.rename(staged, place)
        for one in self.changes:
            if not (_goes(one) or _comes(one)):
                place, after = self._on_disk(one.real), one.differing.after
                status = os.lstat(place)
                owner = (status.st_uid, status.st_gid)
                self._undo.append(partial(_set_attributes, place, status.st_mode, owner))
                assert after is not None, "it is there"
                _set_attributes(place, after.mode, after.owner)

    def undo(self) -> None:
        """Put back what was changed; an interrupt waits until that is done."""
        interrupt: BaseException | None = None
        while self._undo:
            try:
                self._undo[-1]()
                self._undo.pop()
            except OSError as error:
                report_unraisable(error, f"not put back; see {self._place}", self)
                self._undo.pop()
                self._place = ""  # where it lies, and is to stay
            except BaseException as error:
                interrupt = error
        self._look_again()
        if interrupt is not None:
            raise interrupt

    def _look_again(self) -> None:
        """Recognise on the disk what was moved away and back, which its time of change tells."""
        seen = self._overlay.seen
        for one in self.changes:
            known = seen.get(one.real)
            if known is None or self._is_elsewhere:
                continue
            with suppress(OSError):
                mark = mark_of(os.lstat(one.real))
                if mark[:-1] == known.mark[:-1]:
                    seen[one.real] = known._replace(mark=mark)

    def remember(self) -> None:
        """Know the disk as it is now, so that nothing is changed in memory any more."""
        if self._is_elsewhere:
            return
        for one, changed in zip(self.changes, self._times, strict=True):
            if one.node is None or changed is None:
                self._overlay.seen.pop(one.real, None)
                continue
            with suppress(OSError):
                seen = seen_as(os.lstat(one.real), one.node)
                self._overlay.seen[one.real] = seen._replace(changed=changed)

    def clear(self) -> None:
        """Remove what lies beside the target."""
        if self._place:
            shutil.rmtree(self._place, ignore_errors=True)

    def _on_disk(self, real: str) -> str:
        return self._target + real[len(self._overlay.real) :]

    def _in_overlay(self, place: str) -> str:
        return self._overlay.real + place[len(self._target) :]

    def _require_same(self, seen: Seen, real: str, place: str) -> None:
        if not is_still(seen, real) or (self._is_elsewhere and not _are_alike(real, place)):
            raise moved_on(place)


def apply_all(applications: list[Application]) -> None:
    """Do several applications, all of them or none."""
    try:
        for one in applications:
            one.check()
        for one in applications:
            one.prepare()
        try:
            for one in applications:
                one.do()
            _remember_all(applications)
        except BaseException:
            for one in reversed(applications):
                one.undo()
            raise
    finally:
        for one in applications:
            one.clear()


def _goes(one: Change) -> bool:
    """Tell whether something is taken away at a path, or replaced."""
    return one.differing.before is not None and not one.differing.has_same_content


def _comes(one: Change) -> bool:
    return one.differing.after is not None and not one.differing.has_same_content


def _topmost(paths: Iterable[str]) -> list[str]:
    """Return the paths that lie below no other one of them, in their order."""
    found: list[str] = []
    for path in sorted(paths, key=lambda path: path.split(os.sep)):
        if not found or not path.startswith(f"{found[-1]}{os.sep}"):
            found.append(path)
    return found


def _make_place(target: str) -> str:
    """Return a new directory beside the target, on the same device."""
    above, name = os.path.split(os.path.realpath(target))
    prefix = f".{name[:100]}."
    with suppress(OSError):
        if os.stat(above).st_dev == os.lstat(target).st_dev:
            return tempfile.mkdtemp(prefix=prefix, suffix=".apply", dir=above)
    return tempfile.mkdtemp(prefix=prefix, suffix=".apply", dir=target)


def _move_if_there(stash: str, place: str) -> None:
    if os.path.lexists(stash):
        os.rename(stash, place)


def _move_if_gone(staged: str, place: str) -> None:
    if not os.path.lexists(staged):
        os.rename(place, staged)


def _set_attributes(place: str, mode: int, owner: tuple[int, int]) -> None:
    status = os.lstat(place)
    if _platform.chown is not None and owner != (status.st_uid, status.st_gid):
        _platform.chown(place, *owner, follow_symlinks=False)
    if not stat.S_ISLNK(mode):
        _platform.set_mode(place, stat.S_IMODE(mode))


def _are_alike(one: str, other: str) -> bool:
    """Tell whether two real paths lead to the same kind and content."""
    try:
        status, other_status = os.lstat(one), os.lstat(other)
        if stat.S_IFMT(status.st_mode) != stat.S_IFMT(other_status.st_mode):
            return False
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(one) == os.readlink(other)
        return stat.S_ISDIR(status.st_mode) or filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _remember_all(applications: list[Application]) -> None:
    try:
        for one in applications:
            one.remember()
            one._undo.clear()
    except BaseException:
        for one in applications:  # what is done stays done
            one.remember()
            one._undo.clear()
        raise
