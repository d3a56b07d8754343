"""A file of a trained study is damaged, lost or exchanged: commands make it again, or refuse in one sentence.

What training makes again is what it was: the model has the weights of an undisturbed training.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustness.forks import command, import_all, in_fork
from robustness.mutations import changed_bytes
from robustness.runner import Check
from robustness.trained_study import prepare
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint

FEWEST_CHECKS_A_DAMAGE = 50  # of other families: a command takes seconds
COMMANDS = {
    "show": ("study", "show", "study"),
    "train": ("train", "study"),
    "report": ("report", "study", "--output=report.html"),
    "suggest": ("suggest", "study", "--count=1"),
    "segment": ("segment", "study", "more", "--output=found"),
}


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Damages of every file that a training leaves, each before a command; far fewer than of other families."""
    random = np.random.default_rng(seed)
    import_all()
    code = in_fork(lambda: prepare(folder / "prepared"), folder / "log").wait()
    assert code == 0, (folder / "log").read_text()
    study = folder / "prepared" / "study"
    files = sorted(path.relative_to(study) for path in (study / "run").rglob("*") if path.is_file())
    for number in range(max(1, count // FEWEST_CHECKS_A_DAMAGE)):
        file = files[random.integers(len(files))]
        how = str(random.choice(["change", "change", "lose", "lose the model, too", "exchange"]))
        name = str(random.choice(list(COMMANDS)))
        data = changed_bytes((study / file).read_bytes(), random)
        other = study / files[random.integers(len(files))]
        yield f"{how} {file} {number}, {name}", partial(_check, folder, file, how, data, other, name)


def _check(folder: Path, file: Path, how: str, data: bytes, other: Path, name: str) -> None:
    trial = folder / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    shutil.copytree(folder / "prepared", trial)
    damaged, model = trial / "study" / file, trial / "study" / "run" / MODEL_NAME
    if how == "change":
        damaged.write_bytes(data)
    elif how == "exchange":
        shutil.copy(other, damaged)
    else:
        damaged.unlink()
    if how == "lose the model, too":
        model.unlink(missing_ok=True)
    code = command(COMMANDS[name], trial).wait()
    told = trial.with_name("log").read_text(errors="replace")
    assert code in (0, 2) and "Traceback" not in told, told
    if code == 2:
        sentences = [line for line in told.splitlines() if line.startswith("uslabelseg: error:")]
        assert len(sentences) == 1, told
    if code == 0 and name == "train":
        made, whole = (load_checkpoint(path / "study" / "run" / MODEL_NAME)[0] for path in (trial, folder / "prepared"))
        assert made.keys() == whole.keys()
        assert all(bool((tensor == whole[key]).all()) for key, tensor in made.items()), "another model was trained"
