"""How long the Slicer panel takes to bring itself up to date, by the number of volumes, in the test host.

A study of tiny volumes, all of them loaded, with labelled slices in every tenth; each is segmented, and the table of
volumes has a row for each. Printed are the median time of a refresh and its Python instructions a volume, which do
not grow with the number of volumes as long as a refresh is linear.

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
            seconds = [duration(widget.panel.refresh) for _ in range(REPEATS)]
            instructions = instructions_of(widget.panel.refresh)
            print(
                f"{volumes:4d} volumes: {1000 * np.median(seconds):6.1f} ms (longest {1000 * max(seconds):.1f}), "
                f"{instructions / volumes:.0f} instructions a volume"
            )
            host.close_module(MODULE)


def duration(action) -> float:
    """Seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
