import numpy as np
import pytest
from random_volume_nodes import random_volume_node

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice
from USLabelEfficientSegLib.errors import InputError

SHAPE = (9, 8, 7)


@pytest.fixture
def organs(host):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed

    return organsNamed(["prostate", "lesion"])


@pytest.fixture
def labelling(host, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import createLabelSegmentation
    from USLabelEfficientSegLib.slicer_side.session.labelling import LabelledSlices

    node = random_volume_node(np.random.default_rng(0), "scan", shape=SHAPE)
    return LabelledSlices(createLabelSegmentation(node, organs), node)


def disc(axis):
    """A slice across `axis` with the second organ in its middle."""
    labels = np.zeros(np.delete(SHAPE, axis), dtype=np.uint8)
    labels[2:5, 2:5] = 2
    return labels


def test_only_slices_that_the_user_marks_are_labelled(labelling, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import setSliceLabels

    setSliceLabels(labelling.segmentationNode, labelling.volumeNode, organs, 2, 3, disc(2))
    assert labelling.items() == []

    labelling.mark(2, 3)

    sparse = labelling.sparseLabels(organs)
    assert labelling.items() == [LabelledSlice(2, 3)] == sparse.labelled_slices()
    np.testing.assert_array_equal(sparse.voxels[:, :, 3], disc(2))
    assert (sparse.voxels[:, :, 2] == UNLABELLED).all()
    assert sparse.organs == ("prostate", "lesion")


def test_a_slice_without_an_organ_is_labelled_and_wiped(labelling, organs):
    labelling.setLabels(2, 3, disc(2), organs)

    labelling.markEmpty(2, 3, organs)

    assert (labelling.sparseLabels(organs).voxels[:, :, 3] == 0).all()
    assert labelling.items() == [LabelledSlice(2, 3)]


def test_slices_of_all_axes_cross(labelling, organs):
    for axis in range(3):
        labelling.setLabels(axis, 3, disc(axis), organs)

    sparse = labelling.sparseLabels(organs)

    assert sparse.labelled_slices() == [LabelledSlice(axis, 3) for axis in range(3)] == labelling.items()
    np.testing.assert_array_equal(sparse.voxels[:, :, 3], disc(2))


def test_a_removed_slice_is_unlabelled_and_its_paint_stays(labelling, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import labelMapFromSegmentation

    labelling.setLabels(2, 3, disc(2), organs)
    labelling.setLabels(2, 5, disc(2), organs)

    labelling.remove(2, 3)

    painted = labelMapFromSegmentation(labelling.segmentationNode, labelling.volumeNode, organs)
    assert labelling.items() == [LabelledSlice(2, 5)]
    assert (labelling.sparseLabels(organs).voxels[:, :, 3] == UNLABELLED).all()
    np.testing.assert_array_equal(painted[:, :, 3], disc(2))


def test_the_fraction_counts_the_slices_of_one_axis(labelling):
    for axis, index in ((2, 0), (2, 6), (0, 1)):
        labelling.mark(axis, index)
        labelling.mark(axis, index)

    assert labelling.fraction(2) == pytest.approx(2 / 7)
    assert labelling.fraction(0) == pytest.approx(1 / 9)
    assert labelling.fraction(1) == 0


@pytest.mark.parametrize(("axis", "index"), [(2, 7), (2, -1), (3, 0), (0, 9)])
def test_a_slice_outside_the_volume_is_refused(labelling, organs, axis, index):
    with pytest.raises(InputError, match=rf"^scan: has no slice of index {index} along axis {axis} \(size 9 x 8 x 7\)"):
        labelling.mark(axis, index)
    with pytest.raises(InputError, match="has no slice"):
        labelling.markEmpty(axis, index, organs)
    assert labelling.items() == []


def test_organs_may_overlap_except_in_labelled_slices(labelling, organs):
    import slicer

    for name in ("prostate", "lesion"):
        segment = labelling.segmentationNode.GetSegmentation().GetSegmentIdBySegmentName(name)
        mask = np.zeros(SHAPE, dtype=np.uint8)
        mask[4, 4, 2:5] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.T, labelling.segmentationNode, segment, labelling.volumeNode
        )
    labelling.mark(2, 6)
    assert (labelling.sparseLabels(organs).voxels[:, :, 6] == 0).all()

    labelling.mark(2, 3)

    with pytest.raises(InputError, match=r"^scan, axial, slice 4 of 7: shows prostate and lesion at the same place"):
        labelling.sparseLabels(organs)


def test_all_objects_for_a_node_see_the_same_list_and_its_observers_are_told(labelling):
    from USLabelEfficientSegLib.slicer_side.session.labelling import LabelledSlices

    told = []
    labelling.segmentationNode.AddObserver("ModifiedEvent", lambda *_: told.append(1))

    labelling.mark(1, 2)

    assert LabelledSlices(labelling.segmentationNode, labelling.volumeNode).items() == [LabelledSlice(1, 2)]
    assert told


def test_labels_survive_saving_and_opening_the_scene(host, labelling, organs, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.session.labelling import LabelledSlices

    labelling.setLabels(2, 3, disc(2), organs)
    labelling.markEmpty(0, 1, organs)
    before = labelling.sparseLabels(organs).voxels
    file = str(tmp_path / "labels.mrb")

    assert slicer.util.saveScene(file)
    host.clear_scene()
    slicer.util.loadScene(file)

    restored = LabelledSlices(slicer.util.getNode("scan labels"), slicer.util.getNode("scan"))
    assert restored.items() == [LabelledSlice(0, 1), LabelledSlice(2, 3)]
    np.testing.assert_array_equal(restored.sparseLabels(organs).voxels, before)
