import numpy as np
import pytest
from random_volume_nodes import random_volume_node

from USLabelEfficientSegLib.errors import InputError


@pytest.fixture
def view(host):
    import slicer

    return slicer.app.layoutManager().sliceWidget("Yellow").mrmlSliceNode()


def test_a_view_shows_the_slice_it_is_asked_for_in_any_geometry(view):
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import shownSlice, showSlice

    rng = np.random.default_rng(7)
    for number in range(50):
        node = random_volume_node(rng, f"scan {number}")
        shape = node.GetImageData().GetDimensions()
        for axis in range(3):
            index = int(rng.integers(shape[axis]))
            showSlice(view, node, axis, index)
            assert shownSlice(view, node) == (axis, index)


def test_the_centre_of_the_slice_is_in_the_middle_of_the_view(view):
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import showSlice
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import ijkToWorld

    node = random_volume_node(np.random.default_rng(1), "scan", shape=(9, 11, 13))
    showSlice(view, node, 1, 8)

    to_ras = view.GetSliceToRAS()
    distance = np.array(ijkToWorld(node) @ [4, 8, 6, 1])[:3] - [to_ras.GetElement(row, 3) for row in range(3)]
    normal = [to_ras.GetElement(row, 2) for row in range(3)]
    assert np.dot(distance, normal) == pytest.approx(0, abs=1e-6)


def test_a_view_is_upright_whatever_it_has_shown_before(view):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import showSlice

    node = slicer.util.addVolumeFromArray(np.arange(720, dtype=np.int16).reshape(8, 9, 10))
    # Right and up in the view, in RAS: the patient's left is at the right, nose or head are at the top.
    upright = {0: [[0, -1, 0], [0, 0, 1]], 1: [[-1, 0, 0], [0, 0, 1]], 2: [[-1, 0, 0], [0, 1, 0]]}
    for axis in (1, 2, 0, 2, 1, 0, 1):
        showSlice(view, node, axis, 3)
        right_and_up = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, :2].T
        assert right_and_up == pytest.approx(np.array(upright[axis]))


def test_a_view_across_the_volume_or_beside_it_shows_no_slice(view):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import shownSlice, showSlice

    node = slicer.util.addVolumeFromArray(np.arange(720, dtype=np.int16).reshape(8, 9, 10))
    showSlice(view, node, 2, 3)
    view.SetSliceOffset(view.GetSliceOffset() + 100)
    assert shownSlice(view, node) is None

    view.SetSliceToRASByNTP(1, 1, 0, 0, 0, 1, 4, 4, 4, 0)
    assert shownSlice(view, node) is None


def test_a_slice_outside_the_volume_is_refused(view):
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import showSlice

    node = random_volume_node(np.random.default_rng(1), "scan", shape=(9, 11, 13))

    with pytest.raises(
        InputError, match=r"^scan: has no slice of index 13 along axis 2 \(size 9 x 11 x 13\); choose a slice"
    ):
        showSlice(view, node, 2, 13)
