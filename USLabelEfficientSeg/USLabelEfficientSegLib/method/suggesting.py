"""What to label next in a study, by `annotation.suggesting` from its scans, labels and model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..annotation.label_files import read_volume_labels, write_label_map
from ..annotation.segments import segments_of
from ..annotation.sparse_labels import SparseLabels
from ..annotation.suggesting import Look, Suggestion, UnlabelledScan, Worth, suggest_images, suggest_slices
from ..annotation.suggestion import Place
from ..annotation.suggestion_files import write_images, write_slices
from ..disk.files import writing
from ..disk.outputs import Outputs
from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..imaging.scan import LabelMap, Scan
from ..study.manifest import Case
from ..study.study import Study

if TYPE_CHECKING:  # before there is a model, no network is asked, and none need be imported
    import torch

    from ..segmentation.protocols import Model

Organs = Callable[[Scan], NDArray[np.floating]]  # probabilities (organs, I, J, K)


@dataclass
class Remembered:
    """What a process that is asked again and again keeps of a study as it is trained now.

    Args:
        organs: the organs of a scan as the study's model predicts them.
        worth: of the slices of volumes, by volume; filled in.
        looks: of 2-D images, by image; filled in.
    """

    organs: Organs
    worth: dict[str, Worth] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)


def suggest(
    study: Study,
    count: int,
    *,
    volume: str | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    labelled: Mapping[str, Sequence[Place]] | None = None,
    remembered: Remembered | None = None,
) -> list[Suggestion]:
    """The slices of volumes, or the 2-D images, of a study most worth labelling next, most useful first.

    Args:
        study: scans and labels; nothing is written.
        count: how many; fewer when there are not so many left.
        volume: only slices of this volume, by name; by default of all, spread over them.
        seed: of the order of the volumes.
        device: where the study's model runs, if it has one; the CPU by default.
        labelled: slices (axis, index) by scan that are labelled now, where the study does not know yet.
        remembered: what was found in the scans the last time; nothing by default.

    Raises:
        InputError: a volume of 2-D images, no such volume, nothing left, or a count below 1.

    Examples:
        >>> study = Study.open(Path("my-study"))
        >>> slices = [(suggestion.volume, suggestion.axis, suggestion.index) for suggestion in suggest(study, 2)]
        >>> len(slices)
        2
    """
    if study.is_planar and volume is not None:
        problem = f"is for volumes, and {study.folder} is a study of 2-D images"
        raise InputError(f"volume {volume}", problem, "leave it out: an image is labelled as a whole")
    kept = remembered or Remembered(_organs_by_model(study, device))
    cases = study.cases if volume is None else (study.case(volume),)
    scans = [UnlabelledScan(case.name, partial(study.read_scan, case.name), _places(case, labelled)) for case in cases]
    organs = kept.organs if is_trained(study) else None
    if study.is_planar:
        return suggest_images(scans, count, uncertainty=_uncertainty(organs), seed=seed, remembered=kept.looks)
    return suggest_slices(
        scans, count, study.slice_axis, organs=organs, seed=seed, of_one=volume is not None, remembered=kept.worth
    )


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


def is_trained(study: Study) -> bool:
    """Whether suggestions follow from the study's model."""
    return (study.run_folder / MODEL_NAME).exists()


def _organs_by_model(study: Study, device: torch.device | None) -> Organs:
    """The organs of a scan as the study's model predicts them; it is loaded for the first scan."""

    @cache
    def model() -> Model:
        from ..segmentation.loading import load_model

        return load_model(study.folder)

    def organs(scan: Scan) -> NDArray[np.floating]:
        import torch

        return model().predict(scan, device or torch.device("cpu")).probability[1:]

    return organs


def _uncertainty(organs: Organs | None) -> Callable[[Scan], float] | None:
    """The uncertainty of the study's model about an image: mean of 1 - expected Dice; None before a model."""
    if organs is None:
        return None
    from ..segmentation.decision import expected_dice

    return lambda image: 1 - float(np.mean([expected_dice(organ) for organ in organs(image)]))


def _places(case: Case, labelled: Mapping[str, Sequence[Place]] | None) -> Sequence[Place]:
    return _labelled(case) if labelled is None or case.name not in labelled else labelled[case.name]


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
