"""CDKD's slice teacher: a ViT that studies all slices without labels, and a head that learns the labelled ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.kept import Source
from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import FEATURES, SLICE_HEAD_NAME, TEACHER_NAME
from ..pseudolabels.views import SlicePredictor
from ..study.settings import Settings
from ..study.stages import Stage
from ..teacher.checkpoints import load_vit
from ..teacher.features import FeatureCache, encode_slices
from ..teacher.labelled_slices import ViewRanges, encode_views, labelled_slices, of_equal_shape
from ..teacher.pretraining import check_patches, pretrain_teacher
from ..teacher.slice_head import SliceHead, predict_slices, slice_boxes
from ..teacher.slice_head_training import train_slice_head
from ..teacher.slices import SliceSource, in_slice_axes
from ..teacher.vit import VisionTransformer
from ..training.context import TrainingContext
from ..training.several_devices import on_devices
from .run import Run


class ViTTeacher:
    """A `SliceTeacher`; its features are what students imitate.

    Args:
        run: whose volumes it learns from.
    """

    stages: ClassVar[tuple[Stage, ...]] = (Stage.TEACHER, Stage.SLICE_HEAD)
    without_labels: ClassVar[tuple[Stage, ...]] = (Stage.TEACHER,)
    pseudo_label_folder: ClassVar[str] = "teacher"

    vit: VisionTransformer
    head: SliceHead
    cache: FeatureCache

    def __init__(self, run: Run) -> None:
        self.run = run

    @staticmethod
    def check(settings: Settings) -> None:
        """Refuse weights to start from that are no ViT's, or do not fit the settings. Raises `InputError`."""
        initial_weights(settings)

    @staticmethod
    def shared_batches(settings: Settings) -> dict[str, int]:
        """The ViT's batch, which several devices share."""
        return {"teacher.batch_size": settings.teacher.batch_size}

    def first_training(self) -> tuple[partial[VisionTransformer], TrainingContext]:
        """That of the ViT."""
        return vit_training(self.run)

    def learn(self) -> Iterator[Stage]:
        """Stages 1 and 2."""
        self.learn_features()
        yield Stage.TEACHER
        self.head = trained_head(self.run, self.vit)
        yield Stage.SLICE_HEAD

    def learn_features(self) -> None:
        """Stage 1 alone."""
        self.vit = pretrained_vit(self.run)
        self.cache = FeatureCache(self.run.folder / FEATURES, self.vit, self.run.settings.teacher.slice_size)

    def predictors(self, volume: TrainingVolume) -> Sequence[SlicePredictor]:
        """The head on the ViT's features of slices, and on their place in the volume."""
        axis, slice_size = self.run.study.slice_axis, self.run.settings.teacher.slice_size
        rows, columns = in_slice_axes(axis)
        boxes = slice_boxes(volume.shape[axis], axis, volume.frame)

        def predict(slices: Tensor, numbers: Tensor) -> Tensor:
            pixel_size = volume.spacing[rows], volume.spacing[columns]
            features = encode_slices(self.vit, slices[:, 0], pixel_size, slice_size)
            return predict_slices(self.head, features, slices.shape[2:], boxes[numbers])

        return [predict]

    def features(self, volume: TrainingVolume) -> Source[NDArray[np.float16]]:
        """A source of the ViT's features of all slices along the slice axis; see `FeatureCache.source`."""
        return self.cache.source(volume, self.run.study.slice_axis)


def pretrained_vit(run: Run) -> VisionTransformer:
    """Stage 1: a ViT learns from all slices of all volumes, without labels."""
    return on_devices(run.computing.devices, *vit_training(run))


def vit_training(run: Run) -> tuple[partial[VisionTransformer], TrainingContext]:
    """The ViT's training and its context."""
    settings = run.plan.teacher
    source = SliceSource(
        run.greys,
        [volume.spacing for volume in run.volumes],
        settings.slice_size,
        axes=(0, 1, 2) if settings.axes == "all" else (run.study.slice_axis,),
    )
    weights, start = initial_weights(run.settings), run.learnt.teacher
    train = partial(pretrain_teacher, source, settings, initial_weights=weights, start=start)
    return train, run.context(Stage.TEACHER, TEACHER_NAME)


def trained_head(run: Run, vit: VisionTransformer) -> SliceHead:
    """Stage 2: a small head on the ViT's frozen features learns from the labelled slices."""
    settings = run.settings.slice_head
    samples = [
        encode_views(
            vit,
            slices,
            run.settings.teacher.slice_size,
            settings.views,
            ViewRanges(rotation_degrees=settings.rotation_degrees, shift=settings.shift),
            run.generator(f"views of {volume.name} along {axis}"),
        )
        for volume in run.labelled
        for axis in range(3)
        if len(slices := labelled_slices(volume, axis))
    ]
    context = run.context(Stage.SLICE_HEAD, SLICE_HEAD_NAME)
    return train_slice_head(of_equal_shape(samples), vit.patch_size, settings, context, prior=run.location_prior)


def initial_weights(settings: Settings) -> VisionTransformer | None:
    """The public ViT to start from, None for random weights. Raises `InputError` if it does not fit."""
    if settings.teacher.weights is None:
        return None
    vit = load_vit(Path(settings.teacher.weights))
    check_patches(vit, settings.teacher)
    return vit
