"""A shell for a tree in memory: to look around, to change it, and to put it on the disk or not."""

from __future__ import annotations

import argparse
import cmd
import posixpath
import shlex
import sys
from collections.abc import Callable

from ._commands import WORK, AddCommand, load, write_output
from ._memory_filesystem import MemoryFileSystem


def add_shell(command: AddCommand) -> None:
    """Add the command to a command line."""
    shell = command("shell", _shell, "look around in a pack or directory, and change it in memory")
    shell.add_argument("source", metavar="SOURCE", nargs="?", help="default: an empty tree")


def _shell(options: argparse.Namespace) -> None:
    Shell(options.source).run()


class Shell(cmd.Cmd):
    """Reads commands and does them to one file system.

    Args:
        source: a pack, an archive or a directory; None for an empty tree. It is changed in memory,
            until `apply` or `pack`.
    """

    intro = "A tree in memory. help shows the commands; quit ends, and nothing is written."

    def __init__(self, source: str | None) -> None:
        super().__init__()
        self._fs, self._cwd = (
            (MemoryFileSystem(), "/") if source is None else load(source, writable=True)
        )
        self._is_of_disk = self._cwd == WORK
        self._before = self._fs.snapshot()
        self._is_asking = sys.stdin.isatty()

    @property
    def prompt(self) -> str:  # type: ignore[override]
        """What stands before a line that is typed; nothing where the lines come from a file."""
        return f"{self._cwd}> " if self._is_asking else ""

    def run(self) -> None:
        """Read and do commands until the end of the input."""
        self.use_rawinput = self._is_asking
        self.cmdloop(self.intro if self._is_asking else "")
        self._before.close()

    def onecmd(self, line: str) -> bool:
        """Do one command; what it raises is told, and the next one is read."""
        try:
            return super().onecmd(line)
        except (OSError, ValueError, TypeError) as error:
            print(f"error: {error}", file=self.stdout)
        except KeyboardInterrupt:
            print("interrupted", file=self.stdout)
        return False

    def emptyline(self) -> bool:
        """Do nothing for an empty line."""
        return False

    def default(self, line: str) -> bool:  # type: ignore[override]
        """Say that there is no such command, or end at the end of the input."""
        if line == "EOF":
            return True
        print(f"error: no command {line.split()[0]!r}; help shows them all", file=self.stdout)
        return False

    def do_quit(self, _line: str) -> bool:
        """quit: end, and write nothing."""
        return True

    def do_pwd(self, _line: str) -> None:
        """pwd: tell the working directory."""
        print(self._cwd, file=self.stdout)

    def do_cd(self, line: str) -> None:
        """cd [DIRECTORY]: change the working directory."""
        [path] = self._paths(line, 1, default="/")
        self._fs.listdir(path)
        self._cwd = path

    def do_ls(self, line: str) -> None:
        """ls [DIRECTORY]: list a directory."""
        [path] = self._paths(line, 1, default=".")
        with self._fs.scandir(path) as entries:
            for entry in entries:
                kind = "/" if entry.is_dir(follow_symlinks=False) else ""
                size = entry.stat(follow_symlinks=False).st_size
                print(f"{size:>12,}  {entry.name}{kind}", file=self.stdout)

    def do_tree(self, line: str) -> None:
        """tree [DIRECTORY]: draw a directory and all that was looked into."""
        print(self._fs.tree(*self._paths(line, 1, default=".")), file=self.stdout)

    def do_cat(self, line: str) -> None:
        """cat FILE: write a file to the output."""
        write_output(self._fs.read_bytes(*self._paths(line, 1)))

    def do_write(self, line: str) -> None:
        """write FILE TEXT: make a file of one line, or replace it."""
        name, *words = shlex.split(line)
        self._fs.write_text(self._path(name), " ".join(words) + "\n", encoding="utf-8")

    def do_mkdir(self, line: str) -> None:
        """mkdir DIRECTORY: make a directory, and missing ones above it."""
        [path] = self._paths(line, 1)
        self._fs.makedirs(path)

    def do_cp(self, line: str) -> None:
        """cp FROM TO: copy a file or a directory."""
        src, dst = self._paths(line, 2)
        copy: Callable[[str, str], object] = (
            self._fs.copy_tree if self._fs.is_dir(src) else self._fs.copy
        )
        copy(src, dst)

    def do_mv(self, line: str) -> None:
        """mv FROM TO: rename a file or a directory."""
        self._fs.move(*self._paths(line, 2))

    def do_rm(self, line: str) -> None:
        """rm PATH: remove a file, or a directory with all below it."""
        [path] = self._paths(line, 1)
        is_directory = self._fs.is_dir(path) and not self._fs.is_symlink(path)
        (self._fs.rmtree if is_directory else self._fs.remove)(path)

    def do_diff(self, _line: str) -> None:
        """diff: show what was changed, in the form of git."""
        if self._is_of_disk:
            self.stdout.write(self._fs.changes(unified=True))
        else:
            self.stdout.write(self._before.diff(unified=True))

    def do_apply(self, _line: str) -> None:
        """apply: make on the disk what was changed, all of it or nothing."""
        done = self._fs.apply()
        count = len(done.added) + len(done.removed) + len(done.changed)
        print(f"{count:,} paths changed on the disk", file=self.stdout)

    def do_discard(self, _line: str) -> None:
        """discard: forget what was changed."""
        if self._is_of_disk:
            self._fs.discard()
        else:
            self._fs.restore(self._before)

    def do_pack(self, line: str) -> None:
        """pack FILE: write all of it into a pack on the disk."""
        [name] = shlex.split(line)
        self._fs.pack(name)

    def _paths(self, line: str, count: int, default: str | None = None) -> list[str]:
        names = shlex.split(line)
        if not names and default is not None:
            names = [default]
        if len(names) != count:
            raise ValueError(f"{count} path{'s' * (count > 1)} expected, not {len(names)}")
        return [self._path(name) for name in names]

    def _path(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(self._cwd, name))
