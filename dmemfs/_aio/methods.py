"""The methods of a file system that are simply awaited."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .._memory_filesystem import MemoryFileSystem
from .._paths import StrPath
from .._snapshots.snapshot import Snapshot
from .._transfer.differing import Difference
from .._transfer.drawing import MOST_LINES, Drawing
from .._transfer.formats.streams import DiskPath, Readable, Writable
from .._transfer.methods import ArchiveFormat
from .._transfer.progress import Progress
from .._tree.attributes import Usage
from .._tree.quotas import Quota
from .running import runner

if TYPE_CHECKING:
    from .._transfer.formats.compression import Compression

_Result = TypeVar("_Result")


async def in_thread(call: Callable[[], _Result]) -> _Result:
    """Make a call that uses the disk, or looks at a whole tree."""
    run = runner()
    await run.checkpoint()
    return await run.run_in_thread(call)


class AsyncMethods:
    """Calls the methods of a file system, in their turn."""

    def __init__(self, fs: MemoryFileSystem) -> None:
        self.fs = fs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.fs!r}>"

    # Files

    async def read_bytes(self, path: StrPath) -> bytes:
        """Return the content of a file; without a copy if it was written in one piece."""
        await runner().checkpoint()
        return self.fs.read_bytes(path)

    async def write_bytes(self, path: StrPath, data: bytes | bytearray | memoryview) -> int:
        """Make a file of this content, or replace that of the file which is there, at once."""
        await runner().checkpoint()
        return self.fs.write_bytes(path, data)

    async def read_text(
        self,
        path: StrPath,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> str:
        """Return the content of a file as text."""
        await runner().checkpoint()
        return self.fs.read_text(path, encoding, errors, newline)

    async def write_text(
        self,
        path: StrPath,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make a file of this text, or replace the content of the file which is there, at once."""
        await runner().checkpoint()
        return self.fs.write_text(path, data, encoding, errors, newline)

    async def truncate(self, path: StrPath, length: int) -> None:
        """Cut a file to `length` bytes, or extend it by a hole."""
        await runner().checkpoint()
        self.fs.truncate(path, length)

    async def copy(self, src: StrPath, dst: StrPath, *, to: MemoryFileSystem | None = None) -> Any:
        """Copy a file with its mode and times; the content is shared until one is written."""
        await runner().checkpoint()
        return self.fs.copy(src, dst, to=to)

    async def get_size(self, path: StrPath) -> int:
        """Return the length of a file in bytes."""
        await runner().checkpoint()
        return self.fs.get_size(path)

    async def export_as_bytesio(self, path: StrPath, max_size: int | None = None) -> io.BytesIO:
        """Return a copy of a file in an `io.BytesIO`, which no quota counts."""
        await runner().checkpoint()
        return self.fs.export_as_bytesio(path, max_size)

    # What is there

    async def exists(self, path: StrPath) -> bool:
        """Tell whether `path` leads to something; a broken symbolic link leads to nothing."""
        await runner().checkpoint()
        return self.fs.exists(path)

    async def is_file(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a regular file."""
        await runner().checkpoint()
        return self.fs.is_file(path)

    async def is_dir(self, path: StrPath) -> bool:
        """Tell whether `path` leads to a directory."""
        await runner().checkpoint()
        return self.fs.is_dir(path)

    async def is_symlink(self, path: StrPath) -> bool:
        """Tell whether `path` itself is a symbolic link."""
        await runner().checkpoint()
        return self.fs.is_symlink(path)

    async def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes of what `path` leads to."""
        await runner().checkpoint()
        return self.fs.stat(path, follow_symlinks=follow_symlinks)

    async def lstat(self, path: StrPath) -> os.stat_result:
        """Return the attributes of `path`, of a symbolic link itself; see `stat`."""
        await runner().checkpoint()
        return self.fs.lstat(path)

    async def access(self, path: StrPath, mode: int) -> bool:
        """Tell whether `path` may be used in the way of `mode` by root, as whom everybody acts."""
        await runner().checkpoint()
        return self.fs.access(path, mode)

    # Directories

    async def mkdir(
        self, path: StrPath, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False
    ) -> None:
        """Make a directory."""
        await runner().checkpoint()
        self.fs.mkdir(path, mode, parents=parents, exist_ok=exist_ok)

    async def makedirs(self, path: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory and the missing ones above it: all of them, or none."""
        await runner().checkpoint()
        self.fs.makedirs(path, mode, exist_ok)

    async def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory."""
        await runner().checkpoint()
        self.fs.rmdir(path)

    async def rmtree(self, path: StrPath, ignore_errors: bool = False) -> None:
        """Remove a directory and all that is in it, at once."""
        await in_thread(lambda: self.fs.rmtree(path, ignore_errors))

    async def copy_tree(
        self, src: StrPath, dst: StrPath, *, to: MemoryFileSystem | None = None
    ) -> Any:
        """Copy a directory and all below it, with modes and times; contents are shared."""
        return await in_thread(lambda: self.fs.copy_tree(src, dst, to=to))

    async def listdir(self, path: StrPath = "/") -> list[Any]:
        """Return the names in a directory, in the order in which they were made."""
        await runner().checkpoint()
        return self.fs.listdir(path)

    async def glob(self, pattern: StrPath) -> list[Any]:
        """Return the sorted paths that match a pattern, as `glob.glob` with `recursive=True`."""
        return await in_thread(lambda: self.fs.glob(pattern))

    async def attach(self, path: StrPath, other: MemoryFileSystem) -> None:
        """Show another file system at a directory of this one."""
        await runner().checkpoint()
        self.fs.attach(path, other)

    async def detach(self, path: StrPath) -> None:
        """Show a file system no more that was attached; its directory is an empty one again."""
        await runner().checkpoint()
        self.fs.detach(path)

    # Names

    async def rename(self, src: StrPath, dst: StrPath) -> None:
        """Give the entry `src` the name `dst`, replacing what is there in the same instant."""
        await runner().checkpoint()
        self.fs.rename(src, dst)

    async def replace(self, src: StrPath, dst: StrPath) -> None:
        """Give the entry `src` the name `dst`, replacing what is there in the same instant."""
        await runner().checkpoint()
        self.fs.replace(src, dst)

    async def move(self, src: StrPath, dst: StrPath) -> None:
        """Rename, making the missing directories above `dst`."""
        await runner().checkpoint()
        self.fs.move(src, dst)

    async def remove(self, path: StrPath) -> None:
        """Remove a name of a file, or a symbolic link."""
        await runner().checkpoint()
        self.fs.remove(path)

    async def unlink(self, path: StrPath) -> None:
        """Remove a name of a file, or a symbolic link."""
        await runner().checkpoint()
        self.fs.unlink(path)

    async def link(self, src: StrPath, dst: StrPath) -> None:
        """Make `dst` a further name of the file `src`."""
        await runner().checkpoint()
        self.fs.link(src, dst)

    async def symlink(self, src: StrPath, dst: StrPath, target_is_directory: bool = False) -> None:
        """Make a symbolic link."""
        await runner().checkpoint()
        self.fs.symlink(src, dst, target_is_directory)

    async def readlink(self, path: StrPath) -> Any:
        """Return what a symbolic link says; bytes if `path` is given in bytes."""
        await runner().checkpoint()
        return self.fs.readlink(path)

    # Attributes

    async def chmod(self, path: StrPath, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the permission bits, which are kept and reported but not enforced."""
        await runner().checkpoint()
        self.fs.chmod(path, mode, follow_symlinks=follow_symlinks)

    async def chown(
        self, path: StrPath, uid: int, gid: int, *, follow_symlinks: bool = True
    ) -> None:
        """Set the owner, which is kept and reported but gives nobody any rights."""
        await runner().checkpoint()
        self.fs.chown(path, uid, gid, follow_symlinks=follow_symlinks)

    async def utime(
        self,
        path: StrPath,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times of access and of modification."""
        await runner().checkpoint()
        self.fs.utime(path, times, ns=ns, follow_symlinks=follow_symlinks)

    # Space

    async def usage(self, path: StrPath = "/") -> Usage:
        """Return what is in use below `path`."""
        await runner().checkpoint()
        return self.fs.usage(path)

    async def stats(self) -> dict[str, int | None]:
        """Return the counts of the whole file system."""
        await runner().checkpoint()
        return self.fs.stats()

    async def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the sizes of the file system."""
        await runner().checkpoint()
        return self.fs.statvfs(path)

    async def quota(self, path: StrPath = "/") -> Quota:
        """Return the limit that holds for what is in a directory."""
        await runner().checkpoint()
        return self.fs.quota(path)

    async def set_quota(
        self, path: StrPath, max_bytes: int | None, *, max_nodes: int | None = None
    ) -> None:
        """Limit what is below a directory, in place of any limit that it had."""
        await in_thread(lambda: self.fs.set_quota(path, max_bytes, max_nodes=max_nodes))

    # Snapshots

    async def snapshot(self) -> Snapshot:
        """Keep the present state of the file system."""
        await runner().checkpoint()
        return self.fs.snapshot()

    async def restore(self, snapshot: Snapshot) -> None:
        """Bring the whole file system back to the state that a snapshot keeps."""
        await in_thread(lambda: self.fs.restore(snapshot))

    async def clone(self) -> MemoryFileSystem:
        """Return an independent file system with the same tree, its contents shared."""
        return await in_thread(self.fs.clone)

    # Whole trees, and the disk

    async def tree(
        self, path: StrPath = "/", *, depth: int | None = None, max_lines: int = MOST_LINES
    ) -> Drawing:
        """Return a drawing of a directory and all below it: names, sizes, links, and the counts."""
        return await in_thread(lambda: self.fs.tree(path, depth=depth, max_lines=max_lines))

    async def to_tree(
        self, path: StrPath = "/", *, encoding: str | None = "utf-8"
    ) -> dict[str, Any]:
        """Return what is below a directory as nested dictionaries, all as of one moment."""
        return await in_thread(lambda: self.fs.to_tree(path, encoding=encoding))

    async def add_real(
        self, path: StrPath, target: StrPath | None = None, *, writable: bool = False
    ) -> None:
        """Show a real file or directory in the tree. The disk is never written."""
        await in_thread(lambda: self.fs.add_real(path, target, writable=writable))

    async def changes(
        self, path: StrPath | None = None, *, unified: bool = False, context: int = 3
    ) -> Any:
        """Tell what was changed of real files and directories that are shown writable."""
        fs: Any = self.fs  # one of the overloads is meant
        return await in_thread(lambda: fs.changes(path, unified=unified, context=context))

    async def apply(self, path: StrPath | None = None, *, to: StrPath | None = None) -> Difference:
        """Make on the disk what was changed in memory: all of it, or nothing."""
        return await in_thread(lambda: self.fs.apply(path, to=to))

    async def discard(self, path: StrPath | None = None) -> None:
        """Forget what was changed: real files and directories are shown as they are by now."""
        await in_thread(lambda: self.fs.discard(path))

    async def pack(
        self,
        file: DiskPath | Writable,
        *,
        compress: Compression | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the whole tree, as of one moment, into one stream, from which `unpack` makes it."""
        await in_thread(lambda: self.fs.pack(file, compress=compress, progress=progress))

    async def import_archive(
        self,
        file: DiskPath | Readable,
        path: StrPath = "/",
        *,
        format: ArchiveFormat | None = None,  # noqa: A002
        progress: Progress | None = None,
    ) -> None:
        """Extract a zip or tar archive: all of it, or nothing."""
        await in_thread(
            lambda: self.fs.import_archive(file, path, format=format, progress=progress)
        )

    async def export_archive(
        self,
        file: DiskPath | Writable,
        path: StrPath = "/",
        *,
        format: ArchiveFormat | None = None,  # noqa: A002
        progress: Progress | None = None,
    ) -> None:
        """Write all that is below a directory, as of one moment, into a zip or tar archive."""
        await in_thread(
            lambda: self.fs.export_archive(file, path, format=format, progress=progress)
        )

    async def import_tree(
        self,
        tree: Mapping[Any, bytes] | DiskPath,
        path: StrPath = "/",
        *,
        progress: Progress | None = None,
    ) -> None:
        """Make or replace many files at once: all of them, or none."""
        fs: Any = self.fs  # one of the overloads is meant
        await in_thread(lambda: fs.import_tree(tree, path, progress=progress))

    async def export_tree(
        self,
        prefix: StrPath = "/",
        *,
        target: DiskPath | None = None,
        progress: Progress | None = None,
    ) -> dict[str, bytes] | None:
        """Return path and content of each regular file below a directory, all as of one moment."""
        fs: Any = self.fs  # one of the overloads is meant
        return await in_thread(lambda: fs.export_tree(prefix, target=target, progress=progress))

    async def close(self) -> None:
        """Remove all that is in it, give back the memory, and refuse further use."""
        await in_thread(self.fs.close)
