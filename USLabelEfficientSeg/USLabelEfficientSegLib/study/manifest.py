"""`study.json`: what a study holds, readable by people and programs."""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from ..errors import InputError
from .files import atomic_write_text
from .settings import Section, invalid

MANIFEST_NAME = "study.json"
FORMAT: Final = 1


def _inside_the_study(file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
        raise ValueError("a path relative to the study folder is needed")
    return file


RelativePath = Annotated[str, AfterValidator(_inside_the_study)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SliceAxis = Annotated[int, Field(ge=0, le=2)]


class ImageRecord(Section):
    """An image file of the study."""

    file: RelativePath
    sha256: Sha256
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


class LabelRecord(Section):
    """A label file of the study.

    `slices` are its labelled slices as (axis, index); of a dense label those of the study's slice axis.
    `organ_slices` counts, for each organ, those of them that show it.
    """

    file: RelativePath
    sha256: Sha256
    slices: tuple[tuple[SliceAxis, int], ...]
    organ_slices: tuple[int, ...]


class Case(Section):
    """A volume or 2-D image by its name, with its labels if it has any."""

    name: str = Field(min_length=1)
    image: ImageRecord
    labels: LabelRecord | None = None


class Manifest(Section):
    """The content of `study.json`."""

    format: Literal[1] = FORMAT
    created: str
    dimension: Literal[2, 3] = Field(default=3, description="2: each case is one image, a slice along axis 2")
    slice_axis: SliceAxis
    organs: tuple[str, ...] = Field(min_length=1, max_length=254)
    label_fraction: float | None = Field(default=None, gt=0, le=1, description="asked for when labels were hidden")
    label_seed: int | None = Field(default=None, description="seed of that choice")
    cases: tuple[Case, ...] = Field(min_length=1)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a study, one case a line."""
    data = manifest.model_dump(mode="json")
    cases = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in data.pop("cases"))
    head = json.dumps(data, indent=2, ensure_ascii=False).removesuffix("\n}")
    atomic_write_text(folder / MANIFEST_NAME, f'{head},\n  "cases": [\n{cases}\n  ]\n}}\n')


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a study. Raises `InputError` when it is missing, damaged or of a newer version."""
    path = folder / MANIFEST_NAME
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            folder,
            f"is not a study (it holds no {MANIFEST_NAME})",
            "give the folder that `study create` made",
        ) from error
    except ValueError as error:
        raise InputError(
            path, "is damaged (no valid JSON)", "restore it from a copy or create the study again"
        ) from error
    version = data.get("format") if isinstance(data, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            folder,
            f"is a study of a newer version (format {version}, this program knows {FORMAT})",
            "update the program",
        )
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        raise invalid(path, error) from error
