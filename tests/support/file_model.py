"""A file as the quota sees it, in exact arithmetic."""

from __future__ import annotations

BLOCK = 64 * 1024


class ModelFile:
    """The bytes of a file, and which of its blocks were ever written; never changed itself."""

    def __init__(self, content: bytes = b"", blocks: frozenset[int] = frozenset()) -> None:
        self.content = content
        self.blocks = blocks

    def stored(self) -> int:
        size = len(self.content)
        return sum(min(BLOCK, size - block * BLOCK) for block in self.blocks)

    def written(self, position: int, data: bytes) -> ModelFile:
        if not data:
            return self
        padded = self.content.ljust(position, b"\0")
        end = position + len(data)
        touched = frozenset(range(position // BLOCK, (end - 1) // BLOCK + 1))
        return ModelFile(padded[:position] + data + padded[end:], self.blocks | touched)

    def truncated(self, size: int) -> ModelFile:
        content = self.content[:size].ljust(size, b"\0")
        return ModelFile(content, frozenset(b for b in self.blocks if b * BLOCK < size))
