"""How long a study of thousands of volumes takes to be shown, and to suggest slices.

    python benchmarks/large_study.py [--volumes 5000]

The volumes have a few voxels, and slices of every tenth are labelled. Timed are whole commands, their start included;
what makes the study is not timed. `panel_refresh.py --volumes 5000` measures the panel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

REPEATS = 3


def main() -> None:
    """Make the study, then time commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=5000)
    volumes = parser.parse_args().volumes
    from large_studies import make_large_study

    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        make_large_study(study, volumes)
        for command in (["study", "show", str(study)], ["suggest", str(study), "--count", "10"]):
            seconds, worked = min(timed(command) for _ in range(REPEATS))
            print(f"{command[0]}, {volumes} volumes: {seconds:.1f} s ({worked:.1f} s of a processor)")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of a command on the clock and of a processor."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "USLabelEfficientSegLib.cli", *command], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
