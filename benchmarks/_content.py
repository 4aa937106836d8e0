"""Workloads on the content of files: small files, large files, lines, tiny calls, threads.

Each is a generator that does one round whenever it is resumed, and yields the seconds that one
operation took. What is written has never been written before: reusing one object over and over
would flatter a peer that stores references to it.
"""

from __future__ import annotations

import gc
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from time import perf_counter

from benchmarks._measure import Rounds, Sizes, begin, expect, now, quickest
from benchmarks._peers import Peer

MIB = 1 << 20
SMALL = 4096
TINY = 16
THREADS = 8
THREAD_TIMEOUT = 300.0


@lru_cache(maxsize=4)
def noise(length: int) -> bytes:
    """Return `length` bytes without a pattern, the same in every run."""
    return random.Random(length).randbytes(length)


def payloads(count: int, length: int) -> list[bytes]:
    """Return `count` objects of `length` bytes each, all different."""
    source = noise(length + count)
    return [source[start : start + length] for start in range(count)]


def read_whole(peer: Peer, path: str) -> bytes:
    """Return the content of a file in one read."""
    with peer.open(path, "rb") as file:
        content: bytes = file.read()
    return content


def write_whole(peer: Peer, path: str, content: bytes) -> None:
    """Store `content` in one piece."""
    with peer.open(path, "wb") as file:
        file.write(content)


