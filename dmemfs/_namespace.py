"""Operations that change which name leads where."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from time import time_ns

from . import _grammar
from ._content import BlockList, content_size
from ._errors import os_error
from ._grammar import StrPath
from ._lookup import Lookup, Place
from ._nodes import Directory, File, Node, Symlink
from ._quota import UnlinkedRecord

_UMASK = 0o022
_RMDIR_ERRORS = {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY}
_FILE_MODE = stat.S_IFREG | (0o666 & ~_UMASK)


class Namespace(Lookup):
    """Makes, links, moves and removes the entries of directories."""

    # Making

    def mkdir(
        self, path: StrPath, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False
    ) -> None:
        """Make a directory.

        Args:
            path: where.
            mode: permission bits, less the umask 0o022.
            parents: make the missing directories above it too, as `makedirs` does.
            exist_ok: do nothing where a directory is there already.

        Raises:
            FileExistsError: something is there.
            FileNotFoundError: the directory above is missing, and `parents` is false.
            NotADirectoryError: a component above is not a directory.
            QuotaExceededError: `max_nodes` is reached.
        """
        if parents:
            self.makedirs(path, mode, exist_ok)
            return
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory, name, other, _ = self._place(path)
            if other is not None or directory.removed:
                if exist_ok and self.is_dir(path):
                    return
                raise os_error(errno.ENOENT if other is None else errno.EEXIST, path)
            account = self._account
            if account.nodes >= account.max_nodes:
                account.require(0, 1, path)
            now = time_ns()
            node = Directory()
            node.mode = stat.S_IFDIR | (mode & 0o1777 & ~_UMASK)
            node.owner = self._owner
            node.nlink = 2
            node.mtime = node.ctime = node.atime = now
            node.account = account
            node.children = {}
            node.parent = directory
            node.removed = False
            node.remembered = False
            account.nodes += 1
            directory.nlink += 1
            directory.mtime = directory.ctime = now
            directory.children[name] = node
        finally:
            self._unlock()

    def makedirs(self, path: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory and the missing ones above it.

        Args:
            path: where.
            mode: permission bits of the last directory, less the umask 0o022; the ones above it
                get 0o755.
            exist_ok: do nothing where a directory is there already.

        Raises:
            FileExistsError: something is there.
            NotADirectoryError: a component above is not a directory.
            QuotaExceededError: `max_nodes` is reached; what was made until then stays.
        """
        missing = self._missing_above(_grammar.as_text(path))
        for directory in missing:
            with suppress(FileExistsError):
                self.mkdir(_grammar.as_given(directory, path))
        if missing and _grammar.as_text(path).rstrip("/").endswith("/."):
            return
        self.mkdir(path, mode, exist_ok=exist_ok)

    def _missing_above(self, path: str) -> list[str]:
        """Return the paths of the directories above `path` that do not exist, outermost first."""
        missing = []
        above = _directory_above(path)
        while above and not self.exists(above):
            missing.append(above)
            above = _directory_above(above)
        return missing[::-1]

    def symlink(self, src: StrPath, dst: StrPath, target_is_directory: bool = False) -> None:
        """Make a symbolic link.

        Args:
            src: what the link says; it need not exist.
            dst: where the link is made.
            target_is_directory: taken for the sake of `os.symlink`'s signature, and ignored.

        Raises:
            FileExistsError: something is at `dst`.
            QuotaExceededError: `max_nodes` is reached.
        """
        target = _grammar.as_text(src)
        if not target:
            raise os_error(errno.ENOENT, src, dst)
        if _grammar.too_long(target, _grammar.PATH_MAX):
            raise os_error(errno.ENAMETOOLONG, src, dst)
        with self._lock:
            directory, name = self._place_for_new(dst, paths=(src, dst))
            self._account.require(0, 1, dst)
            now = time_ns()
            node = Symlink()
            node.mode = stat.S_IFLNK | 0o777
            node.owner = self._owner
            node.nlink = 1
            node.mtime = node.ctime = node.atime = now
            node.account = self._account
            node.target = target
            self._account.nodes += 1
            directory.mtime = directory.ctime = now
            directory.children[name] = node

    def link(self, src: StrPath, dst: StrPath) -> None:
        """Make `dst` a further name of the file `src`.

        A symbolic link `src` is linked itself, not followed, as on Linux.

        Raises:
            PermissionError: `src` is a directory (EPERM).
            FileExistsError: something is at `dst`.
        """
        with self._lock:
            try:
                node = self._find(src, follow=False)
            except OSError as error:
                raise os_error(_code(error), src, dst) from None
            directory, name = self._place_for_new(dst, paths=(src, dst))
            if isinstance(node, Directory):
                raise os_error(errno.EPERM, src, dst)
            now = time_ns()
            node.nlink += 1
            node.ctime = now
            directory.mtime = directory.ctime = now
            directory.children[name] = node

    def readlink(self, path: StrPath) -> str | bytes:
        """Return what a symbolic link says; bytes if `path` is given in bytes.

        Raises:
            OSError: EINVAL, `path` is no symbolic link.
        """
        node = self._find(path, follow=False)
        if not isinstance(node, Symlink):
            raise os_error(errno.EINVAL, path)
        return _grammar.as_given(node.target, path)

    # Removing

    def remove(self, path: StrPath) -> None:
        """Remove a name of a file, or a symbolic link.

        The file lives on while it has other names or is open; its space is freed at the last
        close.

        Raises:
            FileNotFoundError: there is nothing.
            IsADirectoryError: it is a directory: see `rmdir` and `rmtree`.
        """
        with self._lock:
            directory, name, node, wants_directory = self._place(path)
            if _grammar.is_special(name):
                raise os_error(errno.EISDIR, path)
            if node is None:
                raise os_error(errno.ENOENT, path)
            if isinstance(node, Directory):
                raise os_error(errno.EISDIR, path)
            if wants_directory:
                raise os_error(errno.ENOTDIR, path)
            record = self._record_lost_link(node)
            account = self._account
            now = time_ns()
            directory.mtime = directory.ctime = node.ctime = now
            node.nlink -= 1
            if record is not None:
                record.counts = True
                node.account = record.account
            elif not node.nlink:
                account.nodes -= 1
            del directory.children[name]

    unlink = remove

    def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.
            OSError: ENOTEMPTY; EBUSY for the root; EINVAL for a path that ends in `.`.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory, name, node, _ = self._place(path)
            if type(node) is not Directory:
                raise os_error(errno.ENOENT if node is None else errno.ENOTDIR, path)
            if name in _RMDIR_ERRORS:
                raise os_error(_RMDIR_ERRORS[name], path)
            if node.children:
                raise os_error(errno.ENOTEMPTY, path)
            now = time_ns()
            self._account.nodes -= 1
            node.removed = True
            node.nlink = 0
            node.ctime = now
            directory.nlink -= 1
            directory.mtime = directory.ctime = now
            del directory.children[name]
        finally:
            self._unlock()

    def rmtree(self, path: StrPath, ignore_errors: bool = False) -> None:
        """Remove a directory and all that is in it, at once.

        Args:
            path: the directory; not a symbolic link to one.
            ignore_errors: do nothing where it cannot be done.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory, or a symbolic link.
            OSError: EBUSY for the root.

        Complexity: O(nodes below it).
        """
        try:
            with self._lock:
                directory, name, top, _ = self._place(path)
                if type(top) is not Directory:
                    raise os_error(errno.ENOENT if top is None else errno.ENOTDIR, path)
                if _grammar.is_special(name):
                    raise os_error(errno.EBUSY if top is self._root else errno.EINVAL, path)
                directories, others = _everything_below(top)
                now = time_ns()
                directory.nlink -= 1
                directory.mtime = directory.ctime = now
                del directory.children[name]
                try:
                    self._dismantle(directories, others, now)
                except BaseException:  # a signal: what was begun is done to the end
                    self._dismantle(directories, others, now)
                    raise
        except OSError:
            if not ignore_errors:
                raise

    # Moving

    def rename(self, src: StrPath, dst: StrPath) -> None:
        """Give the entry `src` the name `dst`, replacing what is there in the same instant.

        Args:
            src: a file, a symbolic link (itself, not what it leads to) or a directory.
            dst: the new path; its directory must exist. A file replaces a file, a directory an
                empty directory.

        Raises:
            FileNotFoundError: `src` or the directory of `dst` is missing.
            IsADirectoryError: `src` is no directory, and `dst` is one.
            NotADirectoryError: `src` is a directory, and `dst` is something else.
            OSError: EINVAL, a directory into itself; ENOTEMPTY; EBUSY for `.`, `..` and the root.

        Complexity: O(1) in what is below a directory, O(depth) in the height of the tree.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                source, target = self._place(src), self._place(dst)
            except OSError as error:
                raise os_error(_code(error), src, dst) from None
            code = self._obstacle_to_rename(source, target)
            if code:
                raise os_error(code, src, dst)
            old, old_name, node, _ = source
            new, new_name, replaced, _ = target
            if node is None or node is replaced:  # two names of one file: POSIX leaves both
                return
            moves_directory = isinstance(node, Directory)
            record = None
            if replaced is not None and not moves_directory:
                record = self._record_lost_link(replaced)
            account = self._account
            remembered = self._directories
            if moves_directory and node.remembered:  # type: ignore[attr-defined]
                remembered = {"": self._root}
            now = time_ns()
            old.mtime = old.ctime = new.mtime = new.ctime = node.ctime = now
            if moves_directory:
                old.nlink -= 1
                new.nlink += 1
                node.parent = new  # type: ignore[attr-defined]
            if replaced is not None:
                replaced.ctime = now
                replaced.nlink -= 1
                if moves_directory:
                    new.nlink -= 1
                    replaced.nlink = 0
                    replaced.removed = True  # type: ignore[attr-defined]
                if record is not None:
                    record.counts = True
                    replaced.account = record.account
                elif not replaced.nlink:
                    account.nodes -= 1
            del old.children[old_name]
            new.children[new_name] = node
            if remembered is not self._directories:
                self._directories = remembered
                node.remembered = False  # type: ignore[attr-defined]
        finally:
            self._unlock()

    replace = rename

    def move(self, src: StrPath, dst: StrPath) -> None:
        """Rename, making the missing directories above `dst`.

        Raises:
            OSError: as `rename`; nothing has changed.
        """
        made: list[str] = []
        with self._lock:
            try:
                for directory in self._missing_above(_grammar.as_text(dst)):
                    made.append(directory)
                    self.mkdir(directory)
                self.rename(src, dst)
            except BaseException:
                self._unmake(made)
                raise

    def _unmake(self, directories: list[str]) -> None:
        """Remove the directories of a failed operation, as far as they were made."""
        for directory in reversed(directories):
            with suppress(OSError):
                self.rmdir(directory)

    def _obstacle_to_rename(self, source: Place, target: Place) -> int:
        """Return the errno of what forbids a rename, 0 if nothing does, in the kernel's order."""
        _, name, node, wants_directory = source
        above, new_name, replaced, target_wants_directory = target
        if _grammar.is_special(name) or _grammar.is_special(new_name):
            return errno.EBUSY
        if node is None or above.removed:
            return errno.ENOENT
        if type(node) is not Directory:
            if wants_directory or target_wants_directory:
                return errno.ENOTDIR
            if type(replaced) is not Directory:
                return 0
            return errno.ENOTEMPTY if _is_within(source[0], replaced) else errno.EISDIR
        if replaced is not node and type(replaced) is Directory and _is_within(source[0], replaced):
            return errno.ENOTEMPTY
        if _is_within(above, node):
            return errno.EINVAL
        if replaced is node or replaced is None:
            return 0
        if type(replaced) is not Directory:
            return errno.ENOTDIR
        return errno.ENOTEMPTY if replaced.children else 0

    # Shared by the operations above, with the lock held

    def _place_for_new(
        self,
        path: StrPath,
        *,
        is_directory: bool = False,
        paths: tuple[StrPath, StrPath] | None = None,
    ) -> tuple[Directory, str]:
        """Return the directory and the name at which an entry is about to be made.

        Args:
            path: where.
            is_directory: what is to be made is a directory, so that a slash may end the path.
            paths: what an error names instead of `path`.
        """
        try:
            directory, name, node, wants_directory = self._place(path)
            if node is not None:
                raise os_error(errno.EEXIST, path)
            if directory.removed or (wants_directory and not is_directory):
                raise os_error(errno.ENOENT, path)
        except OSError as error:
            if paths is None:
                raise
            raise os_error(_code(error), *paths) from None
        return directory, name

    def _file_to_open(
        self,
        path: StrPath,
        *,
        create: bool = False,
        exclusive: bool = False,
        content: bytes | BlockList = b"",
    ) -> File:
        """Return the file at `path`, a new one of `content` if it is missing and to be made.

        Raises:
            OSError: ENOENT, EEXIST, EISDIR and those of resolution, as `os.open` would.
        """
        with self._lock:
            if create:
                self._refuse_slash(path)
            directory, name, node, wants_directory = self._walk_path(
                path, follow=not exclusive, follow_with_slash=True
            )
            if node is None:
                if not create or directory.removed:
                    raise os_error(errno.ENOENT, path)
                node = self._create_file(directory, name, path, content)
            elif exclusive:
                raise os_error(errno.EEXIST, path)
            if not isinstance(node, File):
                raise os_error(errno.EISDIR, path)
            if wants_directory:
                raise os_error(errno.EISDIR if create else errno.ENOTDIR, path)
            return node

    def _refuse_slash(self, path: StrPath) -> None:
        """Raise EISDIR for a path with a slash behind a name, where a file is to be made.

        The kernel does so as soon as the directory above is found, whatever the name leads to.
        """
        text = _grammar.as_text(path)
        if text.endswith("/"):
            head, _, name = text.rstrip("/").rpartition("/")
            if not _grammar.is_special(name):
                self._find_directory(head or "/")
                raise os_error(errno.EISDIR, path)

    def _create_file(
        self,
        directory: Directory,
        name: str,
        path: StrPath,
        content: bytes | BlockList = b"",
    ) -> File | None:
        """Make a file, or return the one that came between.

        None says that something else came between: its directory was removed, or its name was
        given to something that is no file. Then the path has to be resolved anew.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            children = directory.children
            if name in children or directory.removed:
                other = children.get(name)
                return other if type(other) is File else None
            account = self._account
            if account.nodes >= account.max_nodes:
                account.require(0, 1, path)
            node = File()
            node.mode = _FILE_MODE
            node.owner = self._owner
            node.nlink = 1
            node.account = account
            node.content = content
            node.size = stored = 0
            if content:
                node.size, stored = content_size(content)
                account.require(stored, 1, path)
            now = time_ns()
            node.mtime = node.ctime = node.atime = now
            account.nodes += 1
            account.used += stored
            directory.mtime = directory.ctime = now
            children[name] = node
            return node
        finally:
            self._unlock()

    def _record_lost_link(self, node: Node) -> UnlinkedRecord | None:
        """Return what has to take effect when `node` loses a name: something, if it is the last."""
        if node.nlink == 1 and isinstance(node, File):
            return self._account.record_unlinking(node)
        return None

    def _dismantle(self, directories: list[Directory], others: list[Node], now: int) -> None:
        """Free what is out of the tree already.

        Each node leaves its list together with its change, so that this can be called again.
        """
        account = self._account
        while directories:
            directory = directories[-1]
            children: dict[str, Node] = {}
            directory.removed = True
            directory.nlink = 0
            directory.children = children
            account.nodes -= 1
            del directories[-1]
        while others:
            node = others[-1]
            record = self._record_lost_link(node)
            node.ctime = now
            node.nlink -= 1
            if record is not None:
                record.counts = True
                node.account = record.account
            elif not node.nlink:
                account.nodes -= 1
            del others[-1]


def _everything_below(top: Directory) -> tuple[list[Directory], list[Node]]:
    """Return the directories of a subtree, `top` included, and every entry that is none."""
    directories = [top]
    others: list[Node] = []
    for directory in directories:
        for child in directory.children.values():
            if isinstance(child, Directory):
                directories.append(child)
            else:
                others.append(child)
    return directories, others


def _is_within(directory: Directory, above: Directory) -> bool:
    """Tell whether `directory` is `above` or lies below it."""
    while directory is not above:
        if directory.parent is directory:
            return False
        directory = directory.parent
    return True


def _directory_above(path: str) -> str:
    """Return the path of the directory that holds the last component of `path`."""
    return path.rstrip("/").rpartition("/")[0].rstrip("/")


def _code(error: OSError) -> int:
    assert error.errno is not None
    return error.errno
