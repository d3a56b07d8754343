"""Time and size of the report of fifty segmented volumes, as HTML and PDF.

    python benchmarks/report_of_fifty.py [--keep DIR]

The volumes are simulated, and so are their segmentations: the true organs, moved and made larger or smaller, with
probabilities, and measured as `uslabelseg segment` measures them. References and repeated scans are given, too, so
that every part of a report is in it. What makes the volumes is not timed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from USLabelEfficientSegLib.imaging.files import write_label_map, write_map, write_volume
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.measurement.measuring import write_measurements_of
from USLabelEfficientSegLib.measurement.volumetric import measure_case
from USLabelEfficientSegLib.report.cases_of_files import content_of_files
from USLabelEfficientSegLib.report.writing import write_report
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

ORGANS = ("organ A", "organ B")
BLUR_VOXELS = 1.5


def make_case(seed: int, shape: tuple[int, int, int], folder: Path) -> None:
    """An image, its reference, and a segmentation with probabilities and measurements of one simulated subject."""
    random = np.random.default_rng(seed)
    case = simulate_volume(seed, shape=shape, spacing=(1.0, 1.0, 1.0))
    geometry, name = case.volume.geometry, case.volume.name
    masks = [case.label_map.voxels == label for label in (1, 2)]
    moved = [shift(mask.astype(np.float32), random.normal(0, 1, 3), order=1) for mask in masks]
    # A power below 1 makes an organ larger, one above 1 smaller.
    organs = np.stack([gaussian_filter(mask, BLUR_VOXELS) ** random.uniform(0.6, 1.6) for mask in moved])
    probability = np.concatenate([1 - organs.sum(axis=0, keepdims=True).clip(0, 1), organs])
    label_map = LabelMap(probability.argmax(axis=0).astype(np.uint8), geometry, name)
    write_volume(folder / "images" / f"{name}.nrrd", case.volume)
    write_label_map(folder / "references" / f"{name}.nrrd", case.label_map)
    file = folder / "segmentations" / f"{name}.nrrd"
    write_map(file.with_name(f"{name}_probability.nrrd"), probability, geometry)
    write_label_map(file, label_map, segment_metadata(label_map, ORGANS))
    rows = [
        replace(
            row, interval_ml=(0.8 * row.volume_ml, 1.25 * row.volume_ml), interval_method="Made up for this benchmark."
        )
        for row in measure_case(label_map, ORGANS, probability, image=case.volume)
    ]
    write_measurements_of(file, rows)


def main() -> None:
    """Simulate the volumes, then time their report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=50)
    parser.add_argument("--shape", default="80x80x64")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave everything in this folder")
    arguments = parser.parse_args()
    i, j, k = (int(n) for n in arguments.shape.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for name in ("images", "references", "segmentations"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in range(arguments.volumes):
            make_case(seed, (i, j, k), folder)
        names = sorted(path.stem for path in (folder / "images").iterdir())
        lines = [f"{name},subject {n // 3},{n % 3 + 1}" for n, name in enumerate(names)]
        visits = folder / "visits.csv"
        visits.write_text("\n".join(["case,subject,order", *lines]) + "\n", encoding="utf-8")

        html, pdf = folder / "report.html", folder / "report.pdf"
        started, worked = time.monotonic(), time.process_time()
        content = content_of_files(
            folder / "segmentations", folder / "images", references=folder / "references", visits=visits
        )
        write_report(html, replace(content, title="Fifty simulated volumes"), pdf=pdf)
        seconds, worked = time.monotonic() - started, time.process_time() - worked
        sizes = ", ".join(f"{path.suffix[1:].upper()} {path.stat().st_size / 1e6:.1f} MB" for path in (html, pdf))
        print(f"{len(names)} volumes of {arguments.shape}: {seconds:.1f} s ({worked:.1f} s of one processor), {sizes}")


if __name__ == "__main__":
    main()
