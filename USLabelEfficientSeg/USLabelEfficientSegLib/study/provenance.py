"""`run.json`: the settings, seed, software versions and data checksums that reproduce a run."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..disk.files import atomic_write_json
from ..disk.json_files import read_json
from ..disk.study_layout import RUN_RECORD_NAME
from ..errors import InputError
from .settings import Settings, parse_settings
from .study import Study

_PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "safetensors", "pydantic")


def start_run(study: Study, settings: Settings, device: str, continued_from: Mapping[str, Any] | None = None) -> None:
    """Record the start, or the continuation, of training. The caller holds the study's lock.

    Args:
        study: what is trained.
        settings: of the training.
        device: where it computes.
        continued_from: checksum and provenance of the model that it continues from; None: it starts anew.

    Raises `InputError` when the run in the study was started with other settings.
    """
    path = study.run_folder / RUN_RECORD_NAME
    starts: list[dict[str, Any]] = []
    if path.exists():
        stored, starts, *_ = _read(path)
        difference = _difference(stored, settings)
        if difference:
            raise InputError(
                study.folder,
                f"is trained with other settings ({difference})",
                "use --restart to train anew",
                in_panel="train it anew with another preset",
            )
    record = {
        "settings": settings.model_dump(mode="json"),
        "data": {"images": image_checksums(study), "labels": label_checksums(study)},
        **({} if continued_from is None else {"continued_from": continued_from}),
        "starts": [
            *starts,
            {"time": datetime.now(UTC).isoformat(timespec="seconds"), "device": device, **_environment()},
        ],
    }
    atomic_write_json(path, record)


def read_settings(study: Study) -> Settings | None:
    """The settings of the study's run, or None before its first start."""
    path = study.run_folder / RUN_RECORD_NAME
    return _read(path)[0] if path.exists() else None


def read_starts(study: Study) -> list[dict[str, Any]]:
    """When, on which device and with which software the study's run was started and continued, oldest first."""
    path = study.run_folder / RUN_RECORD_NAME
    return _read(path)[1] if path.exists() else []


def labels_changed(study: Study) -> bool:
    """Whether labels were edited, added or removed since the study's run was last started or continued."""
    path = study.run_folder / RUN_RECORD_NAME
    return path.exists() and _read(path)[2] != label_checksums(study)


def images_added(study: Study) -> bool:
    """Whether the study has got more volumes since its run was last started, and lost or changed none."""
    path = study.run_folder / RUN_RECORD_NAME
    if not path.exists():
        return False
    before, now = _read(path)[3], image_checksums(study)
    return len(now) > len(before) and before.items() <= now.items()


def same_images(study: Study) -> bool:
    """Whether the study's run was started with the volumes that the study has now; there must be a run."""
    return _read(study.run_folder / RUN_RECORD_NAME)[3] == image_checksums(study)


def read_continued_from(study: Study) -> dict[str, Any] | None:
    """Checksum and provenance of the model that the study's run continues from, None when it started anew."""
    path = study.run_folder / RUN_RECORD_NAME
    return _read(path)[4] if path.exists() else None


def flat_settings(settings: Settings) -> dict[str, Any]:
    """Every setting by its dotted name, such as `student.steps`."""
    return _flat(settings.model_dump())


def image_checksums(study: Study) -> dict[str, str]:
    """SHA-256 of every image, by case."""
    return {case.name: case.image.sha256 for case in study.cases}


def label_checksums(study: Study) -> dict[str, str]:
    """SHA-256 of every label file, by case."""
    return {case.name: case.labels.sha256 for case in study.cases if case.labels is not None}


def digest(value: Any) -> str:
    """A short fingerprint of a JSON value, for the settings of a stage that depends on it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class _Data(BaseModel):
    images: dict[str, str]
    labels: dict[str, str]


class _Start(BaseModel):
    model_config = ConfigDict(extra="allow")

    versions: dict[str, str]


class _Earlier(BaseModel):
    model_config = ConfigDict(extra="allow")

    sha256: str


class _Record(BaseModel):
    """The content of `run.json`."""

    settings: dict[str, Any]
    data: _Data
    starts: list[_Start] = Field(min_length=1)
    continued_from: _Earlier | None = None


def _read(
    path: Path,
) -> tuple[Settings, list[dict[str, Any]], dict[str, str], dict[str, str], dict[str, Any] | None]:
    """Settings, starts, the labels' and the images' checksums, and what it continues from."""
    try:
        record = _Record.model_validate(read_json(path))
    except (ValueError, OSError) as error:
        raise InputError(
            path, "is damaged", "train anew with --restart and a --preset", in_panel="train it anew with another preset"
        ) from error
    earlier = None if record.continued_from is None else record.continued_from.model_dump()
    starts = [start.model_dump() for start in record.starts]
    return parse_settings(path, record.settings), starts, record.data.labels, record.data.images, earlier


def _difference(old: Settings, new: Settings) -> str:
    """The first setting that differs, such as "student.steps is 800, now 900"; empty when none does."""
    before, after = flat_settings(old), flat_settings(new)
    for name, value in after.items():
        if before[name] != value:
            return f"{name} is {before[name]}, now {value}"
    return ""


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in data.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _environment() -> dict[str, Any]:
    # Installed versions, read without importing these packages: some take seconds.
    versions = {"library": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"versions": versions, "platform": platform.platform(), "cpus": os.cpu_count()}
