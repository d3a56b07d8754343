"""Calibration and statistics of a trained model, for intervals and warnings: the last stage of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.kept import OnDemand
from ..anatomy.training_volumes import TrainingVolume
from ..calibration.offset_intervals import FEWEST_SLICES, calibration_by_offsets, offset_to_size
from ..calibration.probability_scaling import fit_scaling
from ..calibration.slice_intervals import OwnVolumes, calibration_from_slices
from ..calibration.slice_residuals import slice_residuals
from ..imaging.files import read_geometry
from ..imaging.normalisation import position_channels
from ..segmentation.inference import predict_inputs
from ..segmentation.intensity_features import IntensityFeatures
from ..segmentation.model import SegmentationModel
from ..segmentation.organ_ends import with_ends
from ..segmentation.pooling import agreed_in_turn
from ..segmentation.training_statistics import training_statistics
from ..study.stages import Stage
from .fine_volumes import fine_volumes
from .run import Run, labels_of

_FEWEST_LABELLED = 3
_LEAST_SHARE = 1e-6


def scaled(run: Run, model: SegmentationModel) -> SegmentationModel:
    """The model with probabilities that agree with the labelled slices, see `calibration.probability_scaling`.

    A model of 2-D networks alone is left as it is: they know their labelled slices by heart, and a scaling to slices
    left out, which weaker networks had predicted, made volumes too large (docs/experiments.md).
    """
    if not run.settings.probability_scaling:
        return model
    if model.slices is not None and not model.networks:
        return model
    probabilities = run.in_turn("scaling", partial(predicted, run, model), volumes=run.labelled, told=False)
    return replace(model, scaling=fit_scaling(probabilities, labels_of(run.labelled)))


def predicted(run: Run, model: SegmentationModel, volume: TrainingVolume) -> Tensor:
    """Class probabilities (C, I, J, K) of a volume of the run on its working grid."""
    return predict_inputs(model, volume.inputs, volume.sector, run.computing.device, volume.slice_votes).probability


def calibrated(run: Run, model: SegmentationModel, *, told: bool = True) -> SegmentationModel:
    """The model with its volumes' calibration on the labelled slices, and with statistics of the study.

    Where 2-D networks decide alone, intervals are by offsets; else by factors from the labelled slices, if these are of
    three volumes. It is told in events, unless it is not to be.
    """
    axis = run.study.slice_axis
    others = tuple({1, 2, 3} - {axis + 1})

    def measured(volume: TrainingVolume) -> tuple[IntensityFeatures, NDArray[np.float64], NDArray[np.float64]]:
        probability = predicted(run, model, volume)[1:].numpy()
        shares = np.maximum(probability.mean(axis=(1, 2, 3), dtype=np.float64), _LEAST_SHARE)
        features = IntensityFeatures(volume.grey.numpy(), volume.sector.numpy())
        return features, shares, probability.sum(axis=others, dtype=np.float64)

    features, shares, profiles = zip(*run.each_volume(Stage.CALIBRATION, measured, told=told), strict=True)
    geometries = [read_geometry(run.study.folder / case.image.file) for case in run.study.cases]
    extents_ml = [geometry.voxel_volume_ml * np.prod(geometry.shape) for geometry in geometries]
    volumes_ml = np.array(shares) * np.array(extents_ml)[:, None]
    labelled = [index for index, volume in enumerate(run.volumes) if volume.is_labelled]
    calibration = None
    if model.slices is not None and not model.networks and model.prior is None:
        calibration = calibration_by_offsets(_offsets_of_labels(run, model))
    elif len(labelled) >= _FEWEST_LABELLED:
        beyond = _beyond_labels(run.volumes, profiles, axis)
        log_shares = np.log(np.array(shares)[labelled]).mean(axis=0)
        own = [
            OwnVolumes(float(variance), float(log_share), float(share))
            for variance, log_share, share in zip(np.log(volumes_ml).var(axis=0), log_shares, beyond, strict=True)
        ]
        positions = OnDemand(run.labelled, lambda volume: position_channels(volume.shape))
        residuals = slice_residuals(labels_of(run.labelled), positions, run.settings.seed)
        calibration = calibration_from_slices(residuals, own)
    statistics = training_statistics(volumes_ml, geometries, features, model.max_voxels, model.orientation)
    return replace(model, calibration=calibration, statistics=statistics)


def _offsets_of_labels(run: Run, model: SegmentationModel) -> list[float | None]:
    """The offset that gives the labelled slices their true areas, of each organ; None where too few show it."""
    assert model.slices is not None
    records = {case.name: case.labels for case in run.study.cases if case.labels is not None}
    counts = np.sum([record.organ_slices for record in records.values()], axis=0)
    known: list[tuple[Tensor, Tensor, Tensor]] = []
    for fine in fine_volumes(run, records):
        assert fine.labels is not None
        votes = model.slices.votes(fine, run.mirrored, run.computing.device)
        pooled = agreed_in_turn(votes, model.weights)
        asked = with_ends(model.slices, pooled, fine.grey, fine.sector, run.computing.device)
        probability = asked[1:] * fine.sector
        labelled = fine.labels.weight > 0
        known.append((probability[:, labelled], fine.labels.weight[labelled], fine.labels.weighted[1:, labelled]))
    likely, weights, areas = (torch.cat(parts, dim=-1).numpy() for parts in zip(*known, strict=True))
    return [
        offset_to_size(found, weights, float(true.sum(dtype=np.float64))) if count >= FEWEST_SLICES else None
        for found, true, count in zip(likely, areas, counts, strict=True)
    ]


def _beyond_labels(
    volumes: Sequence[TrainingVolume], profiles: Sequence[NDArray[np.float64]], axis: int
) -> NDArray[np.float64]:
    """Share of each organ that is predicted beyond the outermost labelled slices, in the anatomy's frame."""
    others = tuple({0, 1, 2} - {axis})
    places = [volume.position[axis].movedim(axis, 0)[:, 0, 0].numpy().copy() for volume in volumes]  # not the whole
    labelled = np.concatenate(
        [
            place[(volume.truth().weight > 0).numpy().any(axis=others)]
            for volume, place in zip(volumes, places, strict=True)
            if volume.truth is not None
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
