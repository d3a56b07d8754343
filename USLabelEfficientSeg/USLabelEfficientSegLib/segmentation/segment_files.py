"""Segmentation of image files into a folder.

NAME.nrrd is the label map of the image NAME, with the organs' names; NAME_probability.nrrd holds the class
probabilities, background first, as components; NAME_uncertainty.nrrd the uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from ..errors import InputError
from ..imaging.dicom import is_dicom
from ..imaging.files import find_images, image_name, read_volume, write_label_map, write_map
from ..imaging.image_files import Dimension, dimension_of
from ..imaging.volume import LabelMap
from ..study.files import writing
from ..study.study import Study
from .image_model import ImageModel
from .inference import CoarsePrediction, predict
from .model import MODEL_NAME, SegmentationModel
from .segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX, segment_metadata

_Model = TypeVar("_Model", SegmentationModel, ImageModel)


@dataclass(frozen=True)
class SegmentedFile:
    """A segmentation that was written, its prediction, and the expected volume of each organ in ml."""

    path: Path
    volumes_ml: dict[str, float]
    prediction: CoarsePrediction
    label_map: LabelMap


def load_model(path: Path) -> SegmentationModel:
    """The model of a study folder or of a model file, see `load_any`."""
    return load_any(path, SegmentationModel.load)


def load_any(path: Path, load: Callable[[Path], _Model]) -> _Model:
    """What `load` makes of a model file or of the model of a study folder.

    Raises:
        InputError: the study is not trained, or now has other organs than its model; a file that is no model.
    """
    if not path.is_dir():
        return load(path)
    study = Study.open(path)
    file = study.run_folder / MODEL_NAME
    if not file.exists():
        problem = "is not trained to the end yet"
        raise InputError(study.folder, problem, f"train it with `uslabelseg train {study.folder}`")
    model = load(file)
    if model.organs != study.organs:
        problem = f"was trained for {', '.join(model.organs)}, but the study is of {', '.join(study.organs)}"
        raise InputError(file, problem, "train the study with --restart")
    return model


def images_by_name(paths: Iterable[Path], dimension: Dimension = 3) -> dict[str, Path]:
    """The images among files, folders of a DICOM series and folders of images, by name, in their order.

    Args:
        paths: what the user names.
        dimension: 2 to look for 2-D images, of which every DICOM file of a folder is one.

    Raises:
        InputError: a folder without images, or two images of the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        is_series = path.is_dir() and is_dicom(path) and (dimension == 3 or dimension_of(path) == 3)
        is_folder_of_images = path.is_dir() and not is_series
        files = find_images(path, pictures=dimension == 2) if is_folder_of_images else {image_name(path): path}
        for name, file in files.items():
            if name in found:
                problem = f"has the same name as {found[name]}, and so would its segmentation"
                raise InputError(file, problem, "rename one of them or segment them into two folders")
            found[name] = file
    return found


def segment_files(
    model: SegmentationModel,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    probability: bool = False,
    uncertainty: bool = False,
) -> Iterator[SegmentedFile]:
    """Segment images into a folder, one after the other as the result is iterated over.

    Files of earlier segmentations of the same names are replaced; maps of theirs that are not asked for now are
    removed, since they would not belong to the new label map.

    Args:
        model: what to segment with.
        images: files or DICOM folders by the name of their segmentation, see `images_by_name`.
        output: the folder, made if need be.
        device: where to compute.
        probability: write class probabilities, too.
        uncertainty: write the uncertainty, too.

    Raises:
        InputError: before anything is written: an unreadable image, two results or a result and an image of
            the same path; later: no room or permission to write.
    """
    suffixes = {PROBABILITY_SUFFIX: probability, UNCERTAINTY_SUFFIX: uncertainty}
    check_names(images, output, suffixes)
    if len(images) > 1:  # a single one is read before anything is written anyhow
        for path in images.values():
            read_volume(path)
    for name, path in images.items():
        prediction = predict(model, read_volume(path), device)
        make_room(output, name, suffixes)
        # The label map comes last: where it is, everything is.
        if probability:
            write_map(output / f"{name}{PROBABILITY_SUFFIX}.nrrd", _fine_probability(prediction), prediction.geometry)
        if uncertainty:
            write_map(output / f"{name}{UNCERTAINTY_SUFFIX}.nrrd", prediction.fine_uncertainty(), prediction.geometry)
        label_map, file = prediction.label_map(), output / f"{name}.nrrd"
        write_label_map(file, label_map, segment_metadata(label_map, model.organs))
        volumes_ml = dict(zip(model.organs, prediction.volumes_ml(), strict=True))
        yield SegmentedFile(file, volumes_ml, prediction, label_map)


def make_room(output: Path, name: str, suffixes: Mapping[str, bool]) -> None:
    """Make the folder if need be, and remove earlier maps of the same name that are not wanted now."""
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    for suffix, wanted in suffixes.items():
        if not wanted:
            (output / f"{name}{suffix}.nrrd").unlink(missing_ok=True)


def check_names(images: Mapping[str, Path], output: Path, suffixes: Mapping[str, bool]) -> None:
    """Refuse results that would replace each other (also where case does not count) or an image."""
    sources = {path.resolve() for path in images.values()}
    results: dict[str, str] = {}
    for name in images:
        for suffix in ("", *suffixes):
            result = output / f"{name}{suffix}.nrrd"
            if result.resolve() in sources:
                raise InputError(output, f"holds an image that {result.name} would replace", "choose another folder")
            other = results.setdefault(result.name.casefold(), name)
            if other != name:
                problem = f"and {images[other]} would both be segmented into {result.name}"
                raise InputError(images[name], problem, "rename one of them or segment them into two folders")


def _fine_probability(prediction: CoarsePrediction) -> np.ndarray:
    """Class probabilities (C, I, J, K) on the volume's own grid, in the memory order of a file."""
    shape = prediction.geometry.shape
    values = np.empty((*shape[::-1], len(prediction.probability)), dtype=np.float32).T
    for where, slab in prediction.slabs():
        values[..., where] = slab
    return values
