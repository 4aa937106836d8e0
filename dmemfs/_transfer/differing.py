"""What is different between two trees: by names and sizes, and as a text that `git apply` takes."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .._nodes.content import BlockList, Content
from .._nodes.nodes import Owner

_MOST_COMPARED = 1 << 20
"""Bytes. The lines of larger files are not compared, which would take too long."""

_NO_NEWLINE = "\\ No newline at end of file\n"
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symbolic link"}


class Attributes(NamedTuple):
    """What a node has beside its content.

    Attributes:
        mode: permission bits.
        uid: the user that owns it.
        gid: the group that owns it.
    """

    mode: int
    uid: int
    gid: int


class _Paths(NamedTuple):
    added: dict[str, int]
    removed: dict[str, int]
    changed: dict[str, tuple[int, int]]


class Difference(_Paths):
    """What is different in a second state of a tree; all paths sorted.

    A directory has the size 0, a symbolic link that of its target. Times alone are no difference.
    It is a tuple of the first three.

    Attributes:
        added: the size in bytes of what only the second state has, by path.
        removed: the size in bytes of what only the first state has, by path.
        changed: both sizes of what is of another kind, content, mode or owner, or leads elsewhere.
        contents: of `changed`, what is of another kind or content, or leads elsewhere.
        attributes: of `changed`, what has another mode or owner, with those of before and after.
    """

    contents: dict[str, tuple[int, int]]
    attributes: dict[str, tuple[Attributes, Attributes]]

    def __new__(
        cls,
        added: dict[str, int],
        removed: dict[str, int],
        changed: dict[str, tuple[int, int]],
        attributes: dict[str, tuple[Attributes, Attributes]] | None = None,
        contents: dict[str, tuple[int, int]] | None = None,
    ) -> Difference:
        self = super().__new__(cls, added, removed, changed)
        self.attributes = {} if attributes is None else attributes
        self.contents = changed if contents is None else contents
        return self


class Side(NamedTuple):
    """A node in one of the two states.

    Attributes:
        mode: kind and permission bits.
        owner: user and group id.
        size: bytes; 0 of a directory.
        data: the content of a file, what a symbolic link says; empty where nobody asks for it.
    """

    mode: int
    owner: Owner
    size: int
    data: Content | str = b""

    @property
    def attributes(self) -> Attributes:
        """The attributes, without the kind."""
        return Attributes(stat.S_IMODE(self.mode), *self.owner)


class Differing(NamedTuple):
    """A path at which two trees differ.

    Attributes:
        path: from the root on.
        before, after: what is there; None for nothing.
        has_same_content: whether only attributes are different.
    """

    path: str
    before: Side | None
    after: Side | None
    has_same_content: bool = False


def difference_of(found: Iterable[Differing]) -> Difference:
    """Return the paths and sizes of what is different."""
    difference = Difference({}, {}, {}, {}, {})
    for path, before, after, has_same_content in sorted(found, key=lambda each: each.path):
        if before is None:
            assert after is not None, "it is somewhere"
            difference.added[path] = after.size
        elif after is None:
            difference.removed[path] = before.size
        else:
            difference.changed[path] = before.size, after.size
            if not has_same_content:
                difference.contents[path] = before.size, after.size
            if before.attributes != after.attributes:
                difference.attributes[path] = before.attributes, after.attributes
    return difference


def text_of(found: Iterable[Differing], context: int) -> str:
    """Return what is different as a text in the form of `git diff`.

    Args:
        found: with the data of files and links.
        context: how many lines around each change are shown.

    Complexity: O(bytes), and of the changed lines of a file up to their square.
    """
    pieces: list[str] = []
    for each in sorted(found, key=lambda each: each.path):
        before, after = each.before, each.after
        if (
            before is not None
            and after is not None
            and stat.S_IFMT(before.mode) != stat.S_IFMT(after.mode)
        ):
            pieces += _one_path(Differing(each.path, before, None), context)
            pieces += _one_path(Differing(each.path, None, after), context)
        else:
            pieces += _one_path(each, context)
    return "".join(pieces)


def _one_path(each: Differing, context: int) -> Iterator[str]:
    path, before, after, has_same_content = each
    old, new = _quoted(f"a{path}"), _quoted(f"b{path}")
    side: Any = after or before
    if stat.S_ISDIR(side.mode):
        yield f"{_word(each)} directory {_quoted(path.lstrip('/') or '.')}{_changes(each)}\n"
        return
    yield f"diff --git {old} {new}\n"
    if before is None:
        yield f"new file mode {side.mode:o}\n"
    elif after is None:
        yield f"deleted file mode {side.mode:o}\n"
    elif before.mode != after.mode:
        yield f"old mode {before.mode:o}\nnew mode {after.mode:o}\n"
    if before is not None and after is not None and before.owner != after.owner:
        yield f"Owner of {new}: {_owner(before)}, now {_owner(after)}\n"
    if has_same_content:
        return
    lines, latter = _lines_of(before), _lines_of(after)
    old, new = ("/dev/null" if one is None else name for one, name in ((before, old), (after, new)))
    if lines is None or latter is None:
        sizes = " and ".join(f"{0 if one is None else one.size:,} bytes" for one in (before, after))
        yield f"Binary files {old} and {new} differ: {sizes}\n"
        return
    from difflib import unified_diff

    for line in unified_diff(lines, latter, _ended(old), _ended(new), n=context):
        yield line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}"


def _word(each: Differing) -> str:
    return "New" if each.before is None else "Deleted" if each.after is None else "Changed"


def _changes(each: Differing) -> str:
    before, after = each.before, each.after
    if before is None or after is None:
        return ""
    changes = []
    if before.mode != after.mode:
        changes.append(f"mode {before.mode:o}, now {after.mode:o}")
    if before.owner != after.owner:
        changes.append(f"owner {_owner(before)}, now {_owner(after)}")
    return ": " + "; ".join(changes)


def _owner(side: Side) -> str:
    return ":".join(map(str, side.owner))


def _lines_of(side: Side | None) -> list[str] | None:
    """Return the lines of what is text, each with its newline but perhaps the last one.

    None for what is no text, or too long.
    """
    if side is None:
        return []
    text = side.data
    if not isinstance(text, str):
        if side.size > _MOST_COMPARED:
            return None
        content = text.read(0, text.size) if isinstance(text, BlockList) else bytes(text)
        if b"\0" in content:
            return None
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return None
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def _ended(name: str) -> str:
    """Return a name for the head of a difference, where a tab ends one that has blanks."""
    return f"{name}\t" if " " in name else name


def _quoted(path: str) -> str:
    """Return a path as git shows it: as in C, where it would be misread."""
    if path.isprintable() and not set(path) & {'"', "\\"}:
        return path
    shown = []
    for byte in path.encode("utf-8", "surrogateescape"):
        if byte in b'"\\':
            shown.append("\\" + chr(byte))
        elif 32 <= byte < 127:
            shown.append(chr(byte))
        else:
            shown.append(f"\\{byte:03o}")
    return '"' + "".join(shown) + '"'
