"""Evaluation of folders of segmentations, of volumes and 2-D images, against folders of references."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotation.segments import LabelFile
from ..disk.failures import Failures
from ..errors import InputError
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from ..measurement.segmentation_files import find_segmentations, organs_of_labels, read_segmentation
from ..text.counting import counted
from .case_metrics import CaseMetrics, evaluate_case


@dataclass(frozen=True)
class CasePair:
    """The files of a predicted segmentation and of its reference."""

    prediction: Path
    reference: Path


def pair_folders(predictions: Path, references: Path) -> tuple[list[CasePair], list[str]]:
    """Pairs of two folders by image name (`NAME.ext` or `NAME_segmentation.ext`), and the references left over.

    Raises:
        InputError: a prediction has no reference. The other way round is normal: a part was held out.
    """
    predicted, referred = (find_segmentations(folder) for folder in (predictions, references))
    for name, path in predicted.items():
        if name not in referred:
            raise InputError(path, f"has no reference in {references}", "add it or remove the prediction")
    pairs = [CasePair(path, referred[name]) for name, path in predicted.items()]
    return pairs, [name for name in referred if name not in predicted]


def evaluate_pairs(
    pairs: Sequence[CasePair],
    organs: Sequence[str],
    failures: Failures | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
) -> list[CaseMetrics]:
    """Metrics of all pairs.

    Args:
        pairs: files.
        organs: names of the organs.
        failures: takes up the fault of one pair, so that the others are evaluated.
        sizes: tells the pixel sizes of 2-D images whose files do not; a reference has that of its prediction.

    Raises:
        InputError: a case cannot be evaluated, unless `failures` takes that up.
    """
    failures = failures or Failures()
    rows: list[CaseMetrics] = []
    for pair in counted(pairs, "comparing"):
        with failures.of_one(pair.prediction):
            rows += evaluate_case(*_read(pair, sizes, organs), organs)
    return rows


def organs_of(
    pairs: Sequence[CasePair], failures: Failures | None = None, sizes: PixelSizes = UNKNOWN_PIXEL_SIZES
) -> tuple[list[str], list[CasePair]]:
    """Organ names that predictions hold, or else references, or else `organ 1`, ...; and the pairs that can be read.

    Raises:
        InputError: the files are of different organs, or no file holds any organ; a file cannot be read, unless
            `failures` takes that up.
    """
    failures = failures or Failures()
    read: dict[CasePair, tuple[LabelFile, LabelFile]] = {}
    for pair in counted(pairs, "reading"):
        with failures.of_one(pair.prediction):
            prediction, reference = _read(pair, sizes)
            read[pair] = LabelFile.of(pair.prediction, prediction), LabelFile.of(pair.reference, reference)
    if not read:
        return [], []
    predictions, references = ([files[side] for files in read.values()] for side in (0, 1))
    if not any(file.present or file.names for file in (*predictions, *references)):
        raise InputError(pairs[0].reference, "and all other files hold no organ", "give label maps of organs")
    return organs_of_labels(predictions, references), list(read)


def evaluate_folders(predictions: Path, references: Path, organs: Sequence[str]) -> list[CaseMetrics]:
    """Metrics of all predictions of a folder; references without a prediction are left out.

    Raises:
        InputError: a prediction has no reference, or a case cannot be evaluated.

    Examples:
        >>> rows = evaluate_folders(Path("labels"), Path("labels"), ["solid", "fluid"])
        >>> print(rows[0].case, rows[0].organ, rows[0].dice)
        simulated_0000 solid 1.0
    """
    return evaluate_pairs(pair_folders(predictions, references)[0], organs)


def _read(pair: CasePair, sizes: PixelSizes, organs: Sequence[str] | None = None) -> tuple[LabelMap, LabelMap]:
    prediction = read_segmentation(pair.prediction, organs, sizes=sizes)
    return prediction, read_segmentation(pair.reference, organs, geometry=prediction.geometry, sizes=sizes)
