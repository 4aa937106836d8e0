"""Snapshots on S3: the same two calls, against a real S3 API served on this machine."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dmemfs_sqlite import SharedDatabase, SnapshotError, SnapshotStore, load_db, save_db
from tests.support.sqlite_databases import (
    check_alive,
    connect,
    content,
    everything,
    fill,
    marks,
)

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")

# The libraries between us and S3 have warnings of their own on new Pythons.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PATH = "bucket/deep/down/a.db"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    former = {name: os.environ.get(name) for name in credentials}
    os.environ.update(credentials)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    for name, value in former.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    gc.collect()


@pytest.fixture
def fs(endpoint: str) -> Iterator[Any]:
    fs = s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True)
    fs.mkdir("bucket")
    yield fs
    fs.rm("bucket", recursive=True)


def test_a_database_goes_there_and_comes_back(fs: Any) -> None:
    with closing(connect(":memory:")) as connection:
        everything(connection)
        size = save_db(fs, PATH, connection)
        save_db(fs, PATH, connection)
        expected = content(connection)
    assert fs.ls("bucket/deep/down", detail=False) == [PATH]
    assert fs.size(PATH) == size
    with closing(load_db(fs, PATH, ":memory:", check="full", isolation_level=None)) as copy:
        assert content(copy) == expected
        check_alive(copy)


def test_a_failed_upload_leaves_the_former_object(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(connect(":memory:")) as connection:
        fill(connection)
        save_db(fs, PATH, connection)
        connection.execute("DELETE FROM t")

        def fail(*_arguments: Any, **_options: Any) -> None:
            raise OSError("the network is gone")

        monkeypatch.setattr(fs, "mv", fail)
        with pytest.raises(OSError, match="network"):
            save_db(fs, PATH, connection)
    assert fs.ls("bucket/deep/down", detail=False, refresh=True) == [PATH]
    with closing(load_db(fs, PATH, ":memory:")) as copy:
        assert marks(copy) == {"row"}


def test_missing_and_damaged_objects_are_told_apart(fs: Any) -> None:
    with pytest.raises(FileNotFoundError):
        load_db(fs, PATH, ":memory:")
    fs.pipe(PATH, b"not a database")
    with pytest.raises(SnapshotError, match=PATH):
        load_db(fs, PATH, ":memory:")


def test_a_shared_database_lives_there(fs: Any) -> None:
    with SharedDatabase(fs, PATH) as shared:
        with closing(shared.connect()) as connection:
            connection.execute("CREATE TABLE t(b)")
            connection.execute("INSERT INTO t VALUES ('first row')")
            connection.commit()
        with closing(shared.connect()) as connection:
            assert marks(connection) == {"first"}


def test_versions_are_kept_there(fs: Any) -> None:
    store = SnapshotStore(fs, "bucket/versions", keep=2)
    assert store.versions() == []
    with closing(connect(":memory:")) as connection:
        fill(connection)
        saved = [store.save(connection, str(number)) for number in range(4)]
    assert store.versions() == saved[-2:]
    with closing(store.load("3", ":memory:")) as copy:
        assert marks(copy) == {"row"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_upload_in_parts_that_fails_at_any_call_leaves_nothing(
    endpoint: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = s3fs.S3FileSystem(
        endpoint_url=endpoint, skip_instance_cache=True, default_block_size=5 << 20
    )
    fs.mkdir("parts")
    calls, due = 0, 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == due:
            raise error("the network is gone")

    call, call_later = fs.call_s3, fs._call_s3

    def call_counted(*arguments: Any, **options: Any) -> Any:
        count()
        return call(*arguments, **options)

    async def call_later_counted(*arguments: Any, **options: Any) -> Any:
        if error is OSError:  # an interrupt comes in the thread that waits, and not in that of s3fs
            count()
        return await call_later(*arguments, **options)

    with closing(connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t(b)")
        connection.execute("INSERT INTO t VALUES ('former')")
        save_db(fs, "parts/a.db", connection)
        connection.execute("UPDATE t SET b = 'latter'")
        connection.execute("CREATE TABLE large AS SELECT randomblob(11 << 20)")
        monkeypatch.setattr(fs, "call_s3", call_counted)
        monkeypatch.setattr(fs, "_call_s3", call_later_counted)
        for due in range(1, 50):
            calls = 0
            try:
                save_db(fs, "parts/a.db", connection)
                raised = False
            except error:
                raised = True
            made, due = calls, 0
            fs.invalidate_cache()
            assert fs.ls("parts", detail=False, refresh=True) == ["parts/a.db"]
            assert fs.list_multipart_uploads("parts") == []
            with closing(load_db(fs, "parts/a.db", ":memory:")) as copy:
                assert marks(copy) == ({"former"} if raised else {"latter"})
            if not raised:
                break
        assert made >= 3
    monkeypatch.undo()
    fs.rm("parts", recursive=True)
