"""One organ in a whole volume: a coarse pass that finds it, and a fine one on a crop around it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..imaging.resampling import Shape, resample_axes
from .inputs import Prompts, network_inputs
from .network import CUBE, PromptableNetwork

Field = NDArray[np.float32]
Box = tuple[slice, slice, slice]
_MARGIN = 0.2  # of the organ's extent, on each side of the crop
_SMALLEST_CROP = 8  # voxels
_LEAST_COVER = 0.05  # of a coarse voxel that was drawn on: a thin slice counts as a whole one
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
MOST_MIRRORS = len(_MIRRORS)


def organ_odds(
    network: PromptableNetwork, image: Field, drawn: Field, prior: Field | None = None, *, mirrors: int = 1
) -> Field:
    """Log-odds (I, J, K) of an organ on the grid of its volume.

    Args:
        network: trained, in evaluation mode.
        image: (I, J, K) grey values.
        drawn: (I, J, K) 1 where the organ was drawn, -1 where something else, 0 where nothing.
        prior: (I, J, K) probability of the organ by another opinion, such as a student's.
        mirrors: number of mirror images, 1 to 8, to average over.
    """
    odds = _pass(network, image, drawn, prior, mirrors)
    crop = _around((odds > 0) | (drawn > 0))
    if crop is not None:
        belief = (1 / (1 + np.exp(-odds[crop]))).astype(np.float32)
        odds[crop] = _pass(network, image[crop], drawn[crop], belief, mirrors)
    return odds


def cube_prompts(drawn: Field, shape: Shape) -> Prompts:
    """The drawing in a box, on the voxels of a cube: a voxel that was partly drawn on counts as a whole one."""
    cover = resample_axes(np.abs(drawn), shape)
    told = cover > _LEAST_COVER
    mean = resample_axes(drawn, shape) / np.maximum(cover, _LEAST_COVER)
    return Prompts(np.where(told, mean, np.float32(0)), told.astype(np.float32))


def _pass(network: PromptableNetwork, image: Field, drawn: Field, prior: Field | None, mirrors: int) -> Field:
    cube: Shape = (CUBE, CUBE, CUBE)
    opinion = None if prior is None else resample_axes(prior, cube)
    inputs = network_inputs(resample_axes(image, cube), cube_prompts(drawn, cube), opinion)
    inputs = inputs.to(next(network.parameters()).device)
    with torch.inference_mode():
        answers = []
        for axes in _MIRRORS[:mirrors]:
            flipped = [axis + 1 for axis in axes]
            answers.append(network(inputs.flip(flipped)[None])[0].flip(flipped)[0].cpu())
        odds = torch.stack(answers).mean(dim=0).numpy()
    i, j, k = image.shape
    return resample_axes(odds, (i, j, k))


def _around(organ: NDArray[np.bool_]) -> Box | None:
    """The box of an organ with a margin; None if there is none."""
    if not organ.any():
        return None
    sides = []
    for axis, size in enumerate(organ.shape):
        shown = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = int(shown[0]), int(shown[-1]) + 1
        margin = max(int(np.ceil(_MARGIN * (last - first))), 2, (_SMALLEST_CROP - (last - first)) // 2)
        sides.append(slice(max(first - margin, 0), min(last + margin, size)))
    return sides[0], sides[1], sides[2]
