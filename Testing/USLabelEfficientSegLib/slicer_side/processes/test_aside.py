"""Work beside the event loop: in another thread, its result and its errors in this one."""

import threading

import pytest


@pytest.fixture
def aside(host):
    from USLabelEfficientSegLib.slicer_side.processes.aside import aside

    return aside


def finished(steps):
    """The number of steps, and what they return."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return count, end.value
        count += 1


def test_steps_go_on_until_the_function_returns(aside):
    may_end = threading.Event()
    steps = aside(lambda: may_end.wait(10) and threading.current_thread())
    for _ in range(3):
        next(steps)
    may_end.set()

    _, thread = finished(steps)

    assert thread is not threading.main_thread() and not thread.is_alive()


def test_what_takes_no_time_takes_no_step(aside):
    assert finished(aside(lambda: 7)) == (0, 7)


def test_an_error_is_raised_where_the_steps_are_done(aside):
    with pytest.raises(ZeroDivisionError):
        finished(aside(lambda: 1 / 0))


def test_steps_that_are_closed_go_on_without_a_thread_that_does_not_end(aside):
    may_end = threading.Event()
    steps = aside(may_end.wait)
    thread = next(steps)

    steps.close()

    assert thread.is_alive()
    may_end.set()
    thread.join()


def test_steps_that_are_closed_wait_for_the_end(aside):
    may_end, done = threading.Event(), threading.Event()

    def work():
        may_end.wait(10)
        done.set()

    steps = aside(work)
    next(steps)
    threading.Timer(0.05, may_end.set).start()

    steps.close()

    assert done.is_set()
