"""The trained model of a study folder, a model file or a MONAI bundle, of volumes or of 2-D images."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..disk.kinds import bundled_model, check_model, is_bundle
from ..disk.study_layout import FIRST_MODEL_NAME, MODEL_NAME
from ..errors import InputError, Notice
from ..imaging.dimension import Dimension
from ..study.study import Study
from ..training.checkpoint_header import read_metadata
from .image_model import ImageModel
from .model import SegmentationModel
from .model_description import IMAGE_MODEL

TrainedModel = SegmentationModel | ImageModel


def load_model(path: Path, *, first: bool = False) -> TrainedModel:
    """The model of a study folder, of a model file, or of a bundle of this program.

    Args:
        path: a folder or the file.
        first: of a training that has not ended the first model will do; a `Notice` tells of it.

    Raises:
        InputError: the study is not trained, or now has other organs than its model; a file that is no model.

    Examples:
        >>> load_model(Path("my-study")).organs
        ('solid', 'fluid')
    """
    if is_bundle(path):
        path = bundled_model(path)
    if not path.is_dir():
        check_model(path)
        return _load(path)
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
    model = _load(file)
    if model.organs != study.organs:
        problem = f"was trained for {', '.join(model.organs)}, but the study is of {', '.join(study.organs)}"
        raise InputError(
            file, problem, "train the study with --restart", in_panel="train the study anew with another preset"
        )
    return model


def model_dimension(path: Path) -> Dimension:
    """Whether the model of a study folder or a model file is for 2-D images or for volumes, without loading it.

    Raises:
        InputError: no study, or a file that is missing or damaged.
    """
    if is_bundle(path):
        path = bundled_model(path)
    if path.is_dir():
        return Study.open(path).dimension
    check_model(path)
    return _dimension(path)


def _load(file: Path) -> TrainedModel:
    return ImageModel.load(file) if _dimension(file) == 2 else SegmentationModel.load(file)


def _dimension(file: Path) -> Dimension:
    return 2 if IMAGE_MODEL in read_metadata(file) else 3
