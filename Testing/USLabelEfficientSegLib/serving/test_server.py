"""A worker that stays: requests in, answers out, one end for each, and it never outlives who asks."""

import json
import subprocess
import sys
import threading
import time

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.serving.protocol import Cancel, Request, parsed

# Requests whose course the test decides: they wait for a file, fail, or print.
PROGRAM = """
import os, sys, time
from pathlib import Path
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.serving.protocol import Answers
from USLabelEfficientSegLib.serving.server import Server
from USLabelEfficientSegLib.text.counting import counted

def answer(verb, arguments, record):
    if verb == "refuse":
        raise InputError("volume a", "is empty", "load it again")
    if verb == "break":
        raise KeyError("a bug")
    if verb in ("wait", "prepare"):
        record({"began": verb})
        while not Path(arguments["for"]).exists():
            time.sleep(0.01)
    if verb == "stubborn":
        record({"began": verb})
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
    return {"items": list(counted(range(2), "counting"))}

Server(answer, Answers(sys.stdout)).serve(sys.stdin)
print("ended", file=sys.stderr)
"""


class Worker:
    """A server in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.hello = self.read()

    def read(self):
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def send(self, **message):
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, id, request, **arguments):
        self.send(id=id, request=request, **arguments)

    def until_end(self, id):
        """All that is told up to the end of a request."""
        told = [self.read()]
        while not ("end" in told[-1] and told[-1]["id"] == id):
            told.append(self.read())
        return told

    def close(self):
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def worker():
    worker = Worker()
    with worker.process:
        yield worker
        worker.process.kill()


def test_a_request_has_progress_a_result_and_one_end(worker):
    worker.ask(7, "count")

    assert worker.hello["protocol"] == 1 and worker.hello["pid"] == worker.process.pid
    assert worker.until_end(7) == [
        *({"id": 7, "progress": {"doing": "counting", "done": done, "of": 2}} for done in range(3)),
        {"id": 7, "end": "done", "result": {"items": [0, 1]}},
    ]


def test_a_failure_is_a_sentence_and_the_worker_goes_on(worker):
    worker.ask(1, "refuse")
    worker.ask(2, "break")
    worker.send(nonsense=True)
    worker.ask(3, "count")

    told = {answer["id"]: answer for answer in worker.until_end(3) if "end" in answer}
    assert told[1]["sentence"] == "volume a: is empty; load it again."
    assert told[2]["sentence"].startswith("calculation: failed by a fault of the program (KeyError: 'a bug'); report")
    assert 'has no "id" with a number' in told[None]["sentence"]
    assert told[3]["end"] == "done"


def test_a_running_and_a_waiting_request_are_cancelled_and_the_next_is_answered(worker, tmp_path):
    worker.ask(1, "wait", **{"for": str(tmp_path / "never")})
    worker.ask(2, "count")
    worker.ask(3, "count")
    assert worker.read() == {"id": 1, "record": {"began": "wait"}}

    worker.send(cancel=2)
    assert worker.until_end(2) == [{"id": 2, "end": "cancelled"}]  # it does not wait for the one before
    worker.send(cancel=1)

    assert worker.until_end(1) == [{"id": 1, "end": "cancelled"}]
    assert worker.until_end(3)[-1]["end"] == "done"
    worker.send(cancel=3)  # too late, and no matter
    worker.ask(4, "count")
    assert worker.until_end(4)[-1]["end"] == "done"


def test_what_is_prepared_gives_way_and_is_begun_again(worker, tmp_path):
    worker.ask(1, "prepare", **{"for": str(tmp_path / "go on")})
    worker.ask(2, "prepare", **{"for": str(tmp_path / "go on")})
    assert worker.read()["record"] == {"began": "prepare"}

    worker.ask(3, "count")

    assert worker.until_end(3)[-1]["end"] == "done"  # nothing is told of what gave way
    (tmp_path / "go on").write_text("")
    assert worker.until_end(2)[-1]["end"] == "done"
    assert worker.until_end(1)[-1]["end"] == "done"


@pytest.mark.parametrize("verb", [None, "wait", "stubborn"])
def test_it_ends_with_its_input_whatever_it_is_doing(worker, tmp_path, verb):
    if verb is not None:
        worker.ask(1, verb, **{"for": str(tmp_path / "never")})
        assert worker.read()["record"] == {"began": verb}

    assert worker.close() == 0


def test_cancelling_at_any_moment_leaves_each_request_one_end(worker):
    ends: list[tuple[int, str]] = []

    def read():
        while len(ends) < 60:
            answer = worker.read()
            if "end" in answer:
                ends.append((answer["id"], answer["end"]))

    reader = threading.Thread(target=read)
    reader.start()
    for id in range(60):
        worker.ask(id, "count")
        time.sleep(0.0005 * (id % 5))
        worker.send(cancel=id)
    reader.join(30)

    assert [id for id, _ in ends] == list(range(60))
    assert {end for _, end in ends} <= {"done", "cancelled"}


def test_lines_are_requests_or_cancels():
    assert parsed('{"id": 3, "request": "suggest", "count": 2}') == Request(3, "suggest", {"count": 2})
    assert parsed('{"cancel": 3}') == Cancel(3)


@pytest.mark.parametrize("line", ["", "[]", '{"id": "x", "request": "suggest"}', '{"id": 1}', '{"request": "suggest"'])
def test_other_lines_are_refused(line):
    with pytest.raises(InputError, match="request: "):
        parsed(line)
