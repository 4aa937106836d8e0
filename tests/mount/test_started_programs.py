"""Programs and worker processes that are started, and cannot see what is mounted."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, materialize, mount
from dmemfs._mount.stand_ins.processes import INSTEAD

TIMEOUT = 60


@pytest.fixture(params=["/", "/mem"])
def fs(request: pytest.FixtureRequest) -> Iterator[MemoryFileSystem]:
    """A file system at the root, or at a directory that is the working directory."""
    filesystem = MemoryFileSystem.from_tree({"repo": {"file": "text"}, "bin": {"tool": "#!"}})
    with mount(filesystem, request.param, programs="refuse"):
        os.chdir(request.param)
        yield filesystem


def by_subprocess(command: str) -> Any:
    return subprocess.run(command, shell=True, timeout=TIMEOUT).returncode


def by_popen(command: str) -> Any:
    with os.popen(command) as stream:
        stream.read()
    return stream.close() or 0


def by_spawn(command: str) -> Any:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", command], {})
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def by_spawnlp(command: str) -> Any:
    return os.spawnlp(os.P_WAIT, "sh", "sh", "-c", command)


def by_asyncio(command: str) -> Any:
    async def run() -> Any:
        process = await asyncio.create_subprocess_shell(command)
        return await asyncio.wait_for(process.wait(), TIMEOUT)

    return asyncio.run(run())


WAYS: dict[str, Callable[[str], Any]] = {
    "subprocess": by_subprocess,
    "os.system": lambda command: os.waitstatus_to_exitcode(os.system(command)),
    "os.popen": by_popen,
    "os.posix_spawn": by_spawn,
    "os.spawnlp": by_spawnlp,
    "asyncio": by_asyncio,
}


@pytest.mark.parametrize("name", WAYS)
def test_a_program_that_is_given_no_mounted_path_runs(fs: MemoryFileSystem, name: str) -> None:
    cwd = os.getcwd()
    assert WAYS[name](f'test "$(pwd -P)" = {INSTEAD}') == 0
    assert os.getcwd() == cwd
    assert os.path.exists("repo/file")


@pytest.mark.parametrize("name", ["subprocess", "os.system", "os.posix_spawn"])
def test_one_that_is_given_one_is_refused_with_the_way_out(fs: MemoryFileSystem, name: str) -> None:
    path = os.path.abspath("repo/file")
    for word in (path, f"--file={path}", "repo/file", os.path.abspath("repo/new")):
        with pytest.raises(
            OSError, match=r"with dmemfs\.materialize\(.*, write_back=True\)"
        ) as caught:
            WAYS[name](f"cat {word} > /dev/null")
        assert caught.value.errno == errno.ENOTSUP


def test_the_way_out_works(fs: MemoryFileSystem) -> None:
    repository = os.path.abspath("repo")
    with pytest.raises(OSError, match="write_back"):
        subprocess.run(["sh", "-c", "true"], cwd=repository, timeout=TIMEOUT)
    with materialize(repository, write_back=True) as real:
        subprocess.run(["sh", "-c", "echo more > other"], cwd=real, timeout=TIMEOUT, check=True)
    assert fs.read_text("/repo/other") == "more\n"


def test_a_program_that_is_missing_is_missing(fs: MemoryFileSystem) -> None:
    here = os.getcwd()
    for program in (f"{here.rstrip('/')}/no-such", "/no/such/program", "no-such-program"):
        for cwd in (here, None):
            with pytest.raises(FileNotFoundError):
                subprocess.run([program], cwd=cwd, timeout=TIMEOUT)
    with pytest.raises(OSError, match="cannot be run"):
        subprocess.run([os.path.abspath("bin/tool")], timeout=TIMEOUT)


def write(path: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text("result", encoding="utf-8")
    return path


def work(pool: ProcessPoolExecutor, function: Any, *arguments: Any) -> Any:
    return pool.submit(function, *arguments).result(timeout=TIMEOUT)


def test_a_spawned_worker_never_writes_to_the_real_disk(tmp_path: Path) -> None:
    point = f"{tmp_path}/mounted"
    context = multiprocessing.get_context("spawn")
    with (
        mount(MemoryFileSystem(), point, programs="refuse"),
        ProcessPoolExecutor(1, mp_context=context) as pool,
    ):
        with pytest.raises(OSError, match="materialize") as caught:
            work(pool, write, f"{point}/out/result")
        assert caught.value.errno == errno.ENOTSUP
        assert work(pool, write, f"{tmp_path}/real/result")
        os.mkdir(f"{point}/out")
        with materialize(f"{point}/out", write_back=True) as real:
            work(pool, write, f"{real}/result")
        assert os.listdir(f"{point}/out") == ["result"]
    assert os.listdir(tmp_path) == ["real"]


def test_spawned_workers_in_isolation(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    passthrough = [Path(__file__).parents[2]]
    with (
        mount(MemoryFileSystem(), "/", passthrough=passthrough),
        ProcessPoolExecutor(1, mp_context=context) as pool,
    ):
        assert work(pool, abs, -1) == 1
        with pytest.raises(OSError, match="materialize"):
            work(pool, write, f"{tmp_path}/result")
        os.mkdir("/out")
        with materialize("/out", write_back=True) as real:
            work(pool, write, f"{real}/result")
        assert os.listdir("/out") == ["result"]
    assert os.listdir(tmp_path) == []


def test_a_manager_in_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    # That of an earlier test may be gone by now.
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    monkeypatch.delitem(config, "tempdir", raising=False)
    context: Any = multiprocessing.get_context("fork")
    with mount(MemoryFileSystem(), "/"), context.Manager() as manager:
        assert dict(manager.dict(a=1)) == {"a": 1}
