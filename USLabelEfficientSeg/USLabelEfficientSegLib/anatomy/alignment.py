"""Where the anatomy lies in each volume: a shift and a magnification, found without labels, line the volumes up.

Scans of one organ follow a protocol, but never exactly: the organ lies a little deeper, to the left, or fills more of
the picture. Groupwise registration takes that out (Learned-Miller, "Data driven image models through continuous joint
alignment", IEEE PAMI 2006): each volume is moved and magnified along its axes until it resembles the mean of the
others. A position then means a place in the anatomy, not a place in the picture, so what the labelled slices say about
location fits other volumes better. Local edges are compared, because gain and brightness leave them alone, and only
where the first guess of the location expects an organ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ..errors import InputError
from ..imaging.normalisation import AnatomicalFrame, position_channels
from ..imaging.resampling import resample_axes
from .kept import Again, InMemory, Source
from .location_prior import LocationPrior
from .sums import SumInTurn

_GRID = (40, 40, 40)  # on which edges are found, whatever the shape of a volume
_COARSE = (20, 20, 20)  # on which they are compared
_EDGE_SCALE, _NEIGHBOURHOOD = 1.2, 5.0  # in voxels of the grid: 3 and 12 % of the volume
_CLIP = 3.0
_WINDOW_SCALE = 2.0  # in voxels of the coarse grid
_STEPS, _LEARNING_RATE = 40, 0.015
_SHIFT, _LOG_SCALE, _PENALTY = 0.12, 0.15, 0.02  # expected sizes of shift and log magnification, and their weight
AT_ONCE = 64  # volumes that are moved together: two megabytes each


@dataclass(frozen=True)
class Template:
    """The template that volumes are aligned to.

    Attributes:
        edges: (3, i, j, k) mean of the aligned volumes' edge maps.
        window: (i, j, k) weights in [0, 1] of the comparison.
    """

    edges: Tensor
    window: Tensor

    def is_valid(self) -> bool:
        """Whether both have their shapes and are finite: they may come from a file."""
        shapes = self.edges.shape == (3, *_COARSE) and self.window.shape == _COARSE
        return shapes and bool(torch.isfinite(self.edges).all()) and bool(torch.isfinite(self.window).all())

    def frame_of(self, grey: Tensor) -> AnatomicalFrame:
        """Align one more volume (I, J, K). Raises `InputError` if the template, which may come from a file, is none."""
        if not self.is_valid():
            raise InputError("the model", "holds no template that volumes can be aligned to", "train its study anew")
        edges = InMemory(Edges(edge_map(grey)[None]))
        pose = _aligned([edges], 1, self.window, lambda moved, total: self.edges[None])
        return _frame(pose[0])


@dataclass(frozen=True)
class Edges:
    """Edge maps (N, 3, i, j, k) of some volumes."""

    edges: Tensor


def align_group(
    greys: Sequence[Tensor], expected: LocationPrior, progress: Callable[[int, int], None]
) -> tuple[list[AnatomicalFrame], Template]:
    """Align volumes with each other.

    Args:
        greys: (I, J, K) intensities in [0, 1], shapes may differ; a sequence may read them when it is asked for one.
        expected: where organs lie before any alignment.
        progress: called with each step and the number of steps.

    Returns:
        The frame of each volume, on average the identity, and the template for volumes to come.
    """
    organ = 1 - expected(position_channels(_COARSE)[None]).softmax(dim=1)[0, 0]
    window = torch.from_numpy(gaussian_filter(organ.numpy(), _WINDOW_SCALE))
    window = window / window.max()
    if len(greys) == 1:
        return [AnatomicalFrame()], Template(edge_map(greys[0]), window)
    parts = [Again(partial(_edges_of, greys[first : first + AT_ONCE])) for first in range(0, len(greys), AT_ONCE)]

    def mean_of_others(moved: Tensor, total: Tensor) -> Tensor:
        return (total - moved) / (len(greys) - 1)

    pose = _aligned(parts, len(greys), window, mean_of_others, centred=True, progress=progress)
    template = Template(_sum_of_moved(parts, pose).mean(), window)
    return [_frame(one) for one in pose], template


def _edges_of(greys: Sequence[Tensor]) -> Edges:
    return Edges(torch.stack([edge_map(grey) for grey in greys]))


def edge_map(grey: Tensor) -> Tensor:
    """Edges along each axis (3, i, j, k) of a volume (I, J, K), relative to how edgy their neighbourhood is."""
    logarithm = np.log1p(255 * resample_to(grey, _GRID))
    smooth = gaussian_filter(logarithm, _EDGE_SCALE)
    maps = []
    for gradient in np.gradient(smooth):
        usual = gaussian_filter(np.abs(gradient), _NEIGHBOURHOOD)
        maps.append(np.clip(gradient / (usual + 0.02), -_CLIP, _CLIP))
    return F.avg_pool3d(torch.from_numpy(np.stack(maps)).float(), 2)


def resample_to(grey: Tensor, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """A volume (I, J, K) on a grid of another shape over the same extent."""
    return np.asarray(resample_axes(grey.float().numpy(), shape), dtype=np.float32)


def _aligned(
    parts: Sequence[Source[Edges]],
    count: int,
    window: Tensor,
    target_of: Callable[[Tensor, Tensor], Tensor],
    centred: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Poses (N, 2, 3), shift and log scale: maximise the correlation of edge maps (N, 3, i, j, k) with their target.

    Args:
        parts: the edge maps of all volumes, some at a time.
        count: N, of the volumes.
        window: see `Template`.
        target_of: of some moved edge maps (n, 3, i, j, k), given the sum of all (3, i, j, k); held fixed within a step.
        centred: keep the mean pose at the identity; otherwise a group could drift away.
        progress: see `align_group`.
    """
    pose = torch.zeros(count, 2, 3, requires_grad=True)
    expected = torch.tensor([_SHIFT, _LOG_SCALE])[:, None]
    optimizer = torch.optim.Adam([pose], _LEARNING_RATE)

    def gauged() -> Tensor:
        return pose - pose.mean(dim=0) if centred else pose

    with torch.enable_grad():
        for step in range(_STEPS):
            poses = gauged()
            slope = _slope_of_similarity(parts, poses.detach(), window, target_of)
            optimizer.zero_grad()
            ((poses * slope).sum() + _PENALTY * (pose / expected).square().sum()).backward()
            optimizer.step()
            if progress is not None:
                progress(step + 1, _STEPS)
    return gauged().detach()


