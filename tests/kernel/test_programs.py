"""Programs that are started while a file system is mounted see it, however they are started."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, materialize, mount
from dmemfs._mount.mount import process
from tests.support.kernel import TIMEOUT, require_kernel

POINT = "/dmemfs-programs"


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    """A file system that is mounted where nothing is, with a working directory in it."""
    require_kernel()
    filesystem = MemoryFileSystem.from_tree({"work": {"file": "text\n"}, "bin": {}})
    filesystem.write_text("/bin/tool", '#!/bin/sh\necho "$0 $*"\n')
    filesystem.chmod("/bin/tool", 0o755)
    with mount(filesystem, POINT, programs="kernel"):
        os.chdir(f"{POINT}/work")
        yield filesystem
    assert not [each for each in threading.enumerate() if each.name.startswith("dmemfs ")]
    filesystem._check()


def by_subprocess(command: str) -> Any:
    return subprocess.run(command, shell=True, timeout=TIMEOUT).returncode


def by_subprocess_with_open_descriptors(command: str) -> Any:
    return subprocess.run(["sh", "-c", command], close_fds=False, timeout=TIMEOUT).returncode


def by_path_with_open_descriptors(command: str) -> Any:
    """As `subprocess` does by posix_spawn."""
    return subprocess.run(["/bin/sh", "-c", command], close_fds=False, timeout=TIMEOUT).returncode


def by_preexec(command: str) -> Any:
    command = f"test $(umask) = 0077 && {command}"
    return subprocess.run(
        command, shell=True, preexec_fn=lambda: os.umask(0o77), timeout=TIMEOUT
    ).returncode


def by_popen(command: str) -> Any:
    stream = os.popen(command)
    stream.read()
    return os.waitstatus_to_exitcode(stream.close() or 0)


def by_spawn(command: str) -> Any:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ, setsigdef=[signal.SIGINT])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def by_spawnlp(command: str) -> Any:
    """By a fork, which has to find what the process has begun to show."""
    by_subprocess("true")
    return os.spawnlp(os.P_WAIT, "sh", "sh", "-c", command)


def by_asyncio(command: str) -> Any:
    async def run() -> Any:
        process = await asyncio.create_subprocess_shell(command)
        return await asyncio.wait_for(process.wait(), TIMEOUT)

    return asyncio.run(run())


def by_a_thread(command: str) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(by_subprocess(command)))
    thread.start()
    thread.join(TIMEOUT)
    return results[0]


WAYS: dict[str, Callable[[str], Any]] = {
    "subprocess": by_subprocess,
    "subprocess, descriptors open": by_subprocess_with_open_descriptors,
    "subprocess by posix_spawn": by_path_with_open_descriptors,
    "subprocess, preexec_fn": by_preexec,
    "os.system": lambda command: os.waitstatus_to_exitcode(os.system(command)),
    "os.popen": by_popen,
    "os.posix_spawn": by_spawn,
    "os.spawnlp": by_spawnlp,
    "asyncio": by_asyncio,
    "a thread": by_a_thread,
}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", WAYS)
def test_it_works_in_the_same_directory(fs: MemoryFileSystem, name: str) -> None:
    command = (
        f'test "$(pwd -P)" = {POINT}/work && read text < file && test "$text" = text '
        f"&& echo more >> {POINT}/work/file && echo new > other && test ! -e nothing"
    )
    assert WAYS[name](command) == 0
    assert Path("file").read_text(encoding="utf-8") == "text\nmore\n"
    assert fs.read_text("/work/other") == "new\n"
    assert WAYS[name]("exit 3") == 3
    assert not os.path.exists("/proc/self/cwd/file")
    assert POINT not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def run(*command: str, **options: Any) -> str:
    done: str = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, check=True, **options
    ).stdout
    return done


def test_programs_themselves_may_be_mounted(
    fs: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = f"{POINT}/bin/tool"
    assert run(tool, "a", "b") == f"{tool} a b\n"
    assert run("../bin/tool") == "../bin/tool \n"
    assert run("./tool", cwd=f"{POINT}/bin") == "./tool \n"
    assert run(tool, cwd="/") == f"{tool} \n"
    assert run(tool, close_fds=False) == f"{tool} \n"
    monkeypatch.setenv("PATH", f"{POINT}/bin:{os.environ['PATH']}")
    assert run("tool", "x") == f"{tool} x\n"
    Path(f"{POINT}/bin/true").write_bytes(Path("/bin/true").read_bytes())
    os.chmod(f"{POINT}/bin/true", 0o755)
    assert run(f"{POINT}/bin/true") == ""
    pid = os.posix_spawnp("tool", ["tool"], os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, f"{POINT}/work/said", os.O_WRONLY | os.O_CREAT, 0o600),
    ])  # fmt: skip
    assert os.waitpid(pid, 0)[1] == 0
    assert Path("said").read_text(encoding="utf-8") == f"{tool} \n"


def test_what_is_missing_is_missing(fs: MemoryFileSystem) -> None:
    for program in (f"{POINT}/none", "/none", "none"):
        for cwd in (f"{POINT}/work", None, "/"):
            with pytest.raises(FileNotFoundError) as caught:
                subprocess.run([program], cwd=cwd, timeout=TIMEOUT)
            assert caught.value.filename == program
    with pytest.raises(FileNotFoundError) as caught:
        subprocess.run(["true"], cwd=f"{POINT}/none", timeout=TIMEOUT)
    assert caught.value.filename == f"{POINT}/none"
    with pytest.raises(NotADirectoryError):
        subprocess.run(["true"], cwd=f"{POINT}/work/file", timeout=TIMEOUT)
    with pytest.raises(PermissionError):
        subprocess.run([f"{POINT}/work/file"], timeout=TIMEOUT)
    with pytest.raises(FileNotFoundError):
        os.posix_spawn(f"{POINT}/none", ["none"], {})
    with pytest.raises(ValueError, match="argv"):
        os.posix_spawn("/bin/true", [], {})


def test_what_a_program_gets_is_what_it_would_get(fs: MemoryFileSystem) -> None:
    """Descriptors, umask, masked signals, a new session."""
    with open("log", "wb") as log:
        subprocess.run(
            ["sh", "-c", "echo said; echo more >> said"], stdout=log, timeout=TIMEOUT, check=True
        )
    assert (fs.read_text("/work/log"), fs.read_text("/work/said")) == ("said\n", "more\n")
    former = os.umask(0o27)
    try:
        run("sh", "-c", "echo > masked; mkdir masked.d")
    finally:
        os.umask(former)
    assert fs.stat("/work/masked").st_mode & 0o777 == 0o640
    assert fs.stat("/work/masked.d").st_mode & 0o777 == 0o750
    read, write = os.pipe()
    os.set_inheritable(write, True)
    assert run("sh", "-c", f"echo x > /proc/self/fd/{write}", close_fds=False) == ""
    assert os.read(read, 9) == b"x\n"
    os.close(read)
    os.close(write)
    code = "import os, signal; print(os.getsid(0) == os.getpid(), signal.pthread_sigmask(0, []))"
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        said = run(sys.executable, "-I", "-S", "-c", code, start_new_session=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert said.startswith("True")
    assert "SIGUSR2" in said


def write(path: str) -> tuple[str, str]:
    Path(path).write_text("result", encoding="utf-8")
    return os.getcwd(), path


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_work_in_it(fs: MemoryFileSystem, method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        path = f"{POINT}/work/{method}"
        assert pool.submit(write, path).result(timeout=TIMEOUT) == (f"{POINT}/work", path)
    assert fs.read_text(f"/work/{method}") == "result"
    if method == "forkserver":  # its server would go on to see what this test has mounted
        from multiprocessing.forkserver import _forkserver

        _forkserver._stop()  # type: ignore[attr-defined]


def test_several_mounts(fs: MemoryFileSystem, tmp_path: Path) -> None:
    inner, other = MemoryFileSystem(), MemoryFileSystem()
    inner.write_text("/where", "inner")
    other.write_text("/where", "other")
    os.mkdir(f"{POINT}/inner")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "hidden").touch()
    assert run("ls", f"{POINT}/inner", f"{tmp_path}/there") != ""
    points = (f"{POINT}/inner", f"{tmp_path}/there", f"{tmp_path}/missing")
    with mount(inner, points[0]), mount(other, points[1]), mount(inner, points[2]):
        said = run("sh", "-c", "for i; do cat $i/where; ls $i; done", "sh", *points)
        assert said == "innerwhere\notherwhere\ninnerwhere\n"
        with mount(other, points[0]):
            assert run("cat", f"{points[0]}/where") == "other"
        assert run("cat", f"{points[0]}/where") == "inner"
        assert run("cat", f"{POINT}/work/file") == "text\n"
    assert run("ls", f"{tmp_path}/there") == "hidden\n"
    assert os.listdir(tmp_path) == ["there"]


def test_an_attached_file_system_is_seen(fs: MemoryFileSystem) -> None:
    outer, inner = MemoryFileSystem(), MemoryFileSystem()
    inner.write_text("/file", "attached")
    outer.mkdir("/at")
    outer.attach("/at", inner)
    with mount(outer, f"{POINT}-outer", programs="kernel"):
        assert run("cat", f"{POINT}-outer/at/file") == "attached"


def test_one_that_refuses_is_not_seen(fs: MemoryFileSystem) -> None:
    with mount(MemoryFileSystem(), f"{POINT}-refused", programs="refuse") as refused:
        with pytest.raises(OSError, match="only this process can see it") as caught:
            subprocess.run(["ls", refused], timeout=TIMEOUT)
        assert caught.value.errno == errno.ENOTSUP
        assert run("cat", f"{POINT}/work/file") == "text\n"


def test_real_copies_are_seen_too(fs: MemoryFileSystem) -> None:
    with materialize(f"{POINT}/work", write_back=True) as real:
        run("sh", "-c", "echo more >> file", cwd=real)
    assert fs.read_text("/work/file") == "text\nmore\n"


def test_a_mount_that_hides_real_copies_is_not_shown(fs: MemoryFileSystem) -> None:
    """Programs are given these."""
    other = MemoryFileSystem()
    other.write_text("/file", "")
    with mount(other, "/dev/shm"), materialize("/dev/shm/file") as real:
        assert real.startswith("/dev/shm")
        assert run("ls", real) == f"{real}\n"
        with pytest.raises(OSError, match="only this process can see it"):
            run("ls", "/dev/shm/file")


def test_an_isolated_process_starts_programs_outside(fs: MemoryFileSystem) -> None:
    with mount(MemoryFileSystem(), "/"):
        assert run("sh", "-c", f"cd /; test -e .{POINT} || echo none") == "none\n"
        with pytest.raises(OSError, match="materialize"):
            run("ls", f"{POINT}/work")
    assert run("ls", f"{POINT}/work") == "file\n"


def test_a_fork_has_a_copy_and_shows_that(fs: MemoryFileSystem) -> None:
    run("true")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            Path("mine").touch()
            os.write(write, run("ls").encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as stream:
        assert stream.read() == b"file\nmine\n"
    os.waitpid(pid, 0)
    assert run("ls") == "file\n"


def test_an_interrupt_leaves_no_program_behind(fs: MemoryFileSystem) -> None:
    """It comes while the program is being started."""
    from dmemfs._kernel.spawning import spawn

    run("true")
    children = set(_children())

    def interrupted(_: object) -> int:
        signal.raise_signal(signal.SIGINT)
        return spawn("/bin/sleep", ["sleep", "60"], os.environ)

    namespace = process.programs.namespace()
    with pytest.raises(KeyboardInterrupt):
        namespace.start(interrupted, "/", 0o22)
    assert set(_children()) <= children


def _children() -> list[str]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8")
    return text.split()


def test_a_word_that_says_no_way_is_refused() -> None:
    fs: Any = MemoryFileSystem()
    with pytest.raises(ValueError, match="'kernel'"):
        fs.mount("/mem", programs="fork")
    with pytest.raises(ValueError, match="below the root"):
        mount(fs, "/", programs="kernel")


def test_where_the_kernel_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told, by default in what is refused then."""
    from dmemfs._kernel import mounting

    def refuse() -> None:
        raise PermissionError(errno.EPERM, "no mounts for you")

    monkeypatch.setattr(mounting, "leave_namespace", refuse)
    fs = MemoryFileSystem()
    fs.write_text("/file", "")
    with mount(fs, POINT, programs="kernel"), pytest.raises(OSError, match="no mounts") as caught:
        subprocess.run(["true"], timeout=TIMEOUT)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOTSUP, POINT)
    with mount(fs, POINT):
        assert run("sh", "-c", f"cd /; test -e .{POINT} || echo none") == "none\n"
        with pytest.raises(OSError, match=r"no mounts for you.*materialize"):
            subprocess.run(["cat", f"{POINT}/file"], timeout=TIMEOUT)
