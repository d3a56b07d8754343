"""The slice head: a few thousand weights that turn frozen ViT features into organ probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..study.location_prior import LocationPrior
from .slices import resize_slices


class SliceHead(nn.Module):
    """1x1 convolution, ReLU, 1x1 convolution, upsampling by the patch size (CDKD stage 2).

    The background's logit is fixed at 0, so there is one output channel an organ: with one organ the softmax
    is the sigmoid and cross-entropy the published binary one (24,705 weights for 384 -> 64 -> 1).

    Args:
        in_channels: channels of the features.
        organs: number of organs.
        upsample: patch size of the ViT.
        slice_axis: volume axis that the slices are perpendicular to, for the location prior.
        hidden: channels between the convolutions.
        prior: log-odds by position that the head's logits are added to; None: every place is alike.
    """

    def __init__(
        self,
        in_channels: int,
        organs: int,
        upsample: int,
        slice_axis: int = 2,
        hidden: int = 64,
        prior: LocationPrior | None = None,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.slice_axis = slice_axis
        self.layers = nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, organs, 1))
        self.prior = LocationPrior(organs)
        if prior is not None:
            self.prior.load_state_dict(prior.state_dict())
        self.register_buffer("class_weights", torch.ones(organs + 1))
        self.register_buffer("feature_mean", torch.zeros(in_channels))
        self.register_buffer("feature_scale", torch.ones(in_channels))
        self.class_weights: Tensor
        self.feature_mean: Tensor
        self.feature_scale: Tensor

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Logits (n, organs + 1, h * upsample, w * upsample), background first.

        Args:
            features: (n, C, h, w).
            places: (n,) of the slices in their volumes, from -1 (first) to 1 (last).
        """
        features = (features - self.feature_mean.view(1, -1, 1, 1)) / self.feature_scale.view(1, -1, 1, 1)
        seen = F.pad(self.layers(features), (0, 0, 0, 0, 1, 0))
        expected = self.prior(position_maps(features, places, self.slice_axis))
        return F.interpolate(seen + expected, scale_factor=self.upsample, mode="bilinear")

    def balanced_logits(self, features: Tensor, places: Tensor) -> Tensor:
        """What training compares with labels under class weights w: logits + log w.

        Weighted cross-entropy has its optimum at probabilities proportional to w p; with log w added in training
        alone, `forward` keeps giving p itself, whose sum is the volume.
        """
        return self(features, places) + self.class_weights.log().view(1, -1, 1, 1)

    def probabilities(self, features: Tensor, places: Tensor, slice_shape: Sequence[int]) -> Tensor:
        """Class probabilities (n, organs + 1, H, W) at the slices' own pixels; arguments as of `forward`."""
        return resize_slices(self(features, places).softmax(dim=1), slice_shape)


def feature_statistics(features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of feature maps (n, C, h, w) that may differ in size.

    Most of a token is common to all patches; without removing that, a head needs many times the steps.
    """
    pixels = torch.cat([part.float().movedim(1, -1).flatten(0, -2) for part in features])
    return pixels.mean(dim=0), pixels.std(dim=0).clamp(min=1e-3)


def slice_places(count: int) -> Tensor:
    """Places of the `count` slices of a volume, -1 to 1, at the slices' centres."""
    return (2 * torch.arange(count) + 1) / count - 1


def position_maps(features: Tensor, places: Tensor, slice_axis: int) -> Tensor:
    """Volume coordinates (n, 3, h, w) of patches, each from -1 to 1, in the order of the volume's axes."""
    count, _, height, width = features.shape
    rows = slice_places(height).to(features).view(1, -1, 1).expand(count, -1, width)
    columns = slice_places(width).to(features).view(1, 1, -1).expand(count, height, -1)
    coordinates = [rows, columns]
    coordinates.insert(slice_axis, places.to(features).view(-1, 1, 1).expand(-1, height, width))
    return torch.stack(coordinates, dim=1)


@torch.inference_mode()
def predict_slices(
    head: SliceHead, features: Tensor, slice_shape: Sequence[int], places: Tensor | None = None
) -> Tensor:
    """Class probabilities (n, organs + 1, H, W) of slices at their own pixels.

    Args:
        head: trained slice head; runs on the device that it is on.
        features: (n, C, h, w) of any float type, e.g. `torch.from_numpy(cache.features(...))`.
        slice_shape: rows and columns of the slices.
        places: (n,) see `SliceHead.forward`; all slices of one volume in order when None.

    Returns:
        float32 on the CPU.
    """
    places = slice_places(len(features)) if places is None else places
    device = head.class_weights.device
    pixels = math.prod(features.shape[-2:]) * head.upsample**2
    step = max(1, (1 << 22) // pixels)  # bounds memory
    parts = [
        head.probabilities(part.to(device, torch.float32), place.to(device), slice_shape).cpu()
        for part, place in zip(features.split(step), places.split(step), strict=True)
    ]
    return torch.cat(parts)
