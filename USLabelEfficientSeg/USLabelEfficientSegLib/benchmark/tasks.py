"""What a rival of a run is given, and the model that its networks make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import nn

from ..anatomy.training_volumes import TrainingVolume, prepare_volume
from ..segmentation.model import SegmentationModel
from ..student.build import StudentDesign
from ..student.symmetry import mirror_axes
from ..study.manifest import Case
from ..study.study import Study
from .design import Design
from .peers.catalogue import PeerEntry
from .peers.training import Task


def task_of(study: Study, design: Design, device: torch.device, entry: PeerEntry) -> Task:
    """The study in the form that a rival gets."""
    settings = design.settings
    student, most = settings.student, settings.working_grid.max_voxels
    volumes: Sequence[TrainingVolume] = [*OnDemand(study, study.cases, most)]
    mirrored = mirror_axes([volume.grey for volume in volumes]) if entry.mirrors else ()
    if entry.own_resolution:
        most = max(max(case.image.shape) for case in study.cases)
        student = student.model_copy(update={"window": most})
        volumes = OnDemand(study, [case for case in study.cases if case.labels is not None], most)
    return Task(volumes, len(design.organs) + 1, design.slice_axis, student, mirrored, device, most)


class OnDemand(Sequence[TrainingVolume]):
    """Cases of a study on a grid of at most so many voxels along an axis, each read when it is asked for.

    At their own resolution they would not all fit into memory.
    """

    def __init__(self, study: Study, cases: Sequence[Case], max_voxels: int) -> None:
        self._study, self._cases, self._max_voxels = study, cases, max_voxels

    def __len__(self) -> int:
        return len(self._cases)

    @overload
    def __getitem__(self, index: int) -> TrainingVolume: ...

    @overload
    def __getitem__(self, index: slice) -> OnDemand: ...

    def __getitem__(self, index: int | slice) -> TrainingVolume | OnDemand:
        if isinstance(index, slice):
            return OnDemand(self._study, self._cases[index], self._max_voxels)
        name = self._cases[index].name
        return prepare_volume(self._study.read_scan(name), self._study.read_labels(name), self._max_voxels)


def model_of(networks: tuple[nn.Module, ...], task: Task, design: Design) -> SegmentationModel:
    """A rival's networks as a model."""
    return SegmentationModel(
        networks=networks,
        # Only read to build a network from a file, which a rival's never is.
        design=StudentDesign(
            network="u-net",
            classes=task.classes,
            spacing=task.volumes[0].spacing,
            slice_axis=design.slice_axis,
            widths=task.settings.widths,
        ),
        organs=design.organs,
        max_voxels=task.max_voxels,
        window=task.settings.window,
        overlap=design.settings.segmentation.overlap,
        mirrored_axes=task.mirrored_axes,
    )
