"""The file of a model: that of a study, of an exported model, or the file itself. It is found without torch."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..disk.kinds import check_model, exported_model, is_export
from ..disk.study_layout import FIRST_MODEL_NAME, MODEL_NAME
from ..errors import InputError, Notice
from ..imaging.dimension import Dimension
from ..study.study import Study
from ..training.checkpoint_header import read_metadata

IMAGE_MODEL = "image_model"  # what describes a model of 2-D images in the metadata of its file


def model_file(path: Path, *, first: bool = False) -> Path:
    """The file of the model of a study folder, of a model that this program has exported, or a model file itself.

    Args:
        path: a folder or the file.
        first: of a training that has not ended the first model will do; a `Notice` tells of it.

    Raises:
        InputError: the study is not trained, an image, an exported model of another program.
    """
    if is_export(path):
        path = exported_model(path)
    if not path.is_dir():
        check_model(path)
        return path
    study = Study.open(path)
    file = study.run_folder / MODEL_NAME
    if first and not file.exists() and (study.run_folder / FIRST_MODEL_NAME).exists():
        file = study.run_folder / FIRST_MODEL_NAME
        warnings.warn(Notice(file, "is the first model of a training that has not ended; it is used"), stacklevel=2)
    if not file.exists():
        problem = "is not trained to the end yet"
        raise InputError(
            study.folder, problem, f"train it with `uslabelseg train {study.folder}`", in_panel="train it first"
        )
    return file


def model_dimension(path: Path) -> Dimension:
    """Whether the model of a study folder or a model file is for 2-D images or for volumes, without loading it.

    Raises:
        InputError: no study, or a file that is missing or damaged.
    """
    if is_export(path):
        path = exported_model(path)
    if path.is_dir():
        return Study.open(path).dimension
    check_model(path)
    return dimension_of_model(path)


def dimension_of_model(file: Path) -> Dimension:
    """The same of a model file. Raises `InputError` for one that is missing or damaged."""
    return 2 if IMAGE_MODEL in read_metadata(file) else 3
