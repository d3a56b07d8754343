import os
import sys
import time

import pytest

from USLabelEfficientSegLib.training import processors
from USLabelEfficientSegLib.training.processors import SECONDS_BETWEEN_LOOKS, Processors, Usage, usage_here


class Computer:
    """Four processors; each `pass_` of time lets them work so many seconds a second."""

    def __init__(self, monkeypatch):
        self.now, self.busy, self.own = 0.0, 0.0, 0.0
        monkeypatch.setattr(processors.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(processors, "count", lambda: 4)

    def usage(self):
        return Usage(self.busy, 4 * self.now)

    def pass_(self, ours, others, seconds=SECONDS_BETWEEN_LOOKS):
        self.now += seconds
        self.own += ours * seconds
        self.busy += (ours + others) * seconds


@pytest.fixture
def computer(monkeypatch):
    return Computer(monkeypatch)


@pytest.mark.parametrize(
    ("ours", "others", "allowed"),
    [
        (1.0, 0.0, 4),
        (1.4, 0.2, 4),  # a second thread of ours, and what a desktop does
        (1.0, 1.0, 3),
        (2.0, 2.0, 2),
        (1.0, 3.0, 1),
        (0.5, 3.5, 1),
        (3.0, 1.0, 3),
    ],
)
def test_as_many_processes_as_processors_that_others_leave(computer, ours, others, allowed):
    watched = Processors(usage=computer.usage)
    assert watched.allowed(computer.own) == 1  # nothing is known yet

    computer.pass_(ours, others)

    assert watched.allowed(computer.own) == allowed


def test_it_looks_now_and_then(computer):
    watched = Processors(usage=computer.usage)
    watched.allowed(computer.own)
    computer.pass_(1.0, 0.0)
    assert watched.allowed(computer.own) == 4
    computer.pass_(1.0, 3.0, seconds=0.5)
    assert watched.allowed(computer.own) == 4
    computer.pass_(1.0, 3.0, seconds=SECONDS_BETWEEN_LOOKS)
    assert watched.allowed(computer.own) == 1


def test_no_more_than_asked_for(computer):
    watched = Processors(3, usage=computer.usage)
    watched.allowed(computer.own)
    computer.pass_(1.0, 0.0)
    assert watched.allowed(computer.own) == 3


def test_where_the_system_tells_nothing_there_is_one_process(computer):
    watched = Processors(usage=lambda: None)
    watched.allowed(computer.own)
    computer.pass_(1.0, 0.0)
    assert watched.allowed(computer.own) == 1


def test_this_computer_tells_how_busy_it_is():
    before, until = usage_here(), time.process_time() + 0.3
    assert before is not None
    while time.process_time() < until:
        pass
    after = usage_here()

    assert after is not None
    # In hundredths of a second, as the system counts: differences of large sums round.
    busy, passed = round(100 * (after.busy - before.busy)), round(100 * (after.all - before.all))
    assert busy >= 20
    assert passed >= busy


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_processors_of_others_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2}, raising=False)
    lines = ["cpu  9 9 9 9 9 9 9 9 0 0", "cpu0 9 9 9 9 9 9 9 9 0 0"]
    lines += ["cpu1 100 50 25 700 30 5 5 10 0 0", "cpu2 200 0 0 800 0 0 0 0 0 0", "intr 7"]
    (tmp_path / "stat").write_text("\n".join(lines))

    usage = processors._usage_on_linux(tmp_path / "stat")

    assert usage is not None
    assert (usage.busy, usage.all) == (pytest.approx(3.95), pytest.approx(19.25))
