"""Run a program that knows nothing of dmemfs on files in memory, and see what it did.

The program below opens its files with what the standard library offers. Within `mount` all of it
happens in memory; afterwards its result is there to look at, and nothing has to be removed.
"""

from __future__ import annotations

import configparser
import logging
import os
import shutil
import sys
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem, QuotaExceededError, mount


def program(directory: str) -> None:
    """Read a configuration, keep a log, write a few results, and archive them."""
    config = configparser.ConfigParser()
    config.read(f"{directory}/app.ini")
    handler = logging.FileHandler(f"{directory}/app.log", encoding="utf-8")
    log = logging.getLogger("mounted_program")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        results = Path(directory) / "results"
        results.mkdir(exist_ok=True)
        size = int(config["app"]["size"])
        for name in config["app"]["names"].split():
            log.info("working on %s", name)
            (results / f"{name}.txt").write_text("x" * size, encoding="utf-8")
        shutil.make_archive(f"{directory}/results", "gztar", results)
    finally:
        log.removeHandler(handler)
        handler.close()


def main() -> None:
    """Run the program twice: once as it should be, once on a disk that is full."""
    fs = MemoryFileSystem(max_quota=1 << 20)
    fs.write_text("/app.ini", "[app]\nnames = north south\nsize = 1000\n")
    with mount(fs, "/mem"):
        program("/mem")
        print("in the mount:", *sorted(os.listdir("/mem")))
    print("outside of it:", os.path.exists("/mem/app.log"))
    print("the log:", *fs.read_text("/app.log").splitlines(), sep="\n  ")

    small = MemoryFileSystem(max_quota=1500)
    small.write_bytes("/app.ini", fs.read_bytes("/app.ini"))
    try:
        with small.mount("/mem"):
            program("/mem")
    except QuotaExceededError as error:
        print("on a full disk:", error.filename)
    print("what is left:", *(path for path in small.glob("/**") if small.is_file(path)))


if __name__ == "__main__":
    main()
