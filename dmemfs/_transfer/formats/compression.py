"""Compressing and decompressing streams, a bounded amount at a time."""

from __future__ import annotations

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
    """

    def __init__(
        self, file: Readable, new_decompressor: Callable[[], Decompressor], *, many: bool
    ) -> None:
        self._source = Source(file)
        self._new_decompressor = new_decompressor
        self._decompressor = new_decompressor()
        self._many = many

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
            try:
                piece = decompressor.decompress(data, count)
            except _damage() as error:
                raise DamagedStreamError(f"the compressed data is damaged: {error}") from error
            if piece:
                return piece

    def _require_zeros(self) -> None:
        while data := self._source.read(_INPUT_SIZE):
            if data.strip(b"\0"):
                raise DamagedStreamError("something follows the end of the compressed data")


class CompressingWriter:
    """Writes to a stream, compressed.

    Args:
        target: where to.
        name: how; None writes it as it is.
    """

    def __init__(self, target: Target, name: Compression | None) -> None:
        self._target = target
        self._compressor = None if name is None else _compressor(name)

    def write(self, data: bytes) -> None:
        """Take `data` in; it may reach the target later."""
        self._target.write(data if self._compressor is None else self._compressor.compress(data))

    def finish(self) -> None:
        """Write what is left."""
        if self._compressor is not None:
            self._target.write(self._compressor.flush())


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
