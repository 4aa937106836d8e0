"""What several connections see of one database, and which of them have to wait."""

from __future__ import annotations

from dataclasses import dataclass, field

Rows = dict[int, str]


class LockedError(Exception):
    """Raised where SQLite says that the database is locked."""


@dataclass(eq=False)
class Session:
    """One connection.

    Attributes:
        begun: whether it is between BEGIN and the end of the transaction.
        view: what it sees, once it has read or written in its transaction.
        version: which commit that was.
        writes: whether it is the one that may write.
        dirty: whether it has changed anything.
        pending: whether it tried to commit, and now keeps new readers out.
    """

    begun: bool = False
    view: Rows | None = None
    version: int = 0
    writes: bool = False
    dirty: bool = False
    pending: bool = False

    def end(self) -> None:
        self.begun = self.writes = self.dirty = self.pending = False
        self.view = None


@dataclass(eq=False)
class SharedRows:
    """A table of which each connection sees what SQLite promises.

    Args:
        journal: "wal", where readers and the writer do not hinder each other; "memdb", where the
            writer keeps out readers from the start; or a rollback journal's, where it does so from
            its first try to commit.
    """

    journal: str
    committed: Rows = field(default_factory=dict)
    version: int = 0
    sessions: list[Session] = field(default_factory=list)

    @property
    def at_rest(self) -> bool:
        """Whether nobody has a lock."""
        return all(session.view is None for session in self.sessions)

    def others(self, session: Session) -> list[Session]:
        return [one for one in self.sessions if one is not session]

    # What locks allow

    def _start_reading(self, session: Session) -> Rows:
        if session.view is not None:
            return session.view
        if self.journal != "wal" and any(
            one.pending or (one.writes and self.journal == "memdb") for one in self.others(session)
        ):
            raise LockedError
        session.version = self.version
        return dict(self.committed)

    def _start_writing(self, session: Session) -> Rows:
        view = self._start_reading(session)
        if not session.writes:
            if any(one.writes for one in self.others(session)):
                raise LockedError
            if self.journal == "wal" and session.version != self.version:
                raise LockedError  # It would overwrite what it has not seen.
        return view

    def _require_no_reader(self, session: Session) -> None:
        if self.journal != "wal" and any(one.view is not None for one in self.others(session)):
            raise LockedError

    # What connections do

    def begin(self, session: Session, *, immediate: bool) -> None:
        if immediate:
            session.view = self._start_writing(session)
            session.writes = True
        session.begun = True

    def read(self, session: Session) -> Rows:
        view = self._start_reading(session)
        if session.begun:
            session.view = view
        return view

    def write(self, session: Session, changes: dict[int, str | None]) -> None:
        """Put rows in, or take away those whose text is None."""
        view = self._start_writing(session)
        dirty = any(text is not None or number in view for number, text in changes.items())
        if not session.begun:
            self._require_no_reader(session)
        for number, text in changes.items():
            if text is None:
                view.pop(number, None)
            else:
                view[number] = text
        if session.begun:
            session.view, session.writes = view, True
            session.dirty = session.dirty or dirty
        elif dirty:
            self.become(view)

    def commit(self, session: Session) -> None:
        if session.writes:
            try:
                self._require_no_reader(session)
            except LockedError:
                session.pending = True
                raise
        if session.dirty:
            assert session.view is not None
            self.become(session.view)
        session.end()

    def become(self, rows: Rows) -> None:
        self.committed = dict(rows)
        self.version += 1
