"""Every number that shapes a result, validated, in one model that is stored with each run.

`preset` names a starting point: `quick` suits a laptop without a GPU, `standard` a workstation with one,
`full` follows the papers on CDKD (doi 10.1016/j.ultrasmedbio.2025.12.014) and IDL (arXiv 2509.06495).
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from ..errors import InputError
from .setting_descriptions import described
from .setting_sections import (
    DivergenceSettings,
    PseudoLabelSettings,
    Section,
    SegmentationSettings,
    SliceHeadSettings,
    SliceNetworkSettings,
    StudentSettings,
    TeacherSettings,
    WorkingGridSettings,
)

PresetName = Literal["quick", "standard", "full"]
MethodName = Literal["cross-dimensional", "information-divergence"]


class Settings(Section):
    """All settings of a run; `Settings()` is the preset `quick`."""

    preset: PresetName = Field(default="quick", description="the preset that these settings started from")
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of everything random")
    method: MethodName = Field(default="cross-dimensional", description="the teacher of the 3-D student")
    location_prior: bool = Field(default=True, description="start from where the labelled slices show the organs")
    alignment: bool = Field(default=True, description="line the volumes up with each other, for the location prior")
    probability_scaling: bool = Field(default=True, description="scale students' probabilities to the labelled slices")
    working_grid: WorkingGridSettings = WorkingGridSettings()
    teacher: TeacherSettings = TeacherSettings()
    slice_head: SliceHeadSettings = SliceHeadSettings()
    divergence: DivergenceSettings = DivergenceSettings()
    pseudo_labels: PseudoLabelSettings = PseudoLabelSettings()
    slice_network: SliceNetworkSettings = SliceNetworkSettings()
    student: StudentSettings = StudentSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    minutes: float | None = Field(
        default=None, ge=0.2, le=100_000, description="that training may take: all steps follow; without it, as set"
    )

    @model_validator(mode="before")
    @classmethod
    def _before_slice_networks(cls, data: Any) -> Any:
        """A record without their settings is of a training without 2-D networks, or without what they got later."""
        if not (isinstance(data, dict) and isinstance(data.get("student"), dict)):
            return data
        networks = data.get("slice_network")
        if isinstance(networks, dict):
            before = {"starter": False, "presence": 0.0, "adaptation": 0.0, "ends": False}
            return {**data, "slice_network": {**before, **networks}}
        return {"slice_network": {"steps": 0}, **data}

    @model_serializer(mode="wrap")
    def _without_later_ones(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """JSON as it was before there were such settings, if they are not used: earlier trainings continue."""
        data: dict[str, Any] = dump(self)
        if info.mode == "json" and self.slice_network == SliceNetworkSettings(steps=0):
            del data["slice_network"]
        if info.mode == "json" and self.minutes is None:
            del data["minutes"]
        return data


_PRESETS: dict[PresetName, Settings] = {
    "quick": Settings(),
    "standard": Settings(
        preset="standard",
        working_grid=WorkingGridSettings(max_voxels=80),
        teacher=TeacherSettings(architecture="tiny", slice_size=160, steps=5_000, batch_size=64),
        slice_head=SliceHeadSettings(steps=1_000),
        divergence=DivergenceSettings(
            image_size=448, partner="swin-unet", transformer_width=96, steps=10_000, slice_steps=10_000,
            labelled_images=8, unlabelled_images=8,
        ),
        pseudo_labels=PseudoLabelSettings(views=10),
        slice_network=SliceNetworkSettings(max_voxels=256, steps=2_000, batch_size=8),
        student=StudentSettings(widths=(24, 48, 96, 192), window=96, rounds=2, members=3, steps=2_000, batch_size=2),
    ),
    "full": Settings(
        preset="full",
        location_prior=False,
        probability_scaling=False,
        working_grid=WorkingGridSettings(max_voxels=256),
        teacher=TeacherSettings(
            objective="dino", architecture="small", slice_size=256, axes="slice", steps=100_000, batch_size=64,
            local_crops=8,
        ),
        slice_head=SliceHeadSettings(
            steps=10_000, learning_rate=1e-4, weight_decay=1e-4, rotation_degrees=45.0, shift=0.2
        ),
        divergence=DivergenceSettings(
            image_size=448, partner="swin-unet", transformer_width=96, steps=30_000, slice_steps=30_000, rounds=1,
            labelled_images=8, unlabelled_images=8, optimizer="sgd", learning_rate=1e-3, transformer_learning_rate=1e-3,
            weight_decay=1e-4, information_divergence=1.0, interpolation_start=1 / 30, unlabelled_start=0.0,
            ramp_up=1.0, strong_views=False, scale=0.0, stretch=0.0, shift=0.0, deformation=0.0, flip=False,
        ),
        pseudo_labels=PseudoLabelSettings(views=20, rotation_degrees=45.0, shift=0.1),
        slice_network=SliceNetworkSettings(steps=0),
        student=StudentSettings(
            network="published", window=256, rounds=1, members=1, steps=50_000, steps_per_labelled_slice=0,
            label_steps=0, batch_size=4, learning_rate=1e-4,
            weight_decay=1e-4, teacher_label_weight=1.0, correlation_weight=1.0, correlation_slices=16,
        ),
    ),
}  # fmt: skip


def preset(name: str) -> Settings:
    """The settings of a preset. Raises `InputError` for an unknown name.

    Examples:
        >>> preset("standard").student.members
        3
    """
    for known, settings in _PRESETS.items():
        if name == known:
            return settings
    raise InputError(f"preset {name}", "does not exist", f"choose one of {', '.join(_PRESETS)}")


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """A validated copy with values replaced by dotted name, such as `{"student.steps": 10}`.

    Raises `InputError` for an unknown name or a value out of bounds.

    Examples:
        >>> changed(preset("quick"), {"student.steps": 10}).student.steps
        10
    """
    data = settings.model_dump()
    for name, value in changes.items():
        *sections, field = name.split(".")
        target: dict[str, Any] = data
        for section in sections:
            target = target.get(section, {}) if isinstance(target, dict) else {}
            if not isinstance(target, dict) or not target:
                raise InputError(f"setting {name}", "does not exist", _instead_of(name))
        target[field] = value
    return parse_settings("settings", data)


def parse_settings(source: str | Path, data: Any) -> Settings:
    """Settings from JSON data. Raises `InputError` that names `source` and the first field that is wrong."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise invalid(source, error) from error


def invalid(source: str | Path, error: ValidationError) -> InputError:
    """The first problem of a failed validation as one sentence."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return InputError(source, f"'{field}' is wrong (there is no such setting)", _instead_of(field))
    problem = first["msg"].removeprefix("Value error, ")
    if isinstance(first["input"], dict):  # what goes together is wrong
        return InputError(source, f"is wrong ({problem})", "correct this")
    return InputError(source, f"'{field}' is wrong ({problem}, given {first['input']!r:.80})", "correct this value")


def _instead_of(name: str) -> str:
    """What to do about a setting that does not exist."""
    near = get_close_matches(name, [setting.name for setting in described(preset("quick"))], n=1, cutoff=0.5)
    likely = f"write {near[0]}" if near else "choose another name"
    return f"{likely}, `uslabelseg settings` lists all"
