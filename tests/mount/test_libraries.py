"""Known libraries that open paths in C: each with the real package, and none writes to the disk."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs._mount.libraries import LIBRARIES
from dmemfs._nodes.kernel_files import _FIRST_NUMBER
from tests.support.comparison import outcome

PROJECT = Path(__file__).resolve().parents[2]


def needs(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)


@pytest.fixture(params=["at a real directory", "isolated", "relative"])
def point(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return where to write, mounted over a real directory, which is to stay as it is."""
    fs = MemoryFileSystem()
    isolated = request.param == "isolated"
    if isolated:
        fs.makedirs(str(tmp_path))
    before = os.getcwd()
    with mount(fs, "/" if isolated else tmp_path):
        if request.param == "relative":
            os.chdir(tmp_path)
            yield "."
            os.chdir(before)
        else:
            yield str(tmp_path)
        gc.collect()
        assert left_open() == []
    assert os.listdir(tmp_path) == []
    fs._check()


def left_open() -> list[str]:
    """Return the descriptors of files in memory that were handed out; the tree's own are higher."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if name.startswith("/memfd:dmemfs") and int(number) < _FIRST_NUMBER:
            found.append(number)
    return found


def is_refused(call: Any, *arguments: Any, **options: Any) -> bool:
    with pytest.raises(OSError, match=r"dmemfs\.materialize") as caught:
        call(*arguments, **options)
    return caught.value.errno == errno.ENOTSUP


def test_pandas_parquet(point: str) -> None:
    pandas, _ = needs("pandas"), needs("pyarrow")
    frame = pandas.DataFrame({"a": range(1000), "b": [str(number) for number in range(1000)]})
    frame.to_parquet(f"{point}/frame")
    assert os.path.getsize(f"{point}/frame") > 1000
    assert pandas.read_parquet(f"{point}/frame").equals(frame)
    assert pandas.read_parquet(Path(point, "frame"), columns=["a"]).shape == (1000, 1)
    with pytest.raises(FileNotFoundError):
        pandas.read_parquet(f"{point}/none")


def test_pyarrow(point: str) -> None:
    pyarrow = needs("pyarrow")
    for name in ("csv", "feather", "ipc", "json", "parquet"):
        importlib.import_module(f"pyarrow.{name}")
    table = pyarrow.table({"a": [1, 2, 3]})
    pyarrow.parquet.write_table(table, f"{point}/t")
    assert pyarrow.parquet.read_table(f"{point}/t").equals(table)
    assert pyarrow.parquet.read_schema(f"{point}/t").equals(table.schema)
    assert pyarrow.parquet.ParquetFile(f"{point}/t").read().equals(table)
    assert pyarrow.parquet.read_metadata(f"{point}/t").num_rows == 3
    with pyarrow.parquet.ParquetWriter(f"{point}/w", table.schema) as writer:
        writer.write_table(table)
        writer.write_table(table)
    assert pyarrow.parquet.read_table(f"{point}/w").num_rows == 6
    del writer
    pyarrow.csv.write_csv(table, f"{point}/c")
    assert Path(point, "c").read_text(encoding="utf-8").split() == ['"a"', "1", "2", "3"]
    assert pyarrow.csv.read_csv(f"{point}/c").equals(table)
    pyarrow.feather.write_feather(table, f"{point}/f")
    assert pyarrow.feather.read_table(f"{point}/f").equals(table)
    Path(point, "j").write_text('{"a": 1}\n', encoding="utf-8")
    assert pyarrow.json.read_json(f"{point}/j").to_pydict() == {"a": [1]}
    with pyarrow.OSFile(f"{point}/o", "wb") as file:
        file.write(b"written")
        assert isinstance(file, pyarrow.OSFile)
    with pyarrow.OSFile(f"{point}/o") as file, pyarrow.memory_map(f"{point}/o") as mapped:
        assert file.read() == mapped.read() == b"written"
    del file, mapped
    os.mkdir(f"{point}/directory")
    assert is_refused(pyarrow.parquet.read_table, f"{point}/directory")
    dataset = importlib.import_module("pyarrow.dataset")
    assert is_refused(dataset.write_dataset, table, f"{point}/d", format="parquet")


def test_polars(point: str) -> None:
    polars = needs("polars")
    frame = polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for kind in ("csv", "parquet", "ipc", "ndjson"):
        getattr(frame, f"write_{kind}")(f"{point}/{kind}")
        assert getattr(polars, f"read_{kind}")(f"{point}/{kind}").equals(frame)
        scanned = getattr(polars, f"scan_{kind}")(f"{point}/{kind}")
        scanned = scanned.filter(polars.col("a") > 1).select("b")
        assert scanned.collect().to_dicts() == [{"b": "y"}]
        getattr(frame.lazy(), f"sink_{kind}")(f"{point}/sunk-{kind}")
        assert getattr(polars, f"read_{kind}")(f"{point}/sunk-{kind}").equals(frame)
    two = polars.read_parquet([f"{point}/parquet", f"{point}/sunk-parquet"])
    assert two.shape == (4, 2)
    assert frame.write_csv() == "a,b\n1,x\n2,y\n"
    with pytest.raises(FileNotFoundError):
        polars.read_csv(f"{point}/none")


def test_h5py(point: str) -> None:
    h5py = needs("h5py")
    for mode in ("w", "w-", "a"):
        with h5py.File(f"{point}/{mode}", mode) as file:
            file["x"] = [1, 2, 3]
    with h5py.File(Path(point, "a"), "a") as file:
        file["y"] = "text"
    with h5py.File(f"{point}/a") as file:
        assert list(file["x"]) == [1, 2, 3]
        assert set(file) == {"x", "y"}
    with h5py.File(f"{point}/a", "r+") as file:
        file["x"][0] = 9
    with h5py.File(name=f"{point}/a", mode="r") as file:
        assert file["x"][0] == 9
    with pytest.raises(FileExistsError):
        h5py.File(f"{point}/a", "x")
    with pytest.raises(FileNotFoundError):
        h5py.File(f"{point}/none", "r")
    assert is_refused(h5py.File, f"{point}/new", "w", driver="core")


def test_lxml(point: str) -> None:
    needs("lxml")
    etree: Any = importlib.import_module("lxml.etree")
    root = etree.Element("a")
    etree.SubElement(root, "b").text = "text"
    etree.ElementTree(root).write(f"{point}/x", encoding="utf-8", xml_declaration=True)
    assert Path(point, "x").read_bytes().startswith(b"<?xml")
    tree = etree.parse(f"{point}/x")
    assert isinstance(tree, etree._ElementTree)
    assert tree.findtext("b") == "text"
    tree.getroot().append(etree.Element("c"))
    tree.write(Path(point, "x"))
    assert [element.tag for _, element in etree.iterparse(f"{point}/x")] == ["b", "c", "a"]
    with etree.xmlfile(f"{point}/y") as file, file.element("root"):
        file.write(root)
    assert etree.parse(f"{point}/y").getroot()[0].tag == "a"
    Path(point, "dtd").write_text("<!ELEMENT a ANY><!ELEMENT b ANY>", encoding="utf-8")
    assert not etree.DTD(f"{point}/dtd").validate(tree)
    with pytest.raises(OSError):
        etree.parse(f"{point}/none")


def test_openpyxl(point: str) -> None:
    openpyxl = needs("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["item", 12])
    book.save(f"{point}/book.xlsx")
    found = openpyxl.load_workbook(f"{point}/book.xlsx")
    assert [cell.value for cell in found.active[1]] == ["item", 12]


def test_duckdb(point: str) -> None:
    duckdb = needs("duckdb")
    Path(point, "c.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert is_refused(duckdb.connect, f"{point}/db")
    assert is_refused(duckdb.read_csv, f"{point}/c.csv")
    assert is_refused(duckdb.sql, f"SELECT * FROM '{point}/c.csv'")
    with duckdb.connect() as connection:
        plain = "SELECT 'a/b', '/', '/none/such', \"x/y\" FROM (SELECT 1 AS \"x/y\")"
        assert connection.sql(plain).fetchall() == [("a/b", "/", "/none/such", 1)]
        for query in (
            f"COPY (SELECT 1) TO '{point}/out.csv'",
            f"ATTACH '{point}/db'",
            f'SELECT * FROM "{point}/c.csv"',
        ):
            assert is_refused(connection.execute, query)
        assert is_refused(connection.sql("SELECT 1").write_csv, f"{point}/out.csv")
    with duckdb.connect(":memory:") as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_sockets(point: str) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        for address in (f"{point}/socket", f"{point}/socket".encode()):
            found = outcome(unix.bind, address)
            assert found[:2] == ("FileNotFoundError", errno.ENOENT)
        unix.bind(f"\0dmemfs-{os.urandom(8).hex()}")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))


def test_histories_of_readline(point: str) -> None:
    readline = needs("readline")
    readline.clear_history()
    Path(point, "history").write_text("line\n", encoding="utf-8")
    readline.read_history_file(f"{point}/history")
    assert readline.get_current_history_length() == 1
    assert is_refused(readline.write_history_file, f"{point}/history")
    assert is_refused(readline.append_history_file, 1, f"{point}/history")
    readline.clear_history()


def test_databases_of_c(point: str) -> None:
    gnu = needs("dbm.gnu")
    assert is_refused(gnu.open, f"{point}/db", "c")


def test_certificates(point: str) -> None:
    Path(point, "certificate").write_text("none", encoding="utf-8")
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLError):  # it was read, and is none
        context.load_cert_chain(f"{point}/certificate")
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain(f"{point}/none")


def test_what_is_passed_through_is_not_written(tmp_path: Path) -> None:
    pyarrow, etree = needs("pyarrow"), needs("lxml.etree")
    with mount(MemoryFileSystem(), "/", passthrough=[tmp_path]), socket.socket(1) as unix:
        for call in (
            lambda: pyarrow.OSFile(f"{tmp_path}/new", "wb"),
            lambda: etree.ElementTree(etree.Element("a")).write(f"{tmp_path}/new"),
            lambda: unix.bind(f"{tmp_path}/new"),
        ):
            with pytest.raises(OSError, match="Read-only file system"):
                call()
    assert os.listdir(tmp_path) == []


def test_links_lead_into_a_mount(tmp_path: Path) -> None:
    pandas, _ = needs("pandas"), needs("pyarrow")
    with mount(MemoryFileSystem(), tmp_path / "one"), mount(MemoryFileSystem(), tmp_path / "two"):
        os.symlink(f"{tmp_path}/two/frame", f"{tmp_path}/one/link")
        frame = pandas.DataFrame({"a": [1]})
        frame.to_parquet(f"{tmp_path}/one/link")
        assert pandas.read_parquet(f"{tmp_path}/two/frame").equals(frame)


def test_everything_is_put_back(tmp_path: Path) -> None:
    pyarrow, etree = needs("pyarrow"), needs("lxml.etree")
    before = (pyarrow.OSFile, etree.parse, vars(socket.socket).get("bind"), list(sys.meta_path))
    with mount(MemoryFileSystem(), tmp_path):
        assert pyarrow.OSFile is not before[0]
        kept = etree.parse
        assert pyarrow.lib.OSFile is pyarrow.OSFile
    after = (pyarrow.OSFile, etree.parse, vars(socket.socket).get("bind"), list(sys.meta_path))
    assert after == before
    (tmp_path / "x").write_text("<a/>", encoding="utf-8")
    assert type(kept(tmp_path / "x")) is etree._ElementTree


def test_copies_are_found_and_those_that_are_imported_meanwhile(tmp_path: Path) -> None:
    needs("polars"), needs("lxml")
    real = tmp_path / "real"
    real.mkdir()
    program = """
