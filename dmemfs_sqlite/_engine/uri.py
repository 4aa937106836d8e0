"""SQLite's URI grammar, and which URIs name an in-memory database that threads can join.

The grammar, as sqlite3_open_v2 reads it with uri=True (everything is case-sensitive):

    uri    = "file:" [ "//" ( "" | "localhost" ) ] path [ "?" query ] [ "#" ignored ]
    query  = option *( "&" option )          an option that SQLite does not know is ignored
    option = key [ "=" value ]               of a key given twice the last value counts
    path, key, value: "%HH" is one byte, and "%00" ends the component

A name that does not begin with "file:" is the path of a file on disk, ":memory:" and ""
aside. Two forms make a named database in memory that all connections of the process share:

    file:/NAME?vfs=memdb                     waits for locks like a file; the slash is needed
    file:NAME?mode=memory&cache=shared       no size limit; never waits for a lock
"""

from __future__ import annotations

import functools
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from dmemfs._arguments import by_name

from .._errors import UnsafeURIError

Engine = Literal["memdb", "shared-cache"]
Place = Literal["memory", "disk", "nowhere"]

# Bytes, a little below what SQLite takes for a path of memdb.
_LONGEST_NAME = 1000
_VALUES = {
    "mode": ("access", ("ro", "rw", "rwc", "memory")),
    "cache": ("cache", ("shared", "private")),
}


@dataclass(frozen=True, slots=True)
class URIExplanation:
    """What SQLite does with a URI that is opened with uri=True.

    Attributes:
        uri: The URI explained.
        place: "memory", "disk", or "nowhere" where opening it fails.
        shared: Whether two connections of this process get the same database.
        engine: "memdb" or "shared-cache" where it is shared in memory, else None.
        name: Name of the database after decoding.
        problem: Why it cannot be loaded into, or None where it can.
        suggestion: What to write instead, or None where nothing is wrong.
    """

    uri: str
    place: Place
    shared: bool
    engine: Engine | None
    name: str
    problem: str | None
    suggestion: str | None


