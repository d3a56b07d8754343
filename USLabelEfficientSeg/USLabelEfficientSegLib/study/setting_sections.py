"""The settings of each stage, validated: sections of `settings.Settings`."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Steps = Annotated[int, Field(ge=1, le=10_000_000, description="training steps")]
BatchSize = Annotated[int, Field(ge=1, le=4096, description="samples in one step")]
LearningRate = Annotated[float, Field(gt=0, le=1, description="largest learning rate of the schedule")]
WeightDecay = Annotated[float, Field(ge=0, le=1, description="weight decay of the optimizer")]


def _without_rounding(value: float) -> float:
    """The number of six decimals that a change of units has missed by a rounding error, or the number itself."""
    near = round(value, 6)
    return near if math.isclose(value, near, rel_tol=1e-12) else value


class Section(BaseModel):
    """Settings of one stage: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WorkingGridSettings(Section):
    """The grid that networks see: never finer than the volume's own."""

    max_voxels: int = Field(default=40, ge=16, le=512, description="most voxels along any axis")


class TeacherSettings(Section):
    """Pretraining of the 2-D teacher on unlabelled slices."""

    objective: Literal["dino", "masked"] = Field(default="masked", description="unsupervised objective")
    architecture: Literal["mini", "tiny", "small"] = Field(default="mini", description="size of the vision transformer")
    patch_size: Literal[8, 16] = Field(default=8, description="side of a patch in pixels")
    slice_size: int = Field(
        default=96, ge=32, le=1024, description="side in pixels of the square slices the teacher sees"
    )
    axes: Literal["all", "slice"] = Field(
        default="all", description="slices of all three axes or of the slice axis only"
    )
    weights: str | None = Field(default=None, description="file of a public DINO checkpoint to start from")
    steps: Steps = 200
    batch_size: BatchSize = 16
    learning_rate: LearningRate = 5e-4
    weight_decay: WeightDecay = 0.04
    local_crops: int = Field(default=4, ge=0, le=16, description="small crops besides the two large ones")

    @model_validator(mode="after")
    def _whole_patches(self) -> "TeacherSettings":
        if self.slice_size % self.patch_size:
            raise ValueError(f"slice_size {self.slice_size} is no multiple of patch_size {self.patch_size}")
        return self


class SliceHeadSettings(Section):
    """The slice head, trained on the labelled slices over the frozen teacher's features."""

    hidden: int = Field(default=64, ge=1, le=4096, description="channels between its two 1x1 convolutions")
    steps: Steps = 300
    batch_size: BatchSize = 32
    learning_rate: LearningRate = 3e-3
    weight_decay: WeightDecay = 0.1
    views: int = Field(default=20, ge=0, le=1000, description="random views of each labelled slice")
    rotation_degrees: float = Field(default=15.0, ge=0, le=180, description="largest rotation of these views")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="their largest shift, as a share of the sides")


class PseudoLabelSettings(Section):
    """From slice predictions to a smooth probability volume."""

    views: int = Field(default=2, ge=1, le=200, description="random views of a slice that are averaged")
    rotation_degrees: float = Field(default=15.0, ge=0, le=180, description="largest rotation of a view")
    shift: float = Field(
        default=0.05, ge=0, le=0.5, description="largest shift of a view, as a fraction of the longer side"
    )
    fidelity: float = Field(default=1000.0, gt=0, le=1e9, description="weight of the distance to the slice predictions")
    smoothness: float = Field(
        default=100.0, gt=0, le=1e9, description="weight of the squared differences of neighbours"
    )


STARTER_WIDTHS = (16, 32, 64, 128)  # of the 2-D network whose weights come with the program


