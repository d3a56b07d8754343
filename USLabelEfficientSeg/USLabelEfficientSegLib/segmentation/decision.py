"""From probabilities to a mask: the threshold that maximises the Dice to be expected.

A network that has seen few labels is rightly unsure, and then another mask than {p > 1/2} agrees best with the truth.
If p is calibrated, the mask {p >= t} of volume n(t) has about the expected Dice

    E(t) = 2 sum_{p >= t} p / (sum p + n(t)),

whose maximum lies at t = max E / 2 <= 1/2 (Lipton, Elkan & Naryanaswamy, ECML 2014): 1/2 for a certain prediction,
lower for an unsure one. No label is needed, so each volume and organ has its own threshold. It never falls below 0.2:
if nothing is likely, as for an organ that the volume does not show, the mask is empty. Volumes are measured as the sum
of probabilities, not from the mask.
"""

import numpy as np
from numpy.typing import NDArray

_BINS = 1000
LOWEST_THRESHOLD = 0.2


def dice_threshold(probability: NDArray[np.float32]) -> float:
    """The threshold in [0.2, 0.5] that maximises the expected Dice of one organ's probability map."""
    return float(np.clip(expected_dice(probability) / 2, LOWEST_THRESHOLD, 0.5))


def expected_dice(probability: NDArray[np.float32]) -> float:
    """The largest expected Dice of a mask {p >= t} of one organ's probability map: how certain its boundary is."""
    counts, _ = np.histogram(probability, bins=_BINS, range=(0.0, 1.0))
    sums, _ = np.histogram(probability, bins=_BINS, range=(0.0, 1.0), weights=probability)
    above = np.cumsum(counts[::-1])[::-1]  # voxels, and their probability, from each bin upwards
    expected_overlap = np.cumsum(sums[::-1])[::-1]
    return float((2 * expected_overlap / np.maximum(expected_overlap[0] + above, 1e-12)).max())


def uncertainty_of(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) in [0, 1] of class probabilities (C, ...): their entropy over its largest possible value."""
    entropy = -(probability * np.log(np.maximum(probability, 1e-12))).sum(axis=0)
    return np.asarray(entropy / np.float32(np.log(len(probability))))


def decide(probability: NDArray[np.float32], thresholds: list[float]) -> NDArray[np.uint8]:
    """Label map (...) of class probabilities (C, ...) with one threshold an organ.

    If several organs reach their threshold, the organ that exceeds it by the largest factor wins.
    """
    each = (-1, *[1] * (probability.ndim - 1))
    factor = probability[1:] / np.array(thresholds, dtype=np.float32).reshape(each)
    labels = factor.argmax(axis=0).astype(np.uint8) + np.uint8(1)
    labels[factor.max(axis=0) < 1] = 0
    return labels
