"""What a trained model must know of itself to give intervals and warnings: the last stage of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.training_volumes import TrainingVolume
from ..annotation.label_files import read_volume_labels
from ..calibration.probability_scaling import fit_scaling
from ..calibration.slice_residuals import slice_residuals
from ..calibration.volumes import FEWEST_VOLUMES, OwnVolumes, calibration_from_slices, calibration_from_volumes
from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.files import read_geometry, read_volume
from ..imaging.normalisation import position_channels
from ..measurement.volumes import organ_volumes
from ..segmentation.inference import predict, predict_inputs
from ..segmentation.model import SegmentationModel
from ..segmentation.model_provenance import knows_labels_of, without_names
from ..segmentation.training_statistics import IntensityFeatures, training_statistics
from ..study.stages import Stage
from ..text.counting import counted
from .run import Run

_FEWEST_LABELLED = 3
_LEAST_SHARE = 1e-6


def scaled(run: Run, model: SegmentationModel) -> SegmentationModel:
    """The model with probabilities that agree with the labelled slices, see `calibration.probability_scaling`."""
    if not run.settings.probability_scaling:
        return model
    labelled = [volume for volume in run.volumes if volume.labels is not None]

    def probability(volume: TrainingVolume) -> Tensor:
        return predict_inputs(model, volume.inputs, volume.sector, run.device).probability

    probabilities = run.each_volume("scaling", probability, volumes=labelled, told=False)
    targets = [volume.labels for volume in labelled if volume.labels is not None]
    return replace(model, scaling=fit_scaling(probabilities, targets))


def calibrated(run: Run, model: SegmentationModel) -> SegmentationModel:
    """The model with its volumes' calibration on the labelled slices, and with statistics of the study.

    With fewer than three labelled volumes there is no calibration.
    """
    axis = run.study.slice_axis
    others = tuple({1, 2, 3} - {axis + 1})

    def measured(volume: TrainingVolume) -> tuple[IntensityFeatures, NDArray[np.float64], NDArray[np.float64]]:
        probability = predict_inputs(model, volume.inputs, volume.sector, run.device).probability[1:].numpy()
        shares = np.maximum(probability.mean(axis=(1, 2, 3), dtype=np.float64), _LEAST_SHARE)
        features = IntensityFeatures(volume.grey.numpy(), volume.sector.numpy())
        return features, shares, probability.sum(axis=others, dtype=np.float64)

    features, shares, profiles = zip(*run.each_volume(Stage.CALIBRATION, measured), strict=True)
    geometries = [read_geometry(run.study.folder / case.image.file) for case in run.study.cases]
    extents_ml = [geometry.voxel_volume_ml * np.prod(geometry.shape) for geometry in geometries]
    volumes_ml = np.array(shares) * np.array(extents_ml)[:, None]
    labelled = [index for index, volume in enumerate(run.volumes) if volume.labels is not None]
    calibration = None
    if len(labelled) >= _FEWEST_LABELLED:
        targets = [volume.labels for volume in run.volumes if volume.labels is not None]
        beyond = _beyond_labels(run.volumes, profiles, axis)
        log_shares = np.log(np.array(shares)[labelled]).mean(axis=0)
        own = [
            OwnVolumes(float(variance), float(log_share), float(share))
            for variance, log_share, share in zip(np.log(volumes_ml).var(axis=0), log_shares, beyond, strict=True)
        ]
        positions = [position_channels(volume.shape) for volume in run.volumes if volume.labels is not None]
        calibration = calibration_from_slices(slice_residuals(targets, positions, run.settings.seed), own)
    statistics = training_statistics(volumes_ml, geometries, features, model.max_voxels, model.orientation)
    return replace(model, calibration=calibration, statistics=statistics)


def calibrated_on_volumes(
    model: SegmentationModel, images: Mapping[str, Path], references: Mapping[str, Path], device: torch.device
) -> SegmentationModel:
    """The model with a calibration on fully labelled volumes that it was not trained on.

    Args:
        model: what segments them.
        images: files by name.
        references: label maps by the names of their images.
        device: where to compute.

    Raises:
        InputError: an image without a reference, another geometry, a volume of the training, too few volumes.
    """
    check_held_out(images, references, model.provenance, "volume")
    rows = []
    for name, path in counted(images.items(), "segmenting"):
        prediction = predict(model, read_volume(path), device)
        reference = fitted(read_volume_labels(references[name], model.organs), prediction.geometry)
        if not reference.geometry.same_grid(prediction.geometry):
            problem = f"has another geometry than its image: it {reference.geometry.difference(prediction.geometry)}"
            raise InputError(references[name], problem, "give it on the image's grid")
        true = np.array([row.volume_ml for row in organ_volumes(reference, model.organs)])
        rows.append(_log_ratios(true, np.array(prediction.volumes_ml())))
    calibration = calibration_from_volumes(np.array(rows))
    return replace(model, calibration=calibration, provenance=without_names(model.provenance))


def check_held_out(
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    provenance: Mapping[str, Any],
    kind: Literal["volume", "image"],
) -> None:
    """What can be known before any file is read: each image has a reference, none is of the training, all are enough.

    Raises:
        InputError: one of these does not hold.
    """
    known = {"volume": "a volume whose labels", "image": "an image whose label"}[kind]
    for name, path in images.items():
        if name not in references:
            raise InputError(path, "has no reference of the same name", "add it or leave the image out")
        if knows_labels_of(provenance, name):
            raise InputError(path, f"has the name of {known} the model knows", f"give held-out {kind}s")
    if len(images) < FEWEST_VOLUMES:
        problem = f"has {len(images)} {kind}s with labels, too few for a 90 % interval"
        raise InputError("calibration", problem, f"give at least {FEWEST_VOLUMES}")


def _log_ratios(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of true over predicted volume of each organ; nan where one of them is 0."""
    known = (true > 0) & (predicted > 0)
    return np.where(known, np.log(np.where(known, true, 1) / np.where(known, predicted, 1)), np.nan)


def _beyond_labels(
    volumes: Sequence[TrainingVolume], profiles: Sequence[NDArray[np.float64]], axis: int
) -> NDArray[np.float64]:
    """Share of each organ that is predicted beyond the outermost labelled slices, in the anatomy's frame."""
    others = tuple({0, 1, 2} - {axis})
    places = [volume.position[axis].movedim(axis, 0)[:, 0, 0].numpy() for volume in volumes]
    labelled = np.concatenate(
        [
            place[(volume.labels.weight > 0).numpy().any(axis=others)]
            for volume, place in zip(volumes, places, strict=True)
            if volume.labels is not None
        ]
    )
    # A place is a slice's centre: half a slice more on either side.
    half = max(float(np.ptp(place)) / (2 * (len(place) - 1)) for place in places)
    first, last = labelled.min() - half, labelled.max() + half
    outside, total = 0.0, _LEAST_SHARE
    for profile, place in zip(profiles, places, strict=True):  # (organs, slices)
        outside = outside + profile[:, (place < first) | (place > last)].sum(axis=1)
        total = total + profile.sum(axis=1)
    return np.asarray(outside / total)
