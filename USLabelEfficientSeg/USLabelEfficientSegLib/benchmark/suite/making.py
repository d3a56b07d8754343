"""The data of a set, made once into a folder: images, dense labels, and `cases.csv` with the split."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import numpy as np

from ...disk.files import atomic_write_csv, atomic_write_json, temporary_path, writing
from ...disk.in_use import remove_tree, rename
from ...errors import Cancelled, InputError
from ...imaging.files import write_label_map, write_volume
from ...imaging.scan import LabelMap, Scan
from ...imaging.simulator import POPULATIONS, simulate_population
from ...study.events import Event, Listener
from ..data import CASES_NAME, TEST, TRAINING, Dataset, Split, read_dataset, split_by_subject
from ..plan import organs_of
from ..study import copy_files
from .sets import GivenSet, SimulatedSet, SuiteSet

SET_NAME = "set.json"
_AT_ONCE = 4  # volumes between two questions whether to stop
_SUFFIX = ".nrrd"
_DRAW = 2027  # seed of the cases of a given set, where it has too many


def make_set(
    folder: Path,
    one: SuiteSet,
    sources: Mapping[str, Path],
    listener: Listener | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[str, ...]:
    """Make the data of a set, unless they are there, and tell its organs; one that was stopped goes on where it was.

    Args:
        folder: of the set's data.
        one: the set.
        sources: folders of given sets by name.
        listener: receives progress.
        cancelled: asked between volumes.

    Raises:
        Cancelled: the user asked to stop.
        InputError: the folder holds another set, or a given folder does not fit.
    """
    record, path = json.loads(json.dumps(asdict(one))), folder / SET_NAME
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        atomic_write_json(path, record)
    if json.loads(path.read_text(encoding="utf-8")) != record:
        raise InputError(folder, f"holds another set {one.name}", "choose a new folder for the results")
    if not (folder / CASES_NAME).exists():  # written last: where it is, everything is
        if isinstance(one, SimulatedSet):
            _simulate(folder, one, listener, cancelled)
        else:
            _copy(folder, one, sources)
    return POPULATIONS[one.population].organs if isinstance(one, SimulatedSet) else organs_of(read_dataset(folder))


def first_subject(one: SimulatedSet) -> int:
    """The seed of a set's first subject; those of its others follow."""
    return crc32(one.name.encode())


def _simulate(folder: Path, one: SimulatedSet, listener: Listener | None, cancelled: Callable[[], bool]) -> None:
    for name in ("images", "labels"):
        (folder / name).mkdir(exist_ok=True)
    probes = [
        *(one.training_probes[n % len(one.training_probes)] for n in range(one.training)),
        *(one.test_probes[n % len(one.test_probes)] for n in range(one.test)),
    ]
    names = [f"{one.name}_{number:03d}" for number in range(len(probes))]

    def simulate(number: int) -> None:
        image, label = (folder / part / f"{names[number]}{_SUFFIX}" for part in ("images", "labels"))
        if image.exists() and label.exists():
            return
        seed, probe = first_subject(one) + number, probes[number]
        case = simulate_population(one.population, seed, shape=one.shape, spacing=one.spacing, probe=probe)
        write_volume(image, Scan(case.volume.voxels, case.volume.geometry, names[number]))
        write_label_map(label, LabelMap(case.label_map.voxels, case.label_map.geometry, names[number]))

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets other threads work while it calculates
        for first in range(0, len(names), _AT_ONCE):
            if cancelled():
                raise Cancelled(f"simulation of {one.name} stopped; the same command continues it")
            numbers = range(first, min(first + _AT_ONCE, len(names)))
            list(pool.map(simulate, numbers))
            if listener is not None:
                listener(Event(f"simulating {one.name}", numbers.stop, len(names)))
    _write_cases(
        folder, {name: name for name in names}, Split(tuple(names[: one.training]), tuple(names[one.training :]))
    )


def _copy(folder: Path, one: GivenSet, sources: Mapping[str, Path]) -> None:
    dataset = read_dataset(sources[one.source])
    split = split_of(one, dataset)
    cases = [*split.training, *split.held_out]
    for name, paths in (("images", dataset.images), ("labels", dataset.labels)):
        with writing(folder / name):
            remove_tree(folder / name, ignore_errors=True)
            temporary = temporary_path(folder)
            copy_files(temporary, [paths[case] for case in cases])
            rename(temporary, folder / name)
    _write_cases(folder, dataset.subjects, split)


def split_of(one: GivenSet, dataset: Dataset) -> Split:
    """The cases of a given set. Raises `InputError` where the folder has too few."""
    names = sorted(dataset.images)
    if one.test and max(one.test) >= len(names):
        raise InputError(dataset.folder, f"holds {len(names)} cases, too few for {one.name}", "give the whole folder")
    test = [names[place] for place in one.test]
    split = split_by_subject(dataset.subjects, 0.2, validation=one.unseen, test=test)
    if one.most is None:
        return split
    return Split(_drawn(split.training, one.most[0]), _drawn(split.held_out, one.most[1]))


def _drawn(cases: Sequence[str], most: int) -> tuple[str, ...]:
    order = np.random.default_rng(_DRAW).permutation(len(cases))[:most]
    return tuple(cases[index] for index in sorted(order))


def _write_cases(folder: Path, subjects: Mapping[str, str], split: Split) -> None:
    rows = [[case, subjects[case], TRAINING] for case in split.training]
    rows += [[case, subjects[case], TEST] for case in split.held_out]
    atomic_write_csv(folder / CASES_NAME, [["case", "subject_group", "split"], *rows])
