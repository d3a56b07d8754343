"""Draw the extension's icon: an ultrasound sector, a few labelled slices and the organ they are enough for.

Writes `Resources/Icon/USLabelEfficientSeg.png` and the module's own icon, 128x128 each.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch, Wedge

ROOT = Path(__file__).parents[2]
TARGETS = (
    ROOT / "Resources/Icon/USLabelEfficientSeg.png",
    ROOT / "USLabelEfficientSeg/Resources/Icons/USLabelEfficientSeg.png",
)
ORGAN, LABEL = "#E69F00", "#56B4E9"


def main() -> None:
    """Draw and write both files."""
    figure = Figure(figsize=(1.28, 1.28), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    axes.add_patch(
        FancyBboxPatch((0.05, 0.05), 0.9, 0.9, boxstyle="round,pad=0.03,rounding_size=0.16", color="#14202E", zorder=0)
    )
    sector = Wedge((0.5, 1.06), 0.9, 242, 298, width=0.74, facecolor="none", edgecolor="#9FB3C4", linewidth=1.2)
    axes.add_patch(sector)
    rng = np.random.default_rng(0)
    speckle = np.abs(rng.normal(size=(40, 40)) + 1j * rng.normal(size=(40, 40)))
    image = axes.imshow(
        speckle, extent=(0, 1, 0.1, 0.9), cmap="gray", vmin=-1.2, vmax=4.5, interpolation="bicubic", zorder=1
    )
    image.set_clip_path(sector)
    organ = Ellipse((0.5, 0.45), 0.46, 0.34, angle=12, facecolor=ORGAN, edgecolor="#FFD27A", linewidth=1.6, alpha=0.92)
    axes.add_patch(organ)
    for x in (0.4, 0.56):
        (line,) = axes.plot([x, x], [0.2, 0.7], color=LABEL, linewidth=3.2, solid_capstyle="round")
        line.set_clip_path(organ)
        axes.plot([x, x], [0.2, 0.7], color=LABEL, linewidth=1.2, alpha=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for target in TARGETS:
        figure.savefig(target, transparent=True)


if __name__ == "__main__":
    main()
