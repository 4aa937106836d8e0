"""Libraries that read and write through fsspec, on a file system that they find by its name.

Each is used as its own documentation shows it, with a URL where it takes one.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.entry_points import is_installed, make_known_to_fsspec

fsspec: Any = pytest.importorskip("fsspec", reason="fsspec is not installed")
DmemfsFileSystem: Any = pytest.importorskip("dmemfs.fsspec").DmemfsFileSystem

# What libraries say of each other, and of versions to come, is their business.
pytestmark = pytest.mark.filterwarnings("ignore")

TABLE = {"item": ["apples", "pears", "plums"], "count": [12, 7, 40]}


def package(name: str) -> Any:
    """Return a package, or skip where it is not installed."""
    return pytest.importorskip(name, reason=f"{name.partition('.')[0]} is not installed")


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    make_known_to_fsspec()
    with MemoryFileSystem(max_quota=64 << 20) as fs:
        fs.publish("lake")
        yield fs


@pytest.fixture
def face(fs: MemoryFileSystem) -> Any:
    return DmemfsFileSystem(fs)


@pytest.mark.parametrize("form", ["csv", "json", "pickle", "parquet"])
def test_pandas(fs: MemoryFileSystem, form: str) -> None:
    pandas = package("pandas")
    if form == "parquet":
        package("pyarrow")
    table = pandas.DataFrame(TABLE)
    options = {"index": False} if form == "csv" else {}
    getattr(table, f"to_{form}")(f"dmemfs://lake/new/table.{form}", **options)
    assert fs.get_size(f"/new/table.{form}") > 0
    assert getattr(pandas, f"read_{form}")(f"dmemfs://lake/new/table.{form}").equals(table)


def test_pyarrow(fs: MemoryFileSystem, face: Any) -> None:
    pyarrow = package("pyarrow")
    parquet, dataset = package("pyarrow.parquet"), package("pyarrow.dataset")
    table = pyarrow.table(TABLE)
    parquet.write_table(table, "/table.parquet", filesystem=face)
    assert parquet.read_table("/table.parquet", filesystem=face).equals(table)
    dataset.write_dataset(
        table, "/by_item", format="parquet", partitioning=["item"], filesystem=face
    )
    assert sorted(fs.listdir("/by_item")) == ["apples", "pears", "plums"]
    found = dataset.dataset("/by_item", filesystem=face, partitioning=["item"]).to_table()
    assert sorted(found.to_pydict()["count"]) == [7, 12, 40]


def test_pyarrow_does_all_that_it_asks_of_a_file_system(fs: MemoryFileSystem, face: Any) -> None:
    package("pyarrow")
    arrow_fs = package("pyarrow.fs")
    arrow = arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(face))
    arrow.create_dir("/d/sub")
    with arrow.open_output_stream("/d/a") as file:
        file.write(b"one")
    with arrow.open_append_stream("/d/a") as file:
        file.write(b" two")
    assert arrow.open_input_stream("/d/a").readall() == b"one two"
    assert arrow.open_input_file("/d/a").read_at(3, 4) == b"two"
    arrow.copy_file("/d/a", "/d/sub/b")
    arrow.move("/d/sub/b", "/d/sub/c")
    found = arrow.get_file_info(arrow_fs.FileSelector("/d", recursive=True))
    assert {each.path: each.type.name for each in found} == {
        "/d/a": "File",
        "/d/sub": "Directory",
        "/d/sub/c": "File",
    }
    arrow.delete_dir_contents("/d")
    assert fs.to_tree() == {"d": {}}


def test_polars(fs: MemoryFileSystem, face: Any) -> None:
    polars = package("polars")
    table = polars.DataFrame(TABLE)
    with fsspec.open("dmemfs://lake/new/table.parquet", "wb") as file:
        table.write_parquet(file)
    with fsspec.open("dmemfs://lake/new/table.parquet") as file:
        assert polars.read_parquet(file).equals(table)
    with face.open("/table.csv", "wb") as file:
        table.write_csv(file)
    assert polars.read_csv(face.open("/table.csv")).equals(table)


def test_polars_scans_what_pyarrow_sees(fs: MemoryFileSystem, face: Any) -> None:
    polars, dataset = package("polars"), package("pyarrow.dataset")
    with face.open("/table.parquet", "wb") as file:
        polars.DataFrame(TABLE).write_parquet(file)
    scan = polars.scan_pyarrow_dataset(dataset.dataset("/table.parquet", filesystem=face))
    assert scan.filter(polars.col("count") > 10).collect()["item"].to_list() == ["apples", "plums"]


def test_dask(fs: MemoryFileSystem) -> None:
    dask_table, pandas = package("dask.dataframe"), package("pandas")
    package("pyarrow")
    whole = dask_table.from_pandas(pandas.DataFrame({"number": range(100)}), npartitions=4)
    whole.to_parquet("dmemfs://lake/parquet")
    assert len(fs.glob("/parquet/*.parquet")) == 4
    found = dask_table.read_parquet("dmemfs://lake/parquet")
    assert found["number"].sum().compute(scheduler="threads") == 4950
    whole.to_csv("dmemfs://lake/csv/part-*.csv", index=False, compute_kwargs={"scheduler": "sync"})
    assert sorted(fs.listdir("/csv")) == [f"part-{number}.csv" for number in range(4)]
    found = dask_table.read_csv("dmemfs://lake/csv/part-*.csv")
    assert found["number"].sum().compute(scheduler="sync") == 4950


def test_dask_bags(fs: MemoryFileSystem) -> None:
    bag = package("dask.bag")
    fs.write_text("/a.txt", "one\ntwo\n")
    fs.write_text("/b.txt", "three\n")
    lines = bag.read_text("dmemfs://lake/*.txt").map(str.strip)
    assert lines.compute(scheduler="threads") == ["one", "two", "three"]


def test_duckdb(fs: MemoryFileSystem, face: Any) -> None:
    duckdb = package("duckdb")
    face.pipe({"/in/a.csv": b"x\n1\n2\n", "/in/b.csv": b"x\n3\n"})
    connection = duckdb.connect()
    try:
        connection.register_filesystem(face)
        total = connection.sql("select sum(x) from read_csv('dmemfs://lake/in/*.csv')")
        assert total.fetchall() == [(6,)]
        connection.sql("copy (select 42 as x) to 'dmemfs://lake/new.parquet' (format parquet)")
        assert connection.sql("select * from 'dmemfs://lake/new.parquet'").fetchall() == [(42,)]
    finally:
        connection.close()
    assert sorted(fs.listdir("/")) == ["in", "new.parquet"]


def test_zarr(fs: MemoryFileSystem) -> None:
    zarr, numpy = package("zarr"), package("numpy")
    array = zarr.create_array(store="dmemfs://lake/array", shape=(100,), chunks=(10,), dtype="i4")
    array[:] = numpy.arange(100)
    assert len(fs.listdir("/array/c")) == 10
    found = zarr.open_array("dmemfs://lake/array", mode="r")
    assert found[5:15].tolist() == list(range(5, 15))


def test_xarray(fs: MemoryFileSystem, face: Any) -> None:
    xarray, numpy = package("xarray"), package("numpy")
    package("zarr")
    data = xarray.Dataset({"level": ("time", numpy.arange(4.0))})
    data.to_zarr("dmemfs://lake/data.zarr", consolidated=False)
    assert xarray.open_zarr("dmemfs://lake/data.zarr", consolidated=False).load().identical(data)
    mapped = face.get_mapper("/data.zarr")
    assert "zarr.json" in mapped or ".zgroup" in mapped
    assert xarray.open_zarr(mapped, consolidated=False).load().identical(data)


def test_universal_pathlib(fs: MemoryFileSystem) -> None:
    upath = package("upath")
    path_class = package("dmemfs._fsspec.universal_path").DmemfsPath
    if not is_installed("universal_pathlib.implementations"):
        package("upath.registry").register_implementation("dmemfs", path_class, clobber=True)
    path = upath.UPath("dmemfs://lake/d/a.txt")
    assert type(path) is path_class
    path.parent.mkdir(parents=True)
    path.write_text("text", encoding="utf-8")
    assert fs.to_tree() == {"d": {"a.txt": "text"}}
    assert (str(path), path.path, path.suffix) == ("dmemfs://lake/d/a.txt", "/d/a.txt", ".txt")
    assert upath.UPath(str(path)) == path
    assert list(path.parent.iterdir()) == [path]
    assert [str(each) for each in upath.UPath("dmemfs://lake/").rglob("*.txt")] == [str(path)]
    assert pickle.loads(pickle.dumps(path)).read_text(encoding="utf-8") == "text"
    unnamed = upath.UPath("/a", protocol="dmemfs", fs=MemoryFileSystem())
    assert str(unnamed / "b") == "dmemfs:///a/b"
    path.rename(path.parent / "b.txt")
    assert fs.listdir("/d") == ["b.txt"]


def test_the_cache_of_fsspec_on_the_disk(fs: MemoryFileSystem, tmp_path: Path) -> None:
    fs.write_bytes("/a", b"cached")
    url = "simplecache::dmemfs://lake/a"
    with fsspec.open(url, simplecache={"cache_storage": str(tmp_path)}) as file:
        assert file.read() == b"cached"
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"cached"]


def test_an_archive_in_it_is_read_in_place(fs: MemoryFileSystem) -> None:
    with fsspec.open("dmemfs://lake/a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.txt", "in a zip file")
    with fsspec.open("zip://inner.txt::dmemfs://lake/a.zip") as file:
        assert file.read() == b"in a zip file"


def test_a_directory_of_it_is_a_file_system(fs: MemoryFileSystem, face: Any) -> None:
    below = fsspec.filesystem("dir", path="/below", fs=face)
    below.pipe("a", b"1")
    assert fs.to_tree() == {"below": {"a": "1"}}
    assert below.ls("", detail=False) == ["a"]
