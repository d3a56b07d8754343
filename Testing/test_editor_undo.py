"""Undo of Slicer's Segment Editor, Ctrl+Z: what is drawn is taken back, what was kept or begun is not."""

import numpy as np
import pytest
from slicer_host.hands import press
from test_label_step import box, labelled, paint, painted, suggest
from test_live_outline import answered, outlines, until, with_labels, without_labels
from test_live_outline import study as study
from test_live_outline import window_size as window_size


@pytest.fixture
def undo(panel, host):
    """Presses the keys of undo, or of redo, in Slicer's window."""
    import slicer

    window = slicer.util.mainWindow()
    window.show()

    def pressed(keys="Ctrl+Z"):
        press(keys, window)
        answered(panel, host)

    return pressed


def stroke(panel, place, labels, case):
    """What an effect of the editor does with a slice."""
    panel.labels.editor.saveStateForUndo()
    paint(panel, place[0], place[1], labels, case)


def test_the_outline_of_a_stroke_goes_and_comes_with_it(panel, study, host, undo):
    _, other = with_labels(panel)
    panel.labels.show_slice(panel.session.cases()[other], 2, 8)
    answered(panel, host)
    drawn = box()[:, :, 8]
    stroke(panel, (2, 8), drawn, other)
    answered(panel, host)
    assert outlines() and "what you have drawn" in panel.ui.outlineLabel.text

    undo()
    assert not painted(panel, 2, 8, other).any() and not outlines() and panel.ui.outlineLabel.text == ""
    undo("Ctrl+Y")
    np.testing.assert_array_equal(painted(panel, 2, 8, other), drawn)
    assert outlines()


def test_a_stroke_on_a_label_that_is_taken_back_is_taken_back_on_disk(panel, study, host, undo):
    case, _ = with_labels(panel)
    place, before = next(iter(labelled(study, case).items()))
    panel.labels.show_slice(panel.session.cases()[case], *place)
    answered(panel, host)
    corrected = before.copy()
    corrected[:3, :3] = 2
    stroke(panel, place, corrected, case)
    until(host, lambda: np.array_equal(labelled(study, case)[place], corrected))

    undo()
    np.testing.assert_array_equal(painted(panel, place[0], place[1], case), before)
    until(host, lambda: np.array_equal(labelled(study, case)[place], before))


def test_with_many_labels_a_stroke_that_is_taken_back_out_of_sight_is_kept_so_a_moment_later(
    panel, study, host, undo, monkeypatch
):
    from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
    from USLabelEfficientSegLib.slicer_side.session import study_labels

    monkeypatch.setattr(study_labels, "_FEW", 0)  # more are many: not all are read after a stroke
    panel.labels.saving._timer.setInterval(10**7)  # that saves all
    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    (place, before), other = next(iter(labelled(study, case).items())), without_labels(study, case)[-1]
    panel.labels.show_slice(name, *place)
    answered(panel, host)
    corrected = before.copy()
    corrected[:3, :3] = 2
    stroke(panel, place, corrected, case)
    host.process_events(0.1)
    kept = LabelledSlice(*place)
    np.testing.assert_array_equal(panel.session.labels._latest[name][kept], corrected)

    panel.labels.show_slice(name, *other)
    undo()
    host.process_events(0.1)
    np.testing.assert_array_equal(panel.session.labels._latest[name][kept], before)


def test_a_kept_label_and_the_outline_that_the_next_slice_begins_with_stay(panel, study, host, undo):
    case, _ = with_labels(panel)
    place, after = without_labels(study, case)[6:8]
    suggest(panel, [place, after], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)
    drawn = box()[:, :, place[1]]
    stroke(panel, place, drawn, case)
    answered(panel, host)
    panel.ui.keepSliceButton.click()
    answered(panel, host)
    begun = painted(panel, after[0], after[1], case)
    assert begun.any()

    undo()
    np.testing.assert_array_equal(painted(panel, place[0], place[1], case), drawn)
    np.testing.assert_array_equal(painted(panel, after[0], after[1], case), begun)
    until(host, lambda: np.array_equal(labelled(study, case).get(place), drawn))

    own = begun.copy()
    own[0, 0] = 2
    stroke(panel, after, own, case)
    answered(panel, host)
    undo()
    np.testing.assert_array_equal(painted(panel, after[0], after[1], case), begun)  # what was drawn on it alone


def test_the_colour_of_an_organ_is_no_stroke(panel, study, host, monkeypatch):
    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    panel.labels.show_volume(name)
    answered(panel, host)
    noted: list[str] = []
    monkeypatch.setattr(panel.labels.saving, "note_stroke", noted.append)

    panel.session.labels.of(name).segmentationNode.GetSegmentation().GetNthSegment(0).SetColor(0.1, 0.2, 0.3)
    host.process_events(0.1)
    assert noted == []


def test_what_is_drawn_and_not_kept_counts_also_while_another_slice_is_begun(panel, study, host):
    _, other = with_labels(panel)
    name = panel.session.cases()[other]
    panel.labels.show_slice(name, 2, 8)
    paint(panel, 2, 8, box()[:, :, 8], other)
    answered(panel, host)
    assert outlines()

    panel.labels.show_slice(name, 2, 10)
    host.hands.click(panel.ui.outlineSliceButton)
    answered(panel, host)
    assert outlines() and "what you have drawn and not kept" in panel.ui.outlineLabel.text
    assert painted(panel, 2, 10, other).any() and labelled(study, other) == {}
