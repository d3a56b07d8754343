"""Effects of the Segment Editor have Slicer's defaults, and the Scissors cut as deep as these say."""

import numpy as np
import pytest

from slicer_host.segment_editor_effects import cut

SHAPE = (6, 5, 4)


@pytest.fixture
def editor(host):
    """An editor with a segment that fills its volume."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(volume, np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE).T)
    segmentation = segmentationFromLabelMap(np.ones(SHAPE, np.uint8), volume, organsNamed(["organ"]), "labels")
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setSegmentationNode(segmentation)
    widget.setSourceVolumeNode(volume)
    return widget


def left(editor):
    """(I, J, K) what is left of the segment."""
    import slicer

    segmentation, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, editor.currentSegmentID(), volume).T


def corner(axis):
    """A region of the slice across an axis that is drawn around."""
    inside = np.zeros(np.delete(SHAPE, axis), dtype=bool)
    inside[:2, :3] = True
    return inside


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scissors_cut_through_all_slices_unless_they_are_told_otherwise(editor, axis):
    cut(editor, axis, 2, corner(axis))

    assert not np.moveaxis(left(editor), axis, 0)[:, corner(axis)].any()
    assert np.moveaxis(left(editor), axis, 0)[:, ~corner(axis)].all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_symmetric_scissors_of_no_depth_cut_the_slice_that_is_shown(editor, axis):
    editor.setActiveEffectByName("Scissors")
    editor.activeEffect().setParameter("SliceCutMode", "Symmetric")

    cut(editor, axis, 2, corner(axis))

    slices = np.moveaxis(left(editor), axis, 0)
    assert not slices[2, corner(axis)].any()
    assert slices.sum() == np.prod(SHAPE) - corner(axis).sum()


def test_a_parameter_that_an_effect_does_not_have_is_refused(editor):
    effect = editor.effectByName("Scissors")

    with pytest.raises(KeyError, match="SliceDepth"):
        effect.setParameter("SliceDepth", 1)
    with pytest.raises(KeyError, match="SliceDepth"):
        effect.parameter("SliceDepth")


def test_the_navigator_of_terminologies_gives_what_its_user_chooses(host):
    import slicer

    from slicer_host.terminology_selector import choose
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed

    entry, navigator = slicer.vtkSlicerTerminologyEntry(), slicer.qSlicerTerminologyNavigatorWidget()
    assert not navigator.terminologyEntry(entry)

    choose(navigator, organsNamed(["prostate"])[0].terminology)

    assert navigator.terminologyEntry(entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Prostate"
    with pytest.raises(ValueError, match="vtkSlicerTerminologyEntry"):
        navigator.setTerminologyEntry(organsNamed(["prostate"])[0].terminology)


def test_undo_and_redo_are_those_of_slicer_and_tell_of_segments_alone(editor):
    segmentation, told = editor.segmentationNode().GetSegmentation(), []
    for event in ("SegmentModified", "SourceRepresentationModified"):
        segmentation.AddObserver(getattr(segmentation, event), lambda *_, event=event: told.append(event))
    editor.saveStateForUndo()
    editor.effectByName("Scissors").setParameter("SliceCutMode", "Symmetric")
    cut(editor, 2, 1, corner(2))
    assert not left(editor).all()
    told.clear()

    editor.undo()
    assert left(editor).all() and set(told) == {"SegmentModified"}
    editor.redo()
    assert not left(editor)[:2, :3, 1].any()
    editor.undoEnabled = True  # Slicer forgets its states
    editor.undo()
    assert not left(editor)[:2, :3, 1].any()
