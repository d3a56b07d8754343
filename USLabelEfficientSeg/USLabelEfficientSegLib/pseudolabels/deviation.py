"""Disagreement of a slice's pseudo-label with its neighbouring slices."""

import torch
from torch import Tensor


def inter_slice_deviation(mean: Tensor, axis: int = 0, floor: float = 0.01) -> Tensor:
    """Root mean squared difference of every voxel to its neighbours along the slice axis.

    With the slices m_1 .. m_N along `axis`,

        d_n = sqrt( ((m_n - m_{n-1})^2 + (m_n - m_{n+1})^2) / 2 ),

    and only the one existing term at both ends of the stack (CDKD, doi 10.1016/j.ultrasmedbio.2025.12.014).

    Args:
        mean: probabilities, any shape; dimension `axis` runs over the slices.
        axis: dimension of `mean` that is the slice axis.
        floor: smaller deviations count as none; published 0.01.

    Returns:
        The deviation, same shape and unit as `mean`; zero where the stack is a single slice.
    """
    slices = mean.movedim(axis, 0)
    squared_step = (slices[1:] - slices[:-1]).square()
    variance = torch.zeros_like(slices)
    variance[1:] += squared_step
    variance[:-1] += squared_step
    variance[1:-1] /= 2
    deviation = variance.sqrt()
    return (deviation * (deviation >= floor)).movedim(0, axis)
