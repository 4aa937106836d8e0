"""Real signals at any moment: no lock is left held."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import dmemfs

ATTEMPTS = 300

# In a process of its own, since the timer may be that of the test runner here. The handler raises
# once and the work is bounded, so that an exception that is swallowed in a finaliser does no harm.
PROGRAM = """
import random, signal, sys, warnings
sys.path.insert(0, sys.argv[1])
import dmemfs
from dmemfs._mount.mount import process
from dmemfs._mutex import Mutex

warnings.simplefilter("ignore")
armed = False

class Alarm(Exception):
    pass

def ring(number, frame):
    global armed
    if armed:
        armed = False
        raise Alarm

def arm():
    global armed
    armed = True
    signal.setitimer(signal.ITIMER_REAL, choose.uniform(2e-5, 3e-4))

def disarm():
    global armed
    armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)

signal.signal(signal.SIGALRM, ring)
choose = random.Random(1)
fs = dmemfs.MemoryFileSystem(max_quota=1 << 24)
fs.write_bytes("/file", b"0" * 5000)
fs.makedirs("/tree/below")
node = fs._find("/file")
mutex = Mutex()

def whole_file():
    fs.write_bytes("/new", b"1" * 100)
    fs.read_bytes("/new")

def names():
    fs.rmtree("/names", ignore_errors=True)
    fs.makedirs("/names/1/2")
    fs.rename("/names/1", "/names/3")

def listing():
    list(fs.walk("/"))
    fs.scandir("/").close()

def attributes():
    fs.chmod("/file", 0o600)
    fs.utime("/file")
    fs.truncate("/file", 5000)

def handle():
    with fs.open("/file", "r+b", buffering=0) as file:
        file.write(b"2")
        file.readinto(bytearray(10))

def snapshot():
    with fs.snapshot() as kept:
        fs.write_bytes("/file", b"3" * 50)
        kept.exists("/file")
        fs.restore(kept)

def advisory():
    with fs.lock("/file", timeout=1):
        pass

def transfer():
    fs.import_tree({"/x": b"4"})
    fs.export_tree("/")

def quota():
    fs.usage("/tree")
    fs.set_quota("/tree", max_bytes=1000)

def table():
    process.descriptors.numbers_between(0, 10)

def nested():
    with mutex:
        with mutex:
            pass

def repeat(work):  # not in the `try`: CPython leaves the end of a loop out of it
    for _ in range(500):
        work()
        if not armed:
            break

held, rung = [], 0
for work in (
    *(whole_file, names, listing, attributes, handle, snapshot),
    *(advisory, transfer, quota, table, nested),
):
    for _ in range(int(sys.argv[2])):
        try:
            try:
                arm()
                repeat(work)
            finally:
                disarm()
        except Alarm:
            rung += 1
            disarm()
        for lock in (fs._lock, fs._locks._mutex, process.lock, process.descriptors._mutex, mutex):
            while lock._is_owned():
                held.append(work.__name__)
                lock.release()
    fs._check()
print(rung)
print(*sorted(set(held)))
"""


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="timers that raise signals: POSIX only"
)
def test_no_signal_leaves_a_lock_held() -> None:
    project = str(Path(dmemfs.__path__[0]).parent)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, project, str(ATTEMPTS)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rung, held = run.stdout.split("\n")[:2]
    assert int(rung) > ATTEMPTS, "the signals came too late"
    assert held == "", "it was held when the call was over"
