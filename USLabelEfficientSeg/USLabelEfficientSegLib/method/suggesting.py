"""Which slices of a study to label next: the study's volumes, labels and model, put before `choose_slices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..annotation.label_files import read_volume_labels, write_label_map
from ..annotation.segments import segments_of
from ..annotation.sparse_labels import SparseLabels
from ..annotation.suggestion import Candidate, choose_slices
from ..annotation.usable_slices import usable_slices
from ..disk.files import writing
from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..imaging.resampling import resample_axes
from ..imaging.scan import LabelMap, Scan
from ..segmentation.inference import predict
from ..segmentation.model import SegmentationModel
from ..study.manifest import Case
from ..study.study import Study
from ..text.counting import counted

_LEAST_SHARE = 0.05  # of the mean over a volume: the model may be wrong


@dataclass(frozen=True)
class Suggestion:
    """A slice worth labelling: its volume, array axis and index, and why."""

    volume: str
    axis: int
    index: int
    reason: str


def suggest(
    study: Study, count: int, *, volume: str | None = None, seed: int = 0, device: torch.device | None = None
) -> list[Suggestion]:
    """The slices most worth labelling next, most useful first.

    These are cuts through random volumes along all axes in turn, see `annotation.suggestion`: before there is a model
    through the middle, once the study has one, through what that takes for the organs. A slice that is labelled is
    never suggested, nor one that shows less than a quarter of its volume's largest slice.

    Args:
        study: volumes and sparse labels; nothing is written.
        count: how many; fewer when there are not so many left.
        volume: only slices of this volume, by name; by default of all, spread over them.
        seed: of the order of the volumes.
        device: where the model runs; the CPU by default.

    Raises:
        InputError: a study of 2-D images, no such volume, no slice left, or a count below 1.
    """
    if study.dimension == 2:
        raise InputError(study.folder, "is a study of 2-D images", "label any image; only slices can be suggested")
    cases = study.cases if volume is None else (study.case(volume),)
    path = study.run_folder / MODEL_NAME
    model = SegmentationModel.load(path) if path.exists() else None
    volumes = []
    for case in counted(cases, "looking through volumes"):
        image = study.read_volume(case.name)
        alike: list[NDArray[np.floating]] = [np.ones(n) for n in image.geometry.shape]
        worth = alike if model is None else _organ_shares(model, image, device or torch.device("cpu"))
        usable = usable_slices(image, study.slice_axis)
        labelled = _labelled(case)
        volumes.append(Candidate({axis: shown * worth[axis] for axis, shown in usable.items()}, labelled))
    middle = "no model yet: a cut through the middle of" if model is None else "a cut through what the model finds in"
    drawn = "a volume drawn at random" if volume is None else "this volume"
    reason = f"{middle} {drawn}, along the axis with the fewest labels"
    return [
        Suggestion(cases[number].name, *place, reason) for number, place in choose_slices(volumes, count, seed=seed)
    ]


def _labelled(case: Case) -> list[tuple[int, int]]:
    """The labelled slices of a case; of a dense label the manifest lists those of one axis alone."""
    slices = [] if case.labels is None else list(case.labels.slices)
    shape = case.image.shape
    if any(sum(axis == a for a, _ in slices) == n for axis, n in enumerate(shape)):
        return [(axis, index) for axis, n in enumerate(shape) for index in range(n)]
    return slices


def write_suggested_labels(
    folder: Path, unlabelled: Study, labels: Mapping[str, Path], fraction: float, seed: int
) -> None:
    """Of dense labels, write those of the slices that are suggested first, to a new folder of sparse label maps.

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


def _organ_shares(model: SegmentationModel, image: Scan, device: torch.device) -> list[NDArray[np.floating]]:
    """For each axis (n,) how much the n slices along it hold of the organs that the model finds, each organ alike."""
    organs = predict(model, image, device).probability[1:]
    shares = (organs / organs.sum(axis=(1, 2, 3), keepdims=True).clip(1e-6)).sum(axis=0)
    worth = []
    for axis, n in enumerate(image.geometry.shape):
        along = shares.sum(axis=tuple(a for a in range(3) if a != axis))
        known = resample_axes(along[None, None], (1, 1, n))[0, 0]
        worth.append(known + max(_LEAST_SHARE * known.mean(), 1e-6))
    return worth
