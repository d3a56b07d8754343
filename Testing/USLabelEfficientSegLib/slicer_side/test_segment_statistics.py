"""What the module measures beside the definitions of Slicer's module Segment Statistics.

Its plugins cannot run without Slicer; these are their definitions, read in its source: the label map's voxels times
its spacing, and vtkMassProperties of the closed surface.
"""

import numpy as np
import pytest
import vtk

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.volumetric import measure_case

RADII_MM = np.array([14.0, 11.0, 9.0])


@pytest.fixture
def ellipsoid(host):
    """A label map of an ellipsoid on an oblique, anisotropic grid, and the same as segmentation of a volume."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, 0.96, -0.28], [0.0, 0.28, 0.96]])
    geometry = Geometry((46, 44, 40), (0.9, 0.8, 1.1), (3.0, -7.0, 11.0), turn @ tilt)
    middle = geometry.index_to_physical([22.3, 21.6, 19.8])
    offsets = geometry.index_to_physical(np.moveaxis(np.indices(geometry.shape), 0, -1)) - middle
    voxels = (((offsets / RADII_MM) ** 2).sum(axis=-1) <= 1).astype(np.uint8)
    volume = nodeFromVoxels("scan", voxels.astype(np.float32), geometry)
    node = segmentationFromLabelMap(voxels, volume, organsNamed(["organ"]), "result")
    attach(node, volume, RESULT)
    return LabelMap(voxels, geometry, "scan"), node


def labelmap_statistics(node):
    """Voxels and volume in cm3, as LabelmapSegmentStatisticsPlugin has them."""
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return np.count_nonzero(values), np.count_nonzero(values) * np.prod(image.GetSpacing()) / 1000


def surface_statistics(node, smoothing):
    """Volume in cm3 and area in mm2, as ClosedSurfaceSegmentStatisticsPlugin has them."""
    node.GetSegmentation().SetConversionParameter("Smoothing factor", str(smoothing))
    node.RemoveClosedSurfaceRepresentation()
    node.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation(node.GetSegmentation().GetNthSegmentID(0), surface)
    properties = vtk.vtkMassProperties()
    properties.SetInputData(surface)
    return properties.GetVolume() / 1000, properties.GetSurfaceArea()


def test_the_voxel_volume_is_that_of_segment_statistics(ellipsoid):
    from USLabelEfficientSegLib.slicer_side.results.results import organVolumes

    label_map, node = ellipsoid
    voxels, volume_cm3 = labelmap_statistics(node)

    (row,) = organVolumes(node)
    (measured,) = measure_case(label_map, ["organ"])
    assert row.voxel_count == measured.voxel_count == voxels
    assert row.volume_ml == pytest.approx(volume_cm3, rel=1e-9)
    assert measured.volume_ml == pytest.approx(volume_cm3, rel=1e-9)


def test_the_surface_volume_lacks_the_shrinkage_of_slicers_smoothed_surface(ellipsoid):
    """The exact volume is known; Slicer's surface is smaller, the more so the more it is smoothed."""
    label_map, node = ellipsoid
    exact_ml = 4 / 3 * np.pi * RADII_MM.prod() / 1000
    (measured,) = measure_case(label_map, ["organ"])

    stairs, usual, strong = (surface_statistics(node, smoothing)[0] for smoothing in (0.0, 0.5, 1.0))

    assert measured.surface_volume_ml == pytest.approx(exact_ml, rel=0.005)
    assert measured.surface_volume_ml == pytest.approx(measured.volume_ml, rel=1e-3)
    assert stairs == pytest.approx(measured.surface_volume_ml, rel=0.01)
    assert strong < usual < measured.surface_volume_ml
    assert usual == pytest.approx(measured.surface_volume_ml, rel=0.01)
    assert 0.92 < strong / measured.surface_volume_ml < 0.96


def test_the_surface_area_is_that_of_slicers_smoothed_surface_within_two_percent(ellipsoid):
    label_map, node = ellipsoid
    (measured,) = measure_case(label_map, ["organ"])

    assert measured.surface_area_mm2 == pytest.approx(surface_statistics(node, 0.5)[1], rel=0.02)


def test_only_the_module_sees_the_enlargement_by_a_transform(ellipsoid):
    """Segment Statistics reads the label map as it is stored, before its parent transform."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.results import organVolumes

    _, node = ellipsoid
    _, volume_cm3 = labelmap_statistics(node)
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 0, 1.1)
    matrix.SetElement(1, 1, 1.1)
    matrix.SetElement(2, 2, 1.1)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    for one in (node, volumeOf(node)):
        one.SetAndObserveTransformNodeID(transform.GetID())

    assert organVolumes(node)[0].volume_ml == pytest.approx(1.1**3 * volume_cm3, rel=1e-6)
    assert labelmap_statistics(node)[1] == pytest.approx(volume_cm3, rel=1e-9)
