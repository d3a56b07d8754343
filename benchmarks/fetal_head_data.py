"""The fetal heads of `fetal_head.py`: images, masks and circumferences, split by subject."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from USLabelEfficientSegLib.divergence.images import TrainingImages, image_pixel_size, prepare_images
from USLabelEfficientSegLib.evaluation.benchmark_data import split_by_subject
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Head:
    """One image (h, w) in [0, 1] with its mask, pixel size in mm (rows, columns) and head circumference."""

    name: str
    subject: str
    image: Tensor
    mask: Tensor
    pixel_size: tuple[float, float]
    circumference_mm: float


def read_heads(data: Path) -> list[Head]:
    """All images of the folder."""
    heads, sizes = [], read_pixel_sizes(data / "cases.csv")
    with (data / "cases.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = read_image(data / "images" / row["file"], sizes)
            mask = read_image_labels(data / "labels" / row["file"], image.geometry)
            heads.append(
                Head(
                    row["file"],
                    row["subject"],
                    torch.from_numpy(image.voxels[..., 0].T.astype(np.float32) / 255),
                    torch.from_numpy(mask.voxels[..., 0].T > 0),
                    image_pixel_size(image.geometry),
                    float(row["head_circumference_mm"]),
                )
            )
    return heads


def split(heads: Sequence[Head], validation: bool) -> tuple[list[Head], list[Head]]:
    """Training and held-out images, of different subjects; with `validation` neither is of the test subjects."""
    parts = split_by_subject({head.name: head.subject for head in heads}, TEST_SHARE, validation=validation)
    return (
        [head for head in heads if head.name in parts.training],
        [head for head in heads if head.name in parts.held_out],
    )


def few_labels(heads: Sequence[Head], count: int, seed: int, image_size: int) -> TrainingImages:
    """All images, with the labels of `count` random ones."""
    labelled = set(np.random.default_rng(seed).choice(len(heads), count, replace=False).tolist())
    return prepare_images(
        [head.image for head in heads],
        [head.mask.long() if number in labelled else None for number, head in enumerate(heads)],
        [head.pixel_size for head in heads],
        classes=2,
        image_size=image_size,
    )
