"""The one thread that sees what programs see.

It has mounts of its own. What it starts inherits them, and the rest of the process does not: so no
code of this process, not even in C, can wait in the kernel for a server that is in this process.
"""

from __future__ import annotations

import errno
import os
import posixpath
import queue
import signal
import stat
import threading
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from .._errors import os_error
from . import mounting
from .server import Server

_LONGEST_WAIT = 60.0
_LOOKS_AGAIN = 1.0

# Where a new root is put together: any directory of the root in which nothing is mounted.
_PLACES = ("/srv", "/media", "/opt", "/mnt", "/home", "/var", "/usr", "/etc")


class Job:
    """Something that the thread does for another one.

    Attributes:
        value: what came of it.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._is_done = threading.Event()
        self.value: Any = None
        self._error: BaseException | None = None

    def do(self) -> None:
        """Do it, in the thread."""
        try:
            self.value = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._is_done.set()

    def refuse(self) -> None:
        """Do it no more."""
        self._error = os_error(errno.ENODEV)
        self._is_done.set()

    def result(self) -> Any:
        """Wait for it to be done, and return or raise what it did.

        An interrupt waits too: what was begun is known to somebody.

        Raises:
            OSError: ETIMEDOUT.
        """
        interrupt: BaseException | None = None
        while not self._is_done.is_set():
            try:
                if not self._is_done.wait(_LONGEST_WAIT):
                    raise os_error(errno.ETIMEDOUT)
            except KeyboardInterrupt as now:
                interrupt = now
        raised, self._error = self._error or interrupt, None
        try:
            if raised is not None:
                raise raised
            return self.value
        finally:
            raised = interrupt = None  # each refers to this frame


class Namespace:
    """File systems that programs see, and the thread that starts these.

    What is shown has a key, since several may be shown at one path: the last one is seen.

    Raises:
        OSError: EPERM, the user may have no mounts of its own; EINVAL, the root of the process is
            not that of any mount, as in a chroot.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._servers: dict[Hashable, tuple[str, Server]] = {}
        self._is_covered = False
        self._is_ended = False
        self._descriptor = -1
        self._thread = threading.Thread(target=self._run, name="dmemfs programs", daemon=True)
        self._thread.start()
        try:
            self.do(self._leave)
        except BaseException:
            self.end()
            raise

    def server(self, key: Hashable) -> Server:
        """Return what answers for something that is shown."""
        return self._servers[key][1]

    def do(self, work: Callable[[], Any]) -> Any:
        """Have the thread do something, and return or raise what it did."""
        return self._begun(Job(work)).result()

    def _begun(self, job: Job) -> Job:
        if self._is_ended:
            job.refuse()
        else:
            self._jobs.put(job)
        return job

    @property
    def descriptors(self) -> list[int]:
        """Those by which the kernel is answered. No program is to hold one up."""
        return [server.descriptor for _, server in list(self._servers.values())]

    def start(self, work: Callable[[str | None], int], directory: str, umask: int) -> int:
        """Have the thread start a program, and return its number.

        Args:
            work: starts it, and returns that. It is given the directory if the program has to go
                there itself, and says what is wrong with it.
            directory: where.
            umask: the one that it gets.
        """
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        job = self._begun(Job(partial(_start, work, directory, umask, mask)))
        try:
            number: int = job.result()
            return number
        except KeyboardInterrupt:
            if job.value is not None:  # nobody else will ever know of it
                os.kill(job.value, signal.SIGKILL)
                os.waitpid(job.value, 0)
            raise

    def in_the_way(self, point: str) -> list[str]:
        """Return where something is shown that has to be hidden before `show`, and can be after.

        A directory of memory takes the place of the one where it is, if there is no mount point.
        """
        above: str = self.do(partial(_existing, point))
        points = [each for each, _ in self._servers.values()]
        if above == point or (above == "/" and self._is_covered):
            return []
        return [each for each in points if posixpath.dirname(each) == above]

    def show(self, key: Hashable, fs: Any, point: str) -> None:
        """Let programs see a file system at a path, from the next one on that is started.

        Raises:
            OSError: it cannot be shown there; ENOENT, there is no `/dev/fuse`.
        """
        if key not in self._servers:
            self.do(partial(self._show, key, fs, point))

    def hide(self, key: Hashable) -> None:
        """Let programs see something no more: what they still ask for fails.

        May be interrupted, and done again.
        """
        if key in self._servers:
            point, server = self._servers[key]
            try:
                self.do(partial(mounting.unmount, point))
            except OSError:
                # A program has done so; or the process may no more, by Landlock for one. Then each
                # of the server's threads is given something to answer, and sees that it is the
                # last. What is too much ends with them.
                server.is_ended = True
                self._begun(Job(partial(_ask_often, point, server.threads)))
            finally:
                server.end()
                self._servers.pop(key, None)

    def end(self) -> None:
        """Hide everything, the last first, and end the thread."""
        for key in reversed(list(self._servers)):
            self.hide(key)
        self._jobs.put(None)
        self._thread.join(_LONGEST_WAIT)
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor != -1:
            os.close(descriptor)

    def close_in_child(self) -> None:
        """Leave all of it to the parent, in a process that was forked."""
        for _, server in self._servers.values():
            server.close_in_child()
        self._servers = {}

    def enter(self, directory: str, umask: int) -> None:
        """See what programs see, in a process that was forked and has one thread."""
        mounting.enter_namespace(self._descriptor)
        mounting.change_directory(directory)
        mounting.set_umask(umask)

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LOOKS_AGAIN if self._servers else None)
            except queue.Empty:
                for _, server in list(self._servers.values()):
                    server.served.locks.look_again()
                continue
            if job is None:
                break
            job.do()
            del job
        self._is_ended = True
        with suppress(queue.Empty):
            while True:  # who comes this very moment
                job = self._jobs.get_nowait()
                if job is not None:
                    job.refuse()

    # In the thread

    def _leave(self) -> None:
        mounting.leave_namespace()
        self._descriptor = mounting.own_namespace()

    def _show(self, key: Hashable, fs: Any, point: str) -> None:
        descriptor = mounting.open_device()
        try:
            self._make_point(point)
            server = Server(fs, descriptor)
            mounting.mount_server(descriptor, point)
        except BaseException:
            os.close(descriptor)
            raise
        try:
            server.start()
        except BaseException:
            mounting.unmount(point)
            server.end()
            raise
        self._servers[key] = point, server

    def _make_point(self, point: str) -> None:
        """Have a directory at a path, without making one on any disk."""
        above = _existing(point)
        if above == point:
            return
        points = [each for each, _ in self._servers.values()]
        if any(above == each or above.startswith(f"{each}/") for each in points):
            raise os_error(errno.ENOENT, point)  # nobody else may find it in that file system
        if not (self._is_covered and above == "/"):
            self._cover(above)
        for at in range(len(above.rstrip("/")) + 1, len(point) + 1):
            if point[at : at + 1] in ("/", ""):
                mounting.make_directory(point[:at])

    def _cover(self, directory: str) -> None:
        """Put a directory of memory in the place of one, in which the same things are to be found.

        What is made in that one afterwards is seen on one side alone.
        """
        entries = [_Entry(directory, name) for name in os.listdir(directory)]
        if directory != "/":
            mounting.change_directory(directory)  # and so what is below is named by "./"
            mounting.mount_memory(directory)
            for entry in entries:
                entry.bind(f"./{entry.name}", directory)
            mounting.change_directory("/")
            return
        base = _place_for_root()
        hidden = mounting.open_directory(base)
        try:
            mounting.mount_memory(base)
            for entry in entries:
                path = f"/{entry.name}"
                if path == base:
                    entry.bind(f"/proc/self/fd/{hidden}", base, is_recursive=False)
                else:
                    entry.bind(path, base)
        finally:
            os.close(hidden)
        mounting.change_root(base)
        self._is_covered = True


