"""The held-out cases of a run: segmented, as they are and degraded, and compared with their dense labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from ..annotation.label_files import read_volume_labels
from ..errors import Cancelled
from ..evaluation.case_metrics import evaluate_case
from ..imaging.files import read_volume
from ..imaging.scan import LabelMap
from ..segmentation.inference import predict
from ..segmentation.model import SegmentationModel
from .data import Dataset
from .degradations import degraded_views
from .results import UNDEGRADED, CaseResult


def evaluated(
    model: SegmentationModel,
    dataset: Dataset,
    cases: Sequence[str],
    organs: Sequence[str],
    device: torch.device,
    *,
    degradations: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[CaseResult]:
    """Results of the held-out cases as they are and, if asked for, under every degradation and strength.

    Raises:
        Cancelled: the user asked to stop.
    """
    for number, case in enumerate(cases):
        image, reference = read_volume(dataset.images[case]), read_volume_labels(dataset.labels[case], organs)
        views = degraded_views(image, reference, seed=number) if degradations else []
        for name, strength, degraded in [(UNDEGRADED, 0.0, None), *views]:
            if cancelled():
                raise Cancelled("evaluation stopped; the same command repeats it")
            prediction = predict(model, image if degraded is None else degraded(), device)
            label_map = LabelMap(prediction.labels().voxels, image.geometry, case)
            yield from judged(label_map, reference, organs, prediction.volumes_ml(), name, strength)


def judged(
    prediction: LabelMap,
    reference: LabelMap,
    organs: Sequence[str],
    expected_ml: Sequence[float] | None = None,
    degradation: str = UNDEGRADED,
    strength: float = 0.0,
) -> Iterator[CaseResult]:
    """A result for each organ of a segmentation; without expected volumes those of the mask stand for them."""
    rows = evaluate_case(prediction, reference, organs)
    volumes = [row.size.predicted for row in rows] if expected_ml is None else expected_ml
    for row, expected in zip(rows, volumes, strict=True):
        yield CaseResult(
            prediction.name,
            row.organ,
            row.dice,
            row.hausdorff_95_mm,
            row.average_surface_distance_mm,
            row.size.reference,
            row.size.predicted,
            expected,
            degradation,
            strength,
        )


def mean_dice(rows: Sequence[CaseResult]) -> float:
    """Over cases and organs."""
    return float(np.mean([row.dice for row in rows]))
