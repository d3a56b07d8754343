"""`study.json`: what a study holds, readable by people and programs."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ..annotation.organ_names import folded
from ..disk.files import atomic_write_text
from ..disk.json_files import read_json
from ..disk.kinds import kind_of
from ..disk.names import LONGEST_NAME, name_problem, names_problem
from ..disk.study_layout import IMAGES, LABELS, MANIFEST_NAME
from ..errors import InputError
from .setting_sections import Section
from .settings import invalid

FORMAT: Final = 1


def _in_folder(folder: str) -> AfterValidator:
    """A file directly in a folder of the study, by a name that is legal everywhere."""

    def check(file: str) -> str:
        path = PurePosixPath(file)
        if path.parts[:-1] != (folder,) or str(path) != file or name_problem(path.name) or ":" in file:
            raise ValueError(f"a path relative to the study folder is needed, of a file in its folder {folder}")
        return file

    return AfterValidator(check)


def _named(organs: tuple[str, ...]) -> tuple[str, ...]:
    for organ in organs:
        if not organ.strip() or len(organ) > LONGEST_NAME or any("\ud800" <= letter <= "\udfff" for letter in organ):
            raise ValueError(f"{organ[:80]!r} is no name of an organ")
    if len({folded(organ) for organ in organs}) < len(organs):
        raise ValueError("two organs have the same name")
    return organs


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SliceAxis = Annotated[int, Field(ge=0, le=2)]
Size = Annotated[int, Field(ge=1, le=2**31 - 1)]
Spacing = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class ImageRecord(Section):
    """An image file of the study."""

    file: Annotated[str, _in_folder(IMAGES)]
    sha256: Sha256
    shape: tuple[Size, Size, Size]
    spacing: tuple[Spacing, Spacing, Spacing]


class LabelRecord(Section):
    """A label file of the study.

    `slices` are its labelled slices as (axis, index); of a dense label, the slices of the study's slice axis.
    `organ_slices` counts for each organ the labelled slices that show it.
    """

    file: Annotated[str, _in_folder(LABELS)]
    sha256: Sha256
    slices: tuple[tuple[SliceAxis, Count], ...]
    organ_slices: tuple[Count, ...]


class Case(Section):
    """A volume or 2-D image by its name, with its labels if it has any."""

    name: str
    image: ImageRecord
    labels: LabelRecord | None = None

    @model_validator(mode="after")
    def _slices_of_the_image(self) -> Self:
        for axis, index in () if self.labels is None else self.labels.slices:
            if index >= self.image.shape[axis]:
                raise ValueError(f"slice {index} along axis {axis} lies outside the image")
        return self


class Manifest(Section):
    """The content of `study.json`."""

    format: Literal[1] = FORMAT
    created: str
    dimension: Literal[2, 3] = Field(default=3, description="2: each case is one image, a slice along axis 2")
    slice_axis: SliceAxis
    orientation: Literal["as-stored", "anatomical"] = Field(default="as-stored", description="of the axes of volumes")
    organs: Annotated[tuple[str, ...], AfterValidator(_named)] = Field(min_length=1, max_length=254)
    label_fraction: float | None = Field(default=None, gt=0, le=1, description="asked for when labels were hidden")
    label_seed: int | None = Field(default=None, description="seed of that choice")
    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_case_has_its_own(self) -> Self:
        if problem := names_problem([case.name for case in self.cases]):
            raise ValueError(problem)
        records = [record for case in self.cases for record in (case.image, case.labels) if record is not None]
        # As where case does not count: two cases must not share a file on any system.
        if len({unicodedata.normalize("NFC", record.file).casefold() for record in records}) < len(records):
            raise ValueError("two cases share a file")
        for case in self.cases:
            if case.labels is not None and len(case.labels.organ_slices) != len(self.organs):
                raise ValueError(f"the labels of {case.name!r} are not of {len(self.organs)} organs")
        return self


def like_before(manifest: Manifest, before: Sequence[Case]) -> Manifest:
    """The manifest with cases of an earlier one, the same objects, where they are as they were."""
    known = {case.name: case for case in before}
    cases = tuple(known[case.name] if _same(case, known.get(case.name)) else case for case in manifest.cases)
    return manifest.model_copy(update={"cases": cases})


def _same(now: Case, before: Case | None) -> bool:
    """Whether two cases of a name are equal; comparing models themselves takes pydantic ten times as long."""
    if before is None or vars(now.image) != vars(before.image):
        return False
    labels = [None if case.labels is None else vars(case.labels) for case in (now, before)]
    return labels[0] == labels[1]


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
        data: Any = read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        kind = kind_of(folder)
        problem = f"is not a study (it holds no {MANIFEST_NAME})" if kind is None else f"is not a study but {kind}"
        raise InputError(folder, problem, "give the folder that `study create` made") from error
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
