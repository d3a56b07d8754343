"""Events of a study become progress and loss curves."""

import shutil

from USLabelEfficientSegLib.slicer_side.steps.training_monitor import StageProgress, TrainingMonitor
from USLabelEfficientSegLib.study.events import EventLog


def curves(monitor):
    return {stage.name: stage.losses for stage in monitor.stages}


def current(monitor: TrainingMonitor) -> StageProgress:
    assert monitor.current is not None
    return monitor.current


def test_progress_and_losses_follow_the_events(tmp_path):
    log, monitor = EventLog(tmp_path / "events.jsonl"), TrainingMonitor(tmp_path / "events.jsonl")
    assert not monitor.update() and not monitor.started and monitor.current is None

    log.emit("reading volumes", 1, 1)
    log.emit("teacher", 1, 10, seconds_left=9.0, losses={"masked": 2.0})
    log.emit("teacher", 5, 10, seconds_left=5.0, losses={"masked": 1.0})

    assert monitor.update() and current(monitor).name == "teacher"
    assert (current(monitor).step, current(monitor).of, current(monitor).seconds_left) == (5, 10, 5.0)
    assert curves(monitor)["teacher"] == {"masked": ([1, 5], [2.0, 1.0])}
    assert not monitor.update() and not monitor.finished


def test_a_resumed_training_replaces_the_steps_that_it_repeats(tmp_path):
    log, monitor = EventLog(tmp_path / "events.jsonl"), TrainingMonitor(tmp_path / "events.jsonl")
    for step in (1, 4, 8):
        log.emit("teacher", step, 10, losses={"masked": float(step)})
    monitor.update()
    log.emit("reading volumes", 1, 1)
    log.emit("teacher", 5, 10, losses={"masked": 0.5})
    monitor.update()

    assert curves(monitor)["teacher"] == {"masked": ([1, 4, 5], [1.0, 4.0, 0.5])}


def test_a_stage_that_is_found_trained_keeps_its_curve(tmp_path):
    log, monitor = EventLog(tmp_path / "events.jsonl"), TrainingMonitor(tmp_path / "events.jsonl")
    log.emit("teacher", 10, 10, losses={"masked": 1.0})
    log.emit("finished", 1, 1)
    monitor.update()
    assert monitor.finished

    log.emit("reading volumes", 1, 1)
    monitor.update()
    assert not monitor.finished and not monitor.stages[0].done
    log.emit("teacher", 10, 10, message="already trained")
    monitor.update()

    assert monitor.stages[0].done and curves(monitor)["teacher"] == {"masked": ([10], [1.0])}


def test_a_training_from_scratch_starts_new_curves(tmp_path):
    log, monitor = EventLog(tmp_path / "run" / "events.jsonl"), TrainingMonitor(tmp_path / "run" / "events.jsonl")
    for step in range(1, 50):
        log.emit("teacher", step, 50, losses={"masked": 1.0})
    monitor.update()
    shutil.rmtree(tmp_path / "run")
    log.emit("teacher", 2, 50, seconds_left=8.0, losses={"masked": 3.0})
    log.emit("teacher", 3, 50, preview="preview/now.nrrd")
    monitor.update()

    assert curves(monitor) == {"teacher": {"masked": ([2], [3.0])}}
    assert (monitor.preview, monitor.previews) == ("preview/now.nrrd", 1)
    assert (current(monitor).step, current(monitor).seconds_left) == (3, 8.0)


def test_a_new_file_in_the_place_of_the_old_one_on_the_disk_starts_new_curves(tmp_path):
    log, monitor = EventLog(tmp_path / "events.jsonl"), TrainingMonitor(tmp_path / "events.jsonl")
    for step in (1, 2):
        log.emit("teacher", step, 50, losses={"masked": 1.0})
    monitor.update()
    (tmp_path / "events.jsonl").write_text("")  # the same inode, as a new file often gets
    for step in (7, 8, 9):
        log.emit("teacher", step, 50, losses={"masked": 3.0})
    monitor.update()

    assert curves(monitor) == {"teacher": {"masked": ([7, 8, 9], [3.0, 3.0, 3.0])}}


def test_a_training_that_continues_from_a_model_shows_its_own_stages_alone(tmp_path):
    log, monitor = EventLog(tmp_path / "events.jsonl"), TrainingMonitor(tmp_path / "events.jsonl")
    for stage in ("reading volumes", "slice head", "student 1.1", "finished"):
        log.emit(stage, 1, 1)
    monitor.update()
    log.emit("continuing", 1, 1)
    log.emit("reading volumes", 1, 1)
    log.emit("student continued.1", 1, 4)
    monitor.update()

    assert [stage.name for stage in monitor.stages] == ["continuing", "reading volumes", "student continued.1"]
    assert monitor.stages[0].done and not monitor.finished
