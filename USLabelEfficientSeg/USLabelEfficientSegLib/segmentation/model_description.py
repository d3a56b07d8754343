"""The description of a model in its file, checked before anything is built: the file may come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from torch import Tensor, nn

from ..calibration.intervals import Calibration
from ..calibration.probability_scaling import ProbabilityScaling
from ..imaging.orientation import Orientation
from ..student.build import StudentDesign, build_student
from .image_statistics import ImageStatistics
from .training_statistics import TrainingStatistics

Count = Annotated[int, Field(strict=True, ge=1)]
Organs = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=255)], ...], Field(min_length=1, max_length=254)]


class _Description(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    format: Count
    organs: Organs
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _different_organs(self) -> Self:
        if len(set(self.organs)) < len(self.organs):
            raise ValueError("two organs have the same name")
        return self


class SliceVoterDescription(BaseModel):
    """Of one 2-D network of a model of volumes, see `SliceVoter`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: Annotated[int, Field(strict=True, ge=0, le=2)]
    size: Annotated[Count, Field(le=1024)]


class SliceVotersDescription(BaseModel):
    """Of all 2-D networks of a model of volumes, see `SliceVoters`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voters: tuple[SliceVoterDescription, ...] = Field(min_length=1, max_length=64)
    max_voxels: Annotated[int, Field(strict=True, ge=32, le=1024)]
    widths: tuple[Annotated[Count, Field(le=4096)], ...] = Field(min_length=2, max_length=6)
    adaptation: float = Field(default=0.0, ge=0, le=1)
    ends: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ends_along_one_axis(self) -> Self:
        if self.ends and len({voter.axis for voter in self.voters}) > 1:
            raise ValueError("it asks for ends along an axis, and its networks see slices of several")
        return self

    @model_serializer(mode="wrap")
    def _without_later_ones(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it was before anybody was asked for ends, if nobody is: the checksum of a model stays."""
        data: dict[str, Any] = dump(self)
        if not self.ends:
            del data["ends"]
        return data


class ModelDescription(_Description):
    """Of a model of volumes, see `SegmentationModel`; fields that earlier formats lack have defaults."""

    networks: Annotated[int, Field(strict=True, ge=0, le=64)]
    design: StudentDesign
    max_voxels: Annotated[Count, Field(le=4096)]
    window: Annotated[Count, Field(le=512)]
    overlap: float = Field(ge=0, lt=1)
    mirrored_axes: tuple[Annotated[int, Field(strict=True, ge=0, le=2)], ...] = Field(max_length=3)
    calibration: Calibration | None = None
    statistics: TrainingStatistics | None = None
    weights: tuple[Annotated[float, Field(ge=0)], ...] = ()
    scaling: ProbabilityScaling | None = None
    orientation: Orientation = "as-stored"
    slices: SliceVotersDescription | None = None

    @property
    def trained(self) -> int:
        """How many networks of either kind there are."""
        return self.networks + (0 if self.slices is None else len(self.slices.voters))

    @model_validator(mode="after")
    def _of_its_organs(self) -> Self:
        organs = len(self.organs)
        counts = {
            "design": self.design.classes - 1,
            "statistics": organs if self.statistics is None else len(self.statistics.volumes_ml),
            "scaling": organs if self.scaling is None else len(self.scaling.slopes) - 1,
            "offsets": organs if self.scaling is None else len(self.scaling.offsets) - 1,
            "intervals": len(self.calibration.offsets) if self.calibration and self.calibration.offsets else organs,
        }
        _check_calibration(self.calibration, ("volume",), organs)
        for name, count in counts.items():
            if count != organs:
                raise ValueError(f"its {name} is of {count} organs, and it names {organs}")
        if self.trained == 0:
            raise ValueError("it has no network")
        if self.weights and not sum(self.weights) > 0:
            raise ValueError("no vote has a weight")
        return self


class ImageModelDescription(_Description):
    """Of a model of 2-D images, see `ImageModel`; fields that earlier formats lack have defaults."""

    image_size: Annotated[Count, Field(le=1024)]
    mirrored: bool
    statistics: ImageStatistics | None = None
    calibration: Calibration | None = None
    zooms: tuple[Annotated[float, Field(ge=0.1, le=10)], ...] = Field(default=(1.0,), min_length=1, max_length=16)
    zoom_margins: tuple[Annotated[float, Field(ge=1, le=10)], ...] = Field(
        default=(),
        max_length=16,
        alias="closer_looks",  # its name in files
    )

    @model_validator(mode="after")
    def _of_its_organs(self) -> Self:
        lists = [] if self.statistics is None else [self.statistics.areas_mm2]
        _check_calibration(self.calibration, ("area", "circumference"), len(self.organs))
        if any(len(values) != len(self.organs) for values in lists):
            raise ValueError(f"it names {len(self.organs)} organs and has ranges of other ones")
        return self


def _check_calibration(calibration: Calibration | None, quantities: tuple[str, ...], organs: int) -> None:
    """Refuse intervals of other quantities or organs. Raises `ValueError`."""
    if calibration is None:
        return
    if {name: len(factors) for name, factors in calibration.factors.items()} != dict.fromkeys(quantities, organs):
        raise ValueError(f"its calibration is not of {' and '.join(quantities)} of {organs} organs")


def loaded_students(description: ModelDescription, tensors: Mapping[str, Tensor]) -> tuple[nn.Module, ...]:
    """The students of a file with its weights, built only when these fit. Raises `ValueError` if they do not."""
    with torch.device("meta"):  # costs nothing, whatever the design asks for
        expected = {name: tensor.shape for name, tensor in build_student(description.design).state_dict().items()}
    networks = []
    for number in range(description.networks):
        prefix = f"{number}/"
        weights = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        check_weights(weights, expected)
        network = build_student(description.design)
        network.load_state_dict(weights)
        networks.append(network)
    return tuple(networks)


def check_weights(weights: Mapping[str, Tensor], expected: Mapping[str, torch.Size]) -> None:
    """Refuse weights of other names or shapes, not finite ones, negative variances. Raises `ValueError`."""
    if {name: tensor.shape for name, tensor in weights.items()} != expected:
        raise ValueError("its weights are those of another network")
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"its weights '{name}' are not finite")
        if name.endswith("running_var") and bool((tensor < 0).any()):  # of batch normalisation, which takes the root
            raise ValueError(f"its variances '{name}' are negative")
