"""The one thread that sees what programs see.

It has mounts of its own. What it starts inherits them, and the rest of the process does not: so no
code of this process, not even in C, can wait in the kernel for a server that is in this process.
"""

from __future__ import annotations

import errno
import os
import posixpath
import queue
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._errors import os_error
from . import mounting
from .server import Server

_LONGEST_WAIT = 60.0
_LOOKS_AGAIN = 1.0

# Where a new root is put together: any directory of the root in which nothing is mounted.
_PLACES = ("/srv", "/media", "/opt", "/mnt", "/home", "/var", "/usr", "/etc")


class Job:
    """Something that the thread does for another one."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._is_done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def do(self) -> None:
        """Do it, in the thread."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        finally:
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
            return self._result
        finally:
            raised = interrupt = None  # each refers to this frame


class Namespace:
    """File systems that programs see, and the thread that starts these.

    Raises:
        OSError: EPERM, the user may have no mounts of its own; ENOENT, EACCES, there is no
            `/dev/fuse` to be used.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._servers: dict[str, Server] = {}
        self._covered = False
        self._thread = threading.Thread(target=self._run, name="dmemfs programs", daemon=True)
        self._thread.start()
        try:
            self.do(mounting.leave_namespace)
        except BaseException:
            self.end()
            raise

    @property
    def servers(self) -> dict[str, Server]:
        """What answers for each mount point."""
        return dict(self._servers)

    def do(self, work: Callable[[], Any]) -> Any:
        """Have the thread do something, and return or raise what it did."""
        job = Job(work)
        self._jobs.put(job)
        return job.result()

    def show(self, fs: Any, point: str) -> None:
        """Let programs see a file system at a path, from the next one on that is started.

        Raises:
            OSError: it cannot be shown there.
        """
        if point not in self._servers:
            self.do(lambda: self._show(fs, point))

    def hide(self, point: str) -> None:
        """Let programs see no more what is at a path: what they still ask for fails."""
        server = self._servers.pop(point, None)
        if server is not None:
            try:
                with suppress(OSError):  # a program has taken it away
                    self.do(lambda: mounting.unmount(point))
            finally:
                server.end()

    def end(self) -> None:
        """Hide everything and end the thread."""
        for point in sorted(self._servers, key=len, reverse=True):
            self.hide(point)
        self._jobs.put(None)
        self._thread.join(_LONGEST_WAIT)

    def close_in_child(self) -> None:
        """Leave it all to the parent, in a process that was forked."""
        for server in self._servers.values():
            server.close_in_child()
        self._servers = {}

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LOOKS_AGAIN if self._servers else None)
            except queue.Empty:
                for server in self.servers.values():
                    server.served.locks.look_again()
                continue
            if job is None:
                return
            job.do()
            del job

    # In the thread

    def _show(self, fs: Any, point: str) -> None:
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
        self._servers[point] = server

    def _make_point(self, point: str) -> None:
        """Have a directory at a path, without making one on any disk."""
        above = point
        while not mounting.exists(above):
            above = posixpath.dirname(above)
        if above == point:
            return
        if any(above == each or above.startswith(f"{each}/") for each in self._servers):
            raise os_error(errno.ENOENT, point)  # nobody else may find it in that file system
        if not (self._covered and above == "/"):
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
        self._covered = True


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
