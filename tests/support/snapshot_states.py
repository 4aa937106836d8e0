"""What a snapshot has to bring back, a tree that has some of everything, and ways to change it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import Any, NamedTuple

from dmemfs import Difference

BLOCK = 64 * 1024
LARGE = 1 << 20  # bytes beyond which a file is kept in blocks


class State(NamedTuple):
    """All that can be seen of a node, but for its access time and its identity."""

    mode: int
    owner: tuple[int, int]
    links: int
    size: int
    stored: int | None
    times: tuple[int, int]
    content: object
    """Bytes of a file, target of a link, names of a directory in the order of listdir()."""


def content_of(fs: Any, path: str) -> bytes:
    """Return the content of a file, read in two pieces: a whole read may change how it is kept."""
    with fs.open(path, "rb", 0) as file:
        content: bytes = file.read(1) + file.read()
        return content


def state_of(fs: Any, path: str = "/") -> dict[str, State]:
    """Return every node of a file system, or of a snapshot of one, by its path."""
    found: dict[str, State] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        status = fs.lstat(current)
        content: object
        if stat.S_ISDIR(status.st_mode):
            names = fs.listdir(current)
            content = tuple(names)
            waiting.extend(f"{current.rstrip('/')}/{name}" for name in names)
        elif stat.S_ISLNK(status.st_mode):
            content = fs.readlink(current)
        else:
            content = content_of(fs, current)
        found[current] = State(
            status.st_mode,
            (status.st_uid, status.st_gid),
            status.st_nlink,
            status.st_size,
            getattr(status, "st_blocks", None),
            (status.st_mtime_ns, status.st_ctime_ns),
            content,
        )
    return found


def _size_of(state: State) -> int:
    if stat.S_ISDIR(state.mode):
        return 0
    return len(state.content) if isinstance(state.content, str) else state.size


def difference_between(old: dict[str, State], new: dict[str, State]) -> Difference:
    """Return what `Snapshot.diff` has to say of two trees that were read in full."""

    def essence(state: State) -> tuple[Any, ...]:
        content = None if stat.S_ISDIR(state.mode) else state.content
        return state.mode, state.owner, content

    return Difference(
        {path: _size_of(new[path]) for path in sorted(new.keys() - old.keys())},
        {path: _size_of(old[path]) for path in sorted(old.keys() - new.keys())},
        {
            path: (_size_of(old[path]), _size_of(new[path]))
            for path in sorted(old.keys() & new.keys())
            if essence(old[path]) != essence(new[path])
        },
    )


def used_bytes(fs: Any) -> int:
    """Return what counts against the quota of the whole file system."""
    status = fs.statvfs("/")
    return int(status.f_blocks - status.f_bfree)


def used_nodes(fs: Any) -> int:
    """Return what counts against the node limit of the whole file system."""
    status = fs.statvfs("/")
    return int(status.f_files - status.f_ffree)


def build(fs: Any) -> None:
    """Make a small tree with files of every form, links of both kinds and several directories."""
    fs.write_bytes("/whole", b"written in one piece")
    with fs.open("/pieces", "wb", 0) as file:
        for piece in (b"written ", b"bit ", b"by bit"):
            file.write(piece)
    with fs.open("/large", "wb", 0) as file:
        for number in range(LARGE // BLOCK + 2):
            file.write(bytes([65 + number]) * BLOCK)
    fs.write_bytes("/borrowed", b"0123456789abcdef" * (LARGE // 16) + b"end")
    with fs.open("/borrowed", "r+b", 0) as file:
        file.seek(BLOCK)
        file.write(b"one block of its own")
    with fs.open("/sparse", "wb", 0) as file:
        file.seek(5 * BLOCK)
        file.write(b"behind a hole")
    fs.copy("/large", "/copy")
    fs.write_bytes("/empty", b"")
    fs.makedirs("/tree/sub/deep")
    fs.write_bytes("/tree/one", b"1")
    fs.write_bytes("/tree/sub/two", b"22")
    fs.write_bytes("/tree/sub/deep/three", b"333")
    fs.mkdir("/hollow")
    fs.link("/whole", "/tree/link")
    fs.link("/large", "/tree/sub/large link")
    fs.symlink("/tree/sub", "/to directory")
    fs.symlink("one", "/tree/to file")
    fs.symlink("nowhere", "/broken")
    fs.chmod("/tree/one", 0o640)
    fs.chown("/tree/sub", 7, 8)
    fs.utime("/tree/one", ns=(1_000_000_007, 2_000_000_011))
    fs.utime("/hollow", ns=(3, 5))


def _write_at(fs: Any, path: str, position: int, data: bytes) -> None:
    with fs.open(path, "r+b", 0) as file:
        file.seek(position)
        file.write(data)


def _append(fs: Any, path: str, data: bytes) -> None:
    with fs.open(path, "ab", 0) as file:
        file.write(data)


def _write_text(fs: Any) -> None:
    with fs.open("/pieces", "r+", encoding="utf-8") as file:
        file.seek(8)
        file.write("text")


def _swap(fs: Any) -> None:
    fs.rename("/tree/one", "/tree/aside")
    fs.rename("/whole", "/tree/one")
    fs.rename("/tree/aside", "/whole")


def _replace_each_kind(fs: Any) -> None:
    fs.remove("/whole")
    fs.mkdir("/whole")
    fs.rmtree("/tree")
    fs.write_bytes("/tree", b"a file now")
    fs.remove("/broken")
    fs.write_bytes("/broken", b"no link")
    fs.remove("/empty")
    fs.symlink("/whole", "/empty")


def _everything(fs: Any) -> None:
    for name in CHANGES:
        if name != "everything":
            try:
                CHANGES[name](fs)
            except OSError:
                pass  # One of those before took away what it changes.


CHANGES: dict[str, Callable[[Any], object]] = {
    "nothing": lambda fs: None,
    "write_bytes, a new file": lambda fs: fs.write_bytes("/new", b"new"),
    "write_bytes, a new large file": lambda fs: fs.write_bytes("/new", bytes(2 * LARGE)),
    "write_bytes over a file of one piece": lambda fs: fs.write_bytes("/whole", b"other"),
    "write_bytes over a file of pieces": lambda fs: fs.write_bytes("/pieces", b"other"),
    "write_bytes over a large file": lambda fs: fs.write_bytes("/large", b"other"),
    "write_bytes over an empty file": lambda fs: fs.write_bytes("/empty", b"other"),
    "write_text": lambda fs: fs.write_text("/whole", "other", encoding="utf-8"),
    "write inside a file of one piece": lambda fs: _write_at(fs, "/whole", 3, b"#"),
    "write inside a file of pieces": lambda fs: _write_at(fs, "/pieces", 3, b"#"),
    "write over the start of a file of pieces": lambda fs: _write_at(fs, "/pieces", 0, b"#"),
    "write over all of a file of pieces": lambda fs: _write_at(fs, "/pieces", 0, b"#" * 99),
    "write behind the end of a small file": lambda fs: _write_at(fs, "/whole", 99, b"#"),
    "write inside a block": lambda fs: _write_at(fs, "/large", BLOCK + 9, b"#" * 9),
    "write a whole block": lambda fs: _write_at(fs, "/large", BLOCK, b"#" * BLOCK),
    "write across blocks": lambda fs: _write_at(fs, "/large", BLOCK // 2, b"#" * 3 * BLOCK),
    "write into a shared block": lambda fs: _write_at(fs, "/copy", 9, b"#"),
    "write into a borrowed block": lambda fs: _write_at(fs, "/borrowed", 9, b"#"),
    "write into an own block": lambda fs: _write_at(fs, "/borrowed", BLOCK + 9, b"#"),
    "write into a hole": lambda fs: _write_at(fs, "/sparse", 2 * BLOCK + 9, b"#"),
    "write far behind the end": lambda fs: _write_at(fs, "/sparse", 9 * BLOCK, b"#"),
    "make a small file large": lambda fs: _write_at(fs, "/pieces", 2 * LARGE, b"#"),
    "text": _write_text,
    "append to a file of one piece": lambda fs: _append(fs, "/whole", b"#"),
    "append to a file of pieces": lambda fs: _append(fs, "/pieces", b"#"),
    "append to a large file": lambda fs: _append(fs, "/large", b"#"),
    "append to the last block": lambda fs: _append(fs, "/borrowed", b"#"),
    "open for writing": lambda fs: fs.open("/whole", "wb").close(),
    "open a large file for writing": lambda fs: fs.open("/large", "wb").close(),
    "open exclusively": lambda fs: fs.open("/new", "xb").close(),
    "truncate a small file": lambda fs: fs.truncate("/whole", 3),
    "truncate a file of pieces": lambda fs: fs.truncate("/pieces", 3),
    "truncate to nothing": lambda fs: fs.truncate("/large", 0),
    "truncate inside a block": lambda fs: fs.truncate("/large", BLOCK + 5),
    "truncate between blocks": lambda fs: fs.truncate("/large", 2 * BLOCK),
    "truncate upwards": lambda fs: fs.truncate("/whole", 3 * BLOCK),
    "truncate a large file upwards": lambda fs: fs.truncate("/borrowed", 3 * LARGE),
    "copy": lambda fs: fs.copy("/large", "/new"),
    "copy over a file": lambda fs: fs.copy("/large", "/whole"),
    "copy_tree": lambda fs: fs.copy_tree("/tree", "/new"),
    "copy_tree, making directories": lambda fs: fs.copy_tree("/tree", "/n1/n2/new"),
    "mkdir": lambda fs: fs.mkdir("/tree/new"),
    "mkdir, parents": lambda fs: fs.mkdir("/n1/n2/n3", parents=True),
    "makedirs": lambda fs: fs.makedirs("/n1/n2/n3"),
    "rmdir": lambda fs: fs.rmdir("/hollow"),
    "remove": lambda fs: fs.remove("/pieces"),
    "remove a large file": lambda fs: fs.remove("/copy"),
    "remove one of two names": lambda fs: fs.remove("/whole"),
    "remove a symbolic link": lambda fs: fs.unlink("/broken"),
    "rmtree": lambda fs: fs.rmtree("/tree"),
    "rename": lambda fs: fs.rename("/whole", "/new"),
    "rename within a directory": lambda fs: fs.rename("/tree/one", "/tree/new"),
    "rename over a file": lambda fs: fs.rename("/whole", "/pieces"),
    "rename over the last of two names": lambda fs: fs.replace("/pieces", "/tree/link"),
    "rename a symbolic link": lambda fs: fs.rename("/broken", "/tree/new"),
    "rename a directory": lambda fs: fs.rename("/tree/sub", "/new"),
    "rename a directory over an empty one": lambda fs: fs.rename("/tree", "/hollow"),
    "rename a directory into another": lambda fs: fs.rename("/tree/sub/deep", "/hollow/deep"),
    "move": lambda fs: fs.move("/tree/sub", "/n1/n2/new"),
    "swap": _swap,
    "link": lambda fs: fs.link("/pieces", "/tree/new"),
    "link a symbolic link": lambda fs: fs.link("/broken", "/tree/new"),
    "symlink": lambda fs: fs.symlink("/tree", "/new"),
    "chmod": lambda fs: fs.chmod("/whole", 0o400),
    "chmod a directory": lambda fs: fs.chmod("/tree", 0o700),
    "chmod of the root": lambda fs: fs.chmod("/", 0o700),
    "chown": lambda fs: fs.chown("/whole", 11, 12),
    "chown a symbolic link": lambda fs: fs.chown("/broken", 11, 12, follow_symlinks=False),
    "utime": lambda fs: fs.utime("/large", ns=(11, 12)),
    "utime of a directory": lambda fs: fs.utime("/tree/sub", ns=(11, 12)),
    "utime of a symbolic link": lambda fs: fs.utime("/broken", ns=(11, 12), follow_symlinks=False),
    "import_tree": lambda fs: fs.import_tree({"/whole": b"other", "/n1/n2": bytes(LARGE)}),
    "replace each kind by another": _replace_each_kind,
    "everything": _everything,
}
