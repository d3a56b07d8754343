"""A study as a data set of nnU-Net v2, and such a data set as images and labels of a study.

Unlabelled voxels get nnU-Net's ignore label, the highest value (Gotkowski et al., arXiv 2403.12834). Format:
https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md and ignore_label.md there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..annotation.segments import segments_of
from ..annotation.sparse_labels import UNLABELLED
from ..disk.files import atomic_write_json
from ..disk.json_files import read_json
from ..disk.names import safe_stems
from ..errors import InputError
from ..imaging.files import read_label_map, read_volume, write_label_map, write_volume
from ..imaging.scan import LabelMap
from ..text.counting import counted
from .study import Study

SUFFIX = ".nii.gz"
_DESCRIPTION, _IMAGES, _LABELS, _TO_PREDICT = "dataset.json", "imagesTr", "labelsTr", "imagesTs"
_BACKGROUND, _IGNORE = "background", "ignore"
_CHANNEL = "_0000"
_REMEDY = "give a data set of nnU-Net v2 with one channel and labels 1, 2, ..."


def write_dataset(dataset: Path, study: Study, to_predict: Mapping[str, Path]) -> None:
    """Write the labelled volumes of a study, and images to predict.

    Args:
        dataset: its folder.
        study: volumes and sparse labels.
        to_predict: volumes by case.
    """
    for name in (_IMAGES, _LABELS, _TO_PREDICT):
        (dataset / name).mkdir(parents=True, exist_ok=True)
    ignored = len(study.organs) + 1
    labelled = [case for case in study.cases if case.labels is not None]
    for case, stem in zip(counted(labelled, "writing"), safe_stems(case.name for case in labelled), strict=True):
        labels = study.read_labels(case.name)
        assert labels is not None
        write_volume(dataset / _IMAGES / f"{stem}{_CHANNEL}{SUFFIX}", study.read_scan(case.name))
        voxels = np.where(labels.voxels == UNLABELLED, np.uint8(ignored), labels.voxels)
        write_label_map(dataset / _LABELS / f"{stem}{SUFFIX}", LabelMap(voxels, labels.geometry, case.name))
    for stem, path in zip(safe_stems(to_predict), to_predict.values(), strict=True):
        write_volume(dataset / _TO_PREDICT / f"{stem}{_CHANNEL}{SUFFIX}", read_volume(path))
    description = {
        "channel_names": {"0": "ultrasound"},
        "labels": {
            _BACKGROUND: 0,
            **{organ: value for value, organ in enumerate(study.organs, start=1)},
            _IGNORE: ignored,
        },
        "numTraining": len(labelled),
        "file_ending": SUFFIX,
    }
    atomic_write_json(dataset / _DESCRIPTION, description)


@dataclass(frozen=True)
class NNUNetData:
    """A data set of nnU-Net.

    Attributes:
        organs: in the order of their values 1, 2, ...
        ignored: value of unlabelled voxels; None: there are none.
        images: of all cases, with labels or without, by name.
        labels: label maps by name.
    """

    organs: tuple[str, ...]
    ignored: int | None
    images: dict[str, Path]
    labels: dict[str, Path]

    def lay_out(self, folder: Path) -> tuple[Path, Path | None]:
        """Copy images, and labels with 255 for what is not labelled, into two folders as `Study.create` wants them."""
        images, labels = folder / "images", folder / "labels"
        images.mkdir()
        labels.mkdir()
        for name, path in counted(self.images.items(), "reading"):
            write_volume(images / f"{name}.nrrd", read_volume(path))
            if name in self.labels:
                given = read_label_map(self.labels[name])
                voxels = given.voxels.copy()
                if self.ignored is not None:
                    voxels[given.voxels == self.ignored] = UNLABELLED
                whole = LabelMap(voxels, given.geometry, name, segments_of(self.organs))
                write_label_map(labels / f"{name}.nrrd", whole)
        return images, labels if self.labels else None


def read_dataset(folder: Path) -> NNUNetData:
    """Find the files of a data set.

    Raises:
        InputError: no `dataset.json` or a damaged one, several channels, regions instead of labels, labels without
            image, no image.
    """
    path = folder / _DESCRIPTION
    try:
        description: Any = read_json(path)
        channels, labels = dict(description["channel_names"]), dict(description["labels"])
        ending = str(description["file_ending"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, "is missing, or does not describe a data set of nnU-Net v2", _REMEDY) from error
    if len(channels) != 1:
        raise InputError(path, f"has {len(channels)} channels", _REMEDY)
    ignored = labels.pop(_IGNORE, None)
    organs = _organs(path, labels)
    if ignored is not None and ignored != len(organs) + 1:
        raise InputError(path, "has an ignore label that is not the highest value", _REMEDY)
    end = f"{_CHANNEL}{ending}"
    images = {
        file.name.removesuffix(end): file
        for part in (_IMAGES, _TO_PREDICT)
        for file in sorted((folder / part).glob(f"*{end}"))
    }
    found = {file.name.removesuffix(ending): file for file in sorted((folder / _LABELS).glob(f"*{ending}"))}
    if not images:
        raise InputError(folder / _IMAGES, f"holds no image NAME{end}", _REMEDY)
    if missing := sorted(found.keys() - images.keys()):
        raise InputError(found[missing[0]], "has no image of its name", _REMEDY)
    return NNUNetData(organs, ignored, images, found)


def _organs(path: Path, labels: dict[str, Any]) -> tuple[str, ...]:
    """Names in the order of their values. Raises `InputError` for regions, and for values other than 1, 2, ..."""
    if any(type(value) is not int for value in labels.values()):
        raise InputError(path, "has regions instead of labels", _REMEDY)
    by_value = {value: name for name, value in labels.items()}
    if sorted(by_value) != list(range(len(labels))) or len(by_value) < 2:
        raise InputError(path, "has labels other than 0, 1, 2, ...", _REMEDY)
    return tuple(by_value[value] for value in range(1, len(labels)))
