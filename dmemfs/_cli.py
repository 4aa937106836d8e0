"""The command line: `python3 -m dmemfs COMMAND`."""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from . import _platform
from ._arguments import parse_size
from ._commands import DifferError, add_commands
from ._errors import ArchiveError, PackError, QuotaExceededError
from ._memory_filesystem import MemoryFileSystem
from ._shell import add_shell
from ._transfer.entries import Entry
from ._transfer.progress import Progress, ProgressBar
from ._version import __version__

EXIT_FAILURE = 1
# What a shell reports for a program that Ctrl-C or a closed pipe has ended.
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_BROKEN_PIPE = 141

_FORMATS = ("zip", "tar", "gztar", "bztar", "xztar")
# What errors advise, as methods and as commands have it.
_WORDS = {
    "pack() makes one, and import_archive() reads other archives": (
        "the command pack makes one, and import reads other archives"
    ),
    "Give one, as format='zip' or 'gztar',": "Give one, as --format zip or --format gztar,",
    "remove files or raise max_quota": "give a larger --max-quota",
    "remove files or raise max_nodes": "give a larger --max-quota, of which it is a part",
    "make the directory first, by os.makedirs()": "make the directory first",
}
_LETTERS = {"directory": "d", "file": "-", "symlink": "l", "link": "h"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Those after the name of the program; without it those of this process.

    Returns:
        The exit status: 0 for success, 1 for bad input or what does not fit, 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal cannot show must not end the program.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if options.run is None:
            parser.print_help()
        else:
            options.run(options)
        sys.stdout.flush()
    except DifferError:
        return EXIT_FAILURE
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was left behind", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit, and would complain then.
        with contextlib.suppress(OSError):
            _platform.discard_output()
        return EXIT_BROKEN_PIPE
    except (OSError, ValueError, OverflowError) as error:
        sys.stdout.flush()
        text = f"error: {_in_words_of_the_command_line(error, options)}\n".encode(
            sys.stderr.encoding or "ascii", "backslashreplace"
        )
        sys.stderr.write(text.decode(sys.stderr.encoding or "ascii"))
        return EXIT_FAILURE
    return 0


def _in_words_of_the_command_line(error: Exception, options: argparse.Namespace) -> str:
    """Return what an error says, with the file that it is about, and commands for methods."""
    if isinstance(error, QuotaExceededError):
        text = str(error.strerror)  # its path is one in memory
    elif isinstance(error, PackError):
        text = f"{options.pack}: {error}"
    elif isinstance(error, ArchiveError):
        text = f"{options.archive}: {error}"
    else:
        text = str(error)
    for words_of_methods, ours in _WORDS.items():
        text = text.replace(words_of_methods, ours)
    return text


def _size(text: str) -> int:
    """Return the bytes that an argument of a command says."""
    try:
        return parse_size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number of bytes, or a size such as 64MiB; not {text!r}"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m dmemfs",
        description="Trees of files in one file: packs, and archives that are only let in whole.",
    )
    parser.add_argument("--version", action="version", version=f"dmemfs-sqlite {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Any:
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(run=run)
        return added

    pack = command("pack", _pack, "make a pack of a directory")
    pack.add_argument("directory", metavar="DIRECTORY", help="which is only read")
    pack.add_argument("pack", metavar="PACK", help="the file to make or replace")
    listing = command("list", _list, "show what is in a pack, and check all of it")
    listing.add_argument("pack", metavar="PACK", help="which is only read")
    unpack = command("unpack", _unpack, "make a directory of a pack")
    unpack.add_argument("pack", metavar="PACK", help="which is only read")
    unpack.add_argument("directory", metavar="DIRECTORY", help="a new or an empty one")
    taking = command("import", _import, "make a pack of a zip or tar archive, if it is safe")
    taking.add_argument("archive", metavar="ARCHIVE", help="which is only read")
    taking.add_argument("pack", metavar="PACK", help="the file to make or replace")
    taking.add_argument("--format", choices=_FORMATS, help="default: found out from the content")
    giving = command("export", _export, "make a zip or tar archive of a pack")
    giving.add_argument("pack", metavar="PACK", help="which is only read")
    giving.add_argument("archive", metavar="ARCHIVE", help="the file to make or replace")
    giving.add_argument("--format", choices=_FORMATS, help="default: as the name of ARCHIVE ends")
    add_commands(command)
    add_shell(command)
    for each in (pack, taking):
        each.add_argument("--compress", choices=("gzip", "bz2", "xz"), help="default: none")
    for each in (pack, unpack, taking, giving):
        each.add_argument(
            "--max-quota",
            type=_size,
            metavar="SIZE",
            help="the most content to hold in memory, in bytes or as 64MiB (default: half of it)",
        )
    return parser


def _pack(options: argparse.Namespace) -> None:
    fs = MemoryFileSystem(**_limits(options))
    with _bar("reading") as progress:
        fs.import_tree(options.directory, progress=progress)
    _write_pack(fs, options)


def _write_pack(fs: MemoryFileSystem, options: argparse.Namespace) -> None:
    with _bar("packing") as progress:
        fs.pack(options.pack, compress=options.compress, progress=progress)


def _read_pack(options: argparse.Namespace) -> MemoryFileSystem:
    with _bar("unpacking") as progress:
        return MemoryFileSystem.unpack(options.pack, progress=progress, **_limits(options))


def _unpack(options: argparse.Namespace) -> None:
    fs = _read_pack(options)
    with _bar("writing") as progress:
        fs.export_tree(target=options.directory, progress=progress)


def _import(options: argparse.Namespace) -> None:
    fs = MemoryFileSystem(**_limits(options))
    with _bar("extracting") as progress:
        fs.import_archive(options.archive, format=options.format, progress=progress)
    _write_pack(fs, options)


def _export(options: argparse.Namespace) -> None:
    fs = _read_pack(options)
    with _bar("writing") as progress:
        fs.export_archive(options.archive, format=options.format, progress=progress)


def _list(options: argparse.Namespace) -> None:
    from ._transfer.formats.pack import PackReader

    with open(options.pack, "rb") as file:
        for entry in PackReader(file).entries():
            print(_line_of(entry))
            for _ in entry.read():
                pass


def _line_of(entry: Entry) -> str:
    """Return a line like those of `tar --list --verbose`; times are in UTC."""
    mode, (uid, gid), _, mtime, _ = entry.metadata or (0, (0, 0), 0, 0, 0)
    letters = _LETTERS[entry.kind] + stat.filemode(stat.S_IFREG | mode)[1:]
    name = "/" + entry.path
    if entry.kind == "symlink":
        name += f" -> {entry.target}"
    if entry.kind == "link":
        return f"{letters[0]:<10} {'':<11} {'':>12} {'':<19} {name} = /{entry.target}"
    try:
        when = f"{_EPOCH + timedelta(microseconds=mtime // 1000):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        when = f"@{mtime // 10**9}"
    return f"{letters} {f'{uid}/{gid}':<11} {entry.size:>12} {when:<19} {name}"


def _limits(options: argparse.Namespace) -> dict[str, int]:
    return {} if options.max_quota is None else {"max_quota": options.max_quota}


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Progress | None]:
    """Give what shows the progress, if there is a terminal to show it on."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = ProgressBar(sys.stderr, title)
    try:
        yield bar
    finally:
        bar.clear()
