"""Which members of an archive may be let in, and where they lie.

An archive comes from somebody else. What would lie outside of the directory that it is put into,
or lead there, is refused with the whole archive: absolute names, `..`, drive letters, links that
lead out, members below something that is no directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..._errors import ArchiveError
from ..._paths import MAX_LINKS, NAME_MAX, PATH_MAX, encode, too_long
from ..entries import Entry

_DRIVE = re.compile(r"[A-Za-z]:")


def arrange(members: Iterable[Entry], *, last_wins: bool) -> list[Entry]:
    """Return the members as a tree, in which each directory comes before what is in it.

    Directories that are not members are added. A directory that comes again has the attributes of
    its last coming.

    Args:
        members: as they come in the archive, their paths being the names in there.
        last_wins: a file that comes again replaces the former one, as in a tar to which changed
            files were added. Otherwise it is refused.

    Raises:
        ArchiveError: a member is not safe, or contradicts another.

    Complexity: O(members and their path components).
    """
    placed: dict[str, Entry] = {"": Entry("", "directory")}
    linked: set[str] = set()
    for member in members:
        path = member_path(member.path, member.path)
        _place_above(path, placed, member.path)
        former = placed.get(path)
        if member.kind == "directory":
            if former is not None and former.kind != "directory":
                raise ArchiveError("it is a directory and something else too", member.path)
            placed[path] = member._replace(path=path)
            continue
        if former is not None:
            if former.kind == "directory":
                raise ArchiveError("it is a directory and something else too", member.path)
            if not last_wins or path in linked:
                raise ArchiveError("it is in there twice", member.path)
            del placed[path]
        if member.kind == "link":
            target = member_path(member.target, member.path)
            first = placed.get(target)
            if first is None or first.kind == "directory":
                raise ArchiveError(
                    f"it is another name of {member.target!r}, which is no file before it",
                    member.path,
                )
            target = first.target if first.kind == "link" else target
            linked.add(target)
            member = member._replace(target=target)
        placed[path] = member._replace(path=path)
    for path, entry in placed.items():
        first = placed[entry.target] if entry.kind == "link" else entry
        if first.kind == "symlink" and _leads_out(path, first.target, placed):
            raise ArchiveError(f"it leads out of the archive, to {first.target!r}", path)
    return list(placed.values())


def member_path(name: str, member: str) -> str:
    """Return a name in an archive as a path from the top of the tree.

    Args:
        name: the name.
        member: what an error names.
    """
    if not name or "\0" in name:
        raise ArchiveError("it has no name, or one with a NUL character", member)
    # A backslash is part of a name here, but would part names where Windows unpacks them.
    either = name.replace("\\", "/")
    if either.startswith("/") or _DRIVE.match(name):
        raise ArchiveError("its path is absolute", member)
    if ".." in either.split("/"):
        raise ArchiveError("its path has '..' in it", member)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    try:
        encode(name)
    except UnicodeEncodeError as error:
        raise ArchiveError("its name cannot be one", member) from error
    if too_long(path, PATH_MAX - 1) or any(too_long(part, NAME_MAX) for part in parts):
        raise ArchiveError("its path is too long", member)
    return path


def _place_above(path: str, placed: dict[str, Entry], member: str) -> None:
    """See to it that the directories above `path` are there."""
    missing: list[str] = []
    above = path.rpartition("/")[0]
    while above not in placed:
        missing.append(above)
        above = above.rpartition("/")[0]
    if placed[above].kind != "directory":
        raise ArchiveError(f"it is below {above!r}, which is no directory", member)
    for directory in reversed(missing):
        placed[directory] = Entry(directory, "directory")


def _leads_out(path: str, target: str, placed: dict[str, Entry]) -> bool:
    """Tell whether a symbolic link may lead out of the tree, or to where nobody can tell.

    `..` is taken only behind directories of the archive: behind anything else it depends on what
    is there when the link is used. A loop leads nowhere.
    """
    here = path.split("/")[:-1]
    pending: list[str] = []
    links = 0
    following: str | None = target
    while True:
        if following is not None:
            either = following.replace("\\", "/")
            if either.startswith("/") or _DRIVE.match(following):
                return True
            if "\\" in following and ".." in either.split("/"):
                return True
            pending.extend(reversed(following.split("/")))
            following = None
        if not pending:
            return False
        part = pending.pop()
        if part in ("", "."):
            continue
        there = placed.get("/".join(here))
        if part == "..":
            if not here or there is None or there.kind != "directory":
                return True
            here.pop()
            continue
        entry = placed.get("/".join([*here, part]))
        if entry is not None and entry.kind == "link":
            entry = placed[entry.target]
        if entry is not None and entry.kind == "symlink":
            links += 1
            if links > MAX_LINKS:
                return False
            following = entry.target
        else:
            here.append(part)
