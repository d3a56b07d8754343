"""Segmentation of image files into a folder.

NAME.nrrd is the label map of the image NAME, with the organs' names; NAME_probability.nrrd holds the class
probabilities, background first, as components; NAME_uncertainty.nrrd the uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..disk.failures import Failures, attempted
from ..disk.outputs import Outputs
from ..imaging.files import write_label_map, write_map
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..imaging.scan_files import read_scan
from ..training.threads import in_threads
from .protocols import Model, Prediction
from .result_files import LABEL_SUFFIXES, result_files
from .segments import segment_metadata

_Segmented = tuple[Scan, Prediction, LabelMap]


@dataclass(frozen=True)
class SegmentedFile:
    """A segmentation that was written, and the prediction behind it."""

    path: Path
    scan: Scan
    prediction: Prediction
    labels: LabelMap


def segment_files(
    model: Model,
    images: Mapping[str, Path],
    output: Path,
    device: torch.device,
    *,
    pixel_sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    probability: bool = False,
    uncertainty: bool = False,
    outputs: Outputs | None = None,
    failures: Failures | None = None,
    record: Callable[[Path, Scan, Prediction, LabelMap], object] = lambda *made: None,
    threads: Callable[[], int] = lambda: 1,
    suffix: str = LABEL_SUFFIXES[0],
) -> Iterator[SegmentedFile]:
    """Segment images into a folder, one after the other as the result is iterated over.

    Files of earlier segmentations of the same names are replaced as `outputs` allows. Their maps that are not wanted
    now are removed, because they would not fit the new label map. The files of an image appear together.

    Args:
        model: segments them.
        images: files or DICOM folders by the name of their segmentation, see `imaging.scan_files.images_by_name`.
        output: the folder, made if need be.
        device: where to compute.
        pixel_sizes: of 2-D images whose files do not tell them.
        probability: write class probabilities, too.
        uncertainty: write the uncertainty, too.
        outputs: what may be replaced, by default only results of this program.
        failures: takes up the fault of one image, so that the others are done; by default all are read first.
        record: writes further files of a segmentation, beside the file that it is given; see `ResultFiles`.
        threads: asked for every image how many may be in the works; files are read and written by this thread alone.
        suffix: of the label maps, one of `LABEL_SUFFIXES`; NIfTI keeps no names of organs, their record does.

    Raises:
        InputError: before anything is written: two results or a result and an image of the same path, files that may
            not be replaced, without `failures` an unreadable image; later: an image that cannot be segmented, a volume
            for a model of images or the other way round, an unknown pixel size, no room to write.
    """
    read = partial(read_scan, dimension=model.dimension, pixel_sizes=pixel_sizes)
    outputs = outputs or Outputs()
    files = result_files(images, output, outputs, probability=probability, uncertainty=uncertainty, suffix=suffix)
    if failures is None and len(images) > 1:  # a single one is read before anything is written anyhow
        for path in images.values():
            read(path)
    failures = failures or Failures()
    failures.of = len(images)

    def segmented(read: Callable[[], Scan]) -> Callable[[], _Segmented]:
        return attempted(lambda: _segmented(model, read(), device))

    scans = (attempted(partial(read, path)) for path in images.values())
    results = in_threads(lambda: min(threads(), len(images)), segmented, scans)
    for (name, path), made in zip(images.items(), results, strict=True):
        with failures.of_one(path):
            scan, prediction, labels = made()
            with files[name].written() as temporary:
                if probability:
                    write_map(temporary.probability, _fine_probability(prediction), prediction.geometry)
                if uncertainty:
                    write_map(temporary.uncertainty, prediction.uncertainty(), prediction.geometry)
                write_label_map(temporary.labels, labels, segment_metadata(labels, model.organs))
                record(temporary.labels, scan, prediction, labels)
            result = SegmentedFile(files[name].labels, scan, prediction, labels)
        if not failures.last_failed:
            yield result


def _segmented(model: Model, scan: Scan, device: torch.device) -> _Segmented:
    prediction = model.predict(scan, device)
    return scan, prediction, prediction.labels()


def _fine_probability(prediction: Prediction) -> np.ndarray:
    """Class probabilities (C, I, J, K) on the scan's own grid, in the memory order of a file."""
    shape = prediction.geometry.shape
    values = np.empty((*shape[::-1], len(prediction.probability)), dtype=np.float32).T
    for where, slab in prediction.slabs():
        values[..., where] = slab
    return values
