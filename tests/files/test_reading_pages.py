"""Reading as much as lies within one block, wherever the blocks of a content lie."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

BLOCK = 1 << 16
PAGE = 4096
SIZE = 18 * BLOCK + 5000  # more than what is small
PATH = "/file"


def overwrite(fs: Any, position: int, data: bytes) -> None:
    with fs.open(PATH, "r+b", buffering=0) as file:
        file.seek(position)
        file.write(data)


def in_chunks(fs: Any, content: bytes) -> Any:
    with fs.open(PATH, "wb", buffering=0) as file:
        for start in range(0, len(content), 10_000):
            file.write(content[start : start + 10_000])
    return fs


def in_one_piece_that_changed(fs: Any, content: bytes) -> Any:
    fs.write_bytes(PATH, content)
    overwrite(fs, 3 * BLOCK, content[3 * BLOCK : 3 * BLOCK + 10])
    return fs


def in_a_piece_that_was_given_up(fs: Any, content: bytes) -> Any:
    fs.write_bytes(PATH, content)
    for block in (0, 1, 2):
        overwrite(fs, block * BLOCK, content[block * BLOCK : (block + 1) * BLOCK])
    return fs


def with_a_hole(fs: Any, content: bytes) -> Any:
    fs.write_bytes(PATH, b"")
    fs.truncate(PATH, len(content))
    for block in (0, *range(2, 19)):
        overwrite(fs, block * BLOCK, content[block * BLOCK : (block + 1) * BLOCK])
    overwrite(fs, BLOCK, content[BLOCK : 2 * BLOCK])
    return fs


def in_a_copy(fs: Any, content: bytes) -> Any:
    in_chunks(fs, content)
    fs.copy(PATH, "/copy")
    overwrite(fs, 0, bytes(PAGE))
    fs.rename("/copy", PATH)
    return fs


def in_a_clone(fs: Any, content: bytes) -> Any:
    in_one_piece_that_changed(fs, content)
    clone = fs.clone()
    overwrite(fs, 0, bytes(SIZE))
    return clone


def in_a_snapshot(fs: Any, content: bytes) -> Any:
    in_chunks(fs, content)
    snapshot = fs.snapshot()
    overwrite(fs, BLOCK - 10, bytes(BLOCK))
    return snapshot


def after_a_restore(fs: Any, content: bytes) -> Any:
    fs.restore(in_a_snapshot(fs, content))
    return fs


def in_a_place(fs: Any, content: bytes) -> Any:
    in_one_piece_that_changed(fs, content)
    fs._settle_in_place(fs._find_file(PATH), None)
    return fs


def after_leaving_a_place(fs: Any, content: bytes) -> Any:
    in_a_place(fs, content)
    fs.copy(PATH, "/copy")
    overwrite(fs, 0, bytes(SIZE))
    fs.rename("/copy", PATH)
    return fs


WAYS = [
    in_chunks,
    in_one_piece_that_changed,
    in_a_piece_that_was_given_up,
    with_a_hole,
    in_a_copy,
    in_a_clone,
    in_a_snapshot,
    after_a_restore,
    in_a_place,
    after_leaving_a_place,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_every_page(memory: MemoryFileSystem, way: Callable[[Any, bytes], Any], mode: str) -> None:
    content = random.Random(5).randbytes(SIZE)
    shown = way(memory, content)
    if way is in_a_snapshot:
        mode = "rb"
    positions = [*range(0, SIZE, PAGE), BLOCK - 1, BLOCK, 3 * BLOCK + 7, SIZE - PAGE, SIZE - 3]
    with shown.open(PATH, mode) as file:
        for _ in range(2):
            for position in positions:
                file.seek(position)
                assert file.read(PAGE) == content[position : position + PAGE]
                assert file.tell() == min(position + PAGE, SIZE)
        file.seek(0)
        pieces = iter(lambda: file.read(2100), b"")
        assert b"".join(pieces) == content
        assert file.read(PAGE) == b""


def test_what_others_write_is_seen_at_once(memory: MemoryFileSystem) -> None:
    in_chunks(memory, bytes(SIZE))
    with memory.open(PATH, "rb") as reader, memory.open(PATH, "r+b", buffering=0) as writer:
        for number in range(1, 100):
            position = number * 3001 % (SIZE - PAGE)
            writer.seek(position)
            writer.write(bytes([number]) * PAGE)
            reader.seek(position)
            assert reader.read(PAGE) == bytes([number]) * PAGE
        memory.truncate(PATH, 5000)
        reader.seek(2000)
        assert len(reader.read(PAGE)) == 3000
        assert reader.read(PAGE) == b""


def test_a_page_is_read_by_one_thread_alone(memory: MemoryFileSystem) -> None:
    pages = 16 * BLOCK // PAGE
    in_chunks(memory, b"".join(number.to_bytes(4, "big") * (PAGE // 4) for number in range(pages)))
    seen: list[list[int]] = [[], [], [], []]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with memory.open(PATH, "rb") as file:
            file.read(0)

            def read(found: list[int]) -> None:
                while page := file.read(PAGE):
                    assert page == page[:4] * (PAGE // 4)
                    found.append(int.from_bytes(page[:4], "big"))

            threads = [threading.Thread(target=read, args=(found,)) for found in seen]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert sorted(itertools.chain(*seen)) == list(range(pages))
