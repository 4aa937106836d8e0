"""Run all benchmarks, write their results and draw them: `python -m benchmarks`.

Each runs in a process of its own, one after the other, so that none finds memory, caches or
patches of another.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import draw
from benchmarks._command import add_common_options, add_dmemfs_peer_option, chosen
from benchmarks._peers import DMEMFS_PEER_VARIABLE
from benchmarks._results import RESULTS

BENCHMARKS = ("filesystem", "snapshots", "mount", "live", "sqlite")
CHECKOUT = Path(__file__).resolve().parent.parent
#: Seconds after which one benchmark is ended. The longest takes eight minutes.
TIMEOUT = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks asked for; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run all benchmarks, write their results and draw them.",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}, separated by commas; may be repeated",
    )
    add_common_options(parser)
    add_dmemfs_peer_option(parser)
    options = parser.parse_args(arguments)
    names = chosen(parser, options.only or [], list(BENCHMARKS))
    if options.dmemfs_peer:
        os.environ[DMEMFS_PEER_VARIABLE] = os.path.abspath(options.dmemfs_peer)
    folder, figures = options.output, options.output
    if folder is None and not options.quick:
        # Quick figures are for a look. They must not take the place of those that are published.
        folder, figures = RESULTS, draw.FIGURES
    started = time.perf_counter()
    failed = [name for name in names if not run(name, quick=options.quick, output=folder)]
    if folder is not None:
        for path in draw.draw_all(folder, figures):
            print(f"drew {path}")
    minutes = (time.perf_counter() - started) / 60
    print(f"{minutes:.1f} minutes; failed: {', '.join(failed) or 'none'}")
    return int(bool(failed))


def run(name: str, *, quick: bool, output: Path | None) -> bool:
    """Run one benchmark in a new process, which prints its table; return whether it succeeded."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    if quick:
        command.append("--quick")
    if output is not None:
        command += ["--output", str(output.resolve())]
    print(f"\n== {name}", flush=True)
    try:
        return subprocess.run(command, cwd=CHECKOUT, timeout=TIMEOUT, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{name} was ended after {TIMEOUT:,.0f} s")
        return False


if __name__ == "__main__":
    sys.exit(main())
