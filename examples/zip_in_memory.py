"""zipfile, tarfile and csv work on the files of a MemoryFileSystem, and no file is made on disk.

Reports are written with csv, packed into a ZIP archive and a compressed tar archive, and read back
from both. Every module gets file objects of the file system and uses them as it would use real
ones: it seeks in them, reads them line by line and writes text and bytes.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import zipfile
from pathlib import Path

# So that it runs from a checkout in which nothing was installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dmemfs import MemoryFileSystem

SALES = {
    "north": [("apples", 12), ("pears", 7)],
    "south": [("apples", 30), ("plums", 5)],
}


def write_reports(fs: MemoryFileSystem) -> None:
    """Write one CSV file for each region."""
    fs.mkdir("/reports")
    for region, rows in SALES.items():
        with fs.open(f"/reports/{region}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["item", "count"])
            writer.writerows(rows)


def pack_zip(fs: MemoryFileSystem) -> None:
    """Pack the reports into a ZIP archive."""
    with fs.open("/reports.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for path in fs.glob("/reports/*.csv"):
            name = path.lstrip("/")
            archive.writestr(name, fs.read_bytes(path), compress_type=zipfile.ZIP_DEFLATED)


def pack_tar(fs: MemoryFileSystem) -> None:
    """Pack the reports into a compressed tar archive."""
    with (
        fs.open("/reports.tar.gz", "wb") as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
    ):
        for path in fs.glob("/reports/*.csv"):
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = fs.stat(path).st_size
            with fs.open(path, "rb") as source:
                archive.addfile(member, source)


def add_up_zip(fs: MemoryFileSystem) -> int:
    """Return the sum of all counts, without unpacking the archive."""
    total = 0
    with fs.open("/reports.zip", "rb") as file, zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                rows = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))
                total += sum(int(row["count"]) for row in rows)
    return total


def unpack_tar(fs: MemoryFileSystem) -> None:
    """Unpack the tar archive into /copy, all of it or nothing."""
    contents = {}
    with (
        fs.open("/reports.tar.gz", "rb") as file,
        tarfile.open(fileobj=file, mode="r:gz") as archive,
    ):
        for member in archive:
            source = archive.extractfile(member)
            if source is not None:  # None for a directory
                contents[f"/copy/{member.name}"] = source.read()
    fs.import_tree(contents)


def main() -> None:
    """Pack, read back, and compare."""
    fs = MemoryFileSystem(max_quota=1_000_000)
    write_reports(fs)
    pack_zip(fs)
    pack_tar(fs)
    print("files:", *fs.glob("/**/*.*"))
    print("sum of the counts in the ZIP archive:", add_up_zip(fs))

    unpack_tar(fs)
    for path in fs.glob("/reports/*.csv"):
        assert fs.read_bytes(f"/copy{path}") == fs.read_bytes(path)
    with fs.open("/copy/reports/south.csv", encoding="utf-8", newline="") as file:
        print("south, from the tar archive:", *csv.reader(file))


if __name__ == "__main__":
    main()
