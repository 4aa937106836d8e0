"""Compressing and decompressing streams, a bounded amount at a time.

The checksums of gzip and bzip2 are of what comes out, and not all that goes in makes a difference
to that. So a stream may be sealed: further ones stand behind it, of nothing, whose headers say what
the SHA-256 of the first is. Other tools take them for what they are. All bytes of an xz stream
count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol, TypeAlias, get_args

from .streams import Readable, Source, Target

Compression: TypeAlias = Literal["gzip", "bz2", "xz"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)

LONGEST_MAGIC = 6
_MAGIC: dict[Compression, bytes] = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}
MAX_WBITS = 15
_GZIP_WBITS = 16 + MAX_WBITS
_INPUT_SIZE = 1 << 16
# What `xz -9` asks for is 65 MiB; a stream may ask for 4 GiB.
_XZ_MEMORY = 128 << 20

# A gzip header with an extra field of 36 bytes, "dm" and 32 bytes; and the data of nothing.
_GZIP_SEAL = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x24\0dm\x20\0%b\x03\0\0\0\0\0\0\0\0\0"
# A bzip2 stream of nothing, whose size of blocks, from 1 to 8, stands for three bits.
_BZ2_SEAL = b"BZh%d\x17\x72\x45\x38\x50\x90\0\0\0\0"
_BZ2_BITS = 128


class DamagedStreamError(Exception):
    """What was to be decompressed is no such stream, or not all of one."""


class Decompressor(Protocol):
    """What decompresses one stream, as the objects of `bz2` and `lzma` do."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Inflater:
    """The same for zlib, whose objects have what they did not use handed back to them.

    Args:
        wbits: the format, as for `zlib.decompressobj`.
    """

    def __init__(self, wbits: int) -> None:
        import zlib

        self._inflater = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._inflater.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        result = self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)
        self._full = len(result) == max_length  # there may be more that is waiting to come out
        return result


def compression_of(beginning: bytes) -> Compression | None:
    """Return how a stream is compressed that begins with these `LONGEST_MAGIC` bytes."""
    for name, magic in _MAGIC.items():
        if beginning.startswith(magic):
            return name
    return None


def check_compression(name: object) -> None:
    """Raise ValueError unless `name` is None or the name of a compression."""
    if name is not None and name not in COMPRESSIONS:
        raise ValueError(f"compress must be None, 'gzip', 'bz2' or 'xz', not {name!r}")


def new_decompressor(name: Compression) -> Decompressor:
    """Return what decompresses a stream of this kind, with bounded memory."""
    if name == "gzip":
        return Inflater(_GZIP_WBITS)
    if name == "bz2":
        import bz2

        return bz2.BZ2Decompressor()
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _damage() -> tuple[type[Exception], ...]:
    """Return what the decompressors of this Python raise; it may have been built without some."""
    kinds: list[type[Exception]] = [OSError, EOFError, ValueError]
    with suppress(ImportError):
        import zlib

        kinds.append(zlib.error)
    with suppress(ImportError):
        import lzma

        kinds.append(lzma.LZMAError)
    return tuple(kinds)


class DecompressingReader:
    """Reads what a compressed stream holds.

    Args:
        file: the compressed stream.
        new_decompressor: makes what decompresses it.
        many: take several such streams behind each other, and zeros behind them, as the tools of
            these formats do. Otherwise whatever follows the first one is damage.

    Attributes:
        sealed_as: how the stream is compressed, if it is to be one that was sealed; to be set
            before its end is read.
    """

    sealed_as: Compression | None = None

    def __init__(
        self, file: Readable, new_decompressor: Callable[[], Decompressor], *, many: bool
    ) -> None:
        self._source = Source(file)
        self._new_decompressor = new_decompressor
        self._decompressor = new_decompressor()
        self._many = many
        self._digest = hashlib.sha256()
        self._latest = b""  # its end may stand behind that of the stream

    def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer only at the end.

        Raises:
            DamagedStreamError: it is damaged, or ends too early.
        """
        pieces: list[bytes] = []
        while count:
            piece = self._step(count)
            if not piece:
                break
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _step(self, count: int) -> bytes:
        while True:
            decompressor = self._decompressor
            if decompressor.eof:
                behind = decompressor.unused_data or self._source.read(_INPUT_SIZE)
                if self.sealed_as is not None:
                    self._require_seal(self.sealed_as, behind)
                    return b""
                if not behind:
                    return b""
                if not self._many:
                    raise DamagedStreamError("something follows the end of the compressed data")
                if not behind.strip(b"\0"):
                    self._require_zeros()
                    return b""
                self._decompressor = decompressor = self._new_decompressor()
                data = behind
            else:
                data = self._source.read(_INPUT_SIZE) if decompressor.needs_input else b""
                if not data and decompressor.needs_input:
                    raise DamagedStreamError("the compressed data ends too early")
                if data:
                    self._digest.update(self._latest)
                    self._latest = data
            try:
                piece = decompressor.decompress(data, count)
            except _damage() as error:
                raise DamagedStreamError(f"the compressed data is damaged: {error}") from error
            if piece:
                return piece

    def _require_seal(self, name: Compression, behind: bytes) -> None:
        unused = len(self._decompressor.unused_data)
        self._digest.update(self._latest[: len(self._latest) - unused])
        seal = _seal_of(name, self._digest.digest())
        # One byte more than there should be, to see that nothing follows.
        missing = max(0, len(seal) + 1 - len(behind))
        if behind + self._source.read(missing) != seal:
            raise DamagedStreamError("its seal is not that of the compressed data")

    def _require_zeros(self) -> None:
        while data := self._source.read(_INPUT_SIZE):
            if data.strip(b"\0"):
                raise DamagedStreamError("something follows the end of the compressed data")


def _seal_of(name: Compression, digest: bytes) -> bytes:
    """Return what stands behind a stream that has this SHA-256."""
    if name == "gzip":
        return _GZIP_SEAL % digest
    if name == "bz2":
        number = int.from_bytes(digest, "little")
        sizes = [1 + (number >> place & 7) for place in range(0, _BZ2_BITS, 3)]
        return b"".join(_BZ2_SEAL % size for size in sizes)
    return b""


class CompressingWriter:
    """Writes to a stream, compressed.

    Args:
        target: where to.
        name: how; None writes it as it is.
        sealed: whether a stream that is compressed is to be sealed.
    """

    def __init__(self, target: Target, name: Compression | None, *, sealed: bool = False) -> None:
        self._target = target
        self._compressor = None if name is None else _compressor(name)
        self._sealed_as = name if sealed else None
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take `data` in; it may reach the target later."""
        self._put(data if self._compressor is None else self._compressor.compress(data))

    def finish(self) -> None:
        """Write what is left."""
        if self._compressor is not None:
            self._put(self._compressor.flush())
        if self._sealed_as is not None and (
            seal := _seal_of(self._sealed_as, self._digest.digest())
        ):
            self._target.write(seal)

    def _put(self, data: bytes) -> None:
        self._target.write(data)
        if self._sealed_as is not None:
            self._digest.update(data)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _compressor(name: Compression) -> _Compressor:
    if name == "gzip":
        import zlib

        return zlib.compressobj(wbits=_GZIP_WBITS)
    if name == "bz2":
        import bz2

        return bz2.BZ2Compressor()
    import lzma

    return lzma.LZMACompressor()
