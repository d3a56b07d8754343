"""What a rival of a run is given, and the model that its networks make."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..anatomy.kept import OnDemand
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
    volumes: Sequence[TrainingVolume] = [*volumes_of(study, study.cases, most)]
    mirrored = mirror_axes([volume.grey for volume in volumes]) if entry.mirrors else ()
    if entry.own_resolution:
        most = max(max(case.image.shape) for case in study.cases)
        student = student.model_copy(update={"window": most})
        # At their own resolution they would not all fit into memory.
        volumes = volumes_of(study, [case for case in study.cases if case.labels is not None], most)
    return Task(volumes, len(design.organs) + 1, design.slice_axis, student, mirrored, device, most)


def volumes_of(study: Study, cases: Sequence[Case], max_voxels: int) -> OnDemand[TrainingVolume]:
    """Cases of a study on a grid of at most so many voxels along an axis, each read when it is asked for."""

    def prepared(case: Case) -> TrainingVolume:
        return prepare_volume(study.read_scan(case.name), study.read_labels(case.name), max_voxels)

    return OnDemand(cases, prepared)


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
