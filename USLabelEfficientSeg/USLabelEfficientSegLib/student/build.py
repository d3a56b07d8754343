"""Students by name: one interface for our network and the published one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..imaging.normalisation import IMAGE_CHANNELS, POSITION_CHANNELS
from .convolution import with_fast_convolutions
from .network import UNetStudent
from .published import PublishedStudent

Spacing = Annotated[float, Field(gt=0)]
Width = Annotated[int, Field(ge=1, le=4096)]
_PUBLISHED_MULTIPLE = 8  # pixels: it halves a slice three times


class StudentDesign(BaseModel):
    """What a student is built from; stored with its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    network: Literal["u-net", "published"]
    classes: int = Field(ge=2, le=255)
    spacing: tuple[Spacing, Spacing, Spacing]
    slice_axis: int = Field(ge=0, le=2)
    widths: tuple[Width, ...] = Field(min_length=2, max_length=7)


def build_student(design: StudentDesign) -> nn.Module:
    """An untrained student: `forward(volume)` gives logits, `forward_with_features(volume)` features, too.

    Both take image and position channels (B, 5, I, J, K) and give logits (B, classes, I, J, K); features
    (B, F, i, j, k) tile the volume from its first corner on, each a `cell` of so many voxels along each axis.
    """
    if design.network == "published":
        return with_fast_convolutions(PublishedOnVolumes(design.classes, design.slice_axis))
    channels = IMAGE_CHANNELS + POSITION_CHANNELS
    return with_fast_convolutions(UNetStudent(channels, design.classes, design.spacing, design.widths))


class PublishedOnVolumes(nn.Module):
    """The published student behind the same interface: it reads the image alone, slices along `slice_axis`."""

    def __init__(self, classes: int, slice_axis: int) -> None:
        super().__init__()
        self.network = PublishedStudent(outputs=classes, feature_head=True)
        self.slice_dimension = slice_axis + 2
        self.cell = tuple(1 if axis == slice_axis else _PUBLISHED_MULTIPLE for axis in range(3))

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, classes, I, J, K)."""
        return self._back(self.network(self._slices(volume)), volume.shape)

    def forward_with_features(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features (B, 384, i, j, k) at an eighth of the resolution within slices."""
        logits, features = self.network.forward_with_features(self._slices(volume))
        return self._back(logits, volume.shape), features.movedim(2, self.slice_dimension)

    def _slices(self, volume: Tensor) -> Tensor:
        slices = volume[:, :1].movedim(self.slice_dimension, 2)
        missing = [-n % _PUBLISHED_MULTIPLE for n in slices.shape[3:]]
        return F.pad(slices, (0, missing[1], 0, missing[0], 0, 0), mode="replicate")

    def _back(self, logits: Tensor, shape: Sequence[int]) -> Tensor:
        volume = logits.movedim(2, self.slice_dimension)
        return volume[:, :, : shape[2], : shape[3], : shape[4]]
