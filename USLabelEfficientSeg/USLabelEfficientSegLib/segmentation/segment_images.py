"""Segmentation of 2-D image files into a folder, under the names of `segment_files`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..imaging.files import write_label_map, write_map
from ..imaging.image_files import Dimension, read_image
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.volume import ImageLabels, UltrasoundImage
from ..study.checkpoint_header import read_metadata
from ..study.study import Study
from .image_model import ImageModel, ImagePrediction, predict_image
from .model import IMAGE_MODEL
from .segment_files import check_names, load_any, make_room
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
    """The model of a study folder or of a model file, see `load_any`."""
    return load_any(path, ImageModel.load)


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
        make_room(output, name, suffixes)
        # The labels come last: where they are, everything is.
        if probability:
            write_map(output / f"{name}{PROBABILITY_SUFFIX}.nrrd", prediction.probability, image.geometry)
        if uncertainty:
            write_map(output / f"{name}{UNCERTAINTY_SUFFIX}.nrrd", prediction.uncertainty(), image.geometry)
        labels, file = prediction.labels(), output / f"{name}.nrrd"
        write_label_map(file, labels, segment_metadata(labels, model.organs))
        yield SegmentedImage(file, image, prediction, labels)
