"""Answers for several organs share the voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def shared_probability(odds: Field, drawn: Field, sector: NDArray[np.bool_]) -> Field:
    """Class probabilities (C, i, j, k) of log-odds (C - 1, ...), each against the background."""
    highest = np.maximum(odds.max(axis=0), 0)
    weights = np.concatenate([np.exp(-highest)[None], np.exp(odds - highest)])
    probability = weights / weights.sum(axis=0)
    probability[1:] *= sector
    told = np.abs(drawn).max(axis=0) > 0
    probability[1:] = np.where(told, (1 + drawn) / 2, probability[1:])
    probability[1:] /= np.maximum(probability[1:].sum(axis=0), 1)
    probability[0] = 1 - probability[1:].sum(axis=0)
    return np.asarray(probability, dtype=np.float32)