def _existing(point: str) -> str:
    """Return a directory, or the nearest one above it that there is."""
    while not mounting.exists(point):
        point = posixpath.dirname(point)
    return point


def _ask_often(point: str, times: int) -> None:
    for _ in range(times):
        mounting.have_asked(point)


def _start(
    work: Callable[[str | None], int], directory: str, umask: int, mask: Iterable[int]
) -> int:
    """Start a program, in the thread."""
    left = None
    try:
        mounting.change_directory(directory)
    except OSError:
        left = directory
    mounting.set_umask(umask)
    former = signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        return work(left)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        mounting.change_directory("/")


class _Entry:
    """What is in a directory that is about to be covered."""

    def __init__(self, directory: str, name: str) -> None:
        path = posixpath.join(directory, name)
        self.name = name
        self._mode = os.lstat(path).st_mode
        self._target = os.readlink(path) if stat.S_ISLNK(self._mode) else ""

    def bind(self, source: str, directory: str, *, is_recursive: bool = True) -> None:
        """Let it be found in another directory, by the same name."""
        path = f"{directory}/{self.name}"
        if stat.S_ISLNK(self._mode):
            mounting.make_link(self._target, path)
            return
        (mounting.make_directory if stat.S_ISDIR(self._mode) else mounting.make_file)(path)
        mounting.bind(source, path, is_recursive=is_recursive)


def _place_for_root() -> str:
    """Return a directory of the root in which nothing is mounted."""
    with open("/proc/thread-self/mountinfo", encoding="utf-8") as lines:
        mounted = [f"{line.split()[4]}/" for line in lines]
    for place in _PLACES:
        is_free = not any(point.startswith(f"{place}/") for point in mounted)
        if is_free and mounting.exists(place):
            return place
    raise os_error(errno.EBUSY, "/")
