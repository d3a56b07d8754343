"""Calibration of a model on completely labelled scans that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..annotation.label_files import read_labels
from ..calibration.intervals import FEWEST_SCANS, calibration_from_scans
from ..errors import InputError
from ..imaging.dimension import words_of
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import Scan
from ..imaging.scan_files import read_scan
from ..measurement.measuring import outline_quantities
from ..measurement.planar import measure_labels
from ..segmentation.inference import VolumePrediction
from ..segmentation.loading import TrainedModel
from ..segmentation.model_provenance import knows_labels_of, without_names
from ..segmentation.protocols import Model, Prediction
from ..text.counting import counted


def calibrated_on_scans(
    model: TrainedModel,
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    device: torch.device,
    pixel_sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
) -> TrainedModel:
    """The model with a calibration on completely labelled scans that it was not trained on.

    Args:
        model: segments them.
        images: files by name.
        references: label maps by the names of their images.
        device: where to compute.
        pixel_sizes: of 2-D images whose files do not tell them.

    Raises:
        InputError: an image without a reference, another geometry, a scan whose labels the model knows, too few scans.
    """
    check_held_out(model, images, references)
    names: list[str] = []
    log_ratios = []
    for name, path in counted(images.items(), "segmenting"):
        scan = read_scan(path, model.dimension, pixel_sizes)
        measured = _measured(model.predict(scan, device), model)
        names, true = _true(references[name], scan, model, pixel_sizes)
        known = (true > 0) & (measured > 0)
        ratios = np.where(known, true, 1) / np.where(known, measured, 1)
        log_ratios.append(np.where(known, np.log(ratios), np.nan))
    by_name = dict(zip(names, np.moveaxis(np.array(log_ratios), 2, 0), strict=True))
    calibration = calibration_from_scans(by_name, words_of(model.dimension).scan)
    return replace(model, calibration=calibration, provenance=without_names(model.provenance))


def check_held_out(model: TrainedModel, images: Mapping[str, Path], references: Mapping[str, Path]) -> None:
    """Check before any file is read: each image has a reference, none is of the training, and there are enough.

    Raises:
        InputError: one of these does not hold.
    """
    words = words_of(model.dimension)
    for name, path in images.items():
        if name not in references:
            raise InputError(path, "has no reference of the same name", "add it or leave the image out")
        if knows_labels_of(model.provenance, name):
            problem = f"has the name of {words.article} {words.scan} whose labels the model knows"
            raise InputError(path, problem, f"give held-out {words.scan}s")
    if len(images) < FEWEST_SCANS:
        problem = f"has {len(images)} {words.scan}s with labels, too few for a 90 % interval"
        raise InputError("calibration", problem, f"give at least {FEWEST_SCANS}")


def _measured(prediction: Prediction, model: Model) -> NDArray[np.float64]:
    """The headline quantities (organs, quantities) of a prediction; nan of an organ that was not found."""
    if isinstance(prediction, VolumePrediction):  # without the shapes of organs, which take longer
        return np.array([[volume_ml] for volume_ml in prediction.volumes_ml()])
    rows = measure_labels(prediction.labels(), model.organs, prediction.probability)
    return np.array([[one.value if row.is_found else np.nan for one in row.headline] for row in rows])


def _true(reference: Path, scan: Scan, model: Model, pixel_sizes: PixelSizes) -> tuple[list[str], NDArray[np.float64]]:
    """The headline quantities of a reference: their names, and (organs, quantities)."""
    labels = read_labels(reference, model.organs, geometry=scan.geometry, pixel_sizes=pixel_sizes)
    if not labels.geometry.same_grid(scan.geometry):
        problem = f"has another geometry than its image: it {labels.geometry.difference(scan.geometry)}"
        raise InputError(reference, problem, "give it on the image's grid")
    found = outline_quantities(labels, model.organs)
    return [one.name for one in found[0]], np.array([[one.value for one in organ] for organ in found])
