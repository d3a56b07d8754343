"""The study of a benchmark's run: the training cases, with no more labels than the run may see."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..disk.study_layout import MANIFEST_NAME
from ..imaging.files import read_volume, write_volume
from ..method.suggesting import write_suggested_labels
from ..study.study import Study
from .data import Dataset
from .degradations import degrade
from .design import Design
from .results import Job

_TRAINING_SEED = 1_000_000  # far from the seeds of held-out images


def sparse_study(folder: Path, dataset: Dataset, cases: Sequence[str], design: Design, job: Job) -> Study:
    """The study of the training cases with the labels of a run; made once.

    At random, slices are chosen by the label protocol; suggested, they are those of `suggest` before any label.
    """
    if (folder / MANIFEST_NAME).exists():
        return Study.open(folder)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        images, labels = Path(temporary) / "images", Path(temporary) / "labels"
        copy_images(images, dataset, cases, design.training_degradation)
        if job.choice == "suggested":
            bare = Study.create(Path(temporary) / "bare", images, organs=design.organs, slice_axis=design.slice_axis)
            write_suggested_labels(labels, bare, dataset.labels, job.label_fraction, job.seed)
        else:
            copy_files(labels, [dataset.labels[case] for case in cases])
        by_protocol = job.choice == "random" and job.label_fraction < 1
        return Study.create(
            folder,
            images,
            labels,
            organs=design.organs,
            slice_axis=design.slice_axis,
            label_fraction=job.label_fraction if by_protocol else None,
            seed=job.seed,
        )


def copy_images(folder: Path, dataset: Dataset, cases: Sequence[str], degradation: str | None) -> None:
    """The images of some cases, each degraded to a strength of its own, the same one in every run, if asked for."""
    if degradation is None:
        copy_files(folder, [dataset.images[case] for case in cases])
        return
    folder.mkdir()
    for number, case in enumerate(cases):
        seed = _TRAINING_SEED + number
        strength = float(np.random.default_rng(seed).uniform(0, 1))
        degraded = degrade(read_volume(dataset.images[case]), degradation, strength, seed)
        write_volume(folder / f"{case}.nrrd", degraded)


def copy_files(folder: Path, paths: Sequence[Path]) -> None:
    """Files, or folders of a DICOM series, into a new folder."""
    folder.mkdir()
    for path in paths:
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / path.name)
