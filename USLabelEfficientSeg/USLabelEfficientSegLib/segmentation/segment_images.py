"""Segmentation of 2-D image files into a folder, under the names of `segment_files`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import InputError
from ..imaging.dicom import is_dicom
from ..imaging.files import find_images, image_name, write_label_map, write_map
from ..imaging.image_files import Dimension, dimension_of, read_image
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.volume import ImageLabels, UltrasoundImage
from ..study.checkpoint import read_metadata
from ..study.files import writing
from ..study.study import Study
from .image_model import ImageModel, ImagePrediction, predict_image
from .model import IMAGE_MODEL
from .segment_files import check_names, check_organs, model_file
from .segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX, segment_metadata


@dataclass(frozen=True)
class SegmentedImage:
    """A segmentation that was written, and the prediction behind it."""

    path: Path
    image: UltrasoundImage
    prediction: ImagePrediction
    labels: ImageLabels


def model_dimension(path: Path) -> Dimension:
    """Whether the model of a study folder or a model file is for 2-D images or for volumes.

    Raises:
        InputError: no study, or a file that is missing or damaged.
    """
    if path.is_dir():
        return Study.open(path).dimension
    return 2 if IMAGE_MODEL in read_metadata(path) else 3


def load_image_model(path: Path) -> ImageModel:
    """The model of a study folder or of a model file. Raises `InputError` as `load_model` does."""
    if not path.is_dir():
        return ImageModel.load(path)
    study = Study.open(path)
    file = model_file(study)
    model = ImageModel.load(file)
    check_organs(file, model.organs, study)
    return model


def pictures_by_name(paths: Iterable[Path]) -> dict[str, Path]:
    """The 2-D images among files and folders of images, by name, in their order.

    Raises:
        InputError: a folder without images, two images of the same name, or a volume.
    """
    found: dict[str, Path] = {}
    for path in paths:
        is_folder_of_images = path.is_dir() and not (is_dicom(path) and dimension_of(path) == 3)
        files = find_images(path, pictures=True) if is_folder_of_images else {image_name(path): path}
        for name, file in files.items():
            if name in found:
                problem = f"has the same name as {found[name]}, and so would its segmentation"
                raise InputError(file, problem, "rename one of them or segment them into two folders")
            found[name] = file
    return found


def segment_images(
    model: ImageModel,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    pixel_sizes: PixelSizes,
    probability: bool = False,
    uncertainty: bool = False,
) -> Iterator[SegmentedImage]:
    """Segment 2-D images into a folder, one after the other as the result is iterated over; see `segment_files`.

    Raises:
        InputError: before anything is written: an unreadable image, a volume, one of unknown pixel size, two results
            or a result and an image of the same path; later: no room or permission to write.
    """
    suffixes = {PROBABILITY_SUFFIX: probability, UNCERTAINTY_SUFFIX: uncertainty}
    check_names(images, output, suffixes)
    for path in images.values():
        read_image(path, pixel_sizes)
    for name, path in images.items():
        image = read_image(path, pixel_sizes)
        prediction = predict_image(model, image, device)
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
        for suffix, wanted in suffixes.items():
            if not wanted:
                (output / f"{name}{suffix}.nrrd").unlink(missing_ok=True)
        # The labels come last: where they are, everything is.
        if probability:
            write_map(output / f"{name}{PROBABILITY_SUFFIX}.nrrd", prediction.probability, image.geometry)
        if uncertainty:
            write_map(output / f"{name}{UNCERTAINTY_SUFFIX}.nrrd", prediction.uncertainty(), image.geometry)
        labels, file = prediction.labels(), output / f"{name}.nrrd"
        write_label_map(file, labels, segment_metadata(labels, model.organs))
        yield SegmentedImage(file, image, prediction, labels)