def _slope_of_similarity(
    parts: Sequence[Source[Edges]], poses: Tensor, window: Tensor, target_of: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """How fast minus the similarity of all volumes with their targets grows with each pose (N, 2, 3)."""
    poses = poses.requires_grad_()
    of_parts = poses.split(AT_ONCE)
    total = None if len(parts) == 1 else _sum_of_moved(parts, poses.detach()).total()
    for part, some in zip(parts, of_parts, strict=True):
        moved = _move(part().edges, some)
        fixed = moved.detach()
        target = target_of(fixed, fixed.sum(dim=0) if total is None else total)
        (-_correlation(moved, target, window).mean(dim=1).sum()).backward()
    assert poses.grad is not None
    return poses.grad


def _sum_of_moved(parts: Sequence[Source[Edges]], poses: Tensor) -> SumInTurn:
    total = SumInTurn(len(poses))
    with torch.no_grad():
        for part, some in zip(parts, poses.split(AT_ONCE), strict=True):
            for moved in _move(part().edges, some):
                total.add(moved)
    return total


def _move(edges: Tensor, pose: Tensor) -> Tensor:
    """Edge maps (N, 3, i, j, k) as seen from the anatomy's frame: at u they show the volume's x = shift + scale u."""
    shift, scale = pose[:, 0], pose[:, 1].exp()
    transform = torch.cat([torch.diag_embed(scale), shift[:, :, None]], dim=2)
    # affine_grid orders coordinates from the last axis to the first.
    transform = torch.cat([transform[:, :, :3].flip(1, 2), transform[:, :, 3:].flip(1)], dim=2)
    grid = F.affine_grid(transform, list(edges.shape), align_corners=False)
    return F.grid_sample(edges, grid, padding_mode="border", align_corners=False)


def _correlation(one: Tensor, other: Tensor, window: Tensor) -> Tensor:
    """Weighted correlation (N, C) of maps (N, C, i, j, k)."""
    weight = window / window.sum()

    def standardised(maps: Tensor) -> Tensor:
        centred = maps - (maps * weight).sum(dim=(2, 3, 4), keepdim=True)
        variance = (centred.square() * weight).sum(dim=(2, 3, 4), keepdim=True)
        return centred / variance.clamp(min=1e-6).sqrt()

    return (standardised(one) * standardised(other) * weight).sum(dim=(2, 3, 4))


def _frame(pose: Tensor) -> AnatomicalFrame:
    shift, scale = pose[0].tolist(), pose[1].exp().tolist()
    return AnatomicalFrame((shift[0], shift[1], shift[2]), (scale[0], scale[1], scale[2]))
