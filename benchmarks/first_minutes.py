"""How long people wait for what the resident worker answers, beside a new process for each answer as it was before.

A study of simulated volumes is made by the panel's own steps. Measured are the first suggestion after **Create**, later
suggestions, the outline of a volume after a kept slice, and six small volumes segmented with a model that was trained
for a few steps; each as a person waits for it, in seconds, and beside it the same by a command in a process of its own.
The outline is also measured in the panel: from **Keep and next** to the outline in the views and the next slice begun
with it, and how long the event loop was held up at most meanwhile. At the end stand the memory of the worker and the
processor that it uses while nobody asks. The outline of a large volume is measured on its own, each time after a
further slice was labelled.

    .venv/bin/python benchmarks/first_minutes.py --volumes 10 --repeats 7
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/first_minutes.py --volumes 0 --large 256 --repeats 20
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host

if TYPE_CHECKING:
    from USLabelEfficientSegLib.study.study import Study

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
NAME = "USLabelEfficientSeg"
SETTINGS = (
    "teacher.steps=5",
    "slice_head.steps=5",
    "slice_head.views=1",
    "pseudo_labels.views=1",
    "student.rounds=1",
    "student.steps=5",
    "student.label_steps=5",
    "student.label_steps_from=1",
    "slice_network.steps=5",
)
CLOCK = 100  # ticks of /proc a second


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=10, help="volumes of the study; 0: none is made")
    parser.add_argument("--large", type=int, default=0, help="voxels an axis of a large volume; 0: none is made")
    parser.add_argument("--repeats", type=int, default=7, help="of each measurement; medians are told")
    options = parser.parse_args()
    host.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if options.volumes:
            measure(Path(folder), options.volumes, options.repeats)
        if options.large:
            in_large_volume(Path(folder) / "large", options.large, options.repeats)


def measure(folder: Path, volumes: int, repeats: int) -> None:
    """Make a study of so many volumes, and print what is waited for."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed
    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS, createSimulatedStudy
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.processes import study_jobs
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job, Steps
    from USLabelEfficientSegLib.slicer_side.processes.resident_worker import ResidentWorker
    from USLabelEfficientSegLib.slicer_side.results import results

    nodes, study = createSimulatedStudy(volumes), folder / "study"
    began = time.perf_counter()
    making = Job("create", lambda job: study_jobs.createStudy(job, study, nodes, organsNamed(ORGANS), 2), "create")
    session = making.wait()
    made = time.perf_counter()
    Job("suggest", lambda job: study_jobs.suggest(job, session, 1), "suggest").wait()
    first = time.perf_counter()
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        session.labels.takeNode(node, volumeOf(node))
        session.labels.save(session.caseOf(volumeOf(node)), False)
    case = session.caseOf(nodes[0])
    print(f"study of {volumes} volumes, made in {made - began:.2f} s")

    def suggest() -> None:
        Job("suggest", lambda job: study_jobs.suggest(job, session, 1), "suggest").wait()

    def command(*arguments: str) -> Callable[[], None]:
        def steps(job: Job) -> Steps:
            yield from job.work(arguments, folder / "logs")

        return lambda: Job("command", steps, "command").wait()

    def outline() -> None:
        asked = session.resident.ask("propagate", study=study, volume=case, output=folder / "outline.nrrd")
        assert asked.wait(60) is not None and asked.result["volumes_ml"]

    suggesting = median(command("suggest", str(study), "--count", "1", "--json"), 3)
    tell("first suggestion after Create", first - made, suggesting)
    tell("later suggestions", median(suggest, repeats), suggesting)
    outline()  # networks are loaded
    labels = folder / "labels"
    labels.mkdir()
    shutil.copy(study / session.study.case(case).labels.file, labels / f"{case}.nrrd")
    image = str(study / session.study.case(case).image.file)
    arguments = ["propagate", image, "--labels", str(labels), "--output", str(folder / "propagated"), "--overwrite"]
    tell("outline after a kept slice", median(outline, repeats), median(command(*arguments), 3))

    command("train", str(study), *(f"--set={setting}" for setting in SETTINGS))()
    session.refresh()
    request = results.SegmentationRequest(study, show3D=False, replace=True)

    def segment(resident: ResidentWorker | None) -> Callable[[], None]:
        few = nodes[:6]
        return lambda: Job(
            "segment", lambda job: results.segment(job, few, request, folder / "logs", resident), "segment"
        ).wait()

    segment(session.resident)()  # the model is loaded
    tell("six small volumes segmented", median(segment(session.resident), 3), median(segment(None), 3))
    print_rest(session.resident.pid)
    session.close()
    shutil.rmtree(study / "run")
    in_panel(study, case, repeats, from_slice=20)


