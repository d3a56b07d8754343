"""The slice head: a few thousand weights that turn frozen ViT features into organ probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy.location_prior import LocationPrior
from ..imaging.normalisation import AnatomicalFrame
from .slices import in_slice_axes, resize_slices


class SliceHead(nn.Module):
    """1x1 convolution, ReLU, 1x1 convolution, upsampling by the patch size (CDKD stage 2).

    The background's logit is fixed at 0, so there is one output channel an organ: with one organ the softmax
    is the sigmoid and cross-entropy the published binary one (24,705 weights for 384 -> 64 -> 1).

    Args:
        in_channels: channels of the features.
        organs: number of organs.
        upsample: patch size of the ViT.
        hidden: channels between the convolutions.
        prior: log-odds by position that the head's logits are added to; None: every place is alike.
    """

    def __init__(
        self,
        in_channels: int,
        organs: int,
        upsample: int,
        hidden: int = 64,
        prior: LocationPrior | None = None,
    ) -> None:
        super().__init__()
        self.upsample = upsample
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

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Logits (n, organs + 1, h * upsample, w * upsample), background first.

        Args:
            features: (n, C, h, w).
            boxes: (n, 3, 2) what the slices cover, see `slice_boxes`.
        """
        features = (features - self.feature_mean.view(1, -1, 1, 1)) / self.feature_scale.view(1, -1, 1, 1)
        seen = F.pad(self.layers(features), (0, 0, 0, 0, 1, 0))
        expected = self.prior(position_maps(features, boxes))
        return F.interpolate(seen + expected, scale_factor=self.upsample, mode="bilinear")

    def balanced_logits(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Logits for training under class weights w: logits + log w.

        Weighted cross-entropy has its optimum at probabilities proportional to w p. Because log w is added in training
        only, `forward` gives p itself, whose sum is the volume.
        """
        return self(features, boxes) + self.class_weights.log().view(1, -1, 1, 1)

    def probabilities(self, features: Tensor, boxes: Tensor, slice_shape: Sequence[int]) -> Tensor:
        """Class probabilities (n, organs + 1, H, W) at the slices' own pixels; arguments as of `forward`."""
        return resize_slices(self(features, boxes).softmax(dim=1), slice_shape)


def feature_statistics(features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of feature maps (n, C, h, w) that may differ in size.

    Most of a token is common to all patches; without removing that, a head needs many times the steps.
    """
    pixels = torch.cat([part.float().movedim(1, -1).flatten(0, -2) for part in features])
    return pixels.mean(dim=0), pixels.std(dim=0).clamp(min=1e-3)


def slice_boxes(count: int, slice_axis: int, frame: AnatomicalFrame | None = None) -> Tensor:
    """The part of the anatomy covered by each of `count` slices: lower and upper bounds (n, 3, 2), axis by axis.

    Along the slice axis both are the slice's centre. Without a frame the volume goes from -1 to 1.
    """
    frame = frame or AnatomicalFrame()
    bounds = torch.tensor([-1.0, 1.0])
    boxes = torch.stack([frame.places(axis, bounds) for axis in range(3)]).expand(count, 3, 2).clone()
    centres = (2 * torch.arange(count) + 1) / count - 1
    boxes[:, slice_axis] = frame.places(slice_axis, centres)[:, None]
    return boxes


def slice_axis_of(boxes: Tensor) -> int:
    """The volume axis that slices with these boxes (n, 3, 2) are perpendicular to: across it they are flat."""
    return int((boxes[0, :, 1] - boxes[0, :, 0]).abs().argmin())


def position_maps(features: Tensor, boxes: Tensor) -> Tensor:
    """Coordinates (n, 3, h, w) of the patches of slices in the anatomy, in the order of the volume's axes."""
    height, width = features.shape[2:]
    low, high = boxes.to(features)[..., None, None].unbind(dim=2)
    share = features.new_zeros(1, 3, height, width)
    rows, columns = in_slice_axes(slice_axis_of(boxes))
    share[:, rows] = ((torch.arange(height) + 0.5) / height).to(features).view(1, -1, 1)
    share[:, columns] = ((torch.arange(width) + 0.5) / width).to(features).view(1, 1, -1)
    return low + (high - low) * share


@torch.inference_mode()
def predict_slices(head: SliceHead, features: Tensor, slice_shape: Sequence[int], boxes: Tensor) -> Tensor:
    """Class probabilities (n, organs + 1, H, W) of slices at their own pixels.

    Args:
        head: trained slice head; runs on the device that it is on.
        features: (n, C, h, w) of any float type, e.g. `torch.from_numpy(cache.features(...))`.
        slice_shape: rows and columns of the slices.
        boxes: (n, 3, 2) see `slice_boxes`.

    Returns:
        float32 on the CPU.
    """
    device = head.class_weights.device
    pixels = math.prod(features.shape[-2:]) * head.upsample**2
    step = max(1, (1 << 22) // pixels)  # bounds memory
    parts = [
        head.probabilities(part.to(device, torch.float32), box.to(device), slice_shape).cpu()
        for part, box in zip(features.split(step), boxes.split(step), strict=True)
    ]
    return torch.cat(parts)
