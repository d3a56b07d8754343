"""Segment image files and measure what was found while the model and the image are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..disk.failures import Failures
from ..disk.outputs import Outputs
from ..imaging.checksums import image_checksum
from ..imaging.scan import LabelMap, Scan
from ..segmentation.inference import CoarsePrediction
from ..segmentation.result_files import LABEL_SUFFIXES
from ..segmentation.segment_files import segment_files
from ..segmentation.segmenter import Segmenter
from .organ import OrganMeasurement
from .record import Maker, write_record_of
from .volumetric import measure_prediction


@dataclass(frozen=True)
class MeasuredFile:
    """A segmentation that was written, and what was measured of every organ."""

    path: Path
    rows: list[OrganMeasurement]


def segment_and_measure(
    model: Segmenter,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    probability: bool = False,
    uncertainty: bool = False,
    outputs: Outputs | None = None,
    failures: Failures | None = None,
    threads: Callable[[], int] = lambda: 1,
    suffix: str = LABEL_SUFFIXES[0],
) -> Iterator[MeasuredFile]:
    """Segment images as `segment_files` does, and write `NAME_measurements.json` beside each segmentation."""
    rows: list[OrganMeasurement] = []
    digest = model.digest()

    def record(file: Path, volume: Scan, prediction: CoarsePrediction, label_map: LabelMap) -> None:
        rows[:] = measure_prediction(model, prediction, label_map)
        write_record_of(file, rows, label_map, Maker(image_checksum(volume), digest))

    results = segment_files(
        model,
        images,
        output,
        device,
        probability=probability,
        uncertainty=uncertainty,
        outputs=outputs,
        failures=failures,
        record=record,
        threads=threads,
        suffix=suffix,
    )
    for result in results:
        yield MeasuredFile(result.path, list(rows))
