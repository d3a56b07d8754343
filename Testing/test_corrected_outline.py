"""In a trained study the outline while one paints is the model's, corrected by the slices that are labelled."""

import numpy as np
import pytest
from random_user import make_study
from test_label_step import add_result, box, labelled, paint, painted, suggest
from test_live_outline import answered, outlines, until, with_labels, without_labels

SLICES = 16


@pytest.fixture
def window_size():
    return 480, 900


@pytest.fixture
def study(panel, host, tmp_path):
    """A study of two volumes, the first with labelled slices, whose model has learnt nothing, is open."""
    make_study(tmp_path / "study")
    give_model(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    until(host, lambda: not panel.runner.busy)
    return tmp_path / "study"


def give_model(study):
    """A model with random weights: any correction is one for the better."""
    import torch

    from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME, run_file
    from USLabelEfficientSegLib.segmentation.model import SegmentationModel
    from USLabelEfficientSegLib.student.build import StudentDesign, build_student

    torch.manual_seed(0)
    design = StudentDesign(network="u-net", classes=3, spacing=(4.0, 4.0, 4.0), slice_axis=2, widths=(8, 8, 8))
    model = SegmentationModel((build_student(design),), design, ("organ A", "organ B"), 32, 32, 0.25, ())
    run_file(study, MODEL_NAME).parent.mkdir(exist_ok=True)
    model.save(run_file(study, MODEL_NAME))


def agreement(panel, tmp_path, case):
    """The share of a volume's voxels in which the outline shows what is truly there."""
    from USLabelEfficientSegLib.imaging.files import read_label_map
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import labelMapFromSegmentation

    session, name = panel.session, panel.session.cases()[case]
    found = labelMapFromSegmentation(outlines()[0], session.volumeNode(name), session.organs())
    truth = read_label_map(tmp_path / "sources" / "labels" / f"{name}.nrrd").voxels
    return float((found == truth).mean())


def test_a_kept_slice_corrects_what_the_model_finds(panel, study, host, tmp_path):
    from USLabelEfficientSegLib.imaging.files import read_label_map

    _, other = with_labels(panel)
    name = panel.session.cases()[other]
    truth = read_label_map(tmp_path / "sources" / "labels" / f"{name}.nrrd").voxels
    panel.labels.show_volume(name)
    answered(panel, host)
    assert "(light line, by the model)." in panel.ui.outlineLabel.text
    before = agreement(panel, tmp_path, other)

    panel.labels.show_slice(name, 2, SLICES // 2)
    paint(panel, 2, SLICES // 2, truth[:, :, SLICES // 2], other)
    suggest(panel, [(2, SLICES // 2 + 2)], other)
    panel.ui.keepSliceButton.click()
    answered(panel, host)

    assert "by the model and 1 labelled slice)." in panel.ui.outlineLabel.text and " ml" in panel.ui.outlineLabel.text
    assert agreement(panel, tmp_path, other) > before + 0.1


def test_the_next_slice_begins_with_the_corrected_outline_and_not_with_an_older_result(panel, study, host):
    case, _ = with_labels(panel)
    add_result(panel, box(), case)
    place, after = without_labels(study, case)[6:8]
    suggest(panel, [place, after], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)

    begun = painted(panel, place[0], place[1], case)
    assert begun.any() and not np.array_equal(begun, box()[:, :, place[1]])
    assert "The model's outline is painted" in panel.ui.suggestionLabel.text and place not in labelled(study, case)


@pytest.mark.parametrize("outline", [True, False])
def test_a_slice_of_a_result_begins_with_the_result_where_no_label_corrects_it(panel, study, host, outline):
    case, other = with_labels(panel)
    if not outline:
        panel.ui.outlineCheckBox.click()
    for which in (case, other):
        node = add_result(panel, box(), which)
        axis, index = without_labels(study, which)[6]
        panel.signals.correction_wanted.emit(node, axis, index)
        answered(panel, host)
        begun = painted(panel, axis, index, which)
        is_the_result = np.array_equal(begun, box()[:, :, index])
        # Without a label, or without the outline, there is nothing better than the result.
        assert begun.any() and is_the_result == (which == other or not outline)
