"""Predictions of a slice model under random views, their mean and their uncertainty.

CDKD (doi 10.1016/j.ultrasmedbio.2025.12.014): a slice is predicted under random rotations and shifts, the
predictions are mapped back, and the mean and standard deviation over the views that cover a pixel are the
pseudo-label and its uncertainty.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..training.random_draws import rotations


class SlicePredictor(Protocol):
    """A slice model: slices (B, 1, H, W) with black = 0, and their numbers (B,) in the stack, to class
    probabilities (B, C, H, W).
    """

    def __call__(self, slices: Tensor, numbers: Tensor) -> Tensor:
        """Probabilities of the slices."""
        ...


@torch.no_grad()
def predict_views(
    predict: SlicePredictor,
    slices: Tensor,
    views: int,
    rotation_degrees: float,
    shift: float,
    generator: torch.Generator,
    *,
    batch_size: int = 16,
    mean_floor: float = 0.1,
    deviation_floor: float = 0.01,
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the predictions over `views` views of every slice.

    The first view is the slice itself; each further one is rotated and shifted at random, every slice on its
    own. Mean and squared deviations are accumulated view by view (Welford), so memory does not grow with the
    views. Published: 20 views, 45 degrees, shift 0.1.

    Args:
        predict: the slice model.
        slices: float (N, 1, H, W), black = 0: what a view shows of the outside of the slice is black.
        views: number of views including the slice itself.
        rotation_degrees: rotations are drawn uniformly from +- this angle.
        shift: shifts are drawn uniformly from +- this fraction of the longer side, along both axes.
        generator: CPU generator of all draws; they do not depend on `batch_size`.
        batch_size: slices per call of `predict`.
        mean_floor, deviation_floor: see `suppress_small`; 0 keeps every value.

    Returns:
        mean (N, C, H, W), and the deviation (N, H, W) of the most uncertain class; at most 0.5.

    Raises:
        ValueError: slices of another shape, fewer than one view, or probabilities of another size than the
            slices.
    """
    if slices.ndim != 4 or slices.shape[1] != 1:
        raise ValueError(f"slices must be (N, 1, H, W), got {tuple(slices.shape)}")
    if views < 1:
        raise ValueError(f"views must be at least 1, got {views}")
    count, _, height, width = slices.shape
    draws = 2 * torch.rand(views - 1, count, 3, generator=generator) - 1
    angles = draws[..., 0] * torch.pi * rotation_degrees / 180
    shifts = draws[..., 1:] * shift * max(height, width)

    means, deviations = [], []
    for start in range(0, count, batch_size):
        batch = slice(start, start + batch_size)
        numbers = torch.arange(count)[batch]
        mean, deviation = _views_of_batch(
            partial(predict, numbers=numbers),
            slices[batch],
            angles[:, batch],
            shifts[:, batch],
        )
        means.append(mean)
        deviations.append(deviation)
    return suppress_small(torch.cat(means), torch.cat(deviations), mean_floor, deviation_floor)


def suppress_small(mean: Tensor, deviation: Tensor, mean_floor: float, deviation_floor: float) -> tuple[Tensor, Tensor]:
    """Set organ probabilities below `mean_floor` and deviations below `deviation_floor` to zero.

    Args:
        mean: (N, C, ...) probabilities. Of several classes the first is the background: it takes what the
            organs lose, so that the classes still sum to 1. A single class is an organ.
        deviation: (N, ...) or any other shape.
        mean_floor: smallest organ probability kept; published 0.1.
        deviation_floor: smallest deviation kept; published 0.01.
    """
    first_organ = 1 if mean.shape[1] > 1 else 0
    organs = mean[:, first_organ:]
    kept = organs * (organs >= mean_floor)
    if first_organ:
        background = mean[:, :1] + (organs - kept).sum(dim=1, keepdim=True)
        kept = torch.cat([background, kept], dim=1)
    return kept, deviation * (deviation >= deviation_floor)


def _views_of_batch(
    predict: Callable[[Tensor], Tensor], slices: Tensor, angles: Tensor, shifts: Tensor
) -> tuple[Tensor, Tensor]:
    """Welford's mean and deviation over the slices and their views by angles (V, B) and shifts (V, B, 2)."""
    mean = _predicted(predict, slices)
    squares = torch.zeros_like(mean)
    count = torch.ones_like(slices)
    for angle, offset in zip(angles.to(slices), shifts.to(slices), strict=True):
        probability, covered = _predict_view(predict, slices, angle, offset)
        count += covered
        change = covered * (probability - mean)
        mean += change / count
        squares += change * (probability - mean)
    deviation = (squares / count).clamp(min=0).sqrt().amax(dim=1)
    return mean, deviation


def _predict_view(
    predict: Callable[[Tensor], Tensor], slices: Tensor, angle: Tensor, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """Predict slices rotated by `angle` (B,) and shifted by `offset` (B, 2), and map the probabilities back.

    A slice's point s, in pixels from the centre, is at v = R s + t in the view. Returns the probability of
    every pixel of the slice (B, C, H, W) and whether the view covers it (B, 1, H, W), 0 or 1.
    """
    height, width = slices.shape[2:]
    half_extent = slices.new_tensor([width / 2, height / 2])
    points = _pixel_offsets(height, width).to(slices)
    rotation = rotations(angle)
    origin = offset[:, None, None, :]
    # Row vectors: s' R' is the row form of R s, and (v - t)' R that of R' (v - t).
    source = torch.einsum("bhwi,bij->bhwj", points - origin, rotation)
    target = torch.einsum("hwi,bji->bhwj", points, rotation) + origin

    inside = (source.abs() <= half_extent).all(-1).unsqueeze(1).to(slices)
    view = inside * functional.grid_sample(slices, source / half_extent, padding_mode="border", align_corners=False)
    probability = _predicted(predict, view)
    # Interpolate over the view's pixels inside the slice only: the outside must not leak into the border.
    packed = torch.cat([probability * inside, inside], dim=1)
    packed = functional.grid_sample(packed, target / half_extent, padding_mode="zeros", align_corners=False)
    share = packed[:, -1:]
    return packed[:, :-1] / share.clamp(min=0.5), (share >= 0.5).to(slices)


def _pixel_offsets(height: int, width: int) -> Tensor:
    """(x, y) of every pixel centre from the centre of the slice, in pixels: (H, W, 2)."""
    y = torch.arange(height) - (height - 1) / 2
    x = torch.arange(width) - (width - 1) / 2
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _predicted(predict: Callable[[Tensor], Tensor], slices: Tensor) -> Tensor:
    probability = predict(slices).to(slices)
    if probability.ndim != 4 or probability[:, :1].shape != slices.shape:
        raise ValueError(
            f"the slice model returned shape {tuple(probability.shape)} for slices {tuple(slices.shape)}; "
            "it must be (B, C, H, W) of the same B, H and W"
        )
    return probability.clone()
