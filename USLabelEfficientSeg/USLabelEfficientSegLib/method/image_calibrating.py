"""Calibration of a model of 2-D images on labelled images that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..annotation.label_files import read_planar_labels
from ..calibration.images import calibration_from_images
from ..imaging.image_files import read_image
from ..imaging.pixel_sizes import PixelSizes
from ..measurement.planar import measure_labels
from ..segmentation.image_model import ImageModel, predict_image
from ..segmentation.model_provenance import without_names
from ..text.counting import counted
from .calibrating import check_held_out


def calibrated_on_images(
    model: ImageModel,
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    device: torch.device,
    pixel_sizes: PixelSizes,
) -> ImageModel:
    """The model with a calibration on labelled images.

    Args:
        model: what segments them.
        images: files by name.
        references: labels by the names of their images.
        device: where to compute.
        pixel_sizes: of images whose files do not tell them.

    Raises:
        InputError: an image without a reference, a reference of another size, an image whose label the model knows,
            too few images.
    """
    check_held_out(images, references, model.provenance, "image")
    ratios = []
    for name, path in counted(images.items(), "segmenting"):
        image = read_image(path, pixel_sizes)
        prediction = predict_image(model, image, device)
        reference = read_planar_labels(references[name], model.organs, geometry=image.geometry, sizes=pixel_sizes)
        measured = measure_labels(prediction.labels(), model.organs, prediction.probability)
        true = measure_labels(reference, model.organs)
        ratios.append(
            [
                (_log_ratio(t.area_mm2, m.area_mm2), _log_ratio(t.circumference_mm, m.circumference_mm))
                if m.pixel_count
                else (np.nan, np.nan)
                for t, m in zip(true, measured, strict=True)
            ]
        )
    areas, circumferences = np.moveaxis(np.array(ratios), 2, 0)
    calibration = calibration_from_images(areas, circumferences)
    return replace(model, calibration=calibration, provenance=without_names(model.provenance))


def _log_ratio(true: float, measured: float) -> float:
    return float(np.log(true / measured)) if true > 0 and measured > 0 else float("nan")
