"""How wide organs are on labelled slices."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.slice_network.organ_widths import organ_widths


def target(masks, axis=2, size=96):
    """A volume with one slice along an axis for each mask of organ 1; the last slice is not labelled."""
    organ = np.stack([*masks, np.zeros((size, size), bool)], axis=axis)
    weight = torch.ones(organ.shape)
    weight.movedim(axis, 0)[-1] = 0
    probability = torch.from_numpy(np.stack([~organ, organ, np.zeros_like(organ)]).astype(np.float32))
    return SoftTarget(probability * weight, weight)


def strip(width, size=96):
    mask = np.zeros((size, size), bool)
    mask[10 : 10 + width, 5:-5] = True
    return mask


def disc(radius, size=96):
    row, column = np.mgrid[:size, :size] - size // 2
    return row**2 + column**2 <= radius**2


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("width", [8, 16, 24])
def test_a_strip_is_as_wide_as_it_is(axis, width):
    (found,), others = organ_widths(target([strip(width)], axis), (1.0, 1.0, 1.0), axis)

    assert found == pytest.approx(width, abs=3) and others == []


def test_a_disc_counts_two_thirds_of_its_diameter():
    (found,), _ = organ_widths(target([disc(30)]), (0.5, 0.5, 3.0), 2)

    assert found == pytest.approx(40, abs=3)


def test_pixels_are_counted_by_their_smaller_side():
    (wide,), _ = organ_widths(target([strip(16)]), (1.0, 0.5, 3.0), 2)
    (same,), _ = organ_widths(target([strip(16)]), (0.5, 0.5, 3.0), 2)

    assert wide == pytest.approx(2 * same, rel=0.1)


def test_slices_that_hardly_show_an_organ_and_unlabelled_ones_do_not_count():
    touched = np.zeros((96, 96), bool)
    touched[4, 4:20] = True

    assert organ_widths(target([touched, strip(0)]), (1.0, 1.0, 1.0), 2) == [[], []]
    assert len(organ_widths(target([strip(16), disc(20)]), (1.0, 1.0, 1.0), 2)[0]) == 2
