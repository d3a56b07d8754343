import time

import pytest

from USLabelEfficientSegLib.benchmark.clock import Stopwatch, read_minutes, stopwatch


def test_time_adds_up_over_runs_also_when_one_is_broken_off(tmp_path):
    path = tmp_path / "minutes.json"
    assert read_minutes(path) == (0.0, 0.0)
    with stopwatch(path):
        time.sleep(0.06)
    first = 60 * read_minutes(path)[0]
    with pytest.raises(KeyError), stopwatch(path):
        time.sleep(0.06)
        raise KeyError
    second = 60 * read_minutes(path)[0]

    assert first >= 0.06 and first + 0.06 <= second


def test_a_pause_does_not_count_and_the_time_before_it_is_kept(tmp_path):
    path = tmp_path / "minutes.json"
    with stopwatch(path) as watch:
        time.sleep(0.05)
        with watch.paused():
            kept, before = 60 * read_minutes(path)[0], time.monotonic()
            time.sleep(0.4)
            paused = time.monotonic() - before
        seconds = watch.seconds

    assert kept >= 0.05
    assert kept <= seconds < kept + paused / 2


def test_the_time_is_not_written_more_often_than_asked_for(tmp_path):
    path = tmp_path / "minutes.json"
    watch = Stopwatch(path)
    watch.keep(at_most_every=1000.0)
    assert not path.exists()
    watch.keep()
    assert path.exists()
