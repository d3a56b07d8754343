"""Sensitivity and false alarms of every quality flag on simulated volumes that are made to raise it.

    python benchmarks/quality_flags.py --volumes 40

Each flag is tried on as many untouched volumes and on the same ones spoilt in the way it warns of. Training
statistics come from other subjects; a segmentation is the true label map with boundaries as certain as a
good model's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.volumetric import measure_case
from USLabelEfficientSegLib.segmentation.intensity_features import intensity_features
from USLabelEfficientSegLib.segmentation.training_statistics import TrainingStatistics, training_statistics

SHAPE, SPACING = (48, 48, 40), (1.6, 1.6, 1.6)
ORGANS = ("organ A", "organ B")
PROBES = ("good", "medium", "low-cost")
MAX_VOXELS = 40
CERTAIN_MM = 1.0  # width of the boundary's logistic curve
HELD_OUT = 10_000


@dataclass(frozen=True)
class LabelledScan:
    """An image, its segmentation and how wide the boundaries of its probabilities are."""

    image: Scan
    labels: NDArray[np.uint8]
    boundary_mm: float = CERTAIN_MM

    @property
    def geometry(self) -> Geometry:
        """The grid of both."""
        return self.image.geometry

    def probabilities(self) -> NDArray[np.float32]:
        """Logistic curves of the distance from each organ's boundary, background first."""
        organs = []
        for label in range(1, len(ORGANS) + 1):
            mask = self.labels == label
            spacing = self.geometry.spacing
            distance = ndimage.distance_transform_edt(mask, spacing) - ndimage.distance_transform_edt(~mask, spacing)
            organs.append(expit(distance / self.boundary_mm) if mask.any() else np.zeros(mask.shape))
        total = np.sum(organs, axis=0)
        organs = [organ / np.maximum(total, 1) for organ in organs]
        return np.stack([1 - np.sum(organs, axis=0), *organs]).astype(np.float32)

    def flags(self, statistics: TrainingStatistics) -> set[Flag]:
        """Those of the first organ."""
        label_map = LabelMap(self.labels, self.geometry, self.image.name)
        rows = measure_case(label_map, ORGANS, self.probabilities(), image=self.image, statistics=statistics)
        return set(rows[0].flags)


def scan(subject: int) -> LabelledScan:
    """A simulated subject, its probe by its number."""
    case = simulate_volume(subject, shape=SHAPE, spacing=SPACING, probe=PROBES[subject % len(PROBES)])
    return LabelledScan(case.volume, case.label_map.voxels)


