"""Making files, directories and links, and showing real ones."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterable
from typing import Any, cast

from .._errors import os_error
from .._interception.loading import ALL_MODES
from .._nodes.nodes import Node
from .._paths import StrPath
from ._base import Base
from ._disk import of_disk
from ._objects import FakeDirectory, FakeFile, as_bytes

_FILES_READ_ONLY = 0o7444


class Making(Base):
    """Makes what a test begins with. Modes forbid nothing here."""

    umask: int

    def create_file(
        self,
        file_path: StrPath,
        st_mode: int = stat.S_IFREG | 0o666,
        contents: str | bytes | None = "",
        st_size: int | None = None,
        create_missing_dirs: bool = True,
        apply_umask: bool = True,
        encoding: str | None = None,
        errors: str | None = None,
        side_effect: Callable[[FakeFile], object] | None = None,
    ) -> FakeFile:
        """Make a file.

        Args:
            file_path: where; what is missing above is made.
            st_mode: its permission bits.
            contents: what is in it.
            st_size: bytes, in place of contents: zeros, which take no memory.
            create_missing_dirs: whether to make what is missing above.
            apply_umask: whether the umask holds for `st_mode`.
            encoding: of contents given as text; the locale's by default.
            errors: how errors of the encoding are handled.
            side_effect: called with the object of the file after each write.

        Returns:
            The object of the file.

        Raises:
            FileExistsError: something is there.
            FileNotFoundError: a directory is missing, and is not to be made.
            QuotaExceededError: it does not fit.
        """
        if not isinstance(st_mode, int):
            raise TypeError(
                f"st_mode must be an int, not {type(st_mode).__name__}; contents go by contents="
            )
        if stat.S_ISLNK(st_mode):
            return self.create_symlink(file_path, contents or "", create_missing_dirs)
        if stat.S_IFMT(st_mode) == stat.S_IFDIR:
            return self.create_dir(file_path, stat.S_IMODE(st_mode), apply_umask)
        path = self._text(file_path)
        data = as_bytes(contents or "", encoding, errors)
        memory = self.memory
        with memory.permissions.suspended():
            self._prepare(path, create_missing_dirs)
            try:
                memory.write_bytes(path, b"" if st_size is not None else data)
                if st_size is not None:
                    self.get_object(path).set_large_file_size(st_size)
            except OSError:
                if memory.exists(path):
                    memory.remove(path)
                raise
            memory.chmod(path, stat.S_IMODE(st_mode) & ~(self.umask if apply_umask else 0))
        self._show(path)
        made = self._object_of(memory._find(path, follow=False))
        made.encoding, made.errors = encoding, errors or "strict"
        made._side_effect = side_effect
        self._remember(made)
        return made

    def create_file_internally(
        self, *arguments: Any, read_from_real_fs: bool = False, **options: Any
    ) -> FakeFile:
        """Make a file; see `create_file`."""
        if read_from_real_fs:
            return self.add_real_file(arguments[0])
        return self.create_file(*arguments, **options)

    def create_dir(
        self, directory_path: StrPath, perm_bits: int = 0o777, apply_umask: bool = True
    ) -> FakeDirectory:
        """Make a directory, and what is missing above.

        Raises:
            FileExistsError: something is there.
            NotADirectoryError: something above is no directory.
        """
        path = self._text(directory_path)
        memory = self.memory
        with memory.permissions.suspended():
            if memory._peek(path, follow=False) is not None and path not in self.mount_points:
                raise os_error(errno.EEXIST, path)
            mode = perm_bits & ~(self.umask if apply_umask else 0)
            for missing in self._missing(path):
                memory.mkdir(missing)
                memory.chmod(missing, mode)
        self._show(path)
        return cast(FakeDirectory, self.get_object(path))

    mount_points: Any

    def create_symlink(
        self, file_path: StrPath, link_target: StrPath, create_missing_dirs: bool = True
    ) -> FakeFile:
        """Make a symbolic link at a path.

        Args:
            file_path: where.
            link_target: what it says.
            create_missing_dirs: whether to make what is missing above.

        Raises:
            FileExistsError: something is there.
        """
        given = self._as_given(file_path)
        if given.endswith("/"):
            raise os_error(errno.EEXIST if self.memory.exists(given) else errno.ENOENT, given)
        path = self._text(file_path)
        with self.memory.permissions.suspended():
            self._prepare(path, create_missing_dirs)
            self.memory.symlink(os.fsdecode(link_target), path)
        self._show(path)
        return self._object_of(self.memory._find(path, follow=False))

    def create_link(
        self,
        old_path: StrPath,
        new_path: StrPath,
        follow_symlinks: bool = True,
        create_missing_dirs: bool = True,
    ) -> FakeFile:
        """Make another name of a file.

        Args:
            old_path: the file.
            new_path: its further name.
            follow_symlinks: whether a link stands for what it leads to.
            create_missing_dirs: whether to make what is missing above.

        Raises:
            FileExistsError: something has that name.
            PermissionError: it is a directory.
        """
        source = self._as_given(old_path)
        target = self._text(new_path)
        if os.fsdecode(new_path).endswith("/"):
            raise os_error(errno.ENOENT, source)
        with self.memory.permissions.suspended():
            self._prepare(target, create_missing_dirs)
            if follow_symlinks:
                source = self.get_object(self.resolve_path(source)).path
            self.memory.link(source, target)
        self._show(target)
        return self._object_of(self.memory._find(target, follow=False))

    link = create_link

    def create_temp_dir(self) -> None:
        """Make the directory for temporary files, and `/tmp` where that is another one."""
        directory = next(filter(None, map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))), "/tmp")
        with self.memory.permissions.suspended():
            for missing in self._missing(self._text(directory)):
                self.memory.mkdir(missing)
                self.memory.chmod(missing, 0o777)
            if not self.memory.exists("/tmp"):
                self.memory.symlink(directory, "/tmp")

    def add_object(self, file_path: StrPath, file_object: FakeFile) -> None:
        """Put an object into a directory, by its own name.

        Raises:
            NotADirectoryError: `file_path` leads to no directory.
        """
        directory = self._object_at(file_path or "/", follow=True)
        if not isinstance(directory, FakeDirectory):
            raise os_error(errno.ENOTDIR, file_path)
        directory.add_entry(file_object)

    # What is on the disk

    def add_real_file(
        self, source_path: StrPath, read_only: bool = True, target_path: StrPath | None = None
    ) -> FakeFile:
        """Show a real file, which is read when that is asked for, and never written.

        Args:
            source_path: the real file.
            read_only: take from its mode what lets it be written.
            target_path: where to show it; at its own path by default.

        Raises:
            FileNotFoundError: there is no such real file.
            FileExistsError: something is there already.
        """
        source = self._on_disk(source_path)
        if stat.S_ISDIR(of_disk("stat")(source).st_mode):
            raise os_error(errno.EISDIR, source_path)
        return self._add_real(source, self._target(source_path, target_path), read_only)

    def add_real_symlink(
        self, source_path: StrPath, target_path: StrPath | None = None
    ) -> FakeFile:
        """Make a link that says what a real one says; see `add_real_file`."""
        source = self._on_disk(os.fsdecode(source_path).rstrip("/"))
        of_disk("lstat")(source)
        return self.create_symlink(
            self._target(source_path, target_path), of_disk("readlink")(source)
        )

    def add_real_directory(
        self,
        source_path: StrPath,
        read_only: bool = True,
        lazy_read: bool = True,
        target_path: StrPath | None = None,
    ) -> FakeDirectory:
        """Show a real directory and all below, each looked into when that is asked for.

        Args:
            source_path: the real directory.
            read_only: take from the modes of the files what lets them be written.
            lazy_read: False to look into all directories at once.
            target_path: where to show it; at its own path by default. What is in a directory that
                is there is added to it.

        Raises:
            FileNotFoundError: there is no such real directory.
            FileExistsError: something is where a real file would be.
        """
        source = self._on_disk(source_path)
        target = self._target(source_path, target_path)
        of_disk("stat")(source)
        there = self.memory._peek(target)
        if there is None:
            shown = self._add_real(source, target, read_only)
        else:
            shown = self._object_of(there)
            if not isinstance(shown, FakeDirectory):
                raise os_error(errno.ENOTDIR, target)
            self._merge(source, target, read_only, lazy_read)
        if not lazy_read:
            for _ in self.memory.walk(target):
                pass
        return cast(FakeDirectory, shown)

    def _merge(self, source: str, target: str, read_only: bool, lazy_read: bool) -> None:
        """Show what is in a real directory in one that is there."""
        for name in sorted(of_disk("listdir")(source)):
            inner, shown = posixpath.join(source, name), posixpath.join(target, name)
            kind = of_disk("lstat")(inner).st_mode
            if stat.S_ISLNK(kind):
                self.add_real_symlink(inner, shown)
            elif stat.S_ISDIR(kind):
                self.add_real_directory(inner, read_only, lazy_read, shown)
            elif stat.S_ISREG(kind):
                self.add_real_file(inner, read_only, shown)

    def add_real_paths(
        self, path_list: Iterable[StrPath], read_only: bool = True, lazy_dir_read: bool = True
    ) -> None:
        """Show real files and directories; see `add_real_file` and `add_real_directory`."""
        for path in path_list:
            if stat.S_ISDIR(of_disk("stat")(self._on_disk(path)).st_mode):
                self.add_real_directory(path, read_only, lazy_dir_read)
            else:
                self.add_real_file(path, read_only)

    def add_package_metadata(self, package_name: str) -> None:
        """Show what `importlib.metadata` reads of an installed package.

        Raises:
            importlib.metadata.PackageNotFoundError: it is not installed.
        """
        from importlib.metadata import PackageNotFoundError, distribution

        files = distribution(package_name).files
        if files is None:
            raise PackageNotFoundError(package_name)
        for file in files:
            self.add_real_file(os.fspath(cast(Any, file.locate())))

    def _add_real(self, source: str, target: str, read_only: bool) -> FakeFile:
        memory = self.memory
        if memory._peek(target, follow=False) is not None:
            raise os_error(errno.EEXIST, target)
        with memory.permissions.suspended():
            memory._show_real(
                source,
                target,
                writable=True,
                file_modes=_FILES_READ_ONLY if read_only else ALL_MODES,
            )
        self._show(target)
        return self._object_of(memory._find(target, follow=False))

    def _on_disk(self, path: StrPath) -> str:
        """Return the absolute path of something on the disk."""
        return posixpath.normpath(posixpath.join(self._real_cwd, os.fsdecode(path)))

    def _target(self, source: StrPath, target: StrPath | None) -> str:
        """Return where to show something."""
        return self._on_disk(source) if target is None else self._text(target)

    # What is there, and what is missing

    def get_object(self, file_path: StrPath) -> FakeFile:
        """Return the object of what is at a path, of a link itself.

        Raises:
            FileNotFoundError: there is nothing.
        """
        return self._object_at(file_path, follow=False)

    def _object_at(self, path: StrPath, *, follow: bool) -> FakeFile:
        text = self._as_given(path)
        if not text:
            raise os_error(errno.ENOENT, path)
        try:
            return self._object_of(self.memory._find(text, follow=follow))
        except OSError as error:
            error.filename = path
            raise

    def resolve_path(self, file_path: StrPath, allow_fd: bool = False) -> Any:
        """Return the path from the root on to which a path leads, links followed.

        What is missing is taken as it is.

        Raises:
            OSError: ELOOP; ENOENT, the path is empty.
        """
        del allow_fd
        text = self._as_given(file_path)
        if not text:
            raise os_error(errno.ENOENT, file_path)
        node = self.memory._peek(text)
        if node is not None:
            found = self._object_of(node).path
        else:
            above = posixpath.dirname(text.rstrip("/"))
            there = self.memory._peek(above)
            base = self._text(above) if there is None else self._object_of(there).path
            found = self._text(posixpath.join(base, posixpath.basename(text.rstrip("/"))))
        return os.fsencode(found) if isinstance(file_path, bytes) else found

    def _prepare(self, path: str, create_missing_dirs: bool) -> None:
        """Make the directories above something new.

        Raises:
            FileExistsError: it is there.
        """
        if self.memory._peek(path, follow=False) is not None:
            raise os_error(errno.EEXIST, path)
        above = posixpath.dirname(path)
        there = self.memory._peek(above)
        if there is not None:
            self._require_writable(there, above)
        else:
            if not create_missing_dirs:
                raise os_error(errno.ENOENT, above)
            mode = 0o777 & ~self.umask
            for missing in self._missing(above):
                self.memory.mkdir(missing)
                self.memory.chmod(missing, mode)

    def _missing(self, path: str) -> list[str]:
        """Return the directories that are missing on the way to a path, the outermost first.

        Raises:
            PermissionError: modes forbid to make the first of them.
        """
        missing: list[str] = []
        there = self.memory._peek(path)
        while there is None:
            missing.insert(0, path)
            path = posixpath.dirname(path)
            there = self.memory._peek(path)
        self._require_writable(there, path)
        return missing

    def _require_writable(self, directory: Node, path: str) -> None:
        """Raise PermissionError where whoever acts may make nothing in a directory."""
        if not self.memory.permissions.gives(directory, os.W_OK):
            raise os_error(errno.EACCES, path)
