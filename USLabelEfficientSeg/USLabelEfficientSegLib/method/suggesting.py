"""What to label next in a study, by `annotation.suggesting` from its scans, labels and model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..annotation.label_files import read_volume_labels, write_label_map
from ..annotation.segments import segments_of
from ..annotation.sparse_labels import SparseLabels
from ..annotation.suggesting import Suggestion, UnlabelledScan, suggest_images, suggest_slices
from ..annotation.suggestion_files import write_images, write_slices
from ..disk.files import writing
from ..disk.outputs import Outputs
from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..imaging.scan import LabelMap, Scan
from ..segmentation.decision import expected_dice
from ..segmentation.loading import load_model
from ..study.manifest import Case
from ..study.study import Study


def suggest(
    study: Study, count: int, *, volume: str | None = None, seed: int = 0, device: torch.device | None = None
) -> list[Suggestion]:
    """The slices of volumes, or the 2-D images, of a study most worth labelling next, most useful first.

    Args:
        study: scans and labels; nothing is written.
        count: how many; fewer when there are not so many left.
        volume: only slices of this volume, by name; by default of all, spread over them.
        seed: of the order of the volumes.
        device: where the study's model runs, if it has one; the CPU by default.

    Raises:
        InputError: a volume of 2-D images, no such volume, nothing left, or a count below 1.

    Examples:
        >>> study = Study.open(Path("my-study"))
        >>> slices = [(suggestion.volume, suggestion.axis, suggestion.index) for suggestion in suggest(study, 2)]
        >>> len(slices)
        2
    """
    device = device or torch.device("cpu")
    if study.is_planar:
        if volume is not None:
            problem = f"is for volumes, and {study.folder} is a study of 2-D images"
            raise InputError(f"volume {volume}", problem, "leave it out: an image is labelled as a whole")
        return suggest_images(_scans(study, study.cases), count, uncertainty=_uncertainty(study, device), seed=seed)
    cases = study.cases if volume is None else (study.case(volume),)
    organs, of_one = _organ_probabilities(study, device), volume is not None
    return suggest_slices(_scans(study, cases), count, study.slice_axis, organs=organs, seed=seed, of_one=of_one)


def write_suggestions(
    study: Study, suggestions: Sequence[Suggestion], folder: Path, outputs: Outputs | None = None
) -> list[Path]:
    """Write all that is needed to label suggestions in any program, see `annotation.suggestion_files`."""
    outputs = outputs or Outputs()
    stems = {suggestion.volume: Path(study.case(suggestion.volume).image.file).stem for suggestion in suggestions}
    if study.is_planar:
        return write_images(suggestions, folder, stems=stems, read_image=study.read_scan, outputs=outputs)
    return write_slices(
        suggestions,
        folder,
        stems=stems,
        read_volume=study.read_scan,
        read_labels=study.read_labels,
        organs=study.organs,
        outputs=outputs,
    )


def _scans(study: Study, cases: Sequence[Case]) -> list[UnlabelledScan]:
    return [UnlabelledScan(case.name, partial(study.read_scan, case.name), _labelled(case)) for case in cases]


def _organ_probabilities(study: Study, device: torch.device) -> Callable[[Scan], NDArray[np.floating]] | None:
    """The organs of a scan as the study's model predicts them; None before there is a model."""
    if not (study.run_folder / MODEL_NAME).exists():
        return None
    model = load_model(study.folder)
    return lambda scan: model.predict(scan, device).probability[1:]


def _uncertainty(study: Study, device: torch.device) -> Callable[[Scan], float] | None:
    """The uncertainty of the study's model about an image: mean of 1 - expected Dice; None before a model."""
    organs = _organ_probabilities(study, device)
    if organs is None:
        return None
    return lambda image: 1 - float(np.mean([expected_dice(organ) for organ in organs(image)]))


def _labelled(case: Case) -> list[tuple[int, int]]:
    """The labelled slices of a case; for a dense label the manifest lists only the slices of one axis."""
    slices = [] if case.labels is None else list(case.labels.slices)
    shape = case.image.shape
    if any(sum(axis == a for a, _ in slices) == n for axis, n in enumerate(shape)):
        return [(axis, index) for axis, n in enumerate(shape) for index in range(n)]
    return slices


def write_suggested_labels(
    folder: Path, unlabelled: Study, labels: Mapping[str, Path], fraction: float, seed: int
) -> None:
    """Write the first suggested slices of dense labels to a new folder of sparse label maps.

    Args:
        folder: the new folder.
        unlabelled: the study of the images, without labels.
        labels: dense label map of each case by name.
        fraction: how many slices, as a share of the slices along the study's axis, as in `annotation.protocol`.
        seed: of the choice.
    """
    slices = sum(case.image.shape[unlabelled.slice_axis] for case in unlabelled.cases)
    chosen: dict[str, list[tuple[int, int]]] = {}
    for suggestion in suggest(unlabelled, max(1, round(fraction * slices)), seed=seed):
        chosen.setdefault(suggestion.volume, []).append((suggestion.axis, suggestion.index))
    with writing(folder):
        folder.mkdir()
        for case, places in chosen.items():
            dense = read_volume_labels(labels[case], unlabelled.organs)
            sparse = SparseLabels(dense.voxels, dense.geometry, unlabelled.organs).keep(places)
            segments = segments_of(unlabelled.organs)
            write_label_map(folder / f"{case}.nrrd", LabelMap(sparse.voxels, dense.geometry, case, segments))
