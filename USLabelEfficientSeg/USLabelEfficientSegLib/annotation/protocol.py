"""The label protocol: which slices stay labelled when all but a fraction of them is hidden."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError


def choose_labelled_slices(slice_counts: Sequence[int], fraction: float, seed: int) -> list[list[int]]:
    """Draw the labelled slices: `max(1, round(fraction * N))` of all N without replacement, seeded.

    Args:
        slice_counts: number of slices of each densely labelled volume, volumes sorted by name.
        fraction: labelled slices over all slices, in (0, 1].
        seed: of `numpy.random.default_rng`.

    Returns:
        For each volume the sorted indices of its labelled slices, possibly none.

    Raises:
        InputError: a fraction outside (0, 1], a negative seed or no slices at all.
    """
    if not 0.0 < fraction <= 1.0:
        raise InputError(f"label fraction {fraction:g}", "is outside (0, 1]", "give a fraction such as 0.005")
    if seed < 0:
        raise InputError(f"seed {seed}", "is negative", "give a seed of 0 or more")
    starts = np.concatenate([[0], np.cumsum(slice_counts, dtype=np.int64)])
    total = int(starts[-1])
    if total == 0:
        raise InputError("label fraction", "needs densely labelled volumes, and there are none", "give dense labels")
    chosen = np.random.default_rng(seed).choice(total, max(1, round(fraction * total)), replace=False)
    chosen.sort()
    edges = np.searchsorted(chosen, starts)
    return [
        (chosen[low:high] - start).tolist() for low, high, start in zip(edges[:-1], edges[1:], starts[:-1], strict=True)
    ]
