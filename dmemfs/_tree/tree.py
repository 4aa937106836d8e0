"""The tree, put together; and what of it live databases may use."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, Protocol, TypeAlias

from .._history.history import do_all_or_nothing
from .._mutex import Lock
from .._nodes.content import BlockList
from .._nodes.nodes import Directory, File, Node
from .._nodes.places import Place
from .._paths import StrPath
from .attributes import Attributes
from .copying import Copying
from .cursors import Cursor
from .dismantling import dismantling_of
from .listing import Listing
from .opened import Opening, hold_open
from .quotas import Quotas
from .whole_files import WholeFiles

RecordKeeper: TypeAlias = Callable[[File], Iterable[tuple[int, int, bool]]]
"""See `Tree`."""


class Tree(Attributes, Listing, WholeFiles, Copying, Quotas):
    """One tree of nodes under one lock, with all that `os` and `shutil` do.

    Attributes:
        _plain_class: the class that asks nobody, if this is one that does.
        _modes: the modes in which files are opened; of `dmemfs._files.modes`.
        _reports_unclosed: whether file objects that nobody closed are warned about.
        _imitated: the kinds of special files that are made as regular ones which have their mode.
        _paths_found: where files were that somebody was asked about.
        _interception_observers: called, with the lock held, when others are asked from then on.
        _overlays: what is real and may be changed, see `dmemfs._interception.overlays`.
        _record_locks: what programs have locked of files, see `dmemfs._kernel.locking`; None until
            one has seen the file system.
        _record_keepers: called with the lock held, for a file: tell what of it this process itself
            has locked against them, as (first byte, last byte, whether nobody else may read).
    """

    _record_locks: Any = None

    _overlays: tuple[Any, ...] = ()

    _plain_class: ClassVar[Any] = None
    _modes: dict[str, Any]
    _reports_unclosed: ClassVar[bool] = True
    _imitated: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self, max_bytes: int | None, max_nodes: int | None, lock: Lock | None = None
    ) -> None:
        super().__init__(max_bytes, max_nodes, lock)
        self._paths_found: weakref.WeakKeyDictionary[File, str] = weakref.WeakKeyDictionary()
        self._interception_observers: list[Callable[[], object]] = []
        self._record_keepers: list[RecordKeeper] = []
        self._dismantling = dismantling_of(self)

    def _ask(
        self, operation: str, *paths: Any, node: Node | None = None, changes: bool | None = None
    ) -> None:
        """Raise what somebody has against an operation that is no method here: nobody has.

        Args:
            operation: what is about to be done.
            paths: to what, as given.
            node: the node, where it is not a path that leads to it.
            changes: whether anything is changed, where the operation does not tell.
        """

    def _do_all_or_nothing(self, operation: Callable[[], object]) -> None:
        """Do something with the lock held, and undo all of it if it raises."""
        do_all_or_nothing(self, operation)

    def _hold_open(self, node: File, path: Any) -> Opening | None:
        """Return what is to be released when a file is closed; None where nobody has to know.

        Raises:
            QuotaExceededError: see `hold_open`.
        """
        openings = self._account.openings
        return None if openings is None else hold_open(self, openings, node, path)


class TreeOfDatabases(Protocol):
    """What `dmemfs_sqlite` uses of a tree besides what is public.

    Most of it is for speed: SQLite reads and writes a page at a time, and each call of a public
    method would cost as much as the page. A database and its journals change as one.
    """

    _directories: dict[str, Directory]
    _interceptors: tuple[Any, ...]
    _interception_observers: list[Callable[[], object]]
    _record_keepers: list[RecordKeeper]
    _record_locks: Any
    _restore_guards: list[Callable[[Collection[Node]], None]]
    _try_lock: Any
    _unlock: Any

    def _wait_for_lock(self) -> None: ...
    def _do_all_or_nothing(self, operation: Callable[[], object]) -> None: ...
    def _hold_open(self, node: File, path: Any) -> Opening | None: ...
    def _where(self, path: str) -> tuple[Any, str]: ...
    def _peek(self, path: StrPath, *, follow: bool = True) -> Node | None: ...
    def _file_to_open(
        self,
        path: StrPath,
        *,
        create: bool = False,
        exclusive: bool = False,
        content: bytes | BlockList = b"",
    ) -> File: ...
    def _create_file(
        self, directory: Directory, name: str, path: StrPath, content: bytes | BlockList = b""
    ) -> File | None: ...
    def _read(self, cursor: Cursor, count: int) -> bytes: ...
    def _read_page(
        self, node: File, position: int, count: int, memory: memoryview, start: int
    ) -> int: ...
    def _write_page(
        self, cursor: Cursor, position: int, count: int, memory: memoryview, start: int
    ) -> int: ...
    def _truncate(self, node: File, size: int, path: Any) -> None: ...
    def _settle_in_place(self, node: File, place: Place | None) -> Place | None: ...
    def _ask(
        self, operation: str, *paths: Any, node: Node | None = None, changes: bool | None = None
    ) -> None: ...
