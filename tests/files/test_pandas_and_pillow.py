"""pandas and Pillow, which look closely at the file objects that they are given."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class TestPandas:
    @pytest.fixture
    def pandas(self) -> Any:
        return pytest.importorskip("pandas", reason="pandas is not installed")

    @pytest.fixture
    def frame(self, pandas: Any) -> Any:
        return pandas.DataFrame(
            {"number": range(1000), "text": [f"ä{i}" for i in range(1000)], "half": [0.5] * 1000}
        )

    @pytest.mark.parametrize("mode", ["", "b"], ids=["text", "binary"])
    def test_csv(self, fs: Any, pandas: Any, frame: Any, mode: str) -> None:
        options = {} if mode else {"encoding": "utf-8", "newline": ""}
        with fs.open("/frame.csv", f"w{mode}", **options) as file:
            frame.to_csv(file, index=False)
            assert not file.closed
        with fs.open("/frame.csv", f"r{mode}", **options) as file:
            pandas.testing.assert_frame_equal(pandas.read_csv(file), frame)
            assert not file.closed

    @pytest.mark.parametrize("engine", ["c", "python"])
    def test_csv_engines(self, fs: Any, pandas: Any, frame: Any, engine: str) -> None:
        with fs.open("/frame.csv", "wb") as file:
            frame.to_csv(file, index=False, encoding="utf-8")
        with fs.open("/frame.csv", "rb") as file:
            pandas.testing.assert_frame_equal(pandas.read_csv(file, engine=engine), frame)

    def test_csv_in_chunks(self, fs: Any, pandas: Any, frame: Any) -> None:
        with fs.open("/frame.csv", "w", encoding="utf-8") as file:
            frame.to_csv(file, index=False)
        with (
            fs.open("/frame.csv", encoding="utf-8") as file,
            pandas.read_csv(file, chunksize=300) as chunks,
        ):
            assert [len(chunk) for chunk in chunks] == [300, 300, 300, 100]

    @pytest.mark.parametrize("compression", ["gzip", "bz2", "zip", "xz"])
    def test_compressed_csv(self, fs: Any, pandas: Any, frame: Any, compression: str) -> None:
        with fs.open("/frame.csv.x", "wb") as file:
            frame.to_csv(file, index=False, compression=compression)
        with fs.open("/frame.csv.x", "rb") as file:
            read = pandas.read_csv(file, compression=compression)
        pandas.testing.assert_frame_equal(read, frame)

    def test_json(self, fs: Any, pandas: Any, frame: Any) -> None:
        with fs.open("/frame.json", "w", encoding="utf-8") as file:
            frame.to_json(file, orient="records", lines=True)
        with fs.open("/frame.json", "r", encoding="utf-8") as file:
            read = pandas.read_json(file, lines=True)
        assert list(read["number"]) == list(range(1000))

    def test_pickle(self, fs: Any, pandas: Any, frame: Any) -> None:
        with fs.open("/frame.pickle", "wb") as file:
            frame.to_pickle(file)
        with fs.open("/frame.pickle", "rb") as file:
            pandas.testing.assert_frame_equal(pandas.read_pickle(file), frame)


class TestNumpy:
    @pytest.fixture
    def numpy(self) -> Any:
        return pytest.importorskip("numpy", reason="numpy, which pandas brings, is not installed")

    def test_save_and_load(self, fs: Any, numpy: Any) -> None:
        array = numpy.arange(100_000, dtype="float64").reshape(1000, 100)
        with fs.open("/array.npy", "wb") as file:
            numpy.save(file, array)
            numpy.save(file, array[::2, ::3])
        with fs.open("/array.npy", "rb") as file:
            assert (numpy.load(file) == array).all()
            assert (numpy.load(file) == array[::2, ::3]).all()

    def test_archive(self, fs: Any, numpy: Any) -> None:
        array = numpy.arange(1000)
        with fs.open("/arrays.npz", "wb") as file:
            numpy.savez_compressed(file, one=array, two=array * 2)
        with fs.open("/arrays.npz", "rb") as file, numpy.load(file) as arrays:
            assert (arrays["two"] == array * 2).all()

    def test_text(self, fs: Any, numpy: Any) -> None:
        array = numpy.arange(12.0).reshape(3, 4)
        with fs.open("/array.txt", "w") as file:
            numpy.savetxt(file, array)
        with fs.open("/array.txt") as file:
            assert (numpy.loadtxt(file) == array).all()

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_array_as_buffer(self, fs: Any, numpy: Any, order: str) -> None:
        array = numpy.asarray([[1, 2], [3, 4]], dtype="uint8", order=order)
        with fs.open("/bytes", "wb") as file:
            if order == "C":
                file.write(array)
            else:
                with pytest.raises((BufferError, ValueError)):
                    file.write(array)
        assert fs.read_bytes("/bytes") == (b"\1\2\3\4" if order == "C" else b"")


class TestPillow:
    @pytest.fixture
    def pillow(self) -> Any:
        return pytest.importorskip("PIL.Image", reason="Pillow is not installed")

    @pytest.fixture
    def image(self, pillow: Any) -> Any:
        places = itertools.product(range(64), range(64), range(3))
        pattern = bytes((x * y + channel) % 256 for y, x, channel in places)
        return pillow.frombytes("RGB", (64, 64), pattern)

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
    def test_lossless(self, fs: Any, pillow: Any, image: Any, kind: str) -> None:
        with fs.open("/image", "wb") as file:
            image.save(file, kind)
        with fs.open("/image", "rb") as file, pillow.open(file) as read:
            assert read.format == kind
            assert read.tobytes() == image.tobytes()

    @pytest.mark.parametrize("kind", ["JPEG", "GIF", "ICO"])
    def test_other_formats(self, both: Any, image: Any, kind: str) -> None:
        for fs in both:
            with fs.open("/image", "w+b") as file:
                image.save(file, kind)
        assert both.memory.read_bytes("/image") == both.real.read_bytes("/image")

    def test_lazy_loading(self, fs: Any, pillow: Any, image: Any) -> None:
        with fs.open("/image.png", "wb") as file:
            image.save(file, "PNG")
        with fs.open("/image.png", "rb") as file:
            read = pillow.open(file)
            assert read.size == (64, 64)
            file.seek(0)
            read.load()
            assert read.tobytes() == image.tobytes()

    def test_animation(self, fs: Any, pillow: Any, image: Any) -> None:
        with fs.open("/image.gif", "wb") as file:
            image.save(file, "GIF", save_all=True, append_images=[image.rotate(90)])
        with fs.open("/image.gif", "rb") as file, pillow.open(file) as read:
            assert read.n_frames == 2
            read.seek(1)
            read.seek(0)

    def test_truncated_image(self, fs: Any, pillow: Any, image: Any) -> None:
        with fs.open("/image.png", "w+b") as file:
            image.save(file, "PNG")
            file.truncate(200)
            file.seek(0)
            with pillow.open(file) as read, pytest.raises(OSError, match="truncated"):
                read.load()
