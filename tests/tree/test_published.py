"""Names of file systems: who has one is found by it, and a name keeps nobody."""

from __future__ import annotations

import errno
import gc
import os
import threading

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._published import name_of

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def test_a_published_file_system_is_found_by_its_name() -> None:
    fs = MemoryFileSystem()
    fs.publish("found-by_name.1")
    assert MemoryFileSystem.published("found-by_name.1") is fs


def test_a_file_system_may_have_several_names() -> None:
    fs = MemoryFileSystem()
    fs.publish("first")
    fs.publish("second")
    assert MemoryFileSystem.published("first") is MemoryFileSystem.published("second") is fs
    assert name_of(fs) == "first"
    fs.unpublish("first")
    assert name_of(fs) == "second"


def test_a_second_call_does_nothing() -> None:
    fs = MemoryFileSystem()
    fs.publish("twice")
    fs.publish("twice")
    fs.unpublish("twice")
    assert name_of(fs) is None


def test_two_have_not_the_same_name() -> None:
    first, second = MemoryFileSystem(), MemoryFileSystem()
    first.publish("taken")
    with pytest.raises(FileExistsError, match="unpublish") as caught:
        second.publish("taken")
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, "taken")
    assert MemoryFileSystem.published("taken") is first
    first.unpublish("taken")
    second.publish("taken")
    assert MemoryFileSystem.published("taken") is second


def test_a_name_that_nobody_has_is_not_found() -> None:
    with pytest.raises(FileNotFoundError, match=r"publish\(\)") as caught:
        MemoryFileSystem.published("nobody")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "nobody")


def test_a_name_is_taken_from_who_has_it_only() -> None:
    first, second = MemoryFileSystem(), MemoryFileSystem()
    first.publish("mine")
    for name in ("mine", "nobody"):
        with pytest.raises(FileNotFoundError) as caught:
            second.unpublish(name)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, name)
    assert MemoryFileSystem.published("mine") is first


def test_a_name_does_not_keep_its_file_system() -> None:
    MemoryFileSystem().publish("dropped")
    gc.collect()
    with pytest.raises(FileNotFoundError):
        MemoryFileSystem.published("dropped")
    fs = MemoryFileSystem()
    fs.publish("dropped")
    assert MemoryFileSystem.published("dropped") is fs


def test_closing_sets_the_name_free() -> None:
    closed, following = MemoryFileSystem(), MemoryFileSystem()
    closed.publish("closed")
    closed.close()
    with pytest.raises(FileNotFoundError):
        MemoryFileSystem.published("closed")
    following.publish("closed")
    assert MemoryFileSystem.published("closed") is following


def test_a_clone_has_no_name() -> None:
    fs = MemoryFileSystem()
    fs.publish("original")
    assert name_of(fs.clone()) is None


def test_faults_do_not_change_who_is_found() -> None:
    fs = MemoryFileSystem()
    fs.publish("faulty")
    with fs.fail("read", "*", errno.EIO):
        assert MemoryFileSystem.published("faulty") is fs


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "-v", "a b", "a:b", "a*", "a\n", "a\0"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    fs = MemoryFileSystem()
    for call in (fs.publish, fs.unpublish, MemoryFileSystem.published):
        with pytest.raises(ValueError, match="name must be letters"):
            call(name)


def test_a_name_is_text() -> None:
    fs = MemoryFileSystem()
    for call in (fs.publish, fs.unpublish, MemoryFileSystem.published):
        with pytest.raises(TypeError, match="name must be str, not bytes"):
            call(b"name")  # type: ignore[arg-type]


def test_of_many_threads_one_gets_the_name() -> None:
    candidates = [MemoryFileSystem() for _ in range(8)]
    together = threading.Barrier(len(candidates), timeout=30)
    refused: list[MemoryFileSystem] = []

    def publish(fs: MemoryFileSystem) -> None:
        together.wait()
        try:
            fs.publish("wanted")
        except FileExistsError:
            refused.append(fs)

    threads = [threading.Thread(target=publish, args=(fs,)) for fs in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == len(candidates) - 1
    assert MemoryFileSystem.published("wanted") not in refused


@needs_fork
def test_a_forked_process_finds_its_own_copy() -> None:
    fs = MemoryFileSystem()
    fs.publish("forked")
    child = os.fork()
    if not child:
        try:
            MemoryFileSystem.published("forked").write_bytes("/child", b"x")
            another = MemoryFileSystem()
            another.publish("another")  # nobody has left the registry locked
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert fs.listdir("/") == []
