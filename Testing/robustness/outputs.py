"""Results onto links, files of others, corrected ones, inputs, studies, odd names, and kills at any moment."""

import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.tiny_studies import GRID, volume_model, write_images
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.measuring import read_measurements_of

NAMES = ("t.csv", "=1+1.csv", "a b.csv", "größe.csv", "[bold]x[i].csv", "a\x1b[2J.csv", "-v.csv", "T.CSV", "ä;=1.csv")
TARGETS = (
    "absent", "own", "edited", "foreign", "link to own", "link to foreign", "dangling link", "folder", "input",
    "in a study", "linked into a study", "null device", "new folder", "hard link to foreign", "private own",
)  # fmt: skip
ALLOWED = {"absent", "own", "link to own", "dangling link", "null device", "new folder", "private own"}
NEEDS_OVERWRITE = {"edited", "foreign", "link to foreign", "hard link to foreign"}
FOREIGN = "somebody's work\n"


@dataclass(frozen=True)
class _Inputs:
    images: Path
    labels: Path
    model: Path
    study: Path


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """A random command onto a random target; every tenth is killed at a random moment and repeated."""
    random = np.random.default_rng(seed)
    os.environ["USLABELSEG_STATE"] = str(folder / "state")
    inputs = _made(folder / "made")
    for number in range(count):
        place = folder / str(number)
        if number % 10 == 9 and hasattr(os, "fork"):
            delay = float(random.uniform(0, 0.4))
            yield f"segment killed after {delay:.3f} s", partial(_killed, inputs, place, delay)
            continue
        target, command = random.choice(TARGETS), random.choice(["measure", "measure json", "evaluate", "segment"])
        name, overwrite = str(random.choice(NAMES)), bool(random.random() < 0.3)
        words = f"{command} onto {target} {name!r}{' with --overwrite' if overwrite else ''}"
        yield words, partial(_written, inputs, place, str(command), str(target), name, overwrite)


def _made(folder: Path) -> _Inputs:
    images, labels, study = write_images(folder / "images", "a", "b"), folder / "labels", folder / "study"
    labels.mkdir()
    study.mkdir()
    (study / "study.json").write_text("{}")
    for name in ("a", "b"):
        voxels = np.zeros(GRID.shape, np.uint8)
        voxels[1:3, 1:4, 2:5] = 1
        write_label_map(labels / f"{name}.nrrd", LabelMap(voxels, GRID, name))
    volume_model().save(folder / "model.safetensors")
    return _Inputs(images, labels, folder / "model.safetensors", study)


def _call(*arguments: object) -> tuple[int, str]:
    """Exit code and error output of a command in this process."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            return int(stop.code or 0), errors.getvalue()
    raise AssertionError("the command did not exit")


def _words(inputs: _Inputs, command: str, output: Path) -> list[object]:
    if command == "segment":
        return ["segment", inputs.model, inputs.images / "a.nrrd", "--output", output]
    if command == "evaluate":
        return ["evaluate", inputs.labels, inputs.labels, "--output", output]
    return ["measure", inputs.labels, "--output", output]


def _written(inputs: _Inputs, folder: Path, command: str, target: str, name: str, overwrite: bool) -> None:
    folder.mkdir()
    name = name if command != "measure json" else f"{name}.json"
    real = folder / (name if command != "segment" else "a.nrrd")
    output: Callable[[Path], Path] = (lambda path: path.parent) if command == "segment" else (lambda path: path)
    asked = _prepared(inputs, folder, target, real, partial(_words, inputs, command), output)
    if asked is None:
        return
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    code, errors = _call(*_words(inputs, command, asked), *(["--overwrite"] if overwrite else []))

    assert "Traceback" not in errors and "\x1b" not in errors, errors
    allowed = target in ALLOWED or (overwrite and target in NEEDS_OVERWRITE)
    assert (code == 0) is allowed, (code, errors)
    if not allowed:
        assert code == 2 and errors.count("\n") == 1, errors
        assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if target.startswith("link to") or target == "dangling link":
        assert real.is_symlink()
    if target == "hard link to foreign":
        assert (folder / "elsewhere").read_text() == FOREIGN
    if target == "private own":
        assert real.stat().st_mode & 0o777 == 0o600
    _no_leftovers(folder)


def _prepared(
    inputs: _Inputs,
    folder: Path,
    target: str,
    real: Path,
    words: Callable[[Path], list[object]],
    output: Callable[[Path], Path],
) -> Path | None:
    """Make what lies where the result is to go; the place that is asked for, None where there is no such case."""
    of_folder = output(real) != real  # a segmentation is asked for by its folder
    if target == "link to own":
        real.symlink_to(folder / "elsewhere")
    if "own" in target or target == "edited":
        assert _call(*words(output(real)))[0] == 0
    _make(target, real, folder / "elsewhere")
    match target:
        case "input":
            return inputs.images if of_folder else inputs.labels / "a.nrrd"
        case "in a study":
            return output(inputs.study / "results" / real.name)
        case "linked into a study":
            (folder / "link").symlink_to(inputs.study)
            return output(folder / "link" / real.name)
        case "null device":
            return None if of_folder else Path(os.devnull)
        case "new folder":
            return output(folder / "new" / "deeper" / real.name)
    return output(real)


def _make(target: str, real: Path, elsewhere: Path) -> None:
    """What lies where the result is to go, or is done to an earlier result that lies there."""
    match target:
        case "edited":
            real.write_bytes(real.read_bytes() + b"\n")
        case "private own":
            real.chmod(0o600)
        case "foreign":
            real.write_text(FOREIGN)
        case "link to foreign":
            elsewhere.write_text(FOREIGN)
            real.symlink_to(elsewhere)
        case "hard link to foreign":
            elsewhere.write_text(FOREIGN)
            os.link(elsewhere, real)
        case "dangling link":
            real.symlink_to(elsewhere)
        case "folder":
            real.mkdir()


def _killed(inputs: _Inputs, folder: Path, delay: float) -> None:
    """Killed, a command leaves results of one model or none; repeated, it mends all and leaves nothing else."""
    folder.mkdir()
    command = ["segment", inputs.model, inputs.images, "--output", folder / "out", "--probability"]
    assert _call(*command)[0] == 0
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _call(*command)
        os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for name in ("a", "b"):
        read_label_map(folder / "out" / f"{name}.nrrd")
    code, errors = _call(*command)
    assert code == 0, errors
    for name in ("a", "b"):
        assert read_measurements_of(folder / "out" / f"{name}.nrrd") is not None
    _no_leftovers(folder)


def _no_leftovers(folder: Path) -> None:
    left = [path.name for path in folder.rglob("*") if path.name.startswith(".")]
    assert not left, left
