"""How long the outline takes after each stroke of the brush in a large volume, and what takes how long.

A study of one simulated volume has two labelled slices. In the panel's test host, on Slicer's own MRML, strokes are
drawn in slices that are not kept; measured is from the end of a stroke to the outline in the views and the millilitres
beside it, in seconds as a person waits for them, with the labelled slices alone and then with a trained model. Beside
it stand medians of the parts: what is read from nodes, written for the worker, waited for, read again, shown. Then
the worker's own work is split, in this process and in seconds of its processor. With `--beside 1` another program
uses a processor all the time.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/while_painting.py --strokes 200 --beside 1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from first_minutes import MODULE, NAME, SETTINGS, host, large_study, spread, wait
from numpy.typing import NDArray

FIRST = 3  # strokes that are not counted: networks and the volume are loaded


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=256, help="an axis")
    parser.add_argument("--strokes", type=int, default=200)
    parser.add_argument("--beside", type=int, default=0, help="busy programs beside it")
    parser.add_argument("--no-model", action="store_true", help="measure without a trained model alone")
    options = parser.parse_args()
    host.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        study, truth = large_study(Path(folder) / "large", options.voxels)
        for trained in (False,) if options.no_model else (False, True):
            if trained:
                command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "train", str(study.folder)]
                subprocess.run([*command, *(f"--set={one}" for one in SETTINGS)], check=True, capture_output=True)
            print(
                f"\n{options.voxels}^3 voxels, {'a trained model' if trained else 'labelled slices alone'}:", flush=True
            )
            with busy_programs(options.beside):
                in_panel(study.folder, truth, options.strokes)
                in_worker(study.folder, truth, min(options.strokes, 20))


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Programs that use a processor each, all the time."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def strokes(truth: NDArray[np.uint8], count: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Slices across axis 1 from the middle on, and what is painted in each after one more line of the brush."""
    index, lines, height = truth.shape[1] // 2 + 1, 4, truth.shape[0]
    painted = np.zeros_like(truth[:, index])
    for number in range(count):
        if number % lines == 0 and number:
            index, painted = index + 1, np.zeros_like(painted)
        first = height // 4 + (number % lines) * height // 8
        painted = painted.copy()
        painted[first : first + height // 12] = truth[first : first + height // 12, index]
        yield index, painted


def in_panel(study: Path, truth: NDArray[np.uint8], count: int) -> None:
    """Print how long the panel takes from the end of a stroke to the outline in the views, and its parts."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.processes.resident_worker import Asked
    from USLabelEfficientSegLib.slicer_side.session import known_organs, labelling
    from USLabelEfficientSegLib.slicer_side.steps import live_outline, slice_work

    panel = host.load_module(MODULE).panel
    slicer.util.selectModule(NAME)
    slicer.mrmlScene.Clear()
    panel.data.open(study)
    wait(lambda: panel.runner.busy)
    case = panel.session.cases()[0]
    panel.labels.show_volume(case)
    wait(lambda: panel.labels.outline.busy)
    parts: dict[str, list[float]] = defaultdict(list)
    seconds, held, shown = [], [], -1
    with ExitStack() as watched:
        for what, where, name in (
            ("labelled slices are read from nodes", labelling.LabelledSlices, "sliceLabels"),
            ("the stroke is read from nodes", slice_work.SliceWork, "strokes"),
            ("they are written for the worker", known_organs, "_write"),
            ("its answer is read", known_organs, "_read"),
            ("the outline is shown", live_outline, "showOutline"),
        ):
            watched.enter_context(timed(where, name, parts[what]))
        watched.enter_context(answers(Asked, parts["the worker answers"]))
        for index, painted in strokes(truth, FIRST + count):
            if index != shown:
                panel.labels.show_slice(case, 1, index)
                wait(lambda: panel.labels.outline.busy)
                shown = index
            panel.session.labels.of(case).paint(1, index, painted, panel.session.organs())
            began = time.perf_counter()
            host.process_events()
            held.append(max(time.perf_counter() - began, wait(lambda: panel.labels.outline.busy)))
            seconds.append(time.perf_counter() - began)
            assert panel.ui.outlineLabel.text
    print(f"stroke to outline: {spread(seconds[FIRST:])}")
    print(f"  event loop blocked for {1000 * max(held[FIRST:]):.0f} ms at most")
    for what, values in parts.items():
        print(f"  {what}: {1000 * float(np.median(values)):.0f} ms")
    panel.close_study()


def in_worker(study: Path, truth: NDArray[np.uint8], count: int) -> None:
    """Print how much processor the parts of an answer use."""
    import torch

    from USLabelEfficientSegLib.annotation.slice_labels_file import write_slice_labels
    from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice
    from USLabelEfficientSegLib.promptable_network import two_passes
    from USLabelEfficientSegLib.promptable_network.network import PromptableNetwork
    from USLabelEfficientSegLib.prompting import coarse_drawing, outline
    from USLabelEfficientSegLib.serving import answering
    from USLabelEfficientSegLib.serving.networks import Networks
    from USLabelEfficientSegLib.study.study import Study

    torch.set_num_threads(1)
    opened = Study.open(study)
    case = opened.cases[0].name
    labels = opened.read_labels(case)
    assert labels is not None
    slices = {one: labels.of_slice(one) for one in labels.labelled_slices()}
    trained = (study / "run").exists()
    request = ("predict", {"coarse": True, "corrected": True}) if trained else ("propagate", {})
    file, answer = study.parent / "labels.npz", answering.Answering(Networks())
    parts: dict[str, list[float]] = defaultdict(list)
    clock = time.thread_time
    with ExitStack() as watched:
        for what, where, name in (
            ("all", answering.Answering, "__call__"),
            ("slices are read", answering, "read_slice_labels"),
            ("their drawing on the coarse grid", coarse_drawing, "drawing_of_slices"),
            ("the network", PromptableNetwork, "forward"),
            ("resampling to its cube and back", two_passes, "resample_axes"),
            ("organs share the voxels", outline, "shared_probability"),
            ("thresholds", outline, "dice_threshold"),
            ("labels of the outline", outline, "_labels"),
            ("it is written", answering, "_write"),
        ):
            watched.enter_context(timed(where, name, parts[what], clock))
        for number, (index, painted) in enumerate(strokes(truth, FIRST + count)):
            drawn = np.where(painted > 0, painted, np.uint8(UNLABELLED))
            write_slice_labels(file, {**slices, LabelledSlice(1, index): drawn})
            if number == FIRST:
                for values in parts.values():
                    values.clear()
            places = {"study": study, "volume": case, "labels": file, "output": study.parent / "outline.nrrd"}
            answer(request[0], {**places, **request[1]}, lambda record: None)
    for what, values in parts.items():
        print(f"  {what}: {1000 * sum(values) / count:.0f} ms of a processor, {len(values) / count:.0f} times")


@contextmanager
def timed(
    where: Any, name: str, seconds: list[float], clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Note how long each call of a function takes."""
    function = getattr(where, name)

    def noted(*arguments: Any, **named: Any) -> Any:
        began = clock()
        try:
            return function(*arguments, **named)
        finally:
            seconds.append(clock() - began)

    setattr(where, name, noted)
    try:
        yield
    finally:
        setattr(where, name, function)


@contextmanager
def answers(asked: Any, seconds: list[float]) -> Iterator[None]:
    """Note how long each request waits for its end."""
    begin, end = asked.__init__, asked.end

    def begun(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        self.began = time.perf_counter()

    def ended(self: Any, outcome: Any) -> None:
        end(self, outcome)
        if outcome.state == "done":
            seconds.append(time.perf_counter() - self.began)

    asked.__init__, asked.end = begun, ended
    try:
        yield
    finally:
        asked.__init__, asked.end = begin, end


if __name__ == "__main__":
    main()
