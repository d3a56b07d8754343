"""Every command is killed at a random moment and run again: nothing is lost, nothing stays, results are of one model.

python -m robustness.kills --count 200 --seed 0
"""

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from robustness.forks import command, import_all, in_fork
from robustness.runner import Check
from robustness.trained_study import PREPARED, commands, prepare
from USLabelEfficientSegLib.study.study import Study

HIDDEN = (".uslabelseg-", ".")
FEWEST_CHECKS_A_KILL = 50  # of other families: a kill takes seconds


@dataclass(frozen=True)
class Trial:
    """A command on a copy of the prepared folder.

    Attributes:
        name: of the command.
        arguments: of the command line, paths relative to the folder.
        seconds: that it takes undisturbed.
        results: what it leaves undisturbed: checksums of files by their paths in the folder.
    """

    name: str
    arguments: tuple[str, ...]
    seconds: float
    results: dict[str, str]


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """A kill of each command in turn, far fewer than of other families."""
    random = np.random.default_rng(seed)
    trials = undisturbed(folder)
    for number in range(max(1, count // FEWEST_CHECKS_A_KILL)):
        trial = trials[number % len(trials)]
        moment = float(random.uniform(0, trial.seconds))
        yield (
            f"{trial.name} after {moment:.2f} s",
            partial(_check, trial, moment, folder / "prepared", folder / "trial"),
        )


def undisturbed(folder: Path) -> list[Trial]:
    """Prepare a trained study, and run every command once to know how long it takes and what it leaves."""
    import_all()
    code = in_fork(lambda: prepare(folder / "prepared"), folder / "prepare.log").wait()
    if code != 0:
        raise AssertionError((folder / "prepare.log").read_text())
    trials = []
    for name, arguments in commands().items():
        shutil.copytree(folder / "prepared", folder / "trial", symlinks=True)
        began = time.monotonic()
        code = command(arguments, folder / "trial").wait()
        seconds = time.monotonic() - began
        assert code == 0, f"{name} failed: {(folder / 'log').read_text()}"
        trials.append(Trial(name, arguments, seconds, _checksums(folder / "trial")))
        shutil.rmtree(folder / "trial")
    return trials


def _check(trial: Trial, moment: float, prepared: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared, folder, symlinks=True)
    before = _checksums(folder)
    child = command(trial.arguments, folder)
    child.kill_after(moment)
    killed = _checksums(folder)
    _check_nothing_lost(before, trial.results, killed, folder)
    code = command(trial.arguments, folder).wait()
    after = _checksums(folder)
    done = code == 2 and after == trial.results  # it was killed when all was done, which it may not do twice
    assert code == 0 or done, f"repeated, it ended with {code}: {folder.with_name('log').read_text()}"
    left = [path for path in after if any(part.startswith(HIDDEN) for part in Path(path).parts)]
    assert not left, f"it left {left}"
    assert after.keys() == trial.results.keys(), f"files differ: {after.keys() ^ trial.results.keys()}"
    other = [path for path, checksum in after.items() if trial.results[path] != checksum]
    assert not other, f"results differ from those of a run that was not killed: {other}"


def _check_nothing_lost(before: dict[str, str], undisturbed: dict[str, str], now: dict[str, str], folder: Path) -> None:
    """Every file is the one from before or the one that the command ends with, and every study opens."""
    for path, checksum in before.items():
        if path.endswith(PREPARED):
            assert now.get(path) in (checksum, undisturbed.get(path)), f"{path} is neither the old nor the new one"
    for study in folder.glob("*/study.json"):
        opened = Study.open(study.parent)
        for case in opened.cases:
            opened.read_scan(case.name)
            opened.read_labels(case.name)
    # Results of one name are all of one model: those from before or the new ones.
    for table in folder.glob("segmentations/*.nrrd"):
        group = [
            path for path in before if Path(path).name.startswith(table.stem) and path.startswith("segmentations/")
        ]
        kinds = {now.get(path) == before[path] for path in group if before[path] != undisturbed.get(path)}
        assert len(kinds) <= 1, f"results of two models under the name {table.stem}"


def _checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file whose content does not depend on when it was written; of the others that they are there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "lock":  # of a study, which may have one
            name = str(path.relative_to(folder))
            data = path.read_bytes() if name.endswith(PREPARED) else b""
            if path.name == "study.json":
                data = re.sub(rb'"created": "[^"]*"', b"", data)
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def main() -> None:
    """Kill commands, and exit with 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="robustness.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        for name, check in checks(options.count * FEWEST_CHECKS_A_KILL, options.seed, Path(folder)):
            try:
                check()
            except Exception as error:
                failed += 1
                print(f"FAILED {name}: {error}", flush=True)
    print(f"{options.count} kills, {failed} failed, {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
