import numpy as np
import pytest
from random_volume_nodes import put_under_transform, random_volume_node

from USLabelEfficientSegLib.errors import InputError

SHAPE = (9, 8, 7)


@pytest.fixture
def node(host):
    return random_volume_node(np.random.default_rng(0), "scan", shape=SHAPE)


@pytest.fixture
def organs(host):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed

    return organsNamed(["prostate", "lesion"])


def paint(segmentation, volume, name, mask):
    """Draw a segment as the user would, whether other segments are there or not."""
    import slicer

    segment = segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.T.astype(np.uint8), segmentation, segment, volume)


def test_segments_carry_name_colour_and_terminology(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import createLabelSegmentation

    segmentation = createLabelSegmentation(node, organs).GetSegmentation()

    first, second = (segmentation.GetNthSegment(n) for n in range(2))
    assert (first.GetName(), second.GetName()) == ("prostate", "lesion")
    assert first.GetColor() == pytest.approx(organs[0].colour)
    assert "SCT^41216001^Prostate" in first.GetTerminology()
    assert "SCT^85756007^Tissue" in second.GetTerminology()


def test_a_segmentation_lies_beside_its_volume_under_its_transforms(node, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import createLabelSegmentation

    put_under_transform(np.random.default_rng(2), node)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), patient)

    segmentation = createLabelSegmentation(node, organs)

    reference = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
    assert segmentation.GetName() == "scan labels"
    assert segmentation.GetParentTransformNode() is node.GetParentTransformNode()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)) == patient
    assert reference is node


