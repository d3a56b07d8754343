"""Class probabilities of a whole volume from a 2-D network on its slices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..divergence.images import canvas_shape
from ..pseudolabels.fusion import slices_to_volume
from ..teacher.slices import in_slice_axes, resize_slices
from ..training.precision import half_precision
from .fine_volume import NEUTRAL, SPREAD

_PIXELS_AT_ONCE = 1 << 18  # bounds memory
_OF_NEIGHBOUR = 0.2  # weight of each of two neighbouring slices
_LEAST_PROBABILITY = 1e-4  # nobody has a veto


def network_grey(grey: Tensor) -> Tensor:
    """Grey values in [0, 1] as the network reads them: mean 0, standard deviation 1 in the volume."""
    return (grey - NEUTRAL) / SPREAD


@torch.inference_mode()
def predict_slices(
    network: nn.Module,
    grey: Tensor,
    spacing: Sequence[float],
    axis: int,
    size: int,
    *,
    mirrored_axes: Sequence[int] = (),
    numbers: Tensor | None = None,
) -> Tensor:
    """Class probabilities (C, I, J, K) of a volume, float32 on the CPU; mean over the mirror images.

    Args:
        network: a `SliceUNet` in evaluation mode; runs on the device that it is on.
        grey: (I, J, K) intensities, see `slices.slice_grey`.
        spacing: voxel size in mm.
        axis: of the slices.
        size: longer side of a slice in pixels, at which the network was trained.
        mirrored_axes: of the volume, along which mirror images are as plausible.
        numbers: of the slices to predict, (n,); None: all. The result has only these along the axis.
    """
    device = next(network.parameters()).device
    slices = grey.movedim(axis, 0)
    slices = slices if numbers is None else slices[numbers]
    rows, columns = in_slice_axes(axis)
    canvas = canvas_shape(slices.shape[1:], (spacing[rows], spacing[columns]), size)
    flips: list[list[int]] = [[], *([side] for side, other in ((2, rows), (3, columns)) if other in mirrored_axes)]
    parts = []
    for part in slices[:, None].split(max(1, _PIXELS_AT_ONCE // (canvas[0] * canvas[1]))):
        seen = network_grey(resize_slices(part.float(), canvas)).to(device)
        total = torch.zeros(())
        for flip in flips:
            with half_precision(device):
                logits = network(seen.flip(flip))
            total = total + logits.float().softmax(dim=1).flip(flip).cpu()
        parts.append(resize_slices(total / len(flips), slices.shape[1:]))
    return slices_to_volume(torch.cat(parts), axis)


def agreed_with_neighbours(probability: Tensor, axis: int) -> Tensor:
    """Class probabilities (C, I, J, K), each slice pooled with its two neighbours along `axis`.

    Neighbours show nearly the same tissue with other speckle. A logarithmic pool, with weights that were chosen on
    simulated volumes with thick slices (docs/experiments.md).
    """
    logarithms = probability.clamp_min(_LEAST_PROBABILITY).log()
    count = probability.shape[axis + 1]
    places = torch.arange(count)
    before, after = ((places + step).clamp(0, count - 1) for step in (-1, 1))
    pooled = (1 - 2 * _OF_NEIGHBOUR) * logarithms
    pooled += _OF_NEIGHBOUR * logarithms.index_select(axis + 1, before)
    pooled += _OF_NEIGHBOUR * logarithms.index_select(axis + 1, after)
    return pooled.softmax(dim=0)
