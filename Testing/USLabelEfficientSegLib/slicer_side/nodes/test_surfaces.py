"""Surfaces for the 3-D view are those that Slicer makes, an organ a step, and Slicer waits for none of them."""

import threading
import time

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
def test_each_step_makes_a_surface_and_all_are_as_slicer_makes_them_at_once(two_balls, _try, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    at_once, node = two_balls(), two_balls()
    at_once.CreateClosedSurfaceRepresentation()
    made = contours(monkeypatch)

    counts = [len(made) for _step in makeSurfaces(node)]

    assert counts[-1] == 2 and max(np.diff([0, *counts])) == 1  # the third segment has no voxel
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


@pytest.fixture
def large_egg(host):
    """Makes segmentations of an egg of 150 voxels on a grid of a matrix, with a second organ in a corner."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    labels = np.zeros((160, 120, 60), np.uint8)
    i, j, k = np.ogrid[tuple(slice(n) for n in labels.shape)]
    labels[((i - 80) / 75) ** 2 + ((j - 60) / 40) ** 2 + ((k - 30) / 20) ** 2 < 1] = 1
    labels[:3, :4, :5] = 2

    def make(matrix):
        volume = slicer.util.addVolumeFromArray(np.zeros(labels.shape[::-1], np.uint8))
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        return segmentationFromLabelMap(labels, volume, organsNamed(["egg", "corner"]), "large")

    return make


def turned(mirror):
    """Indices to mm: oblique, and mirrored or not."""
    matrix = np.eye(4)
    c, s = np.cos(0.4), np.sin(0.4)
    matrix[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, mirror]]) * (0.5, 0.8, 1.5)
    matrix[:3, 3] = 10, -20, 30
    return matrix


def enclosed_ml(surface):
    """By the theorem of Gauss: negative where the surface looks inwards."""
    from vtk.util.numpy_support import vtk_to_numpy

    corners = points(surface)[vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)].astype(float)
    a, b, c = corners.transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6000)


@pytest.mark.parametrize("mirror", [1, -1])
def test_the_surface_of_a_large_organ_lies_where_slicers_own_does_with_half_of_its_points(large_egg, mirror):
    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    node, slicers_own = large_egg(turned(mirror)), large_egg(turned(mirror))
    slicers_own.CreateClosedSurfaceRepresentation()
    list(makeSurfaces(node))

    egg, expected = (one.GetSegmentation().GetNthSegment(0).GetRepresentation(SURFACE) for one in (node, slicers_own))
    np.testing.assert_allclose(egg.GetBounds(), expected.GetBounds(), atol=0.5)
    assert egg.GetNumberOfPoints() < 0.5 * expected.GetNumberOfPoints()
    truth = 4 / 3 * np.pi * 75 * 40 * 20 * 0.5 * 0.8 * 1.5 / 1000
    assert enclosed_ml(egg) == pytest.approx(truth, rel=0.01)
    assert abs(enclosed_ml(expected)) == pytest.approx(truth, rel=0.02)  # of a mirror image it looks inwards
    corner, own = (one.GetSegmentation().GetNthSegment(1).GetRepresentation(SURFACE) for one in (node, slicers_own))
    np.testing.assert_array_equal(points(corner), points(own))


def contours(monkeypatch):
    """The surfaces that are made from now on."""
    from USLabelEfficientSegLib.slicer_side.nodes import surfaces as module

    made, contour = [], module._contour

    def noted(*given):
        made.append(contour(*given))
        return made[-1]

    monkeypatch.setattr(module, "_contour", noted)
    return made


def test_a_surface_of_a_large_organ_is_made_in_one_step_and_no_other_with_it(large_egg, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.nodes import surfaces as module

    made = contours(monkeypatch)
    node = large_egg(turned(1))
    node.GetSegmentation().GetNthSegment(1).SetLabelValue(1)  # both show the egg
    counts = [len(made) for _step in module.makeSurfaces(node)]
    assert counts[-1] == 2 and max(np.diff([0, *counts])) == 1


def test_surfaces_of_organs_that_are_changed_meanwhile_are_made_again_step_by_step(large_egg, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.nodes import surfaces as module

    made = contours(monkeypatch)
    node = large_egg(turned(1))
    steps = module.makeSurfaces(node)
    while not made:
        next(steps)
    node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap").Modified()
    list(steps)
    assert len(made) == 4 and node.GetSegmentation().ContainsRepresentation(SURFACE)


def test_no_surface_is_made_by_the_thread_that_slicer_waits_for(large_egg, monkeypatch):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes import surfaces as module

    threads, contour = [], module._contour

    def noted(*given):
        threads.append(threading.current_thread())
        return contour(*given)

    monkeypatch.setattr(module, "_contour", noted)
    monkeypatch.setattr(slicer, "vtkSlicerSegmentationsModuleLogic", None)  # which works in the thread that calls it
    list(module.makeSurfaces(large_egg(turned(1))))

    assert len(threads) == 2 and threading.main_thread() not in threads


def test_vtk_works_on_a_surface_without_the_lock_of_python(host):
    """A thread that had the lock would let the main thread go on a few times, between two calls of VTK."""
    import vtk

    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import MOST_VOXELS, _contour

    rough = np.random.default_rng(0).random((MOST_VOXELS,) * 3, dtype=np.float32)  # its surface is as large as any
    thread = threading.Thread(target=_contour, args=(rough, np.ones(3), np.zeros(3, int), vtk.vtkMatrix4x4(), 0.5))
    times = 0
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        times += 1

    assert times > 100


def test_surfaces_are_smoothed_as_a_user_has_chosen(two_balls):
    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    at_once, node = two_balls(), two_balls()
    for one in (at_once, node):
        one.GetSegmentation().SetConversionParameter("Smoothing factor", "0.2")
    at_once.CreateClosedSurfaceRepresentation()
    list(makeSurfaces(node))

    assert_same(node, at_once)


def test_surfaces_that_a_user_wants_made_in_another_way_are_made_by_slicer(two_balls, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces

    made = contours(monkeypatch)
    at_once, node = two_balls(), two_balls()
    for one in (at_once, node):
        one.GetSegmentation().SetConversionParameter("Decimation factor", "0.5")
    at_once.CreateClosedSurfaceRepresentation()
    list(makeSurfaces(node))

    assert made == []
    assert_same(node, at_once)
