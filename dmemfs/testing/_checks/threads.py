"""Checks of operations in several threads: atomic ones stay atomic, and nothing gets lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .._checking import Expectations, MissingMethodError, check, content, put
from .._report import shown_error

_THREADS = 6
_PATIENCE = 20.0


def _run_together(expect: Expectations, workers: Sequence[Callable[[], object]]) -> None:
    """Run each worker in a thread of its own, begun at once, and note what any of them raised."""
    barrier = threading.Barrier(len(workers))
    missing: list[MissingMethodError] = []

    def run(worker: Callable[[], object]) -> None:
        try:
            barrier.wait(_PATIENCE)
            worker()
        except MissingMethodError as error:
            missing.append(error)
        except Exception as error:
            expect.note("one of several threads", "no exception", shown_error(error))

    threads = [threading.Thread(target=run, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in threads)
    if stuck:
        expect.note("several threads", "all to end", f"{stuck} stuck after {_PATIENCE:.0f} s")
    if missing:
        raise missing[0]


@check
def threads_fill_one_directory(fs: Any, expect: Expectations) -> None:
    """Threads that make, rename and remove entries of one directory lose none."""
    fs.mkdir("/d")

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            for count in range(15):
                put(fs, f"/d/new-{number}-{count}", b"%d" % number)
                fs.rename(f"/d/new-{number}-{count}", f"/d/{number}-{count}")
                if count % 3 == 0:
                    fs.remove(f"/d/{number}-{count}")
                fs.listdir("/d")

        return work

    _run_together(expect, [worker(number) for number in range(_THREADS)])
    left = [f"{number}-{count}" for number in range(_THREADS) for count in range(15) if count % 3]
    expect.names(fs, "/d", left)


@check
def one_thread_wins(fs: Any, expect: Expectations) -> None:
    """Of threads that make the same name, by mkdir or mode x, one succeeds each time."""
    won: list[str] = []

    def work() -> None:
        for number in range(15):
            try:
                fs.mkdir(f"/dir{number}")
                won.append(f"dir{number}")
            except FileExistsError:
                pass
            try:
                with fs.open(f"/file{number}", "xb"):
                    won.append(f"file{number}")
            except FileExistsError:
                pass

    _run_together(expect, [work] * _THREADS)
    expected = sorted([f"dir{n}" for n in range(15)] + [f"file{n}" for n in range(15)])
    expect.equal("names that a thread has made", sorted(won), expected)
    expect.names(fs, "/", expected)


@check
def appends_of_threads_are_not_lost(fs: Any, expect: Expectations) -> None:
    """Each unbuffered append of each thread is there, whole."""

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            with fs.open("/log", "ab", 0) as file:
                for _ in range(30):
                    file.write(b"%d" % number * 9 + b"\n")

        return work

    put(fs, "/log")
    _run_together(expect, [worker(number) for number in range(_THREADS)])
    lines = sorted(content(fs, "/log").split(b"\n")[:-1])
    expected = [b"%d" % number * 9 for number in range(_THREADS) for _ in range(30)]
    expect.true("all lines are there, whole", lines == expected, got=lines)


@check
def replacements_are_seen_whole(fs: Any, expect: Expectations) -> None:
    """Who reads a file that is replaced by rename finds the old or the new one, whole."""
    versions = [bytes([letter]) * 5000 for letter in b"abcdef"]
    put(fs, "/file", versions[0])
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(40):
                put(fs, "/next", versions[number % len(versions)])
                fs.replace("/next", "/file")
        finally:
            done.set()

    def read() -> None:
        while not done.is_set():
            found = content(fs, "/file")
            if found not in versions:
                expect.note("content of a file that is replaced", "a whole one", f"{found[:20]!r}")
                return

    _run_together(expect, [write, read, read])
    expect.names(fs, "/", ["file"])


@check
def threads_build_and_remove_trees(fs: Any, expect: Expectations) -> None:
    """Threads that build and remove trees beside each other do not meet."""

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            for _ in range(6):
                fs.makedirs(f"/{number}/a/b")
                put(fs, f"/{number}/a/b/file", b"content")
                if content(fs, f"/{number}/a/b/file") != b"content":
                    expect.note("content of a new file", "b'content'", "something else")
                list(fs.walk(f"/{number}"))
                fs.rmtree(f"/{number}")

        return work

    _run_together(expect, [worker(number) for number in range(_THREADS)])
    expect.names(fs, "/", [])
