"""How long the Slicer panel takes to bring itself up to date, by the number of volumes, in the test host.

A study of tiny volumes, all of them loaded, with labelled slices in every tenth; each is segmented. Printed are median
time and Python instructions of a refresh after which nothing has changed, after one more slice was labelled, and after
a volume has got another result.

    .venv/bin/python benchmarks/panel_refresh.py --volumes 50 100 500
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host
from counted_work import instructions_of
from large_studies import open_large_study
from random_user import MODULE

REPEATS = 15


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, nargs="+", default=[50, 100, 250, 500])
    for volumes in parser.parse_args().volumes:
        host.start()
        host.clear_scene()
        with tempfile.TemporaryDirectory() as folder:
            widget = open_large_study(Path(folder), volumes)
            panel = widget.panel
            for what, change in (("nothing", nothing), ("a label", add_label), ("a result", add_result)):
                seconds = []
                for number in range(REPEATS):
                    change(panel, number)
                    seconds.append(duration(panel.refresh))
                change(panel, REPEATS)
                instructions = instructions_of(panel.refresh)
                print(
                    f"{volumes:4d} volumes, {what:8s}: {1000 * np.median(seconds):6.1f} ms "
                    f"(longest {1000 * max(seconds):.1f}), {instructions} instructions"
                )
            host.close_module(MODULE)


def nothing(_panel, _number) -> None:
    """Change nothing."""


def add_label(panel, number) -> None:
    """Label one more slice of a volume that has one."""
    panel.session.labels.of(f"volume_{10 * (number % 5):04d}").mark(1, number // 5)


def add_result(panel, number) -> None:
    """Segment a volume again: beside the segmentation comes its uncertainty."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, UNCERTAINTY, attach

    volume = panel.session.volumeNode(f"volume_{number:04d}")
    made = (("vtkMRMLSegmentationNode", RESULT), ("vtkMRMLScalarVolumeNode", UNCERTAINTY))
    for class_name, role in made:
        attach(slicer.mrmlScene.AddNewNodeByClass(class_name, f"{role} {number}"), volume, role)


def duration(action) -> float:
    """Seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
