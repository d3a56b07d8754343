"""The files of a segmented image: they appear together, and never replace somebody else's files."""

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..disk.outputs import Outputs, place_of, was_own
from ..disk.study_layout import RECORD_SUFFIX
from ..errors import InputError
from .segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX

LABEL_SUFFIXES = (".nrrd", ".seg.nrrd", ".nii.gz")  # what a label map can be written as, the usual one first


@dataclass(frozen=True)
class ResultFiles:
    """Where the results of the image `name` go, or are written until they are complete.

    Args:
        folder: of the results.
        name: of the image.
        outputs: what may be replaced.
        unwanted: kinds of maps that are not written now; earlier ones would not fit a new label map.
        suffix: of the label map, one of `LABEL_SUFFIXES`.
    """

    folder: Path
    name: str
    outputs: Outputs
    unwanted: tuple[Path, ...] = ()
    suffix: str = LABEL_SUFFIXES[0]

    @property
    def labels(self) -> Path:
        """The label map."""
        return self.folder / f"{self.name}{self.suffix}"

    @property
    def probability(self) -> Path:
        """The class probabilities."""
        return self.folder / f"{self.name}{PROBABILITY_SUFFIX}.nrrd"

    @property
    def uncertainty(self) -> Path:
        """The uncertainty."""
        return self.folder / f"{self.name}{UNCERTAINTY_SUFFIX}.nrrd"

    @property
    def record(self) -> Path:
        """What was measured."""
        return self.folder / f"{self.name}{RECORD_SUFFIX}"

    @property
    def wanted(self) -> list[Path]:
        """All files that may be written, the record last: its checksums tell what belongs together."""
        files = (self.probability, self.uncertainty, self.labels, self.record)
        return [file for file in files if file not in self.unwanted]

    @contextmanager
    def written(self) -> Iterator["ResultFiles"]:
        """Give the files to write to; they take their places together at the end, and unwanted ones are removed."""
        with self.outputs.written(*self.wanted) as temporary:
            yield ResultFiles(temporary[0].parent, self.name, self.outputs, suffix=self.suffix)
        for file in self.unwanted:
            self.outputs.remove(file)


def result_files(
    images: Mapping[str, Path],
    folder: Path,
    outputs: Outputs,
    *,
    probability: bool,
    uncertainty: bool,
    suffix: str = LABEL_SUFFIXES[0],
) -> dict[str, ResultFiles]:
    """The files of all images by name, which may be written.

    Raises:
        InputError: two results would replace each other (also where case and composition of letters do not count), or
            one an image or a file that `outputs` protects.
    """
    _check_names(images, folder, suffix)
    found = {}
    for name in images:
        files = ResultFiles(folder, name, outputs, suffix=suffix)
        maps = {files.probability: probability, files.uncertainty: uncertainty}
        others = (folder / f"{name}{other}" for other in LABEL_SUFFIXES if other != suffix)
        earlier = (file for file in others if file.is_file() and was_own(place_of(file)))
        unwanted = (*(file for file, wanted in maps.items() if not wanted), *earlier)
        found[name] = replace(files, unwanted=unwanted)
    outputs.claim(*(file for files in found.values() for file in (*files.wanted, *files.unwanted)))
    return found


def _check_names(images: Mapping[str, Path], folder: Path, suffix: str) -> None:
    sources = {path.resolve() for path in images.values()}
    results: dict[str, str] = {}
    for name in images:
        for ending in (suffix, f"{PROBABILITY_SUFFIX}.nrrd", f"{UNCERTAINTY_SUFFIX}.nrrd"):
            result = folder / f"{name}{ending}"
            if result.resolve() in sources:
                raise InputError(folder, f"holds an image that {result.name} would replace", "choose another folder")
            other = results.setdefault(unicodedata.normalize("NFC", result.name).casefold(), name)
            if other != name:
                problem = f"and {images[other]} would both be segmented into {result.name}"
                raise InputError(images[name], problem, "rename one of them or segment them into two folders")