def fill(peer: Peer, path: str, length: int) -> bytes:
    """Write a file in chunks of 1 MiB, all different, and return its last bytes, 4 KiB of them."""
    count = max(1, length // MIB)
    chunk = length // count
    source = noise(chunk + count)
    with peer.open(path, "wb") as file:
        for number in range(count):
            file.write(source[number : number + chunk])
    return source[: count - 1 + chunk][-SMALL:]


def fresh_paths(peer: Peer, count: int) -> Iterator[list[str]]:
    """Give lists of paths that nothing has used yet; remove the files before the next list."""
    directory = f"{peer.root}/files"
    peer.make_directory(directory)
    number = 0
    while True:
        paths = [f"{directory}/file-{number + step:08}" for step in range(count)]
        yield paths
        for path in paths:
            peer.remove(path)
        number += count


def stored_files(peer: Peer, count: int) -> tuple[list[str], list[bytes]]:
    """Make small files and return their paths and contents."""
    paths = next(fresh_paths(peer, count))
    contents = payloads(count, SMALL)
    for path, content in zip(paths, contents, strict=True):
        write_whole(peer, path, content)
    return paths, contents


# Small files


def create(peer: Peer, sizes: Sizes) -> Rounds:
    """Create files of 4 KiB under fresh names."""
    open_ = peer.open
    for paths in fresh_paths(peer, sizes.files):
        contents = payloads(len(paths), SMALL)
        start = begin()
        for path, content in zip(paths, contents, strict=True):
            with open_(path, "wb") as file:
                file.write(content)
        elapsed = now() - start
        expect(read_whole(peer, paths[-1]) == contents[-1], "the new file has other content")
        yield elapsed / len(paths)


def overwrite(peer: Peer, sizes: Sizes) -> Rounds:
    """Replace the content of files of 4 KiB."""
    open_ = peer.open
    paths, _ = stored_files(peer, sizes.files)
    while True:
        # Another order each time: no file is given what it has.
        contents = payloads(len(paths), SMALL)
        random.shuffle(contents)
        start = begin()
        for path, content in zip(paths, contents, strict=True):
            with open_(path, "wb") as file:
                file.write(content)
        elapsed = now() - start
        expect(read_whole(peer, paths[-1]) == contents[-1], "the file was not overwritten")
        yield elapsed / len(paths)


def read(peer: Peer, sizes: Sizes) -> Rounds:
    """Open and read files of 4 KiB."""
    open_ = peer.open
    paths, contents = stored_files(peer, sizes.files)
    while True:
        start = begin()
        for path in paths:
            with open_(path, "rb") as file:
                content = file.read()
        elapsed = now() - start
        expect(content == contents[-1], "another content was read")
        yield elapsed / len(paths)


def _texts(count: int) -> list[str]:
    letters = noise(SMALL // 2 + count).hex()
    return [letters[start : start + SMALL] for start in range(count)]


def text_create(peer: Peer, sizes: Sizes) -> Rounds:
    """Create text files of 4 KiB under fresh names."""
    open_ = peer.open_text
    for paths in fresh_paths(peer, sizes.files):
        texts = _texts(len(paths))
        start = begin()
        for path, text in zip(paths, texts, strict=True):
            with open_(path, "w", encoding="utf-8") as file:
                file.write(text)
        elapsed = now() - start
        expect(read_whole(peer, paths[-1]) == texts[-1].encode(), "the new file has other text")
        yield elapsed / len(paths)


def text_read(peer: Peer, sizes: Sizes) -> Rounds:
    """Open and read text files of 4 KiB."""
    open_ = peer.open_text
    paths = next(fresh_paths(peer, sizes.files))
    texts = _texts(len(paths))
    for path, text in zip(paths, texts, strict=True):
        write_whole(peer, path, text.encode())
    while True:
        start = begin()
        for path in paths:
            with open_(path, "r", encoding="utf-8") as file:
                content = file.read()
        elapsed = now() - start
        expect(content == texts[-1], "another text was read")
        yield elapsed / len(paths)


# Large files


def write_64k(peer: Peer, sizes: Sizes) -> Rounds:
    """Write a large file in chunks of 64 KiB, each made just before it is written."""
    return quickest(3, write_stream(peer, sizes.stream_bytes, MIB // 16))


def write_1m(peer: Peer, sizes: Sizes) -> Rounds:
    """Write a large file in chunks of 1 MiB, each made just before it is written."""
    return quickest(3, write_stream(peer, sizes.stream_bytes, MIB))


def write_stream(peer: Peer, length: int, chunk: int) -> Rounds:
    """Write a file of `length` bytes in chunks, each made just before it is written."""
    open_ = peer.open
    count = max(1, length // chunk)
    source = noise(chunk + count)
    path = f"{peer.root}/stream"
    while True:
        start = begin()
        with open_(path, "wb") as file:
            for number in range(count):
                file.write(source[number : number + chunk])
        elapsed = now() - start
        with peer.open(path, "rb") as file:
            expect(file.read(chunk) == source[:chunk], "the file begins with other content")
            file.seek((count - 1) * chunk)
            expect(file.read() == source[count - 1 : count - 1 + chunk], "the file ends otherwise")
        peer.remove(path)
        yield elapsed


def read_1m(peer: Peer, sizes: Sizes) -> Rounds:
    """Read a large file in chunks of 1 MiB."""
    open_ = peer.open
    path = f"{peer.root}/stream"
    end = fill(peer, path, sizes.stream_bytes)
    while True:
        length = 0
        start = begin()
        with open_(path, "rb") as file:
            while chunk := file.read(MIB):
                length += len(chunk)
                last = chunk
        elapsed = now() - start
        expect(length == sizes.stream_bytes, f"{length} bytes were read")
        expect(last[-SMALL:] == end, "the file ends otherwise")
        yield elapsed


def read_once_chunks(peer: Peer, sizes: Sizes) -> Rounds:
    """Read a large file that was written in chunks by one read()."""
    path = f"{peer.root}/stream"
    end = fill(peer, path, sizes.stream_bytes)
    yield from _read_once(peer, path, sizes.stream_bytes, end)


def read_once_whole(peer: Peer, sizes: Sizes) -> Rounds:
    """Read a large file that was written in one piece by one read()."""
    path = f"{peer.root}/stream"
    write_whole(peer, path, noise(MIB) * (sizes.stream_bytes // MIB))
    yield from _read_once(peer, path, sizes.stream_bytes, noise(MIB)[-SMALL:])


def _read_once(peer: Peer, path: str, length: int, end: bytes) -> Rounds:
    while True:
        start = begin()
        with peer.open(path, "rb") as file:
            content = file.read()
            elapsed = now() - start
        expect(len(content) == length, f"{len(content)} bytes were read")
        expect(content[-SMALL:] == end, "the file ends otherwise")
        del content
        yield elapsed


def _random_offsets(length: int, count: int) -> list[int]:
    """Return places of pages, the last page of the file as the last of them."""
    choose = random.Random(count)
    pages = [choose.randrange(length // SMALL) for _ in range(count - 1)]
    return [page * SMALL for page in [*pages, length // SMALL - 1]]


def random_read(peer: Peer, sizes: Sizes) -> Rounds:
    """Read pages of 4 KiB at random places through one handle."""
    path = f"{peer.root}/pages"
    end = fill(peer, path, sizes.random_bytes)
    offsets = _random_offsets(sizes.random_bytes, sizes.operations)
    with peer.open(path, "rb") as file:
        while True:
            start = begin()
            for offset in offsets:
                file.seek(offset)
                page = file.read(SMALL)
            elapsed = now() - start
            expect(page == end, "another page was read")
            yield elapsed / len(offsets)


def random_overwrite(peer: Peer, sizes: Sizes) -> Rounds:
    """Overwrite pages of 4 KiB at random places through one handle."""
    path = f"{peer.root}/pages"
    fill(peer, path, sizes.random_bytes)
    offsets = _random_offsets(sizes.random_bytes, sizes.operations)
    # A page goes into the middle of a file, where nothing can be gained by keeping the object.
    contents = payloads(64, SMALL)
    while True:
        contents.append(contents.pop(0))
        with peer.open(path, "r+b") as file:
            start = begin()
            for offset, content in zip(offsets, itertools.cycle(contents), strict=False):
                file.seek(offset)
                file.write(content)
            elapsed = now() - start
        with peer.open(path, "rb") as file:
            file.seek(offsets[-1])
            expect(file.read() == content, "the last page was not written")
        yield elapsed / len(offsets)


# Lines and tiny calls


def _stored_lines(peer: Peer, count: int) -> tuple[str, str]:
    path = f"{peer.root}/lines"
    choose = random.Random(count)
    letters = noise(256).hex()
    lines = [letters[: choose.randrange(20, 100)] + "\n" for _ in range(count - 1)]
    content = "".join([*lines, "the last line\n"]).encode()
    with peer.open(path, "wb") as file:
        for start in range(0, len(content), MIB):
            file.write(content[start : start + MIB])
    return path, "the last line\n"


def lines_binary(peer: Peer, sizes: Sizes) -> Rounds:
    """Iterate over the lines of a binary file."""
    path, last = _stored_lines(peer, sizes.lines)
    while True:
        line = b""
        start = begin()
        with peer.open(path, "rb") as file:
            for line in file:  # noqa: B007
                pass
        elapsed = now() - start
        expect(line == last.encode(), "another last line was read")
        yield elapsed / sizes.lines


def lines_text(peer: Peer, sizes: Sizes) -> Rounds:
    """Iterate over the lines of a text file."""
    path, last = _stored_lines(peer, sizes.lines)
    while True:
        line = ""
        start = begin()
        with peer.open_text(path, "r", encoding="utf-8") as file:
            for line in file:  # noqa: B007
                pass
        elapsed = now() - start
        expect(line == last, "another last line was read")
        yield elapsed / sizes.lines


def read_16(peer: Peer, sizes: Sizes) -> Rounds:
    """Read a file by 16 bytes."""
    path = f"{peer.root}/tiny"
    content = noise(TINY * sizes.tiny_calls)
    write_whole(peer, path, content)
    while True:
        start = begin()
        with peer.open(path, "rb") as file:
            for _ in range(sizes.tiny_calls):
                piece = file.read(TINY)
        elapsed = now() - start
        expect(piece == content[-TINY:], "another last piece was read")
        yield elapsed / sizes.tiny_calls


def write_16(peer: Peer, sizes: Sizes) -> Rounds:
    """Write a file by 16 bytes."""
    path = f"{peer.root}/tiny"
    while True:
        pieces = payloads(sizes.tiny_calls, TINY)
        start = begin()
        with peer.open(path, "wb") as file:
            for piece in pieces:
                file.write(piece)
        elapsed = now() - start
        expect(read_whole(peer, path) == b"".join(pieces), "the file has other content")
        yield elapsed / sizes.tiny_calls


# Threads


def _in_threads(work: Callable[[int], None]) -> float:
    """Return the seconds from the common start of all threads to the end of the last."""
    barrier = threading.Barrier(THREADS + 1)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait(THREAD_TIMEOUT)
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    gc.collect()
    start = perf_counter()
    barrier.wait(THREAD_TIMEOUT)
    for thread in threads:
        thread.join(THREAD_TIMEOUT)
    elapsed = perf_counter() - start
    if errors:
        raise errors[0]
    expect(not any(thread.is_alive() for thread in threads), "a thread did not end")
    return elapsed


def threads_write(peer: Peer, sizes: Sizes) -> Rounds:
    """Create files of 4 KiB by 8 threads, each in a directory of its own."""
    open_ = peer.open
    count = max(1, sizes.files // 2)
    for number in range(THREADS):
        peer.make_directory(f"{peer.root}/thread-{number}")
    contents: list[bytes] = []
    places: list[list[str]] = []

    def work(number: int) -> None:
        own = contents[number * count : (number + 1) * count]
        for path, content in zip(places[number], own, strict=True):
            with open_(path, "wb") as file:
                file.write(content)

    turn = 0
    while True:
        contents[:] = payloads(THREADS * count, SMALL)
        places[:] = [
            [f"{peer.root}/thread-{number}/file-{turn}-{step:06}" for step in range(count)]
            for number in range(THREADS)
        ]
        elapsed = _in_threads(work)
        expect(read_whole(peer, places[-1][-1]) == contents[-1], "the new file has other content")
        yield elapsed / (THREADS * count)
        for paths in places:
            for path in paths:
                peer.remove(path)
        turn += 1


def threads_read(peer: Peer, sizes: Sizes) -> Rounds:
    """Open and read files of 4 KiB by 8 threads, all the same files in another order."""
    open_ = peer.open
    paths, contents = stored_files(peer, max(THREADS, sizes.files // 2))
    stored = dict(zip(paths, contents, strict=True))
    orders = [random.Random(number).sample(paths, len(paths)) for number in range(THREADS)]
    last = [b""] * THREADS

    def work(number: int) -> None:
        for path in orders[number]:
            with open_(path, "rb") as file:
                content = file.read()
        last[number] = content

    while True:
        elapsed = _in_threads(work)
        for order, content in zip(orders, last, strict=True):
            expect(content == stored[order[-1]], "another content was read")
        yield elapsed / (THREADS * len(paths))
