import numpy as np
import pytest
from scipy import ndimage

from USLabelEfficientSegLib.segmentation.decision import decide, dice_threshold


def probability_map(unsure, noise=1.0, shape=(24, 24, 24)):
    """Probability of a ball whose surface is known to about `unsure` voxels."""
    axes = np.meshgrid(*[np.arange(n) - n / 2 for n in shape], indexing="ij")
    distance = 8 - np.sqrt(sum(axis**2 for axis in axes))
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 2)
    return (1 / (1 + np.exp(-distance / unsure - noise * blobs))).astype(np.float32)


def mean_dice(probability, threshold, truths):
    """Mean Dice of {p >= threshold} with truths that are drawn voxel by voxel."""
    mask = probability >= threshold
    overlap = 2 * (truths & mask).sum(axis=(1, 2, 3))
    return float((overlap / (truths.sum(axis=(1, 2, 3)) + mask.sum())).mean())


@pytest.mark.parametrize("unsure", [0.3, 1.0, 3.0, 8.0])
def test_no_threshold_has_a_higher_dice_with_truths_drawn_from_the_probabilities(unsure):
    probability = probability_map(unsure)
    rng = np.random.default_rng(1)
    truths = rng.random((20, *probability.shape), dtype=np.float32) < probability

    chosen = mean_dice(probability, dice_threshold(probability), truths)

    best = max(mean_dice(probability, threshold, truths) for threshold in np.linspace(0.01, 0.99, 60))
    assert chosen >= best - 2e-3


def test_the_less_sure_the_network_the_lower_the_threshold():
    thresholds = [dice_threshold(probability_map(unsure, noise=0)) for unsure in (0.1, 0.5, 1.0, 2.0)]

    assert thresholds == sorted(thresholds, reverse=True)
    assert 0.45 < thresholds[0] <= 0.5
    assert thresholds[-1] < 0.35


@pytest.mark.parametrize("share", [0.001, 0.2, 1.0])
def test_a_certain_prediction_is_cut_in_the_middle(share):
    """The mask is cut from interpolated probabilities: a lower threshold would make the organ too large."""
    probability = np.zeros(10_000, dtype=np.float32)
    probability[: int(share * probability.size)] = 1

    assert dice_threshold(probability) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("unlikely", [0.0, 0.01, 0.1])
def test_an_absent_organ_stays_absent(unlikely):
    probability = np.full((2, 8, 8, 8), unlikely, dtype=np.float32)
    probability[0] = 1 - unlikely

    threshold = dice_threshold(probability[1])

    assert 0 < threshold <= 0.5
    assert not decide(probability, [threshold]).any()


def test_one_organ_is_where_its_probability_reaches_the_threshold():
    organ = probability_map(3.0)

    labels = decide(np.stack([1 - organ, organ]), [0.31])

    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels == 1, organ >= np.float32(0.31))


def test_each_voxel_goes_to_the_organ_that_exceeds_its_threshold_by_the_largest_factor():
    organs = np.array([[0.30, 0.30, 0.55, 0.10], [0.50, 0.30, 0.30, 0.10]], dtype=np.float32)
    probability = np.concatenate([1 - organs.sum(axis=0, keepdims=True), organs]).reshape(3, 4, 1, 1)

    assert decide(probability, [0.2, 0.4]).ravel().tolist() == [1, 1, 1, 0]
    assert decide(probability, [0.4, 0.2]).ravel().tolist() == [2, 2, 2, 0]
    assert decide(probability, [0.4, 0.4]).ravel().tolist() == [2, 0, 1, 0]
