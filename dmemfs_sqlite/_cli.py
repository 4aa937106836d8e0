"""The command line: `python3 -m dmemfs_sqlite COMMAND`."""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import sqlite3
import sys
from collections.abc import Sequence

from dmemfs import _platform
from dmemfs._version import __version__

EXIT_FAILURE = 1
# What a shell reports for a program that Ctrl-C or a closed pipe has ended.
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_BROKEN_PIPE = 141
_BAR_WIDTH = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Those after the name of the program; without it those of this process.

    Returns:
        The exit status: 0 for success, 1 for bad input or a mismatch, 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal cannot show must not end the program.
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        if options.run is None:
            parser.print_help()
            return 0
        return int(options.run(options))
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was left on disk", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit, and would complain then.
        with contextlib.suppress(OSError):
            _platform.discard_output()
        return EXIT_BROKEN_PIPE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m dmemfs_sqlite",
        description="SQLite databases in memory that survive their last connection.",
    )
    version = f"dmemfs-sqlite {__version__}, SQLite {sqlite3.sqlite_version}"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="take a database through a whole life in memory and check that nothing is lost",
        description="Store a database in a MemoryFileSystem, load it into a shared in-memory "
        "database, let 4 threads read and write it, save it, close it, restore it, and compare "
        "every table. Nothing is written to disk.",
    )
    demo.add_argument(
        "file", nargs="?", metavar="FILE.db", help="a SQLite file, only read (default: build one)"
    )
    demo.set_defaults(run=_demo)
    check = commands.add_parser(
        "check",
        help="explain what SQLite does with a URI",
        description="Say where SQLite would put the database of a URI, who would share it, and "
        "what to write instead. Exits with 1 if load_db would refuse it.",
    )
    check.add_argument("uri", metavar="URI", help="as for sqlite3.connect(URI, uri=True)")
    check.set_defaults(run=_check)
    inspect = commands.add_parser(
        "inspect",
        help="show what a database file holds, and check it",
        description="Show page size, encoding, journal mode, tables and integrity of a SQLite "
        "file, which is only read. Exits with 1 if it is damaged.",
    )
    inspect.add_argument("file", metavar="FILE", help="a SQLite file")
    inspect.set_defaults(run=_inspect)
    _add_template_commands(
        commands.add_parser(
            "template",
            help="build, list and remove templates that tests load",
            description="A directory of templates, as DatabaseTemplate(cache=DIRECTORY) has it.",
        )
    )
    return parser


def _add_template_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    build = commands.add_parser(
        "build",
        help="build one, unless it is there",
        description="Build a template by SQL or by a program, which is told a temporary path in "
        "place of {path} and {url}, and in DATABASE_PATH and DATABASE_URL. Exits with 1 if that "
        "fails.",
    )
    build.add_argument("directory", metavar="DIRECTORY", help="made if it is missing")
    build.add_argument("--key", default="", help="the key that tests ask for")
    build.add_argument("--sql", metavar="FILE", help="a file of SQL")
    build.add_argument(
        "--program", nargs=argparse.REMAINDER, help="a command line: all that follows"
    )
    build.set_defaults(run=_build_template)
    show = commands.add_parser("list", help="show those that are there, and check them")
    show.add_argument("directory", metavar="DIRECTORY")
    show.set_defaults(run=_list_templates)
    prune = commands.add_parser("prune", help="remove damaged ones, and old ones")
    prune.add_argument("directory", metavar="DIRECTORY")
    prune.add_argument("--days", type=float, help="how old one may be (default: any age)")
    prune.set_defaults(run=_prune_templates)


def _build_template(options: argparse.Namespace) -> int:
    from ._demo.templates import TemplateError, build_template

    try:
        build_template(
            options.directory, options.key, options.sql, options.program, sys.stdout.write
        )
    except TemplateError as error:
        return _fail(str(error))
    return 0


def _list_templates(options: argparse.Namespace) -> int:
    from ._demo.templates import list_templates

    list_templates(options.directory, sys.stdout.write)
    return 0


def _prune_templates(options: argparse.Namespace) -> int:
    from ._demo.templates import prune_templates

    prune_templates(options.directory, options.days, sys.stdout.write)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from ._demo.demo import DemoError, run_demo

    try:
        run_demo(options.file, sys.stdout.write, _show_bar if sys.stderr.isatty() else None)
    except DemoError as error:
        return _fail(str(error))
    return 0


def _show_bar(done: int, total: int) -> None:
    """Show on one line of a terminal how far a copy is; the line is empty again at its end."""
    filled = _BAR_WIDTH * done // max(total, 1)
    bar = f"    [{'#' * filled:.<{_BAR_WIDTH}}]" if done < total else ""
    # Carriage return and "erase to the end of the line".
    print(f"\r{bar}\x1b[K", end="", file=sys.stderr, flush=True)


def _check(options: argparse.Namespace) -> int:
    from ._demo.inspect import describe_uri

    return 0 if describe_uri(options.uri, sys.stdout.write) else EXIT_FAILURE


def _inspect(options: argparse.Namespace) -> int:
    from ._demo.inspect import InspectionError, describe_file

    try:
        return 0 if describe_file(options.file, sys.stdout.write) else EXIT_FAILURE
    except InspectionError as error:
        return _fail(str(error))


def _fail(text: str) -> int:
    sys.stdout.flush()
    print(f"error: {text}", file=sys.stderr)
    return EXIT_FAILURE
