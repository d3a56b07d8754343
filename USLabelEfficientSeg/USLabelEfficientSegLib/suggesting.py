"""Which slices of a study to label next: the study's volumes, labels, teacher and model, put before `choose_slices`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .annotation.first_slices import Candidate, choose_first_slices
from .annotation.slice_descriptors import describe_volume, sector_shares, slice_features
from .annotation.sparse_labels import SparseLabels
from .annotation.suggestion import Choice, choose_slices
from .errors import InputError
from .imaging.files import read_label_map, write_label_map
from .imaging.resampling import resample_axes
from .imaging.volume import LabelMap, UltrasoundVolume
from .segmentation.inference import predict
from .segmentation.model import MODEL_NAME, SegmentationModel
from .study.checkpoint import load_checkpoint
from .study.files import writing
from .study.loop import is_complete
from .study.manifest import Case
from .study.provenance import read_settings
from .study.settings import Settings
from .study.study import Study
from .study.training_volumes import prepare_volume
from .teacher.checkpoints import vit_from_state
from .teacher.features import encode_slices
from .teacher.slices import in_slice_axes, slices_along
from .teacher.vit import VisionTransformer
from .training_run import TEACHER_NAME

_VIT_IN_CHECKPOINT = ("modules/model/vit.", "modules/teacher/0.")  # of masked modelling, of DINO
MOST_OBLONG = 3.0  # ratio of the sides of a pixel that can still be labelled on
LEAST_SECTOR = 0.25  # of the largest slice of the volume: what shows less is not worth labelling


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

    Before there is a model these are cuts through the middle of random volumes, along all axes in turn (see
    `annotation.first_slices`). Once the study has a model, they are slices along the study's slice axis that stand
    for many others in the feature space of the teacher, and count as much as the model is unsure about them. A slice
    that is labelled is never suggested, nor one that shows less than a quarter of its volume's largest slice.

    Args:
        study: volumes and sparse labels; nothing is written.
        count: how many; fewer when there are not so many left.
        volume: only slices of this volume, by name; by default of all, spread over them.
        seed: of everything random in the choice.
        device: where teacher and model run; the CPU by default.

    Raises:
        InputError: a study of 2-D images, no such volume, no slice left, or a count below 1.
    """
    if study.dimension == 2:
        raise InputError(study.folder, "is a study of 2-D images", "label any image; only slices can be suggested")
    cases = study.cases if volume is None else (study.case(volume),)
    path = study.run_folder / MODEL_NAME
    if not path.exists():
        return _first(study, cases, count, seed)
    return _unsure(study, cases, count, SegmentationModel.load(path), seed, device or torch.device("cpu"))


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
            dense = read_label_map(labels[case])
            sparse = SparseLabels(dense.voxels, dense.geometry, unlabelled.organs).keep(places)
            write_label_map(folder / f"{case}.nrrd", LabelMap(sparse.voxels, dense.geometry, case))


def _first(study: Study, cases: Sequence[Case], count: int, seed: int) -> list[Suggestion]:
    """Suggestions without a model."""
    candidates = []
    for case in cases:
        image = study.read_volume(case.name)
        usable = {
            axis: share >= LEAST_SECTOR
            for axis, share in enumerate(sector_shares(image.voxels))
            if axis == study.slice_axis or _looks_right(image.geometry.spacing, axis)
        }
        candidates.append(Candidate(usable, [] if case.labels is None else list(case.labels.slices)))
    reason = "no model yet: a cut through the middle of a volume drawn at random, along the axis with the fewest labels"
    return [
        Suggestion(cases[number].name, axis, index, reason)
        for number, (axis, index) in choose_first_slices(candidates, count, seed=seed)
    ]


def _looks_right(spacing: Sequence[float], axis: int) -> bool:
    """Whether pixels of slices along `axis` are square enough to label on them."""
    rows, columns = (spacing[side] for side in in_slice_axes(axis))
    return max(rows, columns) <= MOST_OBLONG * min(rows, columns)


def _unsure(
    study: Study, cases: Sequence[Case], count: int, model: SegmentationModel, seed: int, device: torch.device
) -> list[Suggestion]:
    """Suggestions where the model is unsure."""
    axis = study.slice_axis
    teacher, settings = _teacher(study, device)
    described, labelled, unsure = [], [], []
    for case in cases:
        image = study.read_volume(case.name)
        appearance = None if teacher is None else _teacher_features(image, axis, teacher, settings)
        described.append(describe_volume(image.voxels, axis, appearance))
        known = np.zeros(case.image.shape[axis], dtype=bool)
        known[[index for a, index in case.labels.slices if a == axis] if case.labels is not None else []] = True
        labelled.append(known)
        unsure.append(_uncertainty(model, image, axis, device))

    numbers = np.repeat(np.arange(len(cases)), [len(known) for known in labelled])
    indices = np.concatenate([np.arange(len(known)) for known in labelled])
    uncertainty = np.concatenate(unsure)
    choices = choose_slices(
        slice_features(described),
        numbers,
        count,
        labelled=np.concatenate(labelled),
        usable=np.concatenate([volume.sector_share >= LEAST_SECTOR for volume in described]),
        uncertainty=uncertainty,
        seed=seed,
    )
    space = "simple image descriptors" if teacher is None else "the teacher's features"
    return [
        Suggestion(cases[numbers[choice.row]].name, axis, int(indices[choice.row]), _reason(choice, space, uncertainty))
        for choice in choices
    ]


def _reason(choice: Choice, space: str, uncertainty: NDArray[np.floating]) -> str:
    percent = f"{100 * choice.share:.0f}" if choice.share >= 0.01 else "less than 1"
    ratio = uncertainty[choice.row] / max(float(uncertainty.mean()), 1e-12)
    return (
        f"the model is {ratio:.1f} times as unsure as on average here: nearest to {percent} % of all slices in {space}"
    )


def _teacher(study: Study, device: torch.device) -> tuple[VisionTransformer | None, Settings]:
    """The pretrained teacher of the study's run, if it is complete, and the settings that it was trained with."""
    settings, path = read_settings(study), study.run_folder / TEACHER_NAME
    if settings is None or not is_complete(path):
        return None, Settings()
    tensors, _ = load_checkpoint(path)
    prefix = next(prefix for prefix in _VIT_IN_CHECKPOINT if any(name.startswith(prefix) for name in tensors))
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return vit_from_state(state, path).eval().to(device), settings


def _teacher_features(
    image: UltrasoundVolume, axis: int, teacher: VisionTransformer, settings: Settings
) -> NDArray[np.float32]:
    """Mean patch features (n, C) of the n slices along `axis`, seen on the working grid as in training."""
    volume = prepare_volume(image, None, settings.working_grid.max_voxels)
    pixel_size = [volume.spacing[side] for side in in_slice_axes(axis)]
    maps = encode_slices(teacher, slices_along(volume.grey, axis), pixel_size, settings.teacher.slice_size)
    mean = maps.float().mean(dim=(2, 3)).numpy()
    return _along_slices(mean.T, image.geometry.shape[axis]).T


def _uncertainty(
    model: SegmentationModel, image: UltrasoundVolume, axis: int, device: torch.device
) -> NDArray[np.float32]:
    """Mean uncertainty (n,) of the n slices along `axis`."""
    values = predict(model, image, device).uncertainty
    mean = values.mean(axis=tuple(a for a in range(3) if a != axis))
    return _along_slices(mean[None], image.geometry.shape[axis])[0]


def _along_slices(values: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Values (C, m) of m slices of the working grid, for the `count` slices of the volume: (C, count)."""
    return resample_axes(values[None], (1, len(values), count))[0]
