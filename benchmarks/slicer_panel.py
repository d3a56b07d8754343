"""How quick the Slicer panel is, in the test host: opening, the event loop while a training runs, and Cancel.

Opening is measured in processes of their own in which torch and all else that Slicer does not bundle cannot be
imported. Then a simulated study is trained while a user scrolls, changes volumes and labels slices; measured is every
pass of the event loop: its duration, and the processor time that it took itself (a busy machine prolongs only the
former). Last the training is cancelled several times, and resumed: measured is the time until the worker and its
children are gone.

    .venv/bin/python benchmarks/slicer_panel.py --seconds 60
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host
from random_user import child_processes

from USLabelEfficientSegLib.slicer_side.processes.worker import group_lives

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
BAR_MS = 100
OPENING = """
import sys, time
sys.path.insert(0, {testing!r})
sys.modules.update(dict.fromkeys("torch monai SimpleITK pydicom pydantic safetensors jinja2 matplotlib".split()))
import slicer_host
slicer_host.start()
import slicer
wall, own = time.perf_counter(), time.process_time()
slicer_host.load_module({module!r})
slicer.util.selectModule("USLabelEfficientSeg")
print(time.perf_counter() - wall, time.process_time() - own)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the training is watched")
    parser.add_argument("--cancels", type=int, default=10, help="how often the training is cancelled and resumed")
    options = parser.parse_args()
    opened = [opening() for _ in range(5)]
    print("opening: {:.2f} s, processor {:.2f} s (medians of 5)".format(*np.median(opened, axis=0)))
    host.start()
    import slicer

    widget = host.load_module(MODULE)
    slicer.util.selectModule("USLabelEfficientSeg")
    ui, panel = widget.ui, widget.panel
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ui.exampleButton.click()
        while panel.runner.busy:
            host.process_events(0.05)
        ui.studyFolderEdit.currentPath = str(Path(folder) / "study")
        host.process_events(0.1)
        for button in (ui.studyButton, ui.trainButton):
            while panel.runner.busy or not button.enabled:
                host.process_events(0.05)
            button.click()
        while panel.train.monitor is None or not panel.train.monitor.started:
            host.process_events(0.05)
        passes = watch(panel, ui, options.seconds)
        stages = ", ".join(stage.name for stage in panel.train.monitor.stages)
        cancels = [cancel(panel, ui) for _ in range(options.cancels)]
        panel.close()
    wall, own = 1000 * np.array(passes).T
    print(f"{len(wall)} passes of the event loop during {stages}")
    for name, values in (("duration", wall), ("own processor time", own)):
        over = int((values > BAR_MS).sum())
        print(f"{name}: median {np.median(values):.1f} ms, longest {values.max():.0f} ms, over {BAR_MS} ms: {over}")
    print(f"{len(cancels)} x Cancel: median {np.median(cancels):.2f} s, longest {max(cancels):.2f} s")


def opening() -> tuple[float, float]:
    """Wall and processor seconds of loading the module and selecting it, without torch."""
    program = OPENING.format(testing=str(Path(host.__file__).parents[1]), module=str(MODULE))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    wall, own = map(float, done.stdout.split()[-2:])
    return wall, own


def cancel(panel, ui) -> float:
    """Start the training unless it runs, cancel it at a random moment; seconds until all its processes are gone."""
    if not panel.runner.busy:
        ui.trainButton.click()
    while panel.train.monitor is None or not panel.train.monitor.started:
        host.process_events(0.02)
    host.process_events(np.random.default_rng().uniform(0.5, 5.0))
    workers = child_processes()
    assert workers, "the training had ended"
    asked = time.monotonic()
    ui.cancelTrainButton.click()
    while panel.runner.busy or any(group_lives(worker) for worker in workers):
        host.process_events(0.01)
    return time.monotonic() - asked


def watch(panel, ui, seconds: float) -> list[tuple[float, float]]:
    """Work while the training runs; wall and processor seconds of every pass of the event loop."""
    passes, rng, next_action = [], np.random.default_rng(0), 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end and panel.runner.busy:
        if time.monotonic() > next_action:
            next_action = time.monotonic() + 0.5
            host.QtCore.QTimer.singleShot(0, lambda: act(panel, ui, rng))
        wall, own = time.perf_counter(), time.thread_time()
        host.process_events()
        passes.append((time.perf_counter() - wall, time.thread_time() - own))
        time.sleep(0.002)
    return passes


def act(panel, ui, rng: np.random.Generator) -> None:
    """Something that a user does while training runs."""
    case = panel.session.cases()[rng.integers(6)]
    kind = rng.integers(4)
    if kind == 0:
        ui.labelTable.selectRow(int(rng.integers(6)))
    elif kind == 1:
        panel.labels.show_slice(case, 2, int(rng.integers(40)))
    elif kind == 2:
        node = panel.labels.slice_node()
        node.SetSliceOffset(node.GetSliceOffset() + 1.6)
    elif ui.emptySliceButton.enabled:
        ui.emptySliceButton.click()


if __name__ == "__main__":
    main()
