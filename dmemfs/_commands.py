"""Commands that look at trees and compare them: tree, cat, diff, apply."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ._errors import ArchiveError, PackError
from ._memory_filesystem import MemoryFileSystem
from ._paths import join
from ._transfer.differing import Differing, Side, difference_of, text_of

WORK = "/work"
"""Where a real directory is shown."""


AddCommand: TypeAlias = Callable[[str, Callable[[argparse.Namespace], None], str], Any]
"""Adds a command of a name, a function and what it does; returns its parser."""


def add_commands(command: AddCommand) -> None:
    """Add the commands to a command line."""
    source = "a pack, a zip or tar archive, or a directory, which is only read"
    tree = command("tree", _tree, "draw what is in a pack, an archive or a directory")
    tree.add_argument("source", metavar="SOURCE", help=source)
    tree.add_argument("path", metavar="PATH", nargs="?", default="/", help="a directory in it")
    tree.add_argument("--depth", type=int, metavar="LEVELS", help="default: all")
    tree.add_argument("--lines", type=int, metavar="COUNT", default=200, help="default: 200")
    cat = command("cat", _cat, "write files of a pack, an archive or a directory to the output")
    cat.add_argument("source", metavar="SOURCE", help=source)
    cat.add_argument("paths", metavar="PATH", nargs="+", help="files in it")
    diff = command(
        "diff", _diff, "compare two of them, as git does; the status is 1 if they differ"
    )
    diff.add_argument("source", metavar="BEFORE", help=source)
    diff.add_argument("other", metavar="AFTER", help="likewise")
    diff.add_argument("--names", action="store_true", help="show paths and sizes only")
    apply = command("apply", _apply, "make a directory as a pack or archive has it, or not at all")
    apply.add_argument("source", metavar="SOURCE", help=source)
    apply.add_argument("directory", metavar="DIRECTORY", help="which is changed")
    apply.add_argument("--delete", action="store_true", help="remove what SOURCE does not have")
    apply.add_argument("--dry-run", action="store_true", help="show what would be changed, only")


def load(source: str, *, writable: bool = False) -> tuple[MemoryFileSystem, str]:
    """Return a file system with what a pack, an archive or a directory has, and where.

    Raises:
        ValueError: it is none of these.
    """
    if os.path.isdir(source):
        fs = MemoryFileSystem()
        fs.add_real(source, WORK, writable=writable)
        return fs, WORK
    try:
        return MemoryFileSystem.unpack(source), "/"
    except PackError as error:
        try:
            fs = MemoryFileSystem()
            fs.import_archive(source)
        except ArchiveError:
            raise ValueError(f"{source}: {error}") from None
        return fs, "/"


def _tree(options: argparse.Namespace) -> None:
    fs, base = load(options.source)
    path = below(base, options.path)
    _look_into(fs, path, options.depth)
    text = str(fs.tree(path, depth=options.depth, max_lines=options.lines))
    for note in ("  (real, not read)", "  (real, not looked into)"):  # as all of a directory is
        text = text.replace(f"{note}\n", "\n")
    print(text)


def _look_into(fs: MemoryFileSystem, path: str, depth: int | None) -> None:
    """Load real directories down to a depth; those of packs are there."""
    pending = [(path, 0)]
    while pending:
        directory, level = pending.pop()
        if (depth is None or level < depth) and fs.is_dir(directory):
            with fs.scandir(directory) as entries:
                below_it = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            pending += [(each, level + 1) for each in below_it]


def _cat(options: argparse.Namespace) -> None:
    fs, base = load(options.source)
    contents = [fs.read_bytes(below(base, path)) for path in options.paths]
    for content in contents:
        write_output(content)


def write_output(content: bytes) -> None:
    """Write bytes to the standard output, behind what was printed."""
    sys.stdout.flush()
    binary: Any = getattr(sys.stdout, "buffer", None)
    if binary is None:  # it is a text stream only
        sys.stdout.write(content.decode(errors="backslashreplace"))
    else:
        binary.write(content)


class DifferError(ValueError):
    """End a command that compares, with the status for what differs."""

    def __str__(self) -> str:
        return "they differ"


def _diff(options: argparse.Namespace) -> None:
    found = differing_trees(load(options.source), load(options.other))
    if options.names:
        for line in lines_of(found):
            print(line)
    else:
        sys.stdout.write(text_of(found, 3))
    sys.stdout.flush()
    if found:
        raise DifferError


def lines_of(found: list[Differing]) -> Iterator[str]:
    """Yield a line for each path: A for added, D for deleted, M for changed."""
    difference = difference_of(found)
    for path, size in difference.added.items():
        yield f"A {size:>12,}  {path}"
    for path, size in difference.removed.items():
        yield f"D {size:>12,}  {path}"
    for path, (_, size) in difference.changed.items():
        yield f"M {size:>12,}  {path}"


def differing_trees(
    one: tuple[MemoryFileSystem, str], other: tuple[MemoryFileSystem, str]
) -> list[Differing]:
    """Return what is different in the second of two trees, each a file system and a path."""
    found = []
    pending = ["/"]
    while pending:
        path = pending.pop()
        places = [(fs, below(base, path)) for fs, base in (one, other)]
        before, after = (_side(fs, place) for fs, place in places)
        names: dict[str, None] = {}
        for (fs, place), side in zip(places, (before, after), strict=True):
            if side is not None and stat.S_ISDIR(side.mode):
                names.update(dict.fromkeys(fs.listdir(place)))
        pending += [join(path, name) for name in names]
        before, after = (
            None if side is None else side._replace(data=_data(fs, place, side))
            for (fs, place), side in zip(places, (before, after), strict=True)
        )
        if before == after:
            continue
        same = (
            before is not None
            and after is not None
            and stat.S_IFMT(before.mode) == stat.S_IFMT(after.mode)
            and before.data == after.data
        )
        found.append(Differing(path, before, after, same))
    return found


def _side(fs: MemoryFileSystem, path: str) -> Side | None:
    try:
        status = fs.lstat(path)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    target = fs.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return Side(status.st_mode, (0, 0), size, str(target))


def _data(fs: MemoryFileSystem, path: str, side: Side) -> Any:
    return fs.read_bytes(path) if stat.S_ISREG(side.mode) else side.data


def _apply(options: argparse.Namespace) -> None:
    source, base = load(options.source)
    fs, work = load(options.directory, writable=True)
    if work != WORK:
        raise NotADirectoryError(f"{options.directory}: it is no directory")
    differing = differing_trees((fs, work), (source, base))
    for each in sorted(differing, key=lambda each: each.path):
        place = below(work, each.path)
        if each.after is None:
            if options.delete and fs.is_symlink(place):
                fs.remove(place)
            elif options.delete and fs.exists(place):
                (fs.rmtree if fs.is_dir(place) else fs.remove)(place)
            continue
        if each.before is not None and stat.S_IFMT(each.before.mode) != stat.S_IFMT(
            each.after.mode
        ):
            (fs.rmtree if stat.S_ISDIR(each.before.mode) else fs.remove)(place)
        _bring(source, below(base, each.path), fs, place, each.after)
    if options.dry_run:
        sys.stdout.write(fs.changes(WORK, unified=True))
        return
    difference = fs.apply(WORK)
    count = len(difference.added) + len(difference.removed) + len(difference.changed)
    print(f"{count:,} paths changed in {options.directory}")


def _bring(
    source: MemoryFileSystem, path: str, fs: MemoryFileSystem, place: str, side: Side
) -> None:
    if stat.S_ISDIR(side.mode):
        fs.makedirs(place, exist_ok=True)
        fs.chmod(place, stat.S_IMODE(side.mode))
    elif stat.S_ISLNK(side.mode):
        if fs.is_symlink(place):
            fs.remove(place)
        fs.symlink(str(side.data), place)
    else:
        source.copy(path, place, to=fs)


def below(base: str, path: str) -> str:
    """Return a path below the place where a tree is shown."""
    return base if path.strip("/") == "" else join(base, path.lstrip("/"))
