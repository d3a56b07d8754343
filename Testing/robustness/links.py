"""Links, second names and pipes in a study from somebody else: nothing outside of it is ever changed."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.tiny_studies import slice_labels, study_with_a_run, volume_model, write_images
from USLabelEfficientSegLib.command_line.result_output import checksum_of_model, save_model
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.inbox import leave_labels, take_labels
from USLabelEfficientSegLib.study.provenance import start_run
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import watch_volume

FILES = (
    "lock", "study.json", "run/events.jsonl", "run/run.json", f"run/{MODEL_NAME}", "run/teacher.safetensors",
    "run/pseudo_labels/teacher/a.safetensors", "images/a.nrrd", "images/new.nrrd", "labels/a.nrrd", "new_labels/a.nrrd",
    "preview/watched.json", "preview/now.nrrd",
)  # fmt: skip
FOLDERS = ("run", "images", "labels", "new_labels", "preview", "run/pseudo_labels", "run/features")
KINDS = ("symbolic", "symbolic", "dangling", "hard", "pipe", "folder")


def _writers(more: Path) -> dict[str, Callable[[Study], object]]:
    def locked(write: Callable[[Study], object]) -> Callable[[Study], object]:
        def run(study: Study) -> None:
            with study.lock():
                write(study)

        return run

    def calibrate(study: Study) -> None:
        save_model(study.folder, volume_model(), checksum_of_model(study.folder))

    return {
        "events": lambda study: study.events.emit("teacher", 2, 3),
        "events while locked": locked(lambda study: study.events.emit("teacher", 2, 3)),
        "labels": lambda study: study.set_labels("a", slice_labels(study, 1)),
        "no labels": lambda study: study.remove_labels("a"),
        "add": lambda study: study.add_images(more),
        "check": locked(lambda study: study.check_files()),
        "run": locked(lambda study: start_run(study, preset("quick"), "cpu")),
        "watch": lambda study: watch_volume(study.folder, "b"),
        "inbox": lambda study: leave_labels(study, "a", slice_labels(study, 1)),
        "take": locked(take_labels),
        "calibrate": calibrate,
    }


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Every kind of link, at a random place, before something that writes."""
    random = np.random.default_rng(seed)
    study_with_a_run(folder / "made")
    more = write_images(folder / "more", "new")
    writers = _writers(more)
    for number in range(count):
        kind = KINDS[random.integers(len(KINDS))]
        place = str(random.choice(FOLDERS if kind == "folder" else FILES))
        writer = str(random.choice(list(writers)))
        check = partial(_check, folder / "made" / "study", folder / f"{number}", kind, place, writers[writer])
        yield f"{kind} {place}, {writer}", check


def _check(whole: Path, folder: Path, kind: str, place: str, write: Callable[[Study], object]) -> None:
    shutil.copytree(whole, folder / "study")
    (folder / "precious").mkdir()
    precious = folder / "precious" / "model.safetensors"
    precious.write_bytes(b"precious")
    link = folder / "study" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    if kind == "symbolic":
        link.symlink_to(precious)
    elif kind == "dangling":
        link.symlink_to(folder / "precious" / "new")
    elif kind == "hard":
        os.link(precious, link)
    elif kind == "pipe":
        os.mkfifo(link)
    else:
        link.symlink_to(folder / "precious", target_is_directory=True)
    try:
        with suppress(InputError):
            write(Study.open(folder / "study"))
        assert precious.read_bytes() == b"precious", "a file outside was changed"
        assert [path.name for path in (folder / "precious").iterdir()] == ["model.safetensors"], (
            "a file was made outside"
        )
    finally:
        shutil.rmtree(folder)