import os, sys
from lxml.etree import xmlfile
from dmemfs import MemoryFileSystem, mount
fs = MemoryFileSystem()
fs.makedirs(sys.argv[1])
assert "polars" not in sys.modules
with mount(fs, "/"):
    with xmlfile(sys.argv[1] + "/x") as file, file.element("a"):
        pass
    import polars
    from polars import read_csv
    assert type(polars.__spec__.loader).__module__.endswith("importlib_external")
    polars.DataFrame({"a": [1]}).write_csv(sys.argv[1] + "/c")
    assert read_csv(sys.argv[1] + "/c").shape == (1, 1)
    assert sorted(os.listdir(sys.argv[1])) == ["c", "x"]
assert os.listdir(sys.argv[1]) == []
polars.DataFrame({"a": [1]}).write_csv(sys.argv[1] + "/c")
assert read_csv(sys.argv[1] + "/c").shape == (1, 1)
"""
    command = [sys.executable, "-c", program, str(real)]
    done = subprocess.run(command, capture_output=True, timeout=50, cwd=PROJECT, text=True)
    assert done.returncode == 0, done.stderr
    assert os.listdir(real) == ["c"]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.module)
def test_each_function_of_the_table_is_there(library: Any) -> None:
    """In the versions that are installed, so that a new one that renames them is noticed."""
    module = needs(library.module)
    for text in library.functions.split():
        found: Any = module
        for name in text.partition(":")[0].split("."):
            found = getattr(found, name)
        assert callable(found)


def test_the_page_names_all_of_them() -> None:
    page = (PROJECT / "docs" / "mount.md").read_text(encoding="utf-8")
    section = page.partition("\n## Libraries in C\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    modules = {library.module.partition(".")[0] for library in LIBRARIES}
    assert named - {"dbm", "pandas"} == modules - {"_dbm", "_gdbm"}
