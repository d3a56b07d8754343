"""Between parallel slices the outline follows from theirs; elsewhere the network alone decides."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from USLabelEfficientSegLib.prompting.between_slices import pooled_with_shape

SPACING = (0.5, 0.25, 2.0)
SHAPE = (48, 96, 20)


def cone(shape=SHAPE):
    """A cone along the last axis: its radius in mm grows by 0.25 for each slice."""
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.hypot((i - 24) * SPACING[0], (j - 48) * SPACING[1]) < 3 + 0.25 * k


def drawn_in(organ, slices, axis=2):
    drawn = np.zeros(organ.shape, np.float32)
    for number in slices:
        np.moveaxis(drawn, axis, 0)[number] = np.where(np.moveaxis(organ, axis, 0)[number], 1, -1)
    return drawn


def test_sections_between_two_slices_are_interpolated_with_anisotropic_voxels():
    organ = cone()

    odds = pooled_with_shape(np.zeros(SHAPE, np.float32), drawn_in(organ, [4, 14]), SPACING)

    between = np.s_[:, :, 5:14]
    found, truth = odds[between] > 0, organ[between]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.96
    assert np.allclose(center_of_mass(found), center_of_mass(truth), atol=0.1)
    assert np.abs(odds).max() <= 4.0  # 8, pooled with a network that does not know


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_reaches_from_slice_to_slice_and_no_further(axis):
    organ = np.zeros((20, 20, 20), bool)
    organ[6:14, 6:14, 6:14] = True
    network = np.full(organ.shape, -3, np.float32)

    odds = pooled_with_shape(network, drawn_in(organ, [8, 12], axis), (1.0, 1.0, 1.0))

    changed = np.moveaxis(odds != network, axis, 0).any(axis=(1, 2))
    assert np.flatnonzero(changed).tolist() == [9, 10, 11]


def test_network_and_shape_have_half_of_the_say():
    organ = cone()
    drawn, network = drawn_in(organ, [4, 14]), np.random.default_rng(0).normal(0, 3, SHAPE).astype(np.float32)

    with_network, alone = (pooled_with_shape(odds, drawn, SPACING) for odds in (network, np.zeros_like(network)))

    between = np.s_[:, :, 5:14]
    assert np.allclose(with_network[between], alone[between] + network[between] / 2, atol=1e-5)


def test_a_slice_without_the_organ_leaves_to_the_network_where_it_ends():
    organ = cone()
    organ[:, :, 14:] = False
    network = np.ones(SHAPE, np.float32)

    odds = pooled_with_shape(network, drawn_in(organ, [4, 10, 16]), SPACING)

    assert (odds[:, :, 11:16] == 1).all()
    assert (odds[:, :, 5:10] != 1).any()


def test_neighbouring_slices_and_strokes_leave_nothing_between():
    organ = cone()
    drawn = drawn_in(organ, [6, 7])
    drawn[20, 10:40, 15] = 1
    network = np.ones(SHAPE, np.float32)

    assert np.array_equal(pooled_with_shape(network, drawn, SPACING), network)


def test_slices_of_two_axes_are_averaged():
    organ = np.zeros((21, 21, 21), bool)
    organ[5:16, 5:16, 5:16] = True
    nothing = np.zeros(organ.shape, np.float32)
    both, first, second = (
        pooled_with_shape(nothing, drawn, (1.0, 1.0, 1.0))
        for drawn in (
            np.where(drawn_in(organ, [6, 14], 0) != 0, drawn_in(organ, [6, 14], 0), drawn_in(organ, [6, 14], 1)),
            drawn_in(organ, [6, 14], 0),
            drawn_in(organ, [6, 14], 1),
        )
    )

    inside = np.s_[7:14, 7:14, :]
    assert np.allclose(both[inside], (first[inside] + second[inside]) / 2, atol=1e-6)


def test_an_organ_that_fills_its_slices_is_all_organ_between_them():
    organ = np.ones((8, 8, 12), bool)

    odds = pooled_with_shape(np.zeros(organ.shape, np.float32), drawn_in(organ, [2, 9]), (1.0, 1.0, 1.0))

    assert (odds[:, :, 3:9] > 0).all()


def test_a_model_is_not_overruled_across_wide_gaps():
    organ = cone()
    network = np.full(SHAPE, -3, np.float32)

    far, near = (
        pooled_with_shape(network, drawn_in(organ, slices), SPACING, with_model=True) for slices in ([4, 14], [12, 14])
    )

    assert np.array_equal(far, network)
    assert (near[:, :, 13] != network[:, :, 13]).any()
