"""What `fetal_head.py` measures on held-out images, and the mean of it by method and fraction of labels."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from fetal_head_data import Head
from torch import nn

from USLabelEfficientSegLib.divergence.prediction import ZOOMS, predict_images
from USLabelEfficientSegLib.evaluation.metrics import dice, surface_distances
from USLabelEfficientSegLib.measurement.planar import fitted_ellipse
from USLabelEfficientSegLib.segmentation.pieces import main_piece
from USLabelEfficientSegLib.segmentation.zoomed_refinement import refine_zoomed


@dataclass(frozen=True)
class HeadResult:
    """One held-out image under one trained network."""

    fraction: float
    seed: int
    method: str
    name: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    circumference_mm: float
    reference_circumference_mm: float

    @property
    def circumference_error_mm(self) -> float:
        """Absolute error; an empty mask has circumference 0."""
        return abs(self.circumference_mm - self.reference_circumference_mm)


@dataclass(frozen=True)
class Summary:
    """Means over images and seeds of one method at one fraction; `below_all_labels` is of its Dice.

    The gap is to the best method that had the labels of all training images, None where there is none.
    """

    fraction: float
    method: str
    seeds: int
    dice: float
    dice_of_worst_seed: float
    dice_of_best_seed: float
    circumference_error_mm: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    below_all_labels: float | None = None

    def __str__(self) -> str:
        spread = f" ({self.dice_of_worst_seed:.4f} to {self.dice_of_best_seed:.4f})" if self.seeds > 1 else ""
        gap = "" if self.below_all_labels is None else f", {self.below_all_labels:.4f} below the best with all labels"
        return (
            f"Dice {self.dice:.4f}{spread}{gap}, circumference error {self.circumference_error_mm:.2f} mm, "
            f"HD95 {self.hausdorff_95_mm:.2f} mm, ASD {self.average_surface_distance_mm:.2f} mm"
        )


def evaluate(
    network: nn.Module, heads: Sequence[Head], image_size: int, fraction: float, seed: int, method: str
) -> Iterator[HeadResult]:
    """Every held-out image at its own pixels; see `segment`."""
    for head in heads:
        mask, reference = segment(network, head, image_size), head.mask.numpy()
        distances = surface_distances(mask, reference, head.pixel_size)
        yield HeadResult(
            fraction,
            seed,
            method,
            head.name,
            dice(mask, reference),
            distances.hausdorff_95,
            distances.average,
            fitted_ellipse(mask, head.pixel_size).circumference_mm if mask.any() else 0.0,
            head.circumference_mm,
        )


def segment(network: nn.Module, head: Head, image_size: int) -> np.ndarray:
    """The mask (rows, columns) that a network finds: one piece, from the mean over views of the image."""
    how = head.pixel_size, image_size
    first = predict_images(network, head.image[None], *how, mirrored=True, zooms=ZOOMS)[0]
    organ = refine_zoomed(network, head.image, first, *how, mirrored=True)[1].numpy()
    return main_piece(organ > 0.5, organ)


def summarise(results: Sequence[HeadResult]) -> Summary:
    """The mean over the seeds' means, of one method at one fraction."""
    seeds = sorted({result.seed for result in results})
    means = [statistics.fmean(r.dice for r in results if r.seed == seed) for seed in seeds]
    return Summary(
        results[0].fraction,
        results[0].method,
        len(seeds),
        statistics.fmean(means),
        min(means),
        max(means),
        statistics.fmean(r.circumference_error_mm for r in results),
        float(np.nanmean([r.hausdorff_95_mm for r in results])),
        float(np.nanmean([r.average_surface_distance_mm for r in results])),
    )


def summaries(results: Sequence[HeadResult]) -> list[Summary]:
    """Of all methods at all fractions, by rising fraction, with the gap to the best that had all labels."""
    groups: dict[tuple[float, str], list[HeadResult]] = {}
    for result in results:
        groups.setdefault((result.fraction, result.method), []).append(result)
    found = [summarise(groups[key]) for key in sorted(groups)]
    best = max((summary.dice for summary in found if summary.fraction == 1), default=None)
    return found if best is None else [replace(row, below_all_labels=best - row.dice) for row in found]
