import numpy as np
import pytest
from random_volume_nodes import random_volume_node

SHAPE = (9, 8, 7)


@pytest.fixture
def node(host):
    return random_volume_node(np.random.default_rng(0), "scan", shape=SHAPE)


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.uint8)


@pytest.mark.parametrize(("axis", "index"), [(0, 8), (1, 3), (2, 0)])
def test_a_slice_of_an_image_holds_its_labels_there(node, labels, axis, index):
    from USLabelEfficientSegLib.slicer_side.nodes.oriented_images import labels_on, slice_image, volume_image

    found = labels_on(volume_image(node, labels), slice_image(node, axis, index), None)

    np.testing.assert_array_equal(found, labels.take([index], axis))


def test_beyond_an_image_there_is_no_label(node, labels):
    from USLabelEfficientSegLib.slicer_side.nodes.oriented_images import labels_on, slice_image, volume_image

    found = labels_on(slice_image(node, 1, 3, labels[:, 3]), volume_image(node), None)

    np.testing.assert_array_equal(found[:, 3], labels[:, 3])
    assert found.shape == SHAPE and not np.delete(found, 3, axis=1).any()


def test_under_a_transform_labels_move_along(node, labels):
    import vtk

    from USLabelEfficientSegLib.slicer_side.nodes.oriented_images import labels_on, volume_image

    matrix, moved = vtk.vtkMatrix4x4(), vtk.vtkTransform()
    node.GetIJKToRASMatrix(matrix)
    moved.Translate(*(2 * matrix.GetElement(row, 0) for row in range(3)))  # two voxels along i

    found = labels_on(volume_image(node, labels), volume_image(node), moved)

    np.testing.assert_array_equal(found[2:], labels[:-2])
    assert not found[:2].any()
