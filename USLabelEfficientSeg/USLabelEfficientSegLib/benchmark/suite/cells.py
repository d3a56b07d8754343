"""The cells of a suite's tables: each method on each set, and ours against the best rival there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...imaging.files import find_images, read_label_map
from ..methods import VARIANTS, uses_all_labels
from ..results import JobResult, read_results
from ..statistics import Arm, ArmSummary, group_by_arm, summarise_arm
from .run import DATA


@dataclass(frozen=True)
class SetResults:
    """All results on a set.

    Attributes:
        name: of the set.
        voxel_mm: side of a cube of a voxel's volume: the unit of distances in voxels.
        arms: results by arm and seed.
    """

    name: str
    voxel_mm: float
    arms: dict[Arm, dict[int, JobResult]]

    def summary(self, arm: Arm) -> ArmSummary:
        """Of an arm over its seeds."""
        return summarise_arm(arm, self.arms[arm])

    def missed(self, arm: Arm) -> float:
        """Share of organs that were missed altogether, over cases and seeds: they have no distance."""
        rows = [row for run in self.arms[arm].values() for row in run.plain]
        return float(np.mean([np.isnan(row.hausdorff_95_mm) for row in rows]))


@dataclass(frozen=True)
class Margin:
    """Our method against the best rival on a set, over the seeds that both have.

    Attributes:
        set_name: of the set.
        ours, rival: summaries.
        hausdorff_95_voxels: ours minus the rival's, mean over the organs that both found; above zero is worse.
    """

    set_name: str
    ours: ArmSummary
    rival: ArmSummary
    hausdorff_95_voxels: float

    @property
    def dice(self) -> float:
        """Ours minus the rival's."""
        return self.ours.dice - self.rival.dice


def read_sets(output: Path, names: Sequence[str]) -> list[SetResults]:
    """The sets of a suite's folder that have results, in the order of `names`."""
    found = []
    for name in names:
        results = read_results(output / name)
        if results:
            found.append(SetResults(name, voxel_mm(output / DATA / name), group_by_arm(results)))
    return found


def voxel_mm(data: Path) -> float:
    """The cube root of a voxel's volume, mean over the volumes of a set, in mm."""
    labels = find_images(data / "labels", labels=True)
    return float(np.mean([np.cbrt(1000 * read_label_map(p).geometry.voxel_volume_ml) for p in labels.values()]))


def label_arms(sets: Sequence[SetResults]) -> list[tuple[float, str]]:
    """The pairs of label fraction and choice that were run, by rising fraction."""
    return sorted({(a.label_fraction, a.choice) for s in sets for a in s.arms if not uses_all_labels(a.method)})


def margins(sets: Sequence[SetResults], fraction: float, choice: str, ours: str) -> list[Margin]:
    """On each set with results of `ours` and of a rival with the same labels, our method against the best rival."""
    found = []
    for one in sets:
        rivals = [
            arm.method
            for arm in one.arms
            if (arm.label_fraction, arm.choice) == (fraction, choice)
            and arm.method not in VARIANTS
            and not uses_all_labels(arm.method)
        ]
        arms = [Arm(name, fraction, choice) for name in (ours, *rivals)]
        compared = [margin for rival in arms[1:] if (margin := _margin(one, arms[0], rival)) is not None]
        if compared:
            found.append(max(compared, key=lambda margin: margin.rival.dice))
    return found


def _margin(one: SetResults, ours: Arm, rival: Arm) -> Margin | None:
    runs, others = one.arms.get(ours, {}), one.arms[rival]
    seeds = sorted(runs.keys() & others.keys())
    if not seeds:
        return None
    pairs = [pair for seed in seeds for pair in zip(runs[seed].plain, others[seed].plain, strict=True)]
    differences = np.array([a.hausdorff_95_mm - b.hausdorff_95_mm for a, b in pairs])
    both = differences[~np.isnan(differences)]
    return Margin(
        one.name,
        summarise_arm(ours, {seed: runs[seed] for seed in seeds}),
        summarise_arm(rival, {seed: others[seed] for seed in seeds}),
        float(both.mean() / one.voxel_mm) if len(both) else float("nan"),
    )
