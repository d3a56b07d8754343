"""Segment 2-D images and measure what was found, with the intervals and warnings that the model is able to give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..calibration.images import Factors
from ..disk.failures import Failures
from ..disk.outputs import Outputs
from ..imaging.checksums import image_checksum
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..segmentation.image_model import ImageModel, ImagePrediction
from ..segmentation.model_digest import model_digest
from ..segmentation.segment_images import segment_images
from .planar import PlanarMeasurement, measure_labels
from .record import Maker, write_record_of


@dataclass(frozen=True)
class MeasuredImage:
    """A segmentation that was written, and what was measured of every organ."""

    path: Path
    rows: list[PlanarMeasurement]


def segment_and_measure_images(
    model: ImageModel,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    pixel_sizes: PixelSizes,
    probability: bool = False,
    uncertainty: bool = False,
    outputs: Outputs | None = None,
    failures: Failures | None = None,
) -> Iterator[MeasuredImage]:
    """Segment images as `segment_images` does, and write `NAME_measurements.json` beside each segmentation."""
    rows: list[PlanarMeasurement] = []
    digest = model_digest(model)

    def record(file: Path, image: Scan, prediction: ImagePrediction, labels: LabelMap) -> None:
        rows[:] = measure_image(model, prediction, labels)
        write_record_of(file, rows, labels, Maker(image_checksum(image), digest))

    results = segment_images(
        model,
        images,
        output,
        device,
        pixel_sizes=pixel_sizes,
        probability=probability,
        uncertainty=uncertainty,
        outputs=outputs,
        failures=failures,
        record=record,
    )
    for result in results:
        yield MeasuredImage(result.path, list(rows))


def measure_image(model: ImageModel, prediction: ImagePrediction, labels: LabelMap) -> list[PlanarMeasurement]:
    """Measure what a model has segmented.

    Args:
        model: what made the prediction.
        prediction: of an image.
        labels: the prediction's labels.
    """
    rows = measure_labels(labels, model.organs, prediction.probability, statistics=model.statistics)
    return [_with_interval(row, model) for row in rows]


def _with_interval(row: PlanarMeasurement, model: ImageModel) -> PlanarMeasurement:
    if model.calibration is None or row.pixel_count == 0:
        return row
    return replace(
        row,
        area_interval_mm2=_times(model.calibration.area[row.label - 1], row.area_mm2),
        circumference_interval_mm=_times(model.calibration.circumference[row.label - 1], row.circumference_mm),
        interval_method=model.calibration.method,
    )


def _times(factors: Factors, value: float) -> tuple[float, float]:
    low, high = np.array(factors) * value
    return float(low), float(high)
