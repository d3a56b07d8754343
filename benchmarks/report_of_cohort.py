"""Time, memory and size of the report of ten thousand segmented volumes.

    python benchmarks/report_of_cohort.py [--volumes 10000] [--keep DIR]

A few volumes are simulated, as are their segmentations (see report_of_fifty.py), and copied under many names; every
copy has volumes of its own, spread like those of a population, and one in a hundred is an outlier. What makes them is
not timed.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from report_of_fifty import make_case

from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.measurement.measuring import read_measurements_of, write_measurements_of
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.report.cases_of_files import content_of_files
from USLabelEfficientSegLib.report.writing import write_report

_ORIGINALS = 10
_SPREAD = 0.25  # of the logarithm of volumes


def make_cohort(folder: Path, volumes: int, shape: tuple[int, int, int]) -> None:
    """The images, segmentations and measurements of a cohort."""
    random = np.random.default_rng(0)
    for name in ("images", "references", "segmentations"):
        (folder / "originals" / name).mkdir(parents=True)
        (folder / name).mkdir()
    for seed in range(_ORIGINALS):
        make_case(seed, shape, folder / "originals")
    originals = sorted((folder / "originals" / "images").iterdir())
    for number in range(volumes):
        image, name = originals[number % _ORIGINALS], f"volume_{number:05d}"
        segmentation = folder / "originals" / "segmentations" / image.name
        shutil.copyfile(image, folder / "images" / f"{name}.nrrd")
        file = folder / "segmentations" / f"{name}.nrrd"
        shutil.copyfile(segmentation, file)
        factor = float(np.exp(random.normal(0, _SPREAD))) * (10 if number % 100 == 50 else 1)
        rows = [
            replace(
                row,
                case=name,
                volume_ml=factor * row.volume_ml,
                interval_ml=(0.8 * factor * row.volume_ml, 1.25 * factor * row.volume_ml),
                flags=row.flags if number % 5 == 0 else (),
            )
            for row in read_measurements_of(segmentation) or []
            if isinstance(row, OrganMeasurement)
        ]
        write_measurements_of(file, rows, replace(read_label_map(file), name=name))


def main() -> None:
    """Make the cohort, then time its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=10_000)
    parser.add_argument("--shape", default="24x24x16")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave everything in this folder")
    arguments = parser.parse_args()
    i, j, k = (int(n) for n in arguments.shape.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        if not (folder / "segmentations").exists():
            make_cohort(folder, arguments.volumes, (i, j, k))
        started, worked = time.monotonic(), time.process_time()
        content = content_of_files(folder / "segmentations", folder / "images", organs=["organ A", "organ B"])
        written = write_report(folder / "report.html", content)
        seconds, worked = time.monotonic() - started, time.process_time() - worked
        size = (folder / "report.html").stat().st_size / 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            f"{written.cases} volumes of {arguments.shape}: {seconds:.0f} s ({worked:.0f} s of one processor), "
            f"{size:.1f} MB, at most {memory:.0f} MB of memory"
        )


if __name__ == "__main__":
    main()
