"""Surfaces for the 3-D view are Slicer's own, an organ a step."""

import numpy as np
import pytest

SURFACE = "Closed surface"


@pytest.fixture
def two_balls(host):
    """Makes segmentations of two balls, and a segment without a voxel, on one grid."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    volume = slicer.util.addVolumeFromArray(np.zeros((20, 20, 40), np.int16))
    volume.SetName("Volume")
    volume.SetSpacing(0.5, 1.0, 2.0)
    labels = np.zeros((40, 20, 20), np.uint8)
    for label, centre in ((1, 10), (2, 30)):
        labels[np.linalg.norm(np.indices(labels.shape).T - (centre, 9.5, 9.5), axis=-1).T < 6] = label
    return lambda: segmentationFromLabelMap(labels, volume, organsNamed(["a", "b", "c"]), "balls")


def surfaces(node):
    """The surface of each segment."""
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(n).GetRepresentation(SURFACE) for n in range(3)]


def points(surface):
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(surface.GetPoints().GetData())


def assert_same(node, expected):
    for made, wanted in zip(surfaces(node)[:2], surfaces(expected)[:2], strict=True):
        np.testing.assert_array_equal(points(made), points(wanted))


@pytest.mark.parametrize("_try", range(4))  # the order of segments is random in Slicer
def test_each_step_makes_a_surface_and_all_are_as_slicer_makes_them_at_once(two_balls, _try):
    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    at_once, node = two_balls(), two_balls()
    at_once.CreateClosedSurfaceRepresentation()

    assert len(list(makeSurfaces(node))) == 3

    assert_same(node, at_once)
    assert node.GetSegmentation().ContainsRepresentation(SURFACE)
    assert list(makeSurfaces(node)) == []  # they are not made twice


def test_segments_that_are_changed_meanwhile_have_the_surfaces_of_what_they_are_then(two_balls):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    nodes = two_balls(), two_balls()
    steps = makeSurfaces(nodes[0])
    next(steps)
    for node in nodes:
        segment, volume = node.GetSegmentation().GetNthSegmentID(0), slicer.util.getNode("Volume")
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).copy()
        voxels[:, :, :10] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volume)
    list(steps)
    nodes[1].CreateClosedSurfaceRepresentation()

    assert_same(*nodes)


def test_one_that_is_removed_meanwhile_ends_the_steps(two_balls):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    node = two_balls()
    steps = makeSurfaces(node)
    next(steps)
    slicer.mrmlScene.RemoveNode(node)

    assert list(steps) == []
