import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from scipy.ndimage import gaussian_filter

from USLabelEfficientSegLib.evaluation.metrics import (
    dice,
    surface_distances,
    surface_voxels,
    volume_error_percent,
)

SPACING = (0.5, 1.0, 2.5)


def blob(seed, shape=(40, 36, 20)):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    return noise > np.quantile(noise, 0.7)  # several parts, some of them at the border


@pytest.mark.parametrize("seed", range(4))
def test_metrics_agree_with_monai(seed):
    prediction, reference = blob(seed), blob(seed) ^ (blob(seed + 100) & blob(seed + 200))
    one, other = (torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference))

    assert dice(prediction, reference) == pytest.approx(compute_dice(one, other).item(), abs=1e-6)
    assert surface_distances(prediction, reference, SPACING).hausdorff_95 == pytest.approx(
        compute_hausdorff_distance(one, other, percentile=95, spacing=SPACING, include_background=True).item(),
        abs=1e-4,
    )
    assert surface_distances(prediction, reference, SPACING).average == pytest.approx(
        compute_average_surface_distance(one, other, symmetric=True, spacing=SPACING, include_background=True).item(),
        abs=1e-4,
    )


def test_distance_between_shifted_boxes_is_the_shift_in_mm():
    reference = np.zeros((30, 30, 30), dtype=bool)
    reference[5:25, 5:25, 5:25] = True
    slab = np.zeros_like(reference)
    slab[:, :, 10] = True

    assert surface_distances(slab, np.roll(slab, 4, axis=2), SPACING).hausdorff_95 == pytest.approx(4 * 2.5)
    assert surface_distances(slab, np.roll(slab, 4, axis=2), SPACING).average == pytest.approx(4 * 2.5)
    assert surface_distances(reference, np.roll(reference, 3, axis=0), SPACING).hausdorff_95 == pytest.approx(3 * 0.5)
    assert dice(reference, np.roll(reference, 3, axis=0)) == pytest.approx(17 / 20)


def test_hausdorff_95_is_the_larger_of_the_two_directed_percentiles():
    reference = np.zeros((60, 20, 20), dtype=bool)
    reference[2:12, 5:15, 5:15] = True
    prediction = reference.copy()
    prediction[50:56, 8:12, 8:12] = True  # an island: far from the reference, which itself is all found

    distance = surface_distances(prediction, reference, (1.0, 1.0, 1.0)).hausdorff_95

    assert distance > 30
    assert surface_distances(reference, prediction, (1.0, 1.0, 1.0)).hausdorff_95 == distance


def test_empty_masks():
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)

    assert (dice(empty, empty), surface_distances(empty, empty, SPACING).hausdorff_95) == (1.0, 0.0)
    assert surface_distances(empty, empty, SPACING).average == 0.0
    for masks in ((empty, full), (full, empty)):
        assert dice(*masks) == 0.0
        assert np.isnan(surface_distances(*masks, SPACING).hausdorff_95)
        assert np.isnan(surface_distances(*masks, SPACING).average)


def test_surface_includes_voxels_at_the_image_border():
    full = np.ones((5, 5, 5), dtype=bool)

    surface = {tuple(voxel) for voxel in surface_voxels(full)}

    assert len(surface) == 5**3 - 3**3
    assert (0, 2, 2) in surface and (2, 2, 2) not in surface


def test_volume_error_is_signed_and_undefined_without_reference():
    assert volume_error_percent(9.0, 12.0) == pytest.approx(-25.0)
    assert volume_error_percent(0.0, 0.0) == 0.0
    assert np.isnan(volume_error_percent(1.0, 0.0))


def test_distances_of_masks_at_the_image_border_survive_flushed_denormals():
    """Training flushes denormal numbers to zero, on which building a k-d tree over zeros once recursed forever."""
    mask = np.zeros((4, 40, 40), dtype=bool)
    mask[0] = True
    mask[2, 5, 5] = True
    torch.set_flush_denormal(True)
    try:
        distance = surface_distances(mask, np.roll(mask, 1, axis=0), (1.0, 1.0, 1.0)).hausdorff_95
    finally:
        torch.set_flush_denormal(False)

    assert distance == pytest.approx(1.0)
