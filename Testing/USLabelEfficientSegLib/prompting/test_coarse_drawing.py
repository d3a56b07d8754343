"""What was drawn, on a coarse grid."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.imaging.resampling import resample_axes
from USLabelEfficientSegLib.prompting.coarse_drawing import coarse_drawing, drawing_of_slices

FINE = (12, 8, 6)
SHAPES = [(6, 4, 3), (5, 8, 4), (12, 8, 6), (1, 1, 1)]


def random_slices(*places):
    """Labels of slices, as (axis, index), in an order that is none of their axes."""
    rng = np.random.default_rng(0)
    return {
        LabelledSlice(axis, index): rng.integers(0, 3, np.delete(FINE, axis)).astype(np.uint8) for axis, index in places
    }


def in_volume(slices):
    voxels = np.full(FINE, 255, np.uint8)
    for one, labels in sorted(slices.items()):
        np.moveaxis(voxels, one.axis, 0)[one.index] = labels
    return voxels


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_mean_of_what_was_drawn_in_each_coarse_voxel(shape):
    drawn = in_volume(random_slices((2, 3), (0, 5)))
    told = drawn != 255
    cover = resample_axes(told.astype(np.float32), shape)
    for label, signs in enumerate(coarse_drawing(drawn, 2, shape).signs, start=1):
        mean = resample_axes(np.where(told, np.where(drawn == label, 1, -1), 0), shape) / np.maximum(cover, 1e-6)
        np.testing.assert_allclose(signs, np.where(cover > 0, mean, 0), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "places",
    [[(1, 4)], [(2, 5), (2, 0), (2, 1)], [(0, 3), (1, 2), (1, 7), (2, 0), (0, 4), (2, 3)], [(0, i) for i in range(12)]],
)
def test_slices_alone_tell_the_same_as_the_volume_that_holds_them(shape, places):
    slices = random_slices(*places)
    expected = coarse_drawing(in_volume(slices), 2, shape)

    found = drawing_of_slices(slices, 2, FINE, shape)

    np.testing.assert_allclose(found.signs, expected.signs, atol=1e-5)
    assert found.shown == expected.shown == (1, 2)
    assert len(places) == 12 or found.drawn == expected.drawn
    assert found.drawn.slices == len(places)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("in_part", [(0, 3), (1, 2), (2, 0)])
def test_strokes_in_a_slice_leave_the_rest_of_it_open_and_what_crosses_it_counts(shape, in_part):
    slices = random_slices((0, 3), (1, 2), (1, 7), (2, 0), (2, 3))
    strokes = slices[LabelledSlice(*in_part)]
    strokes[np.random.default_rng(1).random(strokes.shape) < 0.8] = 255
    voxels = np.full(FINE, 255, np.uint8)
    for one, labels in sorted(slices.items()):
        there = np.moveaxis(voxels, one.axis, 0)[one.index]
        there[labels != 255] = labels[labels != 255]
    expected = coarse_drawing(voxels, 2, shape)

    found = drawing_of_slices(slices, 2, FINE, shape)

    np.testing.assert_allclose(found.signs, expected.signs, atol=1e-5)
    assert found.shown == expected.shown == (1, 2) and 4 < found.drawn.slices < 5
    assert found.drawn.slices == pytest.approx(expected.drawn.slices) and found.drawn.told == expected.drawn.told


def test_an_organ_that_fills_what_was_drawn_of_a_voxel_is_one_there_however_little_that_is():
    voxels = np.full((10, 1, 1), 255, np.uint8)
    voxels[:, 0, 0] = [1, 255, 255, 255, 255, 255, 0, 255, 1, 0]

    drawing = coarse_drawing(voxels, 2, (2, 1, 1))

    assert drawing.signs[0].ravel().tolist() == pytest.approx([1, -1 / 3])
    assert drawing.signs[1].ravel().tolist() == [-1, -1] and drawing.shown == (1,)
