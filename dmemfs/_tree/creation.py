"""Making entries: directories, files, links."""

from __future__ import annotations

import errno
import stat
from abc import abstractmethod
from time import time_ns
from typing import overload

from .. import _paths
from .._errors import errno_of, os_error, require_c_int
from .._history.history import preserve, preserve_creation, preserve_entry
from .._nodes.content import BlockList, content_size
from .._nodes.nodes import Directory, File, Owner, Symlink
from .._paths import BytesPath, StrPath, TextPath, directory_above
from .._platform import shared_dict
from .lookup import Lookup

_UMASK = 0o022
_S_ISGID = stat.S_ISGID
_S_IFDIR = stat.S_IFDIR
_DIRECTORY_MODE = _S_IFDIR | (0o777 & ~_UMASK)
_FILE_MODE = stat.S_IFREG | (0o666 & ~_UMASK)


class Creation(Lookup):
    """Makes entries in directories."""

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
        if mode != 0o777:
            require_c_int(mode)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()
            node = Directory()
            node.told = None
            node.nlink = 2
            node.mtime = node.ctime = node.atime = now
            node.children = shared_dict()
            node.removed = False
            node.remembered = False
            directory, name, other, _ = self._place(path)
            if other is not None or directory.removed:
                if exist_ok and isinstance(self._peek(path), Directory):
                    return
                code = errno.ENOENT if other is None else errno.EEXIST
                del other  # see UnlinkedRecord
                raise os_error(code, path)
            node.account = account = directory.account
            if account.nodes >= account.max_nodes:
                account.require(0, 1, path)
            if mode == 0o777 and not directory.mode & _S_ISGID:
                node.mode, node.owner = _DIRECTORY_MODE, self._owner
            else:
                node.mode = _S_IFDIR | (mode & 0o1777 & ~_UMASK) | (directory.mode & _S_ISGID)
                node.owner = self._owner_in(directory)
            node.parent = directory
            if self._newest is not None:
                preserve_creation(self, directory, name, node)
            if name in directory.children:  # since a moment ago, by a signal handler
                raise os_error(errno.EEXIST, path)
            account.nodes += 1
            directory.nlink += 1
            directory.mtime = directory.ctime = now
            directory.children[name] = node
        finally:
            self._unlock()

    @abstractmethod
    def makedirs(self, path: StrPath, mode: int = 0o777, exist_ok: bool = False) -> None:
        """Make a directory and the missing ones above it: see `Renaming`, which can undo that."""

    def _missing_above(self, path: str) -> list[str]:
        """Return the paths of the directories above `path` that do not exist, outermost first."""
        missing = []
        above = directory_above(path)
        while above and not self.exists(above):
            missing.append(above)
            above = directory_above(above)
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
        target, _ = _paths.as_text(src), _paths.as_text(dst)
        if not target:
            raise os_error(errno.ENOENT, src, dst)
        if _paths.too_long(target, _paths.PATH_MAX):
            raise os_error(errno.ENAMETOOLONG, src, dst)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory, name = self._place_for_new(dst, paths=(src, dst))
            account = directory.account
            now = time_ns()
            node = Symlink()
            node.lead_to(target)
            account.require(0, node.counts_as, dst)
            node.told = None
            node.mode = stat.S_IFLNK | 0o777
            node.owner = self._owner_in(directory)
            node.nlink = 1
            node.mtime = node.ctime = node.atime = now
            node.account = account
            if self._newest is not None:
                preserve_creation(self, directory, name, node)
            account.nodes += node.counts_as
            directory.mtime = directory.ctime = now
            directory.children[name] = node
        finally:
            self._unlock()

    def link(self, src: StrPath, dst: StrPath) -> None:
        """Make `dst` a further name of the file `src`.

        A symbolic link `src` is linked itself, not followed, as on Linux.

        Raises:
            PermissionError: `src` is a directory (EPERM).
            FileExistsError: something is at `dst`.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                self._find(src, follow=False)
            except OSError as error:
                _paths.as_text(dst)  # os looks at both arguments first
                raise os_error(errno_of(error), src, dst) from None
            directory, name = self._place_for_new(dst, paths=(src, dst))
            now = time_ns()
            node = self._find(src, follow=False)
            if isinstance(node, Directory):
                raise os_error(errno.EPERM, src, dst)
            if self._newest is not None:
                preserve(self, node)
                preserve_entry(self, directory, name)
            node.nlink += 1
            node.ctime = now
            directory.mtime = directory.ctime = now
            directory.children[name] = node
        finally:
            self._unlock()

    @overload
    def readlink(self, path: TextPath) -> str: ...
    @overload
    def readlink(self, path: BytesPath) -> bytes: ...
    def readlink(self, path: StrPath) -> str | bytes:
        """Return what a symbolic link says; bytes if `path` is given in bytes.

        Raises:
            OSError: EINVAL, `path` is no symbolic link.
        """
        node = self._find(path, follow=False)
        if not isinstance(node, Symlink):
            del node  # see UnlinkedRecord
            raise os_error(errno.EINVAL, path)
        return _paths.as_given(node.target, path)

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
                del node  # see UnlinkedRecord
                raise os_error(errno.EEXIST, path)
            if directory.removed or (wants_directory and not is_directory):
                raise os_error(errno.ENOENT, path)
        except OSError as error:
            if paths is None:
                raise
            raise os_error(errno_of(error), *paths) from None
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
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if create:
                self._refuse_slash(path)
            directory, name, node, wants_directory = self._walk_path(
                path, follow=not exclusive, follow_with_slash=True
            )
            if node is None:
                if not create or directory.removed:
                    raise os_error(errno.ENOENT, path)
                if wants_directory:  # as the target of a symbolic link says
                    raise os_error(errno.EISDIR, path)
                node = self._create_file(directory, name, path, content)
                if node is None:  # by a signal handler
                    return self._file_to_open(
                        path, create=create, exclusive=exclusive, content=content
                    )
            elif exclusive:
                del node  # see UnlinkedRecord
                raise os_error(errno.EEXIST, path)
            if not isinstance(node, File):
                raise os_error(errno.EISDIR, path)
            if wants_directory:
                del node
                raise os_error(errno.EISDIR if create else errno.ENOTDIR, path)
            return node
        finally:
            self._unlock()

    def _put(self, path: StrPath, content: bytes | BlockList, *, like: File | None = None) -> None:
        """Make or replace a file, with the lock held; nothing has changed if it fails.

        Args:
            path: where.
            content: all of the file's content.
            like: the file whose mode and times it gets.
        """
        try:
            try:
                directory, name, node, wants_directory = self._place(path)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    self._refuse_slash(path)  # that comes first
                raise
            if wants_directory:
                self._refuse_slash(path)
            if node is None and not wants_directory and not directory.removed:
                if self._create_file(directory, name, path, content, like) is None:
                    return self._put(path, content, like=like)  # by a signal handler
            else:
                if (type(node) is not File and not isinstance(node, File)) or wants_directory:
                    node = self._file_to_open(path, create=True, content=content)
                if like is not None and self._newest is not None:
                    preserve(self, node)
                self._replace_content(node, content, path)
                if like is not None:  # from here on nothing comes between
                    node.mode, node.mtime, node.atime = like.mode, like.mtime, like.atime
        except BaseException:
            node = like = None  # see UnlinkedRecord
            raise

    def _refuse_slash(self, path: StrPath) -> None:
        """Raise EISDIR for a path with a slash behind a name, where a file is to be made.

        The kernel does so as soon as the directory above is found, whatever the name leads to.
        """
        text = _paths.as_text(path)
        if text.endswith("/"):
            head, _, name = text.rstrip("/").rpartition("/")
            if name not in _paths.SPECIAL_NAMES:
                try:
                    self._find_directory(head or "/")
                except OSError as error:
                    raise os_error(errno_of(error), path) from None
                raise os_error(errno.EISDIR, path)

    def _owner_in(self, directory: Directory) -> Owner:
        """Return who owns what is made in `directory`: its group, if it hands that on."""
        if directory.mode & _S_ISGID:
            return (self._owner[0], directory.owner[1])
        return self._owner

    def _create_file(
        self,
        directory: Directory,
        name: str,
        path: StrPath,
        content: bytes | BlockList = b"",
        like: File | None = None,
    ) -> File | None:
        """Make a file, with the mode and times of another one if that is given.

        Return None where something came between, so that the path has to be resolved anew:
        something has that name, or the directory was removed.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()
            node = File()
            node.told = None
            node.mode = _FILE_MODE
            node.owner = self._owner_in(directory) if directory.mode & _S_ISGID else self._owner
            node.nlink = 1
            node.mtime = node.ctime = node.atime = now
            node.account = account = directory.account
            node.content = content
            node.size = stored = 0
            if directory.removed:  # what counted there is gone
                return None
            if content:
                node.size, stored = content_size(content)
            if like is not None:
                node.mode, node.mtime, node.atime = like.mode, like.mtime, like.atime
            if account.nodes >= account.max_nodes or account.used + stored > account.max_bytes:
                account.require(stored, 1, path)
            if self._newest is not None:
                preserve_creation(self, directory, name, node)
            children = directory.children
            if name in children or directory.removed:
                return None
            account.nodes += 1
            account.used += stored
            directory.mtime = directory.ctime = now
            children[name] = node
            return node
        except BaseException:
            like = None  # see UnlinkedRecord
            raise
        finally:
            self._unlock()
