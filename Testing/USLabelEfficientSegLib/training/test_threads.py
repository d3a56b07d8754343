import threading

import pytest

from USLabelEfficientSegLib.training.threads import in_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_their_items(threads):
    assert list(in_threads(lambda: threads, lambda item: 10 * item, range(7))) == [0, 10, 20, 30, 40, 50, 60]


def test_so_many_are_made_at_once_as_threads_are_allowed_then():
    allowed, both = iter([2, 2, 1]), threading.Barrier(2, timeout=60)

    def make(item):
        if item < 2:
            both.wait()  # ends only if two are made at once
        return item, threading.current_thread() is threading.main_thread()

    assert list(in_threads(lambda: next(allowed), make, range(3))) == [(0, False), (1, False), (2, True)]


def test_items_are_taken_when_it_is_their_turn_and_none_after_an_error():
    taken = []

    def items():
        for item in range(9):
            taken.append((item, threading.current_thread() is threading.main_thread()))
            yield item

    def fail(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(in_threads(lambda: 2, fail, items()))
    assert taken == [(0, True), (1, True), (2, True)]
