"""The threads that answer the kernel."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import Any

from .. import _platform
from .._errors import report_unraisable
from .._mutex import Mutex
from . import attributes, contents, directories, lock_requests, names
from .protocol import (
    BUFFER_SIZE,
    INIT_IN,
    MAJOR,
    Ability,
    Op,
    Request,
    error_answer,
    head_of_answer,
    init_out,
    requested,
)
from .served import Answer, Served

_ABILITIES = (
    Ability.ASYNC_READ
    | Ability.POSIX_LOCKS
    | Ability.ATOMIC_O_TRUNC
    | Ability.BIG_WRITES
    | Ability.FLOCK_LOCKS
    | Ability.AUTO_INVAL_DATA
    | Ability.PARALLEL_DIROPS
    | Ability.MAX_PAGES
)

_MOST_THREADS = 16
_AT_THE_END = 5.0
"""Seconds that a thread may take for the request it has when the connection ends."""

_ENDED = (errno.ENODEV, errno.EBADF, errno.EINVAL, errno.ECONNABORTED)
_AGAIN = (errno.EINTR, errno.EAGAIN, errno.ENOENT)  # the last: its program did not wait for it

_ANSWERS: dict[int, Answer] = {
    **names.ANSWERS,
    **attributes.ANSWERS,
    **contents.ANSWERS,
    **directories.ANSWERS,
    **lock_requests.ANSWERS,
}
_NEVER_ANSWERED = (Op.FORGET, Op.BATCH_FORGET)


class Server:
    """Answers the kernel for one file system.

    There is always a thread that waits for the next request: who takes one while nobody else waits
    starts another thread before, unless there are many.

    Args:
        fs: the file system.
        descriptor: of `/dev/fuse`, which is the server's from now on.
    """

    def __init__(self, fs: Any, descriptor: int) -> None:
        self._descriptor = descriptor
        self._served = Served(fs, self._answer_later)
        self._mutex = Mutex()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self.is_ended = False
        self.requests = 0

    @property
    def descriptor(self) -> int:
        """By which it is asked and answers, -1 at the end."""
        return self._descriptor

    @property
    def threads(self) -> int:
        """How many threads answer."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def served(self) -> Served:
        """What the kernel knows, has open and has locked."""
        return self._served

    def start(self) -> None:
        """Begin to answer."""
        self._start_thread()

    def close_in_child(self) -> None:
        """Leave it to the parent: a forked process has none of the threads."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor != -1:
            os.close(descriptor)

    def end(self) -> None:
        """Stop answering, when the kernel has been told to ask no more.

        To close the descriptor aborts the connection, should it still be there.
        """
        self.is_ended = True
        for thread in list(self._threads):
            thread.join(_AT_THE_END)
        self.close_in_child()
        self._served.close()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="dmemfs kernel", daemon=True)
        self._threads.append(thread)
        self._waiting += 1
        try:
            thread.start()
        except BaseException:
            self._waiting -= 1
            self._threads.remove(thread)
            raise

    def _run(self) -> None:
        buffer = bytearray(BUFFER_SIZE)
        buffers = [buffer]
        view = memoryview(buffer)
        while True:
            try:
                size = _platform.readv(self._descriptor, buffers)
            except OSError as error:
                if error.errno in _AGAIN and not self.is_ended:
                    continue
                break
            if not self._take(view[:size]) or self.is_ended:
                break
        self.is_ended = True

    def _take(self, message: memoryview) -> bool:
        """Answer one request; tell whether there may be others."""
        with self._mutex:
            self._waiting -= 1
            self.requests += 1
            is_last = not self._waiting and not self.is_ended
            if is_last and len(self._threads) < _MOST_THREADS:
                with suppress(RuntimeError):  # the process ends, or can have no more threads
                    self._start_thread()
        try:
            request = requested(message)
            self._answer(request)
            return request.op != Op.DESTROY
        finally:
            with self._mutex:
                self._waiting += 1

    def _answer(self, request: Request) -> None:
        unique = request.unique
        at_work = self._served.at_work
        at_work.add(unique)
        try:
            code = 0
            answer: Any = None
            try:
                if request.op == Op.INIT:
                    answer = _agreed(request)
                elif request.op != Op.DESTROY:
                    answer = _ANSWERS[request.op](self._served, request)
            except OSError as error:
                code = error.errno or errno.EIO
            except KeyError:
                code = errno.ENOSYS
            except MemoryError:
                code = errno.ENOMEM
            except BaseException as error:
                code = errno.EIO
                report_unraisable(error, "a program's request could not be answered", self)
        finally:
            at_work.discard(unique)
        if request.op in _NEVER_ANSWERED:
            return
        if code:
            self._send([error_answer(unique, code)])
        elif answer is not None and not self._send([head_of_answer(unique, len(answer)), answer]):
            self._send([error_answer(unique, errno.EIO)])

    def _answer_later(self, unique: int, code: int) -> None:
        """Answer a request that had to wait: no, by an errno, or with nothing but yes."""
        self._send([error_answer(unique, code) if code else head_of_answer(unique, 0)])

    def _send(self, pieces: list[bytes]) -> bool:
        """Hand an answer to the kernel; tell whether it took it, or waits for none."""
        try:
            _platform.writev(self._descriptor, pieces)
        except OSError as error:
            return error.errno in _AGAIN or error.errno not in (errno.EINVAL, errno.EFAULT)
        return True


def _agreed(request: Request) -> bytes:
    """Return the answer to the first request, which says who can do what."""
    major, minor, read_ahead, abilities = INIT_IN.unpack_from(request.body)
    if major < MAJOR:
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    return init_out(minor, read_ahead, abilities & _ABILITIES)
