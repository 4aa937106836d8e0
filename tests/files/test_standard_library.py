"""Modules of the standard library that are handed our file objects, unchanged."""

from __future__ import annotations

import bz2
import codecs
import configparser
import csv
import dbm.dumb
import email
import email.generator
import email.message
import fileinput
import gzip
import hashlib
import io
import json
import linecache
import logging
import lzma
import marshal
import mmap
import os
import pickle
import pickletools
import plistlib
import random
import selectors
import shelve
import shutil
import struct
import tarfile
import tempfile
import tokenize
import wave
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.comparison import outcome

BLOCK = 64 * 1024
SOME_BYTES = random.Random(20).randbytes(3 * BLOCK + 77)


class Picklable:
    """Something that pickles its large buffer out of band."""

    def __init__(self, data: bytearray) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol >= 5:
            return Picklable, (pickle.PickleBuffer(self.data),)
        return Picklable, (bytes(self.data),)


class TestZip:
    @pytest.mark.parametrize(
        "compression",
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    )
    def test_written_and_read(self, fs: Any, compression: int) -> None:
        with (
            fs.open("/archive.zip", "wb") as file,
            zipfile.ZipFile(file, "w", compression) as archive,
        ):
            archive.writestr("one.txt", "text")
            archive.writestr("directory/two.bin", SOME_BYTES)
            with archive.open("streamed", "w") as member:
                member.write(b"stream" * 1000)
        with fs.open("/archive.zip", "rb") as file:
            assert zipfile.is_zipfile(file)
            with zipfile.ZipFile(file) as archive:
                assert archive.testzip() is None
                assert archive.read("directory/two.bin") == SOME_BYTES
                with archive.open("streamed") as member:
                    member.seek(6)
                    assert member.read(6) == b"stream"
                assert archive.namelist() == ["one.txt", "directory/two.bin", "streamed"]

    def test_appending(self, fs: Any) -> None:
        with fs.open("/archive.zip", "w+b") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("one", "1")
            with zipfile.ZipFile(file, "a") as archive:
                archive.writestr("two", "2")
        with fs.open("/archive.zip", "rb") as file, zipfile.ZipFile(file) as archive:
            assert archive.namelist() == ["one", "two"]

    def test_members_read_in_turn(self, fs: Any) -> None:
        with fs.open("/archive.zip", "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a", b"a" * 100_000)
                archive.writestr("b", b"b" * 100_000)
            with (
                zipfile.ZipFile(file) as archive,
                archive.open("a") as one,
                archive.open("b") as two,
            ):
                for _ in range(10):
                    assert one.read(10_000) == b"a" * 10_000
                    assert two.read(10_000) == b"b" * 10_000

    def test_garbage(self, fs: Any) -> None:
        fs.write_bytes("/garbage", SOME_BYTES)
        with fs.open("/garbage", "rb") as file:
            assert not zipfile.is_zipfile(file)
            with pytest.raises(zipfile.BadZipFile):
                zipfile.ZipFile(file)


class TestTar:
    @pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
    @pytest.mark.parametrize("separator", [":", "|"], ids=["seekable", "stream"])
    def test_written_and_read(self, fs: Any, separator: str, kind: str) -> None:
        write_mode: Any = f"w{separator}{kind}"
        read_mode: Any = f"r{separator}*"
        members = {"one": b"1", "directory/two": SOME_BYTES}
        with (
            fs.open("/archive.tar", "wb") as file,
            tarfile.open(fileobj=file, mode=write_mode) as archive,
        ):
            for name, content in members.items():
                information = tarfile.TarInfo(name)
                information.size = len(content)
                archive.addfile(information, io.BytesIO(content))
        with (
            fs.open("/archive.tar", "rb") as file,
            tarfile.open(fileobj=file, mode=read_mode) as archive,
        ):
            found = {}
            for member in archive:
                extracted = archive.extractfile(member)
                assert extracted is not None
                found[member.name] = extracted.read()
        assert found == members

    def test_members_from_our_files(self, fs: Any) -> None:
        fs.write_bytes("/source", SOME_BYTES)
        with (
            fs.open("/source", "rb") as source,
            fs.open("/archive.tar", "w+b") as file,
        ):
            with tarfile.open(fileobj=file, mode="w") as archive:
                information = tarfile.TarInfo("member")
                information.size = len(SOME_BYTES)
                archive.addfile(information, source)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                extracted = archive.extractfile("member")
                assert extracted is not None
                assert extracted.read() == SOME_BYTES

    def test_appending(self, fs: Any) -> None:
        with fs.open("/archive.tar", "w+b") as file:
            modes: dict[str, Any] = {"one": "w", "two": "a"}
            for name, mode in modes.items():
                file.seek(0)
                with tarfile.open(fileobj=file, mode=mode) as archive:
                    archive.addfile(tarfile.TarInfo(name))
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                assert archive.getnames() == ["one", "two"]


