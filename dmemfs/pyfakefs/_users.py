"""As whom tests act: the user ids of all faked file systems, and what their permissions forbid.

A MemoryFileSystem enforces none. Here somebody who is not root is refused what mode bits forbid, as
by the kernel: what a test asks for by `set_uid`, or who runs the tests.
"""

from __future__ import annotations

import errno
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._interception.asking import Request, intercept, path_asked_for
from .._nodes.nodes import Directory, Node
from .._platform import process_owner
from .._tree.tree import Tree

_READ, _WRITE, _SEARCH = 4, 2, 1
_OF_ENTRIES = frozenset(("link", "mkdir", "remove", "rename", "rmdir", "symlink"))
_OF_OWNERS = frozenset(("chmod", "chown", "utime"))
_FOLLOWING = frozenset(("open", "listdir", "chmod", "chown", "truncate", "utime"))


class Users:
    """The user and the group of this process, as faked file systems see them.

    Attributes:
        uid, gid: their numbers.
        guards: the permissions of each file system, to be told of changes.
    """

    def __init__(self) -> None:
        self.uid = self.gid = 0
        self.guards: weakref.WeakSet[Permissions] = weakref.WeakSet()
        self.reset()

    def reset(self) -> None:
        """Act as who runs the process."""
        self.act_as(*process_owner())

    def act_as(self, uid: int, gid: int) -> None:
        """Act as somebody else."""
        self.uid, self.gid = uid, gid
        for guard in self.guards:
            guard.follow()


users = Users()


def set_uid(uid: int) -> None:
    """Act as another user in faked file systems; 0 is root, whom nothing is forbidden.

    The end of the test resets it.
    """
    users.act_as(uid, users.gid)


def set_gid(gid: int) -> None:
    """Act with another group in faked file systems; see `set_uid`."""
    users.act_as(users.uid, gid)


def get_uid() -> int:
    """Return as which user tests act."""
    return users.uid


def get_gid() -> int:
    """Return with which group tests act."""
    return users.gid


def reset_ids() -> None:
    """Undo `set_uid` and `set_gid`."""
    users.reset()


def is_root() -> bool:
    """Tell whether tests act as root."""
    return users.uid == 0


class Permissions:
    """Refuses what mode bits forbid, in one file system.

    Attributes:
        operations: before which it is asked.
    """

    operations: frozenset[str] = _OF_ENTRIES | _FOLLOWING | {"readlink", "stat"}

    def __init__(self, fs: Tree) -> None:
        self._fs = weakref.ref(fs)  # which refers to this
        self._suspended = 0
        users.guards.add(self)
        self.follow()

    def follow(self) -> None:
        """Learn as whom tests act: new files are theirs, and root is not asked about anything."""
        fs = self._fs()
        if fs is None:
            return
        others = tuple(each for each in fs._interceptors if each is not self)
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            fs._owner = (users.uid, users.gid)
            intercept(fs, others if users.uid == 0 else (*others, self))
        finally:
            fs._unlock()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Forbid nothing meanwhile: what a test sets up, it sets up as root."""
        self._suspended += 1
        try:
            yield
        finally:
            self._suspended -= 1

    def obstacle(self, request: Request) -> BaseException | None:
        """Return an error with EACCES or EPERM for what is forbidden."""
        if self._suspended:
            return None
        for path in request.places():
            code = self._forbids(path, request)
            if code:
                return request.error(code)
        return None

    def gives(self, node: Node, wanted: int) -> bool:
        """Tell whether the mode of a node gives `os.R_OK`, `os.W_OK`, `os.X_OK` added up."""
        if users.uid == 0:
            return True
        owner, group = node.owner
        shift = 6 if owner == users.uid else 3 if group == users.gid else 0
        return not wanted & ~(node.mode >> shift)

    def _forbids(self, path: Any, request: Request) -> int:
        fs = self._fs()
        assert fs is not None, "it asks"
        operation = request.operation
        text = path if request.node is None else path_asked_for(fs, path, request.node)
        if text is None:
            return 0
        try:
            directory, _, node, _ = fs._walk_path(
                text, follow=operation in _FOLLOWING, follow_with_slash=True
            )
        except (OSError, ValueError):
            return 0  # what is about to be done finds the same error
        above = directory
        while self.gives(above, _SEARCH):
            if above.parent is above:
                return self._forbids_there(directory, node, request)
            above = above.parent
        return errno.EACCES

    def _forbids_there(self, directory: Directory, node: Node | None, request: Request) -> int:
        """Return what the last directory of a path, or what is there, has against it."""
        operation = request.operation
        if operation in _OF_OWNERS:
            is_other = node is not None and node.owner[0] != users.uid
            return errno.EPERM if is_other else 0
        if operation in _OF_ENTRIES:
            # What is there already, or is not, is the error to find.
            if operation in ("mkdir", "symlink") and node is not None:
                return 0
            if operation in ("remove", "rmdir") and node is None:
                return 0
            if operation == "link" and node is not None:
                return 0
            return 0 if self.gives(directory, _WRITE) else errno.EACCES
        if operation in ("open", "truncate") and node is None:
            return 0 if not request.changes or self.gives(directory, _WRITE) else errno.EACCES
        if node is None or operation in ("readlink", "stat"):
            return 0
        if operation == "open" and stat.S_ISDIR(node.mode) and request.changes:
            return 0  # EISDIR
        return 0 if self.gives(node, _WRITE if request.changes else _READ) else errno.EACCES
