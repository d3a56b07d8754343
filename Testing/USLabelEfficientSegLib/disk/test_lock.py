import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.disk.lock import StudyLock, holder_of
from USLabelEfficientSegLib.errors import InputError

HOLD = """
import sys, time
from pathlib import Path
from USLabelEfficientSegLib.disk.lock import StudyLock
with StudyLock(Path(sys.argv[1]), Path("prostate")):
    print("locked", flush=True)
    time.sleep(60)
"""
RACE = """
import sys
from pathlib import Path
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.disk.lock import StudyLock
counter, won = Path(sys.argv[2]), 0
while won < 50:
    try:
        with StudyLock(Path(sys.argv[1]), Path("prostate")):
            counter.write_text(str(int(counter.read_text()) + 1))
            won += 1
    except InputError:
        pass
"""


def run(program: str, *arguments: Path) -> "subprocess.Popen[str]":
    root = str(Path(USLabelEfficientSegLib.__file__).parent.parent)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root})


def test_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with run(HOLD, path) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        message = f"study prostate: is being written by process {process.pid} on host {socket.gethostname()}; wait"
        with pytest.raises(InputError, match=message), StudyLock(path, Path("prostate")):
            pass
        assert json.loads(path.read_text())["pid"] == process.pid, "the refused writer changed the lock"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with StudyLock(path, Path("prostate")):
            assert json.loads(path.read_text())["pid"] == os.getpid()


def test_lock_of_a_reused_process_number_is_taken_over(tmp_path: Path) -> None:
    # The process that wrote this died; its number now belongs to a living one, this test.
    (tmp_path / "lock").write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    with StudyLock(tmp_path / "lock", tmp_path):
        assert "since" in json.loads((tmp_path / "lock").read_text())


def test_lock_of_another_host_is_believed_until_deleted(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 12, "host": "gpu-server", "since": "2026-01-01T00:00:00+00:00"}))
    for _ in range(2):
        with pytest.raises(InputError, match=r"process 12 on host gpu-server.*or delete .*lock"):
            StudyLock(path, tmp_path).__enter__()
    path.unlink()
    with StudyLock(path, tmp_path):
        assert path.exists()


def test_one_process_does_not_lock_twice_and_frees_what_it_locked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        StudyLock(path, tmp_path),
        pytest.raises(InputError, match="is being written by process"),
        StudyLock(path, tmp_path),
    ):
        pass
    assert path.read_bytes() == b""
    with StudyLock(path, tmp_path):
        assert path.read_bytes() != b""


def test_torn_lock_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1')
    with StudyLock(tmp_path / "lock", tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_racing_writers_never_hold_the_lock_together(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    racers = [run(RACE, tmp_path / "lock", tmp_path / "counter") for _ in range(3)]
    for racer in racers:
        racer.communicate(timeout=60)
        assert racer.returncode == 0
    assert (tmp_path / "counter").read_text() == "150"


def test_who_holds_a_lock_is_told_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of(path) is None
    with run(HOLD, path) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        holder = holder_of(path)
        assert holder is not None and holder.pid == process.pid and holder.is_here
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert json.loads(path.read_text())["pid"] == process.pid, "a killed holder cannot empty the file"
    assert holder_of(path) is None
    with StudyLock(path, Path("prostate")):
        assert (me := holder_of(path)) is not None and me.pid == os.getpid()
    assert holder_of(path) is None


def test_a_holder_on_another_computer_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": "2026-01-01"}))

    holder = holder_of(path)

    assert holder is not None and holder.pid == 7 and not holder.is_here
