"""Segmentation of 2-D image files into a folder, under the names of `segment_files`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..disk.failures import Failures
from ..disk.kinds import check_model
from ..disk.outputs import Outputs
from ..imaging.files import write_label_map, write_map
from ..imaging.image_files import Dimension, read_image
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..study.study import Study
from ..training.checkpoint_header import read_metadata
from .image_model import ImageModel, ImagePrediction, predict_image
from .model import IMAGE_MODEL
from .result_files import result_files
from .segment_files import load_any
from .segments import segment_metadata


@dataclass(frozen=True)
class SegmentedImage:
    """A segmentation that was written, and the prediction behind it."""

    path: Path
    image: Scan
    prediction: ImagePrediction
    labels: LabelMap


def model_dimension(path: Path) -> Dimension:
    """Whether the model of a study folder or a model file is for 2-D images or for volumes.

    Raises:
        InputError: no study, or a file that is missing or damaged.
    """
    if path.is_dir():
        return Study.open(path).dimension
    check_model(path)
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
    outputs: Outputs | None = None,
    failures: Failures | None = None,
    record: Callable[[Path, Scan, ImagePrediction, LabelMap], object] = lambda *made: None,
) -> Iterator[SegmentedImage]:
    """Segment 2-D images into a folder, one after the other as the result is iterated over; see `segment_files`.

    Raises:
        InputError: before anything is written: two results or a result and an image of the same path, files that may
            not be replaced; later: an unreadable image, a volume, one of unknown pixel size, no room to write.
    """
    files = result_files(images, output, outputs or Outputs(), probability=probability, uncertainty=uncertainty)
    if failures is None and len(images) > 1:  # a single one is read before anything is written anyhow
        for path in images.values():
            read_image(path, pixel_sizes)
    failures = failures or Failures()
    failures.of = len(images)
    for name, path in images.items():
        with failures.of_one(path):
            image = read_image(path, pixel_sizes)
            prediction = predict_image(model, image, device)
            labels = prediction.labels()
            with files[name].written() as temporary:
                if probability:
                    write_map(temporary.probability, prediction.probability, image.geometry)
                if uncertainty:
                    write_map(temporary.uncertainty, prediction.uncertainty(), image.geometry)
                write_label_map(temporary.labels, labels, segment_metadata(labels, model.organs))
                record(temporary.labels, image, prediction, labels)
            result = SegmentedImage(files[name].labels, image, prediction, labels)
        if not failures.last_failed:
            yield result
