"""The sentence at the top of the panel leads from an empty scene to volumes."""

import pytest
from random_studies import make_study, make_study_of_images
from test_corrected_outline import give_model
from test_label_step import add_result, box, paint, suggest


@pytest.fixture
def window_size():
    return 480, 900


def said(panel):
    label = panel.ui.nextLabel
    assert label.isHidden() == (label.text == "")
    assert len(coloured(panel)) <= 1
    return label.text


def coloured(panel):
    """The names of the buttons in the colour of the one to press next."""
    import qt

    window = panel.ui.dataStep.window()
    return [one.objectName for one in window.findChildren(qt.QPushButton) if one.property("primary")]


def wait(panel, host):
    while panel.runner.busy or panel.logic.aside.busy:
        host.process_events(0.02)
    host.process_events(0.1)


def test_it_leads_from_nothing_to_a_study(panel, host, tmp_path):
    import slicer

    panel.refresh()
    assert said(panel).startswith("Next: Add ultrasound volumes") and "Load example" in said(panel)
    panel.ui.exampleButton.click()
    assert "please wait" in said(panel) and coloured(panel) == []
    wait(panel, host)
    assert said(panel) == "Next: Press Create study." and coloured(panel) == ["studyButton"]

    panel.parameters.organs = ""
    panel.refresh()
    assert "name yours" in said(panel)
    panel.ui.studyFolderEdit.currentPath = ""
    panel.refresh()
    assert said(panel) == "Next: Choose a folder in which the study is kept."
    panel.parameters.volumes = []
    panel.refresh()
    assert said(panel) == "Next: Tick the volumes that belong to your study."
    make_study(tmp_path / "study")
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "study")
    panel.refresh()
    assert said(panel) == "Next: Press Open study." and panel.ui.studyButton.text == "Open study"
    slicer.mrmlScene.Clear()


def test_it_leads_from_a_study_to_a_training(panel, host, tmp_path):
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study", load=False)
    assert said(panel) == f"Next: Press {panel.ui.studyButton.text} in step 1."
    panel.ui.studyButton.click()
    wait(panel, host)
    session = panel.session
    for case in session.cases():
        for labelled in session.labels.of(case).items():
            session.labels.of(case).remove(labelled.axis, labelled.index)
        session.labels.save(case, False)
    panel.refresh()
    assert said(panel) == "Next: Press Next slice in step 2." and "Next slice" in panel.ui.keepSliceButton.text

    suggest(panel, [(2, index) for index in range(5)])
    panel.ui.keepSliceButton.click()
    wait(panel, host)
    assert said(panel).startswith("Next: Paint each organ") and "Keep and next" in panel.ui.keepSliceButton.text
    for count in range(1, 5):
        paint(panel, 2, count - 1, box()[:, :, 0])
        panel.ui.keepSliceButton.click()
        panel.labels.saving.finish()
        wait(panel, host)
        panel.refresh()
        so_far = f"{count} of at least 4 slices {'is' if count == 1 else 'are'} labelled."
        assert count == 4 or said(panel) == f"Next: Paint this slice, too, and press Keep and next: {so_far}"
        assert panel.ui.trainButton.enabled and not panel.ui.trainStep.collapsed
        assert coloured(panel) == (["trainButton"] if count == 4 else ["keepSliceButton"])
    assert said(panel).startswith("Next: Press Train in step 3; or label more") and panel.ui.trainButton.text == "Train"


def test_with_a_model_it_leads_to_results_and_after_more_labels_back_to_training(panel, host, tmp_path, monkeypatch):
    make_study(tmp_path / "study")
    give_model(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    wait(panel, host)
    assert said(panel) == "Next: Segment volumes in step 4, under Segment other volumes."
    assert coloured(panel) == ["segmentButton"]
    monkeypatch.setattr(panel.measure, "done", lambda: True)
    panel.refresh()
    assert said(panel).startswith("Next: Look at the volumes in step 4, cautions first")
    assert coloured(panel) == ["reportButton"]

    monkeypatch.setattr(panel.session.training, "news", lambda: "labels")
    panel.refresh()
    assert said(panel) == f"Next: You have labelled or added more: press {panel.ui.trainButton.text} in step 3."
    assert coloured(panel) == ["trainButton"]


def test_a_slice_of_a_result_is_corrected_and_kept_before_anything_else(panel, host, tmp_path, monkeypatch):
    make_study(tmp_path / "study")
    give_model(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    wait(panel, host)
    monkeypatch.setattr(panel.session.training, "news", lambda: "labels")
    node = add_result(panel, box())
    panel.signals.correction_wanted.emit(node, 2, 3)
    wait(panel, host)
    assert said(panel) == "Next: Correct what is wrong in this slice, then press Keep and next."
    assert coloured(panel) == ["keepSliceButton"]

    panel.labels.show_slice(panel.labels.case, 2, 9)  # the user looks elsewhere
    wait(panel, host)
    assert coloured(panel) == ["trainButton"]
    panel.labels.show_slice(panel.labels.case, 2, 3)
    wait(panel, host)
    assert coloured(panel) == ["keepSliceButton"]
    panel.ui.keepSliceButton.click()
    wait(panel, host)
    assert coloured(panel) == ["trainButton"]


def test_results_of_images_are_areas(panel, host, tmp_path, monkeypatch):
    make_study_of_images(tmp_path / "study")
    give_model(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    wait(panel, host)
    monkeypatch.setattr(panel.measure, "done", lambda: True)
    panel.refresh()
    assert said(panel).startswith("Next: Look at the areas in step 4, cautions first: click a row to see its image")


def test_results_without_a_study_are_looked_at(panel, monkeypatch):
    monkeypatch.setattr(panel.measure, "done", lambda: True)
    panel.refresh()
    assert said(panel).startswith("Next: Look at the volumes in step 4")


def test_it_says_nothing_where_packages_are_missing(panel):
    panel.environment.missing = ["torch>=2.4"]
    panel.refresh()
    assert said(panel) == ""
