"""The fetal heads of `fetal_head.py`: images, masks, circumferences, split by subject, and as cheap probes see them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from USLabelEfficientSegLib.benchmark.data import split_by_subject
from USLabelEfficientSegLib.benchmark.degradations import DEGRADATIONS, degrade
from USLabelEfficientSegLib.divergence.images import TrainingImages, image_pixel_size, prepare_images
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.imaging.scan import Scan

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Head:
    """One uint8 image (columns, rows, 1) with its mask (rows, columns) and head circumference."""

    name: str
    subject: str
    scan: Scan
    mask: Tensor
    circumference_mm: float

    @property
    def image(self) -> Tensor:
        """Grey values (rows, columns) in [0, 1]."""
        return torch.from_numpy(self.scan.voxels[..., 0].T.astype(np.float32) / 255)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Spacing of the rows and the columns in mm."""
        return image_pixel_size(self.scan.geometry)


def read_heads(data: Path) -> list[Head]:
    """All images of the folder."""
    heads, sizes = [], read_pixel_sizes(data / "cases.csv")
    with (data / "cases.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            scan = read_image(data / "images" / row["file"], sizes)
            mask = read_image_labels(data / "labels" / row["file"], scan.geometry)
            heads.append(
                Head(
                    row["file"],
                    row["subject"],
                    scan,
                    torch.from_numpy(mask.voxels[..., 0].T > 0),
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


def label_count(fraction: float, everything: int, training: int) -> int:
    """How many of the training images have labels: a fraction of all images of the data set, 1 for all that train.

    Raises:
        InputError: a fraction outside (0, 1], or one that is more than there are training images.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction {fraction:g}", "is outside (0, 1]", "give one such as 0.05")
    count = training if fraction == 1 else max(1, round(fraction * everything))
    if count > training:
        problem = f"is {count} images, but only {training} are there to train on"
        raise InputError(f"fraction {fraction:g}", problem, "give 1 for all of them")
    return count


def few_labels(
    heads: Sequence[Head], count: int, seed: int, image_size: int, *, low_cost: bool = False
) -> TrainingImages:
    """All images, with the labels of `count` random ones; with `low_cost` each also as a random cheap probe sees it."""
    labelled = set(np.random.default_rng(seed).choice(len(heads), count, replace=False).tolist())
    targets = [head.mask.long() if number in labelled else None for number, head in enumerate(heads)]
    views = [*heads, *randomly_degraded(heads, seed)] if low_cost else list(heads)
    return prepare_images(
        [head.image for head in views],
        targets * (len(views) // len(heads)),
        [head.pixel_size for head in views],
        classes=2,
        image_size=image_size,
    )


def degraded(head: Head, name: str, strength: float, seed: int) -> Head:
    """The image under a degradation of the library, in whole grey values as a file holds them."""
    scan = degrade(head.scan, name, strength, seed)
    return replace(head, scan=replace(scan, voxels=scan.voxels.round().astype(np.uint8)))


def randomly_degraded(heads: Sequence[Head], seed: int) -> list[Head]:
    """Every image under one degradation at random, of a strength between 0 and 1 at random."""
    rng = np.random.default_rng([seed, len(heads)])
    return [
        degraded(head, str(rng.choice(list(DEGRADATIONS))), rng.uniform(), int(rng.integers(2**32))) for head in heads
    ]
