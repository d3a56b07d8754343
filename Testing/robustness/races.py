"""Programs that opened one study at different times write it in any order: it holds what all of them did."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.tiny_studies import slice_labels, study_with_a_run, write_images
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.inbox import leave_labels, take_labels
from USLabelEfficientSegLib.study.study import Study

PROGRAMS, ACTIONS = 3, 6


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Random orders of what commands and the panel do, each by a program that opened the study before others wrote."""
    study_with_a_run(folder / "made")
    images = [write_images(folder / f"more {number}", f"new {number}") for number in range(ACTIONS)]
    for number in range(count):
        random = np.random.default_rng((seed, number))
        yield (
            f"order {number} of seed {seed}",
            partial(_check, folder / "made" / "study", folder / f"{number}", images, random),
        )


def _check(whole: Path, folder: Path, images: list[Path], random: np.random.Generator) -> None:
    shutil.copytree(whole, folder)
    try:
        programs = [Study.open(folder) for _ in range(PROGRAMS)]
        names = {"a", "b", "größe 1"}
        labelled: dict[str, int | None] = {"a": 2, "b": 3, "größe 1": None}
        for number in range(ACTIONS):
            study = programs[random.integers(PROGRAMS)]
            action = random.choice(["add", "add", "label", "unlabel", "check", "inbox", "add while written"])
            case = str(random.choice(["a", "b", "größe 1"]))
            index = int(random.integers(6))
            if action == "add":
                names |= set(study.add_images(images[number]))
            elif action == "label":
                study.set_labels(case, slice_labels(study, index))
                labelled[case] = index
            elif action == "unlabel":
                study.remove_labels(case)
                labelled[case] = None
            elif action == "check":
                with study.lock():
                    study.check_files()
            elif action == "inbox":
                leave_labels(study, case, slice_labels(study, index))
                with programs[random.integers(PROGRAMS)].lock():
                    pass
                with study.lock():
                    take_labels(study)
                labelled[case] = index
            else:
                with programs[0].lock():
                    try:
                        programs[1].add_images(images[number])
                    except InputError as refused:
                        assert "is being written by process" in str(refused)
                    else:
                        raise AssertionError("two programs wrote the study together")
        now = Study.open(folder)
        assert {one.name for one in now.cases} == names
        for name, last in labelled.items():
            labels = now.case(name).labels
            assert (None if labels is None else labels.slices[0][1]) == last, name
        assert {path.stem for path in (folder / "images").iterdir()} == names
        assert not list(folder.glob(".*"))
    finally:
        shutil.rmtree(folder)
