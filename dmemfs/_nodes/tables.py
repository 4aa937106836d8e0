"""The blocks of a very large content, for a copy that costs nothing like their number.

A dictionary of all of them is the quickest to look into, and it takes milliseconds to copy once
there are more than some thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from .blocks import Block

MOST_IN_A_DICTIONARY = 1 << 13
"""Blocks; what has more of them has them in tables."""

TABLE_SHIFT = 9


class BlockTables(dict[int, Block]):
    """Blocks by their index, in tables of 512 that copies share until one of them changes.

    Only a table that is nobody else's is changed; every other one is replaced by a copy first. So
    a block is kept by those alone in whose content it is.

    It stands for a dictionary, in which nothing but what is below is used of one.

    Args:
        blocks: pairs of an index and a block.

    Attributes:
        tables: the blocks by their index, in tables by that index shifted by `TABLE_SHIFT`.
    """

    __slots__ = ("_count", "_own", "tables")

    def __init__(self, blocks: Iterable[tuple[int, Block]] = ()) -> None:
        super().__init__()
        self.tables: dict[int, dict[int, Block]] = {}
        for index, block in blocks:
            self.tables.setdefault(index >> TABLE_SHIFT, {})[index] = block
        self._own = set(self.tables)
        self._count = sum(map(len, self.tables.values()))

    def copy(self) -> BlockTables:
        """Return a copy that shares every table. Complexity: O(blocks / 512)."""
        other = BlockTables()
        other.tables = self.tables.copy()
        other._count = self._count
        self._own = set()  # what was ours to change is now everybody's to read
        return other

    def get(self, index: int, default: Any = None) -> Any:
        table = self.tables.get(index >> TABLE_SHIFT)
        return default if table is None else table.get(index, default)

    def __getitem__(self, index: int) -> Block:
        return self.tables[index >> TABLE_SHIFT][index]

    def __contains__(self, index: object) -> bool:
        return self.get(index) is not None  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(list(self.tables.values()))

    def items(self) -> Any:
        return chain.from_iterable(table.items() for table in list(self.tables.values()))

    def __setitem__(self, index: int, block: Block) -> None:
        """Put a block there. Complexity: O(1), and O(512) once for each table that is shared."""
        number = index >> TABLE_SHIFT
        if number not in self._own:
            self.tables[number] = self.tables.get(number, {}).copy()
            self._own.add(number)
        table = self.tables[number]
        if index not in table:
            self._count += 1
        table[index] = block

    def update(self, blocks: Iterable[tuple[int, Block]] = ()) -> None:  # type: ignore[override]
        for index, block in blocks:
            self[index] = block
