import json
import math
import os
from pathlib import Path

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.events import (
    Event,
    EventLog,
    EventReader,
    read_events,
    training_seconds,
)


def test_events_are_read_as_written_and_heard(tmp_path: Path) -> None:
    heard: list[Event] = []
    log = EventLog(tmp_path / "run" / "events.jsonl")
    log.listen(heard.append)
    log.emit("teacher", 1, 10, seconds_left=9.0, losses={"dino": 4.5}, preview="run/Vorschau ü.png")
    log.emit("teacher", 10, 10, message="fertig, größer")
    assert read_events(log.path) == heard
    assert heard[0].losses == {"dino": 4.5} and heard[0].preview == "run/Vorschau ü.png"
    assert heard[1].seconds_left is None and heard[1].message == "fertig, größer"
    assert all(isinstance(json.loads(line), dict) for line in log.path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_torn_last_line_is_ignored_and_spoils_no_later_line(tmp_path: Path, cut: int) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.emit("a", 1, 3)
    log.emit("a", 2, 3)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    assert [event.step for event in read_events(log.path)] == [1]
    log.emit("a", 3, 3)
    steps = [event.step for event in read_events(log.path)]
    assert steps == ([1, 2, 3] if cut == 1 else [1, 3])  # without its newline alone, the line is whole


def test_follower_gets_each_event_once_and_waits_for_whole_lines(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    reader = EventReader(log.path)
    assert reader.new_events() == []
    log.emit("a", 1, 3)
    assert [event.step for event in reader.new_events()] == [1]
    assert reader.new_events() == []
    log.emit("a", 2, 3)
    data = log.path.read_bytes()
    log.path.write_bytes(data[:-10])
    assert reader.new_events() == []
    log.path.write_bytes(data)
    assert [event.step for event in reader.new_events()] == [2]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_numbers_are_refused(tmp_path: Path, value: float) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(ValueError, match="stage a, step 1: dice is"):
        log.emit("a", 1, 2, losses={"dice": value})
    with pytest.raises(ValueError, match="seconds_left"):
        log.emit("a", 1, 2, seconds_left=value)
    assert not log.path.exists()


def test_partial_write_on_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.emit("a", 1, 3)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
        with pytest.raises(InputError, match="disk is full"):
            log.emit("a", 2, 3)
    log.emit("a", 3, 3)
    assert [event.step for event in read_events(log.path)] == [1, 3]


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff\xfe\x93binary",
        b"[" * 100_000,
        b"[]",
        b'"text"',
        b'{"stage": "a", "step": 1}',
        b'{"stage": "a", "step": "1", "of": 3}',
        b'{"stage": "a", "step": true, "of": 3}',
        b'{"stage": "a", "step": -1, "of": 3}',
        b'{"stage": "a", "step": 1.5, "of": 3}',
        b'{"stage": 7, "step": 1, "of": 3}',
        b'{"stage": "a", "step": 1, "of": 3, "time": NaN}',
        b'{"stage": "a", "step": 1, "of": 3, "time": 1e400}',
        b'{"stage": "a", "step": 1, "of": 3, "seconds_left": Infinity}',
        b'{"stage": "a", "step": 1, "of": 3, "seconds_left": -5}',
        b'{"stage": "a", "step": 1, "of": 3, "losses": {"dice": "low"}}',
        b'{"stage": "a", "step": 1, "of": 3, "losses": [1]}',
        b'{"stage": "a", "step": 1, "of": 3, "message": 4}',
        b'{"stage": "a", "step": 1, "of": 3, "preview": "../../secret.nrrd"}',
        b'{"stage": "a", "step": 1, "of": 3, "preview": "/etc/passwd"}',
        b'{"stage": "a", "step": 1, "of": 3, "preview": {}}',
        b'{"stage": "a", "step": 1, "of": 3, "message": 0}',
        b'{"stage": "a\\ud800", "step": 1, "of": 3}',
        b'{"stage": "' + b"a" * 3_000_000 + b'", "step": 1, "of": 3}',
    ],
)
def test_what_is_no_event_is_passed_over_and_what_follows_is_read(tmp_path: Path, line: bytes) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.emit("a", 1, 3)
    with log.path.open("ab") as file:
        file.write(line + b"\n")
    log.emit("a", 2, 3)
    assert [event.step for event in read_events(log.path)] == [1, 2]


def test_a_long_file_is_followed_in_pieces(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.emit("a", 0, 1)
    reader = EventReader(log.path)
    line = log.path.read_bytes()
    log.path.write_bytes(line * 20_000)
    assert len(line) * 20_000 > 2 * 2**20
    assert len(reader.new_events()) == 20_000
    log.emit("a", 1, 1)
    assert [event.step for event in reader.new_events()] == [1]


@pytest.mark.parametrize("stage", ["reading volumes", "reading images"])
def test_the_night_between_two_starts_is_no_training_time(stage: str) -> None:
    """A training of 100 s, stopped and taken up a day later for 100 s."""
    day = 86_400.0
    events = [
        Event(stage, 1, 2, time=0.0), Event(stage, 2, 2, time=20.0), Event("divergence", 5, 9, time=100.0),
        Event(stage, 1, 2, time=day), Event(stage, 2, 2, time=day + 20), Event("finished", 1, 1, time=day + 100),
    ]  # fmt: skip
    assert training_seconds(events) == 200.0


def test_the_nights_before_each_of_several_stops_are_no_training_time() -> None:
    """Three starts of 100 s each, and of volumes one that continues from the model days later."""
    events = [
        event
        for start in (0.0, 90_000.0, 200_000.0)
        for event in (
            Event("reading volumes", 1, 2, time=start), Event("reading volumes", 2, 2, time=start + 20),
            Event("student 1.1", 5, 9, time=start + 60), Event("labels alone 1", 5, 9, time=start + 100),
        )
    ]  # fmt: skip
    continued = [
        Event("continuing", 1, 1, time=500_000.0), Event("reading volumes", 1, 2, time=500_000.0),
        Event("student continued.1", 2, 2, time=500_070.0), Event("finished", 1, 1, time=500_100.0),
    ]  # fmt: skip

    assert training_seconds(events) == 300.0
    assert training_seconds([*events, *continued]) == 400.0


def test_a_start_that_says_first_that_labels_have_changed_is_a_start() -> None:
    events = [
        Event("reading images", 1, 1, time=0.0), Event("divergence", 9, 9, time=50.0),
        Event("reading images", 0, 1, time=5000.0, message="labels or images have changed"),
        Event("reading images", 1, 1, time=5001.0), Event("divergence", 9, 9, time=5031.0),
    ]  # fmt: skip
    assert training_seconds(events) == 80.0


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    assert (
        training_seconds([Event("a", 1, 3, time=50.0), Event("a", 2, 3, time=20.0), Event("a", 3, 3, time=25.0)]) == 5.0
    )


def test_events_of_a_study_that_was_moved_make_no_ghost_of_it(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    log = EventLog(tmp_path / "study" / "run" / "events.jsonl")
    log.emit("a", 1, 3)
    os.rename(tmp_path / "study", tmp_path / "moved")
    with pytest.raises(InputError, match="was moved, renamed or removed"):
        log.emit("a", 2, 3)
    assert not (tmp_path / "study").exists()
