"""How long Slicer's event loop is blocked while a training runs and the user works: the panel in the test host.

Simulates a study, trains it, and meanwhile scrolls, changes volumes, labels slices. Measured is every pass of the
event loop: its duration, and the processor time that it took itself (a busy machine prolongs only the former).

    .venv/bin/python benchmarks/slicer_event_loop.py --seconds 60
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
BAR_MS = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the training is watched")
    seconds = parser.parse_args().seconds
    host.start()
    import slicer

    widget = host.load_module(MODULE)
    slicer.util.selectModule("USLabelEfficientSeg")
    ui, panel = widget.ui, widget.panel
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ui.exampleButton.click()
        ui.studyFolderEdit.currentPath = str(Path(folder) / "study")
        host.process_events(0.1)
        for button in (ui.studyButton, ui.trainButton):
            while panel.runner.busy or not button.enabled:
                host.process_events(0.05)
            button.click()
        while panel.train.monitor is None or not panel.train.monitor.started:
            host.process_events(0.05)
        passes = watch(panel, ui, seconds)
        stages = ", ".join(stage.name for stage in panel.train.monitor.stages)
        panel.close()
    wall, own = 1000 * np.array(passes).T
    print(f"{len(wall)} passes of the event loop during {stages}")
    for name, values in (("duration", wall), ("own processor time", own)):
        over = int((values > BAR_MS).sum())
        print(f"{name}: median {np.median(values):.1f} ms, longest {values.max():.0f} ms, over {BAR_MS} ms: {over}")


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
