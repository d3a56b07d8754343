"""Segment scans and measure them while the model and the image are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..calibration.intervals import Calibration
from ..disk.failures import Failures
from ..disk.outputs import Outputs
from ..imaging.checksums import image_checksum
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.planes import slice_name
from ..imaging.scan import LabelMap, Scan
from ..prompting.drawn_intervals import METHOD as DRAWN_METHOD
from ..prompting.drawn_prediction import DrawnPrediction
from ..segmentation.image_model import ImagePrediction
from ..segmentation.image_statistics import ImageStatistics
from ..segmentation.inference import VolumePrediction
from ..segmentation.protocols import Model, Prediction
from ..segmentation.result_files import LABEL_SUFFIXES
from ..segmentation.segment_files import segment_files
from ..segmentation.training_statistics import TrainingStatistics
from .planar import measure_labels
from .quantities import Interval
from .record import AnyMeasurement, Maker, write_record_of
from .volumetric import drawn_rows, measure_predicted_volume


@dataclass(frozen=True)
class MeasuredFile:
    """A written segmentation, and the measurements of its organs.

    Attributes:
        path: of the segmentation.
        rows: a measurement of each organ.
        next_slice: in words, the slice that is worth drawing next; None where nothing was drawn.
    """

    path: Path
    rows: Sequence[AnyMeasurement]
    next_slice: str | None = None


def segment_and_measure(
    model: Model,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    pixel_sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    probability: bool = False,
    uncertainty: bool = False,
    outputs: Outputs | None = None,
    failures: Failures | None = None,
    threads: Callable[[], int] = lambda: 1,
    suffix: str = LABEL_SUFFIXES[0],
) -> Iterator[MeasuredFile]:
    """Segment scans as `segment_files` does, and write `NAME_measurements.json` beside each segmentation.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import find_images
        >>> from USLabelEfficientSegLib.segmentation.loading import load_model
        >>> model, images = load_model(Path("my-study")), find_images("images")
        >>> for file in segment_and_measure(model, images, Path("segmented"), torch.device("cpu")):
        ...     print(file.path.name, [row.organ for row in file.rows])
        simulated_0000.nrrd ['solid', 'fluid']
        simulated_0001.nrrd ['solid', 'fluid']
        simulated_0002.nrrd ['solid', 'fluid']
    """
    rows: list[AnyMeasurement] = []
    worth_drawing: str | None = None
    digest = model.digest()

    def record(file: Path, scan: Scan, prediction: Prediction, labels: LabelMap) -> None:
        nonlocal worth_drawing
        rows[:] = measure_prediction(model, prediction, labels)
        drawn, worth_drawing = None, None
        if isinstance(prediction, DrawnPrediction):
            drawn, worth_drawing = prediction.drawing_digest(), _next_slice_words(prediction, labels)
        write_record_of(file, rows, labels, Maker(image_checksum(scan), digest, drawn))

    results = segment_files(
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
        threads=threads,
        suffix=suffix,
    )
    for result in results:
        yield MeasuredFile(result.path, list(rows), worth_drawing)


def _next_slice_words(prediction: DrawnPrediction, labels: LabelMap) -> str | None:
    if (place := prediction.next_slice(labels)) is None:
        return None
    axis, index = place
    return slice_name(labels.geometry.direction, axis, index, labels.geometry.shape[axis])


def measure_prediction(model: Model, prediction: Prediction, labels: LabelMap) -> Sequence[AnyMeasurement]:
    """Measure a model's segmentation, with the intervals and warnings that the model can give.

    Args:
        model: what made the prediction.
        prediction: of a scan.
        labels: the prediction's labels.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import read_volume
        >>> from USLabelEfficientSegLib.segmentation.loading import load_model
        >>> model = load_model(Path("my-study"))
        >>> prediction = model.predict(read_volume("images/simulated_0000.nrrd"), torch.device("cpu"))
        >>> rows = measure_prediction(model, prediction, prediction.labels())
        >>> [row.organ for row in rows]
        ['solid', 'fluid']
    """
    statistics = model.statistics
    rows: Sequence[AnyMeasurement]
    if isinstance(prediction, VolumePrediction):
        known = statistics if isinstance(statistics, TrainingStatistics) else None
        rows = measure_predicted_volume(prediction, labels, model.organs, known, is_rough=model.is_rough)
        if isinstance(prediction, DrawnPrediction):  # the model's intervals are of what it finds by itself
            drawn = drawn_rows(rows, prediction.slices, is_rough=model.is_rough)
            pairs = zip(drawn, prediction.intervals_ml(), strict=True)
            return [row.with_intervals({"volume": one}, DRAWN_METHOD) if row.is_found else row for row, one in pairs]
    else:
        of_images = statistics if isinstance(statistics, ImageStatistics) else None
        features = prediction.features if isinstance(prediction, ImagePrediction) else None
        rows = measure_labels(labels, model.organs, prediction.probability, statistics=of_images, features=features)
    return [_with_intervals(row, model, prediction) for row in rows]


def _with_intervals(row: AnyMeasurement, model: Model, prediction: Prediction) -> AnyMeasurement:
    calibration = model.calibration
    if calibration is None or not row.is_found:
        return row
    if isinstance(prediction, VolumePrediction):
        interval = volume_interval(calibration, prediction, row.label - 1)
        return row.with_intervals({"volume": interval}, calibration.method)
    intervals = {one.name: calibration.interval(one.name, row.label - 1, one.value) for one in row.headline}
    return row.with_intervals(intervals, calibration.method)


def volume_interval(calibration: Calibration, prediction: VolumePrediction, organ: int) -> Interval | None:
    """The interval of an organ's volume in ml, by the index of the organ; None where too little is known."""
    if not calibration.offsets:
        return calibration.interval("volume", organ, prediction.volume_ml(organ))
    if (offsets := calibration.offsets[organ]) is None:
        return None
    low, high = (prediction.volume_ml(organ, offset) for offset in offsets)
    return low, high