class TestCompression:
    @pytest.mark.parametrize(
        "kind", [gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile], ids=["gzip", "bz2", "lzma"]
    )
    def test_written_and_read(self, fs: Any, kind: Any) -> None:
        with fs.open("/file", "wb") as file:
            compressor = (
                kind(fileobj=file, mode="wb") if kind is gzip.GzipFile else kind(file, "wb")
            )
            with compressor:
                compressor.write(SOME_BYTES)
                compressor.write(b"line\n" * 100)
        with fs.open("/file", "rb") as file:
            decompressor = kind(fileobj=file) if kind is gzip.GzipFile else kind(file)
            with decompressor:
                assert decompressor.read(len(SOME_BYTES)) == SOME_BYTES
                assert list(decompressor) == [b"line\n"] * 100
                decompressor.seek(10)
                assert decompressor.read(5) == SOME_BYTES[10:15]

    @pytest.mark.parametrize("module", [gzip, bz2, lzma])
    def test_text(self, fs: Any, module: Any) -> None:
        with (
            fs.open("/file", "wb") as file,
            module.open(file, "wt", encoding="utf-8") as text,
        ):
            text.write("ä line\n" * 1000)
        with fs.open("/file", "rb") as file, module.open(file, "rt", encoding="utf-8") as text:
            assert text.readlines() == ["ä line\n"] * 1000

    def test_gzip_members_one_after_the_other(self, fs: Any) -> None:
        for word in (b"one", b"two"):
            with fs.open("/file", "ab") as file, gzip.open(file, "wb") as member:
                member.write(word)
        with fs.open("/file", "rb") as file, gzip.open(file) as members:
            assert members.read() == b"onetwo"

    def test_gzip_takes_the_name_of_the_file(self, fs: Any) -> None:
        with fs.open("/name.gz", "wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as member:
            assert member.name == "/name.gz"

    def test_truncated_gzip(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            with gzip.open(file, "wb") as member:
                member.write(SOME_BYTES)
            file.truncate(1000)
            file.seek(0)
            with gzip.open(file) as member, pytest.raises(EOFError):
                member.read()


class TestText:
    def test_csv(self, fs: Any) -> None:
        rows = [["plain", "with, comma"], ['with "quotes"', "with\nnewline"], ["ä", "€"]]
        with fs.open("/file.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        with fs.open("/file.csv", newline="", encoding="utf-8") as file:
            assert list(csv.reader(file)) == rows
        assert fs.read_bytes("/file.csv").count(b"\r\n") == 3

    def test_csv_dictionaries(self, fs: Any) -> None:
        with fs.open("/file.csv", "w+", newline="") as file:
            writer = csv.DictWriter(file, ["a", "b"])
            writer.writeheader()
            writer.writerow({"a": 1, "b": 2})
            file.seek(0)
            assert list(csv.DictReader(file)) == [{"a": "1", "b": "2"}]

    @pytest.mark.parametrize("mode", ["r", "rb"])
    def test_json(self, fs: Any, mode: str) -> None:
        data = {"numbers": list(range(1000)), "text": "äöü", "none": None}
        with fs.open("/file.json", "w") as file:
            json.dump(data, file, indent=1)
        with fs.open("/file.json", mode) as file:
            assert json.load(file) == data

    def test_configparser(self, fs: Any) -> None:
        written = configparser.ConfigParser()
        written["section"] = {"key": "value"}
        with fs.open("/file.ini", "w") as file:
            written.write(file)
        read = configparser.ConfigParser()
        with fs.open("/file.ini") as file:
            read.read_file(file)
        assert read["section"]["key"] == "value"

    def test_print_and_logging(self, fs: Any) -> None:
        logger = logging.getLogger("tests.standard_library")
        logger.propagate = False
        with fs.open("/log", "a", buffering=1) as file:
            handler = logging.StreamHandler(file)
            logger.addHandler(handler)
            try:
                logger.error("message %d", 5)
                print("printed", file=file, flush=True)
            finally:
                logger.removeHandler(handler)
            assert fs.read_bytes("/log") == b"message 5\nprinted\n"

    def test_tokenize(self, fs: Any) -> None:
        fs.write_bytes("/module.py", b"# coding: latin-1\nname = '\xe4'\n")
        with fs.open("/module.py", "rb") as file:
            tokens = [token.string for token in tokenize.tokenize(file.readline)]
        assert "'ä'" in tokens
        assert tokens[0] == "iso-8859-1"

    def test_text_wrapper_over_a_binary_file(self, fs: Any) -> None:
        with io.TextIOWrapper(fs.open("/file", "wb"), encoding="utf-16", newline="\r\n") as text:
            text.write("one\ntwo\n")
        with io.TextIOWrapper(fs.open("/file", "rb"), encoding="utf-16") as text:
            assert text.readline() == "one\n"
            cookie = text.tell()
            assert text.read() == "two\n"
            text.seek(cookie)
            assert text.read() == "two\n"
        with io.TextIOWrapper(fs.open("/file", "r+b"), encoding="utf-16") as text:
            text.seek(0, io.SEEK_END)
            text.write("three")
            text.seek(0)
            assert text.read() == "one\ntwo\nthree"

    def test_codecs_reader(self, fs: Any) -> None:
        fs.write_bytes("/file", "zwei\nÄpfel\n".encode("utf-16"))
        with fs.open("/file", "rb") as file:
            assert codecs.getreader("utf-16")(file).read() == "zwei\nÄpfel\n"

    def test_fileinput_hook(self, fs: Any) -> None:
        fs.write_bytes("/one", b"1\n2\n")
        fs.write_bytes("/two", b"3\n")

        def open_ours(name: Any, mode: str, **options: Any) -> Any:
            return fs.open(name, mode, **options)

        with fileinput.input(["/one", "/two"], openhook=open_ours) as lines:
            assert [line.rstrip() for line in lines] == ["1", "2", "3"]


class TestObjects:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("python_only", [False, True], ids=["C", "Python"])
    def test_pickle(self, fs: Any, python_only: bool, protocol: int) -> None:
        objects = [
            {"list": list(range(2000)), "text": "ä" * 1000},
            bytearray(b"b" * 200_000),
            [b"bytes" * 40_000, ("nested", {1, 2})],
        ]
        pickler = pickle._Pickler if python_only else pickle.Pickler
        unpickler = pickle._Unpickler if python_only else pickle.Unpickler
        with fs.open("/file", "wb") as file:
            for element in objects:
                pickler(file, protocol).dump(element)
            file.write(b"not a pickle")
        with fs.open("/file", "rb") as file:
            assert [unpickler(file).load() for _ in objects] == objects
            # An unpickler must leave the position right behind the object.
            assert file.read() == b"not a pickle"

    def test_pickle_out_of_band(self, fs: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        original = Picklable(bytearray(SOME_BYTES))
        with fs.open("/object", "wb") as file, fs.open("/buffer", "wb") as data:
            pickle.dump(original, file, protocol=5, buffer_callback=buffers.append)
            for buffer in buffers:
                data.write(buffer.raw())
                data.write(buffer)
        assert fs.read_bytes("/buffer") == SOME_BYTES * 2
        with fs.open("/object", "rb") as file:
            restored = pickle.load(file, buffers=[bytearray(SOME_BYTES)])
            assert restored.data == SOME_BYTES

    def test_pickletools(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            pickle.dump([1, 2, 3], file)
            file.seek(0)
            names = [opcode.name for opcode, _, _ in pickletools.genops(file)]
        assert names[-1] == "STOP"

    def test_marshal(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            marshal.dump({"a": [1, 2.5, None]}, file)
            marshal.dump("second", file)
            file.seek(0)
            assert marshal.load(file) == {"a": [1, 2.5, None]}
            assert marshal.load(file) == "second"

    def test_plist_and_xml(self, fs: Any) -> None:
        with fs.open("/file.plist", "w+b") as file:
            plistlib.dump({"key": [1, b"data"]}, file)
            file.seek(0)
            assert plistlib.load(file) == {"key": [1, b"data"]}
        tree = ElementTree.ElementTree(ElementTree.fromstring("<a><b>text</b></a>"))
        with fs.open("/file.xml", "w+b") as file:
            tree.write(file, encoding="utf-8")
            file.seek(0)
            assert ElementTree.parse(file).getroot()[0].text == "text"

    def test_email(self, fs: Any) -> None:
        message = email.message.EmailMessage()
        message["Subject"] = "Überschrift"
        message.set_content("Text\n")
        with fs.open("/mail", "wb") as file:
            email.generator.BytesGenerator(file).flatten(message)
        with fs.open("/mail", "rb") as file:
            assert "berschrift" in str(email.message_from_binary_file(file)["Subject"])

    def test_struct_records(self, fs: Any) -> None:
        record = struct.Struct("<I8s")
        with fs.open("/records", "w+b") as file:
            for number in range(1000):
                file.write(record.pack(number, b"%08d" % number))
            for number in (999, 0, 500):
                file.seek(number * record.size)
                assert record.unpack(file.read(record.size)) == (number, b"%08d" % number)
                file.seek(number * record.size)
                file.write(record.pack(number, b"changed!"))
            file.seek(500 * record.size + 4)
            assert file.read(8) == b"changed!"

    def test_hashlib_file_digest(self, fs: Any) -> None:
        fs.write_bytes("/file", SOME_BYTES)
        expected = hashlib.sha256(SOME_BYTES).hexdigest()
        with fs.open("/file", "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == expected
        with fs.open("/file", "rb", buffering=0) as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == expected


class TestDumbDatabase:
    """The access pattern of dbm.dumb and shelve: seek, write in place, append, reread."""

    @pytest.fixture
    def database(self, fs: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
        class Opener:
            open = staticmethod(fs.open)

        class FileFunctions:
            """Only what dbm.dumb asks of os."""

            fsencode = staticmethod(os.fsencode)
            unlink = staticmethod(fs.remove)
            rename = staticmethod(fs.rename)
            chmod = staticmethod(fs.chmod)

        # dbm.dumb keeps them as globals, and once more for a commit while the interpreter ends.
        for holder in (dbm.dumb, dbm.dumb._Database):
            monkeypatch.setattr(holder, "_io", Opener)
            monkeypatch.setattr(holder, "_os", FileFunctions)
        return lambda: dbm.dumb.open("/database", "c")

    def test_shelf(self, database: Callable[[], Any]) -> None:
        def open_shelf() -> shelve.Shelf[Any]:
            return shelve.Shelf(database())

        with open_shelf() as shelf:
            for number in range(100):
                shelf[f"key {number}"] = {"number": number, "padding": "x" * number * 10}
            shelf["key 5"] = "shorter"
            shelf["key 6"] = "longer" * 1000
            del shelf["key 7"]
            shelf.sync()
        with open_shelf() as shelf:
            assert len(shelf) == 99
            assert shelf["key 5"] == "shorter"
            assert shelf["key 6"] == "longer" * 1000
            assert shelf["key 99"] == {"number": 99, "padding": "x" * 990}
            assert "key 7" not in shelf


class TestMedia:
    def test_wave(self, fs: Any) -> None:
        frames = SOME_BYTES[:20_000]
        with fs.open("/file.wav", "wb") as file:
            with wave.open(file, "wb") as sound:
                sound.setnchannels(2)
                sound.setsampwidth(2)
                sound.setframerate(8000)
                for start in range(0, len(frames), 1000):
                    sound.writeframes(frames[start : start + 1000])
            assert not file.closed
        with fs.open("/file.wav", "rb") as file, wave.open(file, "rb") as sound:
            assert sound.getnframes() == 5000
            assert sound.readframes(5000) == frames
            sound.setpos(100)
            assert sound.readframes(1) == frames[400:404]


class TestCopying:
    @pytest.mark.parametrize("length", [0, 1, 1000, -1])
    def test_copyfileobj(self, fs: Any, length: int) -> None:
        content = SOME_BYTES if length != 1 else SOME_BYTES[:3000]
        fs.write_bytes("/source", content)
        with fs.open("/source", "rb") as source, fs.open("/target", "wb") as target:
            shutil.copyfileobj(source, target, length)
        assert fs.read_bytes("/target") == content

    def test_copyfileobj_to_and_from_a_real_file(self, fs: Any) -> None:
        with tempfile.TemporaryFile() as real:
            fs.write_bytes("/file", SOME_BYTES)
            with fs.open("/file", "rb") as source:
                shutil.copyfileobj(source, real)
            real.seek(0)
            with fs.open("/back", "wb") as target:
                shutil.copyfileobj(real, target)
        assert fs.read_bytes("/back") == SOME_BYTES

    def test_copyfileobj_of_text(self, fs: Any) -> None:
        fs.write_bytes("/source", "ä\n".encode() * 10_000)
        with (
            fs.open("/source", encoding="utf-8") as source,
            fs.open("/target", "w", encoding="utf-16-le") as target,
        ):
            shutil.copyfileobj(source, target)
        assert fs.read_bytes("/target") == ("ä\n" * 10_000).encode("utf-16-le")

    def test_buffered_classes_over_ours(self, fs: Any) -> None:
        fs.write_bytes("/file", SOME_BYTES)
        with io.BufferedReader(fs.open("/file", "rb", buffering=0), 100) as reader:
            assert reader.peek(10)[:10] == SOME_BYTES[:10]
            assert reader.read(1000) == SOME_BYTES[:1000]
        with io.BufferedRWPair(
            fs.open("/file", "rb", buffering=0), fs.open("/other", "wb", buffering=0)
        ) as pair:
            pair.write(pair.read(500))
        assert fs.read_bytes("/other") == SOME_BYTES[:500]


class TestRefused:
    """What needs a descriptor says that there is none."""

    def test_mmap(self, memory: Any) -> None:
        memory.write_bytes("/file", b"content")
        with memory.open("/file", "rb") as file, pytest.raises(io.UnsupportedOperation):
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def test_selectors(self, memory: Any) -> None:
        with (
            memory.open("/file", "wb") as file,
            selectors.SelectSelector() as selector,
            pytest.raises(ValueError),
        ):
            selector.register(file, selectors.EVENT_READ)

    def test_standard_library_takes_the_path_without_descriptors(self, memory: Any) -> None:
        # shutil asks for fileno() to call sendfile, and must find the slower way.
        memory.write_bytes("/file", SOME_BYTES)
        with memory.open("/file", "rb") as file, tempfile.TemporaryFile() as real:
            assert outcome(file.fileno)[0] == "UnsupportedOperation"
            shutil.copyfileobj(file, real)
            assert real.tell() == len(SOME_BYTES)

    def test_linecache_stays_out(self, memory: Any) -> None:
        memory.write_bytes("/nowhere_on_the_disk.py", b"line\n")
        assert linecache.getline("/nowhere_on_the_disk.py", 1) == ""