class SliceNetworkSettings(Section):
    """The 2-D networks, which see slices along each labelled axis at the labels' own resolution."""

    starter: bool = Field(default=True, description="start from weights that know simulated ultrasound")
    max_voxels: int = Field(default=160, ge=32, le=1024, description="most voxels along any axis of the grid they see")
    widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=STARTER_WIDTHS, min_length=2, max_length=6, description="channels of the levels of the U-Net"
    )
    steps: int = Field(default=800, ge=0, le=10_000_000, description="training steps; 0: no such networks")
    batch_size: int = Field(default=4, ge=1, le=4096, description="labelled, and unlabelled, slices in one step")
    learning_rate: LearningRate = 3e-3
    weight_decay: WeightDecay = 1e-2
    consistency: float = Field(default=1.0, ge=0, le=100, description="weight of the loss on unlabelled slices")
    presence: float = Field(
        default=0.2, ge=0, le=100, description="weight of: every volume shows every organ; 0 where one may be absent"
    )
    adaptation: float = Field(
        default=0.8, ge=0, le=1, description="share of a volume's own slices in the levels that it is seen with"
    )
    ends: bool = Field(
        default=True, description="let the promptable network vote on where organs end, if slices left out say it helps"
    )
    rotation_degrees: float = Field(default=20.0, ge=0, le=180, description="largest random rotation")
    scale: float = Field(default=0.2, ge=0, le=1, description="largest random magnification, log")
    stretch: float = Field(default=0.15, ge=0, le=1, description="largest random change of the aspect ratio, log")
    shift: float = Field(default=0.08, ge=0, le=0.5, description="largest random shift, share of the sides")
    deformation: float = Field(
        default=0.03, ge=0, le=1, description="standard deviation of the smooth deformation, half sides"
    )

    @model_validator(mode="after")
    def _starter_has_these_widths(self) -> "SliceNetworkSettings":
        if self.starter and self.steps and self.widths != STARTER_WIDTHS:
            raise ValueError(f"starter weights have the widths {STARTER_WIDTHS}: other widths need starter = false")
        return self

    @model_serializer(mode="wrap")
    def _without_later_ones(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """JSON as it was before there were such settings, if they are not used: earlier trainings continue."""
        data: dict[str, Any] = dump(self)
        if info.mode == "json" and not self.starter:
            del data["starter"]
        if info.mode == "json" and not self.presence:
            del data["presence"]
        if info.mode == "json" and not self.adaptation:
            del data["adaptation"]
        if info.mode == "json" and not self.ends:
            del data["ends"]
        return data


class StudentSettings(Section):
    """The 3-D students. Distilled students learn in rounds from pseudo-labels, supervised ones from true labels."""

    network: Literal["u-net", "published"] = Field(default="u-net", description="architecture")
    widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(16, 32, 64, 128), min_length=2, max_length=7, description="channels of the levels of the U-Net"
    )
    window: int = Field(default=48, ge=16, le=512, description="largest side in voxels that it sees at once")
    rounds: int = Field(default=4, ge=1, le=20, description="rounds of training")
    members: int = Field(default=1, ge=1, le=20, description="students of each kind; all vote")
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="training steps of a round, at most")] = 400
    steps_per_labelled_slice: float = Field(
        default=20.0, ge=0, le=1e6, description="fewer steps for fewer labels, against overfitting; 0: all steps"
    )
    label_steps: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="most steps of supervised students, which learn from true labels only; 0: none",
    )
    label_steps_from: int = Field(
        default=8, ge=1, le=1_000_000, description="labelled slices needed for supervised students"
    )
    label_steps_per_labelled_slice: float = Field(
        default=800.0, ge=0, le=1e6, description="fewer of these steps for fewer labels; 0: all"
    )
    half_of_votes_at: float = Field(
        default=15.0,
        ge=0,
        le=1e6,
        description="labelled slices at which supervised students have half of all votes; more slices, more votes",
    )
    batch_size: BatchSize = 1
    learning_rate: LearningRate = 3e-3
    weight_decay: WeightDecay = 1e-2
    teacher_label_weight: float = Field(
        default=0.2, ge=0, le=100, description="weight of the loss on the teacher's pseudo-labels, in the first round"
    )
    pseudo_label_weight: float = Field(
        default=1.0, ge=0, le=100, description="weight of the loss on students' pseudo-labels, in later rounds"
    )
    uncertainty_weights: bool = Field(default=True, description="trust pseudo-labels less where they are uncertain")
    correlation_weight: float = Field(default=0.1, ge=0, le=100, description="weight of correlation distillation")
    correlation_slices: int = Field(default=4, ge=1, le=512, description="slices compared with the teacher in a step")
    rotation_degrees: float = Field(
        default=math.degrees(0.2), ge=0, le=180, description="largest random rotation about an axis"
    )
    scale: float = Field(default=0.15, ge=0, le=1, description="largest random scaling, log")
    shift: float = Field(default=0.08, ge=0, le=1, description="largest random shift, fraction of half the extent")
    deformation: float = Field(
        default=0.05, ge=0, le=1, description="standard deviation of the smooth deformation, same unit"
    )

    @property
    def rotation_radians(self) -> float:
        """The largest random rotation, as files and fingerprints of trainings hold it."""
        return _without_rounding(math.radians(self.rotation_degrees))

    @model_validator(mode="before")
    @classmethod
    def _from_radians(cls, data: Any) -> Any:
        radians = data.get("rotation") if isinstance(data, dict) and "rotation_degrees" not in data else None
        if not isinstance(radians, float | int):
            return data
        rest = {name: value for name, value in data.items() if name != "rotation"}
        return {**rest, "rotation_degrees": _without_rounding(math.degrees(radians))}

    @model_serializer(mode="wrap")
    def _to_radians(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        if info.mode == "json":  # a training that began with radians continues
            del data["rotation_degrees"]
            data["rotation"] = self.rotation_radians
        return data


class DivergenceSettings(Section):
    """UNeXt and the partner that it learns from (IDL, arXiv 2509.06495); a weight of 0 drops a term."""

    image_size: int = Field(default=160, ge=32, le=1024, description="longer side in pixels at which images are read")
    partner: Literal["average", "swin-unet"] = Field(
        default="average", description="UNeXt learns from its own moving average or a Swin-Unet"
    )
    transformer_width: int = Field(
        default=32, ge=32, le=192, multiple_of=32, description="channels of the first level of Swin-Unet"
    )
    transformer_weights: str | None = Field(default=None, description="file of a public Swin-tiny checkpoint")
    steps: Steps = 6_000  # on 2-D images
    rounds: int = Field(
        default=2,
        ge=1,
        le=10,
        description="rounds on 2-D images, each taught by the previous one; the first takes two thirds of the steps",
    )
    slice_steps: Steps = 2_000  # on slices of volumes, in one round: the 3-D students' rounds follow
    labelled_images: BatchSize = 4
    unlabelled_images: int = Field(default=4, ge=4, le=4096, multiple_of=2, description="unlabelled images in one step")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="with cosine or with polynomial decay")
    learning_rate: LearningRate = 4e-3
    transformer_learning_rate: LearningRate = 1e-3
    weight_decay: WeightDecay = 1e-2
    cross_supervision: float = Field(default=1.0, ge=0, le=100, description="weight of cross pseudo supervision")
    information_divergence: float = Field(default=0.1, ge=0, le=100, description="weight of information divergence")
    interpolation: float = Field(default=1.0, ge=0, le=100, description="weight of interpolation consistency")
    interpolation_start: float = Field(
        default=0.1, ge=0, le=1, description="when interpolation consistency starts, as a share of the first round"
    )
    unlabelled_start: float = Field(
        default=0.3, ge=0, lt=1, description="share of the first round, at its start, with labelled images only"
    )
    ramp_up: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="share of the first round in which unlabelled terms then reach their weights",
    )
    strong_views: bool = Field(
        default=True,
        description="learn on strongly disturbed images what averaged networks say on weakly disturbed ones",
    )
    strength: float = Field(default=1.0, ge=0, le=3, description="how many images are disturbed; 0 none")
    rotation_degrees: float = Field(default=20.0, ge=0, le=180, description="largest random rotation")
    scale: float = Field(default=0.5, ge=0, le=1, description="largest random magnification, log")
    stretch: float = Field(default=0.2, ge=0, le=1, description="largest random change of the aspect ratio, log")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="largest random shift, share of the sides")
    deformation: float = Field(
        default=0.02, ge=0, le=1, description="standard deviation of the smooth deformation, half sides"
    )
    flip: bool = Field(default=True, description="mirror half of the images from left to right")

    @model_validator(mode="after")
    def _weights_have_a_network(self) -> "DivergenceSettings":
        if self.transformer_weights is not None and self.partner != "swin-unet":
            raise ValueError('transformer_weights are those of a Swin-Unet: they need partner = "swin-unet"')
        return self


class SegmentationSettings(Section):
    """Prediction on whole volumes."""

    overlap: float = Field(
        default=0.25, ge=0, lt=1, description="overlap of neighbouring windows, as a fraction of their size"
    )
    prior_votes: bool = Field(default=True, description="the location prior votes like a student, if there is one")
