"""What the command line says about URIs and about database files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from .._courier.copy import opened_image
from .._engine.image import BadImageError, ImageHeader, read_header
from .._engine.integrity import DAMAGE, integrity_problems
from .._engine.journals import UnreadableFileError, read_database_file
from .._engine.sql import quote_name, table_names
from .._engine.uri import explain_uri
from .report import format_size, write_table

_ENGINES = {
    "memdb": "memdb: connections wait for each other's locks, as with a file",
    "shared-cache": "shared cache: no size limit, but a lock is an error at once, whatever the "
    "timeout says (unless connections come from this package)",
    None: "a database of its own for every connection",
}


class InspectionError(Exception):
    """Raised for a file that is no database; the text says why."""


def describe_uri(uri: str, write: Callable[[str], object]) -> bool:
    """Explain what SQLite does with a URI, and return whether `load_db` takes it."""
    explanation = explain_uri(uri)
    where = {
        "memory": "in memory",
        "disk": "on disk",
        "nowhere": "nowhere: it cannot be opened",
    }[explanation.place]
    facts = [("URI", uri), ("database", where)]
    if explanation.place != "nowhere":
        facts.append(("name", repr(explanation.name)))
        facts.append(("seen by", _seen_by(explanation.place, explanation.shared)))
    if explanation.place == "memory" and (explanation.engine or not explanation.shared):
        facts.append(("engine", _ENGINES[explanation.engine]))
    facts.append(("verdict", explanation.problem or "good"))
    if explanation.suggestion is not None:
        facts.append(("write", explanation.suggestion))
    _print_facts(facts, write)
    return explanation.problem is None


def _seen_by(place: str, shared: bool) -> str:
    if not shared:
        return "the one connection that opens it (private)"
    if place == "disk":
        return "every program that opens the file"
    return "all connections of this process (shared)"


def describe_file(file: str, write: Callable[[str], object]) -> bool:
    """Print what a database file holds, and return whether it is sound.

    Raises:
        InspectionError: It is no whole database.
    """
    try:
        content = read_database_file(file)
        header = read_header(content.image)
    except (UnreadableFileError, BadImageError) as error:
        raise InspectionError(f"{file}: {error}") from error
    with opened_image(content.image, header) as connection:
        # Counted before the check, which may give the connection stand-ins.
        try:
            tables = [(name, _count(connection, name)) for name in table_names(connection)]
        except DAMAGE as error:
            tables, problems = [], [str(error)]
        else:
            problems = integrity_problems(connection, full=True)
    facts = [("file", file), *_header_facts(header)]
    facts += [("beside it", note) for note in content.notes]
    facts += [("integrity", problem) for problem in problems or ["ok"]]
    _print_facts(facts, write)
    if tables:
        write("\n")
        write_table(write, ("table", "rows"), *tables)
    return not problems


def _header_facts(header: ImageHeader) -> list[tuple[str, str]]:
    return [
        ("size", f"{format_size(header.size)} ({header.size:,} bytes)"),
        (
            "pages",
            f"{header.page_count:,} of {header.page_size:,} bytes, {header.freelist_count:,} free",
        ),
        ("encoding", header.encoding),
        ("journal mode", "WAL" if header.wal else "rollback journal"),
        ("auto-vacuum", header.auto_vacuum),
        ("user version", str(header.user_version)),
        ("application", str(header.application_id)),
        ("written by", f"SQLite {header.sqlite_version}"),
    ]


def _count(connection: sqlite3.Connection, table: str) -> str:
    try:
        (rows,) = connection.execute(f"SELECT count(*) FROM {quote_name(table)}").fetchone()
    except sqlite3.OperationalError as error:
        return str(error)
    return f"{rows:,}"


def _print_facts(facts: list[tuple[str, str]], write: Callable[[str], object]) -> None:
    for name, text in facts:
        write(f"{name:<14}{text}\n")