@by_name
def memory_uri(name: str, *, engine: Engine | None = None) -> str:
    """Return the URI of a named in-memory database that every thread can join.

    Args:
        name: Any text without NUL, up to 1000 bytes in UTF-8; two equal names are one
            database in this process.
        engine: "memdb" (waits for locks as a file does) or "shared-cache" (no size limit,
            but SQLITE_LOCKED at once, whatever the timeout says). Without it memdb where
            a probe of this process finds it correct, otherwise the shared cache.

    Returns:
        A URI to be opened with `uri=True`.

    Raises:
        ValueError: The name is empty, too long or holds a NUL, or no such engine exists.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a database must be str, not {type(name).__name__}")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"a name may have up to {_LONGEST_NAME} bytes, not {len(name.encode())}")
    if not name or "\x00" in name:
        raise ValueError(f"a name of at least one character and without NUL is needed: {name!r}")
    if engine is None:
        engine = "memdb" if memdb_is_sound() else "shared-cache"
    quoted = quote(name, safe="")
    if engine == "memdb":
        return f"file:/{quoted}?vfs=memdb"
    if engine == "shared-cache":
        # Without a letter of its own in front, ":memory:" and "//host" would be special.
        return f"file:{quoted}?mode=memory&cache=shared"
    raise ValueError(f"engine must be 'memdb' or 'shared-cache', not {engine!r}")


@functools.cache
def memdb_is_sound() -> bool:
    """Tell whether `file:/NAME?vfs=memdb` is shared and isolates readers from writers.

    Decided by behaviour and not by version: SQLite before 3.36 gives every connection a
    database of its own, and 3.36.0 to 3.40.0 let a writer in while others still read.
    """
    uri = f"file:/probe-{secrets.token_hex(8)}?vfs=memdb"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as writer,
            closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as reader,
        ):
            writer.execute("CREATE TABLE probe(x)")
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM probe").fetchall()
            try:
                writer.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return True
            return False
    except sqlite3.Error:
        return False


def explain_uri(uri: str) -> URIExplanation:
    """Say where SQLite would put a database, and who would share it.

    Args:
        uri: What would be given to `sqlite3.connect(uri, uri=True)`.

    Returns:
        The explanation; no database of that name is opened.
    """
    _require_text(uri)
    if not uri.startswith("file:"):
        return _explain_plain_name(uri)
    try:
        path, options = _parse(uri)
    except ValueError as error:
        name = uri[len("file:") :].partition("?")[0].rpartition("/")[2]
        return _explanation(uri, "nowhere", name=name, problem=str(error))
    mode, cache, vfs = options.get("mode"), options.get("cache"), options.get("vfs")
    if vfs not in (None, "memdb") and not _has_vfs(vfs):
        problem = f"SQLite refuses it: no such vfs: {vfs}"
        if vfs.startswith("dmemfs-"):
            problem += " (its file system is gone, or it is of another SQLite library)"
        return _explanation(uri, "nowhere", name=path, problem=problem)
    if mode == "memory" or path == ":memory:":
        return _explain_shared_cache(uri, path, cache == "shared")
    if vfs == "memdb":
        return _explain_memdb(uri, path, mode, cache, options)
    if not path:
        problem = "it names no database: SQLite makes a private temporary file"
        return _explanation(uri, "disk", name=path, problem=problem)
    return _explanation(uri, "disk", name=path, shared=True, problem=_why_disk(uri, options))


def require_memory_uri(uri: str) -> URIExplanation:
    """Return the explanation of a URI that names memory, or refuse it.

    Raises:
        UnsafeURIError: It would reach the disk, be silently private, or not open at all.
    """
    _require_text(uri)
    explanation = explain_uri(uri)
    if explanation.problem is not None:
        raise UnsafeURIError(uri, explanation.problem, explanation.suggestion)
    return explanation


def _require_text(uri: object) -> None:
    if not isinstance(uri, str):
        raise TypeError(f"the URI of a database must be str, not {type(uri).__name__}")


def _parse(uri: str) -> tuple[str, dict[str, str]]:
    """Split a URI into its decoded path and its options, as SQLite does."""
    rest = uri[len("file:") :]
    if rest.startswith("//"):
        authority, slash, tail = rest[2:].partition("/")
        if authority not in ("", "localhost"):
            raise ValueError(f"SQLite refuses it: invalid uri authority: {authority}")
        rest = slash + tail
    rest = rest.partition("#")[0].partition("\x00")[0]
    path, _, query = rest.partition("?")
    options = {}
    for option in query.split("&"):
        key, _, value = map(_decode, option.partition("="))
        # Also a value that a later one replaces has to be one that exists.
        if key in _VALUES and value not in _VALUES[key][1]:
            raise ValueError(f"SQLite refuses it: no such {_VALUES[key][0]} mode: {value}")
        if key:
            options[key] = value
    return _decode(path), options


def _has_vfs(name: str | None) -> bool:
    """Tell whether SQLite knows a VFS, by a private database that needs none."""
    try:
        sqlite3.connect(f"file:?mode=memory&vfs={quote(name or '', safe='')}", uri=True).close()
    except sqlite3.OperationalError:
        return False
    return True


def _decode(component: str) -> str:
    """Undo percent-encoding; unlike urllib, a NUL ends the component."""
    raw = component.encode("utf-8", "surrogateescape")
    out = bytearray()
    position = 0
    while position < len(raw):
        pair = raw[position + 1 : position + 3]
        if raw[position] == 0x25 and len(pair) == 2 and _is_hexadecimal(pair):
            byte = int(pair, 16)
            if byte == 0:
                break
            out.append(byte)
            position += 3
        else:
            out.append(raw[position])
            position += 1
    return out.decode("utf-8", "surrogateescape")


def _is_hexadecimal(pair: bytes) -> bool:
    return all(byte in b"0123456789abcdefABCDEF" for byte in pair)


def _explain_plain_name(uri: str) -> URIExplanation:
    if uri == ":memory:":
        return _explanation(uri, "memory", name=uri)
    if not uri:
        problem = "it names no database: SQLite makes a private temporary file"
    elif uri[:5].lower() == "file:":
        problem = "'file:' must be in lower case, this is the path of a file on disk"
    else:
        problem = "it does not begin with 'file:', so it is the path of a file on disk"
    return _explanation(uri, "disk", name=uri, shared=bool(uri), problem=problem)


def _explain_shared_cache(uri: str, path: str, asked: bool) -> URIExplanation:
    if not path:
        problem = "without a name it is private to one connection, whatever cache= says"
    elif not asked:
        problem = "without cache=shared every connection gets a private database of its own"
    else:
        return _explanation(uri, "memory", name=path, engine="shared-cache")
    return _explanation(uri, "memory", name=path, problem=problem)


def _explain_memdb(
    uri: str, path: str, mode: str | None, cache: str | None, options: dict[str, str]
) -> URIExplanation:
    problem = None
    named = path.startswith("/") and len(path) > 1
    if path and cache == "shared":
        problem = "cache=shared takes away memdb's waiting for locks: errors come at once"
    elif not named:
        problem = "a memdb name without a leading slash is private to one connection"
    elif mode == "ro" or options.get("immutable", "0") not in ("", "0", "no", "off", "false"):
        problem = "it is read-only, nothing can be loaded into it"
    elif not memdb_is_sound():
        problem = "the memdb of this SQLite is private or does not isolate readers from writers"
    engine: Engine | None = None if problem else "memdb"
    shared = named or bool(path and cache == "shared")
    return _explanation(uri, "memory", name=path, shared=shared, engine=engine, problem=problem)


def _why_disk(uri: str, options: dict[str, str]) -> str:
    lowered = uri.lower()
    if "mode" in options and "mode=memory" in uri.partition("?")[2]:
        return f"the last mode= counts, and mode={options['mode']} makes it a file on disk"
    if any(key.startswith("amp;") for key in options):
        return "'&amp;' is HTML for '&': SQLite ignores what follows and makes a file on disk"
    if "#" in uri and ("mode=memory" in lowered or "vfs=" in lowered):
        return "SQLite ignores everything after '#', so it is a file on disk"
    if "%3f" in lowered:
        return "'%3f' is part of the name and no '?', so it is a file on disk"
    if "vfs" in options:
        return f"vfs={options['vfs']} is not a file system in memory that this package knows"
    return "it has neither vfs=memdb nor mode=memory, so it is a file on disk"


def _explanation(
    uri: str,
    place: Place,
    *,
    name: str,
    shared: bool = False,
    engine: Engine | None = None,
    problem: str | None = None,
) -> URIExplanation:
    suggestion = None if problem is None else memory_uri(_guess_name(name))
    return URIExplanation(
        uri, place, shared or engine is not None, engine, name, problem, suggestion
    )


def _guess_name(name: str) -> str:
    """Return the part of a wrong URI that was probably meant as the name."""
    scheme, colon, rest = name.partition(":")
    if colon and scheme.lower() == "file":
        name = rest
    for end in "?#":
        name = name.partition(end)[0]
    name = name.replace("\x00", "").strip("/").rpartition("/")[2]
    name = name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return "main" if name in ("", ":memory:") else name
