"""A 2-D network with the levels of the volume that it is to segment, instead of those of its training.

    level of a channel, mean and variance:   (1 - a) of the training  +  a of the volume's own slices

Another probe, another setting, another patient shift what a network's channels read on average; batch normalisation
with the averages of the training then takes the shift for content. The volume's own slices tell its levels, without a
label (AdaBN, arXiv 1603.04779; prediction-time batch normalisation, arXiv 2006.10963).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..divergence.images import canvas_shape
from ..teacher.slices import in_slice_axes, resize_slices
from ..training.precision import half_precision
from .prediction import network_grey

MOST_SLICES = 24  # spread over the volume: more tell the same levels
AT_ONCE = 8


@torch.no_grad()
def adapted(
    network: nn.Module, grey: Tensor, spacing: Sequence[float], axis: int, size: int, *, share: float
) -> nn.Module:
    """A copy of a network for one volume; the network itself if the volume has no share in the levels.

    Args:
        network: a `SliceUNet` in evaluation mode, on its device.
        grey: (I, J, K) intensities of the volume, see `slices.slice_grey`.
        spacing: voxel size in mm.
        axis: of the slices.
        size: longer side of a slice in pixels, at which the network was trained.
        share: of the volume in the levels, 0 to 1.
    """
    if not share:
        return network
    own = copy.deepcopy(network)
    norms = [module for module in own.modules() if isinstance(module, nn.BatchNorm2d)]
    trained = [[level.clone() for level in _levels(norm)] for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all slices count alike
    device = next(own.parameters()).device
    own.train()
    for slices in spread_slices(grey, spacing, axis, size):
        with half_precision(device):
            own(slices.to(device))
    for norm, before in zip(norms, trained, strict=True):
        for level, of_training in zip(_levels(norm), before, strict=True):
            level.lerp_(of_training, 1 - share)
    return own.eval()


def _levels(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


def spread_slices(grey: Tensor, spacing: Sequence[float], axis: int, size: int) -> Iterator[Tensor]:
    """Slices (n, 1, h, w) as the network reads them, evenly spread along the axis, some at a time; see `adapted`."""
    slices = grey.movedim(axis, 0)
    numbers = torch.linspace(0, len(slices) - 1, min(MOST_SLICES, len(slices))).round().long()
    rows, columns = in_slice_axes(axis)
    canvas = canvas_shape(slices.shape[1:], (spacing[rows], spacing[columns]), size)
    for some in resize_slices(slices[numbers][:, None].float(), canvas).split(AT_ONCE):
        yield network_grey(some)
