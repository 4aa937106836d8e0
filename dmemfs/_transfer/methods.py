"""Whole trees in and out: dictionaries, packs, archives, directories of the real disk."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Self,
    TypeAlias,
    TypedDict,
    Unpack,
    cast,
    overload,
)

from .._arguments import by_name
from .._errors import ArchiveError, PackError
from .._paths import StrPath
from .._tree.tree import Tree
from .building import TreeBuilder
from .dictionaries import Nested, gather, plant
from .drawing import MOST_LINES, Drawing, as_html, draw
from .flat_trees import each_file, put_files
from .formats.streams import DiskPath, Readable, Source, Writable, is_path, open_source, open_target
from .grafting import bring_in, capture, require_room
from .progress import Meter, Progress

# The modules that know packs, archives and the disk are imported where they are used: they bring
# with them what most programs never need (tarfile, zipfile, hashlib, bz2, lzma).
if TYPE_CHECKING:
    from .formats.compression import Compression

ArchiveFormat: TypeAlias = Literal["zip", "tar", "gztar", "bztar", "xztar"]

_COMPRESSION_OF: dict[str, Compression | None] = {
    "tar": None,
    "gztar": "gzip",
    "bztar": "bz2",
    "xztar": "xz",
}
_SUFFIXES: dict[str, ArchiveFormat] = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "gztar",
    ".tgz": "gztar",
    ".tar.bz2": "bztar",
    ".tbz2": "bztar",
    ".tar.xz": "xztar",
    ".txz": "xztar",
}
_ZIP_MAGIC = (b"PK\3\4", b"PK\5\6")


class Limits(TypedDict, total=False):
    """What a file system may be given when it is made: see `MemoryFileSystem`."""

    max_quota: int | str | None
    max_nodes: int | None
    min_free_memory: int | str | None


class Transfer(Tree):
    """Moves whole trees into and out of the file system."""

    # Packs

    @by_name
    def pack(
        self,
        file: DiskPath | Writable,
        *,
        compress: Compression | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the whole tree, as of one moment, into one stream, from which `unpack` makes it.

        Kept are contents with their holes, hard and symbolic links, modes, owners, times in
        nanoseconds, the order of the entries, and the limits of directories. A pack is a tar
        archive that other tools can read. Files without a name, snapshots, open handles and locks
        are not part of it.

        Args:
            file: a path of the real disk, whose file is replaced when the pack is complete; or a
                binary file object to write to, which need not be seekable and is not closed.
            compress: "gzip", "bz2", "xz", or None.
            progress: called now and then with the bytes done, the bytes in all (content, without
                holes) and the path that is being written. What it raises ends the call.

        Raises:
            OSError: writing failed; ENAMETOOLONG, something lies deeper than a path can tell.

        Complexity: O(bytes), with no more than some MiB of them in memory at a time.
        """
        from .formats.compression import check_compression
        from .formats.pack import write_pack

        check_compression(compress)
        with open_target(file) as target:
            entries = capture(self, "/")
            meter = Meter(progress, sum(entry.stored for entry in entries))
            write_pack(entries, target, compress, meter)

    @classmethod
    @by_name
    def unpack(
        cls,
        file: DiskPath | Readable,
        *,
        progress: Progress | None = None,
        **limits: Unpack[Limits],
    ) -> Self:
        """Return a new file system with the tree of a pack.

        Args:
            file: a path of the real disk; or a binary file object to read from to its end, which
                need not be seekable and is not closed.
            progress: as for `pack`.
            limits: `max_quota`, `max_nodes` and `min_free_memory`, as when a file system is made.

        Raises:
            PackError: it is no pack, or damaged, or of a later version.
            QuotaExceededError: it does not fit; known before any content is read.

        Complexity: O(bytes), with no more than some MiB of them in memory twice.
        """
        from .formats.pack import PackReader

        constructor: Any = cls  # with the arguments of `MemoryFileSystem`
        fs: Self = constructor(**limits)
        with open_source(file) as source:
            reader = PackReader(source)
            fs._account.require(reader.stored, max(reader.nodes - 1, 0))
            builder = TreeBuilder(fs, Meter(progress, reader.stored), _damaged_pack)
            for entry in reader.entries():
                builder.add(entry)
            builder.finish()
        return fs

    # Dictionaries

    @classmethod
    def from_tree(cls, tree: Nested, **options: Unpack[Limits]) -> Self:
        """Return a new file system with the files that nested dictionaries describe.

        Args:
            tree: what is in the root directory, by name. `str` is the content of a text file in
                UTF-8, its line ends as they are; `bytes` and other bytes-like objects are that of
                any file; a mapping is a directory; a `Link` is a symbolic link. A name with slashes
                makes the directories between, so `{"a": {"b": "x"}}` is `{"a/b": "x"}`.
            options: `max_quota`, `max_nodes` and `min_free_memory`, as when a file system is made.

        Raises:
            FileExistsError: two names lead to the same place.
            NotADirectoryError: a name leads through a file.
            QuotaExceededError: it does not fit.
            TypeError: something in the tree is none of these.

        Complexity: O(nodes and bytes).
        """
        constructor: Any = cls  # with the arguments of `MemoryFileSystem`
        fs: Self = constructor(**options)
        plant(fs, tree)
        return fs

    @by_name
    def to_tree(self, path: StrPath = "/", *, encoding: str | None = "utf-8") -> dict[str, Any]:
        """Return what is below a directory as nested dictionaries, all as of one moment.

        `from_tree` makes the same files of it. Modes, times and owners are not part of it, and each
        name of a file with several stands for a file of its own.

        Args:
            path: the directory.
            encoding: content that is text in this encoding becomes `str`, all other `bytes`. None
                leaves all of it as bytes.

        Returns:
            Dictionaries of `str`, `bytes`, `Link` and further dictionaries by name, in the order of
            `listdir`.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.

        Complexity: O(nodes and bytes).
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            return gather(self._find_directory(path), encoding)
        finally:
            self._unlock()

    def tree(
        self, path: StrPath = "/", *, depth: int | None = None, max_lines: int = MOST_LINES
    ) -> Drawing:
        """Return a drawing of a directory and all below it: names, sizes, links, and the counts.

        Real directories and files that nobody has looked at are not loaded for it, and what is
        attached is not gone into.

        Args:
            path: the directory.
            depth: how many levels below it are shown; None for all.
            max_lines: how many nodes are shown; a line tells how many were left out.

        Returns:
            A `str` that shows itself in the interactive interpreter and in notebooks.

        Raises:
            FileNotFoundError: there is nothing.

        Complexity: O(nodes).
        """
        return draw(self, path, depth, max_lines)

    def _repr_html_(self) -> str:
        return as_html("p", repr(self)) + draw(self, "/", None, MOST_LINES)._repr_html_()

    # Files by their paths, and directories of the disk

    def iter_export_tree(self, prefix: StrPath = "/") -> Iterator[tuple[str, bytes]]:
        """Yield path and content of each regular file below a directory, or of one file.

        Symbolic links are left out. A file removed before its turn comes is left out too.

        Args:
            prefix: the directory or file.

        Raises:
            FileNotFoundError: there is nothing at `prefix`.

        Complexity: O(nodes); one file's content at a time.
        """
        return each_file(self, prefix)

    @overload
    def import_tree(self, tree: Mapping[Any, bytes]) -> None: ...
    @overload
    def import_tree(
        self, tree: DiskPath, path: StrPath = "/", *, progress: Progress | None = None
    ) -> None: ...
    @by_name
    def import_tree(
        self,
        tree: Mapping[Any, bytes] | DiskPath,
        path: StrPath = "/",
        *,
        progress: Progress | None = None,
    ) -> None:
        """Make or replace many files at once: all of them, or none.

        Args:
            tree: the content by path; missing directories are made. Or a directory of the real
                disk, to be copied with modes, owners, times, links and holes; symbolic links are
                taken as they are, never followed.
            path: the directory that the one of the disk becomes; missing ones above it are made.
                What is in it stays, unless something in `tree` has the same path.
            progress: called now and then with the bytes done, the bytes in all and the path below
                `tree` that is being read. What it raises ends the call.

        Raises:
            QuotaExceededError: they do not all fit; nothing has changed. What comes from the disk
                must fit beside what it replaces.
            OSError: a path leads through a file, or to a directory; or EINVAL, there is a device
                or the like in the directory; nothing has changed.
            TypeError: a content is not bytes-like; nothing has changed.

        Complexity: O(files and their path components), for the disk with their bytes.
        """
        if not is_path(tree):
            if path != "/" or progress is not None:
                raise TypeError("path and progress are for a directory of the disk")
            put_files(self, cast(Mapping[Any, bytes], tree))
            return
        _require_on_disk(self, tree, "for a directory in here there is copy_tree()")
        from .formats.disk import naming_paths_as_text, read_tree

        with naming_paths_as_text():
            entries = read_tree(cast(DiskPath, tree))
            bring_in(self, entries, path, _refused_by_disk, progress)

    @overload
    def export_tree(self, prefix: StrPath = "/") -> dict[str, bytes]: ...
    @overload
    def export_tree(
        self, prefix: StrPath = "/", *, target: DiskPath, progress: Progress | None = None
    ) -> None: ...
    @by_name
    def export_tree(
        self,
        prefix: StrPath = "/",
        *,
        target: DiskPath | None = None,
        progress: Progress | None = None,
    ) -> dict[str, bytes] | None:
        """Return path and content of each regular file below a directory, all as of one moment.

        See `iter_export_tree`. Or, with `target`, make a directory of the real disk with all that
        is below `prefix`: modes, times, links and holes included; owners as far as the system lets
        this process set them.

        Args:
            prefix: the directory, or without `target` a file.
            target: a directory of the real disk that does not exist yet, or is empty. It is there
                in full in the end, or as before if anything fails.
            progress: called now and then with the bytes done, the bytes in all and the path below
                `prefix` that is being written. What it raises ends the call.

        Raises:
            FileNotFoundError: there is nothing at `prefix`.
            FileExistsError: something is at `target`.
        """
        if target is None:
            if progress is not None:
                raise TypeError("progress goes with target, a directory of the disk")
            try:
                if not self._try_lock(False):
                    self._wait_for_lock()
                return dict(each_file(self, prefix))
            finally:
                self._unlock()
        from .formats.disk import naming_paths_as_text, write_tree

        entries = capture(self, prefix)
        with naming_paths_as_text():
            write_tree(entries, target, Meter(progress, sum(entry.stored for entry in entries)))
        return None

    # Archives

    @by_name
    def import_archive(
        self,
        file: DiskPath | Readable,
        path: StrPath = "/",
        *,
        format: ArchiveFormat | None = None,  # noqa: A002 - as in shutil
        progress: Progress | None = None,
    ) -> None:
        """Extract a zip or tar archive: all of it, or nothing.

        The archive may come from anybody. Refused as a whole is one with a member that would lie
        outside of `path` or leads there (absolute, `..`, drive letters, links), that is a device,
        that is below a file, that is larger than it says, or that does not fit. Of files that come
        several times in a tar, the last one counts; in a zip they are refused.

        Args:
            file: a path of the real disk, or a seekable binary file object, which is read from
                where it stands and is not closed.
            path: the directory to extract into; missing ones above it are made. What is in it
                stays, unless a member has the same path.
            format: a name as of `shutil.make_archive`; found out from the content by default.
            progress: called now and then with the bytes done, the bytes in all and the path below
                `path` that is being extracted. What it raises ends the call.

        Raises:
            ArchiveError: it is no such archive, or damaged, or not safe; nothing has changed.
            QuotaExceededError: it does not fit, beside what it would replace; nothing has changed.
                What the members say of their sizes is checked before any is extracted.
            OSError: a member is a file where a directory is, or the other way round; nothing has
                changed.

        Complexity: O(bytes); a compressed tar is decompressed twice.
        """
        if format is not None:
            _check_format(format)
        _require_on_disk(self, file, "for a file in here give fs.open(path, 'rb')")
        with open_source(file) as opened:
            _require_seekable(opened)
            if format == "zip" or (format is None and _begins_like_a_zip(opened)):
                from .formats.zip import read_zip

                entries = read_zip(opened, self._owner)
            else:
                from .formats.tar import read_tar

                entries = read_tar(
                    opened,
                    lambda count: require_room(self, count, path),
                    "neither a zip nor a tar archive" if format is None else "no tar archive",
                )
            bring_in(self, entries, path, _refused_member, progress)

    @by_name
    def export_archive(
        self,
        file: DiskPath | Writable,
        path: StrPath = "/",
        *,
        format: ArchiveFormat | None = None,  # noqa: A002 - as in shutil
        progress: Progress | None = None,
    ) -> None:
        """Write all that is below a directory, as of one moment, into a zip or tar archive.

        A tar keeps what a pack keeps. A zip keeps contents, symbolic links, modes and times of
        modification in seconds; each name of a file becomes a file of its own, and holes become
        zeros.

        Args:
            file: a path of the real disk, whose file is replaced when the archive is complete; or
                a binary file object to write to, which need not be seekable and is not closed.
            path: the directory.
            format: "zip", "tar", "gztar", "bztar" or "xztar", as for `shutil.make_archive`; by
                default as the name of the file ends.
            progress: as for `pack`.

        Raises:
            ArchiveError: a name cannot stand in a zip, because it is not UTF-8.
            ValueError: the format is unknown.

        Complexity: O(bytes), with no more than some MiB of them in memory at a time.
        """
        chosen = _format_of(file) if format is None else format
        _check_format(chosen)
        with open_target(file) as target:
            entries = capture(self, path)
            meter = Meter(progress, sum(entry.stored for entry in entries))
            if chosen == "zip":
                from .formats.zip import write_zip

                write_zip(entries, target, meter)
            else:
                from .formats.tar import write_tar

                write_tar(entries, target, _COMPRESSION_OF[chosen], meter)


def _damaged_pack(path: str, reason: str) -> Exception:
    return PackError(f"the pack is damaged: {path!r}: {reason}; use another copy")


def _refused_member(path: str, reason: str) -> Exception:
    return ArchiveError(reason, path)


def _refused_by_disk(path: str, reason: str) -> Exception:
    return OSError(f"{path!r}: {reason}")


def _check_format(name: str) -> None:
    if name != "zip" and name not in _COMPRESSION_OF:
        raise ValueError(f"format must be 'zip', 'tar', 'gztar', 'bztar' or 'xztar', not {name!r}")


def _format_of(file: object) -> ArchiveFormat:
    if is_path(file):
        name = os.fsdecode(cast(DiskPath, file)).lower()
        for suffix, found in _SUFFIXES.items():
            if name.endswith(suffix):
                return found
    raise ValueError(
        "which format? Give one, as format='zip' or 'gztar', or a name that ends in .zip or .tar.gz"
    )


def _require_on_disk(fs: Tree, file: object, instead: str) -> None:
    """Say where a file was looked for that is in this file system, and not on the disk."""
    if is_path(file):
        path: Any = file
        if not os.path.lexists(path) and fs.exists(path):
            text = f"{os.strerror(errno.ENOENT)} on the disk; {instead}"
            raise FileNotFoundError(errno.ENOENT, text, os.fsdecode(path))


def _require_seekable(file: Any) -> None:
    try:
        file.seek(file.tell())
    except (AttributeError, OSError) as error:
        raise io.UnsupportedOperation(
            "an archive is read twice, so its file must be seekable; copy it into a "
            "tempfile.TemporaryFile first"
        ) from error


def _begins_like_a_zip(file: Any) -> bool:
    start = file.tell()
    beginning = Source(file).read(len(_ZIP_MAGIC[0]))
    file.seek(start)
    return beginning in _ZIP_MAGIC