def organ_box(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one past the last voxel of the first organ."""
    box = ndimage.find_objects((labels == 1).astype(np.uint8))[0]
    return np.array([part.start for part in box]), np.array([part.stop for part in box])


def cut_by_volume(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """The volume ends somewhere in the organ, which loses 15 to 50 % of its length."""
    axis = int(rng.integers(3))
    first, last = organ_box(one.labels)
    share = rng.uniform(0.15, 0.5)
    if rng.random() < 0.5:
        kept = slice(round(first[axis] + share * (last - first)[axis]), None)
    else:
        kept = slice(0, round(last[axis] - share * (last - first)[axis]))
    where = tuple(kept if a == axis else slice(None) for a in range(3))
    return on_grid(one, np.ascontiguousarray(one.image.voxels[where]), np.ascontiguousarray(one.labels[where]))


def cut_by_sector(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """A narrower sector: beyond an inclined plane at the side there is no image, nor 15 to 50 % of the organ."""
    first, last = organ_box(one.labels)
    lateral, depth, _ = np.indices(one.labels.shape)
    side = 1 if rng.random() < 0.5 else -1
    across = side * lateral + rng.uniform(-0.4, 0.4) * (depth - (first + last)[1] / 2)
    inside = across[one.labels == 1]
    seen = across <= np.quantile(inside, 1 - rng.uniform(0.15, 0.5))
    return on_grid(one, one.image.voxels * seen, one.labels * seen)


def several_components(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """A second piece of 4 to 20 % elsewhere, or a gap through the organ."""
    labels = one.labels.copy()
    if rng.random() < 0.5:
        size = rng.uniform(0.04, 0.2) * np.count_nonzero(labels == 1)
        radius = (3 * size / (4 * np.pi)) ** (1 / 3)
        away = ndimage.distance_transform_edt(labels != 1) > radius + 2
        inner = ndimage.distance_transform_edt(np.pad(np.ones(labels.shape), 1))[1:-1, 1:-1, 1:-1] > radius + 1
        places = np.argwhere(away & inner)
        centre = places[rng.integers(len(places))]
        labels[((np.moveaxis(np.indices(labels.shape), 0, -1) - centre) ** 2).sum(axis=-1) <= radius**2] = 1
    else:
        axis = int(rng.integers(3))
        first, last = organ_box(labels)
        start = round(first[axis] + rng.uniform(0.3, 0.6) * (last - first)[axis])
        gap = np.take(labels, range(start, start + 2), axis=axis)
        gap[gap == 1] = 0
        np.moveaxis(labels, axis, 0)[start : start + 2] = np.moveaxis(gap, axis, 0)
    return replace(one, labels=labels)


def holes(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """A hole of 1 to 8 % of the organ."""
    labels = one.labels.copy()
    radius = (3 * rng.uniform(0.01, 0.08) * np.count_nonzero(labels == 1) / (4 * np.pi)) ** (1 / 3)
    places = np.argwhere(ndimage.distance_transform_edt(labels == 1) > radius + 1)
    centre = places[rng.integers(len(places))]
    labels[((np.moveaxis(np.indices(labels.shape), 0, -1) - centre) ** 2).sum(axis=-1) <= radius**2] = 0
    return replace(one, labels=labels)


def uncertain_boundary(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """Boundaries smeared over half of the organ's radius or more."""
    radius = (3 * np.count_nonzero(one.labels == 1) * np.prod(SPACING) / (4 * np.pi)) ** (1 / 3)
    return replace(one, boundary_mm=float(rng.uniform(0.5, 1.0) * radius))


def outside_training_range(statistics: TrainingStatistics, one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """The organ at 1.3 to 2 times the largest volume of the training, or at a half to 1 / 1.3 of the smallest."""
    smallest, largest = statistics.volumes_ml[0]
    factor = rng.uniform(1.3, 2.0)
    wanted = largest * factor if rng.random() < 0.5 else smallest / factor
    step = (wanted / (np.count_nonzero(one.labels == 1) * np.prod(SPACING) / 1000)) ** (-1 / 3)
    first, last = organ_box(one.labels)
    centre = (first + last - 1) / 2
    resized = ndimage.affine_transform(
        (one.labels == 1).astype(np.float32), np.full(3, step), centre * (1 - step), order=1
    )
    return replace(one, labels=np.where(resized > 0.5, 1, np.where(one.labels == 2, 2, 0)).astype(np.uint8))


def unusual_intensities(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """Inverted, blurred, noisy, upside down, or two grey levels only."""
    voxels: np.ndarray = one.image.voxels.astype(np.float32)
    seen = voxels > 0
    kind = int(rng.integers(5))
    if kind == 0:
        voxels = (255 - voxels) * seen
    elif kind == 1:
        voxels = ndimage.gaussian_filter(voxels, rng.uniform(2, 4)) * seen
    elif kind == 2:
        voxels = np.clip(voxels + rng.normal(0, 80, voxels.shape), 1, 255) * seen
    elif kind == 3:
        voxels = voxels[:, ::-1].copy()
    else:
        voxels = np.where(voxels > np.median(voxels[seen]), 200.0, 30.0) * seen
    return on_grid(one, voxels.astype(np.uint8), one.labels)


def unusual_spacing(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """All spacings, or that of one axis, wrong by a factor of 2 or more."""
    factors = [0.1, 0.5, 2.0, 10.0]
    factor = factors[int(rng.integers(len(factors)))]
    spacing = np.array(SPACING)
    if rng.random() < 0.5:
        spacing *= factor
    else:
        spacing[rng.integers(3)] *= factor
    geometry = Geometry(one.geometry.shape, tuple(spacing.tolist()), one.geometry.origin, one.geometry.direction)
    return replace(one, image=replace(one.image, geometry=geometry))


def empty(one: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """The organ was not found."""
    return replace(one, labels=np.where(one.labels == 1, 0, one.labels).astype(np.uint8))


def on_grid(one: LabelledScan, voxels: NDArray[np.generic], labels: NDArray[np.uint8]) -> LabelledScan:
    """Other voxels, on a grid of their size."""
    i, j, k = voxels.shape
    geometry = Geometry((i, j, k), one.geometry.spacing, one.geometry.origin, one.geometry.direction)
    return replace(one, image=Scan(voxels, geometry, one.image.name), labels=labels)


Spoil = Callable[[LabelledScan, np.random.Generator], LabelledScan]
SPOILT: dict[str, tuple[Flag, Spoil]] = {
    "empty": (Flag.EMPTY, empty),
    "cut by the volume": (Flag.CUT_BY_EDGE, cut_by_volume),
    "cut by the sector": (Flag.CUT_BY_EDGE, cut_by_sector),
    "several components": (Flag.SEVERAL_COMPONENTS, several_components),
    "holes": (Flag.HOLES, holes),
    "uncertain boundary": (Flag.UNCERTAIN_BOUNDARY, uncertain_boundary),
    "unusual intensities": (Flag.UNUSUAL_INTENSITIES, unusual_intensities),
    "unusual spacing": (Flag.UNUSUAL_SPACING, unusual_spacing),
}


def statistics_of(subjects: range) -> TrainingStatistics:
    """Statistics of simulated training volumes, with their true volumes."""
    scans = [scan(subject) for subject in subjects]
    voxel_ml = float(np.prod(SPACING)) / 1000
    volumes_ml = np.array([[np.count_nonzero(one.labels == label) * voxel_ml for label in (1, 2)] for one in scans])
    features = [intensity_features(one.image, MAX_VOXELS) for one in scans]
    return training_statistics(volumes_ml, [one.geometry for one in scans], features, MAX_VOXELS)


def rates(volumes: int, training: int) -> dict[str, tuple[float, float]]:
    """Sensitivity and false alarms by what was spoilt."""
    statistics = statistics_of(range(training))
    clean = [scan(HELD_OUT + number) for number in range(volumes)]
    raised = [one.flags(statistics) for one in clean]
    outside: Spoil = partial(outside_training_range, statistics)
    spoilt = {**SPOILT, "outside training range": (Flag.OUTSIDE_TRAINING_RANGE, outside)}
    found = {}
    for number, (name, (flag, spoil)) in enumerate(spoilt.items()):
        rng = np.random.default_rng(number)
        hits = [flag in spoil(one, rng).flags(statistics) for one in clean]
        found[name] = float(np.mean(hits)), float(np.mean([flag in flags for flags in raised]))
    return found


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=40)
    parser.add_argument("--training", type=int, default=60, help="volumes that the statistics come from")
    arguments = parser.parse_args()
    print(f"{'':24}{'sensitivity':>12}{'false alarms':>14}")
    for name, (sensitivity, false_alarms) in rates(arguments.volumes, arguments.training).items():
        print(f"{name:24}{sensitivity:12.2f}{false_alarms:14.2f}")


if __name__ == "__main__":
    main()
