"""Every job that takes time has a bar and Cancel: making, opening and growing a study, and the next slice."""

from random_studies import make_study


def until(host, condition):
    for _ in range(3000):
        if condition():
            return
        host.process_events(0.01)
    raise AssertionError("nothing happened")


def is_shown(panel, name):
    return not getattr(panel.ui, name).isHidden()


def with_volumes(panel, host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import createSimulatedStudy
    from USLabelEfficientSegLib.slicer_side.nodes.ultrasound_nodes import ultrasound_nodes

    createSimulatedStudy(2)
    panel.parameters.volumes = ultrasound_nodes()
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "study")
    host.process_events(0.1)


def test_making_a_study_has_a_bar_and_is_cancelled(panel, host, tmp_path):
    from random_user import child_processes

    with_volumes(panel, host, tmp_path)
    assert not is_shown(panel, "dataJobRow")

    panel.ui.studyButton.click()
    until(host, lambda: panel.runner.job is not None and panel.runner.job.log is not None)
    assert is_shown(panel, "dataJobRow") and panel.ui.cancelDataButton.enabled
    assert panel.runner.job.progress >= 0.5  # the volumes are written
    panel.ui.cancelDataButton.click()
    until(host, lambda: not panel.runner.busy)

    assert panel.session is None and "was stopped" in panel.ui.dataStatus.text
    assert not is_shown(panel, "dataJobRow")
    until(host, lambda: not child_processes())
    assert not (tmp_path / "study").exists()


def test_loading_a_study_has_a_bar_and_is_cancelled(panel, host, tmp_path):
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    assert is_shown(panel, "dataJobRow") and panel.ui.cancelDataButton.enabled

    panel.ui.cancelDataButton.click()
    until(host, lambda: not panel.runner.busy)

    assert panel.runner.job.state == "cancelled" and not is_shown(panel, "dataJobRow")


def test_the_next_slice_is_looked_for_beside_another_job_with_a_bar_and_cancel(panel, host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    until(host, lambda: not panel.runner.busy)

    def steps(job):
        while True:
            yield

    panel.runner.start(Job("Training", steps, "train"))
    panel.session.resident.end()  # it needs some time to start
    panel.ui.nextSliceButton.click()
    assert is_shown(panel, "labelsJobRow") and not is_shown(panel, "dataJobRow")
    assert not panel.ui.nextSliceButton.enabled and "looked for" in panel.ui.nextSliceButton.toolTip
    panel.ui.cancelLabelsButton.click()
    until(host, lambda: not panel.logic.aside.busy)
    assert "was stopped" in panel.ui.labelsStatus.text and panel.runner.busy

    panel.ui.nextSliceButton.click()
    until(host, lambda: not panel.logic.aside.busy)

    assert panel.labels.case is not None and panel.labels.case in panel.ui.suggestionLabel.text
    assert not is_shown(panel, "labelsJobRow") and panel.runner.busy


def test_the_worker_ends_with_the_study_and_another_study_has_its_own(panel, host, tmp_path):
    from random_user import child_processes

    for name in ("a", "b"):
        make_study(tmp_path / name / "study")
        panel.data.open(tmp_path / name / "study")
        until(host, lambda: not panel.runner.busy)
        assert child_processes() == [panel.session.resident.pid]

    panel.close_study()
    assert child_processes() == []
    panel.data.open(tmp_path / "a" / "study")
    until(host, lambda: not panel.runner.busy)
    import slicer

    slicer.mrmlScene.Clear()
    host.process_events(0.1)
    assert panel.session is None and child_processes() == []


def test_a_training_that_ends_after_its_study_was_left_starts_no_worker(panel, host, tmp_path):
    """A script opens another study while one is trained: the end of the training would prepare the first one again."""
    from random_user import child_processes

    from USLabelEfficientSegLib.slicer_side.processes import study_jobs
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    for name in ("a", "b"):
        make_study(tmp_path / name / "study")
    panel.data.open(tmp_path / "a" / "study")
    until(host, lambda: not panel.runner.busy)
    first = panel.session
    job = Job("Training", lambda job: study_jobs.train(job, first, preset="no such preset"), "train")
    panel.runner.start(job)
    panel.logic.openStudy(tmp_path / "b" / "study")
    panel.session.prepare()
    until(host, lambda: not panel.runner.busy)

    assert job.state == "failed" and first.resident.pid is None
    assert child_processes() == [panel.session.resident.pid]
