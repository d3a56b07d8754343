"""The trained model of a study folder, a model file, a MONAI bundle or ONNX graphs, of volumes or of 2-D images."""

from __future__ import annotations

from pathlib import Path

from ..disk.study_layout import MANIFEST_NAME
from ..errors import InputError
from ..study.study import Study
from .image_model import ImageModel
from .model import SegmentationModel
from .model_files import dimension_of_model, model_dimension, model_file

__all__ = ["TrainedModel", "load_model", "model_dimension"]

TrainedModel = SegmentationModel | ImageModel


def load_model(path: Path, *, first: bool = False) -> TrainedModel:
    """The model of a study folder, of a model file, or of a model that this program has exported.

    Args:
        path: a folder or the file.
        first: of a training that has not ended the first model will do; a `Notice` tells of it.

    Raises:
        InputError: the study is not trained, or now has other organs than its model; a file that is no model.

    Examples:
        >>> load_model(Path("my-study")).organs
        ('solid', 'fluid')
    """
    file = model_file(path, first=first)
    model = ImageModel.load(file) if dimension_of_model(file) == 2 else SegmentationModel.load(file)
    if not (path / MANIFEST_NAME).is_file():
        return model
    study = Study.open(path)
    if model.organs != study.organs:
        problem = f"was trained for {', '.join(model.organs)}, but the study is of {', '.join(study.organs)}"
        raise InputError(
            file, problem, "train the study with --restart", in_panel="train the study anew with another preset"
        )
    return model
