"""The data of a benchmark: volumes with dense labels, split by subject."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging.files import find_images

CASES_NAME = "cases.csv"
TRAINING, TEST = "training", "test"  # what the column `split` says
TEST_SPLIT, VALIDATION_SPLIT = 2026, 7  # seeds of the two splits
_GROUP_COLUMNS = ("subject_group", "subject", "group")


@dataclass(frozen=True)
class Dataset:
    """Volumes and dense labels by case.

    Attributes:
        folder: where they are.
        images, labels: files by case.
        subjects: of each case.
        test: the cases to judge by, if the data set says which; none: they are drawn.
    """

    folder: Path
    images: dict[str, Path]
    labels: dict[str, Path]
    subjects: dict[str, str]
    test: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Split:
    """Cases to train on and cases to judge by, of different subjects; each sorted."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def read_dataset(folder: Path) -> Dataset:
    """The data set in a folder with `images`, `labels` and, if cases share subjects, `cases.csv`.

    `cases.csv` has the columns `case` and `subject_group` (or `subject`, or `group`); without it every case is a
    subject of its own. A column `split` may say of each case `training` or `test`.

    Raises:
        InputError: no such folder, an image without a label or the other way round, a table that does not fit.
    """
    images, labels = find_images(folder / "images"), find_images(folder / "labels", labels=True)
    for name in sorted(images.keys() ^ labels.keys()):
        path, missing = (images[name], "label") if name in images else (labels[name], "image")
        raise InputError(path, f"has no {missing} of the same name", f"add its {missing} or remove it")
    table = folder / CASES_NAME
    rows = _read_cases(table) if table.exists() else {name: (name, None) for name in images}
    for name in images:
        if name not in rows:
            raise InputError(table, f"has no row for {name}", "give the subject of every case")
    subjects = {name: rows[name][0] for name in images}
    test = frozenset(name for name in images if rows[name][1] == TEST)
    seen = {subjects[name] for name in test} & {subjects[name] for name in images if name not in test}
    if seen:
        raise InputError(table, f"has subject {min(seen)} in both splits", "keep each subject in one split")
    return Dataset(folder, images, labels, subjects, test)


def split_by_subject(
    subjects: Mapping[str, str], share: float, *, validation: bool = False, test: Collection[str] = ()
) -> Split:
    """Hold out subjects that have `share` of all cases; the same ones whenever the data are the same.

    Args:
        subjects: of each case.
        share: of the cases, in (0, 1).
        validation: hold out a part of the training subjects instead, and leave the test subjects out altogether.
        test: cases of the test subjects, if they are not to be drawn.

    Raises:
        InputError: a share outside (0, 1), or nothing left to train on.
    """
    if not 0 < share < 1:
        raise InputError(f"test share {share:g}", "is outside (0, 1)", "give a share such as 0.2")
    held_out, split = set(test) or held_out_cases(subjects, share, TEST_SPLIT), subjects
    if validation:
        split = {case: subject for case, subject in subjects.items() if case not in held_out}
        held_out = held_out_cases(split, share, VALIDATION_SPLIT)
    training = set(split) - held_out
    if not training or not held_out:
        raise InputError("benchmark", f"cannot split {len(set(subjects.values()))} subjects", "give more subjects")
    return Split(tuple(sorted(training)), tuple(sorted(held_out)))


def held_out_cases(subjects: Mapping[str, str], share: float, seed: int) -> set[str]:
    """Cases of the first subjects of a random order, until they are at least `share` of all cases."""
    names = sorted(set(subjects.values()))
    held_out: set[str] = set()
    for index in np.random.default_rng(seed).permutation(len(names)):
        if len(held_out) >= share * len(subjects):
            break
        held_out |= {case for case, subject in subjects.items() if subject == names[index]}
    return held_out


def _read_cases(table: Path) -> dict[str, tuple[str, str | None]]:
    """Subject and split, if the table tells one, of each case."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        group = next((name for name in _GROUP_COLUMNS if name in columns), None)
        if "case" not in columns or group is None:
            raise InputError(table, f"has the columns {', '.join(columns)}", "name the columns case and subject_group")
        rows = {row["case"]: (row[group], row.get("split")) for row in reader}
    splits = {split for _, split in rows.values()}
    if splits not in ({None}, {TRAINING, TEST}):
        found = ", ".join(sorted(str(split) for split in splits))
        raise InputError(table, f"has the splits {found}", f"write {TRAINING} or {TEST} in each row, and some of both")
    return rows
