import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.protocol import choose_labelled_slices
from USLabelEfficientSegLib.errors import InputError


@pytest.mark.parametrize(("fraction", "seed"), [(0.005, 0), (0.1, 3), (1.0, 1), (1e-6, 2)])
def test_slices_are_those_of_the_protocol(fraction: float, seed: int) -> None:
    counts = [44, 10, 1, 300]
    every = [(volume, index) for volume, count in enumerate(counts) for index in range(count)]
    size = max(1, round(fraction * len(every)))
    drawn = np.random.default_rng(seed).choice(len(every), size, replace=False)
    expected = sorted(every[int(number)] for number in drawn)
    chosen = choose_labelled_slices(counts, fraction, seed)
    assert [(volume, index) for volume, indices in enumerate(chosen) for index in indices] == expected
    assert len(chosen) == len(counts)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match=r"outside \(0, 1\]"):
        choose_labelled_slices([10], fraction, 0)


def test_no_slices_and_negative_seeds_are_refused() -> None:
    with pytest.raises(InputError, match="densely labelled"):
        choose_labelled_slices([], 0.5, 0)
    with pytest.raises(InputError, match="seed -1: is negative"):
        choose_labelled_slices([10], 0.5, -1)
