"""How soon a stroke of the brush is on disk, and how long the event loop is held up for it.

A study of one simulated volume has so many labelled slices along its three axes. In the panel's test host, on Slicer's
own MRML, strokes are drawn on a labelled slice that the view shows, on a slice that is not labelled but crosses
labelled ones, and on a labelled slice while the view shows another one. Measured is from the end of a stroke to the
file in the study's folder that holds it, in seconds as a crash would find it.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/strokes_on_disk.py --slices 20 --strokes 30
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from first_minutes import MODULE, NAME, host, large_study, wait
from numpy.typing import NDArray

from USLabelEfficientSegLib.disk.identity import Identity, identity_of


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=256, help="an axis")
    parser.add_argument("--slices", type=int, default=20, help="that are labelled")
    parser.add_argument("--strokes", type=int, default=30, help="of each kind")
    options = parser.parse_args()
    host.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        measure(Path(folder), options.voxels, options.slices, options.strokes)


def measure(folder: Path, voxels: int, slices: int, strokes: int) -> None:
    """Print what strokes of each kind take."""
    import slicer

    study, truth = large_study(folder / "large", voxels)
    panel = host.load_module(MODULE).panel
    slicer.util.selectModule(NAME)
    slicer.mrmlScene.Clear()
    panel.data.open(study.folder)
    wait(lambda: panel.runner.busy)
    case, organs = panel.session.cases()[0], panel.session.organs()
    panel.labels.show_volume(case)
    panel.ui.outlineCheckBox.checked = False  # it is asked beside what is measured here
    labelling, middle = panel.session.labels.of(case), voxels // 2
    for number in range(slices - len(labelling.items())):
        axis, index = number % 3, middle - 10 + 2 * (number // 3)
        labelling.setLabels(axis, index, truth.take(index, axis), organs)
    panel.session.labels.save(case, False)
    panel.labels.saving._timer.setInterval(10**6)  # the save that follows a second later does not help
    labelled = middle  # of axis 0 and 2, see `large_study`
    for what, shown, painted in (
        ("on the labelled slice in view", (2, labelled), (2, labelled)),
        ("on a slice in view that labelled ones cross", (1, middle + 40), (1, middle + 40)),
        ("on a labelled slice in another view", (1, middle + 40), (0, labelled)),
    ):
        panel.labels.show_slice(case, *shown)
        wait(lambda: panel.labels.saving._runner.busy)
        host.process_events(0.2)
        seconds, held, file = [], [], study.folder / "kept" / "large.nrrd.json"
        for number in range(strokes):
            drawn: NDArray[np.uint8] = np.array(truth.take(painted[1], painted[0]))
            drawn[middle - 20 : middle + 20, 60 + 2 * number : 66 + 2 * number] = 1 + number % 2
            before = identity_of(file)
            labelling.paint(*painted, drawn, organs)
            began = time.perf_counter()
            held.append(wait(partial(is_unchanged, file, before)))
            seconds.append(time.perf_counter() - began)
        median, worst = 1000 * np.median(seconds), 1000 * max(seconds)
        loop = f"event loop held up for {1000 * max(held):.0f} ms at most"
        print(f"{what}: {median:.0f} ms, at most {worst:.0f} ms; {loop}", flush=True)
    panel.close_study()


def is_unchanged(file: Path, before: Identity | None) -> bool:
    """Whether a file is still the one that it was."""
    return identity_of(file) == before


if __name__ == "__main__":
    main()
