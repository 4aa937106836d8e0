"""Very large contents: what a copy shares, and what the first write to one of both costs."""

from __future__ import annotations

import gc
import random
import weakref
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._files import binary
from dmemfs._nodes import content, tables
from dmemfs._nodes.blocks import BLOCK_SIZE
from dmemfs._nodes.tables import BlockTables

FEW = 20
"""Blocks; more than so many are very many in these tests."""


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tables of four blocks, so that files of some MiB have several."""
    monkeypatch.setattr(content, "MOST_IN_A_DICTIONARY", FEW)
    monkeypatch.setattr(tables, "TABLE_SHIFT", 2)
    monkeypatch.setattr(binary, "TABLE_SHIFT", 2)


STEPS = [*["write"] * 3, "cut", "copy", "clone", "keep", "back", "lie"]


def blocks_of(fs: MemoryFileSystem, path: str) -> Any:
    found: Any = fs._find_file(path).content
    return found._blocks


def make(fs: MemoryFileSystem, path: str, blocks: int) -> bytes:
    data = random.Random(blocks).randbytes(blocks * BLOCK_SIZE - 100)
    with fs.open(path, "wb", buffering=0) as file:
        for start in range(0, len(data), 50_000):
            file.write(data[start : start + 50_000])
    return data


def write(fs: MemoryFileSystem, path: str, position: int, data: bytes) -> None:
    with fs.open(path, "r+b", buffering=0) as file:
        file.seek(position)
        file.write(data)


def test_a_copy_shares_every_table_and_a_write_replaces_one(memory: MemoryFileSystem) -> None:
    data = make(memory, "/f", 100)
    memory.copy("/f", "/g")
    one, two = blocks_of(memory, "/f").tables, blocks_of(memory, "/g").tables
    assert len(one) == 25
    assert all(one[number] is two[number] for number in range(25))
    write(memory, "/g", 50 * BLOCK_SIZE + 7, b"other")
    assert [number for number in range(25) if one[number] is not two[number]] == [12]
    write(memory, "/f", 99 * BLOCK_SIZE, b"other")
    assert [number for number in range(25) if one[number] is not two[number]] == [12, 24]
    assert (
        memory.read_bytes("/f") == data[: 99 * BLOCK_SIZE] + b"other" + data[99 * BLOCK_SIZE + 5 :]
    )
    changed = bytearray(data)
    changed[50 * BLOCK_SIZE + 7 : 50 * BLOCK_SIZE + 12] = b"other"
    assert memory.read_bytes("/g") == changed


def test_few_blocks_are_in_a_dictionary(memory: MemoryFileSystem) -> None:
    make(memory, "/f", FEW)
    assert type(blocks_of(memory, "/f")) is dict
    make(memory, "/f", FEW + 1)
    assert type(blocks_of(memory, "/f")) is BlockTables
    memory.truncate("/f", 5 * BLOCK_SIZE)
    assert type(blocks_of(memory, "/f")) is dict


def test_a_block_that_no_copy_has_any_more_is_gone(memory: MemoryFileSystem) -> None:
    make(memory, "/f", 50)
    block = weakref.ref(blocks_of(memory, "/f")[20])
    memory.copy("/f", "/g")
    write(memory, "/f", 20 * BLOCK_SIZE, b"x")
    assert block() is not None
    write(memory, "/g", 20 * BLOCK_SIZE, b"x")
    gc.collect()  # elsewhere than in CPython
    assert block() is None


def test_holes(memory: MemoryFileSystem) -> None:
    make(memory, "/f", FEW + 5)
    memory.truncate("/f", 1 << 40)
    write(memory, "/f", 1 << 39, b"in the middle")
    assert type(blocks_of(memory, "/f")) is BlockTables
    assert blocks_of(memory, "/f").get(100) is None
    assert 100 not in blocks_of(memory, "/f")
    copy = memory.clone()
    with copy.open("/f", "rb") as file:
        file.seek((1 << 39) - 3)
        assert file.read(20) == b"\0\0\0in the middle\0\0\0\0"
    assert copy.stat("/f").st_blocks == memory.stat("/f").st_blocks
    copy._check()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_to_files_and_copies(seed: int) -> None:
    chance = random.Random(seed)
    fs = MemoryFileSystem(max_quota=None)
    models = {"/f": bytearray(make(fs, "/f", 30))}
    past: list[tuple[Any, dict[str, bytes]]] = []
    for _ in range(60):
        path = chance.choice(list(models))
        model = models[path]
        step = chance.choice(
            ["write", "write", "write", "cut", "copy", "clone", "keep", "back", "lie"]
        )
        if step == "write":
            position = chance.randrange(len(model) + BLOCK_SIZE)
            data = chance.randbytes(chance.choice([1, 5000, BLOCK_SIZE, 5 * BLOCK_SIZE]))
            write(fs, path, position, data)
            model.extend(bytes(max(0, position - len(model))))
            model[position : position + len(data)] = data
        elif step == "cut":
            size = chance.randrange(40 * BLOCK_SIZE)
            fs.truncate(path, size)
            del model[size:]
            model.extend(bytes(size - len(model)))
        elif step == "copy":
            other = chance.choice(["/f", "/g", "/h"])
            if other != path:
                fs.copy(path, other)
                models[other] = bytearray(model)
        elif step == "clone":
            fs, past = fs.clone(), []
        elif step == "keep":
            past.append((fs.snapshot(), {name: bytes(kept) for name, kept in models.items()}))
        elif step == "back" and past:
            snapshot, kept = chance.choice(past)
            fs.restore(snapshot)
            models = {name: bytearray(data) for name, data in kept.items()}
        elif step == "lie":
            fs._settle_in_place(fs._find_file(path), None)
        for name, expected in models.items():
            position = chance.randrange(len(expected) + 1)
            with fs.open(name, "rb") as file:
                for _ in range(2):
                    file.seek(position)
                    assert file.read(5000) == expected[position : position + 5000]
    for name, expected in models.items():
        assert fs.read_bytes(name) == expected
    for snapshot, kept in past:
        for name, data in kept.items():
            assert snapshot.read_bytes(name) == data
    fs._check()
