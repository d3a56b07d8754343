"""From volume nodes to a study and back: every voxel stays where it is, whatever the geometry."""

import numpy as np
import pytest
from random_volume_nodes import random_volume_node

from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.study.study import Study

GEOMETRIES = 50
NAMES = ("prostate", "bladder")


@pytest.fixture
def organs(host):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed

    return organsNamed(NAMES)


@pytest.fixture
def scans(host):
    """50 volume nodes in random positions, by name, with random labels for each."""
    rng = np.random.default_rng(2024)
    nodes = {f"scan {number:02d}": random_volume_node(rng, f"scan {number:02d}") for number in range(GEOMETRIES)}
    shapes = {name: node.GetImageData().GetDimensions() for name, node in nodes.items()}
    labels = {name: rng.integers(0, len(NAMES) + 1, shape).astype(np.uint8) for name, shape in shapes.items()}
    return nodes, labels


@pytest.fixture
def study(scans, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    (tmp_path / "images").mkdir()
    for name, node in scans[0].items():
        write_volume(tmp_path / "images" / f"{name}.nrrd", scanFromNode(node))
    return Study.create(tmp_path / "study", tmp_path / "images", organs=NAMES)


def world_of(node, ijk):
    """Where Slicer itself places a voxel of a node, in RAS."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    local = matrix.MultiplyPoint([*map(float, ijk), 1.0])[:3]
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    return np.array(transform.TransformPoint(local))


def test_volumes_reach_the_study_voxel_by_voxel(scans, study):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import worldGeometry

    left_handed = 0
    for name, node in scans[0].items():
        stored = study.read_scan(name)
        np.testing.assert_array_equal(stored.voxels, slicer.util.arrayFromVolume(node).T)
        corner = np.array(stored.voxels.shape) - 1
        local = np.array(node.GetOrigin()) * [-1, -1, 1]
        np.testing.assert_allclose(stored.geometry.index_to_physical([0, 0, 0]), local, atol=1e-9)
        for ijk in ([0, 0, 0], corner, [corner[0], 0, 1]):
            in_world = worldGeometry(node).index_to_physical(ijk) * [-1, -1, 1]
            np.testing.assert_allclose(in_world, world_of(node, ijk), atol=1e-6)
        left_handed += np.linalg.det(stored.geometry.direction) < 0
    assert 10 < left_handed < 40


def test_sparse_labels_of_all_axes_come_back_from_the_study(scans, study, organs):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import createLabelSegmentation
    from USLabelEfficientSegLib.slicer_side.session.labelling import LabelledSlices, labellingFromLabels

    for number, (name, node) in enumerate(scans[0].items()):
        truth = scans[1][name]
        labelling = LabelledSlices(createLabelSegmentation(node, organs), node)
        for axis in {number % 3, 2}:
            labelling.setLabels(axis, 1, np.take(truth, 1, axis=axis), organs)
        study.set_labels(name, labelling.sparseLabels(organs))

        again = labellingFromLabels(study.read_labels(name), study.slice_axis, node, organs)

        labels = again.sparseLabels(organs).voxels
        np.testing.assert_array_equal(labels, study.read_labels(name).voxels)
        known = np.zeros(truth.shape, dtype=bool)
        for axis in {number % 3, 2}:
            np.moveaxis(known, axis, 0)[1] = True
        np.testing.assert_array_equal(labels[known], truth[known])
        assert (labels[~known] == 255).all()


def test_segmentations_come_back_voxel_by_voxel(scans, study, organs):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (
        labelMapFromSegmentation,
        segmentationFromLabelMap,
    )

    for name, node in scans[0].items():
        segmentation = segmentationFromLabelMap(scans[1][name], node, organs, f"{name} segmentation")

        np.testing.assert_array_equal(labelMapFromSegmentation(segmentation, node, organs), scans[1][name])
        bladder = segmentation.GetSegmentation().GetNthSegmentID(1)
        exported = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, bladder, node)
        np.testing.assert_array_equal(exported.T != 0, scans[1][name] == 2)


def test_volume_nodes_are_made_where_their_geometry_says(host):
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import (
        geometryOfNode,
        nodeFromVoxels,
        scanFromNode,
    )

    rng = np.random.default_rng(1)
    for _ in range(GEOMETRIES):
        i, j, k = (int(n) for n in rng.integers(3, 9, 3))
        shape = (i, j, k)
        direction = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        geometry = Geometry(shape, tuple(rng.uniform(0.2, 3, 3)), tuple(rng.uniform(-99, 99, 3)), direction)
        voxels = rng.normal(size=shape).astype(np.float32)

        node = nodeFromVoxels("made", voxels, geometry)

        np.testing.assert_array_equal(scanFromNode(node).voxels, voxels)
        found = geometryOfNode(node)
        np.testing.assert_allclose(found.direction, geometry.direction, atol=1e-12)
        np.testing.assert_allclose([*found.spacing, *found.origin], [*geometry.spacing, *geometry.origin], atol=1e-12)