def in_large_volume(folder: Path, voxels: int, repeats: int) -> None:
    """Print how long the outline of a volume of so many voxels an axis takes, by the worker alone and in the panel."""
    from USLabelEfficientSegLib.annotation.slice_labels_file import write_slice_labels
    from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
    from USLabelEfficientSegLib.slicer_side.processes.resident_worker import ResidentWorker

    study, truth = large_study(folder, voxels)
    case = study.cases[0].name
    resident = ResidentWorker(folder / "logs")
    assert resident.ask("prepare", study=study.folder).wait(60) is not None
    time.sleep(10)  # networks are loaded while nobody asks
    labels, seconds = study.read_labels(case), []
    assert labels is not None
    slices = {one: labels.of_slice(one) for one in labels.labelled_slices()}
    for index in range(voxels // 2 - repeats, voxels // 2 + 1):
        began = time.perf_counter()
        write_slice_labels(folder / "labels.npz", slices)
        files = {"labels": folder / "labels.npz", "output": folder / "outline.nrrd"}
        asked = resident.ask("propagate", study=study.folder, volume=case, **files)
        assert asked.wait(60) is not None and asked.result["volumes_ml"]
        seconds.append(time.perf_counter() - began)
        slices[LabelledSlice(1, index)] = truth[:, index]
    resident.close()
    later = seconds[1:]
    print(f"outline of {voxels}^3 voxels by the worker: {seconds[0]:.2f} s the first time, then {spread(later)}")
    in_panel(study.folder, case, repeats, from_slice=voxels // 2 - repeats)


def large_study(folder: Path, voxels: int) -> tuple[Study, NDArray[np.uint8]]:
    """A study of a simulated volume of so many voxels an axis, with two labelled slices, and all of its labels."""
    from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.imaging.resampling import resample_axes
    from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
    from USLabelEfficientSegLib.imaging.simulator import simulate_volume
    from USLabelEfficientSegLib.study.study import Study

    coarse = simulate_volume(0, shape=(96, 96, 96), spacing=(1.2, 1.2, 1.2))  # a fine one takes a minute
    spacing = 1.2 * 96 / voxels
    geometry = Geometry((voxels,) * 3, (spacing,) * 3, (0.0, 0.0, 0.0), np.eye(3))
    grey = np.clip(np.rint(resample_axes(coarse.volume.voxels, geometry.shape)), 0, 255).astype(np.uint8)
    nearest = np.arange(voxels) * 96 // voxels
    truth = coarse.label_map.voxels[np.ix_(nearest, nearest, nearest)]
    drawn = np.full_like(truth, 255)
    middle = voxels // 2
    drawn[:, :, middle], drawn[middle] = truth[:, :, middle], truth[middle]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    write_volume(folder / "images" / "large.nrrd", Scan(grey, geometry, "large"))
    write_label_map(folder / "labels" / "large.nrrd", LabelMap(drawn, geometry, "large"))
    organs = ["organ A", "organ B"]
    return Study.create(folder / "study", folder / "images", folder / "labels", organs=organs), truth


def in_panel(study: Path, case: str, repeats: int, from_slice: int) -> None:
    """Print how long the panel takes from **Keep and next** to the outline, before there is a model."""
    import slicer

    panel = host.load_module(MODULE).panel
    slicer.util.selectModule(NAME)
    slicer.mrmlScene.Clear()
    panel.data.open(study)
    wait(lambda: panel.runner.busy)
    session = panel.session
    first = session.labels.of(case).items()[0]
    panel.labels.show_volume(case)
    wait(lambda: panel.labels.outline.busy)  # networks are loaded
    seconds, held = [], []
    for number in range(repeats):
        axis, index = 1 - first.axis % 2, from_slice + 2 * number
        panel.labels.show_slice(case, axis, index)
        session.suggestions.fill([{"volume": case, "axis": axis, "index": index + 1, "reason": ""}])
        wait(lambda: panel.labels.outline.busy)
        began = time.perf_counter()
        panel.ui.keepSliceButton.click()
        click = time.perf_counter() - began
        held.append(max(click, wait(lambda: panel.labels.outline.busy)))
        seconds.append(time.perf_counter() - began)
        assert panel.ui.outlineLabel.text and session.labels.isLabelled(case, axis, index)
    print(f"Keep and next to the outline in the panel: {spread(seconds)}")
    print(f"event loop meanwhile: blocked for {1000 * max(held):.0f} ms at most")
    panel.close_study()


def wait(busy: Callable[[], bool]) -> float:
    """Let the event loop run while something is busy; returns the longest time in seconds that it was held up."""
    import qt

    longest = 0.0
    while busy():
        began = time.perf_counter()
        qt.QApplication.processEvents()
        longest = max(longest, time.perf_counter() - began)
        time.sleep(0.001)
    return longest


def tell(what: str, seconds: float, before: float) -> None:
    """Print a line."""
    print(f"{what}: {seconds:.2f} s; by a process of its own {before:.2f} s, {before / seconds:.1f} times as long")


def spread(seconds: Sequence[float]) -> str:
    """Median and worst."""
    return f"{np.median(seconds):.2f} s, at most {max(seconds):.2f} s"


def median(action: Callable[[], None], repeats: int) -> float:
    """Seconds of an action."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def print_rest(leader: int) -> None:
    """Memory, and the processor that a worker uses in ten seconds in which nobody asks."""
    time.sleep(3)  # it gives memory back after two
    before, _ = usage(leader)
    time.sleep(10)
    ticks, pages = usage(leader)
    print(f"worker at rest: {pages * 4096 / 2**20:.0f} MB, processor {(ticks - before) / CLOCK:.2f} s of 10 s")


def usage(leader: int) -> tuple[int, int]:
    """Processor time in hundredths of a second, and memory in pages, of a group: Slicer's launcher and its Python."""
    ticks = pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[2]) == leader:
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
    return ticks, pages


if __name__ == "__main__":
    main()
