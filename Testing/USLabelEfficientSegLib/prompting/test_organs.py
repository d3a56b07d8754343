"""Organs share the voxels of a working grid that is coarser than their volume."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.resampling import resample_axes
from USLabelEfficientSegLib.promptable_network.sharing import shared_probability
from USLabelEfficientSegLib.prompting.drawing import signs_of
from USLabelEfficientSegLib.prompting.organs import believed_sector

FINE, COARSE = (30, 30, 20), (20, 20, 20)
EVERYWHERE = np.ones(COARSE, dtype=bool)
UNSURE = np.zeros((2, *COARSE), np.float32)  # log-odds of two organs of which nothing is known but the drawing


@pytest.fixture
def labels():
    """Two organs side by side, a ball that a plane cuts within coarse voxels; everything is drawn."""
    i, j, k = np.indices(FINE) - np.array([14.5, 14.5, 9.5])[:, None, None, None]
    ball = i**2 + j**2 + k**2 < 9**2
    return np.where(ball, np.where(i < 1, 1, 2), 0).astype(np.uint8)


def shared(labels):
    return shared_probability(UNSURE, np.stack([signs_of(labels, label, COARSE) for label in (1, 2)]), EVERYWHERE)


def test_a_coarse_voxel_that_was_drawn_holds_as_much_of_an_organ_as_was_drawn(labels):
    probability = shared(labels)

    for label in (1, 2):
        share = resample_axes((labels == label).astype(np.float32), COARSE)
        told = np.abs(share - 0.5) > 1e-3  # a mean of half and half says nothing
        np.testing.assert_allclose(probability[label][told], share[told], atol=1e-5)


def test_no_gap_of_background_opens_between_organs_that_were_drawn_side_by_side(labels):
    probability = shared(labels)

    inside = resample_axes((labels > 0).astype(np.float32), COARSE) > 0.999
    between = inside & (probability[1] > 0.01) & (probability[2] > 0.01)
    assert between.any()
    assert probability[0][inside].max() < 1e-5


def test_a_sector_that_leaves_out_what_was_drawn_as_an_organ_is_not_believed(labels):
    drawn = [signs_of(labels, label, COARSE) for label in (1, 2)]
    half, edge = EVERYWHERE.copy(), EVERYWHERE.copy()
    half[:9], edge[:5] = False, False  # most of the first organ, and hardly any of it

    assert believed_sector(half, drawn).all()
    assert np.array_equal(believed_sector(edge, drawn), edge)
    assert np.array_equal(believed_sector(half, drawn[1:]), half)