def test_an_existing_segmentation_is_never_touched(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    mine = segmentationFromLabelMap(np.ones(SHAPE, dtype=np.uint8), node, organs, "result")
    theirs = segmentationFromLabelMap(np.full(SHAPE, 2, dtype=np.uint8), node, organs, "result")

    assert mine is not theirs
    assert (mine.GetName(), theirs.GetName()) == ("result", "result_1")
    assert (labelMapFromSegmentation(mine, node, organs) == 1).all()


def test_overlapping_segments_are_kept(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        organMasks,
        segmentationFromLabelMap,
        setSliceLabels,
    )

    segmentation = segmentationFromLabelMap(np.zeros(SHAPE, dtype=np.uint8), node, organs, "drawn")
    prostate, lesion = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    prostate[2:8, 1:7, 1:6] = True
    lesion[4:6, 3:5, 2:4] = True
    paint(segmentation, node, "prostate", prostate)
    paint(segmentation, node, "lesion", lesion)

    masks = organMasks(segmentation, node, organs)
    np.testing.assert_array_equal(masks["prostate"], prostate)
    np.testing.assert_array_equal(masks["lesion"], lesion)

    setSliceLabels(segmentation, node, organs, 2, 0, np.ones(SHAPE[:2], dtype=np.uint8))
    masks = organMasks(segmentation, node, organs)
    prostate[:, :, 0] = True
    np.testing.assert_array_equal(masks["prostate"], prostate)
    np.testing.assert_array_equal(masks["lesion"], lesion)


def test_organs_that_overlap_are_no_label_map(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    segmentation = segmentationFromLabelMap(np.ones(SHAPE, dtype=np.uint8), node, organs, "drawn")
    overlap = np.zeros(SHAPE, dtype=bool)
    overlap[0, 0, :3] = True
    paint(segmentation, node, "lesion", overlap)

    with pytest.raises(InputError, match=r"^drawn: shows prostate and lesion at the same place \(3 voxels\); erase"):
        labelMapFromSegmentation(segmentation, node, organs)


def test_segments_that_are_no_organs_are_left_out_and_alone(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    labels = np.random.default_rng(3).integers(0, 3, SHAPE).astype(np.uint8)
    segmentation = segmentationFromLabelMap(labels, node, organs, "drawn")
    segmentation.GetSegmentation().AddEmptySegment("", "needle")
    needle = np.zeros(SHAPE, dtype=bool)
    needle[:, 2, 2] = True
    paint(segmentation, node, "needle", needle)

    np.testing.assert_array_equal(labelMapFromSegmentation(segmentation, node, organs), labels)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3


def test_a_missing_or_doubled_organ_is_named(node, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import createLabelSegmentation, organMasks

    segmentation = createLabelSegmentation(node, organs)
    segmentation.GetSegmentation().GetNthSegment(1).SetName("prostate")

    with pytest.raises(InputError, match=r"^scan labels: has 2 segments named prostate; name one segment prostate"):
        organMasks(segmentation, node, organs)
    segmentation.GetSegmentation().GetNthSegment(0).SetName("gland")
    with pytest.raises(InputError, match=r"^scan labels: has no segment named lesion"):
        organMasks(segmentation, node, organs)


def test_a_label_map_of_another_volume_is_refused(node, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import segmentationFromLabelMap

    with pytest.raises(InputError, match=r"^scan: has \(9, 8, 7\) voxels, its label map \(7, 8, 9\)"):
        segmentationFromLabelMap(np.zeros(SHAPE[::-1], dtype=np.uint8), node, organs, "result")
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_of_any_axis_is_replaced(node, organs, axis):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
        setSliceLabels,
    )

    rng = np.random.default_rng(axis)
    labels = rng.integers(0, 3, SHAPE).astype(np.uint8)
    segmentation = segmentationFromLabelMap(labels, node, organs, "drawn")
    new = rng.integers(0, 3, np.delete(SHAPE, axis)).astype(np.uint8)

    setSliceLabels(segmentation, node, organs, axis, 4, new)

    np.moveaxis(labels, axis, 0)[4] = new
    np.testing.assert_array_equal(labelMapFromSegmentation(segmentation, node, organs), labels)
    with pytest.raises(InputError, match="give one label a pixel"):
        setSliceLabels(segmentation, node, organs, axis, 4, new[1:])


def test_a_segmentation_under_another_transform_is_seen_where_it_lies(host, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    node = slicer.util.addVolumeFromArray(
        np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE[::-1]), np.diag([2.0, 2, 2, 1])
    )
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3, 3, 3] = 1
    segmentation = segmentationFromLabelMap(labels, node, organs, "drawn")
    shift = np.eye(4)
    shift[0, 3] = 4.0
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())

    found = labelMapFromSegmentation(segmentation, node, organs)

    assert np.argwhere(found).tolist() == [[5, 3, 3]]


def test_a_segmentation_of_another_grid_is_resampled(host, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    coarse = slicer.util.addVolumeFromArray(np.arange(64, dtype=np.int16).reshape(4, 4, 4), np.diag([2.0, 2, 2, 1]))
    fine_grid = np.eye(4)
    fine_grid[:3, 3] = -0.5
    fine = slicer.util.addVolumeFromArray(np.arange(512, dtype=np.int16).reshape(8, 8, 8), fine_grid)
    labels = np.random.default_rng(0).integers(0, 3, (4, 4, 4)).astype(np.uint8)
    segmentation = segmentationFromLabelMap(labels, coarse, organs, "coarse")

    found = labelMapFromSegmentation(segmentation, fine, organs)

    np.testing.assert_array_equal(found, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_a_segmentation_that_is_only_a_surface_is_read_and_not_changed(host, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organMasks, segmentationFromLabelMap

    node = slicer.util.addVolumeFromArray(np.arange(8000, dtype=np.int16).reshape(20, 20, 20))
    ball = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0) < 6
    segmentation = segmentationFromLabelMap(ball.astype(np.uint8), node, organs[:1], "drawn")
    surface, binary = "Closed surface", "Binary labelmap"
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetSegmentation().SetSourceRepresentationName(surface)
    segmentation.GetSegmentation().RemoveRepresentation(binary)

    mask = organMasks(segmentation, node, organs[:1])["prostate"]

    assert not segmentation.GetSegmentation().ContainsRepresentation(binary)
    assert (mask ^ ball).sum() < 0.1 * ball.sum()


def test_reading_a_segmentation_leaves_no_nodes_behind(node, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        createLabelSegmentation,
        labelMapFromSegmentation,
    )

    segmentation = createLabelSegmentation(node, organs)
    before = slicer.mrmlScene.GetNumberOfNodes()

    labelMapFromSegmentation(segmentation, node, organs)

    assert slicer.mrmlScene.GetNumberOfNodes() == before


@pytest.mark.parametrize("transformed", [False, True])
def test_slices_are_read_and_changed_as_whole_masks_are(node, organs, transformed):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelsOfSlice,
        organMasks,
        organSlices,
        segmentationFromLabelMap,
        setSliceLabels,
    )

    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, SHAPE).astype(np.uint8)
    segmentation = segmentationFromLabelMap(labels, node, organs, "drawn")
    if transformed:  # the segmentation alone: its grid and the volume's match no more
        put_under_transform(rng, node)
        segmentation.SetAndObserveTransformNodeID(None)
    places = [(0, 4), (1, 0), (2, 6)]
    masks = organMasks(segmentation, node, organs)
    for (axis, index), of_slice in zip(places, organSlices(segmentation, node, organs, places), strict=True):
        for organ in organs:
            np.testing.assert_array_equal(of_slice[organ.name], np.take(masks[organ.name], index, axis=axis))
    if transformed:
        return
    np.testing.assert_array_equal(labelsOfSlice(segmentation, node, organs, 1, 3), labels[:, 3])

    wanted = rng.integers(0, 3, (SHAPE[0], SHAPE[2])).astype(np.uint8)
    setSliceLabels(segmentation, node, organs, 1, 3, wanted)
    labels[:, 3] = wanted
    for label, mask in enumerate(organMasks(segmentation, node, organs).values(), start=1):
        np.testing.assert_array_equal(mask, labels == label)
    maps = {segmentation.GetSegmentation().GetNthSegment(n).GetRepresentation("Binary labelmap") for n in range(2)}
    assert len(maps) == 1  # still shared: nothing overlaps
