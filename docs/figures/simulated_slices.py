"""Draw simulated_slices.png: one simulated subject seen by a good, a medium and a low-cost probe.

Rows: the probes. Columns: the three views through the organs, then the first view without outlines.
Run as ``python docs/figures/simulated_slices.py [SEED]`` with the library installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from USLabelEfficientSegLib.imaging.simulator import PROBES, SimulatedCase, simulate_volume

VIEWS = (("across the sweep", 2), ("along the sweep", 0), ("parallel to the probe", 1))
COLOURS = ("#ffb000", "#4fc3f7", "#e377c2")


def draw_view(panel: plt.Axes, case: SimulatedCase, axis: int, outlines: bool) -> None:
    """The slice that shows most of the organs; depth, where in view, runs downwards."""
    labels = case.label_map.voxels
    index = int(np.argmax((labels > 0).sum(axis=tuple(a for a in range(3) if a != axis))))
    grey, organs = (np.take(array, index, axis=axis) for array in (case.volume.voxels, labels))
    spacing = np.delete(case.volume.geometry.spacing, axis)
    if axis != 0:  # axes are then (lateral, depth) or (lateral, elevation): lateral to the right
        grey, organs, spacing = grey.T, organs.T, spacing[::-1]
    panel.imshow(grey, cmap="gray", vmin=0, vmax=255, aspect=spacing[0] / spacing[1])
    for value, colour in enumerate(COLOURS[: len(case.organs)], start=1):
        if outlines and (organs == value).any():
            panel.contour(organs == value, levels=[0.5], colors=colour, linewidths=1.0)
    panel.set_xticks([])
    panel.set_yticks([])


def main(seed: int = 5) -> None:
    """Write simulated_slices.png beside this script."""
    figure, panels = plt.subplots(len(PROBES), 4, figsize=(13, 9.2), layout="constrained")
    for row, probe in zip(panels, PROBES, strict=True):
        case = simulate_volume(seed, shape=(192, 192, 128), spacing=(0.5, 0.5, 0.5), probe=probe)
        for panel, (title, axis) in zip(row, VIEWS, strict=False):
            draw_view(panel, case, axis, outlines=True)
            panel.set_title(title)
        draw_view(row[3], case, VIEWS[0][1], outlines=False)
        row[3].set_title(f"{VIEWS[0][0]}, no outlines")
        row[0].set_ylabel(f"{probe} probe")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
