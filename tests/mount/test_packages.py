"""Packages with code in C that take a descriptor, with mounted files: each works as on the disk."""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount

FORMATS = (
    "png", "webp", "jpg", "gif", "bmp", "tiff", "ppm", "tga", "pdf", "ico", "dds", "pcx", "jp2",
)  # fmt: skip


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    with mount(filesystem, "/mem"):
        yield filesystem
    filesystem._check()
    assert filesystem._in_kernel == {}


def package(name: str) -> Any:
    """Return a package, or skip the test where it is not installed."""
    return pytest.importorskip(name, reason=f"{name} is not installed here")


@pytest.mark.parametrize("ending", FORMATS)
def test_pillow_saves_and_opens(fs: MemoryFileSystem, ending: str) -> None:
    image_module = package("PIL.Image")
    image = image_module.new("RGB", (8, 8), "red")
    expected = io.BytesIO()
    try:
        image.save(expected, image_module.registered_extensions()[f".{ending}"])
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {ending}")
    image.save(f"/mem/picture.{ending}")
    if ending == "pdf":  # which has the time in it
        assert fs.read_bytes("/picture.pdf").startswith(b"%PDF")
        return
    assert fs.read_bytes(f"/picture.{ending}") == expected.getvalue()
    with image_module.open(f"/mem/picture.{ending}") as opened:
        opened.load()
        assert opened.size == (8, 8)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg", "packbits"])
def test_pillow_opens_compressed_tiff(fs: MemoryFileSystem, compression: str) -> None:
    image_module = package("PIL.Image")
    image = image_module.new("RGB", (8, 8), "red")
    image.save("/mem/in.tif", compression=compression)
    with image_module.open("/mem/in.tif") as opened:
        assert opened.convert("RGB").size == (8, 8)
        opened.load()
    with open("/mem/in.tif", "r+b") as file, image_module.open(file) as opened:
        opened.load()


def test_numpy(fs: MemoryFileSystem) -> None:
    numpy = package("numpy")
    numbers = numpy.arange(1000)
    numbers.tofile("/mem/raw")
    assert fs.read_bytes("/raw") == numbers.tobytes()
    assert numpy.array_equal(numpy.fromfile("/mem/raw", dtype=numbers.dtype), numbers)
    with open("/mem/raw", "rb") as file:
        file.seek(80)
        assert numpy.fromfile(file, dtype=numbers.dtype, count=2).tolist() == [10, 11]
        assert file.tell() == 96
    with open("/mem/one.npy", "wb", buffering=0) as file:
        numpy.save(file, numbers)
    descriptor, name = tempfile.mkstemp(dir="/mem")
    with os.fdopen(descriptor, "wb") as file:
        numpy.save(file, numbers)
    assert numpy.array_equal(numpy.load("/mem/one.npy"), numbers)
    assert Path(name).read_bytes() == Path("/mem/one.npy").read_bytes()
    with open("/mem/one.npy", "rb", buffering=0) as file:
        assert numpy.array_equal(numpy.load(file), numbers)
    with open("/mem/map", "w+b") as file:
        mapped = numpy.memmap(file, dtype="u1", mode="w+", shape=(16,))
        mapped[:4] = (1, 2, 3, 4)
        mapped.flush()
        assert fs.read_bytes("/map")[:5] == b"\1\2\3\4\0"
        del mapped
    with open("/mem/map", "ab") as file:
        numpy.full(3, 7, "u1").tofile(file)
    assert fs.read_bytes("/map")[-4:] == b"\0\7\7\7"


def test_scipy_reads_and_writes_sound(fs: MemoryFileSystem) -> None:
    wavfile = package("scipy.io.wavfile")
    numpy = package("numpy")
    samples = numpy.arange(100, dtype="i2")
    wavfile.write("/mem/sound.wav", 8000, samples)
    rate, read = wavfile.read("/mem/sound.wav")
    assert rate == 8000
    assert read.tolist() == samples.tolist()


@pytest.mark.parametrize("ending", ["png", "jpg", "pdf", "svg", "tif"])
def test_matplotlib_saves_figures(fs: MemoryFileSystem, ending: str) -> None:
    matplotlib = package("matplotlib")
    matplotlib.use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(1, 1))
    axes.plot([1, 2])
    figure.savefig(f"/mem/figure.{ending}")
    pyplot.close(figure)
    assert fs.get_size(f"/figure.{ending}") > 500


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp"])
def test_imageio_writes_and_reads(fs: MemoryFileSystem, ending: str) -> None:
    imageio = package("imageio.v3")
    numpy = package("numpy")
    imageio.imwrite(f"/mem/picture.{ending}", numpy.zeros((8, 8, 3), "u1"))
    assert imageio.imread(f"/mem/picture.{ending}").shape[-3:] == (8, 8, 3)


def test_aiofiles_without_a_buffer(fs: MemoryFileSystem) -> None:
    aiofiles = package("aiofiles")

    async def work() -> bytes:
        async with aiofiles.open("/mem/file", "wb", buffering=0) as file:
            await file.write(b"written")
            await file.truncate(5)
        async with aiofiles.open("/mem/file", "rb", buffering=0) as file:
            return await file.read()  # type: ignore[no-any-return]

    assert asyncio.run(asyncio.wait_for(work(), 50)) == b"writt"


@pytest.mark.parametrize(
    "write",
    [
        lambda pandas, path: pandas.DataFrame({"a": [1, 2]}).to_csv(path),
        lambda pandas, path: pandas.DataFrame({"a": [1, 2]}).to_pickle(path),
    ],
)
def test_pandas(fs: MemoryFileSystem, write: Callable[[Any, str], Any], tmp_path: Path) -> None:
    pandas = package("pandas")
    write(pandas, "/mem/table")
    write(pandas, str(tmp_path / "table"))
    assert fs.read_bytes("/table") == (tmp_path / "table").read_bytes()
